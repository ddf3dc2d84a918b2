/*
 * Stores: how weights lie in fault-prone memory. A store is format x scale x code.
 *
 * encode -> bits -> (faults) -> decode -> changed weights. Faults may hit every stored bit,
 * redundancy included. The inference engine sees a fault only as a list of edits. Layers may have
 * formats, scales and codes of their own: "affine:5,code=msb3/0=affine:8".
 *
 * A format turns a weight into its data bits; a code puts the data of one weight or of several into
 * a word and adds redundancy. A word's data bits stand weight after weight from bit 0 on, its
 * redundancy above them. The last word of a tensor may hold fewer weights than the others: the
 * places that are left are zero, no fault hits them and they are in no total.
 *
 * Thread-safety: a store is immutable after creation and may be shared.
 * Source: weight scaling (paper 1), FORTUNE (paper 3); docs/store-specs.md.
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
    int64_t weights;
    int64_t words;
    int word_weights;    /* weights a word, the last one may hold fewer */
    int word_bits;       /* bits a full word, redundancy included */
    int64_t stored_bits; /* that faults may hit, protected ones included */
    int64_t first_bit;   /* position of its first bit among all stored bits */
} stoic_store_entry;

typedef struct stoic_store stoic_store;

/* Spec: docs/store-specs.md; NULL or "" is "fp32". Fails with STOIC_ERR_ARGUMENT (says which part
 * means nothing, and why) or STOIC_ERR_NUMERIC (names the tensor whose weights the format cannot
 * hold). Keeps a reference to the model. */
