/* The codes of a stored tensor in their order, as signed bytes. */
#include "runtime/stored.h"

#include <math.h>
#include <string.h>

bool stoic_stored_is_integer(const stoic_stored *s) {
    const stoic_stw_tensor *t = s->record;
    return t->packed && t->bits <= 8 && t->format >= STOIC_FORMAT_FIXED;
}

static bool is_signed(const stoic_stw_tensor *t) {
    return t->format != STOIC_FORMAT_AFFINE;
}

/* What is exclusive-or'ed to a code so that, as a signed byte, it is the number less offset_of().
 */
static uint8_t flip_of(const stoic_stw_tensor *t) {
    if (is_signed(t))
        return t->bits == 8 ? 0 : (uint8_t)(1u << (t->bits - 1));
    return t->bits == 8 ? 128 : 0;
}

static int offset_of(const stoic_stw_tensor *t) {
    if (is_signed(t))
        return t->bits == 8 ? 0 : -(1 << (t->bits - 1));
    return t->bits == 8 ? 128 : 0;
}

double stoic_stored_step(const stoic_stored *s, int64_t channel, double *shift) {
    const stoic_stw_tensor *t = s->record;
    const stoic_stw_grid *grid = &s->grids[t->channels > 1 ? channel : 0];
    double step = grid->step;
    if (t->format == STOIC_FORMAT_FIXED)
        step = 1.0 / (double)(UINT32_C(1) << t->fraction);
    *shift = offset_of(t) - grid->zero;
    return step / (t->divides ? (double)grid->scale : 1.0);
}

void stoic_code_reader_begin(stoic_code_reader *r, const stoic_store_kernels *kernels,
                             const stoic_byte_kernels *bytes, stoic_stored *from) {
    double shift;
    r->kernels = kernels;
    r->bytes = bytes;
    r->from = from;
    r->next = 0;
    r->at = r->have = 0;
    r->flip = flip_of(from->record);
    stoic_stored_step(from, 0, &shift);
    r->lost = (int8_t)(shift > -127 && shift < 127 ? -(int)rint(shift) : 0);
    from->told = (stoic_reading){0};
}

/* n weights from the next on, whole words or the last, at most a stretch. A weight that is lost
 * becomes the code nearest to zero. */
static void take(stoic_code_reader *r, int n, int8_t *weights) {
    stoic_stored *s = r->from;
    bool lost[STOIC_BYTE_STRETCH];
    const bool zero = s->record->due == 1; /* STOIC_DUE_ZERO */
    const int64_t before = s->told.detected;
    uint8_t *codes = (uint8_t *)weights;
    stoic_packed_prefetch(&s->packed, r->next, n);
    stoic_packed_bytes(r->kernels, r->bytes, &s->packed, r->next, n, codes, &s->told,
                       zero ? lost : NULL);
    const uint8_t flip = r->flip; /* bytes may be anything, also the reader's */
    for (int i = 0; flip && i < n; i++)
        codes[i] ^= flip;
    for (int i = 0; zero && s->told.detected > before && i < n; i++)
        weights[i] = lost[i] ? r->lost : weights[i];
    r->next += n;
}

void stoic_code_reader_seek(stoic_code_reader *r, int64_t first) {
    r->next = first;
    r->at = r->have = 0;
}

void stoic_code_reader_next(stoic_code_reader *r, int64_t n, int8_t *weights) {
    const int64_t per = r->from->packed.words.weights;
    const int64_t stretch = STOIC_BYTE_STRETCH / per * per;
    while (n > 0) {
        const int64_t left = r->from->packed.weights - r->next;
        int64_t m = r->have - r->at < n ? r->have - r->at : n;
        if (m > 0) {
            memcpy(weights, r->buffer + r->at, (size_t)m);
            r->at += (int)m;
        } else {
            m = n < stretch ? n : stretch;
            m -= m < left ? m % per : 0;
            if (m > 0) {
                take(r, (int)m, weights);
            } else {
                r->have = (int)(per < left ? per : left);
                r->at = 0;
                take(r, r->have, r->buffer);
            }
        }
        weights += m;
        n -= m;
    }
}
