#include "study/budget_front.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

/* A sum over the layers so far; `before` is its position after the layer before. */
typedef struct sum {
    int64_t bits;
    double loss;
    int before;
    int choice;
} sum;

typedef struct level {
    sum *sums;
    int n;
} level;

static int compare_sums(const void *a, const void *b) {
    const sum *x = a, *y = b;
    if (x->bits != y->bits)
        return x->bits < y->bits ? -1 : 1;
    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    if (x->before != y->before)
        return x->before < y->before ? -1 : 1;
    return (x->choice > y->choice) - (x->choice < y->choice);
}

/* Sorted sums without those that another beats or equals in both. */
static int drop_beaten(sum *sums, int n) {
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (kept == 0 || sums[i].loss < sums[kept - 1].loss)
            sums[kept++] = sums[i];
    }
    return kept;
}

/* One a stretch of bits, the one that loses least; always the smallest, too. */
static int thin(sum *sums, int n) {
    const double range = (double)(sums[n - 1].bits - sums[0].bits);
    const int64_t first = sums[0].bits;
    int kept = 1;
    for (int i = 1; i < n; i++) {
        int slot = (int)((double)(sums[i].bits - first) / range * (STOIC_FRONT_SUMS - 2));
        int last = (int)((double)(sums[kept - 1].bits - first) / range * (STOIC_FRONT_SUMS - 2));
        if (kept > 1 && slot == last)
            sums[kept - 1] = sums[i];
        else
            sums[kept++] = sums[i];
    }
    return kept;
}

static stoic_status add_layer(const level *before, const stoic_layer_option *options, int n_choices,
                              int64_t most, level *out, stoic_error *err) {
    int n = 0;
    size_t room = (size_t)before->n * (size_t)n_choices;
    out->sums = calloc(room + 1, sizeof *out->sums);
    if (!out->sums)
        return stoic_fail_memory(err, "choices for layers", room * sizeof *out->sums);
    for (int i = 0; i < before->n; i++) {
        for (int c = 0; c < n_choices; c++) {
            double loss = options[c].loss > 0 ? options[c].loss : 0.0;
            sum next = {before->sums[i].bits + options[c].bits, before->sums[i].loss + loss, i, c};
            if (next.bits <= most)
                out->sums[n++] = next;
        }
    }
    if (n)
        qsort(out->sums, (size_t)n, sizeof *out->sums, compare_sums);
    out->n = drop_beaten(out->sums, n);
    if (out->n > STOIC_FRONT_SUMS)
        out->n = thin(out->sums, out->n);
    return STOIC_OK;
}

/* The fewest bits that layers from `layer` on can take. */
static int64_t least_bits(const stoic_layer_option *options, int n_layers, int n_choices,
                          int layer) {
    int64_t bits = 0;
    for (; layer < n_layers; layer++) {
        int64_t least = INT64_MAX;
        for (int c = 0; c < n_choices; c++) {
            const stoic_layer_option *option = &options[layer * n_choices + c];
            least = option->bits < least ? option->bits : least;
        }
        bits += least;
    }
    return bits;
}

static stoic_status trace(const level *levels, int n_layers, stoic_front *out, stoic_error *err) {
    const level *last = &levels[n_layers];
    out->points = calloc((size_t)last->n + 1, sizeof *out->points);
    out->storage = calloc((size_t)last->n * (size_t)n_layers + 1, 1);
    if (!out->points || !out->storage)
        return stoic_fail_memory(err, "choices for layers", (size_t)last->n * (size_t)n_layers);
    out->n = last->n;
    for (int i = 0; i < last->n; i++) {
        stoic_front_point *point = &out->points[i];
        int at = i;
        *point = (stoic_front_point){last->sums[i].bits, last->sums[i].loss,
                                     out->storage + (size_t)i * (size_t)n_layers};
        for (int layer = n_layers; layer > 0; layer--) {
            point->choice[layer - 1] = (uint8_t)levels[layer].sums[at].choice;
            at = levels[layer].sums[at].before;
        }
    }
    return STOIC_OK;
}

stoic_status stoic_front_create(const stoic_layer_option *options, int n_layers, int n_choices,
                                int64_t budget, stoic_front *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    sum nothing = {0};
    level *levels = calloc((size_t)n_layers + 1, sizeof *levels);
    memset(out, 0, sizeof *out);
    if (!levels)
        return stoic_fail_memory(err, "choices for layers", (size_t)n_layers * sizeof *levels);
    levels[0] = (level){&nothing, 1};
    for (int layer = 0; layer < n_layers; layer++) {
        int64_t rest = least_bits(options, n_layers, n_choices, layer + 1);
        TRY(add_layer(&levels[layer], options + layer * n_choices, n_choices, budget - rest,
                      &levels[layer + 1], err));
    }
    TRY(trace(levels, n_layers, out, err));
done:
    for (int layer = 1; layer <= n_layers; layer++)
        free(levels[layer].sums);
    free(levels);
    if (status != STOIC_OK)
        stoic_front_deinit(out);
    return status;
}

void stoic_front_deinit(stoic_front *front) {
    free(front->points);
    free(front->storage);
    memset(front, 0, sizeof *front);
}