STOIC_API stoic_status stoic_store_create(const stoic_model *model, const char *spec,
                                          stoic_store **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_store_free(stoic_store *store);

/* The formats, "fp32", "fixed:W:F" …; NULL behind the last. */
STOIC_API const char *stoic_store_format(size_t i);

STOIC_API int stoic_store_entry_count(const stoic_store *store);
STOIC_API const stoic_store_entry *stoic_store_entry_at(const stoic_store *store, int entry);
/* The spec in one canonical spelling; lives as long as the store. */
STOIC_API const char *stoic_store_text(const stoic_store *store);
/* How an entry lies in it: the part of the spec that holds for its layer. */
STOIC_API const char *stoic_store_entry_text(const stoic_store *store, int entry);

/* What the store costs and what it did to the weights. */
typedef struct stoic_store_facts {
    int64_t weights;
    int64_t total_bits;    /* stored bits, redundancy included, padding left out */
    int64_t padding_bits;  /* what words of full length would hold besides */
    int64_t side_bits;     /* scales, zero points, position lists: taken to be free of faults */
    int64_t clamped;       /* weights held below 2, or inside what a code can hold */
    int64_t outside;       /* weights beyond the format: infinite, wrapped around or saturated */
    int64_t sparse;        /* weights kept aside */
    int corrects, detects; /* wrong bits of any word: always repaired; always noticed */
    const char *repairs;   /* the same in words */
} stoic_store_facts;
STOIC_API void stoic_store_describe(const stoic_store *store, stoic_store_facts *out);
STOIC_API int64_t stoic_store_total_bits(const stoic_store *store);
STOIC_API int64_t stoic_store_side_bits(const stoic_store *store);
/* Of the side bits: positions and values of weights kept aside, `sparse` of the facts. */
STOIC_API int64_t stoic_store_aside_bits(const stoic_store *store);

/* The model that inference runs: weights as the store gives them back, and what `rescale` adds.
 * Value numbers of the stored tensors are those of the model. The caller's own reference. Fails
 * with STOIC_ERR_UNSUPPORTED where `rescale` cannot be applied (names the node). */
STOIC_API stoic_status stoic_store_golden(const stoic_store *store, stoic_model **out,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* One stored word: at most 192 bits. */
enum { STOIC_WORD_PARTS = 3 };
typedef struct stoic_word {
    uint64_t part[STOIC_WORD_PARTS]; /* bit b is bit b % 64 of part b / 64 */
} stoic_word;

typedef enum stoic_bit_role { STOIC_BIT_DATA, STOIC_BIT_COPY, STOIC_BIT_PARITY } stoic_bit_role;
STOIC_API const char *stoic_bit_role_name(stoic_bit_role role);

/* What a bit of a word is. `bit` counts within the weight; redundancy goes on counting above the
 * data bits, and belongs to the word's first weight. */
typedef struct stoic_place {
    int64_t index; /* of the weight, flat */
    int bit;
    stoic_bit_role role;
    const char
        *field; /* "sign", "exponent", "mantissa", "integer", "fraction", "value", "parity" */
} stoic_place;
STOIC_API void stoic_store_place(const stoic_store *store, int entry, int64_t word, int bit,
                                 stoic_place *out);
/* The other way: where bit `bit` of weight `index` lies; -1 where there is no such bit. */
STOIC_API int stoic_store_find(const stoic_store *store, int entry, int64_t index, int bit,
                               int64_t *word);

/* A set of bits: those of a weight's data, then those of a word's redundancy. */
enum { STOIC_FIELD_PARTS = 3 };
typedef struct stoic_field {
    uint64_t bits[STOIC_FIELD_PARTS];
} stoic_field;

#define STOIC_FIELD_NAMES "all, data, sign, exponent, exponent-msb, mantissa, msb, redundancy"
/* Parses a field or list ("exponent", "exponent-msb", "30+23-26", "all") into a set of bits of an
 * entry's words; bits the store protects are never in it. */
STOIC_API stoic_status stoic_store_bits(const stoic_store *store, int entry, const char *field,
                                        stoic_field *out, stoic_error *err) STOIC_MUST_CHECK;

/* One corruption of stored bits. */
typedef enum stoic_action { STOIC_FLIP, STOIC_SET_0, STOIC_SET_1, STOIC_SET_WORD } stoic_action;
/* "flip", "stuck0", "stuck1", "word" */
STOIC_API const char *stoic_action_name(stoic_action action);

typedef struct stoic_hit {
    int32_t entry;
    int32_t bit; /* of the word; -1 - s: all data bits of the word's weight s (STOIC_SET_WORD) */
    int64_t word;
    stoic_action action;
    uint64_t pattern; /* STOIC_SET_WORD: the new data bits of the weight; check bits stay */
} stoic_hit;

/* A word's stored bits without fault. */
STOIC_API stoic_word stoic_store_word(const stoic_store *store, int entry, int64_t word);
/* The data bits of weight `index` as they lie in the store. */
STOIC_API uint64_t stoic_store_data(const stoic_store *store, int entry, int64_t index);

typedef enum stoic_verdict {
    STOIC_WORD_CLEAN,
    STOIC_WORD_CORRECTED,
    STOIC_WORD_DETECTED
} stoic_verdict;
/* The weights that a word with these bits decodes to, at most 32 of them; returns how many there
 * are. `verdict` may be NULL. */
enum { STOIC_WORD_WEIGHTS = 32 };
STOIC_API int stoic_store_weights(const stoic_store *store, int entry, int64_t word,
                                  const stoic_word *bits, float weights[STOIC_WORD_WEIGHTS],
                                  stoic_verdict *verdict);

/* All weights of an entry as the store gives them back without faults, in the order the ONNX file
 * stores them, decoded from the stored bits. Fails with STOIC_ERR_ARGUMENT for an entry that does
 * not exist. */
STOIC_API stoic_status stoic_store_decode(const stoic_store *store, int entry, float *weights,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* What decoding the hit words told. */
typedef struct stoic_decoded {
    int64_t corrected; /* words that the code repaired, or believes to have */
    int64_t detected;  /* words found wrong that it could not repair */
    bool due;          /* some were, and the store's policy is due=report */
} stoic_decoded;

/* Applies all hits (in order; several may hit one word) and decodes the words that changed.
 * Writes at most *n_edits entries to `edits`; on return *n_edits is the number needed; with
 * STOIC_ERR_MEMORY when there was no room. Edits are sorted by (tensor, index), one per weight,
 * and weights whose bits did not change are left out. `told` may be NULL. */
STOIC_API stoic_status stoic_store_apply(const stoic_store *store, const stoic_hit *hits,
                                         size_t n_hits, stoic_edit *edits, size_t *n_edits,
                                         stoic_decoded *told, stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
