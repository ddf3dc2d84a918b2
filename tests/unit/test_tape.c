/*
 * The tape against the plain training step: the same networks, images and labels, every gradient
 * of every parameter; and that shards and threads change nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "exec/tape.h"
#include "harden_kit.h"
#include "plain_gradient.h"
#include "plain_loss.h"
#include "train/loss.h"

/* Off by at most this part of a parameter's largest gradient: sums of some thousand products in
 * float against double. */
static const double TOLERANCE = 5e-5;

typedef struct rig {
    stoic_model *model;
    stoic_team *team;
    stoic_tape *tape;
    stoic_loss loss;
    int64_t batch, classes;
    float *images;
    int *labels;
    double losses[64];
} rig;

/* Constants that are trained besides. */
static int further[4];
static size_t n_further;

/* As in inference: running statistics, no dropout. */
static bool inference;

static rig rig_of(stoic_model *model, int64_t batch, int threads, stoic_loss_kind kind,
                  bool faults) {
    stoic_rng rng = kit_rng(77);
    rig r = {.model = model, .batch = batch, .loss = {kind, 0.1, batch}};
    r.loss.smoothing = kind == STOIC_LOSS_CE ? 0.1 : 0;
    r.classes = stoic_model_classes(model);
    int64_t size = kit_input_size(model);
    r.images = kit_floats(batch * size);
    r.labels = calloc((size_t)batch, sizeof *r.labels);
    assert_non_null(r.labels);
    for (int64_t i = 0; i < batch * size; i++)
        r.images[i] = kit_uniform(&rng, -1, 1);
    for (int64_t i = 0; i < batch; i++)
        r.labels[i] = (int)kit_below(&rng, r.classes);
    stoic_tape_options options = {.batch = batch, .seed = 3, .map_faults = faults};
    options.also = further;
    options.n_also = n_further;
    options.inference = inference;
    MUST(stoic_team_create(threads, &r.team, err));
    MUST(stoic_tape_create(model, &options, r.team, &r.tape, err));
    return r;
}

static void rig_free(rig *r) {
    stoic_tape_free(r->tape);
    stoic_team_free(r->team);
    stoic_model_free(r->model);
    free(r->images);
    free(r->labels);
}

static void step(int member, void *user) {
    rig *r = user;
    stoic_tape_pack(r->tape, member);
    stoic_tape_forward(r->tape, member, r->images, 0);
    for (int s = 0; s < stoic_tape_shards(r->tape); s++) {
        if (!stoic_tape_owns(r->tape, member, s))
            continue;
        int64_t first, count;
        float *gradient;
        const float *z = stoic_tape_head(r->tape, s, &gradient);
        stoic_tape_shard(r->tape, s, &first, &count);
        r->losses[s] = 0;
        for (int64_t i = 0; i < count; i++)
            r->losses[s] += stoic_loss_image(&r->loss, z + i * r->classes, r->classes,
                                             r->labels[first + i], gradient + i * r->classes);
    }
    stoic_tape_backward(r->tape, member);
    stoic_tape_collect(r->tape, member);
}

static double run(rig *r) {
    double loss = 0;
    stoic_team_run(r->team, step, r);
    MUST(stoic_tape_status(r->tape, err));
    for (int s = 0; s < stoic_tape_shards(r->tape); s++)
        loss += r->losses[s];
    return loss;
}

static int head_of(const stoic_model *m) {
    const stoic_node *last = &m->nodes[m->values[m->output].producer];
    bool strip = last->op == &stoic_op_sigmoid || last->op == &stoic_op_softmax ||
                 last->op == &stoic_op_log_softmax;
    return strip ? last->in[0] : m->output;
}

