/*
 * The short cuts of fault evaluation against the canonical execution: whatever is reported, and
 * whatever is not, must be what running everything gives, to the bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/pool.h"
#include "difference_rig.h"
#include "exec/faulty_parts.h"
#include "random_graph.h"

enum { IMAGES = 61, MOST_EDITS = 20 };

static bool known(const rig *r, int layer) {
    return r->chains->layers[layer].known;
}

/* Without fused multiply-adds oneDNN sums in ways that no chain describes: correct, but slow. */
static bool fused(void) {
    return strcmp(stoic_dnn_isa(), "avx512") == 0 || strcmp(stoic_dnn_isa(), "avx2") == 0;
}

static void describe(const rig *r, const stoic_edit *edits, size_t n, int wrong) {
    print_message("%d images disagree after:\n", wrong);
    for (size_t i = 0; i < n; i++)
        print_message("  %s[%lld] = %.9g (0x%08x)\n", r->model->values[edits[i].tensor].name,
                      (long long)edits[i].index, (double)edits[i].value, kit_bits(edits[i].value));
}

static void expect_agreement(rig *r, const stoic_edit *edits, size_t n, const int32_t *images,
                             int n_images, bool classes_only) {
    int wrong = rig_disagree(r, edits, n, images, n_images, classes_only);
    if (wrong)
        describe(r, edits, n, wrong);
    assert_int_equal(wrong, 0);
}

/* Single faults in every layer, asked for as classes (mostly) and as outputs. */
static void single_faults(rig *r, int per_layer, uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    int32_t some[IMAGES];
    for (int layer = 0; layer < (int)r->model->n_layers; layer++) {
        for (int i = 0; i < per_layer; i++) {
            stoic_edit edit = rig_flip(r, layer, &rng);
            int n = 0;
            for (int32_t k = 0; k < r->n; k++) {
                if (kit_below(&rng, 3) == 0)
                    some[n++] = k;
            }
            bool all = i % 4 != 0 || n == 0;
            expect_agreement(r, &edit, 1, all ? NULL : some, all ? 0 : n, i % 5 != 0);
        }
    }
}

/* Edits that stay in the session while others are asked for, of another place in memory, and again
 * once the session was taken. */
static void held_faults(rig *r, const stoic_edit *edits, size_t n) {
    const stoic_edit other = edits[0];
    MUST(stoic_faulty_hold(r->fast, edits, n, err));
    assert_int_equal(r->fast->session->n_undo > 0, 1);
    for (int i = 0; i < 2; i++)
        expect_agreement(r, edits, n, NULL, 0, i == 0);
    assert_ptr_equal(r->fast->held, edits);
    expect_agreement(r, &other, 1, NULL, 0, true);
    assert_null(r->fast->held);
    expect_agreement(r, edits, n, NULL, 0, true);
    MUST(stoic_faulty_hold(r->fast, edits, n, err));
    assert_int_equal(stoic_faulty_session(r->fast)->n_undo, 0);
}

/* 2, 10 or 20 flips in one layer, or anywhere; batch normalisation too where there is some. */
static void many_faults(rig *r, int rounds, uint64_t seed) {
    static const int sizes[] = {2, 10, 20};
    stoic_rng rng = kit_rng(seed);
    stoic_edit edits[MOST_EDITS];
    int layers = (int)r->model->n_layers;
    for (int i = 0; i < rounds; i++) {
        int n = sizes[i % 3], layer = (int)kit_below(&rng, layers);
        bool spread = kit_below(&rng, 2);
        for (int k = 0; k < n; k++) {
            int node = (int)kit_below(&rng, (int64_t)r->model->n_nodes);
            if (r->model->nodes[node].op == &stoic_op_batch_normalization)
                edits[k] = kit_node_flip(r->model, node, 1 + (int)kit_below(&rng, 4), &rng);
            else
                edits[k] = rig_flip(r, spread ? (int)kit_below(&rng, layers) : layer, &rng);
        }
        expect_agreement(r, edits, (size_t)n, NULL, 0, i % 3 != 0);
        if (i % 8 == 0)
            held_faults(r, edits, (size_t)n);
    }
}

