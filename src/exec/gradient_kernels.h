/*
 * Our own kernels for training, beside those of kernels.h: gradients of everything that is not a
 * convolution or matrix product, and the sums batch normalisation needs.
 *
 * Compiled once per instruction set, same bits on all: elementwise formulas, and sums in an order
 * that is written down. Data is channels last: `rows` pixels of `channels` floats. `g` is the
 * gradient of the loss with respect to y, replaced in place where it says so.
 */
#ifndef STOIC_EXEC_GRADIENT_KERNELS_H
#define STOIC_EXEC_GRADIENT_KERNELS_H

#include "exec/kernels.h"

/* m NULL: no momentum. */
typedef struct stoic_sgd {
    float lr, momentum, decay, factor;
    bool nesterov;
} stoic_sgd;

typedef struct stoic_adam {
    float beta1, beta2, epsilon, decay, factor;
    float keep;          /* of the weight: decoupled decay */
    float rate, correct; /* learning rate and 1 / sqrt, corrected for the start at zero */
} stoic_adam;

typedef struct stoic_gradient_kernels {
    const char *isa;

    /* sum[c] += Σ (x - shift[c]), square[c] += Σ (x - shift[c])², over the rows. */
    void (*moments)(const float *x, const float *shift, int64_t rows, int64_t channels, double *sum,
                    double *square);

    /* g *= act'(y), in place. The slope is taken from y = act(x): 0 where relu gave 0, and where
     * clip gave a bound or beyond. */
    void (*act)(float *g, const float *y, stoic_activation act, int64_t n);

    /* The same, with sum[c] += Σ g and dot[c] += Σ g (x - mean[c]). */
    void (*act_moments)(float *g, const float *y, stoic_activation act, const float *x,
                        const float *mean, int64_t rows, int64_t channels, double *sum,
                        double *dot);

    /* dx = a[c] (g - m[c] - (x - mean[c]) s[c]); dx may be g. The gradient of batch normalisation
     * (Ioffe and Szegedy 2015) with a = scale / sqrt(var + eps), m the mean of g, s the mean of
     * g (x - mean) divided by var + eps. */
    void (*norm)(float *dx, const float *g, const float *x, const float *mean, const float *a,
                 const float *m, const float *s, int64_t rows, int64_t channels);

    /* g *= f'(x), in place, from y = f(x) (Sigmoid, Tanh). */
    void (*unary)(stoic_unary f, float *g, const float *y, int64_t n);

    /* One image. dx gets g at the first of the largest elements of each window, and zero
     * elsewhere; g has passed the activation behind the pool already. */
    void (*max_pool)(const stoic_window *w, const float *x, const float *y, const float *g,
                     float *dx);
    /* One image. dx gets each g divided by the size of its window, on all its elements. */
    void (*average_pool)(const stoic_window *w, const float *g, float *dx);

    /* One step of an optimiser for n weights: train/optimiser.h has the formulas. */
    void (*sgd)(const stoic_sgd *o, float *w, const float *g, float *m, int64_t n);
    void (*adam)(const stoic_adam *o, float *w, const float *g, float *m, float *v, int64_t n);

    /* y += x */
    void (*add)(float *y, const float *x, int64_t n);
    /* y = Σ parts, in order; part i begins at parts + i * stride. */
    void (*sum_parts)(float *y, const float *parts, int64_t n_parts, int64_t stride, int64_t n);
    /* sum[c] += Σ x over the rows. */
    void (*column_sums)(const float *x, int64_t rows, int64_t channels, double *sum);
} stoic_gradient_kernels;

/* The best set for this CPU, and all of them for tests, as in kernels.h. */
const stoic_gradient_kernels *stoic_gradient_kernels_get(void);
int stoic_gradient_kernels_all(const stoic_gradient_kernels *sets[3]);

#endif
