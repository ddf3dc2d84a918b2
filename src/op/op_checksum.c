/*
 * Checksums over the output channels of a layer, in the domain ai.stoic (docs/formats.md):
 *
 *   WindowSum  s[n, (c k) taps] = sum over output positions of what tap k of channel c reads
 *   Checksum   is the sum over y's channels what the summed filters give? Counts those that are not
 *   Alarm      x as it is; the image has no answer where the count is not 0
 *
 * A layer's outputs y[k] = b[k] + sum_i w[k, i] x[i] sum up to B + sum_i W[i] x[i], W and B the
 * sums of the filters and biases, taken when the network was hardened. Checksum compares d = |sum y
 * - sums| with the most that rounding can be, given M = sum_k sum_i |w[k, i]| |x[i]| (`bounds`,
 * running with the sum):
 *
 *   tolerance = g M + t 2^-149,   g = n u / (1 - n u),  n = 2 terms + 8,  u = 2^-24
 *
 * Each y[k] and `sums` itself is a sum of `terms` products, off by at most terms u relative to its
 * magnitudes; the rounded filters, M's own rounding and WindowSum's add the 8; 2^-149 is the least
 * step below the normal range, once for each of the t products. NaN is never within the tolerance.
 */
#include <math.h>

#include "op/checksum.h"
#include "op/op_kit.h"

static int64_t channels_of(const stoic_operand *x) {
    return x->shape.rank > 1 ? x->shape.dim[1] : 0;
}

static int64_t places_of(const stoic_operand *x) {
    int64_t places = 1;
    for (int i = 2; i < x->shape.rank; i++)
        places *= x->shape.dim[i];
    return places;
}

/* ---- WindowSum ---- */

static stoic_status window_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_window w;
    stoic_status status;
    TRY(stoic_input_check(call, 0, DTYPE_BIT(STOIC_F32), 4, 4, err));
    TRY(stoic_pool_window(call, &w, err));
    int64_t taps = stoic_saturated_product(w.kernel[0], w.kernel[1]);
    stoic_shape shape = {2,
                         {call->in[0].shape.dim[0], stoic_saturated_product(w.in_channels, taps)}};
    stoic_out_write(call, 0, STOIC_F32, &shape);
done:
    return status;
}

/* Only what lies inside is gone through, however much padding a file asks for. */
static double sum_tap(const stoic_window *w, const double *x, int64_t a, int64_t b,
                      bool magnitude) {
    double sum = 0;
    for (int64_t row = stoic_window_first(w, 0, a); row < w->out[0]; row++) {
        int64_t h = stoic_window_index(w, 0, row, a);
        if (h >= w->in[0])
            break;
        for (int64_t column = stoic_window_first(w, 1, b); column < w->out[1]; column++) {
            int64_t v = stoic_window_index(w, 1, column, b);
            if (v >= w->in[1])
                break;
            double value = x[h * w->in[1] + v];
            sum += magnitude ? fabs(value) : value;
        }
    }
    return sum;
}

static stoic_status window_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    stoic_window w;
    stoic_status status = stoic_pool_window(call, &w, err);
    if (status != STOIC_OK)
        return status;
    bool magnitude = stoic_attr_int(call, "magnitude", 0) != 0;
    double *to = out[0];
    for (int64_t c = 0; c < call->in[0].shape.dim[0] * w.in_channels; c++)
        for (int64_t a = 0; a < w.kernel[0]; a++)
            for (int64_t b = 0; b < w.kernel[1]; b++)
                *to++ = sum_tap(&w, in[0] + c * w.in[0] * w.in[1], a, b, magnitude);
    return STOIC_OK;
}

/* ---- Checksum ---- */

bool stoic_checksum_tolerance(const stoic_op_call *call, double *share, double *least) {
    double n = 2.0 * (double)stoic_attr_int(call, "terms", 0) + 8, u = 0x1p-24;
    *share = n * u < 1 ? n * u / (1 - n * u) : INFINITY;
    *least = 0x1p-149 * n * (double)stoic_shape_count(&call->in[0].shape);
    return n * u < 1;
}

static bool same_places(const stoic_operand *a, const stoic_operand *b) {
    bool same = a->shape.rank == b->shape.rank;
    for (int i = 2; i < a->shape.rank && same; i++)
        same = a->shape.dim[i] == b->shape.dim[i];
    return same;
}

