/*
 * backward() of every operator against central differences of reference(), at points away from
 * kinks; what it does at kinks is pinned in test_op_kink.c.
 */
#include "gradient_cases.h"

/* ---- the comparison ---- */

/* Room behind each gradient stays NaN: a write beyond it shows. */
static double grads[RIG_OPERANDS][RIG_ELEMENTS], lone[RIG_OPERANDS][RIG_ELEMENTS];
static double weights[RIG_ELEMENTS]; /* of the outputs in the sum that is differentiated */

static int64_t size_of(size_t i) {
    return stoic_shape_count(&rig.in[i].shape);
}

static bool wants(size_t i) {
    return rig.in[i].present && (rig.in[i].dtype == STOIC_F32 || rig.in[i].dtype == STOIC_F64);
}

static double weighted_sum(void) {
    double sum = 0;
    assert_int_equal(run(), STOIC_OK);
    for (int64_t i = 0; i < stoic_shape_count(&rig.out[0].shape); i++)
        sum += weights[i] * rig.y[0][i];
    return sum;
}

static double difference_quotient(double *x) {
    const double step = 1e-5, kept = *x;
    *x = kept + step;
    double above = weighted_sum();
    *x = kept - step;
    double below = weighted_sum();
    *x = kept;
    return (above - below) / (2 * step);
}

/* The gradients of the inputs of the mask, into `to`; the rest of `to` is NaN. */
static void run_backward(double to[RIG_OPERANDS][RIG_ELEMENTS], unsigned mask) {
    const double *in[RIG_OPERANDS], *out[1] = {rig.y[0]}, *grad_out[1] = {weights};
    double *grad_in[RIG_OPERANDS];
    assert_int_equal(run(), STOIC_OK);
    for (size_t i = 0; i < RIG_OPERANDS; i++) {
        in[i] = i < rig.call.n_in && rig.in[i].present ? rig.x[i] : NULL;
        grad_in[i] = i < rig.call.n_in && wants(i) && (mask >> i & 1) ? to[i] : NULL;
        for (size_t k = 0; k < RIG_ELEMENTS; k++)
            to[i][k] = NAN;
    }
    assert_int_equal(rig.call.op->backward(&rig.call, in, out, grad_out, grad_in, &rig.err),
                     STOIC_OK);
}

/* How far the gradient of input i is from the differences, relative to its largest element. */
static double gap(size_t i, bool fixed) {
    double largest = 0, worst = 0;
    for (int64_t k = 0; k < size_of(i); k++) {
        double expected = fixed ? 0 : difference_quotient(&rig.x[i][k]);
        largest = fmax(largest, fabs(expected));
        double off = fabs(grads[i][k] - expected);
        worst = off <= worst ? worst : isnan(off) ? INFINITY : off;
    }
    return worst / (largest > 0 ? largest : 1);
}

static const double TOLERANCE = 2e-8;

static void start(const gradient_case *c) {
    begin(c->op, c->opset);
    c->set();
    stoic_status status = infer();
    if (status != STOIC_OK)
        fail_msg("%s: %s", c->op, rig.err.message);
    for (size_t i = 0; i < RIG_ELEMENTS; i++)
        weights[i] = uniform(-1, 1);
    assert_non_null(rig.call.op->backward);
}

static void matches_differences(void **state) {
    (void)state;
    double worst = 0;
    for (size_t n = 0; n < CASES; n++) {
        start(&cases[n]);
        run_backward(grads, ~0u);
        for (size_t i = 0; i < rig.call.n_in; i++) {
            if (!wants(i))
                continue;
            double off = gap(i, cases[n].fixed >> i & 1);
            if (off > TOLERANCE)
                fail_msg("case %zu, %s: the gradient of input %zu is off by %g", n, cases[n].op, i,
                         off);
            for (int64_t k = size_of(i); k < RIG_ELEMENTS; k++)
                assert_true(isnan(grads[i][k]));
            worst = fmax(worst, off);
        }
    }
    print_message("largest difference: %.2g\n", worst);
}

/* The partner: a gradient with one element a little off, or two that changed places, is noticed. */
static void notices_what_is_off(void **state) {
    (void)state;
    for (size_t n = 0; n < CASES; n++) {
        start(&cases[n]);
        for (size_t i = 0; i < rig.call.n_in; i++) {
            if (!wants(i))
                continue;
            bool fixed = cases[n].fixed >> i & 1;
            int64_t at = (int64_t)stoic_rng_below(&rng, (uint64_t)size_of(i));
            run_backward(grads, ~0u);
            grads[i][at] += 1e-6 * fmax(1, fabs(grads[i][at]));
            assert_true(gap(i, fixed) > TOLERANCE);
            run_backward(grads, ~0u);
            int64_t next = (at + 1) % size_of(i);
            double kept = grads[i][at];
            grads[i][at] = grads[i][next];
            grads[i][next] = kept;
            if (kept != grads[i][at])
                assert_true(gap(i, fixed) > TOLERANCE);
        }
    }
}

/* Each input alone gets the bits that it gets among all, and nobody else is written. */
static void gives_only_what_is_wanted(void **state) {
    (void)state;
    for (size_t n = 0; n < CASES; n++) {
        start(&cases[n]);
        run_backward(grads, ~0u);
        for (size_t i = 0; i < rig.call.n_in; i++) {
            run_backward(lone, 1u << i);
            for (size_t k = 0; k < RIG_OPERANDS; k++) {
                if (k == i && wants(i))
                    assert_memory_equal(lone[i], grads[i], (size_t)size_of(i) * sizeof(double));
                else
                    assert_true(isnan(lone[k][0]));
            }
        }
    }
}

/* Every operator has a gradient that is tested here, or is known to have none. */
static void covers_every_operator(void **state) {
    (void)state;
    static const stoic_op *const without[] = {&stoic_op_constant,  &stoic_op_constant_of_shape,
                                              &stoic_op_equal,     &stoic_op_greater,
                                              &stoic_op_is_nan,    &stoic_op_less,
                                              &stoic_op_range,     &stoic_op_shape,
                                              &stoic_op_alarm,     &stoic_op_checksum,
                                              &stoic_op_window_sum};
    size_t count;
    const stoic_op *const *ops = stoic_op_all(&count);
    for (size_t i = 0; i < count; i++) {
        bool none = false, tested = false;
        for (size_t k = 0; k < sizeof without / sizeof *without; k++)
            none = none || ops[i] == without[k];
        for (size_t k = 0; k < CASES; k++)
            tested = tested || strcmp(cases[k].op, ops[i]->name) == 0;
        if (none == (ops[i]->backward != NULL) || none == tested)
            fail_msg("%s: backward %d, known to have none %d, tested %d", ops[i]->name,
                     ops[i]->backward != NULL, none, tested);
    }
}

static int seed_rng(void **state) {
    (void)state;
    stoic_rng_init(&rng, 11, 0, STOIC_STREAM_VALUE);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(matches_differences, seed_rng, rig_free),
        cmocka_unit_test_setup_teardown(notices_what_is_off, seed_rng, rig_free),
        cmocka_unit_test_setup_teardown(gives_only_what_is_wanted, seed_rng, rig_free),
        cmocka_unit_test(covers_every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