/* The same step in double; returns its loss. */
static double plain_step(const rig *r, plain_net **out, const plain_fault *faults,
                         size_t n_faults) {
    const stoic_model *m = r->model;
    int head = head_of(m);
    int64_t size = r->batch * kit_input_size(m);
    bool *training = calloc(m->n_nodes, sizeof *training);
    double *pixels = plain_zeros(size), *grad = plain_zeros(r->batch * r->classes);
    assert_non_null(training);
    for (size_t i = 0; i < m->n_nodes; i++)
        training[i] = !inference;
    for (int64_t i = 0; i < size; i++)
        pixels[i] = (double)r->images[i];
    plain_net *net = plain_create(m, r->batch, training);
    net->faults = faults;
    net->n_faults = n_faults;
    plain_forward(net, pixels);
    double loss =
        r->loss.kind == STOIC_LOSS_BCE
            ? plain_binary_cross_entropy(net->values[head], r->labels, r->batch, r->classes, grad)
            : plain_cross_entropy(net->values[head], r->labels, r->batch, r->classes,
                                  r->loss.smoothing, grad);
    plain_backward(net, head, grad);
    free(pixels);
    free(grad);
    free(training);
    *out = net;
    return loss;
}

static double largest_of(const double *x, int64_t count) {
    double largest = 0;
    for (int64_t k = 0; k < count; k++)
        largest = fmax(largest, fabs(x[k]));
    return largest;
}

/* How far the tape's gradients are from the plain ones, relative to the parameter's largest. What
 * is 0 in exact arithmetic (a bias in front of normalisation) is measured by the whole network's
 * largest gradient instead. */
static double gap(rig *r, const plain_net *net) {
    double worst = 0, floor = 0;
    int params = stoic_tape_param_count(r->tape);
    for (int i = 0; i < params; i++) {
        const stoic_tape_param *p = stoic_tape_param_at(r->tape, i);
        floor = fmax(floor, 0.02 * largest_of(net->grads[p->tensor], p->count));
    }
    for (int i = 0; i < params; i++) {
        const stoic_tape_param *p = stoic_tape_param_at(r->tape, i);
        const double *expected = net->grads[p->tensor];
        double off = 0;
        for (int64_t k = 0; k < p->count; k++) {
            double d = fabs((double)p->gradient[k] - expected[k]);
            off = d <= off ? off : isnan(d) ? INFINITY : d;
        }
        worst = fmax(worst, off / fmax(floor, largest_of(expected, p->count)));
    }
    return worst;
}

static double agree(stoic_model *model, int64_t batch, stoic_loss_kind kind) {
    rig r = rig_of(model, batch, 2, kind, false);
    plain_net *net;
    double loss = run(&r), expected = plain_step(&r, &net, NULL, 0);
    double off = fmax(gap(&r, net), fabs(loss - expected) / expected);
    plain_free(net);
    rig_free(&r);
    return off;
}

static stoic_model *hardened(stoic_model *model, const char *passes) {
    return kit_hardened(model, passes, NULL, NULL);
}

