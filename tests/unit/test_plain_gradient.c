/*
 * The plain training step itself: whole networks against central differences of the loss, and the
 * losses and BatchNormalization in training against numbers of PyTorch 2.15, in double.
 */
#include "plain_gradient.h"
#include "plain_loss.h"
#include "small_networks.h"

enum { IMAGES = 3 };

typedef enum loss_kind { WEIGHTED, CROSS_ENTROPY, BINARY } loss_kind;

/* A network, what it is trained with, and the loss: WEIGHTED sums all outputs, `grad` is weights.
 */
typedef struct scene {
    stoic_model *model;
    plain_net *net;
    loss_kind kind;
    int value; /* that the loss is a function of */
    bool *training;
    double *pixels, *grad;
    int labels[IMAGES];
} scene;

static double *random_doubles(stoic_rng *rng, int64_t count) {
    double *out = plain_zeros(count);
    for (int64_t i = 0; i < count; i++)
        out[i] = 2 * stoic_rng_unit(rng) - 1;
    return out;
}

/* Takes `model` over. All batch normalisations train, or with `mixed` every second one. */
static scene scene_of(stoic_model *model, loss_kind kind, bool mixed, uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    scene s = {.model = model, .kind = kind, .value = model->output};
    int norms = 0;
    if (kind == CROSS_ENTROPY)
        s.value = plain_before(model, &stoic_op_softmax);
    if (kind == BINARY)
        s.value = plain_before(model, &stoic_op_sigmoid);
    s.training = calloc(model->n_nodes, sizeof *s.training);
    assert_non_null(s.training);
    for (size_t i = 0; i < model->n_nodes; i++)
        if (model->nodes[i].op == &stoic_op_batch_normalization)
            s.training[i] = norms++ % 2 == 0 || !mixed;
    s.pixels = random_doubles(&rng, IMAGES * kit_input_size(model));
    s.grad = random_doubles(&rng, IMAGES * stoic_model_classes(model));
    for (int i = 0; i < IMAGES; i++)
        s.labels[i] = (int)kit_below(&rng, stoic_model_classes(model));
    s.net = plain_create(model, IMAGES, s.training);
    return s;
}

static void scene_free(scene *s) {
    plain_free(s->net);
    stoic_model_free(s->model);
    free(s->training);
    free(s->pixels);
    free(s->grad);
}

static double scene_loss(scene *s) {
    int64_t classes = plain_count(s->net, s->value);
    const double *z = s->net->values[s->value];
    double loss = 0;
    plain_forward(s->net, s->pixels);
    if (s->kind == CROSS_ENTROPY)
        return plain_cross_entropy(z, s->labels, IMAGES, classes, 0.1, s->grad);
    if (s->kind == BINARY)
        return plain_binary_cross_entropy(z, s->labels, IMAGES, classes, s->grad);
    for (int64_t i = 0; i < IMAGES * classes; i++)
        loss += s->grad[i] * z[i];
    return loss;
}

static void scene_backward(scene *s) {
    scene_loss(s);
    plain_backward(s->net, s->value, s->grad);
}

static double difference_quotient(scene *s, double *x, double step) {
    const double kept = *x;
    *x = kept + step;
    double above = scene_loss(s);
    *x = kept - step;
    double below = scene_loss(s);
    *x = kept;
    return (above - below) / (2 * step);
}

static const double STEP = 1e-5, TOLERANCE = 3e-6;

static int kinks; /* left out */

/* How far one element of a gradient is from the differences, relative to `scale`. Where these
 * differ among themselves, there is a kink within a step; a wrong gradient does not make them
 * differ. */
static double gap_at(scene *s, double grad, double *x, double scale) {
    double expected = difference_quotient(s, x, STEP), off = fabs(grad - expected) / scale;
    if (off <= TOLERANCE)
        return off;
    if (fabs(difference_quotient(s, x, 2 * STEP) - expected) / scale > TOLERANCE) {
        kinks++;
        return 0;
    }
    return isnan(off) ? INFINITY : off;
}

/* The largest gap of `tries` of the `count` elements, relative to the largest element. */
static double gap(scene *s, const double *grad, double *x, int64_t count, int tries,
                  stoic_rng *rng) {
    double largest = 1e-3, worst = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(grad[i]));
    for (int i = 0; i < tries; i++) {
        int64_t at = tries < count ? kit_below(rng, count) : i % count;
        worst = fmax(worst, gap_at(s, grad[at], &x[at], largest));
    }
    return worst;
}

