/*
 * Dropout stays in a model for those who train, and costs inference nothing: a network with a
 * Dropout behind every value is run by the same steps, and gives the same bits, as without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "difference_rig.h"
#include "exec/program.h"

static int count_ops(const stoic_model *m, const stoic_op *op) {
    int n = 0;
    for (size_t i = 0; i < m->n_nodes; i++)
        n += m->nodes[i].op == op;
    return n;
}

static stoic_attr *copy_attrs(const stoic_node *node) {
    stoic_attr *attrs = calloc(node->n_attrs + 1, sizeof *attrs);
    assert_non_null(attrs);
    for (size_t i = 0; i < node->n_attrs; i++) {
        attrs[i] = node->attrs[i];
        attrs[i].name = strdup(node->attrs[i].name);
        if (attrs[i].ints) {
            attrs[i].ints = malloc(attrs[i].count * sizeof *attrs[i].ints);
            assert_non_null(attrs[i].ints);
            memcpy(attrs[i].ints, node->attrs[i].ints, attrs[i].count * sizeof *attrs[i].ints);
        }
    }
    return attrs;
}

/* A Dropout of `from` into `to`: its ratio an attribute before opset 12, an input from there. */
static void add_dropout(stoic_builder *b, int opset, const char *from, const char *to) {
    stoic_attr *attrs = NULL;
    const char *in[] = {from, "ratio"}, *out[] = {to};
    if (opset < 12) {
        attrs = calloc(1, sizeof *attrs);
        assert_non_null(attrs);
        *attrs = (stoic_attr){.name = strdup("ratio"), .kind = STOIC_ATTR_FLOAT, .f = 0.25f};
    }
    MUST(stoic_builder_node(b, to, &stoic_op_dropout, attrs, attrs ? 1 : 0, in, attrs ? 1 : 2, out,
                            1, err));
}

static void add_constants(stoic_builder *b, const stoic_model *m) {
    stoic_tensor *ratio = NULL;
    stoic_shape scalar = {0};
    MUST(stoic_tensor_create(STOIC_F32, &scalar, &ratio, err));
    stoic_tensor_set(ratio, 0, 0.25);
    MUST(stoic_builder_constant(b, "ratio", ratio, err));
    stoic_tensor_free(ratio);
    for (size_t i = 0; i < m->n_values; i++) {
        if (m->values[i].constant)
            MUST(stoic_builder_constant(b, m->values[i].name, m->values[i].constant, err));
    }
}

/* The same network with a Dropout (for each second value two) behind everything computed. */
static stoic_model *with_dropouts(const stoic_model *m, int opset) {
    stoic_builder *b = NULL;
    stoic_model *out = NULL;
    char names[8][96], to[96], between[96];
    MUST(stoic_builder_create("dropouts", opset, &b, err));
    MUST(stoic_builder_input(b, m->values[m->input].name, stoic_model_input_shape(m), err));
    add_constants(b, m);
    snprintf(to, sizeof to, "%s_d", m->values[m->input].name);
    add_dropout(b, opset, m->values[m->input].name, to);
    for (size_t i = 0; i < m->n_nodes; i++) {
        const stoic_node *node = &m->nodes[i];
        const char *in[8], *y = m->values[node->out[0]].name;
        assert_true(node->n_in <= 8);
        for (size_t k = 0; k < node->n_in; k++) {
            snprintf(names[k], sizeof names[k], "%s%s", m->values[node->in[k]].name,
                     m->values[node->in[k]].constant ? "" : "_d");
            in[k] = names[k];
        }
        MUST(stoic_builder_node(b, node->name, node->op, copy_attrs(node), node->n_attrs, in,
                                node->n_in, &y, 1, err));
        snprintf(to, sizeof to, "%s_d", y);
        snprintf(between, sizeof between, "%s_e", y);
        if (i % 2)
            add_dropout(b, opset, y, between);
        add_dropout(b, opset, i % 2 ? between : y, to);
    }
    MUST(stoic_builder_output(b, to, err));
    MUST(stoic_builder_finish(b, &out, err));
    return out;
}

static void expect_same_steps(const stoic_program *a, const stoic_program *b) {
    assert_int_equal(a->n_steps, b->n_steps);
    assert_int_equal(a->work_floats, b->work_floats);
    assert_int_equal(a->n_layers, b->n_layers);
    for (int i = 0; i < a->n_steps; i++) {
        assert_int_equal(a->steps[i].kind, b->steps[i].kind);
        assert_ptr_equal(a->steps[i].run, b->steps[i].run);
        assert_int_equal(a->steps[i].act.kind, b->steps[i].act.kind);
        assert_int_equal(a->steps[i].norm, b->steps[i].norm);
        assert_int_equal(a->steps[i].add >= 0, b->steps[i].add >= 0);
    }
    for (int i = 0; i < a->n_layers; i++)
        assert_int_equal(a->layers[i].flat_c, b->layers[i].flat_c);
}

static const char *const networks[] = {"lenet5", "lenet5-avgpool", "lenet5-sigmoid", "resnet20"};
enum { NETWORKS = sizeof networks / sizeof *networks };