static void networks_agree(void **state) {
    (void)state;
    const struct {
        const char *name;
        stoic_model *model;
        int64_t batch;
        stoic_loss_kind kind;
    } cases[] = {
        {"lenet", small_lenet(), 5, STOIC_LOSS_BCE},
        {"lenet, cross-entropy", small_lenet(), 20, STOIC_LOSS_CE},
        {"resnet", small_resnet(), 18, STOIC_LOSS_CE},
        {"resnet, bce", small_resnet(), 3, STOIC_LOSS_BCE},
        {"mobile", small_mobile(), 7, STOIC_LOSS_CE},
        {"zoo lenet5", kit_zoo("lenet5"), 3, STOIC_LOSS_BCE},
        {"zoo lenet5-avgpool", kit_zoo("lenet5-avgpool"), 2, STOIC_LOSS_BCE},
        {"zoo lenet5-sigmoid", kit_zoo("lenet5-sigmoid"), 2, STOIC_LOSS_CE},
        {"zoo resnet20", kit_zoo("resnet20"), 2, STOIC_LOSS_CE},
        {"hardened lenet", hardened(small_lenet(), "bound:0.5 nan-filter"), 5, STOIC_LOSS_BCE},
        {"hardened resnet", hardened(small_resnet(), "bound:2 invert"), 7, STOIC_LOSS_CE},
        {"filtered resnet", hardened(small_resnet(), "nan-filter invert bound:2"), 7,
         STOIC_LOSS_CE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double off = agree(cases[i].model, cases[i].batch, cases[i].kind);
        print_message("%s: off by %.2g\n", cases[i].name, off);
        assert_true(off <= TOLERANCE);
    }
}

/* The bounds of a gate y = x - x sigmoid(8 (x - bound)), one a channel, and one for all. */
static void further_constants_are_trained(void **state) {
    (void)state;
    static const int64_t shapes[2][3] = {{3, 1, 1}, {1}};
    for (int i = 0; i < 2; i++) {
        stoic_rng rng = kit_rng(5);
        graph g = small_start(&rng, 1, 6, 6);
        char x[16], bound[16], steepness[16], in[16];
        small_conv(&g, 3, 3, 1, 1, true);
        graph_simple(&g, &stoic_op_relu);
        memcpy(x, g.value, sizeof x);
        graph_constant(&g, bound, i ? 1 : 3, shapes[i], 0.3, 0.9);
        graph_constant(&g, steepness, 0, NULL, 8, 8);
        graph_node(&g, &stoic_op_sub, (const char *[]){x, bound}, 2);
        memcpy(in, g.value, sizeof in);
        graph_node(&g, &stoic_op_mul, (const char *[]){in, steepness}, 2);
        graph_simple(&g, &stoic_op_sigmoid);
        small_join(&g, &stoic_op_mul, x);
        small_join(&g, &stoic_op_sub, x);
        small_flatten(&g);
        graph_product(&g, 4);
        stoic_model *model = small_finish(&g);
        for (size_t v = 0; v < model->n_values; v++) {
            if (strcmp(model->values[v].name, bound) == 0)
                further[0] = (int)v;
        }
        n_further = 1;
        rig r = rig_of(stoic_model_retain(model), 5, 2, STOIC_LOSS_CE, false);
        bool found = false;
        for (int k = 0; k < stoic_tape_param_count(r.tape); k++)
            found = found || stoic_tape_param_at(r.tape, k)->tensor == further[0];
        assert_true(found);
        rig_free(&r);
        double off = agree(model, 5, STOIC_LOSS_CE);
        n_further = 0;
        print_message("bounds: off by %.2g\n", off);
        assert_true(off <= TOLERANCE);
    }
}

static bool trainable(const stoic_model *m) {
    stoic_tape *tape = NULL;
    stoic_team *team = NULL;
    stoic_tape_options options = {.batch = 3};
    MUST(stoic_team_create(1, &team, err));
    bool yes = stoic_tape_create(m, &options, team, &tape, NULL) == STOIC_OK;
    stoic_tape_free(tape);
    stoic_team_free(team);
    return yes;
}

/* A few of these normalise three nearly equal numbers, or hit a kink where float and double fall on
 * different sides: such a network may be further off. */
static void random_networks_agree(void **state) {
    (void)state;
    int tried = 0, over = 0;
    double worst = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        stoic_model *model = graph_random(seed);
        if (!model || !trainable(model)) {
            stoic_model_free(model);
            continue;
        }
        double off = agree(model, 3 + (int64_t)(seed % 15), STOIC_LOSS_CE);
        tried++;
        over += !(off <= 10 * TOLERANCE);
        worst = fmax(worst, off);
        if (!(off <= 10 * TOLERANCE))
            print_message("network %llu: off by %.2g\n", (unsigned long long)seed, off);
    }
    print_message("%d random networks, %d of them off, at most %.2g\n", tried, over, worst);
    assert_true(tried >= 20);
    assert_true(over <= tried / 8);
    assert_true(worst <= 0.05);
}

