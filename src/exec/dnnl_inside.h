/* What the files that include oneDNN share: the differences between 2.x and 3.x. */
#ifndef STOIC_EXEC_DNNL_INSIDE_H
#define STOIC_EXEC_DNNL_INSIDE_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>

#include "exec/dnnl_shim.h"

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_handle;
#define MD_REF(md) (md)
typedef const_dnnl_memory_desc_t md_const;
#else
typedef dnnl_memory_desc_t md_handle;
#define MD_REF(md) (&(md))
typedef const dnnl_memory_desc_t *md_const;
#endif

/* Where an allocation of oneDNN's own fails, it ends the process or writes to NULL (code that it
 * generates, objects of C++). So before it makes anything it is tried whether there is room, for
 * several times what the largest of our primitives takes (2 MiB), or all matrix products (18 MiB).
 */
stoic_status stoic_dnn_room(size_t bytes, stoic_error *err);
enum { STOIC_DNN_ROOM = 8 << 20, STOIC_DNN_PRODUCT_ROOM = 32 << 20 };
stoic_status stoic_dnn_check(dnnl_status_t code, const char *what, stoic_error *err);

dnnl_status_t stoic_dnn_md_create(md_handle *md, int rank, const dnnl_dim_t *dims,
                                  dnnl_format_tag_t tag);
void stoic_dnn_md_destroy(md_handle *md);

/* Input, weights (in whatever layout suits), bias and output of a convolution, channels last. */
typedef struct stoic_dnn_descs {
    md_handle src, weights, bias, dst;
} stoic_dnn_descs;

dnnl_status_t stoic_dnn_descs_create(const stoic_dnn_shape *s, stoic_dnn_descs *d);
void stoic_dnn_descs_destroy(stoic_dnn_descs *d);

typedef enum stoic_dnn_part {
    STOIC_DNN_INFERENCE,
    STOIC_DNN_FORWARD, /* the same sums, kept for a backward pass */
    STOIC_DNN_BACK_DATA,
    STOIC_DNN_BACK_WEIGHTS,
} stoic_dnn_part;

/* The implementations oneDNN has for one part of a convolution, best first. For the backward
 * parts `d` describes gradients, and `forward` is the forward part (NULL otherwise). */
typedef struct stoic_dnn_candidates {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_primitive_desc_t current;
#else
    dnnl_convolution_desc_t desc; /* the iterator keeps a pointer to it */
    dnnl_primitive_desc_iterator_t iterator;
#endif
} stoic_dnn_candidates;

dnnl_status_t stoic_dnn_candidates_begin(stoic_dnn_candidates *it, stoic_dnn_part part,
                                         const stoic_dnn_shape *s, stoic_dnn_descs *d,
                                         dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_primitive_desc_t forward);
/* The one the iterator stands at; the caller destroys it. */
dnnl_primitive_desc_t stoic_dnn_candidates_fetch(stoic_dnn_candidates *it);
dnnl_status_t stoic_dnn_candidates_next(stoic_dnn_candidates *it);
void stoic_dnn_candidates_end(stoic_dnn_candidates *it);

/* Scratch memory from the caller, no reduced precision. */
stoic_status stoic_dnn_attributes(dnnl_primitive_attr_t *attr, stoic_error *err);

/* Keeps IEEE semantics: neither gemm nor Winograd nor a reference implementation. */
bool stoic_dnn_kernel_allowed(const char *name);

#endif
