#include "campaign/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/packed_counts.h"

/* ---- numbers and strings ---- */

void stoic_wire_begin(stoic_text *out, stoic_message message) {
    out->length = 0;
    char byte = (char)message;
    stoic_text_add(out, &byte, 1);
}

void stoic_wire_put_u32(stoic_text *out, uint32_t value) {
    uint8_t bytes[4];
    stoic_put_u32(bytes, value);
    stoic_text_add(out, (const char *)bytes, 4);
}

void stoic_wire_put_i64(stoic_text *out, int64_t value) {
    stoic_wire_put_u32(out, (uint32_t)value);
    stoic_wire_put_u32(out, (uint32_t)((uint64_t)value >> 32));
}

static void put_bytes(stoic_text *out, const void *bytes, size_t n) {
    stoic_wire_put_u32(out, (uint32_t)n);
    stoic_text_add(out, bytes, n);
}

void stoic_wire_put_string(stoic_text *out, const char *string) {
    put_bytes(out, string, strlen(string) + 1);
}

stoic_wire stoic_wire_read(const void *data, size_t bytes, stoic_message *message) {
    stoic_wire in = {data, (const uint8_t *)data + bytes, bytes == 0};
    *message = bytes ? (stoic_message)*in.at++ : (stoic_message)0;
    return in;
}

/* `n` bytes of the message; NULL: there are not so many. */
static const uint8_t *take(stoic_wire *in, size_t n) {
    in->bad = in->bad || (size_t)(in->end - in->at) < n;
    if (in->bad)
        return NULL;
    in->at += n;
    return in->at - n;
}

uint32_t stoic_wire_u32(stoic_wire *in) {
    const uint8_t *p = take(in, 4);
    return p ? stoic_get_u32(p) : 0;
}

int64_t stoic_wire_i64(stoic_wire *in) {
    uint32_t low = stoic_wire_u32(in);
    return (int64_t)((uint64_t)stoic_wire_u32(in) << 32 | low);
}

const char *stoic_wire_string(stoic_wire *in) {
    uint32_t n = stoic_wire_u32(in);
    const char *string = (const char *)take(in, n);
    in->bad = in->bad || n == 0 || string[n - 1] != '\0';
    return in->bad ? "" : string;
}

static stoic_status damaged(stoic_error *err, const char *what) {
    return stoic_fail(err, STOIC_ERR_INTERNAL, "", "a message with %s makes no sense", what);
}

/* ---- facts ---- */

void stoic_wire_put_facts(stoic_text *out, const stoic_facts *facts) {
    stoic_wire_put_u32(out, (uint32_t)facts->count);
    for (size_t i = 0; i < facts->count; i++) {
        stoic_wire_put_u32(out, facts->items[i].identity);
        stoic_wire_put_string(out, facts->items[i].key);
        stoic_wire_put_string(out, facts->items[i].value);
    }
}

stoic_status stoic_wire_facts(stoic_wire *in, stoic_facts *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    uint32_t n = stoic_wire_u32(in);
    for (uint32_t i = 0; i < n && !in->bad && status == STOIC_OK; i++) {
        bool identity = stoic_wire_u32(in) != 0;
        const char *key = stoic_wire_string(in), *value = stoic_wire_string(in);
        if (!in->bad)
            status = stoic_facts_set(out, identity, key, err, "%s", value);
    }
    return status == STOIC_OK && in->bad ? damaged(err, "facts") : status;
}

/* ---- stages ---- */

void stoic_wire_put_stages(stoic_text *out, const stoic_allocation *a, size_t first) {
    size_t cells = a->n_strata > 0 ? a->n_cells : 0;
    stoic_wire_put_u32(out, (uint32_t)cells);
    for (size_t c = 0; c < cells; c++)
        stoic_wire_put_u32(out, (uint32_t)a->stratum[c]);
    stoic_wire_put_u32(out, (uint32_t)first);
    stoic_wire_put_u32(out, (uint32_t)(a->n_stages - first));
    for (size_t s = first; s < a->n_stages; s++) {
        const stoic_stage *stage = &a->stages[s];
        stoic_wire_put_u32(out, stage->pilot);
        for (size_t g = 0; g < stage->n; g++)
            stoic_wire_put_i64(out, stage->ends[g] - (g > 0 ? stage->ends[g - 1] : 0));
    }
}

