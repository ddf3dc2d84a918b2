/* Words of one weight and at most 8 bits, opened in registers of 64 bytes (VBMI). Included by files
 * that are compiled for it. */
#ifndef STOIC_RUNTIME_OPENING_H
#define STOIC_RUNTIME_OPENING_H

#include <immintrin.h>

#include "runtime/words.h"

/* What opening takes. */
typedef struct stoic_opening {
    __m512i pick, shift, top, rest;
    __m128i once, twice;
} stoic_opening;

/* A byte for each of 64 codes: eight codes of a lane begin `first` bits from its first byte, which
 * is word->word bytes from that of the lane before. */
static inline stoic_opening stoic_opening_of(const stoic_words *w, int first) {
    const __m512i in_lane = _mm512_set1_epi64(INT64_C(0x0706050403020100));
    const __m512i lane = _mm512_set_epi64(INT64_C(0x0707070707070707), INT64_C(0x0606060606060606),
                                          INT64_C(0x0505050505050505), INT64_C(0x0404040404040404),
                                          INT64_C(0x0303030303030303), INT64_C(0x0202020202020202),
                                          INT64_C(0x0101010101010101), 0);
    /* products stay below 256: two bytes are multiplied at once */
    const __m512i by = _mm512_set1_epi16((short)w->word);
    const int rest = w->data - w->copied;
    return (stoic_opening){
        .pick = _mm512_add_epi8(_mm512_mullo_epi16(lane, by), in_lane),
        .shift = _mm512_add_epi8(_mm512_mullo_epi16(in_lane, by), _mm512_set1_epi8((char)first)),
        .rest = _mm512_set1_epi8((char)((1u << rest) - 1)),
        .top = _mm512_set1_epi8((char)(((1u << w->copied) - 1) << rest)),
        .once = _mm_cvtsi32_si128(w->copied),
        .twice = _mm_cvtsi32_si128(2 * w->copied)};
}

/* 64 words whose first begins `shift` bits from the first byte of x; what stands above a code is
 * left. *odd: bits of `top` in those whose copies are not alike, and others. */
static inline __m512i stoic_open_some(const stoic_opening *o, __m512i shift, __m512i x,
                                      __m512i *odd) {
    const __m512i a = _mm512_multishift_epi64_epi8(shift, _mm512_permutexvar_epi8(o->pick, x));
    const __m512i b = _mm512_srl_epi64(a, o->once), c = _mm512_srl_epi64(a, o->twice);
    *odd = _mm512_ternarylogic_epi64(a, b, c, 0x7e);
    /* where `top`, the majority, else a */
    return _mm512_ternarylogic_epi64(o->top, _mm512_ternarylogic_epi64(a, b, c, 0xe8), a, 0xca);
}

/* The codes alone. */
static inline __m512i stoic_open_64(const stoic_opening *o, __m512i x, __m512i *odd) {
    return _mm512_and_si512(stoic_open_some(o, o->shift, x, odd), _mm512_or_si512(o->top, o->rest));
}

#endif
