/*
 * Faults in feature maps: values of one layer's output, multiplied, replaced, or with bits flipped.
 *
 * A site layer is a Conv or the final fully connected layer; the site is the node's output, before
 * normalisation and activation. One draw is for one image: a layer, elements of its map, and what
 * becomes of them. Training and campaigns draw with the same code (docs/fault-models.md).
 *
 * A draw depends on seed, trial and image alone (Philox), so any can be repeated alone.
 *
 * Thread-safety: immutable after creation, may be shared; a stoic_map_hits belongs to its caller.
 * Source: DieHardNet (paper 4), docs/methods.md.
 */
#ifndef STOIC_MAP_FAULT_H
#define STOIC_MAP_FAULT_H

#include <stdbool.h>

#include "stoic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, summary) */
#define STOIC_MAP_LIST(X)                                                                          \
    X(STOIC_MAP_SINGLE, "single", "one element")                                                   \
    X(STOIC_MAP_LINE, "line", "a row or a column, in each channel with probability 0.75")          \
    X(STOIC_MAP_ROW, "row", "a row, in each channel with probability 0.75")                        \
    X(STOIC_MAP_COLUMN, "column", "a column, in each channel with probability 0.75")               \
    X(STOIC_MAP_BLOCK, "block", "rows and columns of a block, in each channel with p = 0.3")       \
    X(STOIC_MAP_WHOLE, "whole", "each element with probability 0.1")                               \
    X(STOIC_MAP_SCATTER, "scatter", "n= distinct elements, or each with probability rate=")        \
    X(STOIC_MAP_MIX, "mix", "line, block or whole, equally likely")

#define STOIC_MAP_ENUM(enumerator, name, summary) enumerator,
typedef enum stoic_map_kind { STOIC_MAP_LIST(STOIC_MAP_ENUM) } stoic_map_kind;
#undef STOIC_MAP_ENUM

/* What happens to the hit elements. X(enumerator, name, argument, summary) */
#define STOIC_MAP_VALUE_LIST(X)                                                                    \
    X(STOIC_MAP_POWER_TABLE, "power-table", "[:FILE.csv]",                                         \
      "multiplied by a draw from a table of power laws (columns weight,xmin,alpha)")               \
    X(STOIC_MAP_POWER, "power", "XMIN:ALPHA", "multiplied by a draw from a power law")             \
    X(STOIC_MAP_UNIFORM, "uniform", "A:B", "multiplied by a uniform number between A and B")       \
    X(STOIC_MAP_CONST, "const", "C", "multiplied by C")                                            \
    X(STOIC_MAP_RAMP, "ramp", "", "multiplied by +-U(0,1) x severity, which rises to ramp=")       \
    X(STOIC_MAP_FLIP_BITS, "flip", "BITS", "one uniform bit of the field flipped in each")         \
    X(STOIC_MAP_SET, "set", "V", "replaced by V")                                                  \
    X(STOIC_MAP_RANDOM, "random", "", "each replaced by a uniform 32-bit pattern")

#define STOIC_MAP_VALUE_ENUM(enumerator, name, argument, summary) enumerator,
typedef enum stoic_map_value { STOIC_MAP_VALUE_LIST(STOIC_MAP_VALUE_ENUM) } stoic_map_value;
#undef STOIC_MAP_VALUE_ENUM

typedef struct stoic_map_fault stoic_map_fault;

/* Does a spec name a fault in feature maps ("map:…")? It may still be refused. */
STOIC_API bool stoic_map_fault_is_spec(const char *spec);

/* Parses a spec ("map:block,value=uniform:-1:1,share=0.75,scope=image") and binds it to the layers
 * of a model, which is retained. Fails with STOIC_ERR_ARGUMENT (names the key), _IO, _FORMAT,
 * _MISMATCH (the table of power laws), _UNSUPPORTED (a map of 2^28 elements or more).
 * What a spec leaves open is value=power-table and share=1, as evaluation wants it. */
