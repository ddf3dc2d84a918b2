#include "exec/kernels.h"

#include "base/pool.h"
#include "exec/gradient_kernels.h"

extern const stoic_kernels stoic_kernels_portable;
extern const stoic_gradient_kernels stoic_gradient_kernels_portable;
#ifdef STOIC_X86
extern const stoic_kernels stoic_kernels_avx2, stoic_kernels_avx512;
extern const stoic_gradient_kernels stoic_gradient_kernels_avx2, stoic_gradient_kernels_avx512;
#endif

int stoic_kernels_all(const stoic_kernels *sets[3]) {
    sets[0] = &stoic_kernels_portable;
#ifdef STOIC_X86
    sets[1] = &stoic_kernels_avx2;
    sets[2] = &stoic_kernels_avx512;
#endif
    return stoic_cpu_levels();
}

const stoic_kernels *stoic_kernels_get(void) {
    const stoic_kernels *sets[3];
    return sets[stoic_kernels_all(sets) - 1];
}

int stoic_gradient_kernels_all(const stoic_gradient_kernels *sets[3]) {
    sets[0] = &stoic_gradient_kernels_portable;
#ifdef STOIC_X86
    sets[1] = &stoic_gradient_kernels_avx2;
    sets[2] = &stoic_gradient_kernels_avx512;
#endif
    return stoic_cpu_levels();
}

const stoic_gradient_kernels *stoic_gradient_kernels_get(void) {
    const stoic_gradient_kernels *sets[3];
    return sets[stoic_gradient_kernels_all(sets) - 1];
}
