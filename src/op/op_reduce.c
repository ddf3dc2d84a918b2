/* ReduceMean: the mean over a set of axes, kept with size 1 or dropped. */
#include "op/op_kit.h"

static stoic_status mean_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    unsigned axes;
    bool keep;
    const stoic_shape *x = &call->in[0].shape;
    stoic_shape shape = {.rank = 0};
    TRY(stoic_input_check(call, 0, DTYPES_FLOAT, 0, STOIC_MAX_RANK, err));
    TRY(stoic_reduce_resolve(call, &axes, &keep, err));
    for (int i = 0; i < x->rank; i++) {
        bool reduced = axes >> i & 1u;
        if (!reduced || keep)
            shape.dim[shape.rank++] = reduced ? 1 : x->dim[i];
    }
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

/* Strides of the output seen as the input, 0 along the axes that are reduced; how many means there
 * are, and of how many elements each. */
typedef struct means {
    int64_t stride[STOIC_MAX_RANK], count, elements;
} means;

static stoic_status mean_resolve(const stoic_op_call *call, means *m, stoic_error *err) {
    unsigned axes;
    bool keep;
    stoic_status status = stoic_reduce_resolve(call, &axes, &keep, err);
    if (status != STOIC_OK)
        return status;
    const stoic_shape *x = &call->in[0].shape;
    m->count = m->elements = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        bool gone = axes >> i & 1u;
        m->stride[i] = gone ? 0 : m->count;
        *(gone ? &m->elements : &m->count) *= x->dim[i];
    }
    return STOIC_OK;
}

static stoic_status mean_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    means m;
    stoic_status status = mean_resolve(call, &m, err);
    if (status != STOIC_OK)
        return status;
    for (int64_t i = 0; i < m.count; i++)
        out[0][i] = 0;
    for (int64_t i = 0; i < m.count * m.elements; i++)
        out[0][stoic_strided_offset(&call->in[0].shape, m.stride, i)] += in[0][i];
    for (int64_t i = 0; i < m.count; i++)
        out[0][i] /= (double)m.elements;
    return STOIC_OK;
}

static stoic_status mean_backward(const stoic_op_call *call, const double *const *in,
                                  const double *const *out, const double *const *grad_out,
                                  double *const *grad_in, stoic_error *err) {
    (void)in;
    (void)out;
    means m;
    stoic_status status = mean_resolve(call, &m, err);
    if (status != STOIC_OK)
        return status;
    stoic_gradients_clear(call, 1, grad_in);
    for (int64_t i = 0; grad_in[0] && i < m.count * m.elements; i++)
        grad_in[0][i] =
            grad_out[0][stoic_strided_offset(&call->in[0].shape, m.stride, i)] / (double)m.elements;
    return STOIC_OK;
}

static const stoic_attr_spec mean_attrs[] = {{"axes", STOIC_ATTR_INTS, 1, 17},
                                             {"keepdims", STOIC_ATTR_INT, 1, 0},
                                             {"noop_with_empty_axes", STOIC_ATTR_INT, 18, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_reduce_mean = {
    .name = "ReduceMean",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 2,
    .max_out = 1,
    .attrs = mean_attrs,
    .facts = STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS | STOIC_OP_NONEXPANSIVE,
    .infer = mean_infer,
    .reference = mean_reference,
    .backward = mean_backward,
};