static void batch_norm_faults(rig *r, int rounds, uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    for (int done = 0; done < rounds;) {
        int node = (int)kit_below(&rng, (int64_t)r->model->n_nodes);
        if (r->model->nodes[node].op != &stoic_op_batch_normalization)
            continue;
        stoic_edit edit = kit_node_flip(r->model, node, 1 + (int)kit_below(&rng, 4), &rng);
        expect_agreement(r, &edit, 1, NULL, 0, done % 2);
        done++;
    }
}

static void try_model(stoic_model *model, const char *what, int singles, int multiples, int n) {
    assert_non_null(model);
    float *images = kit_images(model, n, 11);
    rig r = rig_create(model, images, n);
    single_faults(&r, kit_effort(singles), 21);
    many_faults(&r, kit_effort(multiples), 22);
    rig_print(&r, what);
    rig_free(&r);
    free(images);
}

/* ---- the order of sums ---- */

static void orders_of_sums_are_known(void **state) {
    (void)state;
    static const char *const names[] = {"lenet5", "resnet20"};
    for (int k = 0; k < 2; k++) {
        stoic_model *model = kit_zoo(names[k]);
        stoic_program *program = kit_compile(model, 0, false);
        stoic_chains *chains = NULL;
        int found = 0;
        MUST(stoic_chains_create(program, &chains, err));
        for (int i = 0; i < program->n_layers; i++) {
            const stoic_layer_chain *l = &chains->layers[i];
            found += l->known;
            print_message(
                "%s, layer %d (%s): %s, blocks of %lld of %lld channels, bias %s\n", names[k], i,
                program->layers[i].conv[0] ? stoic_dnn_conv_kernel(program->layers[i].conv[0])
                                           : "own kernel",
                l->known ? "known" : "unknown", (long long)l->shape.block, (long long)l->shape.ic,
                l->shape.bias_first ? "first" : "last");
        }
        /* not a matter of correctness, but without them every campaign is slow */
        assert_true(found == program->n_layers || !fused());
        stoic_chains_free(chains);
        stoic_program_free(program);
        stoic_model_free(model);
    }
}

/* The order is the kernel's, not the model's: a model without biases, or with few weights that are
 * not zero, must not leave a wrong one standing. */
static void set_zero(float *data, int64_t count, void *user) {
    stoic_rng rng = kit_rng(5);
    for (int64_t i = 0; i < count; i++)
        data[i] = kit_below(&rng, 100) < *(int *)user ? data[i] : 0;
}

static void zeros_do_not_hide_the_order(void **state) {
    (void)state;
    int keep = 0, few = 2;
    stoic_model *model = kit_zoo("lenet5");
    for (int layer = 0; layer < 5; layer++) {
        model = kit_changed(model, kit_weight(model, layer, 2), set_zero, &keep);
        model = kit_changed(model, kit_weight(model, layer, 1), set_zero, &few);
    }
    float *images = kit_images(model, IMAGES, 12);
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(31);
    for (int layer = 0; layer < 5; layer++) {
        for (int i = 0; i < 40; i++) {
            stoic_edit edits[MOST_EDITS];
            int64_t channels =
                stoic_tensor_count(model->values[kit_weight(model, layer, 2)].constant);
            int64_t inputs =
                stoic_tensor_count(model->values[kit_weight(model, layer, 1)].constant) / channels;
            int64_t channel = kit_below(&rng, channels);
            edits[0] = (stoic_edit){kit_weight(model, layer, 2), kit_uniform(&rng, -3, 3), channel};
            for (int k = 1; k < MOST_EDITS; k++)
                edits[k] = (stoic_edit){kit_weight(model, layer, 1), kit_uniform(&rng, -3, 3),
                                        channel * inputs + kit_below(&rng, inputs)};
            expect_agreement(&r, edits, MOST_EDITS, NULL, 0, i % 2);
        }
    }
    rig_free(&r);
    free(images);
}

