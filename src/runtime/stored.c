#include "runtime/stored.h"

#include <math.h>
#include <string.h>

void stoic_stored_bind(const stoic_stw *file, uint32_t tensor, const uint8_t *words,
                       const stoic_code_tables *tables, stoic_stored *out) {
    const stoic_stw_tensor *t = &file->tensors[tensor];
    *out = (stoic_stored){.record = t};
    if (!t->packed) {
        out->plain = (const void *)(file->bytes + t->at);
        return;
    }
    stoic_stw_words(t, &out->packed.words);
    if (t->code == STOIC_STW_PARITY64)
        out->packed.words.pairs = tables->pairs;
    else if (t->code >= STOIC_STW_SECDED72)
        out->packed.words.secded = &tables->secded[t->code - STOIC_STW_SECDED72];
    out->packed.image = (const void *)(words + (t->at - file->head->words_at));
    out->packed.side_bytes = t->side_at ? file->bytes + t->side_at : NULL;
    out->packed.weights = (int64_t)t->weights;
    out->grids = (const void *)(file->bytes + t->grids_at);
    out->aside = (const void *)(file->bytes + t->sparse_at);
}

/* From weight `first` on: how many have the same grid. */
static int same_grid(const stoic_stw_tensor *t, int64_t first, int n) {
    const int64_t inner = (int64_t)t->inner;
    if (t->channels > 1 && inner - first % inner < n)
        return (int)(inner - first % inner);
    return n;
}

static stoic_value_rule rule_of(const stoic_stored *s, int64_t index) {
    const stoic_stw_tensor *t = s->record;
    const stoic_stw_grid *grid =
        &s->grids[t->channels > 1 ? index / (int64_t)t->inner % (int64_t)t->channels : 0];
    stoic_value_rule rule = {.kind = (stoic_format_kind)t->format,
                             .bits = (int)t->bits,
                             .is_signed = t->format != STOIC_FORMAT_AFFINE,
                             .step = grid->step,
                             .zero = grid->zero,
                             .scale = t->divides ? (double)grid->scale : 1.0};
    if (t->format == STOIC_FORMAT_FIXED)
        rule.step = 1.0 / (double)(UINT32_C(1) << t->fraction);
    return rule;
}