static stoic_model *wide_network(void) {
    stoic_rng rng = kit_rng(9);
    graph g = small_start(&rng, 2, 18, 16);
    small_flatten(&g);
    graph_product(&g, 520);
    graph_simple(&g, &stoic_op_relu);
    graph_product(&g, 530);
    graph_simple(&g, &stoic_op_tanh);
    graph_product(&g, 7);
    return small_finish(&g);
}

static void wide_products_agree(void **state) {
    (void)state;
    double off = agree(wide_network(), 19, STOIC_LOSS_CE);
    print_message("off by %.2g\n", off);
    assert_true(off <= TOLERANCE);
}

/* ---- threads ---- */

static void same_bytes(stoic_model *(*network)(void), int64_t batch) {
    rig one = rig_of(network(), batch, 1, STOIC_LOSS_CE, false);
    double loss = run(&one);
    for (int threads = 2; threads <= 5; threads++) {
        rig many = rig_of(network(), batch, threads, STOIC_LOSS_CE, false);
        assert_true(run(&many) == loss);
        for (int i = 0; i < stoic_tape_param_count(one.tape); i++) {
            const stoic_tape_param *a = stoic_tape_param_at(one.tape, i);
            const stoic_tape_param *b = stoic_tape_param_at(many.tape, i);
            assert_memory_equal(a->gradient, b->gradient, (size_t)a->count * sizeof(float));
        }
        for (int i = 0; i < stoic_tape_running_count(one.tape); i++) {
            int64_t count;
            const float *a = stoic_tape_running_at(one.tape, i, &count);
            assert_memory_equal(a, stoic_tape_running_at(many.tape, i, &count),
                                (size_t)count * sizeof(float));
        }
        rig_free(&many);
    }
    rig_free(&one);
}

static void threads_change_nothing(void **state) {
    (void)state;
    same_bytes(small_lenet, 37);
    same_bytes(small_resnet, 33);
    same_bytes(small_mobile, 18);
    same_bytes(wide_network, 21);
}

static void running_statistics(void **state) {
    (void)state;
    rig r = rig_of(small_resnet(), 9, 2, STOIC_LOSS_CE, false);
    plain_net *net;
    run(&r);
    plain_step(&r, &net, NULL, 0);
    int found = 0;
    for (size_t i = 0; i < r.model->n_nodes; i++) {
        const stoic_node *n = &r.model->nodes[i];
        if (n->op != &stoic_op_batch_normalization)
            continue;
        for (int k = 3; k < 5; k++) {
            const stoic_tensor *before = r.model->values[n->in[k]].constant;
            const stoic_tensor *after = stoic_tape_model(r.tape)->values[n->in[k]].constant;
            const double *batch = k == 3 ? net->batch_mean[i] : net->batch_variance[i];
            for (int64_t c = 0; c < stoic_tensor_count(before); c++) {
                double expected = 0.9 * stoic_tensor_get(before, c) + 0.1 * batch[c];
                assert_true(fabs(stoic_tensor_get(after, c) - expected) <=
                            1e-5 * (fabs(expected) + 0.1));
                found++;
            }
        }
    }
    assert_true(found > 20);
    plain_free(net);
    rig_free(&r);
}

/* ---- faults ---- */

static void faults_act_and_pass_gradients(void **state) {
    (void)state;
    rig r = rig_of(small_resnet(), 6, 2, STOIC_LOSS_CE, true);
    const stoic_model *m = r.model;
    int node = m->layer_nodes[2], value = m->nodes[node].out[0];
    int64_t index[2][3] = {{0, 3, 9}, {1, 2, 14}};
    uint32_t bits[3] = {kit_bits(0.5f), kit_bits(-2), kit_bits(3)};
    stoic_map_hits hits[2] = {
        {.hit = true, .mode = STOIC_MAP_MULTIPLY, .factor = -3.5f, .count = 3},
        {.hit = true, .mode = STOIC_MAP_REPLACE, .count = 3}};
    hits[0].index = index[0];
    hits[1].index = index[1];
    hits[1].bits = bits;
    plain_fault faults[6];
    for (int k = 0; k < 3; k++) {
        faults[k] = (plain_fault){1, value, index[0][k], -3.5, false};
        faults[3 + k] = (plain_fault){4, value, index[1][k], (double)kit_float(bits[k]), true};
    }
    plain_net *net;
    double clean = run(&r);
    stoic_tape_corrupt(r.tape, 1, 2, &hits[0]);
    stoic_tape_corrupt(r.tape, 4, 2, &hits[1]);
    double loss = run(&r), expected = plain_step(&r, &net, faults, 6);
    assert_true(fabs(loss - clean) > 1e-4);
    assert_true(fabs(loss - expected) <= 1e-5);
    double off = gap(&r, net);
    print_message("off by %.2g\n", off);
    assert_true(off <= TOLERANCE);
    plain_free(net);
    /* the partner: without the faults the gradients are others */
    plain_step(&r, &net, NULL, 0);
    assert_true(gap(&r, net) > 100 * TOLERANCE);
    plain_free(net);
    rig_free(&r);
}

