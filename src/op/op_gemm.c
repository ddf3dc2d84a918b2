/*
 * Gemm: Y = alpha A' B' + beta C, with A' and B' transposed if asked and C broadcast.
 * MatMul: the product of the last two axes, leading axes broadcast as in numpy.matmul.
 */
#include "op/op_kit.h"

static stoic_status gemm_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_matrix_product p;
    stoic_status status = stoic_gemm_product(call, &p, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = {.rank = 2, .dim = {p.rows, p.columns}};
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

static stoic_status gemm_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    stoic_matrix_product p;
    stoic_status status = stoic_gemm_product(call, &p, err);
    if (status != STOIC_OK)
        return status;
    const stoic_shape y = {.rank = 2, .dim = {p.rows, p.columns}};
    int64_t a_row = p.transpose_a ? 1 : p.inner, a_inner = p.transpose_a ? p.rows : 1;
    int64_t b_column = p.transpose_b ? p.inner : 1, b_inner = p.transpose_b ? 1 : p.columns;
    int64_t c_stride[STOIC_MAX_RANK] = {0};
    bool has_c = stoic_input_present(call, 2);
    if (has_c)
        stoic_broadcast_strides(&call->in[2].shape, &y, c_stride);
    for (int64_t i = 0; i < p.rows; i++)
        for (int64_t j = 0; j < p.columns; j++) {
            double sum = 0;
            for (int64_t k = 0; k < p.inner; k++)
                sum += in[0][i * a_row + k * a_inner] * in[1][k * b_inner + j * b_column];
            /* alpha = 1 and beta = 1 multiply exactly; NaN and Inf pass */
            sum *= p.alpha;
            if (has_c)
                sum += p.beta * in[2][i * c_stride[0] + j * c_stride[1]];
            out[0][i * p.columns + j] = sum;
        }
    return STOIC_OK;
}

/* The shapes of MatMul: a vector is a row on the left and a column on the right. */
typedef struct matmul {
    stoic_shape a, b; /* as matrices */
    stoic_shape batch;
    int64_t rows, inner, columns;
} matmul;

static stoic_shape leading(const stoic_shape *shape) {
    stoic_shape batch = {.rank = shape->rank - 2};
    for (int i = 0; i < batch.rank; i++)
        batch.dim[i] = shape->dim[i];
    return batch;
}

static stoic_status matmul_resolve(const stoic_op_call *call, matmul *m, stoic_error *err) {
    stoic_status status;
    char left[128], right[128];
    TRY(stoic_input_check(call, 0, DTYPES_FLOAT, 1, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_FLOAT, 1, STOIC_MAX_RANK, err));
    m->a = call->in[0].shape;
    m->b = call->in[1].shape;
    if (m->a.rank == 1)
        m->a = (stoic_shape){.rank = 2, .dim = {1, m->a.dim[0]}};
    if (m->b.rank == 1)
        m->b = (stoic_shape){.rank = 2, .dim = {m->b.dim[0], 1}};
    m->rows = m->a.dim[m->a.rank - 2];
    m->inner = m->a.dim[m->a.rank - 1];
    m->columns = m->b.dim[m->b.rank - 1];
    if (m->b.dim[m->b.rank - 2] != m->inner)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: shapes %s and %s do not fit",
                          call->op->name, stoic_shape_text(&call->in[0].shape, left),
                          stoic_shape_text(&call->in[1].shape, right));
    m->a = leading(&m->a);
    m->b = leading(&m->b);
    TRY(stoic_shape_broadcast(call, &m->a, &m->b, &m->batch, err));
done:
    return status;
}

static stoic_status matmul_infer(const stoic_op_call *call, stoic_error *err) {
    matmul m;
    stoic_status status = matmul_resolve(call, &m, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = m.batch;
    if (call->in[0].shape.rank > 1)
        shape.dim[shape.rank++] = m.rows;
    if (call->in[1].shape.rank > 1)
        shape.dim[shape.rank++] = m.columns;
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

static stoic_status matmul_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    matmul m;
    stoic_status status = matmul_resolve(call, &m, err);
    if (status != STOIC_OK)
        return status;
    int64_t step_a[STOIC_MAX_RANK], step_b[STOIC_MAX_RANK];
    stoic_broadcast_strides(&m.a, &m.batch, step_a);
    stoic_broadcast_strides(&m.b, &m.batch, step_b);
    int64_t batch = stoic_shape_count(&m.batch);
    double *y = out[0];
    for (int64_t n = 0; n < batch; n++) {
        const double *a = in[0] + stoic_strided_offset(&m.batch, step_a, n) * m.rows * m.inner;
        const double *b = in[1] + stoic_strided_offset(&m.batch, step_b, n) * m.inner * m.columns;
        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.columns; j++) {
                double sum = 0;
                for (int64_t k = 0; k < m.inner; k++)
                    sum += a[i * m.inner + k] * b[k * m.columns + j];
                *y++ = sum;
            }
    }
    return STOIC_OK;
}

static int64_t gemm_macs(const stoic_op_call *call) {
    return stoic_saturated_product(stoic_shape_count(&call->out[0].shape),
                                   call->in[0].shape.dim[!stoic_attr_int(call, "transA", 0)]);
}

static int64_t matmul_macs(const stoic_op_call *call) {
    const stoic_shape *a = &call->in[0].shape;
    return stoic_saturated_product(stoic_shape_count(&call->out[0].shape), a->dim[a->rank - 1]);
}

static const stoic_attr_spec gemm_attrs[] = {{"alpha", STOIC_ATTR_FLOAT, 1, 0},
                                             {"beta", STOIC_ATTR_FLOAT, 1, 0},
                                             {"transA", STOIC_ATTR_INT, 1, 0},
                                             {"transB", STOIC_ATTR_INT, 1, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec matmul_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_gemm = {
    .name = "Gemm",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 3,
    .max_out = 1,
    .attrs = gemm_attrs,
    .facts = STOIC_OP_LAYER | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS,
    .infer = gemm_infer,
    .reference = gemm_reference,
    .macs = gemm_macs,
};

const stoic_op stoic_op_mat_mul = {
    .name = "MatMul",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = matmul_attrs,
    .facts = STOIC_OP_LAYER | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS,
    .infer = matmul_infer,
    .reference = matmul_reference,
    .macs = matmul_macs,
};