/* Position of the first weight kept aside that is not below `index`. */
static uint64_t aside_from(const stoic_stored *s, uint64_t index) {
    uint64_t low = 0, high = s->record->n_sparse;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (s->aside[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Puts weights kept aside where they belong. */
static void restore_aside(const stoic_stored *s, int64_t first, int n, float *weights) {
    if (s->record->n_sparse == 0)
        return;
    for (uint64_t i = aside_from(s, (uint64_t)first);
         i < s->record->n_sparse && s->aside[i].index < (uint64_t)(first + n); i++)
        memcpy(&weights[s->aside[i].index - (uint64_t)first], &s->aside[i].value, sizeof *weights);
}

/* n weights from `first` on, at most a stretch. */
static void decode(const stoic_reader *reader, int64_t first, int n, float *weights) {
    const stoic_store_kernels *k = reader->kernels;
    stoic_stored *s = reader->from;
    uint32_t codes[STOIC_BULK_STRETCH + STOIC_BULK_ROOM];
    bool lost[STOIC_BULK_STRETCH];
    const bool zero = s->record->due == 1; /* STOIC_DUE_ZERO */
    const int64_t before = s->told.detected;
    stoic_packed_codes(k, &s->packed, first, n, codes, &s->told, zero ? lost : NULL);
    if (reader->codes_by_table)
        k->look_up(reader->table, codes, n, weights);
    for (int done = 0; !reader->codes_by_table && done < n;) {
        stoic_value_rule rule = rule_of(s, first + done);
        int m = same_grid(s->record, first + done, n - done);
        k->decode(&rule, codes + done, m, weights + done);
        done += m;
    }
    for (int i = 0; zero && s->told.detected > before && i < n; i++)
        weights[i] = lost[i] ? 0 : weights[i];
    restore_aside(s, first, n, weights);
}

/* The same where codes are bytes. */
static void decode_bytes(const stoic_reader *reader, int64_t first, int n, float *weights) {
    stoic_stored *s = reader->from;
    uint8_t codes[STOIC_BYTE_STRETCH];
    bool lost[STOIC_BYTE_STRETCH];
    const bool zero = s->record->due == 1; /* STOIC_DUE_ZERO */
    const int64_t before = s->told.detected;
    const uint8_t *as_they_are = stoic_packed_as_bytes(&s->packed);
    stoic_packed_prefetch(&s->packed, first, n);
    if (as_they_are) {
        reader->bytes->widen(&reader->rule, as_they_are + first, n, weights);
        restore_aside(s, first, n, weights);
        return;
    }
    stoic_packed_bytes(reader->kernels, reader->bytes, &s->packed, first, n, codes, &s->told,
                       zero ? lost : NULL);
    reader->bytes->widen(&reader->rule, codes, n, weights);
    for (int i = 0; zero && s->told.detected > before && i < n; i++)
        weights[i] = lost[i] ? 0 : weights[i];
    restore_aside(s, first, n, weights);
}

/* A power of two of which `most` is less than 2^23 times; 0: there is none in float's range. */
static double grain_of(double most) {
    uint64_t bits;
    if (!(most > 1e-25 && most < 1e35))
        return 0;
    memcpy(&bits, &most, sizeof bits);
    bits = ((bits >> 52) - 22) << 52;
    memcpy(&most, &bits, sizeof most);
    return most;
}

/* Constants for bytes.h: `step` and `shift` on a grid, and what is missing. */
static void split_rule(stoic_byte_rule *out, double step, double shift, double grain) {
    const double high = rint(step / grain) * grain, near = rint(shift / grain) * grain;
    out->high = (float)high;
    out->shift = (float)near;
    out->low = (float)(step - high);
    out->rest = (float)(shift - near);
}

/* The k-th way to split a rule: grids ever coarser, and then 0, 1, -1, 2, -2 ... more of the last
 * places of `rest`. */
static void split_somehow(stoic_byte_rule *out, double step, double shift, double grain, int k) {
    enum { GRAINS = 6 };
    const int more = k / GRAINS;
    split_rule(out, step, shift, ldexp(grain, k % GRAINS));
    out->rest += (float)(more % 2 ? (more + 1) / 2 : -more / 2) * 0x1p-23f * fabsf(out->rest);
}

/* The linear form of a rule, if it is the table to the bit: a sum so near the middle of two floats
 * that what it has lost matters comes out right in another way to split it. *way: the one that was
 * right the last time, and is tried first. */
static void straighten(const stoic_byte_kernels *kernels, stoic_byte_rule *out, double step,
                       double zero, uint8_t *way) {
    enum { WAYS = 240 };
    const int n = 1 << out->bits, half = out->flip == 128 ? 0 : out->flip;
    const double shift = -(zero + half) * step, far = (n - zero) * step;
    const double grain = grain_of(fabs(shift) > fabs(far) ? fabs(shift) : fabs(far));
    uint8_t codes[256];
    float found[256];
    for (int i = 0; i < n; i++)
        codes[i] = (uint8_t)i;
    out->linear = grain > 0;
    for (; out->linear && *way < WAYS; ++*way) {
        split_somehow(out, step, shift, grain, *way);
        kernels->widen(out, codes, n, found);
        if (memcmp(found, out->table, (size_t)n * sizeof *found) == 0)
            return;
    }
    out->linear = false;
}

/* What each code is worth, as decode() has it. */
static bool fill_rule(stoic_reader *reader, stoic_stored *s) {
    stoic_byte_rule *out = &reader->rule;
    uint32_t codes[256];
    if (s->plain || s->record->channels > 1 || !stoic_packed_is_short(&s->packed))
        return false;
    const stoic_value_rule rule = rule_of(s, 0);
    const int n = 1 << rule.bits;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < n; i++)
        codes[i] = (uint32_t)i;
    reader->kernels->decode(&rule, codes, n, out->table);
    out->bits = rule.bits;
    out->flip = rule.is_signed ? (uint8_t)(n / 2) : 0;
    straighten(reader->bytes, out, rule.step / rule.scale, rule.zero, &s->way);
    return true;
}

/* With one grid, short words of one weight are decoded once and then looked up; of others, their
 * codes. */
static void fill_table(stoic_reader *reader, const stoic_stored *s) {
    const stoic_words *w = &s->packed.words;
    const bool narrow = !s->plain && stoic_packed_is_narrow(&s->packed);
    const int bits = narrow ? w->word : w->data;
    const int n = bits <= STOIC_TABLE_BITS ? 1 << bits : 0;
    uint32_t codes[1 << STOIC_TABLE_BITS];
    reader->words_by_table = reader->codes_by_table = false;
    if (reader->by_bytes || s->plain || s->record->channels > 1 || n == 0 ||
        s->packed.weights < 4 * n)
        return;
    const stoic_value_rule rule = rule_of(s, 0);
    for (int i = 0; i < n; i++)
        codes[i] = (uint32_t)i;
    if (narrow && w->copied)
        reader->kernels->vote(codes, n, w->data, w->copied);
    reader->kernels->decode(&rule, codes, n, reader->table);
    reader->words_by_table = narrow;
    reader->codes_by_table = !narrow;
}

/* What is decoded by table, in whatever length. */
static void look_up(const stoic_reader *reader, stoic_stored *s, int64_t first, int n,
                    float *weights) {
    const stoic_words *w = &s->packed.words;
    uint32_t words[STOIC_BULK_STRETCH + STOIC_BULK_ROOM];
    reader->kernels->bits->unpack(s->packed.image, first * w->word, w->word, n, words);
    if (w->copied)
        s->told.corrected += reader->kernels->differing(words, n, w->data, w->copied);
    reader->kernels->look_up(reader->table, words, n, weights);
    restore_aside(s, first, n, weights);
}

void stoic_reader_begin(stoic_reader *reader, const stoic_store_kernels *kernels,
                        const stoic_byte_kernels *bytes, stoic_stored *from) {
    reader->kernels = kernels;
    reader->bytes = bytes;
    reader->from = from;
    reader->next = 0;
    reader->at = reader->have = 0;
    reader->by_bytes = fill_rule(reader, from);
    reader->by_codes =
        reader->by_bytes && from->record->n_sparse == 0 && from->record->due != 1; /* zero */
    fill_table(reader, from);
    from->told = (stoic_reading){0};
}

void stoic_reader_seek(stoic_reader *reader, int64_t first) {
    reader->next = first;
    reader->at = reader->have = 0;
}

/* The next n weights: whole words, or the last. */
static void take(stoic_reader *s, int n, float *weights) {
    if (s->by_bytes)
        decode_bytes(s, s->next, n, weights);
    else if (s->words_by_table)
        look_up(s, s->from, s->next, n, weights);
    else
        decode(s, s->next, n, weights);
    s->next += n;
}

/* The same of their codes. */
static void take_codes(stoic_reader *s, int n, uint8_t *codes) {
    const stoic_packed *p = &s->from->packed;
    stoic_packed_prefetch(p, s->next, n);
    stoic_packed_bytes(s->kernels, s->bytes, p, s->next, n, codes, &s->from->told, NULL);
    s->next += n;
}

/* Of the next n weights, what can be taken at once in whole words. */
static int direct_part(const stoic_reader *s, int64_t n) {
    const int64_t per = s->from->packed.words.weights, left = s->from->packed.weights - s->next;
    const int64_t stretch = (s->by_bytes ? STOIC_BYTE_STRETCH : STOIC_BULK_STRETCH) / per * per;
    const int64_t m = n < stretch ? n : stretch;
    return (int)(m < left ? m - m % per : m);
}

/* The next word, to be given out in parts. */
static void keep_word(stoic_reader *s) {
    const stoic_packed *p = &s->from->packed;
    const int64_t left = p->weights - s->next;
    s->have = p->words.weights < left ? p->words.weights : (int)left;
    s->at = 0;
    if (s->by_codes)
        take_codes(s, s->have, s->kept);
    else
        take(s, s->have, s->buffer);
}

void stoic_reader_next(stoic_reader *s, int64_t n, float *weights) {
    if (s->from->plain) {
        memcpy(weights, s->from->plain + s->next, (size_t)n * sizeof *weights);
        s->next += n;
        return;
    }
    for (int m; n > 0; n -= m, weights += m) {
        m = s->have - s->at < n ? s->have - s->at : (int)n;
        if (m > 0) {
            if (s->by_codes)
                s->bytes->widen(&s->rule, s->kept + s->at, m, weights);
            else
                memcpy(weights, s->buffer + s->at, (size_t)m * sizeof *weights);
            s->at += m;
        } else if ((m = direct_part(s, n)) > 0) {
            take(s, m, weights);
        } else {
            keep_word(s);
        }
    }
}

bool stoic_reader_codes(stoic_reader *s, int64_t n, uint8_t *codes) {
    if (!s->by_codes)
        return false;
    for (int m; n > 0; n -= m, codes += m) {
        m = s->have - s->at < n ? s->have - s->at : (int)n;
        if (m > 0) {
            memcpy(codes, s->kept + s->at, (size_t)m);
            s->at += m;
        } else if ((m = direct_part(s, n)) > 0) {
            take_codes(s, m, codes);
        } else {
            keep_word(s);
        }
    }
    return true;
}

void stoic_stored_scrub(stoic_stored *stored, uint64_t *image) {
    const stoic_packed *p = &stored->packed;
    const int64_t words = stoic_packed_count(p);
    const int bits = p->words.word;
    for (int64_t i = 0; i < words; i++) {
        stoic_word word = stoic_image_get(image, i * bits, bits);
        stoic_verdict verdict =
            stoic_words_mend(&p->words, &word, stoic_packed_side(p, i), stoic_packed_held(p, i));
        stored->told.corrected += verdict == STOIC_WORD_CORRECTED;
        stored->told.detected += verdict == STOIC_WORD_DETECTED;
        if (verdict == STOIC_WORD_CORRECTED)
            stoic_image_replace(image, i * bits, bits, &word);
    }
}