/* ---- agreement ---- */

static void lenet_agrees(void **state) {
    (void)state;
    float *images;
    stoic_model *model = kit_zoo("lenet5");
    images = kit_images(model, IMAGES, 11);
    rig r = rig_create(model, images, IMAGES);
    single_faults(&r, kit_effort(300), 21);
    many_faults(&r, kit_effort(200), 22);
    rig_print(&r, "lenet5");
    const stoic_faulty_counts *c = stoic_faulty_count(r.fast);
    assert_true(!fused() || (c->narrow > 0 && c->difference > 0 && c->again > 0));
    assert_true(stoic_faulty_count(r.full)->difference == 0 &&
                stoic_faulty_count(r.full)->narrow == 0);
    for (int layer = 0; layer < 5; layer++)
        assert_true(known(&r, layer) || !fused());
    rig_free(&r);
    free(images);
}

static void variants_agree(void **state) {
    (void)state;
    static const char *const shipped[] = {"lenet5-fashion-mnist.onnx", "lenet5-avgpool.onnx",
                                          "lenet5-sigmoid.onnx"};
    for (int i = 0; i < 3; i++) {
        stoic_model *model = kit_shipped(shipped[i]);
        if (model)
            try_model(model, shipped[i], 150, 100, IMAGES);
    }
    try_model(kit_zoo("lenet5-avgpool"), "lenet5-avgpool", 60, 30, IMAGES);
    try_model(kit_zoo("lenet5-sigmoid"), "lenet5-sigmoid", 60, 30, IMAGES);
}

static void resnet_agrees(void **state) {
    (void)state;
    enum { FEW = 9 };
    stoic_model *model = kit_random_norms(kit_zoo("resnet20"), 3);
    float *images = kit_images(model, FEW, 13);
    rig r = rig_create(model, images, FEW);
    single_faults(&r, kit_effort(12), 23);
    many_faults(&r, kit_effort(40), 24);
    batch_norm_faults(&r, kit_effort(60), 25);
    rig_print(&r, "resnet20");
    rig_free(&r);
    free(images);
}

/* Ties, twins and saturated outputs. */
static void edges_agree(void **state) {
    (void)state;
    static const float change[] = {0, 1e-7f, 1e-6f, 1e-5f, 1e-3f};
    static const float scale[] = {1e-6f, 30, 1000, 1e30f};
    char what[64];
    for (int i = 0; i < 5; i++) {
        snprintf(what, sizeof what, "twins up to %g", (double)change[i]);
        try_model(kit_twins(kit_zoo("lenet5"), change[i]), what, 60, 20, IMAGES);
    }
    for (int i = 0; i < 4; i++) {
        stoic_model *model = kit_zoo("lenet5");
        float factor = scale[i];
        model = kit_changed(model, kit_weight(model, 4, 1), kit_scale, &factor);
        model = kit_changed(model, kit_weight(model, 4, 2), kit_scale, &factor);
        snprintf(what, sizeof what, "logits times %g", (double)factor);
        try_model(model, what, 60, 20, IMAGES);
    }
}

static void set_special(float *data, int64_t count, void *user) {
    data[count / 3] = *(float *)user;
}

/* A model and images that are broken before any fault. */
static void broken_values_agree(void **state) {
    (void)state;
    static const float special[] = {NAN, INFINITY, -INFINITY, 3e38f, 1e-40f};
    char what[64];
    for (int layer = 0; layer < 5; layer++) {
        float value = special[layer];
        stoic_model *model = kit_zoo("lenet5");
        model = kit_changed(model, kit_weight(model, layer, 1), set_special, &value);
        snprintf(what, sizeof what, "%g in layer %d", (double)value, layer);
        try_model(model, what, 25, 15, 33);
    }
    stoic_model *model = kit_zoo("lenet5");
    int64_t size = stoic_shape_count(stoic_model_input_shape(model));
    float *images = kit_images(model, IMAGES, 14);
    for (int i = 0; i < IMAGES; i += 3)
        images[i * size + 37 * i % size] = special[i / 3 % 5];
    for (int64_t i = 0; i < size; i++) {
        images[5 * size + i] = 0.25f; /* every pooling window is a tie */
        images[8 * size + i] = 0;
        images[11 * size + i] *= 1e30f;
        images[14 * size + i] *= 1e-42f;
    }
    rig r = rig_create(model, images, IMAGES);
    single_faults(&r, kit_effort(80), 26);
    many_faults(&r, kit_effort(60), 27);
    rig_print(&r, "images with NaN, Inf, huge and tiny pixels");
    rig_free(&r);
    free(images);
}

