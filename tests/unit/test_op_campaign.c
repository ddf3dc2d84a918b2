/* Faults in operations: which are drawn, the sum in its order, and campaigns of them. */
#include "transient_rig.h"

#include "map_rig.h"

#include "exec/block.h"
#include "exec/scalar_sum.h"
#include "op/geometry.h"

/* ---- by hand: what a layer adds up, from the graph alone ---- */

typedef struct tap {
    int64_t input, weight; /* flat positions as ONNX orders them, of one image */
} tap;

/* The taps of one output, in the order of the documentation. */
static int64_t taps_of(const stoic_model *model, int layer, int64_t output, tap *out) {
    const stoic_node *node = &model->nodes[model->layer_nodes[layer]];
    const stoic_shape *weights = &model->values[node->in[1]].shape;
    stoic_operand in[8], results[2];
    stoic_op_call call;
    int64_t n = 0;
    stoic_model_call(model, (size_t)model->layer_nodes[layer], in, results, &call);
    if (node->op != &stoic_op_conv) {
        stoic_matrix_product m;
        MUST(stoic_gemm_product(&call, &m, err));
        for (int64_t i = 0; i < m.inner; i++) {
            int64_t o = output % m.columns, row = output / m.columns;
            int64_t weight = m.transpose_b ? o * m.inner + i : i * m.columns + o;
            out[n++] = (tap){row * m.inner + i, weight};
        }
        return n;
    }
    stoic_window w;
    MUST(stoic_conv_window(&call, &w, err));
    int64_t pixels = w.out[0] * w.out[1], o = output / pixels;
    int64_t y = output % pixels / w.out[1], x = output % w.out[1];
    int64_t ic = weights->dim[1], group = o / (w.out_channels / w.groups);
    for (int64_t i = 0; i < ic; i++) {
        for (int64_t r = 0; r < w.kernel[0]; r++) {
            for (int64_t c = 0; c < w.kernel[1]; c++) {
                int64_t row = y * w.stride[0] - w.pad_low[0] + r * w.dilation[0];
                int64_t column = x * w.stride[1] - w.pad_low[1] + c * w.dilation[1];
                if (row < 0 || row >= w.in[0] || column < 0 || column >= w.in[1])
                    continue;
                out[n++] = (tap){((group * ic + i) * w.in[0] + row) * w.in[1] + column,
                                 ((o * ic + i) * w.kernel[0] + r) * w.kernel[1] + c};
            }
        }
    }
    return n;
}

static int64_t outputs_of(const stoic_model *model, int layer) {
    const stoic_node *node = &model->nodes[model->layer_nodes[layer]];
    return stoic_shape_count(&model->values[node->out[0]].shape);
}

enum { MOST_TAPS = 4096, MOST_MACS = 1 << 16 };

/* ---- draws ---- */

