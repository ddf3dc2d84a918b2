/* Faults in the live store of a protected weight file. */
#include "infer/infer_inside.h"

uint8_t *stoic_infer_words(stoic_infer *infer) {
    return infer->bytes + infer->facts.words_at;
}

/* Where stored bit `number` of a tensor lies among its words; -1 where no fault may hit it. What is
 * missing from the last word is not stored. */
static int64_t place_of(const stoic_stw_tensor *t, const stoic_words *w, int64_t number) {
    const int64_t stored = (int64_t)w->weights * w->data + w->redundant;
    const int64_t word = number / stored;
    int64_t bit = number % stored, held = (int64_t)t->weights - word * w->weights;
    held = held < w->weights ? held : w->weights;
    if (bit >= held * w->data)
        bit += (w->weights - held) * w->data;
    const int64_t all = (int64_t)w->weights * w->data;
    const int64_t inside = bit < all ? bit % w->data : w->data + bit - all;
    if (t->protect[inside / 64] >> inside % 64 & 1)
        return -1;
    return word * w->word + bit;
}

int64_t stoic_infer_strike(stoic_infer *infer, double ber, uint64_t seed) {
    stoic_rng rng;
    int64_t flips = 0;
    uint8_t *words = stoic_infer_words(infer);
    stoic_rng_init(&rng, seed, infer->strikes++, STOIC_STREAM_SITE);
    uint64_t gap =
        stoic_rng_geometric(&rng, ber); /* bits that stay, up to the next that does not */
    for (uint32_t i = 0; i < infer->file.head->n_tensors; i++) {
        const stoic_stw_tensor *t = &infer->file.tensors[i];
        stoic_words w;
        if (!t->packed || !stoic_stw_words(t, &w))
            continue;
        uint8_t *image = words + (t->at - infer->file.head->words_at);
        uint64_t number = 0;
        for (; gap < t->stored_bits - number; gap = stoic_rng_geometric(&rng, ber)) {
            const int64_t at = place_of(t, &w, (int64_t)(number += gap));
            number++;
            if (at < 0)
                continue;
            image[at / 8] ^= (uint8_t)(1u << at % 8);
            flips++;
        }
        gap -= t->stored_bits - number;
    }
    return flips;
}