static bool steers(const plain_net *net, int value) {
    for (size_t i = 0; i < net->model->n_nodes; i++) {
        const stoic_node *n = &net->model->nodes[i];
        for (size_t k = 3; k < n->n_in && n->op == &stoic_op_batch_normalization; k++)
            if (n->in[k] == value)
                return true;
    }
    return false;
}

/* The largest gap over the images and all constants; mean and variance have gradients of 0. */
static double largest_gap(scene *s, int tries) {
    stoic_rng rng = kit_rng(21);
    const stoic_model *m = s->model;
    double worst =
        gap(s, s->net->grads[m->input], s->pixels, IMAGES * kit_input_size(m), tries, &rng);
    for (size_t v = 0; v < m->n_values; v++) {
        if (!m->values[v].constant || !plain_is_float(s->net, (int)v))
            continue;
        int64_t count = plain_count(s->net, (int)v);
        assert_non_null(s->net->grads[v]);
        for (int64_t i = 0; steers(s->net, (int)v) && i < count; i++)
            assert_true(s->net->grads[v][i] == 0);
        if (!steers(s->net, (int)v))
            worst = fmax(worst, gap(s, s->net->grads[v], s->net->values[v], count, tries, &rng));
    }
    return worst;
}

static void networks(void **state) {
    (void)state;
    scene scenes[] = {
        scene_of(small_lenet(), BINARY, false, 1),
        scene_of(small_lenet(), WEIGHTED, false, 2),
        scene_of(small_resnet(), CROSS_ENTROPY, false, 3),
        scene_of(small_resnet(), WEIGHTED, true, 4),
        scene_of(small_mobile(), WEIGHTED, false, 5),
        scene_of(small_mobile(), CROSS_ENTROPY, true, 6),
    };
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        scene_backward(&scenes[i]);
        double off = largest_gap(&scenes[i], 16);
        print_message("network %zu: off by %.2g\n", i, off);
        assert_true(off <= TOLERANCE);
        scene_free(&scenes[i]);
    }
}

static void random_networks(void **state) {
    (void)state;
    double worst = 0;
    kinks = 0;
    for (int seed = 0; seed < 24; seed++) {
        stoic_model *model = graph_random((uint64_t)seed);
        if (!model)
            continue;
        scene s = scene_of(model, WEIGHTED, seed % 2, (uint64_t)seed);
        scene_backward(&s);
        double off = largest_gap(&s, 2);
        if (off > TOLERANCE)
            print_message("network %d: off by %.2g\n", seed, off);
        worst = fmax(worst, off);
        scene_free(&s);
    }
    print_message("largest difference: %.2g, %d kinks left out\n", worst, kinks);
    assert_true(worst <= TOLERANCE);
    assert_true(kinks <= 5);
}

/* ---- the partners: what is wrong is noticed ---- */

static void notices_one_wrong_element(void **state) {
    (void)state;
    scene s = scene_of(small_lenet(), BINARY, false, 1);
    stoic_rng rng = kit_rng(22);
    scene_backward(&s);
    for (size_t v = 0; v < s.model->n_values; v++) {
        if (!s.model->values[v].constant || !plain_is_float(s.net, (int)v))
            continue;
        double *grad = s.net->grads[v], largest = 1e-3, kept = grad[0];
        for (int64_t i = 0; i < plain_count(s.net, (int)v); i++)
            largest = fmax(largest, fabs(grad[i]));
        assert_true(gap(&s, grad, s.net->values[v], 1, 1, &rng) <= TOLERANCE);
        grad[0] += 1e-5 * largest;
        assert_true(gap(&s, grad, s.net->values[v], 1, 1, &rng) > TOLERANCE);
        grad[0] = kept;
    }
    scene_free(&s);
}

/* Statistics taken as constants on the way back. */
static void notices_constant_statistics(void **state) {
    (void)state;
    scene s = scene_of(small_resnet(), CROSS_ENTROPY, false, 3);
    scene_loss(&s);
    for (size_t i = 0; i < s.model->n_nodes; i++) {
        int *in = s.model->nodes[i].in;
        for (int64_t c = 0; s.training[i] && c < plain_count(s.net, in[3]); c++) {
            double m = (double)(IMAGES * plain_count(s.net, in[0]) / plain_count(s.net, in[3]));
            s.net->values[in[3]][c] = s.net->batch_mean[i][c];
            s.net->values[in[4]][c] = s.net->batch_variance[i][c] * (m - 1) / m;
        }
    }
    /* the same values on the way forth */
    double loss = scene_loss(&s);
    s.net->training = NULL;
    assert_true(fabs(scene_loss(&s) - loss) < 1e-12);
    plain_backward(s.net, s.value, s.grad);
    s.net->training = s.training;
    assert_true(largest_gap(&s, 16) > TOLERANCE);
    scene_free(&s);
}

