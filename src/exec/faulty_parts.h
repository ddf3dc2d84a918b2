/* Inside stoic_faulty: what faulty.c and difference.c share. */
#ifndef STOIC_EXEC_FAULTY_PARTS_H
#define STOIC_EXEC_FAULTY_PARTS_H

#include "exec/faulty.h"

/* A narrow change: the first changed layer, its changed channels, and the value behind it (after
 * the local steps that follow one by one) where images either are as before or go on. */
typedef struct stoic_narrow {
    int step;  /* the layer */
    int last;  /* the last local step behind it, or the layer */
    int *path; /* the local steps in between, and the last */
    int n_path;
    bool others;    /* another step has edits too: every image goes on */
    int frontier;   /* the value */
    int64_t pixels; /* of the frontier, per channel */
    int64_t widest; /* the most pixels on the way there */
    int64_t stride; /* channels of the frontier */
    int n_channels;
    int32_t *channels;
    size_t room;
    int32_t images[16]; /* a pack of images on its way */
    int n_images;
    float *golden; /* [channel][pixels][16]: their frontier without the fault */
    float *lanes;  /* the same with the fault */
    size_t golden_room, lanes_room;
    float *input; /* what the layer reads, of the pack `packed` of block `packed_block` */
    size_t input_room;
    uint64_t packed_block;
    int packed_value, n_packed;
    int32_t packed[16];
    float *sums, *weights; /* scratch: one channel on its way, its weights */
    size_t sums_room, weights_room;
} stoic_narrow;

/* What the last step makes of the logits. */
enum { STOIC_FINAL_NONE, STOIC_FINAL_SIGMOID, STOIC_FINAL_SOFTMAX };

/* A difference behind the narrow change: the layer that reads the frontier, as golden sums plus
 * what the change contributes, and the way from there to the class. */
typedef struct stoic_difference {
    bool use;
    int step;                   /* that layer */
    int logits;                 /* the value on which the class is decided */
    int final;                  /* STOIC_FINAL_… */
    const float *sums;          /* golden */
    const stoic_probe **probes; /* step, for each layer from `step` on */
    const float *errors;        /* [image][class]: the bound's part that no fault changes */
    float *reach;               /* [class]: the most a change of 1 in every sum can do to it */
    size_t reach_room;
    int reached;    /* the step `reach` is for, plus one */
    float *weights; /* of the changed channels: [channel][kh * kw][padded] */
    size_t weights_room;
    int64_t padded;
    float *change; /* one channel of one image */
    size_t change_room;
    double *spread; /* [channel]: largest change of a sum per unit of change in the channel */
    double *moved;  /* [channel]: what it adds to a sum of this image at most */
    size_t channel_room;
    double reach_most;
    int64_t taps; /* fmas added to one output at most, a channel */
} stoic_difference;

/* What is known of one image near a change that the weight has had: within `radius` of `at` the
 * class is `top`. All bits of an exponent that leave almost nothing of the weight move it alike. */
typedef struct stoic_anchor {
    float at, radius;
    int32_t top;
} stoic_anchor;

/* How large |dw| of one convolution weight may be, image by image: threshold.c. */
typedef struct stoic_threshold {
    int step; /* `pair`, `one` and `reach` are for this step, plus one, and this channel */
    int64_t channel;
    int64_t
        columns; /* the classes, and any sum in front of the last layer, up to a multiple of 16 */
    float *pair, *one; /* [top][pixel][columns], [pixel][columns] */
    float *reach;      /* [pixel][class], as `one` */
    size_t pair_room, one_room, reach_room;
    uint64_t room_block; /* `room` is for this block (its serial) and that channel */
    float *room;         /* [image][pair, pair if quiet, one, one if quiet][columns] */
    size_t room_room;
    uint64_t block; /* `limit` is for this block, and the weight of `carry` */
    float *limit;   /* [groups x 16] */
    float *moved;   /* [image][columns]: what |dw| = 1 does to each class at most */
    size_t limit_room, moved_room;
    stoic_anchor *anchors; /* [image] */
    size_t anchors_room;
    float *scratch;
    size_t scratch_room;
} stoic_threshold;

/* One weight that is asked for again and again: what does not depend on its new value. */
typedef struct stoic_single {
    /* THROUGH: as LIMIT, where another convolution follows (relay.h) */
    enum { STOIC_SINGLE_OTHER, STOIC_SINGLE_LINE, STOIC_SINGLE_LIMIT, STOIC_SINGLE_THROUGH } way;
    uint64_t block; /* its serial; 0: nobody has asked yet */
    int tensor;
    int64_t index, asked; /* how often */
    const stoic_exec_layer *layer;
    int64_t packed; /* where the weight lies in the session's constants */
    float change;   /* of the weight, as asked for last */
    bool alike;     /* it leaves almost nothing of the weight, as others of its bits do */
    bool limited;   /* f->threshold has its limits */
    bool beside;    /* and relay_side.c the classes of its values to come */
    /* LINE: see the kernel `outside` */
    const float *x, *low, *high;
    int64_t step;
    float far_to; /* from 2^61 up to here every image has class far_class */
    int far_class;
} stoic_single;

