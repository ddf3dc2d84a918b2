/*
 * Conv: y[n, m, o] = b[m] + sum over c, k of w[m, c, k] x[n, c, o stride - pad + k dilation],
 * c running over the channels of m's group. Taps that fall on padding are skipped, never
 * multiplied: 0 * Inf would make a NaN of an infinite weight.
 */
#include "op/op_kit.h"

static stoic_status conv_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_window w;
    stoic_status status = stoic_conv_window(call, &w, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = {.rank = w.rank + 2, .dim = {call->in[0].shape.dim[0], w.out_channels}};
    for (int i = 0; i < w.rank; i++)
        shape.dim[i + 2] = w.out[i];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

/* The sum over one channel for output position `at`. */
static double correlate(const stoic_window *w, const double *x, const double *k,
                        const int64_t at[STOIC_MAX_SPATIAL]) {
    int64_t first[STOIC_MAX_SPATIAL], last[STOIC_MAX_SPATIAL];
    double sum = 0;
    for (int i = 0; i < STOIC_MAX_SPATIAL; i++)
        stoic_window_taps(w, i, at[i], &first[i], &last[i]);
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            int64_t row =
                stoic_window_index(w, 0, at[0], a) * w->in[1] + stoic_window_index(w, 1, at[1], b);
            int64_t tap = (a * w->kernel[1] + b) * w->kernel[2];
            for (int64_t c = first[2]; c < last[2]; c++)
                sum += k[tap + c] * x[row * w->in[2] + stoic_window_index(w, 2, at[2], c)];
        }
    return sum;
}

static void conv_plane(const stoic_window *w, const double *x, const double *k, double bias,
                       double *y) {
    int64_t per_group = w->in_channels / w->groups;
    int64_t plane = w->in[0] * w->in[1] * w->in[2];
    int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    int64_t at[STOIC_MAX_SPATIAL];
    for (at[0] = 0; at[0] < w->out[0]; at[0]++)
        for (at[1] = 0; at[1] < w->out[1]; at[1]++)
            for (at[2] = 0; at[2] < w->out[2]; at[2]++) {
                double sum = bias;
                for (int64_t c = 0; c < per_group; c++)
                    sum += correlate(w, x + c * plane, k + c * taps, at);
                *y++ = sum;
            }
}

static stoic_status conv_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    stoic_window narrow;
    stoic_status status = stoic_conv_window(call, &narrow, err);
    if (status != STOIC_OK)
        return status;
    stoic_window w = stoic_window_widen(&narrow);
    int64_t plane_in = w.in[0] * w.in[1] * w.in[2], plane_out = w.out[0] * w.out[1] * w.out[2];
    int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
    int64_t in_per_group = w.in_channels / w.groups, out_per_group = w.out_channels / w.groups;
    for (int64_t n = 0; n < call->in[0].shape.dim[0]; n++)
        for (int64_t m = 0; m < w.out_channels; m++) {
            int64_t channel = n * w.in_channels + m / out_per_group * in_per_group;
            conv_plane(&w, in[0] + channel * plane_in, in[1] + m * in_per_group * taps,
                       stoic_input_present(call, 2) ? in[2][m] : 0,
                       out[0] + (n * w.out_channels + m) * plane_out);
        }
    return STOIC_OK;
}

/* The gradients of one output channel of one image, for the input and weights it was made of. */
typedef struct conv_gradient {
    const double *x, *weights, *grad;
    double *to_x, *to_weights; /* NULL: not wanted */
} conv_gradient;

/* correlate() backwards: the taps of position `at` in one channel, whose output has this gradient.
 */
static void spread(const stoic_window *w, const conv_gradient *g, double grad,
                   const int64_t at[STOIC_MAX_SPATIAL]) {
    int64_t first[STOIC_MAX_SPATIAL], last[STOIC_MAX_SPATIAL];
    for (int i = 0; i < STOIC_MAX_SPATIAL; i++)
        stoic_window_taps(w, i, at[i], &first[i], &last[i]);
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            int64_t row =
                stoic_window_index(w, 0, at[0], a) * w->in[1] + stoic_window_index(w, 1, at[1], b);
            int64_t tap = (a * w->kernel[1] + b) * w->kernel[2];
            for (int64_t c = first[2]; c < last[2]; c++) {
                int64_t from = row * w->in[2] + stoic_window_index(w, 2, at[2], c);
                if (g->to_x)
                    g->to_x[from] += grad * g->weights[tap + c];
                if (g->to_weights)
                    g->to_weights[tap + c] += grad * g->x[from];
            }
        }
}

