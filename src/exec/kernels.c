#include "exec/kernels.h"

extern const stoic_kernels stoic_kernels_portable;
#ifdef STOIC_X86
extern const stoic_kernels stoic_kernels_avx2;
extern const stoic_kernels stoic_kernels_avx512;
#endif

int stoic_kernels_all(const stoic_kernels *sets[3]) {
    int n = 0;
    sets[n++] = &stoic_kernels_portable;
#ifdef STOIC_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        sets[n++] = &stoic_kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        sets[n++] = &stoic_kernels_avx512;
#endif
    return n;
}

const stoic_kernels *stoic_kernels_get(void) {
    const stoic_kernels *sets[3];
    return sets[stoic_kernels_all(sets) - 1];
}