static stoic_status checksum_infer(const stoic_op_call *call, stoic_error *err) {
    double share, least;
    bool bounds = stoic_input_present(call, 2);
    stoic_status status;
    TRY(stoic_input_check(call, 0, DTYPE_BIT(STOIC_F32), 2, 4, err));
    TRY(stoic_input_check(call, 1, DTYPE_BIT(STOIC_F32), 2, 4, err));
    if (bounds)
        TRY(stoic_input_check(call, 2, DTYPE_BIT(STOIC_F32), 2, 4, err));
    if (stoic_input_present(call, 3))
        TRY(stoic_input_check(call, 3, DTYPE_BIT(STOIC_F32), 2, 2, err));
    const stoic_operand *y = &call->in[0], *sums = &call->in[1];
    int64_t batch = y->shape.dim[0];
    bool fits = (sums->shape.rank == 2 || same_places(y, sums)) && sums->shape.dim[0] == batch &&
                channels_of(sums) == (bounds ? 1 : 2);
    if (bounds)
        fits = fits && same_places(sums, &call->in[2]) && channels_of(&call->in[2]) == 1 &&
               call->in[2].shape.dim[0] == batch;
    if (stoic_input_present(call, 3))
        fits = fits && channels_of(&call->in[3]) == 1 && call->in[3].shape.dim[0] == batch;
    if (!fits)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "Checksum: the sums do not fit what they are to be compared with");
    if (stoic_attr_int(call, "terms", 0) < 1 || stoic_attr_int(call, "terms", 0) > 1 << 22 ||
        !stoic_checksum_tolerance(call, &share, &least))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "Checksum needs 'terms' from 1 to %d, found %lld", 1 << 22,
                          (long long)stoic_attr_int(call, "terms", 0));
    stoic_shape shape = {2, {batch, 1}};
    stoic_out_write(call, 0, STOIC_F32, &shape);
done:
    return status;
}

/* Of image n: is the sum at `place` off? places: of the sums, 1 where all of y is one sum. */
static bool is_off(const stoic_op_call *call, const double *const *in, int64_t n, int64_t places,
                   int64_t place) {
    const stoic_operand *y = &call->in[0];
    int64_t channels = channels_of(y), all = places_of(y), width = channels_of(&call->in[1]);
    double sum = 0, share, least;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t p = places == 1 ? 0 : place; p < (places == 1 ? all : place + 1); p++)
            sum += in[0][(n * channels + c) * all + p];
    double bound = in[2] ? in[2][n * places + place] : in[1][(n * width + 1) * places + place];
    stoic_checksum_tolerance(call, &share, &least);
    return !(fabs(sum - in[1][n * width * places + place]) <= share * bound + least);
}

static stoic_status checksum_reference(const stoic_op_call *call, const double *const *given,
                                       double *const *out, stoic_error *err) {
    (void)err;
    const double *in[4] = {given[0], given[1], call->n_in > 2 ? given[2] : NULL,
                           call->n_in > 3 ? given[3] : NULL};
    int64_t places = places_of(&call->in[1]);
    for (int64_t n = 0; n < call->out[0].shape.dim[0]; n++) {
        bool off = false;
        for (int64_t p = 0; p < places && !off; p++)
            off = is_off(call, in, n, places, p);
        out[0][n] = (in[3] ? in[3][n] : 0) + off;
    }
    return STOIC_OK;
}

/* ---- Alarm ---- */

static stoic_status alarm_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    TRY(stoic_input_check(call, 0, DTYPE_BIT(STOIC_F32), 1, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPE_BIT(STOIC_F32), 2, 2, err));
    if (call->in[1].shape.dim[1] != 1 || call->in[1].shape.dim[0] != call->in[0].shape.dim[0])
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "Alarm needs one count for each image");
    TRY(stoic_infer_same(call, DTYPE_BIT(STOIC_F32), err));
done:
    return status;
}

static const stoic_attr_spec window_attrs[] = {
    {"dilations", STOIC_ATTR_INTS, 1, 0}, {"kernel_shape", STOIC_ATTR_INTS, 1, 0},
    {"magnitude", STOIC_ATTR_INT, 1, 0},  {"pads", STOIC_ATTR_INTS, 1, 0},
    {"strides", STOIC_ATTR_INTS, 1, 0},   {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec checksum_attrs[] = {{"terms", STOIC_ATTR_INT, 1, 0},
                                                 {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_window_sum = {
    .name = "WindowSum",
    .domain = "ai.stoic",
    .since = 1,
    .until = 1,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = window_attrs,
    .facts = 0,
    .infer = window_infer,
    .reference = window_reference,
};

const stoic_op stoic_op_checksum = {
    .name = "Checksum",
    .domain = "ai.stoic",
    .since = 1,
    .until = 1,
    .min_in = 2,
    .max_in = 4,
    .max_out = 1,
    .attrs = checksum_attrs,
    .facts = 0,
    .infer = checksum_infer,
    .reference = checksum_reference,
};

const stoic_op stoic_op_alarm = {
    .name = "Alarm",
    .domain = "ai.stoic",
    .since = 1,
    .until = 1,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = 0,
    .infer = alarm_infer,
    .reference = stoic_reference_copy,
};