/* ---- as in inference ---- */

/* Running statistics instead of those of the batch, and they stay as they are. */
static void inference_agrees(void **state) {
    (void)state;
    for (int network = 0; network < 3; network++) {
        stoic_model *model = network == 0   ? small_resnet()
                             : network == 1 ? hardened(small_resnet(), "invert")
                                            : small_mobile();
        plain_net *net;
        inference = true;
        rig r = rig_of(kit_random_norms(model, 4), 7, 2, STOIC_LOSS_CE, false);
        int64_t count;
        float *running = stoic_tape_running_at(r.tape, 0, &count), before = *running;
        double loss = run(&r), expected = plain_step(&r, &net, NULL, 0);
        double off = fmax(gap(&r, net), fabs(loss - expected) / expected);
        print_message("network %d: off by %.2g\n", network, off);
        assert_true(off <= TOLERANCE);
        assert_true(*running == before);
        plain_free(net);
        /* the partner: with the batch's own statistics the gradients are others */
        inference = false;
        plain_step(&r, &net, NULL, 0);
        assert_true(gap(&r, net) > 100 * TOLERANCE);
        plain_free(net);
        rig_free(&r);
    }
}

/* ---- dropout ---- */

static stoic_model *dropping(bool drops) {
    stoic_rng rng = kit_rng(12);
    graph g = small_start(&rng, 1, 5, 5);
    char in[16], ratio[16];
    small_flatten(&g);
    graph_product(&g, 300);
    if (drops) {
        graph_constant(&g, ratio, 0, NULL, 0.3, 0.3);
        memcpy(in, g.value, sizeof in);
        graph_node(&g, &stoic_op_dropout, (const char *[]){in, ratio}, 2);
    }
    return small_finish(&g);
}

static void inference_drops_nothing(void **state) {
    (void)state;
    inference = true;
    rig with = rig_of(dropping(true), 11, 2, STOIC_LOSS_CE, false);
    rig without = rig_of(dropping(false), 11, 1, STOIC_LOSS_CE, false);
    inference = false;
    assert_true(run(&with) == run(&without));
    rig_free(&with);
    rig_free(&without);
}

/* What the head lost is 30 % of it, the rest grew by 1 / 0.7, and gradients went the same way. */
static void dropout_drops(void **state) {
    (void)state;
    enum { BATCH = 11, WIDTH = 300 };
    rig with = rig_of(dropping(true), BATCH, 2, STOIC_LOSS_CE, false);
    rig without = rig_of(dropping(false), BATCH, 1, STOIC_LOSS_CE, false);
    int value = with.model->nodes[with.model->values[with.model->output].producer].in[0];
    static plain_fault faults[BATCH * WIDTH];
    int dropped = 0;
    run(&with);
    run(&without);
    for (int s = 0; s < stoic_tape_shards(with.tape); s++) {
        int64_t first, count;
        float *unused;
        const float *z = stoic_tape_head(with.tape, s, &unused);
        const float *y = stoic_tape_head(without.tape, s, &unused);
        stoic_tape_shard(with.tape, s, &first, &count);
        for (int64_t i = 0; i < count * WIDTH; i++) {
            bool gone = z[i] == 0;
            assert_true(gone || fabs((double)(z[i] / y[i]) - 1 / 0.7) < 1e-4);
            dropped += gone;
            faults[first * WIDTH + i] = (plain_fault){first + i / WIDTH, value, i % WIDTH,
                                                      gone ? 0 : (double)(z[i] / y[i]), false};
        }
    }
    assert_true(abs(dropped - 990) < 100); /* 3300 draws of 0.3: four deviations */
    plain_net *net;
    plain_step(&with, &net, faults, BATCH * WIDTH);
    assert_true(gap(&with, net) <= 2 * TOLERANCE);
    plain_free(net);
    rig_free(&with);
    rig_free(&without);
}

