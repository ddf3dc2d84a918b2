/*
 * Calls of every operator that has a gradient, several variants each, at points away from kinks.
 */
#ifndef STOIC_TEST_GRADIENT_CASES_H
#define STOIC_TEST_GRADIENT_CASES_H

#include "base/rng.h"
#include "op_rig.h"

typedef struct gradient_case {
    const char *op;
    int opset;
    void (*set)(void); /* adds attributes and inputs */
    unsigned fixed;    /* inputs the output depends on, but which get zeros by contract */
} gradient_case;

static stoic_rng rng;

static double uniform(double low, double high) {
    return low + (high - low) * stoic_rng_unit(&rng);
}

/* An input of distinct values in about [-span, span], none closer to another or to 0 than a third
 * of their spacing, in random order. */
static void spread_input(double span, const int64_t *dims, size_t rank) {
    double x[RIG_ELEMENTS];
    size_t count = (size_t)stoic_shape_count(&input(dims, rank)->shape);
    double spacing = 2 * span / (double)count;
    for (size_t i = 0; i < count; i++)
        x[i] = ((double)i - (double)count / 2 + 1.0 / 3) * spacing;
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)stoic_rng_below(&rng, i);
        double kept = x[i - 1];
        x[i - 1] = x[other];
        x[other] = kept;
    }
    values(x, count);
}

#define random_input(...) spread_input(1.5, LIST(__VA_ARGS__))

static void positive_input(const int64_t *dims, size_t rank) {
    spread_input(1, dims, rank);
    for (int64_t i = 0; i < RIG_ELEMENTS; i++)
        rig.x[rig.call.n_in - 1][i] = fabs(rig.x[rig.call.n_in - 1][i]) + 0.4;
}

/* attr_ints() whose list outlives the caller. */
static void list_attr(const char *name, const int64_t *list, size_t count) {
    static int64_t kept[RIG_OPERANDS][8];
    int64_t *copy = kept[rig.call.n_attrs];
    memcpy(copy, list, count * sizeof *list);
    attr_ints(name, copy, count);
}

/* ---- the cases ---- */

static void same_shapes(void) {
    random_input(2, 3, 4);
    random_input(2, 3, 4);
}

static void both_repeated(void) {
    random_input(2, 1, 4);
    random_input(3, 1);
}

static void scalar_first(void) {
    spread_input(1.5, SCALAR);
    random_input(2, 3);
}

static void divisor_repeated(void) {
    random_input(2, 3, 2);
    positive_input(LIST(3, 1));
}

static void dividend_repeated(void) {
    random_input(3, 1);
    positive_input(LIST(2, 3, 2));
}

static void vector(void) {
    random_input(2, 12);
}

static void wide_vector(void) {
    spread_input(6.3, LIST(2, 40));
}

static void image(void) {
    random_input(2, 3, 4, 5);
}

static void pool_line(void) {
    list_attr("kernel_shape", LIST(3));
    list_attr("strides", LIST(2));
    list_attr("pads", LIST(1, 0));
    random_input(2, 2, 7);
}

static void pool_plane(void) {
    list_attr("kernel_shape", LIST(3, 2));
    list_attr("strides", LIST(2, 1));
    list_attr("pads", LIST(1, 0, 1, 1));
    attr_int("ceil_mode", 1);
    random_input(1, 2, 6, 5);
}

static void pool_plane_counting(void) {
    pool_plane();
    attr_int("count_include_pad", 1);
}

static void pool_volume(void) {
    list_attr("kernel_shape", LIST(2, 3, 2));
    list_attr("strides", LIST(1, 2, 2));
    attr_string("auto_pad", "SAME_UPPER");
    random_input(1, 2, 3, 4, 5);
}

static void pool_holes(void) {
    list_attr("kernel_shape", LIST(2, 2));
    list_attr("dilations", LIST(2, 3));
    random_input(1, 2, 6, 6);
}

static void norm_of(const int64_t *dims, size_t rank) {
    attr_float("epsilon", 0.01f);
    spread_input(1.5, dims, rank);
    for (int i = 0; i < 3; i++)
        spread_input(1.5, LIST(3));
    positive_input(LIST(3));
}

static void norm_vector(void) {
    norm_of(LIST(2, 3));
}

static void norm_image(void) {
    norm_of(LIST(2, 3, 2, 4));
}

static void clip_both(void) {
    random_input(2, 12);
    scalar_constant(-0.5);
    scalar_constant(0.8);
}

static void clip_low(void) {
    random_input(2, 12);
    scalar_constant(-0.5);
}

static void clip_high(void) {
    random_input(2, 12);
    input_left_out();
    scalar_constant(0.3);
}

static void clip_attrs(void) {
    attr_float("min", -0.25f);
    attr_float("max", 0.5f);
    random_input(24);
}

static void leaky(void) {
    attr_float("alpha", -0.3f);
    random_input(2, 12);
}

static void hard_sigmoid_steep(void) {
    attr_float("alpha", 0.7f);
    attr_float("beta", 0.4f);
    random_input(2, 12);
}

