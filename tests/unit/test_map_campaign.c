/* Campaigns of faults in feature maps: the sweep against the network run value by value, and the
 * same records whatever the way. */
#include "transient_rig.h"

#include "exec/run.h"
#include "exec/sweep.h"

enum { IMAGES = 20, PASSES = 150 };

/* ---- the sweep ---- */

typedef struct struck {
    stoic_pass passes[PASSES];
    stoic_map_hits hits[PASSES];
    stoic_map_fault *fault;
    float *output; /* of each pass; golden's until told otherwise */
    float *before, *after;
    int64_t classes;
    int told;
} struck;

static void keep_hit(void *user, size_t id, size_t i, float before, float after) {
    struck *s = user;
    if (i == 0) {
        s->before[id] = before;
        s->after[id] = after;
    }
}

static void keep_output(void *user, size_t id, const float *output, bool alarm) {
    struck *s = user;
    memcpy(s->output + (int64_t)id * s->classes, output, (size_t)s->classes * sizeof *output);
    s->told += !alarm;
}

static void struck_init(struck *s, const stoic_model *model, const char *spec) {
    memset(s, 0, sizeof *s);
    s->classes = stoic_model_classes(model);
    s->output = kit_floats(PASSES * s->classes);
    s->before = kit_floats(PASSES);
    s->after = kit_floats(PASSES);
    MUST(stoic_map_fault_create(model, spec, 5, &s->fault, err));
    for (int i = 0; i < PASSES; i++) {
        MUST(stoic_map_fault_draw(s->fault, 1, i, 1.0, &s->hits[i], err));
        s->passes[i] = (stoic_pass){.image = i % IMAGES,
                                    .node = stoic_map_fault_site(s->fault, s->hits[i].site)->node,
                                    .hits = &s->hits[i],
                                    .id = (size_t)i};
    }
}

static void struck_free(struck *s) {
    for (int i = 0; i < PASSES; i++)
        stoic_map_hits_deinit(&s->hits[i]);
    stoic_map_fault_free(s->fault);
    free(s->output);
    free(s->before);
    free(s->after);
}

/* A program in which nothing that can be hit is fused, one image and one step at a time. */
static float *run_plainly(const stoic_model *model, const struck *s, const float *images) {
    const char *names[64];
    int sites = stoic_map_fault_site_count(s->fault);
    for (int i = 0; i < sites; i++)
        names[i] = model->values[stoic_map_fault_site(s->fault, i)->value].name;
    stoic_program_options options = stoic_program_options_default();
    options.batch = 1;
    options.observable = names;
    options.n_observable = (size_t)sites;
    stoic_program *g = NULL;
    MUST(stoic_program_compile(model, &options, &g, err));
    stoic_session *session = kit_session(g);
    float *out = kit_floats(PASSES * s->classes);
    for (int p = 0; p < PASSES; p++) {
        const stoic_map_hits *hits = &s->hits[p];
        int value = stoic_map_fault_site(s->fault, hits->site)->value;
        const stoic_exec_value *v = &g->values[value];
        stoic_session_frame_reset(session);
        stoic_session_pack_input(g, images + p % IMAGES * kit_input_size(model), 1,
                                 session->frame[g->input]);
        for (int k = 0; k < g->n_steps; k++) {
            MUST(stoic_session_step(session, k, 1, err));
            for (size_t i = 0; g->steps[k].out == value && i < hits->count; i++) {
                int64_t at = hits->index[i];
                at = v->layout == STOIC_LAYOUT_NHWC ? at % v->hw * v->c + at / v->hw : at;
                float *x = session->frame[value] + at;
                *x = hits->mode == STOIC_MAP_MULTIPLY  ? *x * hits->factor
                     : hits->mode == STOIC_MAP_REPLACE ? kit_float(hits->bits[i])
                                                       : kit_float(kit_bits(*x) ^ hits->bits[i]);
            }
        }
        stoic_session_unpack(g, g->output, session->frame[g->output], 1, out + p * s->classes);
    }
    stoic_session_free(session);
    stoic_program_free(g);
    return out;
}

