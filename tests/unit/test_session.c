/*
 * Sessions: edits that leave no trace, values that can be looked at, options that are refused, and
 * no allocation while images run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/digest.h"
#include "exec/run.h"
#include "random_graph.h"
#include "tiny_model.h"

/* ---- edits ---- */

static void digest_constants(const stoic_model *m, uint8_t out[16]) {
    stoic_digest *digest = stoic_digest_create();
    assert_non_null(digest);
    for (size_t v = 0; v < m->n_values; v++) {
        const stoic_tensor *t = m->values[v].constant;
        if (t)
            stoic_digest_add(digest, stoic_tensor_data(t),
                             (size_t)stoic_tensor_count(t) *
                                 stoic_dtype_size(stoic_tensor_dtype(t)));
    }
    stoic_digest_finish(digest, out);
}

static void apply_edit(float *data, int64_t count, void *user) {
    const stoic_edit *edit = user;
    assert_true(edit->index < count);
    data[edit->index] = edit->value;
}

/* Any element of any float constant that a node reads. */
static stoic_edit random_edit(const stoic_model *m, stoic_rng *rng, int i) {
    for (;;) {
        int v = (int)kit_below(rng, (int64_t)m->n_values);
        const stoic_tensor *t = m->values[v].constant;
        if (!t || stoic_tensor_dtype(t) != STOIC_F32 || stoic_tensor_count(t) < 2)
            continue;
        stoic_edit edit = {v, kit_uniform(rng, -2, 2), kit_below(rng, stoic_tensor_count(t))};
        if (i % 5 == 4) /* NaNs with a payload, quiet and signalling */
            edit.value = kit_float(0x7f800001u + (uint32_t)kit_below(rng, 0x7ffffe) +
                                   (i % 2 ? 0x80000000u : 0));
        return edit;
    }
}

/* A session with edits gives what a model with these constants gives; restored, its constants are
 * those of a fresh session, bit for bit; the model is as it was. */
static void expect_edits_without_trace(stoic_model *m, int rounds, uint64_t seed) {
    enum { N = 5, EDITS = 7 };
    stoic_rng rng = kit_rng(seed);
    uint8_t before[16], after[16];
    float *images = kit_images(m, N, seed);
    int64_t count = N * stoic_model_classes(m);
    stoic_program *program = kit_compile(m, 0, false);
    stoic_session *session = kit_session(program), *fresh = kit_session(program);
    float *clean = kit_floats(count), *out = kit_floats(count);
    digest_constants(m, before);
    MUST(stoic_session_run(fresh, images, N, clean, err));
    for (int i = 0; i < rounds; i++) {
        stoic_edit edits[EDITS];
        size_t n = 1 + (size_t)kit_below(&rng, EDITS);
        stoic_model *changed = stoic_model_retain(m);
        for (size_t k = 0; k < n; k++) {
            edits[k] = k == 2 ? edits[0] : random_edit(m, &rng, i);
            if (k == 2) /* the same weight twice: the later edit counts */
                edits[k].value = 0.75f;
            changed = kit_changed(changed, edits[k].tensor, apply_edit, &edits[k]);
        }
        MUST(stoic_session_edit(session, edits, n / 2, err)); /* edits add up */
        MUST(stoic_session_edit(session, edits + n / 2, n - n / 2, err));
        MUST(stoic_session_run(session, images, N, out, err));
        float *expected = kit_run(changed, 0, false, images, N);
        assert_int_equal(kit_differences(out, expected, count), 0);
        stoic_session_restore(session);
        assert_memory_equal(session->constants, fresh->constants,
                            (size_t)program->constants * sizeof(float));
        MUST(stoic_session_run(session, images, N, out, err));
        assert_int_equal(kit_differences(out, clean, count), 0);
        free(expected);
        stoic_model_free(changed);
    }
    digest_constants(m, after);
    assert_memory_equal(before, after, 16);
    stoic_session_free(session);
    stoic_session_free(fresh);
    stoic_program_free(program);
    free(images);
    free(clean);
    free(out);
    stoic_model_free(m);
}

