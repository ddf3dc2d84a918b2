/*
 * Stores: how weights lie in fault-prone memory. A store is format x scale x code.
 *
 * encode -> bits -> (faults) -> decode -> changed weights. Faults may hit every stored bit,
 * redundancy included. The inference engine sees a fault only as a list of edits.
 * This version knows the format fp32 without code; the interface is that of all.
 *
 * Thread-safety: a store is immutable after creation and may be shared.
 * Source: weight scaling (paper 1), FORTUNE (paper 3).
 */
#ifndef STOIC_STORE_H
#define STOIC_STORE_H

#include "stoic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One weight that differs from the model: element `index` (flat, as the ONNX file stores it) of
 * the constant with value number `tensor` becomes `value`. */
typedef struct stoic_edit {
    int32_t tensor;
    float value;
    int64_t index;
} stoic_edit;

typedef enum stoic_role { STOIC_ROLE_WEIGHT, STOIC_ROLE_BIAS, STOIC_ROLE_BN } stoic_role;
STOIC_API const char *stoic_role_name(stoic_role role); /* "weight", "bias", "bn" */

/* A tensor that lies in the store. Entries stand in the order of the layers, a layer's weight
 * before its bias, batch-normalisation tensors last. */
typedef struct stoic_store_entry {
    int tensor; /* value number in the model */
    int layer;  /* number of the layer, -1 for batch normalisation */
    stoic_role role;
    const char *name; /* the initialiser's name; lives as long as the store */
    stoic_shape shape;
    int64_t words;     /* stored words: one a weight, without code */
    int word_bits;     /* stored bits a word */
    int64_t first_bit; /* position of its first bit among all stored bits */
} stoic_store_entry;

typedef struct stoic_store stoic_store;

/* Spec: docs/fault-models.md; NULL or "" is "fp32". Fails with STOIC_ERR_ARGUMENT or _UNSUPPORTED
 * (says which format, scale or code). Keeps a reference to the model. */
STOIC_API stoic_status stoic_store_create(const stoic_model *model, const char *spec,
                                          stoic_store **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_store_free(stoic_store *store);

STOIC_API int stoic_store_entry_count(const stoic_store *store);
STOIC_API const stoic_store_entry *stoic_store_entry_at(const stoic_store *store, int entry);
STOIC_API int64_t stoic_store_total_bits(const stoic_store *store);
STOIC_API int64_t stoic_store_side_bits(const stoic_store *store);
/* The spec in one canonical spelling; lives as long as the store. */
STOIC_API const char *stoic_store_text(const stoic_store *store);

/* What one word holds: named fields of a format. Bit 0 is the least significant. */
typedef enum stoic_bit_role { STOIC_BIT_DATA, STOIC_BIT_COPY, STOIC_BIT_PARITY } stoic_bit_role;
STOIC_API const char *stoic_bit_role_name(stoic_bit_role role);
STOIC_API stoic_bit_role stoic_store_bit_role(const stoic_store *store, int entry, int bit);
/* "sign", "exponent", "mantissa" … of one bit of a word. */
STOIC_API const char *stoic_store_bit_field(const stoic_store *store, int entry, int bit);

/* Parses a field or list ("exponent", "exponent-msb", "30+23-26", "all") into a mask of word bits;
 * bits the store protects are never set. */
STOIC_API stoic_status stoic_store_bits(const stoic_store *store, int entry, const char *field,
                                        uint64_t *mask, stoic_error *err) STOIC_MUST_CHECK;

/* One corruption of stored bits. */
typedef enum stoic_action { STOIC_FLIP, STOIC_SET_0, STOIC_SET_1, STOIC_SET_WORD } stoic_action;
/* "flip", "stuck0", "stuck1", "word" */
STOIC_API const char *stoic_action_name(stoic_action action);

typedef struct stoic_hit {
    int32_t entry;
    int32_t bit; /* -1: the whole word (STOIC_SET_WORD) */
    int64_t word;
    stoic_action action;
    uint64_t pattern; /* STOIC_SET_WORD: the new bits of the word */
} stoic_hit;

/* The word's stored bits without fault. */
STOIC_API uint64_t stoic_store_word(const stoic_store *store, int entry, int64_t word);
/* The weight that word decodes to, and its flat index. */
STOIC_API float stoic_store_weight(const stoic_store *store, int entry, int64_t word, uint64_t bits,
                                   int64_t *index);

/* All weights of an entry as the store gives them back without faults, in the order the ONNX file
 * stores them. Fails with STOIC_ERR_ARGUMENT for an entry that does not exist. */
STOIC_API stoic_status stoic_store_decode(const stoic_store *store, int entry, float *weights,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* Applies all hits (in order; several may hit one word) and decodes the words that changed.
 * Writes at most *n_edits entries to `edits`; on return *n_edits is the number needed; with
 * STOIC_ERR_MEMORY when there was no room. Edits are sorted by (tensor, index), one per weight,
 * and weights whose bits did not change are left out. */
STOIC_API stoic_status stoic_store_apply(const stoic_store *store, const stoic_hit *hits,
                                         size_t n_hits, stoic_edit *edits, size_t *n_edits,
                                         stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