static void check_sweep(const stoic_model *model, const char *spec, int64_t *masked) {
    struck s;
    stoic_program *g = kit_compile(model, 0, false);
    stoic_session *session = kit_session(g);
    float *images = kit_images(model, IMAGES, 3), *golden = kit_floats(IMAGES * 64);
    float *packed = kit_floats(kit_input_size(model));
    stoic_block *block = NULL;
    struck_init(&s, model, spec);
    MUST(stoic_session_run(session, images, IMAGES, golden, err));
    MUST(stoic_block_create(session, images, 0, IMAGES, &block, err));
    float *expected = run_plainly(model, &s, images);
    stoic_pass_sink sink = {&s, keep_hit, keep_output};
    for (int way = 0; way < 3; way++) { /* with golden values, without, in full */
        stoic_sweep *sweep = NULL;
        MUST(stoic_sweep_create(g, way == 2, &sweep, err));
        s.told = 0;
        for (int i = 0; i < PASSES; i++) {
            s.passes[i].block = way == 1 ? NULL : block;
            s.passes[i].input = packed;
            memcpy(s.output + i * s.classes, golden + i % IMAGES * s.classes,
                   (size_t)s.classes * sizeof *golden);
        }
        /* without a block the one packed image must be that of all passes */
        stoic_session_pack_input(g, images, 1, packed);
        for (int i = 0; way != 1 && i < PASSES; i += 50)
            MUST(stoic_sweep_run(sweep, session, s.passes + i, 50, &sink, err));
        for (int i = 0; way == 1 && i < PASSES; i += IMAGES)
            MUST(stoic_sweep_run(sweep, session, s.passes + i, 1, &sink, err));
        for (int i = 0; i < PASSES; i += way == 1 ? IMAGES : 1) {
            if (kit_differences(s.output + i * s.classes, expected + i * s.classes, s.classes))
                fail_msg("%s: way %d, pass %d", spec, way, i);
        }
        *masked += way == 0 ? PASSES - s.told : 0;
        assert_true(way != 2 || s.told == PASSES);
        stoic_sweep_free(sweep);
    }
    stoic_block_free(block);
    struck_free(&s);
    stoic_session_free(session);
    stoic_program_free(g);
    free(images);
    free(golden);
    free(packed);
    free(expected);
}

static void the_sweep_gives_the_networks_bits(void **state) {
    (void)state;
    static const char *const specs[] = {"map:single,value=random", "map:scatter,n=2,value=flip:all",
                                        "map:mix,value=const:3", "map:single,value=const:1"};
    int64_t masked = 0;
    for (int i = 0; i < 3; i++) {
        stoic_model *model = i == 0 ? small_lenet() : i == 1 ? small_resnet() : small_mobile();
        for (int k = 0; k < 4; k++)
            check_sweep(model, specs[k], &masked);
        stoic_model_free(model);
    }
    assert_true(masked > 3 * PASSES); /* const:1 and more: these left on the way */
}

static void random_networks(void **state) {
    (void)state;
    int64_t masked = 0;
    int tried = 0;
    for (uint64_t seed = 1; tried < kit_effort(24); seed++) {
        stoic_model *model = graph_random(seed);
        stoic_map_fault *fault = NULL;
        bool fits = stoic_model_classes(model) <= 64 &&
                    stoic_map_fault_create(model, "map:single", 1, &fault, NULL) == STOIC_OK;
        stoic_map_fault_free(fault);
        if (fits) {
            check_sweep(model, tried % 2 ? "map:single,value=random" : "map:single,value=const:9",
                        &masked);
            tried++;
        }
        stoic_model_free(model);
    }
}

/* The partner: one bit of a few hits is another, and the outputs are no longer the same. */
static void a_wrong_bit_is_noticed(void **state) {
    (void)state;
    struck s;
    stoic_model *model = small_resnet();
    float *images = kit_images(model, IMAGES, 3);
    struck_init(&s, model, "map:single,value=random");
    float *right = run_plainly(model, &s, images);
    for (int i = 0; i < 10; i++) /* some of them may be masked */
        s.hits[i].bits[0] ^= 1u << 20;
    float *wrong = run_plainly(model, &s, images);
    assert_true(kit_differences(right, wrong, PASSES * s.classes) > 0);
    struck_free(&s);
    free(right);
    free(wrong);
    free(images);
    stoic_model_free(model);
}

/* ---- campaigns ---- */

static void the_same_records_by_all_ways(void **state) {
    (void)state;
    static const char *const faults[] = {"map:mix",
                                         "map:single,value=random",
                                         "map:block,scope=batch:7,share=0.5,value=uniform:-9:9",
                                         "map:whole,value=flip:exponent",
                                         "map:scatter,rate=0.01,value=flip:all",
                                         "map:single,value=random and flips:1",
                                         "ber:1e-3 and map:line,share=0.5"};
    stoic_model *model = small_resnet();
    rig_open(model);
    int64_t critical = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int64_t images = 0; images < 4; images += i == 1 ? 1 : 3)
            critical += rig_all_ways(model, faults[i], NULL, images);
    }
    assert_true(critical > 100);
    stoic_model_free(model);
}

static void stores(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    rig_all_ways(model, "map:mix", "affine:5,code=msb3", 0);
    rig_all_ways(model, "map:mix and flips:3", "fp16,code=secded72,due=report", 0);
    rig_all_ways(model, "map:single", "fp16,scale=pow2,rescale=fold", 1);
    stoic_model_free(model);
}

/* Every record can be told from the draw alone: layer, elements, images. */
typedef struct site_rows {
    const stoic_map_fault *fault;
    stoic_map_hits hits;
    int64_t rows, images;
    size_t kept;
} site_rows;