/* The images of Fashion-MNIST that the shipped network is least sure of. */
static void unsure_images_agree(void **state) {
    (void)state;
    enum { POOL = 2000 };
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    if (!model)
        return;
    int64_t size = stoic_shape_count(stoic_model_input_shape(model));
    float *images = kit_images(model, POOL, 15), *outputs = kit_floats(POOL * 10);
    float *chosen = kit_floats(IMAGES * size);
    stoic_program *program = kit_compile(model, 0, false);
    stoic_session *session = kit_session(program);
    MUST(stoic_session_run(session, images, POOL, outputs, err));
    for (int k = 0; k < IMAGES; k++) {
        int best = 0;
        float least = INFINITY;
        for (int i = 0; i < POOL; i++) {
            float *y = outputs + i * 10, top = -1, second = -1;
            for (int c = 0; c < 10; c++) {
                second = y[c] > top ? top : y[c] > second ? y[c] : second;
                top = y[c] > top ? y[c] : top;
            }
            if (top - second < least) {
                least = top - second;
                best = i;
            }
        }
        memcpy(chosen + k * size, images + best * size, (size_t)size * sizeof(float));
        outputs[best * 10] = 1e9f; /* not again */
    }
    stoic_session_free(session);
    stoic_program_free(program);
    rig r = rig_create(model, chosen, IMAGES);
    single_faults(&r, kit_effort(300), 28);
    rig_print(&r, "least sure images");
    rig_free(&r);
    free(chosen);
    free(outputs);
    free(images);
}

/* A fault in more than half of the channels is not worth a short cut. */
static void wide_faults_go_by_rows(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 17);
    rig r = rig_create(model, images, IMAGES);
    stoic_edit edits[14];
    for (int c = 0; c < 14; c++)
        edits[c] = kit_flip(model, kit_weight(model, 0, 2), c, 24 + c % 7);
    expect_agreement(&r, edits, 14, NULL, 0, true);
    assert_int_equal(stoic_faulty_count(r.fast)->rows, IMAGES);
    expect_agreement(&r, edits, 3, NULL, 0, true);
    assert_int_equal(stoic_faulty_count(r.fast)->rows, IMAGES);
    rig_free(&r);
    free(images);
}

/* Held edits on blocks that have but their input: these are filled only where something else is
 * read. */