static void axis_1(void) {
    attr_int("axis", 1);
    random_input(2, 3, 4);
}

static void conv_line(void) {
    list_attr("strides", LIST(2));
    list_attr("pads", LIST(2, 0));
    random_input(2, 3, 7);
    random_input(4, 3, 3);
    random_input(4);
}

static void conv_plane(void) {
    list_attr("strides", LIST(1, 2));
    list_attr("dilations", LIST(2, 1));
    list_attr("pads", LIST(1, 2, 0, 1));
    random_input(2, 2, 6, 5);
    random_input(3, 2, 2, 3);
    random_input(3);
}

static void conv_groups(void) {
    attr_int("group", 2);
    list_attr("kernel_shape", LIST(3, 3));
    random_input(1, 4, 5, 4);
    random_input(6, 2, 3, 3);
    random_input(6);
}

static void conv_depthwise(void) {
    attr_int("group", 3);
    attr_string("auto_pad", "SAME_LOWER");
    list_attr("strides", LIST(2, 2));
    random_input(2, 3, 5, 4);
    random_input(3, 1, 2, 3);
}

static void conv_volume(void) {
    list_attr("pads", LIST(1, 0, 0, 0, 1, 1));
    random_input(1, 2, 3, 4, 3);
    random_input(2, 2, 2, 3, 2);
    random_input(2);
}

static void gemm_plain(void) {
    random_input(3, 4);
    random_input(4, 5);
}

static void gemm_scaled(void) {
    attr_float("alpha", 0.75f);
    attr_float("beta", -1.5f);
    attr_int("transB", 1);
    random_input(3, 4);
    random_input(5, 4);
    random_input(5);
}

static void gemm_turned(void) {
    attr_int("transA", 1);
    random_input(4, 3);
    random_input(4, 2);
    random_input(3, 1);
}

static void gemm_both_turned(void) {
    attr_int("transA", 1);
    attr_int("transB", 1);
    attr_float("alpha", 2);
    random_input(4, 3);
    random_input(2, 4);
    spread_input(1.5, SCALAR);
}

static void gemm_whole_c(void) {
    random_input(2, 4);
    random_input(4, 3);
    random_input(2, 3);
}

static void stack_by_matrix(void) {
    random_input(2, 3, 4);
    random_input(4, 2);
}

static void stack_by_stack(void) {
    random_input(2, 1, 3, 4);
    random_input(3, 4, 2);
}

static void row_by_matrix(void) {
    random_input(4);
    random_input(2, 4, 3);
}

static void matrix_by_column(void) {
    random_input(3, 4);
    random_input(4);
}

static void concat_middle(void) {
    attr_int("axis", 1);
    random_input(2, 3, 2);
    random_input(2, 1, 2);
    random_input(2, 2, 2);
}

static void concat_last(void) {
    attr_int("axis", -1);
    random_input(2, 3);
    random_input(2, 4);
}

static void reshape(void) {
    random_input(2, 3, 4);
    integers(LIST(4, -1));
}

static void squeeze_attr(void) {
    list_attr("axes", LIST(1));
    random_input(3, 1, 4, 1);
}

static void squeeze_input(void) {
    random_input(3, 1, 4);
    integers(LIST(-2));
}

static void unsqueeze(void) {
    random_input(3, 4);
    integers(LIST(0, 2));
}

static void transpose_perm(void) {
    list_attr("perm", LIST(2, 0, 3, 1));
    random_input(2, 3, 4, 2);
}

static void slice_inputs(void) {
    random_input(5, 4, 6);
    integers(LIST(-1, 1));
    integers(LIST(0, 6));
    integers(LIST(0, 2));
    integers(LIST(-2, 3));
}

static void slice_one(void) {
    list_attr("starts", LIST(1, 2));
    list_attr("ends", LIST(2, 100));
    random_input(3, 4);
}

static void pad_inputs(void) {
    random_input(2, 3, 4);
    integers(LIST(0, 1, -1, 2, 0, 3));
    scalar_constant(0.5);
}

static void pad_attrs(void) {
    list_attr("pads", LIST(1, -1, 0, 2));
    attr_float("value", 2);
    random_input(3, 4);
}

static void expand(void) {
    random_input(3, 1, 2);
    integers(LIST(2, 3, 4, 2));
}

static void gather_rows(void) {
    random_input(4, 3);
    integers(LIST(1, 3, 1, -4));
}

static void gather_columns(void) {
    attr_int("axis", -1);
    random_input(2, 3, 5);
    integers(LIST(0, -1, 0));
}

static void mean_dropped(void) {
    list_attr("axes", LIST(1, -1));
    attr_int("keepdims", 0);
    random_input(2, 3, 2, 4);
}

static void mean_kept(void) {
    random_input(2, 3, 4);
    integers(LIST(0, 2));
}

static void to_double(void) {
    attr_int("to", 11);
    random_input(2, 3);
}

/* BatchNormalization's mean and variance */
enum { STATISTICS = 1 << 3 | 1 << 4 };

