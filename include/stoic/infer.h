/*
 * Inference from a protected weight file (.stw): packed words are read, corrected, widened and
 * multiplied block by block, and what was corrected is counted.
 *
 * Two layers. The minimal core, stoic_run_*: libc and libm, no threads, and no allocation: the
 * caller gives one piece of memory. It builds alone as libstoicrun. On top of it stoic_infer():
 * a file, a data set, threads, faults in the live store, scrubbing.
 *
 * Source: FORTUNE (paper 3); docs/formats.md describes the file byte for byte.
 */
#ifndef STOIC_INFER_H
#define STOIC_INFER_H

#include "stoic/dataset.h"
#include "stoic/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- writing ---- */

/* Writes what a store holds, and the graph that runs it, atomically. Operators that the core does
 * not run are refused all at once, by name, with STOIC_ERR_UNSUPPORTED; so are fp64 stores. */
STOIC_API stoic_status stoic_store_write(const stoic_store *store, const char *path,
                                         stoic_error *err) STOIC_MUST_CHECK;

/* Runs the first `images` of `data` (all, if there are fewer) through a file with float32
 * activations, and writes the file anew, atomically, with the ranges that the inputs of Conv and
 * Gemm have had: 256 steps from the least to the greatest value, zero among them. Only then can it
 * run with int8 activations. Refused as by stoic_run_memory(), and where a value is not finite. */
STOIC_API stoic_status stoic_infer_calibrate(const char *path, const stoic_dataset *data,
                                             int64_t images, stoic_error *err) STOIC_MUST_CHECK;

/* ---- the minimal core ---- */

/* What a file in memory says; texts live as long as the file. */
typedef struct stoic_run_facts {
    int64_t input, classes;        /* floats of an image, NCHW, and of an output */
    int channels, height, width;   /* of an image; height 0: a row */
    int64_t words_at, words_bytes; /* the part that faults may hit */
    int64_t weights, stored_bits;  /* in the store */
    int tensors;                   /* that lie in the store or beside it */
    bool calibrated;               /* does it hold the ranges that int8 activations need? */
    const char *model, *store;     /* its name; the store's spec */
} stoic_run_facts;

/* Words that reading a tensor corrected, and found wrong without being able to. */
typedef struct stoic_run_count {
    const char *name;
    int layer; /* -1: batch normalisation */
    int64_t corrected, detected;
} stoic_run_count;

typedef struct stoic_run stoic_run;

/*
 * What Conv and Gemm multiply their weights with. fp32: weights are widened to floats.
 * int8: weights of at most 8 bits stay the integers that they are, the input of the node becomes
 * codes of 8 bits, by the step and zero that calibration found, and sums are taken in integers;
 * outputs are float32 again. The same bits on every processor (docs/formats.md has the arithmetic).
 */
typedef enum stoic_activations { STOIC_FP32_ACTIVATIONS, STOIC_INT8_ACTIVATIONS } stoic_activations;

/* `file` stands at a multiple of 8. Everything but the words is checked; a bad file is refused with
 * STOIC_ERR_FORMAT, which says where. `name` is for messages. */
STOIC_API stoic_status stoic_run_look(const void *file, uint64_t bytes, const char *name,
                                      stoic_run_facts *out, stoic_error *err) STOIC_MUST_CHECK;
/* Bytes that a run of up to `batch` images (1 … 4096) at once needs. int8 activations are refused
 * with STOIC_ERR_UNSUPPORTED where the file is not calibrated, or weights of a Conv or Gemm are not
 * integers of at most 8 bits: the message names the tensor. */
STOIC_API stoic_status stoic_run_memory(const void *file, uint64_t bytes, const char *name,
                                        int batch, stoic_activations activations, uint64_t *out,
                                        stoic_error *err) STOIC_MUST_CHECK;
/* Starts in `memory`, at a multiple of 64, which belongs to the run from then on; there is nothing
 * to free. Both stay where they are. `words`: where the words are now, words_bytes of them; NULL:
 * in the file. They may change between two calls, as memory does. */
STOIC_API stoic_status stoic_run_start(const void *file, uint64_t bytes, const char *name,
                                       const void *words, int batch, stoic_activations activations,
                                       void *memory, uint64_t memory_bytes, stoic_run **out,
                                       stoic_error *err) STOIC_MUST_CHECK;
/* Runs up to `batch` images; n x classes outputs. Every word is read once and counted once. *due
 * (may be NULL): a word was found wrong whose store says due=report, so no output is an answer. */
STOIC_API stoic_status stoic_run_images(stoic_run *run, const float *images, int n, float *outputs,
                                        bool *due, stoic_error *err) STOIC_MUST_CHECK;
/* What the last stoic_run_images() or stoic_run_scrub() counted, of tensor 0 … tensors - 1. */
STOIC_API void stoic_run_counts(const stoic_run *run, int tensor, stoic_run_count *out);
/* Writes corrected words back to `words`, those the run reads from, and counts. */
STOIC_API void stoic_run_scrub(stoic_run *run, void *words);

/* ---- a file and a data set ---- */

typedef struct stoic_infer_options {
    int64_t batch; /* images between two looks at the store; faults strike there */
    int threads;   /* 0: the processors this process may use; results do not depend on it */
    double ber;    /* of each stored bit, before each batch; 0: none */
    uint64_t seed; /* of the faults */
    int64_t scrub; /* batches between two scrubs, at the end of a batch; 0: none */
    stoic_activations activations;
    float *outputs; /* images x classes, or NULL */
    /* called behind each batch, or NULL: images done and correct so far, bits flipped so far */
    void (*watch)(void *user, int64_t images, int64_t correct, int64_t flips);
    void *user;
} stoic_infer_options;
STOIC_API stoic_infer_options stoic_infer_options_default(void);

typedef struct stoic_inference {
    stoic_evaluation evaluation;
    int64_t due;                 /* images without an answer */
    int64_t corrected, detected; /* words, summed over batches: each batch reads the store once */
    int64_t flips, scrubbed;     /* bits flipped, words written back */
    int64_t batches;
} stoic_inference;

/* A file that has been read; one thread at a time. */
typedef struct stoic_infer stoic_infer;
STOIC_API stoic_status stoic_infer_open(const char *path, stoic_infer **out,
                                        stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_infer_free(stoic_infer *infer);
STOIC_API void stoic_infer_look(const stoic_infer *infer, stoic_run_facts *out);
/* A network of the same input, output and metadata, for stoic_dataset_open(); lives as long. */
STOIC_API const stoic_model *stoic_infer_model(const stoic_infer *infer);
STOIC_API stoic_status stoic_infer_run(stoic_infer *infer, const stoic_dataset *data,
                                       const stoic_infer_options *options, stoic_inference *out,
                                       stoic_error *err) STOIC_MUST_CHECK;
/* Of one tensor, summed over the batches of all runs. */
STOIC_API void stoic_infer_counts(const stoic_infer *infer, int tensor, stoic_run_count *out);

#ifdef __cplusplus
}
#endif
#endif