static stoic_op_fault *make_op(const stoic_model *model, const char *spec) {
    stoic_op_fault *fault = NULL;
    stoic_error err = {0};
    if (stoic_op_fault_create(model, spec, 11, &fault, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return fault;
}

/* Every multiply-accumulate of every layer, as often as any other. */
static void check_uniform(const stoic_model *model) {
    static tap taps[MOST_TAPS];
    static int64_t counts[MOST_MACS];
    static int64_t first[1 << 14];
    stoic_op_fault *fault = make_op(model, "op:zero");
    int64_t macs = 0, cells = 0;
    int64_t start[16] = {0};
    for (int layer = 0; layer < stoic_model_layer_count(model); layer++) {
        start[layer] = cells;
        for (int64_t o = 0; o < outputs_of(model, layer); o++) {
            first[cells++] = macs;
            macs += taps_of(model, layer, o, taps);
        }
    }
    assert_true(macs < MOST_MACS && cells < 1 << 14);
    assert_int_equal(stoic_op_fault_population(fault), macs);
    memset(counts, 0, sizeof counts);
    for (int64_t t = 0; t < 20 * macs; t++) {
        stoic_op_hit hit;
        MUST(stoic_op_fault_draw(fault, (uint64_t)t, t % 7, &hit, err));
        assert_int_equal(hit.node, model->layer_nodes[hit.layer]);
        assert_int_equal(hit.steps, taps_of(model, hit.layer, hit.output, taps));
        assert_true(hit.step >= 0 && hit.step < hit.steps && hit.outputs == 1);
        counts[first[start[hit.layer] + hit.output] + hit.step]++;
    }
    assert_true(looks_like(counts, NULL, (int)macs));
    counts[macs / 2] += 2000; /* the partner: one that is hit too often */
    assert_false(looks_like(counts, NULL, (int)macs));
    stoic_op_fault_free(fault);
}

static void every_operation_is_equally_likely(void **state) {
    (void)state;
    stoic_model *models[] = {small_lenet(), small_resnet(), small_mobile()};
    for (int i = 0; i < 3; i++) {
        check_uniform(models[i]);
        stoic_model_free(models[i]);
    }
}

static void what_is_drawn(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    stoic_op_fault *flip = make_op(model, "op:flip,bits=exponent,layer=1-2");
    stoic_op_fault *warp = make_op(model, "op:warp-random");
    stoic_op_fault *random = make_op(model, "op:random"), *zero = make_op(model, "op:warp-zero");
    int64_t bits[8] = {0}, full = 0;
    assert_string_equal(stoic_op_fault_text(flip), "op:flip,layer=1+2,bits=exponent");
    assert_string_equal(stoic_op_fault_text(warp), "op:warp-random,layer=all");
    for (int t = 0; t < 4000; t++) {
        stoic_op_hit a, b, c, again;
        MUST(stoic_op_fault_draw(flip, (uint64_t)t, 3, &a, err));
        assert_true(a.flip && (a.layer == 1 || a.layer == 2) && a.outputs == 1);
        assert_int_equal(__builtin_popcount(a.bits), 1);
        bits[__builtin_ctz(a.bits) - 23]++;
        MUST(stoic_op_fault_draw(warp, (uint64_t)t, 3, &b, err));
        MUST(stoic_op_fault_draw(random, (uint64_t)t, 3, &c, err));
        int64_t left = outputs_of(model, b.layer) - b.output;
        assert_int_equal(b.outputs, left < 32 ? left : 32);
        assert_true(!b.flip && b.bits == c.bits && b.output == c.output && b.step == c.step);
        full += b.outputs == 32;
        MUST(stoic_op_fault_draw(zero, (uint64_t)t, 3, &again, err));
        assert_true(again.bits == 0 && again.output == b.output && again.step == b.step);
        MUST(stoic_op_fault_draw(zero, (uint64_t)t, 4, &again, err));
        full += again.output == b.output && again.step == b.step ? 10000 : 0; /* another image */
    }
    assert_true(looks_like(bits, NULL, 8));
    assert_true(full > 2000 && full < 60000);
    stoic_op_fault_free(flip);
    stoic_op_fault_free(warp);
    stoic_op_fault_free(random);
    stoic_op_fault_free(zero);
    stoic_model_free(model);
}

static void the_documentation_is_accepted(void **state) {
    (void)state;
    char line[256];
    bool inside = false;
    int read = 0;
    stoic_model *model = small_resnet();
    FILE *file = fopen(STOIC_TEST_MODELS "/../docs/fault-models.md", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "```", 3)) {
            inside = !strcmp(line, "```op");
        } else if (inside) {
            stoic_op_fault_free(make_op(model, line));
            read++;
        }
    }
    fclose(file);
    assert_int_equal(read, 6);
    stoic_model_free(model);
}

/* ---- the sum ---- */

/* A program, and golden inputs and sums of every layer for one image. */
typedef struct bench {
    const stoic_model *model;
    stoic_program *g;
    stoic_session *session;
    stoic_block *block;
    float *images;
} bench;

static void bench_init(bench *b, const stoic_model *model) {
    *b = (bench){.model = model, .g = kit_compile(model, 0, false)};
    b->session = kit_session(b->g);
    b->images = kit_images(model, 4, 21);
    MUST(stoic_block_create(b->session, b->images, 0, 4, &b->block, err));
}

static void bench_free(bench *b) {
    stoic_block_free(b->block);
    stoic_session_free(b->session);
    stoic_program_free(b->g);
    free(b->images);
}

static float by_hand(const bench *b, const stoic_exec_step *step, const float *plain,
                     const tap *taps, int64_t n, int64_t channel, const stoic_op_hit *hit,
                     double *size) {
    const stoic_node *node = &b->model->nodes[step->node];
    const float *w = stoic_tensor_data(b->model->values[node->in[1]].constant);
    float sum = 0;
    *size = 0;
    for (int64_t k = 0; k < n; k++) {
        sum = fmaf(plain[taps[k].input], w[taps[k].weight], sum);
        *size += fabs((double)plain[taps[k].input] * (double)w[taps[k].weight]);
        if (hit && k == hit->step)
            sum = kit_float(hit->flip ? kit_bits(sum) ^ hit->bits : hit->bits);
    }
    const stoic_exec_layer *layer = &b->g->layers[step->layer];
    if (layer->bias >= 0) {
        const float *bias = stoic_tensor_data(b->model->values[layer->bias].constant);
        float add = bias[layer->bias_count == 1 ? 0 : channel];
        sum += add;
        *size += fabs((double)add);
    }
    return sum;
}

