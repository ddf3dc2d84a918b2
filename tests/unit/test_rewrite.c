/* Changing a graph: what is there keeps its numbers, what is new stands where it can run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/rewrite.h"
#include "tiny_model.h"

static stoic_model *model;
static stoic_rewrite *rewrite;

static int begin(void **state) {
    (void)state;
    model = tiny_model();
    assert_int_equal(stoic_rewrite_create(model, &rewrite, NULL), STOIC_OK);
    return 0;
}

static int end(void **state) {
    (void)state;
    stoic_model_free(model);
    return 0;
}

static stoic_model *finish(void) {
    stoic_model *out = NULL;
    stoic_error err = {0};
    if (stoic_rewrite_finish(rewrite, &out, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return out;
}

static void finish_fails(stoic_status status, const char *says) {
    stoic_model *out = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_rewrite_finish(rewrite, &out, &err), status);
    assert_null(out);
    if (!strstr(err.message, says))
        fail_msg("%s", err.message);
}

static int value_of(const stoic_model *m, const char *name) {
    for (size_t v = 0; v < m->n_values; v++) {
        if (strcmp(m->values[v].name, name) == 0)
            return (int)v;
    }
    return -1;
}

static int node_of(const stoic_model *m, const char *name) {
    int i = 0;
    while (strcmp(m->nodes[i].name, name) != 0)
        i++;
    return i;
}

static int insert(const char *name, const stoic_op *op, int in) {
    int out;
    assert_int_equal(stoic_rewrite_node(rewrite, name, op, NULL, 0, &in, 1, &out, NULL), STOIC_OK);
    return out;
}

static void nothing_changed_is_the_same_model(void **state) {
    (void)state;
    uint8_t before[16], after[16];
    stoic_model *same = finish();
    stoic_model_digest(model, before);
    stoic_model_digest(same, after);
    assert_memory_equal(before, after, 16);
    assert_int_equal(same->n_values, model->n_values);
    assert_true(stoic_model_macs(same) == stoic_model_macs(model));
    assert_string_equal(same->name, model->name);
    stoic_model_free(same);
}

static void a_node_stands_behind_what_it_reads(void **state) {
    (void)state;
    int b = value_of(model, "b"), fresh = insert("b", &stoic_op_relu, b);
    stoic_rewrite_input(rewrite, node_of(model, "flat"), 0, fresh);
    stoic_model *out = finish();
    assert_int_equal(fresh, model->n_values);
    assert_int_equal(value_of(out, "b"), b);
    assert_string_equal(out->values[fresh].name, "b_2"); /* "b" is taken */
    int at = node_of(out, "b");
    assert_int_equal(at, node_of(out, "bn") + 1);
    assert_int_equal(out->values[fresh].producer, at);
    assert_int_equal(out->nodes[at + 1].in[0], fresh);
    assert_string_equal(out->nodes[at + 1].name, "flat");
    for (size_t v = 0; v < model->n_values; v++)
        assert_string_equal(out->values[v].name, model->values[v].name);
    for (size_t l = 0; l < model->n_layers; l++)
        assert_string_equal(out->nodes[out->layer_nodes[l]].name,
                            model->nodes[model->layer_nodes[l]].name);
    uint8_t before[16], after[16];
    stoic_model_digest(model, before);
    stoic_model_digest(out, after);
    assert_memory_not_equal(before, after, 16);
    stoic_model_free(out);
}

static void the_output_can_move(void **state) {
    (void)state;
    int logits = model->output, fresh = insert("end", &stoic_op_softmax, logits);
    stoic_rewrite_output(rewrite, fresh);
    stoic_model *out = finish();
    assert_int_equal(out->output, fresh);
    assert_int_equal(stoic_model_classes(out), 3);
    assert_string_equal(out->nodes[out->n_nodes - 1].name, "end");
    stoic_model_free(out);
}