struct stoic_faulty {
    const stoic_program *program;
    const stoic_chains *chains;
    bool full, swept;
    int expected_tensor; /* the weight of which these values come next */
    int64_t expected_index;
    float expected[STOIC_EXPECTED];
    int n_expected;
    stoic_session *session;
    const stoic_edit *held; /* are in the session between runs; NULL: none */
    size_t n_held;
    uint64_t held_digest; /* of the session's constants with them */
    bool spoiled; /* held edits were taken back, and the constants were not these any more */
    stoic_session *absolute; /* |weights|, no biases: how bounds grow; made when first needed */
    uint64_t absolute_digest;
    bool *changed;  /* step */
    bool *gathered; /* value: its rows are in the frame */
    int *cuts; /* steps behind which nothing from before is read but what they give; none if full */
    int n_cuts;
    int32_t *readers; /* value -> number of steps that read it */
    bool *selected;   /* image of the block */
    int selected_room;
    int32_t *rows; /* images in the tile */
    int n_rows;
    float *frontier; /* tile x size of the frontier value */
    size_t frontier_room;
    stoic_narrow narrow;
    stoic_difference difference;
    struct stoic_relay *relay;
    stoic_threshold threshold;
    stoic_single single;
    struct stoic_carry *carry;
    bool carrying;  /* what is left of `single` is on its way: `carry` is its own */
    uint16_t *open; /* [groups]: the images that `single` leaves open */
    int open_room;
    stoic_faulty_counts counts;
};

/* Room for at least `count` floats; the old content is gone. */
stoic_status stoic_faulty_grow(float **buffer, size_t *room, size_t count, stoic_error *err);

/* Runs the changed steps from `from` to before `to` for n images whose frontier value (or -1) is in
 * the frame already; clean values are gathered from the block. */
stoic_status stoic_faulty_steps(stoic_faulty *f, const stoic_block *b, const int32_t *images, int n,
                                int from, int to, int frontier, stoic_error *err);

/* Is the value as golden has it? */
bool stoic_faulty_clean(const stoic_faulty *f, int value);
/* The same to the end, and what came out is reported. */
stoic_status stoic_faulty_rest(stoic_faulty *f, const stoic_block *b, const int32_t *images, int n,
                               int from, int frontier, const stoic_sink *sink, stoic_error *err);
/* From the first changed step on, the listed images (NULL: the whole block). */
stoic_status stoic_faulty_rows(stoic_faulty *f, const stoic_block *b, const int32_t *images,
                               int n_images, int first, const stoic_sink *sink, stoic_error *err);
/* f->cuts. */
stoic_status stoic_faulty_find_cuts(stoic_faulty *f, stoic_error *err) STOIC_MUST_CHECK;

/* Finds the changed channels of step `first` and their frontier; *fits: few enough channels, with a
 * known order of sums. Behind stoic_session_changed(). */
stoic_status stoic_faulty_narrow(stoic_faulty *f, int first, const stoic_edit *edits,
                                 size_t n_edits, bool *fits, stoic_error *err);
/* From one channel's sums of the pack's images (in f->narrow.sums) to its frontier [pixels][16]. */
void stoic_faulty_finish(stoic_faulty *f, const stoic_block *b, int64_t channel, float *out);
stoic_status stoic_faulty_select(stoic_faulty *f, const stoic_block *b, const int32_t *images,
                                 int n, stoic_error *err);

/* An edit of one weight: decides what it can of the listed images (NULL: all) by intervals and
 * limits. *left: how many remain, in f->selected; -1: it was not tried. */
stoic_status stoic_single_run(stoic_faulty *f, stoic_block *b, const int32_t *images, int n_images,
                              const stoic_edit *edit, const stoic_sink *sink, int *left,
                              stoic_error *err);

/* A weight with limits moved by `change` gives image `image` class `top`: its logits, and what
 * these and the canonical ones may be off from exact arithmetic, [class][16] at its lane. The same
 * class holds nearby, for bits still to come. */
void stoic_single_anchor(stoic_faulty *f, int image, float change, int top, const float *logits,
                         const float *errors, int64_t classes, int final);

/* One weight of a matrix product: its class intervals, if there are any. Behind
 * stoic_faulty_narrow(), the session restored again. */
stoic_status stoic_line_prepare(stoic_faulty *f, stoic_block *b, int first, const stoic_edit *edit,
                                stoic_single *single, stoic_error *err);

/* One weight of a convolution behind which are only pools and matrix products: can it have limits?
 * And those of all images of the block, in f->threshold.limit. Behind stoic_faulty_narrow(), the
 * session restored again. */
bool stoic_threshold_fits(const stoic_faulty *f, const stoic_block *b, const stoic_edit *edit);
stoic_status stoic_threshold_find(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                                  stoic_error *err);

void stoic_carry_free(struct stoic_carry *carry);
/* The classes of the pack whose frontier is known to the bit; -1: undecided. False: not tried. */
bool stoic_carry_exact(stoic_faulty *f, int top1[16]);

/* Decides whether the difference can be used behind f->narrow, and prepares it for the block. */
stoic_status stoic_difference_prepare(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                                      stoic_error *err);
/* The classes of n <= tile images of the pack (their lanes); -1 where undecided. */
stoic_status stoic_difference_run(stoic_faulty *f, const stoic_block *b, const int *lanes, int n,
                                  int *top1, stoic_error *err);

#endif