/* All outputs of a step: how many differ from the sum by hand, and how many from the canonical
 * kernel by more than rounding can explain. */
static void compare_sums(bench *b, int k, float corrupt, int64_t *wrong, int64_t *beyond) {
    static tap taps[MOST_TAPS];
    const stoic_exec_step *step = &b->g->steps[k];
    const stoic_exec_layer *layer = &b->g->layers[step->layer];
    const stoic_exec_value *v = &b->g->values[step->out];
    int64_t in = b->g->values[step->in[0]].size, pixels = v->size / layer->channels;
    float *input = kit_floats(in), *plain = kit_floats(in), *canonical = kit_floats(v->size);
    stoic_scalar scalar = {0};
    stoic_rng rng = kit_rng((uint64_t)k);
    memcpy(input, b->block->golden[step->in[0]], (size_t)in * sizeof *input);
    MUST(stoic_layer_sums(b->session, step, input, canonical, 1, err));
    input[kit_below(&rng, in)] += corrupt;
    stoic_session_unpack(b->g, step->in[0], input, 1, plain);
    if (layer->flat_c) { /* as ONNX flattens */
        for (int64_t i = 0; i < in; i++)
            plain[i] = input[i % layer->flat_hw * layer->flat_c + i / layer->flat_hw];
    }
    for (int64_t o = 0; o < v->size; o++) {
        int node_layer = b->model->nodes[step->node].layer;
        int64_t n = taps_of(b->model, node_layer, o, taps);
        int64_t channel = layer->matrix ? o % layer->channels : o / pixels;
        stoic_op_hit hit = {
            .step = n ? kit_below(&rng, n) : 0, .flip = o % 2, .bits = 1u << (o % 31)};
        stoic_scalar_sum sum;
        double size;
        MUST(stoic_scalar_sums(&scalar, b->session, step, input, o, 1, &hit, &sum, err));
        float clean = by_hand(b, step, plain, taps, n, channel, NULL, &size);
        float faulty = by_hand(b, step, plain, taps, n, channel, &hit, &size);
        by_hand(b, step, plain, taps, n, channel, NULL, &size);
        assert_true(sum.hit == (n > 0) && sum.steps == n);
        *wrong += !kit_same(sum.clean, clean) || !kit_same(sum.faulty, faulty);
        int64_t at = v->layout == STOIC_LAYOUT_NHWC ? o % v->hw * v->c + o / v->hw : o;
        /* each of the two is off by at most (n + 1) u (1 + (n + 1) u) times the absolute sum */
        double bound = 2.01 * (double)(n + 1) * 0x1p-24 * size;
        *beyond += !(fabs((double)sum.clean - (double)canonical[at]) <= bound);
    }
    free(scalar.weights);
    free(input);
    free(plain);
    free(canonical);
}

static void check_sums(const stoic_model *model, float corrupt, int64_t *wrong, int64_t *beyond) {
    bench b;
    bench_init(&b, model);
    for (int k = 0; k < b.g->n_steps; k++) {
        const stoic_exec_step *step = &b.g->steps[k];
        const stoic_exec_layer *layer = step->layer >= 0 ? &b.g->layers[step->layer] : NULL;
        if (layer && layer->alpha == 1 && layer->beta == 1 && stoic_scalar_knows(step))
            compare_sums(&b, k, corrupt, wrong, beyond);
    }
    bench_free(&b);
}

static void the_sum_has_its_order(void **state) {
    (void)state;
    int64_t wrong = 0, beyond = 0, corrupted = 0;
    stoic_model *models[] = {small_lenet(), small_resnet(), small_mobile()};
    for (int i = 0; i < 3; i++) {
        check_sums(models[i], 0, &wrong, &beyond);
        check_sums(models[i], 1e-3f, &wrong, &corrupted);
        stoic_model_free(models[i]);
    }
    for (uint64_t seed = 1; seed <= (uint64_t)kit_effort(20); seed++) {
        stoic_model *model = graph_random(seed);
        check_sums(model, 0, &wrong, &beyond);
        stoic_model_free(model);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(beyond, 0); /* the canonical kernel agrees within rounding */
    assert_true(corrupted > 20); /* and an input that is off by 0.001 is noticed */
}

/* ---- campaigns ---- */

static void the_same_records_by_all_ways(void **state) {
    (void)state;
    static const char *const faults[] = {"op:flip",
                                         "op:random",
                                         "op:zero",
                                         "op:warp-random",
                                         "op:warp-zero,layer=1-3",
                                         "op:random and flips:1"};
    stoic_model *models[] = {small_resnet(), small_lenet()};
    int64_t critical = 0;
    for (int m = 0; m < 2; m++) {
        rig_open(models[m]);
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            for (int64_t images = i % 2 ? 0 : STOIC_IMAGES_OPEN; images < 4; images += 5)
                critical += rig_all_ways(models[m], faults[i], NULL, images);
        }
        rig_all_ways(models[m], "op:random", m ? "fp16,scale=pow2,rescale=fold" : "int8", 3);
        stoic_model_free(models[m]);
    }
    assert_true(critical > 50);
}

