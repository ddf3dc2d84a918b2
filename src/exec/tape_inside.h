/* Inside a tape: values, steps, parameters and where their memory lies. */
#ifndef STOIC_EXEC_TAPE_INSIDE_H
#define STOIC_EXEC_TAPE_INSIDE_H

#include "exec/dnnl_train.h"
#include "exec/gradient_kernels.h"
#include "exec/tape.h"

enum { STOIC_TAPE_INPUTS = 64 };

/* A computed value. Rank 4 lies channels last, everything else as ONNX has it. */
typedef struct stoic_tape_value {
    bool computed;
    bool wanted; /* depends on something trained: has a gradient */
    bool nhwc;
    int64_t size, c, hw; /* floats an image; c = size, hw = 1 for plain rows */
    int root;            /* the value whose memory it shares (itself, mostly) */
    int64_t at;          /* of roots: offset of image 0 in the activations */
    /* The gradient: in memory for the whole batch, or in a shard's arena, where it may lie in the
     * place of another value's gradient that is done with. */
    bool whole;
    int slot;  /* index into slots; -1: nobody gives it a gradient */
    bool lent; /* another value has taken over the memory of its gradient */
} stoic_tape_value;

/* Memory of gradients; lifetimes in steps of the backward pass, counted from 0 at its end. */
typedef struct stoic_tape_slot {
    bool whole;
    int64_t size; /* floats an image */
    int born, dies;
    int64_t at; /* whole: offset of image 0; else offset in a shard's arena, times its images */
} stoic_tape_slot;

typedef struct stoic_tape_step stoic_tape_step;
typedef stoic_status (*stoic_tape_fn)(stoic_tape *t, const stoic_tape_step *step, int who,
                                      int member, stoic_error *err);

/* Reading input k, does the backward pass add to a gradient that is there already? */
struct stoic_tape_step {
    const char *name;
    int node;
    /* shard-wise: `who` is the shard. Collective: `who` is the member. */
    bool collective;
    stoic_tape_fn forward, backward;
    /* Called by every member when all shards are through the step in front of this one. */
    stoic_tape_fn settle_forward, settle_backward;
    bool meet_before, meet_after; /* in the order of the forward pass */
    int in[STOIC_TAPE_INPUTS];
    bool adds[STOIC_TAPE_INPUTS];
    int n_in, out;
    bool silent[STOIC_TAPE_INPUTS]; /* the backward pass gives this input nothing */
    bool hands_over;                /* what is left in the gradient of out is that of an input */
    bool in_place;                  /* the gradient of in[0] is that of out, changed in place */
    bool shares[STOIC_TAPE_INPUTS]; /* … or takes over its memory */
    int layer;                      /* number of the model's layer; -1 */
    int part;                       /* index into convs, products, norms */
    stoic_activation act;
    stoic_window window;
    stoic_unary unary;
    float limit, with; /* choices */
    double ratio;      /* dropout */
    bool max;
};

/* A convolution: by oneDNN, for shards of the common size and for the last. */
typedef struct stoic_tape_conv {
    int weights, bias; /* parameters; -1: not trained */
    int tensor[2];     /* values: weights and bias; -1: no bias */
    bool data;         /* does the input want a gradient? */
    stoic_dnn_shape shape;
    stoic_dnn_train *train[2];  /* [1] NULL where all shards are equal */
    stoic_dnn_hands **hands[2]; /* of each member */
    int64_t packed[STOIC_TRAIN_PARTS], packed_at[STOIC_TRAIN_PARTS]; /* in t->packed */
    int64_t parts_at;  /* in t->parts: dw of each shard, then db of each shard */
    int64_t part_size; /* floats a shard: dw and db, each rounded up */
    int64_t bias_from; /* offset of db in it */
} stoic_tape_conv;

/* y = alpha x W' + beta b; W as stored, [out, in] or, transposed, [in, out]. */
typedef struct stoic_tape_product {
    int weights, bias;     /* parameters; -1: not trained */
    int tensor[2];         /* values; bias -1: none */
    int64_t rows, in, out; /* rows an image */
    bool transposed;
    float alpha, beta;
    bool one_bias; /* a single value for all outputs */
    int x, y;      /* values */
} stoic_tape_product;

/* Batch normalisation of x over all images and pixels. */
typedef struct stoic_tape_norm {
    int scale, bias;   /* parameters; -1: a constant that is not trained */
    int tensor[4];     /* values: scale, bias, mean, variance */
    float *mean, *var; /* running, in the model's memory */
    double epsilon, momentum;
    int64_t channels, per_image; /* pixels an image */
    int x;
    int64_t sums_at;  /* in t->sums: of each shard sum, square, then sum, dot of the gradient */
    int64_t local_at; /* in each member's locals: see tape_norm.c */
} stoic_tape_norm;

/* A parameter's gradient comes from these. */
typedef enum stoic_tape_source_kind {
    STOIC_SOURCE_CONV,
    STOIC_SOURCE_CONV_BIAS,
    STOIC_SOURCE_PRODUCT,
    STOIC_SOURCE_PRODUCT_BIAS,
    STOIC_SOURCE_NORM, /* written by settle */
    STOIC_SOURCE_PLAIN,
} stoic_tape_source_kind;

typedef struct stoic_tape_source {
    stoic_tape_source_kind kind;
    int param, part;
    bool first; /* of its parameter: writes, the others add */
    int64_t at; /* plain: in t->parts, a copy each shard */
} stoic_tape_source;

