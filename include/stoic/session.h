/*
 * Running a model: a program is a compiled model, a session one worker's right to run it.
 *
 * The program is immutable and shared by threads; a session owns every mutable buffer and
 * belongs to one thread at a time. A model is never written: a fault is an overlay in the
 * session, and undone exactly.
 *
 * Same bytes, always: the output of an image does not depend on its batch, its position,
 * the number of threads or sessions (on one instruction set and oneDNN version).
 */
#ifndef STOIC_SESSION_H
#define STOIC_SESSION_H

#include "stoic/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_program stoic_program;
typedef struct stoic_session stoic_session;

typedef struct stoic_program_options {
    int batch;                     /* images a session runs at once; 0: chosen from the model */
    bool reference;                /* the plain executor in double instead of the fast one */
    const char *const *observable; /* names of values that must exist unfused */
    size_t n_observable;
} stoic_program_options;

STOIC_API stoic_program_options stoic_program_options_default(void);

/* Keeps a reference to the model. Fails with STOIC_ERR_UNSUPPORTED, _MEMORY, _BACKEND, and
 * _ARGUMENT for an observable value that does not exist. */
STOIC_API stoic_status stoic_program_compile(const stoic_model *model,
                                             const stoic_program_options *options,
                                             stoic_program **out,
                                             stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_program_free(stoic_program *program);
STOIC_API int stoic_program_batch(const stoic_program *program);
/* The model it was compiled from; lives as long as the program. */
STOIC_API const stoic_model *stoic_program_model(const stoic_program *program);
/* Bytes one session of this program takes. */
STOIC_API int64_t stoic_program_session_bytes(const stoic_program *program);

STOIC_API stoic_status stoic_session_create(const stoic_program *program, stoic_session **out,
                                            stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_session_free(stoic_session *session);

/* Runs `count` images (any number; NCHW floats) and writes count x classes outputs. */
STOIC_API stoic_status stoic_session_run(stoic_session *session, const float *images, int64_t count,
                                         float *outputs, stoic_error *err) STOIC_MUST_CHECK;

/* Lays edits over the model's constants until stoic_session_restore(); edits add up. Restoring is
 * exact to the bit. Fails with STOIC_ERR_ARGUMENT for a tensor or index that does not exist. */
STOIC_API stoic_status stoic_session_edit(stoic_session *session, const stoic_edit *edits, size_t n,
                                          stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_session_restore(stoic_session *session);

/* Top-1 of one output row: the lowest index among the largest; with a NaN the first NaN, and
 * *nan (may be NULL) is set. */
STOIC_API int stoic_top1(const float *output, int64_t classes, bool *nan);

/* Evaluation of a whole data set on `threads` threads (0: all). */
typedef struct stoic_evaluation {
    int64_t images, correct, nan;
    bool watched;   /* the network has checksums (stoic/harden.h: abft, abed) */
    int64_t alarms; /* images for which one was off: false alarms, where nothing is faulty */
    double accuracy, seconds, images_per_second;
} stoic_evaluation;

struct stoic_dataset;

/* `outputs` may be NULL, or has room for images x classes floats. */
STOIC_API stoic_status stoic_evaluate(const stoic_program *program,
                                      const struct stoic_dataset *data, int threads, float *outputs,
                                      stoic_evaluation *out, stoic_error *err) STOIC_MUST_CHECK;
/* The same for a model that is run only once: compiled with the default options. */
STOIC_API stoic_status stoic_evaluate_model(const stoic_model *model,
                                            const struct stoic_dataset *data, int threads,
                                            stoic_evaluation *out,
                                            stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
