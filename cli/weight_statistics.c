#include "weight_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

void cli_weights_measure(const stoic_tensor *tensor, cli_weights *out) {
    int64_t finite = 0, below = 0;
    double mean = 0.0, squares = 0.0;
    *out = (cli_weights){.count = stoic_tensor_count(tensor),
                         .low = NAN,
                         .high = NAN,
                         .mean = NAN,
                         .std = NAN,
                         .max_abs = NAN,
                         .below2 = NAN};
    for (int64_t i = 0; i < out->count; i++) {
        double value = stoic_tensor_get(tensor, i);
        if (!isfinite(value))
            continue;
        finite++;
        below += fabs(value) < 2.0;
        double step = value - mean; /* Welford */
        mean += step / (double)finite;
        squares += step * (value - mean);
        out->low = finite == 1 || value < out->low ? value : out->low;
        out->high = finite == 1 || value > out->high ? value : out->high;
    }
    out->not_finite = out->count - finite;
    if (finite == 0)
        return;
    out->mean = mean;
    out->std = sqrt(squares / (double)finite);
    out->max_abs = fmax(fabs(out->low), fabs(out->high));
    out->below2 = (double)below / (double)finite;
}

static void count_word(cli_bits *bits, uint64_t word) {
    uint64_t value = 0;
    for (int i = 0; i < bits->width; i++) {
        uint64_t one = word >> bits->bit[i] & 1;
        bits->ones[i] += (int64_t)one;
        value |= one << i;
    }
    if (bits->values)
        bits->values[value]++;
    bits->words++;
}

static stoic_status take_mask(cli_bits *bits, uint64_t mask, stoic_error *err) {
    for (int bit = 0; bit < 64; bit++) {
        if (mask >> bit & 1)
            bits->bit[bits->width++] = bit;
    }
    if (bits->width == 0 || bits->width > CLI_FIELD_VALUES_BITS)
        return STOIC_OK;
    bits->values = calloc((size_t)1 << bits->width, sizeof *bits->values);
    return bits->values ? STOIC_OK : cli_fail_memory(err);
}

stoic_status cli_bits_measure(const stoic_store *store, const char *field, cli_bits *out,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    memset(out, 0, sizeof *out);
    for (int entry = 0; entry < stoic_store_entry_count(store); entry++) {
        const stoic_store_entry *of = stoic_store_entry_at(store, entry);
        stoic_field mask;
        if (of->role != STOIC_ROLE_WEIGHT)
            continue;
        TRY(stoic_store_bits(store, entry, field, &mask, err));
        if (out->width == 0)
            TRY(take_mask(out, mask.bits[0], err));
        for (int64_t weight = 0; weight < of->weights; weight++)
            count_word(out, stoic_store_data(store, entry, weight));
    }
done:
    if (status != STOIC_OK)
        cli_bits_deinit(out);
    return status;
}

void cli_bits_deinit(cli_bits *bits) {
    free(bits->values);
    bits->values = NULL;
}