/* What one thread owns. */
typedef struct stoic_tape_member {
    void *scratch; /* oneDNN */
    float *room;   /* a second contribution to a gradient, before it is added */
    float *locals; /* of the norms */
    double *plain; /* operands of a plain definition */
    stoic_status status;
    stoic_error error;
} stoic_tape_member;

struct stoic_tape {
    stoic_model *model;
    stoic_team *team;
    int members;
    const stoic_kernels *kernels;
    const stoic_gradient_kernels *gradients;
    uint64_t seed, step;
    bool inference;
    const float *images;

    int64_t batch, shard_images; /* of every shard but perhaps the last */
    int shards;

    stoic_tape_value *values;
    int input, head;
    stoic_tape_step *steps;
    int n_steps, cap_steps;
    stoic_tape_slot *slots;
    int n_slots;
    stoic_tape_conv *convs;
    int n_convs;
    stoic_tape_product *products;
    int n_products;
    stoic_tape_norm *norms;
    int n_norms;
    stoic_tape_param *params;
    int n_params;
    stoic_tape_source *sources;
    int n_sources;
    struct stoic_tape_hit {
        int layer;
        const stoic_map_hits *hits;
    } * hits;                      /* of each image; NULL: no faults */
    stoic_activation *before_pool; /* node of a max-pool -> activation moved behind it */

    float *activations, *whole, *arena; /* arena: arena_floats an image */
    int64_t n_activations, n_whole, arena_floats;
    float *gradients_memory, *shadow;
    int64_t n_gradients;
    float *packed, *parts;
    int64_t n_packed, n_parts;
    double *sums;
    int64_t n_sums, n_locals, n_plain, n_room;
    size_t scratch;
    stoic_tape_member *member;
};

/* Memory of a value for the images of a shard on. */
float *stoic_tape_data(const stoic_tape *t, int value, int shard);
float *stoic_tape_gradient(const stoic_tape *t, int value, int shard);
int64_t stoic_tape_images(const stoic_tape *t, int shard);

/* A constant as this step reads it: the parameter's weights in use, or the model's. */
const float *stoic_tape_constant(const stoic_tape *t, int param, int tensor);

static inline int stoic_tape_root(const stoic_tape *t, int value) {
    return t->values[value].root;
}

/* ---- planning ---- */

typedef struct stoic_tape_plan {
    stoic_tape *t;
    const stoic_model *model;
    bool *needed; /* node: the head depends on it */
    int *readers; /* value -> needed nodes that read it */
    int *reader;  /* value -> the last of them */
    bool *done;   /* node: part of a step */
    bool map_faults;
    const int *also;
    size_t n_also;
    char problems[1200];
    int n_problems;
} stoic_tape_plan;

/* A step at the end of the tape, zeroed except for out, layer and part = -1. */
stoic_status stoic_tape_step_add(stoic_tape_plan *p, int node, stoic_tape_step **out,
                                 stoic_error *err);
/* Makes `value` a computed value of its own. */
void stoic_tape_value_add(stoic_tape_plan *p, int value, bool wanted);
/* The parameter that trains constant `value`, created on the first call. `source` is where its
 * gradient comes from. *out is -1 for a constant that is not trained. */
stoic_status stoic_tape_param_add(stoic_tape_plan *p, int value, stoic_tape_source source, int *out,
                                  stoic_error *err);
/* The only needed reader of `value`, if it may be merged with what computes it; else -1. */
int stoic_tape_sole_reader(const stoic_tape_plan *p, int value);
int64_t stoic_tape_reserve(int64_t *total, int64_t floats);

/* STOIC_ERR_UNSUPPORTED: not this way. */
stoic_status stoic_tape_plan_conv(stoic_tape_plan *p, int node, stoic_error *err);
stoic_status stoic_tape_plan_product(stoic_tape_plan *p, int node, stoic_error *err);
stoic_status stoic_tape_plan_norm(stoic_tape_plan *p, int node, stoic_error *err);
stoic_status stoic_tape_plan_local(stoic_tape_plan *p, int node, stoic_error *err);
stoic_status stoic_tape_plan_plain(stoic_tape_plan *p, int node, stoic_error *err);
/* An activation, or a sum and the activation behind it. */
stoic_status stoic_tape_plan_finish(stoic_tape_plan *p, int node, stoic_error *err);
/* A place where feature-map faults hit the output of a layer. */
stoic_status stoic_tape_plan_fault(stoic_tape_plan *p, int node, int value, stoic_error *err);
/* Gives every gradient its memory. */
stoic_status stoic_tape_place(stoic_tape *t, stoic_error *err);

/* oneDNN's part of a convolution, and its handles for every member. */
stoic_status stoic_tape_conv_prepare(stoic_tape *t, stoic_tape_conv *conv, stoic_error *err);
void stoic_tape_conv_deinit(stoic_tape *t, stoic_tape_conv *conv);
stoic_status stoic_tape_conv_pack(stoic_tape *t, stoic_tape_conv *conv, stoic_error *err);
stoic_status stoic_tape_conv_collect(stoic_tape *t, const stoic_tape_source *source, int member,
                                     stoic_error *err);
void stoic_tape_norm_collect(stoic_tape *t, const stoic_tape_source *source);
void stoic_tape_plain_collect(stoic_tape *t, const stoic_tape_source *source);
stoic_status stoic_tape_product_collect(stoic_tape *t, const stoic_tape_source *source, int member,
                                        stoic_error *err);

#endif
