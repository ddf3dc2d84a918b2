/* Worker threads, and what this process may use of the machine. */
#ifndef STOIC_BASE_POOL_H
#define STOIC_BASE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stoic/status.h"

/* Asks workers to stop at their next check. Zero-initialised: not asked. Setting it is
 * async-signal-safe. */
typedef struct stoic_cancel {
    atomic_bool requested;
} stoic_cancel;

static inline void stoic_cancel_set(stoic_cancel *cancel) {
    atomic_store_explicit(&cancel->requested, true, memory_order_release);
}

/* NULL: there is nobody who could ask. */
static inline bool stoic_cancel_test(const stoic_cancel *cancel) {
    return cancel && atomic_load_explicit(&cancel->requested, memory_order_acquire);
}

/* Does a flag of the caller's say to stop? A signal handler or another thread may set it meanwhile,
 * so it is read as an atomic, which the public headers cannot name for C++. */
static inline bool stoic_stop_asked(const volatile int *flag) {
    return flag && __atomic_load_n(flag, __ATOMIC_RELAXED);
}

/* Calls fn(worker, user) for worker = 0 … threads-1, each in a thread of its own, and returns
 * when all have returned. Either every worker runs or none does (STOIC_ERR_MEMORY: the system
 * gives no more threads; STOIC_ERR_ARGUMENT: threads outside 1 … 4096). Workers take no signals:
 * handlers run in the caller's thread. */
stoic_status stoic_pool_run(int threads, void (*fn)(int worker, void *user), void *user,
                            stoic_error *err) STOIC_MUST_CHECK;

/* Processors this process may use: its affinity mask and the quota of its control groups. */
int stoic_cpu_count(void);

/* Which of our sets of vector kernels this processor can run: 1 portable, 2 and AVX2, 3 and
 * AVX-512. */
int stoic_cpu_levels(void);
/* AVX-512 with VBMI, GFNI and VNNI, for loops over bytes? */
bool stoic_cpu_permutes_bytes(void);

/* Bytes this process could allocate without swapping: MemAvailable and the limits of its
 * control groups. 0 where the system does not say. */
int64_t stoic_memory_available(void);

#endif
