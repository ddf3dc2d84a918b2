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

/* Where the elements of A', B' and C lie: row and column steps. */
typedef struct gemm_steps {
    int64_t a_row, a_inner, b_inner, b_column, c_row, c_column;
} gemm_steps;

static gemm_steps gemm_layout(const stoic_op_call *call, const stoic_matrix_product *p) {
    const stoic_shape y = {.rank = 2, .dim = {p->rows, p->columns}};
    int64_t c_stride[STOIC_MAX_RANK] = {0};
    if (stoic_input_present(call, 2))
        stoic_broadcast_strides(&call->in[2].shape, &y, c_stride);
    return (gemm_steps){.a_row = p->transpose_a ? 1 : p->inner,
                        .a_inner = p->transpose_a ? p->rows : 1,
                        .b_inner = p->transpose_b ? 1 : p->columns,
                        .b_column = p->transpose_b ? p->inner : 1,
                        .c_row = c_stride[0],
                        .c_column = c_stride[1]};
}

static stoic_status gemm_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    stoic_matrix_product p;
    stoic_status status = stoic_gemm_product(call, &p, err);
    if (status != STOIC_OK)
        return status;
    const gemm_steps s = gemm_layout(call, &p);
    bool has_c = stoic_input_present(call, 2);
    for (int64_t i = 0; i < p.rows; i++)
        for (int64_t j = 0; j < p.columns; j++) {
            double sum = 0;
            for (int64_t k = 0; k < p.inner; k++)
                sum += in[0][i * s.a_row + k * s.a_inner] * in[1][k * s.b_inner + j * s.b_column];
            /* alpha = 1 and beta = 1 multiply exactly; NaN and Inf pass */
            sum *= p.alpha;
            if (has_c)
                sum += p.beta * in[2][i * s.c_row + j * s.c_column];
            out[0][i * p.columns + j] = sum;
        }
    return STOIC_OK;
}

/* A' gets alpha G B'^T, B' gets alpha A'^T G, C gets beta G summed over the axes it is repeated on.
 */
static stoic_status gemm_backward(const stoic_op_call *call, const double *const *in,
                                  const double *const *out, const double *const *grad_out,
                                  double *const *grad_in, stoic_error *err) {
    (void)out;
    stoic_matrix_product p;
    stoic_status status = stoic_gemm_product(call, &p, err);
    if (status != STOIC_OK)
        return status;
    const gemm_steps s = gemm_layout(call, &p);
    double *to_c = stoic_input_present(call, 2) ? grad_in[2] : NULL;
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0; i < p.rows; i++)
        for (int64_t j = 0; j < p.columns; j++) {
            double grad = grad_out[0][i * p.columns + j], scaled = p.alpha * grad;
            for (int64_t k = 0; k < p.inner; k++) {
                int64_t a = i * s.a_row + k * s.a_inner, b = k * s.b_inner + j * s.b_column;
                if (grad_in[0])
                    grad_in[0][a] += scaled * in[1][b];
                if (grad_in[1])
                    grad_in[1][b] += scaled * in[0][a];
            }
            if (to_c)
                to_c[i * s.c_row + j * s.c_column] += p.beta * grad;
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

/* As in gemm_backward(), for each matrix of the batch; one that is repeated gets the sum. */
static stoic_status matmul_backward(const stoic_op_call *call, const double *const *in,
                                    const double *const *out, const double *const *grad_out,
                                    double *const *grad_in, stoic_error *err) {
    (void)out;
    matmul m;
    stoic_status status = matmul_resolve(call, &m, err);
    if (status != STOIC_OK)
        return status;
    int64_t step_a[STOIC_MAX_RANK], step_b[STOIC_MAX_RANK];
    stoic_broadcast_strides(&m.a, &m.batch, step_a);
    stoic_broadcast_strides(&m.b, &m.batch, step_b);
    int64_t batch = stoic_shape_count(&m.batch);
    const double *grad = grad_out[0];
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t n = 0; n < batch; n++) {
        int64_t a0 = stoic_strided_offset(&m.batch, step_a, n) * m.rows * m.inner;
        int64_t b0 = stoic_strided_offset(&m.batch, step_b, n) * m.inner * m.columns;
        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.columns; j++, grad++)
                for (int64_t k = 0; k < m.inner; k++) {
                    int64_t a = a0 + i * m.inner + k, b = b0 + k * m.columns + j;
                    if (grad_in[0])
                        grad_in[0][a] += *grad * in[1][b];
                    if (grad_in[1])
                        grad_in[1][b] += *grad * in[0][a];
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

/* A product carries the factor of its one computed side; the summand C carries it too. */
static uint64_t product_homogeneous(const stoic_op_call *call) {
    bool left = !call->in[0].constant, right = !call->in[1].constant;
    uint64_t side = left && right ? 0 : right ? 2 : 1;
    return side && stoic_input_present(call, 2) ? side | 4 : side;
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
    .homogeneous = product_homogeneous,
    .reference = gemm_reference,
    .macs = gemm_macs,
    .backward = gemm_backward,
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
    .homogeneous = product_homogeneous,
    .reference = matmul_reference,
    .macs = matmul_macs,
    .backward = matmul_backward,
};