/* ---- faults ---- */

/* The values computed by nodes, hit in several places, one of them twice; so is the input. */
static void faults(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        scene s = kind ? scene_of(small_resnet(), CROSS_ENTROPY, false, 7)
                       : scene_of(small_lenet(), BINARY, false, 8);
        stoic_rng rng = kit_rng(9);
        plain_fault list[16];
        size_t n = 0;
        list[n++] = (plain_fault){1, s.model->input, 5, -2, false};
        while (n < 14) {
            int value = (int)kit_below(&rng, (int64_t)s.model->n_values);
            if (s.model->values[value].producer < 0)
                continue;
            list[n] = (plain_fault){kit_below(&rng, IMAGES), value,
                                    kit_below(&rng, plain_count(s.net, value)),
                                    kit_uniform(&rng, -3, 3), n % 4 == 0};
            n++;
        }
        list[n++] = list[3];
        list[n++] = (plain_fault){2, s.model->nodes[0].out[0], 7, 0.5, true};
        double clean = scene_loss(&s);
        s.net->faults = list;
        s.net->n_faults = n;
        assert_true(fabs(scene_loss(&s) - clean) > 1e-3);
        scene_backward(&s);
        assert_true(s.net->values[s.model->nodes[0].out[0]]
                                 [2 * plain_count(s.net, s.model->nodes[0].out[0]) + 7] == 0.5);
        double off = largest_gap(&s, 16);
        print_message("with faults: off by %.2g\n", off);
        assert_true(off <= TOLERANCE);
        /* the partner: the way back as if there had been no faults */
        s.net->n_faults = 0;
        plain_backward(s.net, s.value, s.grad);
        s.net->n_faults = n;
        assert_true(largest_gap(&s, 16) > TOLERANCE);
        scene_free(&s);
    }
}

/* ---- numbers of PyTorch ---- */

static bool near(const double *found, const double *expected, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-14 * fmax(1, fabs(expected[i]))))
            return false;
    return true;
}

#define NEAR(found, ...)                                                                           \
    near(found, (const double[]){__VA_ARGS__}, sizeof(double[]){__VA_ARGS__} / sizeof(double))

static const double logits[] = {0.3, -1.2, 2.5, 4.0, 0.1, -0.7};
static const int classes_of[] = {2, 1};

static void losses(void **state) {
    (void)state;
    double grad[6], loss = plain_cross_entropy(logits, classes_of, 2, 3, 0, grad);
    assert_true(NEAR(&loss, 2.0280058358192212));
    assert_true(NEAR(grad, 0.048789323862812331, 0.010886369647042926, -0.059675693509855299,
                     0.48574947603471996, -0.49016750212125931, 0.0044180260865393289));
    loss = plain_cross_entropy(logits, classes_of, 2, 3, 0.1, grad);
    assert_true(NEAR(&loss, 2.0746725024858881));
    assert_true(NEAR(grad, 0.032122657196145668, -0.0057802970196237403, -0.026342360176521973,
                     0.4690828093680533, -0.45683416878792599, -0.012248640580127337));
    loss = plain_binary_cross_entropy(logits, classes_of, 2, 3, grad);
    assert_true(NEAR(&loss, 1.0437100138293245));
    assert_true(NEAR(grad, 0.095740419468609839, 0.03857920275016373, -0.012643030003540575,
                     0.16366896500631808, -0.07917013542017666, 0.055302037971972313));
    /* the partner: a smoothing that differs in its last digits */
    loss = plain_cross_entropy(logits, classes_of, 2, 3, 0.1 + 1e-12, grad);
    assert_false(NEAR(&loss, 2.0746725024858881));
}

