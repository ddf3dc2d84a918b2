/*
 * A network of the zoo, written down layer by layer.
 *
 * A family is one file: its networks, the choices they leave, and a function that writes one of
 * them with the calls below. A plan either builds a model or, without a builder, only counts, so
 * that sizes are known and checked before any memory is taken.
 */
#ifndef STOIC_MODEL_ZOO_PLAN_H
#define STOIC_MODEL_ZOO_PLAN_H

#include "model/graph.h"

enum { STOIC_ZOO_NAME = 96, STOIC_ZOO_CHOICES = 3 };

/* ---- what there is ---- */

/* A key of the spec with a fixed set of values; which one is meant is their number. */
typedef struct stoic_zoo_choice {
    const char *key, *values[3];
} stoic_zoo_choice;

/* A network by name, and what it is unless the spec says otherwise. */
typedef struct stoic_zoo_entry {
    const char *name, *description;
    const char *short_for; /* a second spelling of this entry of the family, or NULL */
    int64_t channels, size, classes;
    int variant; /* for the family's write() */
    int choice[STOIC_ZOO_CHOICES];
} stoic_zoo_entry;

/* How initial weights are drawn: uniform in ±gain/sqrt(fan), or normal with that deviation. */
typedef enum stoic_zoo_fan {
    STOIC_ZOO_FAN_IN,
    STOIC_ZOO_FAN_OUT,
    STOIC_ZOO_FAN_BOTH, /* the sum */
    STOIC_ZOO_FAN_ONE,  /* 1: the gain is absolute */
} stoic_zoo_fan;

typedef struct stoic_zoo_draw {
    double gain;
    stoic_zoo_fan fan;
    bool normal;
    bool zero_bias; /* else a bias is uniform in ±1/sqrt(fan in) */
} stoic_zoo_draw;

/* PyTorch's default for Conv2d and Linear. */
#define STOIC_ZOO_DRAW_PYTORCH                                                                     \
    { .gain = 1, .fan = STOIC_ZOO_FAN_IN }

typedef struct stoic_zoo_plan stoic_zoo_plan;

typedef struct stoic_zoo_family {
    const stoic_zoo_entry *entries;
    size_t n_entries;
    stoic_zoo_choice choices[STOIC_ZOO_CHOICES]; /* fewer: the others have no key */
    stoic_zoo_draw conv, gemm;                   /* what torchvision's constructor does */
    void (*write)(stoic_zoo_plan *p);
} stoic_zoo_family;

/* The families in the order of `stoic new --list`. */
#define STOIC_ZOO_FAMILY_LIST(X)                                                                   \
    X(lenet5) X(resnet_cifar) X(resnet) X(densenet) X(alexnet) X(vgg) X(mobilenet) X(inception)

#define STOIC_ZOO_DECLARE(name) extern const stoic_zoo_family stoic_zoo_family_##name;
STOIC_ZOO_FAMILY_LIST(STOIC_ZOO_DECLARE)
#undef STOIC_ZOO_DECLARE

/* ---- what was asked for ---- */

typedef struct stoic_zoo_order {
    const stoic_zoo_family *family;
    const stoic_zoo_entry *entry; /* never a second spelling */
    int64_t channels, size, classes;
    int choice[STOIC_ZOO_CHOICES];
    stoic_zoo_draw conv, gemm;
    char init[64]; /* as the spec spells it */
} stoic_zoo_order;

/* Reads a spec. STOIC_ERR_ARGUMENT names the network, the key and what it takes. */
stoic_status stoic_zoo_order_parse(const char *spec, stoic_zoo_order *out, stoic_error *err);
/* The shortest spec that means this: keys that differ from the entry, in a fixed order. */
void stoic_zoo_order_text(const stoic_zoo_order *order, char text[256]);
/* "activation=relu|sigmoid,pooling=max|average", or "". */
void stoic_zoo_choices_text(const stoic_zoo_family *family, char text[256]);

/* The i-th network over all families, NULL behind the last; `family` (may be NULL) gets its. */
const stoic_zoo_entry *stoic_zoo_entry_at(size_t i, const stoic_zoo_family **family);

/* ---- writing one down ---- */

/* A value: what the next layer reads. Vectors have height and width 1. */
typedef struct stoic_zoo_value {
    char name[STOIC_ZOO_NAME];
    int64_t channels, height, width;
} stoic_zoo_value;

/* The first failure sticks; everything after it does nothing. */
struct stoic_zoo_plan {
    const stoic_zoo_order *order;
    stoic_builder *b;       /* NULL: count only */
    uint64_t seed, tensors; /* tensors so far: each is drawn from a sequence of its own */
    char within[STOIC_ZOO_NAME];
    stoic_zoo_value at;                   /* the current value; set it back for a branch */
    int64_t parameters, weights, largest; /* trained; of these in Conv and Gemm; of one value */
    bool too_small;                       /* a window found no place in its input */
    bool has_relu6;
    stoic_status status;
    stoic_error *err;
};

typedef struct stoic_zoo_window {
    int64_t kernel_h, kernel_w, stride, pad_h, pad_w;
} stoic_zoo_window;

/* kernel x kernel pixels */
static inline stoic_zoo_window stoic_zoo_square(int64_t kernel, int64_t stride, int64_t pad) {
    return (stoic_zoo_window){kernel, kernel, stride, pad, pad};
}

/* The prefix of the names that follow, e.g. "layer%d.%d."; "" for none. */
void stoic_zoo_within(stoic_zoo_plan *p, const char *fmt, ...) STOIC_PRINTF(2, 3);

/* Each reads p->at, writes a node called like the layer, and makes its output p->at. */
void stoic_zoo_input(stoic_zoo_plan *p);
void stoic_zoo_conv(stoic_zoo_plan *p, const char *name, int64_t channels, stoic_zoo_window window,
                    bool bias);
void stoic_zoo_depthwise(stoic_zoo_plan *p, const char *name, stoic_zoo_window window);
void stoic_zoo_gemm(stoic_zoo_plan *p, const char *name, int64_t features);
void stoic_zoo_norm(stoic_zoo_plan *p, const char *name);
/* The same with another epsilon than 1e-5. */
void stoic_zoo_norm_with(stoic_zoo_plan *p, const char *name, double epsilon);
void stoic_zoo_max_pool(stoic_zoo_plan *p, const char *name, stoic_zoo_window window);
/* Padding, if any, counts as zeros. */
void stoic_zoo_average_pool(stoic_zoo_plan *p, const char *name, stoic_zoo_window window);
/* GlobalAveragePool and Flatten. */
void stoic_zoo_global_pool(stoic_zoo_plan *p, const char *name);
void stoic_zoo_flatten(stoic_zoo_plan *p, const char *name);
void stoic_zoo_relu(stoic_zoo_plan *p, const char *name);
void stoic_zoo_relu6(stoic_zoo_plan *p, const char *name);
void stoic_zoo_sigmoid(stoic_zoo_plan *p, const char *name);
void stoic_zoo_dropout(stoic_zoo_plan *p, const char *name, double ratio);
/* p->at + other */
void stoic_zoo_add(stoic_zoo_plan *p, const char *name, const stoic_zoo_value *other);
/* n values side by side in channels */
void stoic_zoo_concat(stoic_zoo_plan *p, const char *name, const stoic_zoo_value *values, size_t n);

#endif