STOIC_API stoic_status stoic_map_fault_create(const stoic_model *model, const char *spec,
                                              uint64_t seed, stoic_map_fault **out,
                                              stoic_error *err) STOIC_MUST_CHECK;
/* The same, but what a spec leaves open is value=ramp and share=0.75. */
STOIC_API stoic_status stoic_map_fault_create_for_training(const stoic_model *model,
                                                           const char *spec, uint64_t seed,
                                                           stoic_map_fault **out,
                                                           stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_map_fault_free(stoic_map_fault *fault);

/* The spec in one canonical spelling, defaults written out; lives as long as the fault. */
STOIC_API const char *stoic_map_fault_text(const stoic_map_fault *fault);
STOIC_API stoic_map_kind stoic_map_fault_kind(const stoic_map_fault *fault);
STOIC_API stoic_map_value stoic_map_fault_value(const stoic_map_fault *fault);
/* N of scope=batch:N, 1 for scope=image. Images g·N … g·N+N-1 have layer, elements and values in
 * common. */
STOIC_API int64_t stoic_map_fault_scope(const stoic_map_fault *fault);
STOIC_API double stoic_map_fault_share(const stoic_map_fault *fault);

/* A layer whose output can be hit. A map of one image has channels x height x width elements, in
 * this order; what is not an image has height 1, and a fully connected layer width 1 too. */
typedef struct stoic_map_site {
    int layer; /* as in stoic_model_layer() */
    int node;  /* number in the model's graph */
    int value; /* number of the node's output in the model's graph */
    int64_t channels, height, width;
} stoic_map_site;

/* The layers this fault can hit, in the order of their numbers; each is equally likely. */
STOIC_API int stoic_map_fault_site_count(const stoic_map_fault *fault);
STOIC_API const stoic_map_site *stoic_map_fault_site(const stoic_map_fault *fault, int i);

/* The severity of value=ramp in an epoch: linear from 1 in epoch 0 to ramp= in epoch epochs-1; 1
 * for the other values, and where there is one epoch only. */
STOIC_API double stoic_map_fault_severity(const stoic_map_fault *fault, int64_t epoch,
                                          int64_t epochs);

typedef enum stoic_map_mode {
    STOIC_MAP_MULTIPLY, /* x becomes x · factor */
    STOIC_MAP_REPLACE,  /* element index[i] becomes the float32 whose bits are bits[i] */
    STOIC_MAP_FLIP      /* the stored bits of element index[i] are xor-ed with bits[i] */
} stoic_map_mode;

/* What happens to one image; growable and reusable. Start from {0}, release with
 * stoic_map_hits_deinit(). */
typedef struct stoic_map_hits {
    bool hit;            /* count > 0 */
    int site;            /* of stoic_map_fault_site(); -1: share= left this image out */
    stoic_map_kind kind; /* what was drawn where the model is mix, else the model */
    stoic_map_mode mode;
    float factor; /* of all elements, for MULTIPLY; finite */
    size_t count;
    int64_t *index; /* flat positions in the map of one image, ascending */
    uint32_t *bits; /* of each element, for REPLACE and FLIP */
    size_t capacity;
    uint64_t *marks; /* room to work in */
    size_t marks_capacity;
} stoic_map_hits;
STOIC_API void stoic_map_hits_deinit(stoic_map_hits *hits);

/* What happens to image `image` in trial `trial` (training: the global step, and the index in the
 * batch). Replaces what `hits` held and allocates only where it has to grow. `severity` is read by
 * value=ramp alone. Fails with STOIC_ERR_ARGUMENT for trial >= 2^48, an image outside 0 … 2^40-1,
 * a severity that is negative or not a finite float32; with STOIC_ERR_MEMORY. */
STOIC_API stoic_status stoic_map_fault_draw(const stoic_map_fault *fault, uint64_t trial,
                                            int64_t image, double severity, stoic_map_hits *hits,
                                            stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