static void conv_plane_backward(const stoic_window *w, const conv_gradient *plane) {
    int64_t per_group = w->in_channels / w->groups;
    int64_t size = w->in[0] * w->in[1] * w->in[2];
    int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    int64_t at[STOIC_MAX_SPATIAL];
    for (int64_t c = 0; c < per_group; c++) {
        conv_gradient g = {.x = plane->x + c * size,
                           .weights = plane->weights + c * taps,
                           .grad = plane->grad,
                           .to_x = plane->to_x ? plane->to_x + c * size : NULL,
                           .to_weights = plane->to_weights ? plane->to_weights + c * taps : NULL};
        for (at[0] = 0; at[0] < w->out[0]; at[0]++)
            for (at[1] = 0; at[1] < w->out[1]; at[1]++)
                for (at[2] = 0; at[2] < w->out[2]; at[2]++)
                    spread(w, &g, *g.grad++, at);
    }
}

static stoic_status conv_backward(const stoic_op_call *call, const double *const *in,
                                  const double *const *out, const double *const *grad_out,
                                  double *const *grad_in, stoic_error *err) {
    (void)out;
    stoic_window narrow;
    stoic_status status = stoic_conv_window(call, &narrow, err);
    if (status != STOIC_OK)
        return status;
    stoic_window w = stoic_window_widen(&narrow);
    int64_t plane_in = w.in[0] * w.in[1] * w.in[2], plane_out = w.out[0] * w.out[1] * w.out[2];
    int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
    int64_t in_per_group = w.in_channels / w.groups, out_per_group = w.out_channels / w.groups;
    bool biased = call->n_in > 2 && grad_in[2];
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t n = 0; n < call->in[0].shape.dim[0]; n++)
        for (int64_t m = 0; m < w.out_channels; m++) {
            int64_t x = (n * w.in_channels + m / out_per_group * in_per_group) * plane_in;
            int64_t weights = m * in_per_group * taps, y = (n * w.out_channels + m) * plane_out;
            conv_gradient g = {.x = in[0] + x,
                               .weights = in[1] + weights,
                               .grad = grad_out[0] + y,
                               .to_x = grad_in[0] ? grad_in[0] + x : NULL,
                               .to_weights = grad_in[1] ? grad_in[1] + weights : NULL};
            conv_plane_backward(&w, &g);
            for (int64_t i = 0; biased && i < plane_out; i++)
                grad_in[2][m] += g.grad[i];
        }
    return STOIC_OK;
}

static int64_t conv_macs(const stoic_op_call *call) {
    const stoic_shape *w = &call->in[1].shape;
    int64_t macs = stoic_shape_count(&call->out[0].shape);
    for (int i = 1; i < w->rank; i++)
        macs = stoic_saturated_product(macs, w->dim[i]);
    return macs;
}

/* The image and the bias. */
static uint64_t conv_homogeneous(const stoic_op_call *call) {
    return stoic_input_present(call, 2) ? 5 : 1;
}

static const stoic_attr_spec conv_attrs[] = {
    {"auto_pad", STOIC_ATTR_STRING, 1, 0}, {"dilations", STOIC_ATTR_INTS, 1, 0},
    {"group", STOIC_ATTR_INT, 1, 0},       {"kernel_shape", STOIC_ATTR_INTS, 1, 0},
    {"pads", STOIC_ATTR_INTS, 1, 0},       {"strides", STOIC_ATTR_INTS, 1, 0},
    {NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_conv = {
    .name = "Conv",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 3,
    .max_out = 1,
    .attrs = conv_attrs,
    .facts = STOIC_OP_LAYER | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS,
    .infer = conv_infer,
    .homogeneous = conv_homogeneous,
    .reference = conv_reference,
    .macs = conv_macs,
    .backward = conv_backward,
};