/* The strata do not change once they are made. */
static stoic_status read_strata(stoic_wire *in, stoic_allocation *a, bool *sound,
                                stoic_error *err) {
    uint32_t cells = stoic_wire_u32(in);
    bool new = a->n_strata == 0 && cells > 0;
    *sound = cells == 0 || cells == a->n_cells;
    for (uint32_t c = 0; c < cells && *sound && !in->bad; c++) {
        int stratum = (int)stoic_wire_u32(in);
        if (new)
            a->stratum[c] = stratum;
    }
    *sound = *sound && !in->bad;
    return new &&*sound ? stoic_allocation_take_strata(a, sound, err) : STOIC_OK;
}

static stoic_status read_stage(stoic_wire *in, stoic_allocation *a, int64_t *trials, bool *sound,
                               stoic_error *err) {
    bool pilot = stoic_wire_u32(in) != 0;
    size_t n = pilot ? a->n_bits : a->n_strata;
    for (size_t g = 0; g < n; g++)
        trials[g] = stoic_wire_i64(in);
    *sound = !in->bad;
    return *sound ? stoic_allocation_take_stage(a, pilot, trials, sound, err) : STOIC_OK;
}

stoic_status stoic_wire_stages(stoic_wire *in, stoic_allocation *a, stoic_error *err) {
    int64_t *trials = calloc(a->n_cells + 1, sizeof *trials);
    stoic_status status;
    bool sound;
    if (!trials)
        return stoic_fail_memory(err, "a stage", a->n_cells * sizeof *trials);
    TRY(read_strata(in, a, &sound, err));
    sound = sound && stoic_wire_u32(in) == a->n_stages;
    for (uint32_t n = stoic_wire_u32(in); n > 0 && sound && !in->bad; n--)
        TRY(read_stage(in, a, trials, &sound, err));
    if (!sound || in->bad)
        status = damaged(err, "stages");
done:
    free(trials);
    return status;
}

/* ---- units ---- */

void stoic_wire_put_job(stoic_text *out, uint32_t id, const stoic_piece *piece, int64_t block) {
    stoic_wire_put_u32(out, id);
    stoic_wire_put_i64(out, piece->chunk);
    stoic_wire_put_i64(out, piece->lo);
    stoic_wire_put_u32(out, (uint32_t)(piece->hi - piece->lo));
    stoic_wire_put_i64(out, block);
}

bool stoic_wire_job(stoic_wire *in, const stoic_design *design, uint32_t *id, stoic_piece *piece,
                    int64_t *block) {
    *id = stoic_wire_u32(in);
    piece->chunk = stoic_wire_i64(in);
    piece->lo = stoic_wire_i64(in);
    int64_t trials = stoic_wire_u32(in);
    piece->hi = piece->lo + trials;
    *block = stoic_wire_i64(in);
    return !in->bad && trials > 0 && trials <= design->chunk && piece->lo >= 0 && *block >= 0 &&
           *block <= (design->images - 1) / design->block;
}

static void put_upset(stoic_text *out, const stoic_upset *u) {
    const int64_t wide[] = {u->trial, u->image, u->index, u->elements, u->step, u->steps};
    const int32_t narrow[] = {u->layer, u->ordinal, u->kind, u->bit};
    const float values[] = {u->before, u->after};
    uint32_t bits[2];
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        stoic_wire_put_i64(out, wide[i]);
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        stoic_wire_put_u32(out, (uint32_t)narrow[i]);
    memcpy(bits, values, sizeof bits);
    for (int i = 0; i < 2; i++)
        stoic_wire_put_u32(out, bits[i]);
}

static void read_upset(stoic_wire *in, stoic_upset *out) {
    int64_t *const wide[] = {&out->trial,    &out->image, &out->index,
                             &out->elements, &out->step,  &out->steps};
    int32_t *const narrow[] = {&out->layer, &out->ordinal, &out->kind, &out->bit};
    float *const values[] = {&out->before, &out->after};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        *wide[i] = stoic_wire_i64(in);
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        *narrow[i] = (int32_t)stoic_wire_u32(in);
    for (int i = 0; i < 2; i++) {
        uint32_t bits = stoic_wire_u32(in);
        memcpy(values[i], &bits, sizeof bits);
    }
}