static void edits_leave_no_trace(void **state) {
    (void)state;
    expect_edits_without_trace(kit_zoo("lenet5"), kit_effort(40), 1);
    expect_edits_without_trace(kit_random_norms(kit_zoo("resnet20"), 2), kit_effort(12), 2);
    expect_edits_without_trace(tiny_model(), kit_effort(60), 3); /* a shared weight */
    for (int seed = 0; seed < kit_effort(60); seed++) {
        stoic_model *m = graph_random((uint64_t)seed + 700);
        if (m)
            expect_edits_without_trace(m, 6, (uint64_t)seed);
    }
}

static void the_plain_executor_edits_too(void **state) {
    (void)state;
    stoic_model *m = tiny_model();
    float *images = kit_images(m, 3, 1);
    stoic_rng rng = kit_rng(9);
    for (int i = 0; i < 20; i++) {
        stoic_edit edit = random_edit(m, &rng, 0);
        stoic_model *changed = kit_changed(stoic_model_retain(m), edit.tensor, apply_edit, &edit);
        float *a = kit_run_edited(m, 0, true, images, 3, &edit, 1);
        float *b = kit_run(changed, 0, true, images, 3);
        assert_int_equal(kit_differences(a, b, 9), 0);
        free(a);
        free(b);
        stoic_model_free(changed);
    }
    free(images);
    stoic_model_free(m);
}

static void edits_that_make_no_sense_are_refused(void **state) {
    (void)state;
    stoic_model *m = kit_zoo("lenet5");
    stoic_program *program = kit_compile(m, 0, false);
    stoic_session *session = kit_session(program);
    stoic_error error = {.message = ""};
    int weights = kit_weight(m, 0, 1);
    const stoic_edit wrong[] = {{-1, 0, 0},       {(int)m->n_values, 0, 0}, {m->input, 0, 0},
                                {weights, 0, -1}, {weights, 0, 500},        {m->output, 0, 0}};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(stoic_session_edit(session, &wrong[i], 1, &error), STOIC_ERR_ARGUMENT);
        assert_true(error.message[0] != 0);
    }
    stoic_session_restore(session);
    assert_memory_equal(session->constants, program->constant_base,
                        (size_t)program->constants * sizeof(float));
    stoic_session_free(session);
    stoic_program_free(program);
    stoic_model_free(m);
}

/* ---- options ---- */

/* Every computed value in turn must exist, unfused, be what the plain definition says, and change
 * no bit of the output. */
static void values_can_be_observed(void **state) {
    (void)state;
    static const char *const names[] = {"lenet5", "resnet20"};
    for (int k = 0; k < 2; k++) {
        stoic_model *m = kit_random_norms(kit_zoo(names[k]), 3);
        enum { N = 3 };
        float *images = kit_images(m, N, 5), *plain = kit_run(m, 0, false, images, N);
        float *out = kit_floats(N * stoic_model_classes(m));
        int fused = 0;
        stoic_program *usual = kit_compile(m, 4, false);
        for (size_t i = 0; i < m->n_nodes; i += k ? 3 : 1) {
            int value = m->nodes[i].out[0];
            const char *name = m->values[value].name;
            if (usual->values[value].layout == STOIC_LAYOUT_FLAT_HWC)
                continue; /* looking at it changes the order of the next sum */
            stoic_program_options options = stoic_program_options_default();
            options.batch = 4;
            options.observable = &name;
            options.n_observable = 1;
            stoic_program *program = NULL;
            MUST(stoic_program_compile(m, &options, &program, err));
            assert_true(program->values[value].computed);
            fused += !usual->values[value].computed;
            stoic_session *session = kit_session(program);
            MUST(stoic_session_run(session, images, N, out, err));
            assert_int_equal(kit_differences(out, plain, N * stoic_model_classes(m)), 0);
            /* its memory still holds it when the run is over */
            const stoic_exec_value *v = &program->values[value];
            const float *seen = session->frame[v->root];
            double largest = 0;
            for (int64_t j = 0; j < v->size; j++)
                largest = fmax(largest, fabs((double)seen[j]));
            assert_true(largest > 0);
            stoic_session_free(session);
            stoic_program_free(program);
        }
        assert_true(fused > 0);
        stoic_program_free(usual);
        free(images);
        free(plain);
        free(out);
        stoic_model_free(m);
    }
}