/* ---- partners and refusals ---- */

static void a_wrong_weight_is_noticed(void **state) {
    (void)state;
    rig r = rig_of(small_resnet(), 4, 1, STOIC_LOSS_CE, false);
    plain_net *net;
    plain_step(&r, &net, NULL, 0);
    run(&r);
    assert_true(gap(&r, net) <= TOLERANCE);
    stoic_tape_param_at(r.tape, 3)->value[1] += 0.02f;
    run(&r);
    assert_true(gap(&r, net) > 20 * TOLERANCE);
    plain_free(net);
    rig_free(&r);
}

static stoic_model *two_norms_on_rank_3(void) {
    stoic_rng rng = kit_rng(5);
    graph g = small_start(&rng, 2, 3, 4);
    char in[16], shape[16];
    memcpy(in, g.value, sizeof in);
    graph_integers(&g, shape, (const int64_t[]){0, 2, 12}, 3);
    graph_node(&g, &stoic_op_reshape, (const char *[]){in, shape}, 2);
    graph_norm(&g);
    graph_norm(&g);
    graph_simple(&g, &stoic_op_flatten);
    g.c = 24;
    graph_product(&g, 3);
    return small_finish(&g);
}

static void what_has_no_gradient_is_listed(void **state) {
    (void)state;
    stoic_model *model = two_norms_on_rank_3();
    stoic_tape_options options = {.batch = 4};
    stoic_tape *tape = NULL;
    stoic_team *team;
    stoic_error why = {.message = ""};
    MUST(stoic_team_create(2, &team, err));
    assert_int_equal(stoic_tape_create(model, &options, team, &tape, &why), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.message, "2 operators"));
    assert_non_null(strstr(why.message, "BatchNormalization"));
    assert_null(tape);
    options.batch = 0;
    assert_int_equal(stoic_tape_create(model, &options, team, &tape, &why), STOIC_ERR_ARGUMENT);
    stoic_team_free(team);
    stoic_model_free(model);
}

/* Two runs of three meet in a comparison, through which nothing goes back. */
static void what_is_only_compared_is_refused(void **state) {
    (void)state;
    stoic_model *model = hardened(small_lenet(), "tmr");
    stoic_tape_options options = {.batch = 4};
    stoic_tape *tape = NULL;
    stoic_team *team;
    stoic_error why = {.message = ""};
    MUST(stoic_team_create(2, &team, err));
    assert_int_equal(stoic_tape_create(model, &options, team, &tape, &why), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.message, "is read by comparisons alone"));
    assert_null(tape);
    stoic_team_free(team);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree),
        cmocka_unit_test(further_constants_are_trained),
        cmocka_unit_test(random_networks_agree),
        cmocka_unit_test(wide_products_agree),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(running_statistics),
        cmocka_unit_test(faults_act_and_pass_gradients),
        cmocka_unit_test(inference_agrees),
        cmocka_unit_test(dropout_drops),
        cmocka_unit_test(inference_drops_nothing),
        cmocka_unit_test(a_wrong_weight_is_noticed),
        cmocka_unit_test(what_has_no_gradient_is_listed),
        cmocka_unit_test(what_is_only_compared_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