void stoic_wire_put_unit(stoic_text *out, const stoic_unit *unit) {
    int64_t trials = unit->piece->hi - unit->piece->lo, images = 0;
    uint8_t *packed = malloc(stoic_counts_packed(trials));
    if (packed)
        put_bytes(out, packed, stoic_counts_pack(unit->counts, trials, packed));
    out->failed = out->failed || !packed;
    free(packed);
    stoic_wire_put_u32(out, (uint32_t)unit->upsets.count);
    for (size_t i = 0; i < unit->upsets.count; i++)
        put_upset(out, &unit->upsets.items[i]);
    for (int64_t t = 0; t < trials; t++)
        images += unit->evaluated[t];
    put_bytes(out, unit->outcome, unit->outcome ? (size_t)images : 0);
}

/* Images of all blocks of the unit. */
static int64_t images_of(const stoic_design *design, const stoic_unit *unit) {
    int64_t first, count = stoic_schedule_block(design, unit->block, &first);
    for (int64_t i = 0; i < unit->n_also; i++)
        count += stoic_schedule_block(design, unit->also[i], &first);
    return count;
}

/* A trial sees whole blocks, or as many of their images as it drew. */
static bool read_counts(stoic_wire *in, const stoic_design *design, stoic_unit *unit,
                        int64_t *images) {
    int64_t trials = unit->piece->hi - unit->piece->lo, count = images_of(design, unit);
    uint32_t bytes = stoic_wire_u32(in);
    const uint8_t *packed = take(in, bytes);
    if (!packed || !stoic_counts_unpack(packed, bytes, unit->counts, trials))
        return false;
    *images = 0;
    for (int64_t t = 0; t < trials; t++) {
        int64_t n = unit->evaluated[t] = unit->counts[t].images;
        if (n < 0 || n > count || (design->images_per_trial == 0 && n != count) ||
            (design->images_per_trial > 0 && n > design->images_per_trial))
            return false;
        *images += n;
    }
    return true;
}

stoic_status stoic_wire_unit(stoic_wire *in, const stoic_design *design, stoic_unit *unit,
                             stoic_error *err) {
    int64_t images;
    if (!read_counts(in, design, unit, &images))
        return damaged(err, "counts");
    uint32_t upsets = stoic_wire_u32(in);
    unit->upsets.count = 0;
    for (uint32_t i = 0; i < upsets && !in->bad; i++) {
        stoic_upset upset;
        read_upset(in, &upset);
        stoic_status status = stoic_upset_list_add(&unit->upsets, &upset, err);
        if (status != STOIC_OK)
            return status;
    }
    uint32_t bytes = stoic_wire_u32(in);
    const uint8_t *outcome = take(in, bytes);
    if (!outcome || (int64_t)bytes != (unit->outcome ? images : 0))
        return damaged(err, "the outcome of images");
    if (bytes)
        memcpy(unit->outcome, outcome, bytes);
    return STOIC_OK;
}

/* ---- failures ---- */

void stoic_wire_put_failure(stoic_text *out, const char *host, const stoic_error *failure) {
    stoic_wire_begin(out, STOIC_MESSAGE_FAILED);
    stoic_wire_put_string(out, host);
    stoic_wire_put_u32(out, (uint32_t)failure->code);
    stoic_wire_put_string(out, failure->place);
    stoic_wire_put_string(out, failure->message);
}

void stoic_wire_failure(stoic_wire *in, int rank, stoic_error *out) {
    const char *host = stoic_wire_string(in);
    uint32_t code = stoic_wire_u32(in);
    const char *place = stoic_wire_string(in), *message = stoic_wire_string(in);
    char who[sizeof out->place];
    snprintf(who, sizeof who, "rank %d on %s", rank, host);
    (void)stoic_fail(out, code ? (stoic_status)code : STOIC_ERR_INTERNAL, who, "%s%s%s", place,
                     *place ? ": " : "", message);
}