static bool check_site(void *user, const stoic_site_record *site) {
    site_rows *r = user;
    if (r->kept == 0 || r->images != site->image)
        r->kept = 0;
    r->images = site->image;
    MUST(stoic_map_fault_draw(r->fault, (uint64_t)site->trial, site->image, 1, &r->hits, err));
    assert_int_equal(site->layer, stoic_map_fault_site(r->fault, r->hits.site)->layer);
    assert_int_equal(site->index, r->hits.index[r->kept % r->hits.count]);
    assert_string_equal(site->tensor, "map");
    assert_string_equal(site->kind, "multiply");
    assert_int_equal(site->word, -1);
    assert_true(kit_same(site->after, site->before * r->hits.factor));
    r->kept++;
    r->rows++;
    return true;
}

static void sites_are_those_drawn(void **state) {
    (void)state;
    const char *list[2];
    char text[256], *path = in_home("sites.db");
    stoic_model *model = small_resnet();
    rig_open(model);
    stoic_campaign_options options = rig_options("map:block", list, text);
    stoic_records *records = NULL;
    site_rows rows = {0};
    MUST(stoic_map_fault_create(model, "map:block", options.seed, (stoic_map_fault **)&rows.fault,
                                err));
    for (int one = 0; one < 2; one++) {
        options.images_per_trial = one;
        rig_run(model, &options, path);
        rows.rows = 0;
        rows.images = -1;
        MUST(stoic_records_open(path, &records, err));
        MUST(stoic_records_each_site(records, check_site, &rows, err));
        stoic_records_free(records);
        if (!one) /* one row an image */
            assert_int_equal(rows.rows, options.trials * RIG_IMAGES);
        else
            assert_true(rows.rows > options.trials);
    }
    stoic_map_fault_free((stoic_map_fault *)rows.fault);
    stoic_map_hits_deinit(&rows.hits);
    stoic_model_free(model);
}

static void nothing_changes_nothing(void **state) {
    (void)state;
    const char *list[2];
    char text[256], *path = in_home("one.db");
    stoic_model *model = small_resnet();
    rig_open(model);
    /* multiplied by one: every image stays as it was */
    stoic_campaign_options options = rig_options("map:whole,value=const:1", list, text);
    stoic_summary summary = rig_run(model, &options, path);
    assert_int_equal(summary.totals.masked, options.trials * RIG_IMAGES);
    assert_true(summary.pvf.value == 0 && summary.pvf.high > 0 && summary.drop.value == 0);
    stoic_model_free(model);
}

static void nan_is_counted(void **state) {
    (void)state;
    const char *list[2];
    char text[256], *path = in_home("nan.db");
    stoic_model *model = small_resnet();
    int last = stoic_model_layer_count(model) - 1;
    char spec[64];
    rig_open(model);
    snprintf(spec, sizeof spec, "map:single,layer=%d,value=set:nan", last);
    stoic_campaign_options options = rig_options(spec, list, text);
    stoic_summary summary = rig_run(model, &options, path);
    assert_int_equal(summary.totals.nan, options.trials * RIG_IMAGES);
    assert_int_equal(summary.totals.critical, options.trials * RIG_IMAGES);
    assert_true(summary.pvf.value == 1 && summary.pvf.low < 1);
    snprintf(spec, sizeof spec, "map:single,layer=%d,value=set:nan,share=0.25", last);
    options = rig_options(spec, list, text);
    summary = rig_run(model, &options, path);
    double share = (double)summary.totals.critical / (double)summary.totals.images;
    assert_true(share > 0.2 && share < 0.3 && summary.totals.tolerable == 0);
    stoic_model_free(model);
}

static void refusals(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    rig_refuses(model, "map:block and map:line", NULL, "one fault model of computed values");
    rig_refuses(model, "map:block,value=ramp", NULL, "value=ramp rises with the epochs");
    rig_refuses(model, "map:block,layer=3", NULL, "needs a map with rows and columns");
    rig_refuses(model, "map:single,layer=2", NULL, "neither a Conv nor the final");
    rig_refuses(model, "map:single,value=const:nan", NULL, "const:C");
    rig_refuses(model, "map:single,value=uniform:0:inf", NULL, "uniform:A:B");
    rig_refuses(model, "map:single,value=power:1:1", NULL, "ALPHA above 1");
    rig_refuses(model, "map:cross", NULL, "unknown 'cross'");
    rig_refuses(model, "map:single,bits=3", NULL, "has no key 'bits'");
    rig_refuses(model, "flips:1,share=0.5", NULL, "share of images whose feature maps are hit");
    stoic_model_free(model);
}

static int tear_down(void **state) {
    stoic_dataset_free(rig_data);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sweep_gives_the_networks_bits),
        cmocka_unit_test(random_networks),
        cmocka_unit_test(a_wrong_bit_is_noticed),
        cmocka_unit_test(the_same_records_by_all_ways),
        cmocka_unit_test(stores),
        cmocka_unit_test(sites_are_those_drawn),
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(nan_is_counted),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_home, tear_down);
}