static void blocks_are_filled_when_needed(void **state) {
    (void)state;
    enum { MOST = 128, BLOCKS = 2 };
    static const struct {
        int layer[2], channels[2];
        bool filled;
    } cases[] = {{{0, 4}, {20, 1}, false},
                 {{0, 2}, {3, 100}, false},
                 {{0, 0}, {20, 0}, true},
                 {{1, 4}, {50, 10}, true},
                 {{4, 4}, {10, 0}, true}};
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 17);
    rig r = rig_create(model, images, IMAGES);
    const uint64_t clean = stoic_session_digest(stoic_faulty_session(r.fast));
    heard fast = {.outputs = kit_floats(IMAGES * r.classes)};
    heard full = {.outputs = kit_floats(IMAGES * r.classes)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_edit edits[MOST];
        size_t n = 0;
        for (int l = 0; l < 2; l++) {
            for (int c = 0; c < cases[i].channels[l]; c++)
                edits[n++] = kit_flip(model, kit_weight(model, cases[i].layer[l], 2), c, 24);
        }
        MUST(stoic_faulty_hold(r.fast, edits, n, err));
        for (int b = 0; b < BLOCKS; b++) {
            stoic_block *open;
            fast = (heard){.classes = r.classes, .outputs = fast.outputs};
            full = (heard){.classes = r.classes, .outputs = full.outputs};
            stoic_sink sink = {&fast, hear_output, NULL, false};
            MUST(stoic_block_open(r.program, images, 0, IMAGES, &open, err));
            MUST(stoic_faulty_run(r.fast, open, NULL, 0, edits, n, &sink, err));
            assert_int_equal(open->filled, cases[i].filled);
            stoic_block_free(open);
            sink.user = &full;
            MUST(stoic_faulty_run(r.full, r.block, NULL, 0, edits, n, &sink, err));
            for (int k = 0; k < IMAGES; k++)
                assert_true(rig_agrees(&r, &fast, full.outputs + k * r.classes, k, true));
            assert_true(stoic_faulty_intact(r.fast, clean));
        }
    }
    free(fast.outputs);
    free(full.outputs);
    rig_free(&r);
    free(images);
}

/* The factors of the first normalisation, all but the last `left`. */
static size_t stem_edits(const stoic_model *model, float value, int left, stoic_edit edits[16]) {
    size_t node = 0;
    while (model->nodes[node].op != &stoic_op_batch_normalization)
        node++;
    for (int c = 0; c < 16 - left; c++)
        edits[c] = (stoic_edit){.tensor = model->nodes[node].in[1], .index = c, .value = value};
    return (size_t)(16 - left);
}

/* Images that become the same go on as one; those that differ in a pixel of one channel do not. */
static void alike_images_agree(void **state) {
    (void)state;
    enum { FEW = 19 };
    static const struct {
        float factor;
        int left;
        bool alike;
    } cases[] = {{0, 0, true}, {NAN, 0, true}, {INFINITY, 0, true}, {0, 1, false}, {NAN, 1, true}};
    stoic_model *model = kit_random_norms(kit_zoo("resnet20"), 3);
    float *images = kit_images(model, FEW, 13);
    int64_t size = stoic_shape_count(stoic_model_input_shape(model));
    for (int i = 1; i < FEW; i++) {
        memcpy(images + i * size, images, (size_t)size * sizeof *images);
        images[i * size + 37 * i] += 2;
    }
    rig r = rig_create(model, images, FEW);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_edit edits[16];
        int64_t before = stoic_faulty_count(r.fast)->alike;
        size_t n = stem_edits(model, cases[i].factor, cases[i].left, edits);
        expect_agreement(&r, edits, n, NULL, 0, false);
        assert_int_equal(stoic_faulty_count(r.fast)->alike > before, cases[i].alike);
    }
    assert_int_equal(stoic_faulty_count(r.full)->alike, 0);
    rig_free(&r);
    free(images);
}

/* Random faults in weights and normalisation; adds the images each way to `sum`. */
static void try_network(stoic_model *model, int seed, int cases, stoic_faulty_counts *sum) {
    enum { FEW = 19 };
    float *images = kit_images(model, FEW, (uint64_t)seed);
    if (seed % 7 == 3)
        images[seed % 16] = INFINITY;
    rig r = rig_create(model, images, FEW);
    stoic_rng rng = kit_rng((uint64_t)seed + 1000);
    for (int i = 0; i < cases; i++) {
        stoic_edit edits[3];
        size_t n = i % 4 ? 1 : 3;
        for (size_t k = 0; k < n; k++) {
            int node = (int)kit_below(&rng, (int64_t)model->n_nodes);
            if (model->nodes[node].op == &stoic_op_batch_normalization)
                edits[k] = kit_node_flip(model, node, 1 + (int)kit_below(&rng, 4), &rng);
            else
                edits[k] = rig_flip(&r, (int)kit_below(&rng, (int64_t)model->n_layers), &rng);
        }
        int wrong = rig_disagree(&r, edits, n, NULL, 0, i % 3 != 0);
        if (wrong) {
            print_message("network %d, case %d\n", seed, i);
            describe(&r, edits, n, wrong);
        }
        assert_int_equal(wrong, 0);
    }
    const stoic_faulty_counts *c = stoic_faulty_count(r.fast);
    sum->rows += c->rows;
    sum->narrow += c->narrow;
    sum->difference += c->difference;
    sum->again += c->again;
    rig_free(&r);
    free(images);
}

