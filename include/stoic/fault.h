/*
 * Fault models: reproducible distributions over faults.
 *
 * A fault model is parsed from a spec (docs/fault-models.md) and bound to a store, whose
 * stored bits are its space. Drawing trial t depends on the seed and t alone (Philox), so
 * any trial can be replayed alone. Uniform over the fault space unless a layer is chosen.
 *
 * Single-site trials (flips:1; stuck0, stuck1, set, zero, mbu with n=1) draw without replacement
 * across trials by a keyed permutation of their space (docs/fault-models.md). random with n=1 takes
 * every weight once, then again in another order: its trials have no limit.
 *
 * Two models with the same seed share their random numbers (trial t of flips:1 and of stuck0 hit
 * the same bit). A campaign that draws from several gives each a seed of its own.
 *
 * Thread-safety: immutable after creation, may be shared.
 */
#ifndef STOIC_FAULT_H
#define STOIC_FAULT_H

#include "stoic/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, argument, summary) */
#define STOIC_FAULT_LIST(X)                                                                        \
    X(STOIC_FAULT_FLIPS, "flips", "N",                                                             \
      "N distinct stored weights, one uniform bit of each flipped")                                \
    X(STOIC_FAULT_BER, "ber", "P[:P10]", "each stored bit flipped with probability P")             \
    X(STOIC_FAULT_EXHAUSTIVE, "exhaustive", "", "one stored bit; every selected bit is a trial")   \
    X(STOIC_FAULT_STUCK0, "stuck0", "", "n= bits forced to 0")                                     \
    X(STOIC_FAULT_STUCK1, "stuck1", "", "n= bits forced to 1")                                     \
    X(STOIC_FAULT_SET, "set", "V", "n= weights replaced by the value V")                           \
    X(STOIC_FAULT_RANDOM, "random", "", "n= weights replaced by a uniform bit pattern")            \
    X(STOIC_FAULT_ZERO, "zero", "", "n= weights replaced by zero")                                 \
    X(STOIC_FAULT_MBU, "mbu", "K", "K adjacent bits of one word; distance= for interleaving")      \
    X(STOIC_FAULT_CSV, "list", "FILE.csv",                                                         \
      "the sites a file lists: columns layer,index,bit[,trial]")

#define STOIC_FAULT_ENUM(enumerator, name, argument, summary) enumerator,
typedef enum stoic_fault_kind { STOIC_FAULT_LIST(STOIC_FAULT_ENUM) } stoic_fault_kind;
#undef STOIC_FAULT_ENUM

typedef struct stoic_fault stoic_fault;

/* Parses and binds. Fails with STOIC_ERR_ARGUMENT (names the key), _UNSUPPORTED, _IO/_FORMAT
 * (list:). Keeps a reference to the store, which must outlive it. */
STOIC_API stoic_status stoic_fault_create(const stoic_store *store, const char *spec, uint64_t seed,
                                          stoic_fault **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_fault_free(stoic_fault *fault);

STOIC_API stoic_fault_kind stoic_fault_kind_of(const stoic_fault *fault);
/* The spec in one canonical spelling, defaults written out; lives as long as the fault. */
STOIC_API const char *stoic_fault_text(const stoic_fault *fault);

/* Number of different single-site faults (selected weights x selected bits); for models whose
 * trials hit several sites the number of stored bits selected. Saturates. */
STOIC_API int64_t stoic_fault_population(const stoic_fault *fault);
/* Number of trials there are when the model fixes it (exhaustive, list), and the largest number
 * that can be drawn without replacement; -1: no limit. */
STOIC_API int64_t stoic_fault_trials(const stoic_fault *fault);
STOIC_API int64_t stoic_fault_max_trials(const stoic_fault *fault);
/* Do sites follow from the trial number alone, so that they need not be stored (exhaustive)? */
STOIC_API bool stoic_fault_is_ordered(const stoic_fault *fault);

/* A growable list of hits; start from {0}, release with stoic_hits_deinit(). */
typedef struct stoic_hits {
    stoic_hit *items;
    size_t count, capacity;
} stoic_hits;
STOIC_API void stoic_hits_deinit(stoic_hits *hits);

/* The sites of one trial, in a fixed order. Replaces what `hits` held. */
STOIC_API stoic_status stoic_fault_draw(const stoic_fault *fault, int64_t trial, stoic_hits *hits,
                                        stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