/* The condition is of element type bool and wants no gradient. */
static void condition(const int64_t *dims, size_t rank) {
    double x[RIG_ELEMENTS];
    int64_t count = stoic_shape_count(&input(dims, rank)->shape);
    rig.in[rig.call.n_in - 1].dtype = STOIC_BOOL;
    for (int64_t i = 0; i < count; i++)
        x[i] = (double)(i % 3 == 0);
    values(x, (size_t)count);
}

static void where_filter(void) {
    condition(LIST(2, 3, 4));
    scalar_constant(0.5);
    random_input(2, 3, 4);
}

static void where_mixed(void) {
    condition(LIST(2, 1, 4));
    random_input(3, 1);
    random_input(2, 3, 4);
}

static const gradient_case cases[] = {
    {"Add", 13, same_shapes, 0},
    {"Add", 13, both_repeated, 0},
    {"Add", 7, scalar_first, 0},
    {"Sub", 13, same_shapes, 0},
    {"Sub", 13, both_repeated, 0},
    {"Mul", 13, same_shapes, 0},
    {"Mul", 13, both_repeated, 0},
    {"Mul", 7, scalar_first, 0},
    {"Div", 13, divisor_repeated, 0},
    {"Div", 13, dividend_repeated, 0},
    {"AveragePool", 11, pool_line, 0},
    {"AveragePool", 11, pool_plane, 0},
    {"AveragePool", 11, pool_plane_counting, 0},
    {"AveragePool", 11, pool_volume, 0},
    {"AveragePool", 19, pool_holes, 0},
    {"MaxPool", 11, pool_line, 0},
    {"MaxPool", 11, pool_plane, 0},
    {"MaxPool", 11, pool_volume, 0},
    {"MaxPool", 11, pool_holes, 0},
    {"GlobalAveragePool", 7, image, 0},
    {"BatchNormalization", 9, norm_vector, STATISTICS},
    {"BatchNormalization", 15, norm_image, STATISTICS},
    {"Clip", 11, clip_both, 0},
    {"Clip", 13, clip_low, 0},
    {"Clip", 13, clip_high, 0},
    {"Clip", 7, clip_attrs, 0},
    {"Relu", 13, vector, 0},
    {"LeakyRelu", 13, vector, 0},
    {"LeakyRelu", 16, leaky, 0},
    {"Abs", 13, vector, 0},
    {"Sigmoid", 13, wide_vector, 0},
    {"Tanh", 13, wide_vector, 0},
    {"HardSigmoid", 13, wide_vector, 0},
    {"HardSigmoid", 6 + 1, hard_sigmoid_steep, 0},
    {"HardSwish", 14, wide_vector, 0},
    {"Softmax", 13, axis_1, 0},
    {"Softmax", 13, vector, 0},
    {"Softmax", 11, axis_1, 0},
    {"LogSoftmax", 13, axis_1, 0},
    {"LogSoftmax", 13, vector, 0},
    {"LogSoftmax", 11, axis_1, 0},
    {"Conv", 11, conv_line, 0},
    {"Conv", 11, conv_plane, 0},
    {"Conv", 11, conv_groups, 0},
    {"Conv", 7, conv_depthwise, 0},
    {"Conv", 11, conv_volume, 0},
    {"Gemm", 13, gemm_plain, 0},
    {"Gemm", 13, gemm_scaled, 0},
    {"Gemm", 7, gemm_turned, 0},
    {"Gemm", 11, gemm_both_turned, 0},
    {"Gemm", 11, gemm_whole_c, 0},
    {"MatMul", 13, gemm_plain, 0},
    {"MatMul", 13, stack_by_matrix, 0},
    {"MatMul", 13, stack_by_stack, 0},
    {"MatMul", 9, row_by_matrix, 0},
    {"MatMul", 9, matrix_by_column, 0},
    {"Concat", 13, concat_middle, 0},
    {"Concat", 11, concat_last, 0},
    {"Flatten", 13, image, 0},
    {"Reshape", 13, reshape, 0},
    {"Squeeze", 11, squeeze_attr, 0},
    {"Squeeze", 13, squeeze_input, 0},
    {"Unsqueeze", 13, unsqueeze, 0},
    {"Transpose", 13, vector, 0},
    {"Transpose", 13, transpose_perm, 0},
    {"Slice", 13, slice_inputs, 0},
    {"Slice", 9, slice_one, 0},
    {"Pad", 13, pad_inputs, 0},
    {"Pad", 9, pad_attrs, 0},
    {"Expand", 13, expand, 0},
    {"Gather", 13, gather_rows, 0},
    {"Gather", 13, gather_columns, 0},
    {"ReduceMean", 13, mean_dropped, 0},
    {"ReduceMean", 18, mean_kept, 0},
    {"Identity", 13, vector, 0},
    {"Dropout", 13, vector, 0},
    {"Cast", 13, to_double, 0},
    {"Where", 13, where_filter, 0},
    {"Where", 16, where_mixed, 0},
};
enum { CASES = sizeof cases / sizeof *cases };

#endif