/* Whatever is connected how: producers before readers. */
static void old_nodes_are_sorted_again(void **state) {
    (void)state;
    int a = value_of(model, "a"), fresh = insert("early", &stoic_op_relu, value_of(model, "d"));
    stoic_rewrite_input(rewrite, node_of(model, "head"), 0, fresh);
    stoic_rewrite_input(rewrite, node_of(model, "flat"), 0, a);
    stoic_model *out = finish(); /* "bn" and "fc2" run for nothing */
    assert_int_equal(out->n_nodes, model->n_nodes + 1);
    for (size_t i = 0; i < out->n_nodes; i++) {
        for (size_t k = 0; k < out->nodes[i].n_in; k++)
            assert_true(out->values[out->nodes[i].in[k]].producer < (int)i);
    }
    stoic_model_free(out);
}

static void constants_and_attributes_change(void **state) {
    (void)state;
    int bias = value_of(model, "head.bias"), head = node_of(model, "head"), fresh;
    const stoic_shape three = {1, {3}}, two = {1, {2}};
    stoic_tensor *tensor = NULL, *small = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_tensor_create(STOIC_F32, &three, &tensor, NULL), STOIC_OK);
    assert_int_equal(stoic_tensor_create(STOIC_F32, &two, &small, NULL), STOIC_OK);
    assert_int_equal(stoic_rewrite_replace(rewrite, bias, tensor, &err), STOIC_OK);
    assert_int_equal(stoic_rewrite_replace(rewrite, bias, small, &err), STOIC_ERR_SHAPE);
    assert_int_equal(stoic_rewrite_replace(rewrite, model->output, tensor, &err), STOIC_ERR_SHAPE);
    assert_int_equal(stoic_rewrite_constant(rewrite, "shared", small, &fresh, &err), STOIC_OK);
    assert_int_equal(stoic_rewrite_float(rewrite, head, "alpha", 0.5f, &err), STOIC_OK);
    assert_int_equal(stoic_rewrite_float(rewrite, head, "alpha", 0.25f, &err), STOIC_OK);
    stoic_model *out = finish();
    assert_ptr_equal(out->values[bias].constant, tensor);
    assert_ptr_not_equal(model->values[bias].constant, tensor);
    assert_ptr_equal(out->values[fresh].constant, small);
    assert_string_equal(out->values[fresh].name, "shared_2");
    assert_int_equal(out->nodes[head].n_attrs, 1);
    assert_true(out->nodes[head].attrs[0].f == 0.25f);
    assert_int_equal(model->nodes[head].n_attrs, 0);
    stoic_tensor_free(tensor);
    stoic_tensor_free(small);
    stoic_model_free(out);
}

static void a_cycle_is_refused(void **state) {
    (void)state;
    int fresh = insert("back", &stoic_op_relu, value_of(model, "e"));
    stoic_rewrite_input(rewrite, node_of(model, "fc1"), 0, fresh);
    finish_fails(STOIC_ERR_ARGUMENT, "cycle");
}

static void another_shape_is_refused(void **state) {
    (void)state;
    stoic_rewrite_input(rewrite, node_of(model, "flat"), 0, model->input);
    finish_fails(STOIC_ERR_SHAPE, "after the rewrite");
}

static void an_unfit_node_is_refused(void **state) {
    (void)state;
    int in[2] = {value_of(model, "a"), value_of(model, "head.weight")}, out;
    stoic_attr *attrs = calloc(1, sizeof *attrs);
    assert_non_null(attrs);
    attrs[0] = (stoic_attr){.name = strdup("kernel"), .kind = STOIC_ATTR_FLOAT};
    stoic_error err = {0};
    assert_int_equal(stoic_rewrite_node(rewrite, "n", &stoic_op_relu, attrs, 1, in, 1, &out, &err),
                     STOIC_ERR_UNSUPPORTED);
    assert_int_not_equal(
        stoic_rewrite_node(rewrite, "n", &stoic_op_mat_mul, NULL, 0, in, 2, &out, &err), STOIC_OK);
    stoic_rewrite_free(rewrite);
    stoic_rewrite_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_changed_is_the_same_model, begin, end),
        cmocka_unit_test_setup_teardown(a_node_stands_behind_what_it_reads, begin, end),
        cmocka_unit_test_setup_teardown(the_output_can_move, begin, end),
        cmocka_unit_test_setup_teardown(old_nodes_are_sorted_again, begin, end),
        cmocka_unit_test_setup_teardown(constants_and_attributes_change, begin, end),
        cmocka_unit_test_setup_teardown(a_cycle_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(another_shape_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(an_unfit_node_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