static void print_sum(const stoic_faulty_counts *c) {
    print_message("images: %lld by rows, %lld narrow, %lld by difference, %lld undecided\n",
                  (long long)c->rows, (long long)c->narrow, (long long)c->difference,
                  (long long)c->again);
}

/* Networks of every shape: groups, joins, strides, pools that overlap, leaky units, Softmax. */
static void random_networks_agree(void **state) {
    (void)state;
    stoic_faulty_counts sum = {0};
    int made = 0, wanted = kit_effort(120);
    for (int seed = 0; seed < wanted; seed++) {
        stoic_model *model = graph_random((uint64_t)seed);
        made += model != NULL;
        if (model)
            try_network(model, seed, 40, &sum);
    }
    print_sum(&sum);
    assert_true(made > wanted * 9 / 10);
    assert_true(sum.rows > 0 && (sum.narrow > 0 || !fused()));
}

/* The same for networks in which the difference is worth while, many on the edge. */
static void wide_networks_agree(void **state) {
    (void)state;
    static const float change[] = {1, 1e-7f, 1e-6f, 1e-4f, 1, 1e-5f};
    stoic_faulty_counts sum = {0};
    for (int seed = 0; seed < kit_effort(96); seed++)
        try_network(graph_wide((uint64_t)seed, change[seed % 6]), seed, 40, &sum);
    print_sum(&sum);
    assert_true(!fused() || (sum.difference > 0 && sum.again > 0));
}

/* ---- one block, several threads ---- */

typedef struct crowd {
    rig *rigs;
    int wrong[2];
} crowd;

static void crowd_work(int worker, void *user) {
    crowd *c = user;
    rig *r = &c->rigs[worker];
    stoic_rng rng = kit_rng(40 + (uint64_t)worker);
    for (int i = 0; i < 60; i++) {
        stoic_edit edit = rig_flip(r, i % 5, &rng);
        heard h = {.classes = r->classes};
        h.outputs = kit_floats(r->n * r->classes);
        stoic_sink sink = {&h, hear_output, i % 2 ? hear_top1 : NULL, i % 2 != 0};
        if (stoic_faulty_run(r->fast, r->block, NULL, 0, &edit, 1, &sink, NULL) != STOIC_OK)
            c->wrong[worker]++;
        free(h.outputs);
    }
}

static void a_block_can_be_shared(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 16);
    rig a = rig_create(model, images, IMAGES), b = a;
    MUST(stoic_faulty_create(a.program, a.chains, false, &b.fast, err));
    rig both[2] = {a, b};
    crowd c = {both, {0}};
    MUST(stoic_pool_run(2, crowd_work, &c, err));
    assert_int_equal(c.wrong[0] + c.wrong[1], 0);
    /* what the threads made together is what one makes alone */
    single_faults(&a, 20, 29);
    stoic_faulty_free(b.fast);
    rig_free(&a);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_of_sums_are_known),
        cmocka_unit_test(zeros_do_not_hide_the_order),
        cmocka_unit_test(a_block_can_be_shared),
        cmocka_unit_test(wide_faults_go_by_rows),
        cmocka_unit_test(blocks_are_filled_when_needed),
        cmocka_unit_test(random_networks_agree),
        cmocka_unit_test(wide_networks_agree),
        cmocka_unit_test(lenet_agrees),
        cmocka_unit_test(variants_agree),
        cmocka_unit_test(resnet_agrees),
        cmocka_unit_test(alike_images_agree),
        cmocka_unit_test(edges_agree),
        cmocka_unit_test(broken_values_agree),
        cmocka_unit_test(unsure_images_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
