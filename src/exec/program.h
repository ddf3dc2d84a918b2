/*
 * Inside a program: values with a memory layout, and steps that compute them.
 *
 * A step is one node, or several fused into one: a layer takes what follows it (batch
 * normalisation as an affine pass, a residual sum, an activation) as long as nothing in between
 * must be observable. Batch normalisation is never folded into weights: a fault sits in the weight
 * as stored, and overflow and NaN would differ. A step whose operator has no fast kernel runs the
 * operator's plain definition.
 */
#ifndef STOIC_EXEC_PROGRAM_H
#define STOIC_EXEC_PROGRAM_H

#include "base/seal.h"
#include "exec/dnnl_shim.h"
#include "exec/kernels.h"
#include "model/choice.h"
#include "stoic/session.h"

typedef enum stoic_layout {
    STOIC_LAYOUT_ROWS,     /* as ONNX stores it */
    STOIC_LAYOUT_NHWC,     /* rank 4, channels last */
    STOIC_LAYOUT_FLAT_HWC, /* rank 2, an NHWC image flattened: features ordered h, w, c */
} stoic_layout;

typedef struct stoic_exec_value {
    bool computed; /* false: constant, or fused away */
    stoic_layout layout;
    int64_t size;  /* floats an image */
    int64_t c, hw; /* NHWC and FLAT_HWC */
    int root;      /* the value whose memory it shares (itself, mostly) */
    int step;      /* step that computes it; -1: the image */
    int last_use;  /* last step that reads it (roots) */
    int64_t work;  /* offset of its work buffer, in floats an image of the tile (roots) */
} stoic_exec_value;

enum { STOIC_BATCH_SIZES = 3, STOIC_STEP_INPUTS = 8 };

/* A Conv, Gemm or MatMul. Sizes are images at once, falling; the last is 1. */
typedef struct stoic_exec_layer {
    int weights, bias;     /* constant values; bias -1: none */
    bool matrix;           /* Gemm or MatMul */
    stoic_dnn_shape shape; /* for one image */
    int n_sizes;
    int size[STOIC_BATCH_SIZES];
    stoic_dnn_conv *conv[STOIC_BATCH_SIZES]; /* NULL: our own kernel */
    stoic_direct_conv direct;
    int64_t packed;          /* floats */
    bool transposed;         /* weights stored [in, out] */
    int64_t flat_c, flat_hw; /* input in FLAT_HWC order; 0: rows */
    float alpha, beta;
    int64_t bias_count;          /* elements of the bias as stored: channels, or 1 */
    int64_t channels;            /* of the output */
    int64_t weights_at, bias_at; /* offsets in the session's constants */
} stoic_exec_layer;

/* Batch normalisation as y = x * scale + shift. */
typedef struct stoic_exec_norm {
    int tensor[4]; /* scale, bias, mean, variance */
    double epsilon;
    int64_t channels;
    int64_t raw_at[4], scale_at, shift_at;
} stoic_exec_norm;

typedef struct stoic_exec_step stoic_exec_step;
typedef stoic_status (*stoic_step_fn)(stoic_session *session, const stoic_exec_step *step, int n,
                                      stoic_error *err);

/* What kind of step it is, for those who carry bounds or single channels through it. */
typedef enum stoic_step_kind {
    STOIC_STEP_OTHER,
    STOIC_STEP_LAYER,
    STOIC_STEP_AFFINE, /* normalisation, sum, activation */
    STOIC_STEP_MAX_POOL,
    STOIC_STEP_AVERAGE_POOL,
    STOIC_STEP_FUNCTION, /* Sigmoid and the like, and choices, value by value */
    STOIC_STEP_SOFTMAX,
    STOIC_STEP_CHECKSUM,
} stoic_step_kind;

/* A Checksum: y in `places` sums of `count` values that lie side by side, each beside the sum it
 * should be. */
typedef struct stoic_exec_checksum {
    int sums, bounds, before; /* roots; bounds -1: every second of the sums; before -1: none */
    int64_t places, count;
    double share, least;
} stoic_exec_checksum;

struct stoic_exec_step {
    stoic_step_kind kind;
    stoic_step_fn run;
    const char *name;    /* of the first node */
    int node, last_node; /* first node and the last fused one */
    int in[STOIC_STEP_INPUTS];
    int n_in;
    int out;
    int layer; /* index into layers, -1 */
    int norm;  /* index into norms, -1 */
    int add;   /* value added before the activation, -1 */
    stoic_activation act;
    stoic_window window; /* pooling */
    stoic_unary unary;
    stoic_binary binary;
    int64_t by_channel;         /* offset of a constant operand in the session's constants */
    float a, b;                 /* parameters of unary */
    int64_t outer, axis, inner; /* softmax in the value's memory order */
    bool logarithm;
    bool magnitude; /* WindowSum: of |x| */
    stoic_exec_checksum checksum;
    int64_t macs; /* an image */
};

typedef enum stoic_use_kind {
    STOIC_USE_WEIGHTS,
    STOIC_USE_BIAS,
    STOIC_USE_NORM,
    STOIC_USE_RAW
} stoic_use_kind;

/* Where a constant of the model is read: an edit goes to every use. */
typedef struct stoic_exec_use {
    int tensor, step;
    stoic_use_kind kind;
    int part;   /* norm: which of the four */
    int64_t at; /* raw: offset in the session's constants */
} stoic_exec_use;

