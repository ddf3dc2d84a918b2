/* What the tests of the kernels share. */
#ifndef STOIC_TEST_KERNEL_KIT_H
#define STOIC_TEST_KERNEL_KIT_H

#include "exec/kernels.h"
#include "exec_kit.h"

enum { MOST = 4096 };

static const stoic_kernels *sets[3];
static int n_sets;

static const float specials[] = {NAN,     INFINITY, -INFINITY, 0.0f,     -0.0f,  1e-45f, -1e-45f,
                                 1e-39f,  -3e-39f,  3.4e38f,   -3.4e38f, 1.0f,   -1.0f,  16.7f,
                                 -16.7f,  88.8f,    -88.8f,    104.5f,   -104.f, 1e-20f, 709.0f,
                                 -746.0f, 1e30f,    -1e30f,    0x1p-126f};
enum { SPECIALS = sizeof specials / sizeof *specials };

/* Random values; one in `rare` is special (0: none). */
static inline void fill(float *x, int64_t n, stoic_rng *rng, int rare) {
    for (int64_t i = 0; i < n; i++)
        x[i] = rare && kit_below(rng, rare) == 0 ? specials[kit_below(rng, SPECIALS)]
                                                 : kit_uniform(rng, -4, 4);
}

/* Bits equal, or both NaN; says where not. */
static inline bool same(const char *what, const char *isa, const float *found,
                        const float *expected, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!kit_same(found[i], expected[i])) {
            print_message("%s (%s), element %lld: %.9g (%08x), expected %.9g (%08x)\n", what, isa,
                          (long long)i, (double)found[i], kit_bits(found[i]), (double)expected[i],
                          kit_bits(expected[i]));
            return false;
        }
    }
    return true;
}

static inline void sets_init(void) {
    n_sets = stoic_kernels_all(sets);
    for (int i = 0; i < n_sets; i++)
        print_message("instruction set: %s\n", sets[i]->isa);
}

#endif