/* Far out nothing overflows, and NaN stays NaN. */
static void extreme_losses(void **state) {
    (void)state;
    const double far[] = {1000, -1000, 0}, bad[] = {NAN, 0, 1};
    double grad[3];
    assert_true(plain_cross_entropy(far, (const int[]){1}, 1, 3, 0, grad) == 2000);
    assert_true(grad[0] == 1 && grad[1] == -1 && grad[2] == 0);
    assert_true(plain_binary_cross_entropy(far, (const int[]){1}, 1, 3, grad) ==
                1000.0 / 3 + 1000.0 / 3 + log1p(1) / 3);
    assert_true(grad[0] == 1.0 / 3 && grad[1] == -1.0 / 3 && grad[2] == 0.5 / 3);
    assert_true(isnan(plain_cross_entropy(bad, (const int[]){1}, 1, 3, 0, grad)));
    assert_true(isnan(plain_binary_cross_entropy(bad, (const int[]){1}, 1, 3, grad)));
}

static void fill_norm(stoic_builder *b, const char *name, float first, float second) {
    stoic_shape two = {1, {2}};
    stoic_tensor *tensor = NULL;
    MUST(stoic_tensor_create(STOIC_F32, &two, &tensor, err));
    ((float *)stoic_tensor_mutable_data(tensor))[0] = first;
    ((float *)stoic_tensor_mutable_data(tensor))[1] = second;
    MUST(stoic_builder_constant(b, name, tensor, err));
    stoic_tensor_free(tensor);
}

static void norm_in_training(void **state) {
    (void)state;
    static const double x[] = {0.5, -1, 2, 0.25, 1.5, 0.75, -0.5, 3, -2, 1, 0, -1.25};
    static const double g[] = {1, -2, 0.5, 0.25, 3, -1, 0.75, 2, -0.5, 1.25, -1.5, 0.125};
    const bool training = true;
    const char *const out = "y";
    stoic_builder *b = NULL;
    stoic_model *m = NULL;
    stoic_shape shape = {4, {1, 2, 1, 2}};
    MUST(stoic_builder_create("norm", 15, &b, err));
    MUST(stoic_builder_input(b, "x", &shape, err));
    fill_norm(b, "scale", 1.5f, -0.5f);
    fill_norm(b, "bias", 0.25f, 1);
    fill_norm(b, "mean", 9, 9); /* not looked at */
    fill_norm(b, "var", 9, 9);
    MUST(stoic_builder_node(b, "bn", &stoic_op_batch_normalization, NULL, 0,
                            (const char *[]){"x", "scale", "bias", "mean", "var"}, 5, &out, 1,
                            err));
    MUST(stoic_builder_output(b, "y", err));
    MUST(stoic_builder_finish(b, &m, err));
    const int *in = m->nodes[0].in;
    plain_net *net = plain_create(m, 3, &training);
    plain_forward(net, x);
    plain_backward(net, m->output, g);
    assert_true(NEAR(net->values[m->output], 0.71007723026724623, -1.1302316908017385,
                     0.51566868224826723, 1.1139603100592312, 1.936949844313236, 1.0167953837787436,
                     1.3703710076925015, 0.17378775207057351, -2.3571043048477285,
                     1.3235135372902411, 1.1994305426036547, 1.6267817053257718));
    assert_true(NEAR(net->batch_mean[0], 0.125, 0.58333333333333337));
    assert_true(NEAR(net->batch_variance[0], 1.79375, 2.5666666666666664));
    assert_true(NEAR(net->grads[m->input], 0.44422762406263216, -1.5371616411955613,
                     0.14984947401220125, -0.011377311262517283, 1.7651538009014285,
                     -2.2927223668426437, -0.28804506970242499, -0.22200219678625815,
                     1.4359663311266069, 0.18453625194753762, 0.55167188543142642,
                     -0.18009678169242729));
    assert_true(NEAR(net->grads[in[1]], 6.7733592233789022, 3.6182398443805917));
    assert_true(NEAR(net->grads[in[2]], 1.75, 2.125));
    assert_true(NEAR(net->grads[in[3]], 0, 0) && NEAR(net->grads[in[4]], 0, 0));
    /* the partner: the biased variance is another number */
    assert_false(NEAR(net->batch_variance[0], 1.79375 * 5 / 6, 2.5666666666666664 * 5 / 6));
    plain_free(net);
    stoic_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),
        cmocka_unit_test(extreme_losses),
        cmocka_unit_test(norm_in_training),
        cmocka_unit_test(networks),
        cmocka_unit_test(random_networks),
        cmocka_unit_test(notices_one_wrong_element),
        cmocka_unit_test(notices_constant_statistics),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