static void options_that_make_no_sense_are_refused(void **state) {
    (void)state;
    stoic_model *m = kit_zoo("lenet5");
    stoic_program *program = NULL;
    stoic_error error = {.message = ""};
    const char *name = "no such value";
    stoic_program_options options = stoic_program_options_default();
    options.batch = -1;
    assert_int_equal(stoic_program_compile(m, &options, &program, &error), STOIC_ERR_ARGUMENT);
    options.batch = 70000;
    assert_int_equal(stoic_program_compile(m, &options, &program, &error), STOIC_ERR_ARGUMENT);
    options = stoic_program_options_default();
    options.observable = &name;
    options.n_observable = 1;
    assert_int_equal(stoic_program_compile(m, &options, &program, &error), STOIC_ERR_ARGUMENT);
    assert_string_equal(error.place, name);
    assert_null(program);
    stoic_program_free(NULL);
    stoic_session_free(NULL);
    program = kit_compile(m, 7, false);
    assert_int_equal(stoic_program_batch(program), 7);
    assert_ptr_equal(stoic_program_model(program), m);
    assert_true(stoic_program_session_bytes(program) > 132704 * 4);
    stoic_program_free(program);
    stoic_model_free(m);
}

/* ---- no allocation in the steady state ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&       \
    !defined(__clang__)
#define COUNTS_ALLOCATIONS 1

/* Calls that come from this program (the library is linked statically); oneDNN's and libgomp's come
 * from elsewhere: oneDNN 2.6 makes a small argument list at every execution. */
static long own_calls, other_calls;
extern char __executable_start, etext;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void called_from(const void *at) {
    if ((const char *)at >= &__executable_start && (const char *)at < &etext)
        __atomic_add_fetch(&own_calls, 1, __ATOMIC_RELAXED);
    else
        __atomic_add_fetch(&other_calls, 1, __ATOMIC_RELAXED);
}

__attribute__((noinline, visibility("default"))) void *malloc(size_t size) {
    called_from(__builtin_return_address(0));
    return __libc_malloc(size);
}

__attribute__((noinline, visibility("default"))) void *calloc(size_t count, size_t size) {
    called_from(__builtin_return_address(0));
    return __libc_calloc(count, size);
}

__attribute__((noinline, visibility("default"))) void *realloc(void *old, size_t size) {
    called_from(__builtin_return_address(0));
    return __libc_realloc(old, size);
}

__attribute__((noinline, visibility("default"))) void *aligned_alloc(size_t alignment,
                                                                     size_t size) {
    called_from(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}
#endif

static void nothing_is_allocated_in_the_steady_state(void **state) {
    (void)state;
#ifdef COUNTS_ALLOCATIONS
    static const char *const names[] = {"lenet5", "resnet20"};
    for (int k = 0; k < 2; k++) {
        stoic_model *m = kit_zoo(names[k]);
        stoic_program *program = kit_compile(m, 0, false);
        stoic_session *session = kit_session(program);
        float *images = kit_images(m, 33, 6), *out = kit_floats(33 * 10);
        stoic_edit edit = {kit_weight(m, 0, 1), 2, 3};
        for (int i = 0; i < 3; i++) {
            long own = own_calls, other = other_calls;
            MUST(stoic_session_edit(session, &edit, 1, err));
            MUST(stoic_session_run(session, images, 33, out, err));
            stoic_session_restore(session);
            if (i == 0)
                continue; /* warming up */
            print_message("%s: %ld allocations of ours, %ld of oneDNN's\n", names[k],
                          own_calls - own, other_calls - other);
            assert_int_equal(own_calls - own, 0);
        }
        long own = own_calls; /* and the counter counts */
        float *more = kit_floats(10);
        assert_int_equal(own_calls - own, 1);
        free(more);
        free(images);
        free(out);
        stoic_session_free(session);
        stoic_program_free(program);
        stoic_model_free(m);
    }
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_leave_no_trace),
        cmocka_unit_test(the_plain_executor_edits_too),
        cmocka_unit_test(edits_that_make_no_sense_are_refused),
        cmocka_unit_test(values_can_be_observed),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(nothing_is_allocated_in_the_steady_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