struct stoic_program {
    const stoic_model *model;
    const stoic_kernels *kernels;
    bool reference;
    int tile; /* images a session runs at once */
    stoic_exec_value *values;
    stoic_exec_step *steps;
    int n_steps;
    stoic_exec_layer *layers;
    int n_layers;
    stoic_exec_norm *norms;
    int n_norms;
    stoic_exec_use *uses;
    int n_uses;
    int64_t work_floats;   /* an image */
    int64_t constants;     /* floats of the session's constants */
    float *constant_base;  /* their values without faults, copied into every session */
    int64_t plain_doubles; /* scratch of the plain definitions */
    size_t scratch;        /* bytes, oneDNN */
    int input, output;     /* roots */
    int alarm; /* root of the count of checksums that are off, -1 (reference: the value itself) */
};

/* Its constants, and what says how they are used. What the kernels keep inside oneDNN is not among
 * it. */
stoic_status stoic_program_seal(const stoic_program *program, stoic_seals *weights,
                                stoic_seals *plan, stoic_error *err);

static inline bool stoic_step_is_pool(const stoic_exec_step *step) {
    return step->kind == STOIC_STEP_MAX_POOL || step->kind == STOIC_STEP_AVERAGE_POOL;
}

/* One input, and channel c of the output depends on channel c of it alone. */
static inline bool stoic_step_is_local(const stoic_exec_step *step) {
    return step->n_in == 1 && step->add < 0 &&
           (stoic_step_is_pool(step) || step->kind == STOIC_STEP_AFFINE ||
            step->kind == STOIC_STEP_FUNCTION);
}

/* One rule an operator: plans node `node` into a step, fusing what it can. */
typedef struct stoic_planner stoic_planner;
struct stoic_planner {
    stoic_program *program;
    const stoic_model *model;
    int *consumers;                /* value -> number of nodes that read it (+1 for the output) */
    int *consumer;                 /* value -> the last node that reads it */
    bool *observable;              /* value */
    bool *done;                    /* node: already part of a step */
    stoic_activation *before_pool; /* node of a pool -> activation moved behind it */
};

stoic_status stoic_plan_layer(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err);
stoic_status stoic_plan_local(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err);
stoic_status stoic_plan_check(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err);
stoic_status stoic_plan_channels(stoic_planner *p, int node, stoic_exec_step *step,
                                 stoic_error *err);
stoic_status stoic_plan_choose(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err);
/* Makes the step one that applies a function value by value. */
void stoic_plan_function(stoic_exec_step *step, stoic_unary function, float a, float b);
/* Takes the nodes behind step->out into the step while nothing stands in the way. */
stoic_status stoic_plan_fuse(stoic_planner *p, stoic_exec_step *step, stoic_error *err);
/* The activation a node is, if it is one of stoic_act. */
bool stoic_node_activation(const stoic_model *model, int node, stoic_activation *act);
/* The function that a comparison and a Where are together, with its limit a and b instead. */
stoic_unary stoic_choice_function(const stoic_choice *choice);
/* Pooling over height and width as a window, global forms included; `max` says which. */
stoic_status stoic_node_pool(const stoic_op_call *call, stoic_window *window, bool *max,
                             stoic_error *err);
/* Reserves `count` floats among the session's constants. */
int64_t stoic_plan_reserve(stoic_planner *p, int64_t count);
stoic_status stoic_plan_use(stoic_planner *p, stoic_exec_use use, stoic_error *err);
/* A batch-normalisation node as an entry of program->norms. */
stoic_status stoic_plan_norm(stoic_planner *p, int node, int *norm, stoic_error *err);
void stoic_plan_out(stoic_planner *p, int value, stoic_layout layout, int step);
/* Have two values of the model the same shape? */
bool stoic_plan_alike(const stoic_planner *p, int a, int b);

/* Creates the layer's convolutions and reserves room for its packed weights. */
stoic_status stoic_layer_prepare(stoic_program *g, stoic_exec_layer *layer, stoic_error *err);

/* Shape and factors of a layer; STOIC_ERR_UNSUPPORTED for forms the fast kernels do not know. */
stoic_status stoic_layer_of_conv(const stoic_op_call *call, stoic_exec_layer *layer,
                                 stoic_error *err);
stoic_status stoic_layer_of_product(const stoic_op_call *call, stoic_exec_layer *layer,
                                    stoic_error *err);
/* Is the bias one value a channel, or one for all? Fills layer->bias_count. */
bool stoic_layer_bias_fits(const stoic_model *m, int bias, stoic_exec_layer *layer);

/* What the layers need when the session's constants are filled. */
int64_t stoic_layer_feature(const stoic_exec_layer *layer, int64_t index);
int64_t stoic_layer_weight_offset(const stoic_exec_layer *layer, int64_t index);
int64_t stoic_layer_packed_offset(const stoic_exec_layer *layer, int64_t index);
float stoic_layer_weight_value(const stoic_exec_layer *layer, float stored);
void stoic_norm_channel(const stoic_exec_norm *norm, float *constants, int64_t channel);

/* The step functions. */
stoic_status stoic_run_layer(stoic_session *s, const stoic_exec_step *step, int n,
                             stoic_error *err);
stoic_status stoic_run_plain(stoic_session *s, const stoic_exec_step *step, int n,
                             stoic_error *err);

#endif
