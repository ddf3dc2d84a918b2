/*
 * The protected weight file, as its bytes lie (docs/formats.md). Everything is little-endian; every
 * structure stands at a multiple of 8 and every section of words at a multiple of 64, so that a
 * file can be mapped and used where it is.
 *
 *   header | tensor records | node records | values | texts and side data | words
 *
 * The checksum covers everything in front of the words. The words are what faults may hit.
 */
#ifndef STOIC_RUNTIME_STW_H
#define STOIC_RUNTIME_STW_H

#include "runtime/packed.h"

enum {
    STOIC_STW_VERSION = 1,    /* without ranges of activations */
    STOIC_STW_CALIBRATED = 2, /* with them */
    STOIC_STW_ALIGN = 64,     /* of a section of words */
    STOIC_STW_BEHIND = 16,    /* zero bytes behind the words of a tensor, at least */
    STOIC_STW_MOST = 1024,    /* nodes, and values */
    STOIC_STW_NONE = 65535,   /* no value, no tensor */
    STOIC_STW_CHECKED = 32    /* the checksum begins here */
};
#define STOIC_STW_MAGIC      "STOICSTW"
#define STOIC_STW_LEAST_STEP 0x1p-100f /* of activations, and the inverse of the greatest */

typedef struct stoic_stw_header {
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t file_bytes;
    uint64_t checksum; /* CRC-64/XZ of bytes [32, words_at) */
    uint64_t words_at, words_bytes;
    uint64_t tensors_at, nodes_at, values_at, texts_at;
    uint32_t texts_bytes, n_tensors;
    uint32_t n_nodes, n_values;
    uint32_t input, output; /* values */
    uint32_t layers, zero;
    uint32_t model_text, store_text; /* in the texts: the model's name, the store's spec */
    uint32_t meta_text, n_meta;      /* pairs of key and value, one text behind the other */
} stoic_stw_header;

/* A value of one image: channels x height x width; 1 x 1 behind the elements of a row. */
typedef struct stoic_stw_value {
    uint32_t channels, height, width, rank; /* rank 1 or 3 */
} stoic_stw_value;

/* A constant: float32 as it is, in the side data, or packed words. */
typedef struct stoic_stw_tensor {
    uint64_t at, bytes; /* of the words in the file */
    uint64_t weights, stored_bits;
    uint32_t packed;                 /* 0: float32 in the side data, nothing else is used */
    uint32_t format, bits, fraction; /* stoic_format_kind */
    uint32_t code, copied, due, divides;
    int32_t layer;                                   /* -1: batch normalisation */
    uint32_t role;                                   /* stoic_role */
    uint64_t channels, inner;                        /* weight i has grid i / inner % channels */
    uint64_t grids_at, side_at, sparse_at, n_sparse; /* 0 where there is none */
    uint64_t name_text;
    uint64_t protect[3]; /* bits of a weight, then of a word's redundancy, that no fault hits */
} stoic_stw_tensor;

typedef struct stoic_stw_grid {
    double step, zero;
    float scale;
    uint32_t nothing;
} stoic_stw_grid;

/* A weight that is kept aside. */
typedef struct stoic_stw_sparse {
    uint64_t index;
    float value;
    uint32_t nothing;
} stoic_stw_sparse;

/* X(enumerator, number): numbers are the file's and never change */
#define STOIC_STW_OP_LIST(X)                                                                       \
    X(CONV, 1)                                                                                     \
    X(GEMM, 2)                                                                                     \
    X(NORM, 3)                                                                                     \
    X(RELU, 4)                                                                                     \
    X(CLIP, 5)                                                                                     \
    X(SIGMOID, 6)                                                                                  \
    X(SOFTMAX, 7)                                                                                  \
    X(MAX_POOL, 8)                                                                                 \
    X(AVERAGE_POOL, 9)                                                                             \
    X(ADD, 10)                                                                                     \
    X(CONCAT, 11)                                                                                  \
    X(MUL, 12)
