/*
 * Inside a session: what campaigns and the difference engine use beyond stoic/session.h.
 *
 * A session runs a tile of up to `tile` images through steps. The frame says where each value of
 * the tile lies: in the session's own work buffers, or wherever the caller points it (golden
 * values cached for a block of images). A step reads and writes through the frame, so a run may
 * start anywhere and only the steps that something changed need to run.
 */
#ifndef STOIC_EXEC_RUN_H
#define STOIC_EXEC_RUN_H

#include "exec/program.h"

typedef struct stoic_undo {
    float *at;
    float old;
} stoic_undo;

struct stoic_session {
    const stoic_program *program;
    float *constants; /* packed weights, biases, normalisation, raw constants */
    float *work;
    float **frame; /* value -> memory of the tile */
    double *plain; /* scratch of the plain definitions */
    void *scratch;
    stoic_dnn_run **runs; /* layer * STOIC_BATCH_SIZES + size */
    stoic_undo *undo;
    size_t n_undo, undo_room;
    bool *edited;           /* step: one of its constants has an edit */
    stoic_tensor **overlay; /* reference executor: value -> edited copy */
};

/* The value's own work buffer for the tile. */
float *stoic_session_work(stoic_session *s, int value);
/* Frame back to the work buffers. */
void stoic_session_frame_reset(stoic_session *s);
/* Brings NCHW images into the memory order of the program's input. */
void stoic_session_pack_input(const stoic_program *p, const float *images, int64_t n, float *out);
/* The outputs of n images as rows of classes, from memory order. */
void stoic_session_unpack(const stoic_program *p, int value, const float *data, int64_t n,
                          float *out);
/* Runs step `step` for the n <= tile images of the frame. */
stoic_status stoic_session_step(stoic_session *s, int step, int n, stoic_error *err);

/* A layer's two halves: its sums (bias included), and what is fused behind them, in place. */
stoic_status stoic_layer_sums(stoic_session *s, const stoic_exec_step *step, const float *src,
                              float *dst, int n, stoic_error *err);
void stoic_layer_finish(stoic_session *s, const stoic_exec_step *step, float *dst, int n);

/* Has an Alarm refused image `i` of the tile that was run? */
static inline bool stoic_session_alarm(const stoic_session *s, int i) {
    return s->program->alarm >= 0 && s->frame[s->program->alarm][i] != 0;
}

/* stoic_session_run(); `alarms` (NULL: not wanted) gets 1 for each image that an Alarm refused. */
stoic_status stoic_session_run_watched(stoic_session *session, const float *images, int64_t count,
                                       float *outputs, uint8_t *alarms, stoic_error *err);

/* Of the constants as they are now; without edits that of the program's. */
uint64_t stoic_session_digest(const stoic_session *session);

/* The plain executor (reference.c): one image, and an edit of a constant. */
stoic_status stoic_reference_run(stoic_session *s, const float *image, float *output,
                                 uint8_t *alarm, stoic_error *err);
stoic_status stoic_reference_edit(stoic_session *s, const stoic_edit *edit, stoic_error *err);

/* Which steps depend on an edit: changed[step] is set, and the first one returned (n_steps: none).
 */
int stoic_session_changed(const stoic_session *s, bool *changed);

#endif