typedef struct masks {
    bool same[400];
    int64_t hits;
    int step[400];
} masks;

static bool keep_site(void *user, const stoic_site_record *site) {
    masks *m = user;
    assert_string_equal(site->tensor, "op");
    assert_true(site->step >= 0 && site->image >= 0 && site->index >= 0);
    m->same[site->trial] = kit_same(site->before, site->after);
    m->hits++;
    return true;
}

static bool check_row(void *user, const stoic_record *record) {
    const masks *m = user;
    if (m->same[record->trial]) /* otherwise it may be masked further on */
        assert_int_equal(record->counts.masked, 1);
    return true;
}

static void equal_sums_are_masked(void **state) {
    (void)state;
    const char *list[2];
    char text[256], *path = in_home("masks.db");
    stoic_model *model = small_resnet();
    stoic_records *records = NULL;
    stoic_group *groups = NULL;
    size_t n;
    masks m = {.hits = 0};
    int64_t same = 0, trials = 0;
    rig_open(model);
    stoic_campaign_options options = rig_options("op:flip,bits=mantissa", list, text);
    options.trials = 400;
    stoic_summary summary = rig_run(model, &options, path);
    assert_int_equal(summary.images, 1); /* unless asked for more */
    MUST(stoic_records_open(path, &records, err));
    MUST(stoic_records_each_site(records, keep_site, &m, err));
    MUST(stoic_records_each(records, check_row, &m, err));
    MUST(stoic_records_positions(records, &groups, &n, err));
    for (int i = 0; i < 400; i++)
        same += m.same[i];
    assert_true(m.hits == 400 && same > 5 && same < 300);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(groups[i].position, i);
        assert_true(groups[i].trials > 80 && groups[i].pvf.low < groups[i].pvf.high);
        trials += groups[i].trials;
    }
    assert_int_equal(trials, 400);
    stoic_groups_free(groups);
    stoic_records_free(records);
    stoic_model_free(model);
}

/* A convolution along one axis, which the plain definition runs. */
static stoic_model *one_dimension(void) {
    stoic_rng rng = kit_rng(4);
    graph g = small_start(&rng, 1, 4, 6);
    char in[16], weights[16], moved[16];
    stoic_model *model;
    memcpy(in, g.value, sizeof in);
    graph_integers(&g, moved, (const int64_t[]){0, 4, 6}, 3);
    graph_node(&g, &stoic_op_reshape, (const char *[]){in, moved}, 2);
    memcpy(in, g.value, sizeof in);
    graph_constant(&g, weights, 3, (const int64_t[]){2, 4, 3}, -1, 1);
    graph_node(&g, &stoic_op_conv, (const char *[]){in, weights}, 2);
    graph_simple(&g, &stoic_op_flatten);
    g.c = 8;
    g.h = g.w = 1;
    graph_product(&g, 4);
    model = small_finish(&g);
    return model;
}

static void refusals(void **state) {
    (void)state;
    stoic_model *model = small_lenet(), *line = one_dimension();
    rig_open(model);
    rig_refuses(model, "op:flop", NULL, "did you mean 'flip'");
    rig_refuses(model, "op", NULL, "unknown ''");
    rig_refuses(model, "op:zero,bits=3", NULL, "has no key 'bits'");
    rig_refuses(model, "op:flip,bits=32", NULL, "bits");
    rig_refuses(model, "op:flip,layer=9", NULL, "layer");
    rig_refuses(model, "op:flip,share=0.5", NULL, "has no key 'share'");
    rig_refuses(model, "op:flip and map:block", NULL, "one fault model of computed values");
    rig_refuses(line, "op:flip", NULL, "convolutions over two dimensions, this one has 1");
    rig_open(line);
    rig_all_ways(line, "op:random,layer=1", NULL, 1);
    rig_all_ways(line, "map:single,value=random", NULL, 0); /* maps of any layer can be hit */
    stoic_model_free(model);
    stoic_model_free(line);
}

static int tear_down(void **state) {
    stoic_dataset_free(rig_data);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_equally_likely),
        cmocka_unit_test(what_is_drawn),
        cmocka_unit_test(the_documentation_is_accepted),
        cmocka_unit_test(the_sum_has_its_order),
        cmocka_unit_test(the_same_records_by_all_ways),
        cmocka_unit_test(equal_sums_are_masked),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_home, tear_down);
}