static void dropout_adds_no_step(void **state) {
    (void)state;
    enum { N = 9 };
    for (int i = 0; i < 2 * NETWORKS; i++) {
        stoic_model *m = kit_random_norms(kit_zoo(networks[i / 2]), (uint64_t)i);
        stoic_model *d = with_dropouts(m, i % 2 ? 11 : 17);
        assert_int_equal(count_ops(d, &stoic_op_dropout), 1 + m->n_nodes + m->n_nodes / 2);
        assert_int_equal(stoic_model_parameters(d), stoic_model_parameters(m));
        assert_int_equal(stoic_model_macs(d), stoic_model_macs(m));
        stoic_program *program = kit_compile(m, 0, false), *dropping = kit_compile(d, 0, false);
        expect_same_steps(program, dropping);
        float *images = kit_images(m, N, 3);
        for (int reference = 0; reference < 2; reference++) {
            int n = reference ? 1 : N;
            float *plain = kit_run(m, 0, reference, images, n);
            float *dropped = kit_run(d, 0, reference, images, n);
            assert_int_equal(kit_differences(plain, dropped, n * stoic_model_classes(m)), 0);
            dropped[0] += 1; /* the comparison can say no */
            assert_int_equal(kit_differences(plain, dropped, n * stoic_model_classes(m)), 1);
            free(plain);
            free(dropped);
        }
        free(images);
        stoic_program_free(program);
        stoic_program_free(dropping);
        stoic_model_free(m);
        stoic_model_free(d);
    }
}

/* The short cuts are as short as without. */
static void faults_go_the_same_ways(void **state) {
    (void)state;
    enum { N = 24 };
    for (int i = 0; i < NETWORKS; i++) {
        stoic_model *m = kit_random_norms(kit_zoo(networks[i]), 1);
        float *images = kit_images(m, N, 4);
        rig without = rig_create(stoic_model_retain(m), images, N);
        rig with = rig_create(with_dropouts(m, 17), images, N);
        stoic_rng rng = kit_rng(5);
        for (int k = 0; k < kit_effort(12); k++) {
            int layer = k % (int)m->n_layers;
            stoic_edit edit = kit_node_flip(m, m->layer_nodes[layer], 1, &rng), other = edit;
            other.tensor = with.model->nodes[with.model->layer_nodes[layer]].in[1];
            assert_int_equal(rig_disagree(&without, &edit, 1, NULL, 0, true), 0);
            assert_int_equal(rig_disagree(&with, &other, 1, NULL, 0, true), 0);
        }
        const stoic_faulty_counts *a = stoic_faulty_count(without.fast);
        assert_memory_equal(a, stoic_faulty_count(with.fast), sizeof *a);
        assert_true(a->rows + a->narrow + a->difference > 0);
        rig_free(&without);
        rig_free(&with);
        free(images);
        stoic_model_free(m);
    }
}

static void written_and_read_again(void **state) {
    (void)state;
    static const int opsets[] = {9, 11, 12, 17};
    char path[] = "/tmp/stoic_dropout_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    stoic_model *m = kit_zoo("lenet5");
    for (int i = 0; i < 4; i++) {
        stoic_model *d = with_dropouts(m, opsets[i]), *again = NULL;
        uint8_t before[16], after[16];
        MUST(stoic_model_write(d, path, err));
        MUST(stoic_model_read(path, &again, err));
        assert_int_equal(count_ops(again, &stoic_op_dropout), count_ops(d, &stoic_op_dropout));
        stoic_model_digest(d, before);
        stoic_model_digest(again, after);
        assert_memory_equal(before, after, 16);
        stoic_model_free(d);
        stoic_model_free(again);
    }
    stoic_model_free(m);
    unlink(path);
}

/* x -> Dropout -> y with the mask as a second output, which a Relu may read. */
static stoic_status lone_dropout(bool mask_read, stoic_model **out, stoic_error *why) {
    stoic_builder *b = NULL;
    stoic_shape shape = {2, {1, 4}};
    const char *x = "x", *drop[] = {"y", "mask"}, *end = "end";
    MUST(stoic_builder_create("lone", 9, &b, err));
    MUST(stoic_builder_input(b, "x", &shape, err));
    MUST(stoic_builder_node(b, "drop", &stoic_op_dropout, NULL, 0, &x, 1, drop, 2, err));
    MUST(stoic_builder_node(b, "act", &stoic_op_relu, NULL, 0, &drop[1], 1, &end, 1, err));
    MUST(stoic_builder_output(b, mask_read ? "end" : "y", err));
    return stoic_builder_finish(b, out, why);
}

static void the_mask_is_refused_where_it_is_read(void **state) {
    (void)state;
    stoic_model *m = NULL;
    stoic_error why = {0};
    assert_int_equal(lone_dropout(true, &m, &why), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.message, "node 'drop' (Dropout whose output 2 is used)"));
    MUST(lone_dropout(false, &m, err));
    assert_int_equal(m->nodes[0].n_out, 1);
    float image[] = {-1, 2, NAN, INFINITY};
    for (int reference = 0; reference < 2; reference++) {
        float *out = kit_run(m, 0, reference, image, 1);
        assert_int_equal(kit_differences(out, image, 4), 0);
        free(out);
    }
    stoic_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout_adds_no_step),
        cmocka_unit_test(faults_go_the_same_ways),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(the_mask_is_refused_where_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