#define STOIC_STW_OP_ENUM(name, number) STOIC_STW_##name = number,
typedef enum stoic_stw_op { STOIC_STW_OP_LIST(STOIC_STW_OP_ENUM) STOIC_STW_OPS } stoic_stw_op;
#undef STOIC_STW_OP_ENUM

/* The numbers of codes in the file. */
typedef enum stoic_stw_code {
    STOIC_STW_PLAIN,
    STOIC_STW_REPEAT,
    STOIC_STW_SECDED72,
    STOIC_STW_SECDED39,
    STOIC_STW_ZEROSPACE64,
    STOIC_STW_PARITY64,
    STOIC_STW_CODES
} stoic_stw_code;
enum { STOIC_STW_TRANSPOSED = 1, STOIC_STW_COUNT_PADDING = 2 }; /* flags of a node */

/* CONCAT: values that a node reads; those from the third on stand where others have tensors. */
enum { STOIC_STW_JOINED = 6 };

typedef struct stoic_stw_node {
    uint32_t op, in[2], out;
    uint32_t tensor[4]; /* weight, bias; scale, bias, mean, variance; MUL: what it multiplies by */
    uint32_t kernel[2], stride[2], dilation[2], pad_low[2], pad_high[2];
    uint32_t groups, flags;
    float alpha, beta; /* GEMM; NORM: alpha is epsilon; CLIP: the bounds */
    int32_t layer;     /* -1: none */
    /* CONV and GEMM: activation code q stands for (q - zero_code) * step; 0: not calibrated */
    float step;
    uint32_t zero_code;
    uint32_t zero[3];
} stoic_stw_node;

_Static_assert(sizeof(stoic_stw_header) == 128, "a header of 128 bytes");
_Static_assert(sizeof(stoic_stw_value) == 16, "a value of 16 bytes");
_Static_assert(sizeof(stoic_stw_tensor) == 152, "a tensor of 152 bytes");
_Static_assert(sizeof(stoic_stw_grid) == 24 && sizeof(stoic_stw_sparse) == 16, "side data");
_Static_assert(sizeof(stoic_stw_node) == 112, "a node of 112 bytes");

/* A file in memory whose every length, offset and index has been checked. Points into it. */
typedef struct stoic_stw {
    const uint8_t *bytes;
    const stoic_stw_header *head;
    const stoic_stw_tensor *tensors;
    const stoic_stw_node *nodes;
    const stoic_stw_value *values;
    const char *texts;
} stoic_stw;

/* CRC-64/XZ: polynomial 0x42f0e1eba9ea3693, reflected, all ones before and after. */
uint64_t stoic_stw_checksum(const void *data, uint64_t bytes);

/* `data` at a multiple of 8. The words are not looked at. Fails with STOIC_ERR_FORMAT, which names
 * the part and the file offset, or STOIC_ERR_UNSUPPORTED for another version. */
stoic_status stoic_stw_open(const void *data, uint64_t bytes, const char *name, stoic_stw *out,
                            stoic_error *err);
/* The checks of the nodes, behind those of everything else. */
stoic_status stoic_stw_check_nodes(const stoic_stw *file, const char *name, stoic_error *err);

/* What a record says of its words: weights a word and bits. false: no such code over such data. */
bool stoic_stw_words(const stoic_stw_tensor *tensor, stoic_words *out);
/* The k-th value that a node reads, k < STOIC_STW_JOINED; STOIC_STW_NONE. */
static inline uint32_t stoic_stw_input(const stoic_stw_node *n, int k) {
    return k < 2 ? n->in[k] : n->op == STOIC_STW_CONCAT ? n->tensor[k - 2] : STOIC_STW_NONE;
}
/* Elements of a value of one image. */
static inline uint64_t stoic_stw_elements(const stoic_stw_value *v) {
    return (uint64_t)v->channels * v->height * v->width;
}

#endif
