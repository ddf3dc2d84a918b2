#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "map_rig.h"

/* The rectangle of a draw, and which channels have it; fails unless the draw is one. */
typedef struct shape {
    int64_t top, bottom, left, right;
    unsigned channels;
} shape;

static shape shape_of(const stoic_map_fault *fault, const stoic_map_hits *hits) {
    const stoic_map_site *site = stoic_map_fault_site(fault, hits->site);
    const int64_t plane = site->height * site->width;
    shape s = {INT64_MAX, -1, INT64_MAX, -1, 0};
    for (size_t i = 0; i < hits->count; i++) {
        int64_t row = hits->index[i] % plane / site->width, column = hits->index[i] % site->width;
        s.channels |= 1u << hits->index[i] / plane;
        s.top = row < s.top ? row : s.top;
        s.bottom = row > s.bottom ? row : s.bottom;
        s.left = column < s.left ? column : s.left;
        s.right = column > s.right ? column : s.right;
    }
    int64_t area = (s.bottom - s.top + 1) * (s.right - s.left + 1);
    assert_int_equal(hits->count, area * __builtin_popcount(s.channels));
    return s;
}

/* Probability of each non-empty set of channels, each kept with p, at least one. */
static void subset_shares(int channels, double p, double *share) {
    double none = pow(1.0 - p, channels);
    for (unsigned set = 1; set < 1u << channels; set++) {
        int kept = __builtin_popcount(set);
        share[set - 1] = pow(p, kept) * pow(1.0 - p, channels - kept) / (1.0 - none);
    }
}

static void sites_are_convs_and_the_last_layer(void **state) {
    (void)state;
    static const stoic_map_site expected[] = {
        {0, 0, 0, 5, 6, 5}, {1, 0, 0, 3, 4, 3}, {2, 0, 0, 2, 1, 3}, {4, 0, 0, 10, 1, 1}};
    stoic_map_fault *fault = make("map:single");
    assert_int_equal(stoic_map_fault_site_count(fault), 4);
    for (int i = 0; i < 4; i++) {
        const stoic_map_site *site = stoic_map_fault_site(fault, i);
        assert_int_equal(site->layer, expected[i].layer);
        assert_int_equal(site->node, net->layer_nodes[site->layer]);
        assert_int_equal(site->value, net->nodes[site->node].out[0]);
        assert_int_equal(site->channels, expected[i].channels);
        assert_int_equal(site->height, expected[i].height);
        assert_int_equal(site->width, expected[i].width);
    }
    stoic_map_fault_free(fault);
    fault = make("map:block");
    assert_int_equal(stoic_map_fault_site_count(fault), 2);
    stoic_map_fault_free(fault);
    fault = make("map:mix,layer=head+1");
    assert_int_equal(stoic_map_fault_site_count(fault), 2);
    assert_int_equal(stoic_map_fault_site(fault, 1)->layer, 4);
    stoic_map_fault_free(fault);
}

/* A last MatMul with its bias in an Add, and two heads that are added up: both are last. A layer
 * that feeds another one through a second path is not. */
static void the_last_layer_is_found_through_the_graph(void **state) {
    (void)state;
    const stoic_shape image = {2, {1, 6}};
    stoic_builder *b = NULL;
    stoic_model *model = NULL;
    stoic_map_fault *fault = NULL;
    assert_int_equal(stoic_builder_create("heads", 17, &b, NULL), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &image, NULL), STOIC_OK);
    tiny_constant(b, "w", 2, (const int64_t[]){6, 6}, NULL);
    tiny_constant(b, "v", 2, (const int64_t[]){6, 6}, NULL);
    tiny_constant(b, "u", 2, (const int64_t[]){6, 6}, NULL);
    tiny_constant(b, "bias", 1, (const int64_t[]){6}, NULL);
    tiny_node(b, "first", &stoic_op_mat_mul, (const char *[]){"x", "w"}, 2, "a");
    tiny_node(b, "left", &stoic_op_mat_mul, (const char *[]){"a", "v"}, 2, "b");
    tiny_node(b, "right", &stoic_op_gemm, (const char *[]){"x", "u"}, 2, "c");
    tiny_node(b, "sum", &stoic_op_add, (const char *[]){"b", "c"}, 2, "d");
    tiny_node(b, "skip", &stoic_op_add, (const char *[]){"d", "a"}, 2, "e");
    tiny_node(b, "biased", &stoic_op_add, (const char *[]){"e", "bias"}, 2, "y");
    assert_int_equal(stoic_builder_output(b, "y", NULL), STOIC_OK);
    assert_int_equal(stoic_builder_finish(b, &model, NULL), STOIC_OK);
    assert_int_equal(stoic_map_fault_create(model, "map:single", 0, &fault, NULL), STOIC_OK);
    assert_int_equal(stoic_map_fault_site_count(fault), 2);
    for (int i = 0; i < 2; i++) {
        int layer = stoic_map_fault_site(fault, i)->layer;
        assert_string_not_equal(stoic_model_layer(model, layer).name, "first");
    }
    stoic_model_free(model); /* the fault keeps it */
    stoic_map_hits hits = {0};
    draw(fault, 0, 0, &hits);
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static void single_is_uniform_over_layers_then_elements(void **state) {
    (void)state;
    enum { TRIALS = 60000 };
    int64_t layers[4] = {0}, stem[150] = {0}, head[10] = {0};
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:single");
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, (int64_t)(trial % 3), &hits);
        assert_int_equal(hits.count, 1);
        layers[hits.site]++;
        if (hits.site == 0)
            stem[hits.index[0]]++;
        if (hits.site == 3)
            head[hits.index[0]]++;
    }
    assert_true(looks_like(layers, NULL, 4));
    assert_true(looks_like(stem, NULL, 150));
    assert_true(looks_like(head, NULL, 10));
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static void lines_are_rows_or_columns(void **state) {
    (void)state;
    enum { TRIALS = 40000 };
    static const char *const specs[] = {"map:line,layer=0", "map:row,layer=0",
                                        "map:column,layer=0"};
    for (int s = 0; s < 3; s++) {
        int64_t ways[2] = {0}, rows[6] = {0}, columns[5] = {0}, kept[5] = {0};
        stoic_map_hits hits = {0};
        stoic_map_fault *fault = make(specs[s]);
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            draw(fault, trial, 0, &hits);
            assert_true(hits.hit); /* at least one channel */
            shape found = shape_of(fault, &hits);
            bool column = found.left == found.right;
            assert_true(column ? found.top == 0 && found.bottom == 5
                               : found.top == found.bottom && found.left == 0 && found.right == 4);
            ways[column]++;
            if (column)
                columns[found.left]++;
            else
                rows[found.top]++;
            for (int c = 0; c < 5; c++)
                kept[c] += found.channels >> c & 1;
        }
        if (s == 0)
            assert_true(looks_like(ways, NULL, 2));
        else
            assert_int_equal(ways[s - 1], TRIALS);
        if (s != 2)
            assert_true(looks_like(rows, NULL, 6));
        if (s != 1)
            assert_true(looks_like(columns, NULL, 5));
        for (int c = 0; c < 5; c++)
            assert_true(near_share(kept[c], TRIALS, 0.75 / (1.0 - pow(0.25, 5))));
        stoic_map_hits_deinit(&hits);
        stoic_map_fault_free(fault);
    }
}

/* Every set of channels, and every pair of ends: the exact distributions. */
static void blocks_have_their_exact_distribution(void **state) {
    (void)state;
    enum { TRIALS = 100000 };
    int64_t rows[20] = {0}, columns[20] = {0}, channels[31] = {0};
    double row_share[20], column_share[20], channel_share[31];
    int n_rows = 0, n_columns = 0, row_of[6][6], column_of[5][5];
    for (int low = 0; low <= 4; low++) {
        for (int high = low; high <= 5; high++) {
            row_share[n_rows] = 1.0 / 5 / (6 - low);
            row_of[low][high] = n_rows++;
        }
    }
    for (int low = 0; low <= 3; low++) {
        for (int high = low; high <= 4; high++) {
            column_share[n_columns] = 1.0 / 4 / (5 - low);
            column_of[low][high] = n_columns++;
        }
    }
    assert_int_equal(n_rows, 20);
    subset_shares(5, 0.3, channel_share);
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:block,layer=stem");
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, 5, &hits);
        assert_true(hits.hit);
        shape found = shape_of(fault, &hits);
        assert_true(found.top <= 4 && found.left <= 3);
        rows[row_of[found.top][found.bottom]]++;
        columns[column_of[found.left][found.right]]++;
        channels[found.channels - 1]++;
    }
    assert_true(looks_like(rows, row_share, n_rows));
    assert_true(looks_like(columns, column_share, n_columns));
    assert_true(looks_like(channels, channel_share, 31));
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static void line_channels_have_their_exact_distribution(void **state) {
    (void)state;
    enum { TRIALS = 100000 };
    int64_t channels[7] = {0};
    double share[7];
    subset_shares(3, 0.75, share);
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:line,layer=deep");
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, 0, &hits);
        channels[shape_of(fault, &hits).channels - 1]++;
    }
    assert_true(looks_like(channels, share, 7));
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

/* Partners: drawers with a small mistake must be caught by the same measures. */
static void biased_drawers_are_caught(void **state) {
    (void)state;
    enum { DRAWS = 100000 };
    int64_t right[20] = {0}, swapped[20] = {0}, picked[31] = {0}, forced[31] = {0}, even[20] = {0};
    int64_t missing[150] = {0};
    double row_share[20], channel_share[31];
    int n = 0, row_of[6][6];
    for (int low = 0; low <= 4; low++) {
        for (int high = low; high <= 5; high++) {
            row_share[n] = 1.0 / 5 / (6 - low);
            row_of[low][high] = n++;
        }
    }
    subset_shares(5, 0.3, channel_share);
    stoic_rng rng;
    stoic_rng_init(&rng, 3, 0, STOIC_STREAM_MAP_SITE);
    for (int i = 0; i < DRAWS; i++) {
        int low = (int)stoic_rng_below(&rng, 5);
        right[row_of[low][low + (int)stoic_rng_below(&rng, (uint64_t)(6 - low))]]++;
        int a = (int)stoic_rng_below(&rng, 5), b = (int)stoic_rng_below(&rng, 6);
        swapped[a < b ? row_of[a][b] : row_of[b < 5 ? b : 4][a]]++; /* two ends, sorted */
        even[i % 20]++;
        unsigned set = 0;
        for (int c = 0; c < 5; c++)
            set |= (unsigned)(stoic_rng_unit(&rng) <= 0.3) << c;
        /* no channel kept: one picked, or always the first, instead of another try */
        picked[(set ? set : 1u << stoic_rng_below(&rng, 5)) - 1]++;
        forced[(set ? set : 1u) - 1]++;
        missing[stoic_rng_below(&rng, 150) % (i % 10 ? 150 : 140)]++;
    }
    assert_true(looks_like(right, row_share, 20));
    assert_false(looks_like(swapped, row_share, 20));
    assert_false(looks_like(even, NULL, 20));
    assert_false(looks_like(picked, channel_share, 31));
    assert_false(looks_like(forced, channel_share, 31));
    assert_false(looks_like(missing, NULL, 150));
    assert_false(near_share(760, 1000, 0.68));
}

static void whole_hits_a_tenth_of_the_elements(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    int64_t elements[150] = {0}, nothing = 0, together = 0;
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:whole,layer=0+4");
    int64_t passes[2] = {0};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, 0, &hits);
        assert_int_equal(hits.kind, STOIC_MAP_WHOLE);
        passes[hits.site]++;
        nothing += hits.site == 1 && !hits.hit;
        for (size_t i = 0; i < hits.count && hits.site == 0; i++)
            elements[hits.index[i]]++;
        if (hits.site == 0 && hits.count > 1)
            together += hits.index[0] == 0 && hits.index[1] == 1;
    }
    assert_true(looks_like(passes, NULL, 2));
    int64_t all = 0;
    for (int i = 0; i < 150; i++) {
        assert_true(near_share(elements[i], passes[0], 0.1));
        all += elements[i];
    }
    assert_true(near_share(all, 150 * passes[0], 0.1));
    assert_false(near_share(all, 150 * passes[0], 0.102));
    assert_true(near_share(together, passes[0], 0.01));
    assert_true(near_share(nothing, passes[1], pow(0.9, 10))); /* no redraw: by the definition */
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static void scatter_draws_distinct_elements(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    static const int numbers[] = {1, 2, 20, 35, 36};
    for (size_t s = 0; s < sizeof numbers / sizeof *numbers; s++) {
        char spec[64];
        const int n = numbers[s];
        int64_t elements[36] = {0}, both = 0;
        stoic_map_hits hits = {0};
        snprintf(spec, sizeof spec, "map:scatter,n=%d,layer=deep", n);
        stoic_map_fault *fault = make(spec);
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            draw(fault, trial, 0, &hits);
            assert_int_equal(hits.count, n);
            for (int i = 0; i < n; i++)
                elements[hits.index[i]]++;
            both += hits.index[0] == 0 && hits.index[n - 1] == 35;
        }
        for (int i = 0; i < 36 && n < 36; i++)
            assert_true(near_share(elements[i], TRIALS, n / 36.0));
        if (n > 1 && n < 36)
            assert_true(near_share(both, TRIALS, n * (n - 1) / (36.0 * 35)));
        stoic_map_hits_deinit(&hits);
        stoic_map_fault_free(fault);
    }
}

/* A bit error rate on activations: each bit of the field on its own. */
static void a_rate_of_flips_is_a_rate_of_bits(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    static const struct {
        const char *spec;
        uint32_t field;
        double p;
    } cases[] = {{"map:scatter,rate=0.05,value=flip:all,layer=deep", UINT32_MAX, 0.05},
                 {"map:scatter,rate=0.3,value=flip:30+3-5,layer=deep", 0x40000038u, 0.3},
                 {"map:scatter,rate=1,value=flip:exponent,layer=deep", 0x7f800000u, 1.0},
                 {"map:scatter,rate=0,value=flip:all,layer=deep", UINT32_MAX, 0.0}};
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        int64_t bits[32] = {0}, first[32] = {0}, pair = 0;
        stoic_map_hits hits = {0};
        stoic_map_fault *fault = make(cases[s].spec);
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            draw(fault, trial, 0, &hits);
            assert_int_equal(hits.mode, STOIC_MAP_FLIP);
            for (size_t i = 0; i < hits.count; i++) {
                assert_true(hits.bits[i] && !(hits.bits[i] & ~cases[s].field));
                for (int bit = 0; bit < 32; bit++) {
                    bits[bit] += hits.bits[i] >> bit & 1;
                    first[bit] += hits.index[i] == 0 && hits.bits[i] >> bit & 1;
                }
                pair += hits.index[i] == 0 && (hits.bits[i] & 0x18) == 0x18;
            }
        }
        bool certain = cases[s].p == 0.0 || cases[s].p == 1.0;
        for (int bit = 0; bit < 32; bit++) {
            double p = cases[s].field >> bit & 1 ? cases[s].p : 0.0;
            if (certain || p == 0.0) {
                assert_int_equal(bits[bit], p == 1.0 ? 36 * TRIALS : 0);
                continue;
            }
            assert_true(near_share(bits[bit], (int64_t)36 * TRIALS, p));
            assert_true(near_share(first[bit], TRIALS, p));
        }
        if (!certain)
            assert_true(near_share(pair, TRIALS, cases[s].p * cases[s].p));
        stoic_map_hits_deinit(&hits);
        stoic_map_fault_free(fault);
    }
}

static void a_rate_of_other_values_is_a_rate_of_elements(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    int64_t elements[36] = {0};
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:scatter,rate=0.2,value=set:-2,layer=deep");
    const float minus_two = -2.0f;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, 0, &hits);
        assert_int_equal(hits.mode, STOIC_MAP_REPLACE);
        for (size_t i = 0; i < hits.count; i++) {
            elements[hits.index[i]]++;
            assert_memory_equal(&hits.bits[i], &minus_two, 4);
        }
    }
    for (int i = 0; i < 36; i++)
        assert_true(near_share(elements[i], TRIALS, 0.2));
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static void mix_takes_what_fits_the_layer(void **state) {
    (void)state;
    enum { TRIALS = 40000 };
    int64_t kinds[2][3] = {{0}}, layers[4] = {0};
    static const int column[] = {
        [STOIC_MAP_LINE] = 0, [STOIC_MAP_BLOCK] = 1, [STOIC_MAP_WHOLE] = 2};
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:mix");
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, 0, &hits);
        assert_true(hits.kind == STOIC_MAP_LINE || hits.kind == STOIC_MAP_BLOCK ||
                    hits.kind == STOIC_MAP_WHOLE);
        layers[hits.site]++;
        kinds[hits.site >= 2][column[hits.kind]]++;
        if (hits.kind != STOIC_MAP_WHOLE)
            shape_of(fault, &hits);
    }
    assert_true(looks_like(layers, NULL, 4));
    assert_true(looks_like(kinds[0], NULL, 3));
    assert_int_equal(kinds[1][0] + kinds[1][1], 0); /* a vector takes whole alone */
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

static bool same_hits(const stoic_map_hits *a, const stoic_map_hits *b) {
    if (a->hit != b->hit || a->site != b->site || a->kind != b->kind || a->mode != b->mode ||
        a->count != b->count || memcmp(&a->factor, &b->factor, 4) != 0)
        return false;
    if (!a->count)
        return true;
    return !memcmp(a->index, b->index, a->count * sizeof *a->index) &&
           (a->mode == STOIC_MAP_MULTIPLY || !memcmp(a->bits, b->bits, a->count * sizeof *a->bits));
}

static void share_is_the_share_of_images(void **state) {
    (void)state;
    enum { TRIALS = 400, IMAGES = 128 };
    static const char *const scopes[] = {"image", "batch:128"};
    for (int s = 0; s < 2; s++) {
        char spec[96];
        int64_t hit = 0, mixed = 0;
        stoic_map_hits hits = {0}, always = {0};
        snprintf(spec, sizeof spec, "map:block,share=0.75,scope=%s", scopes[s]);
        stoic_map_fault *some = make(spec);
        snprintf(spec, sizeof spec, "map:block,scope=%s", scopes[s]);
        stoic_map_fault *all = make(spec);
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            int64_t of_trial = 0;
            for (int64_t image = 0; image < IMAGES; image++) {
                draw(some, trial, image, &hits);
                draw(all, trial, image, &always);
                assert_true(always.hit);
                assert_true(hits.hit ? same_hits(&hits, &always) : hits.site == -1);
                of_trial += hits.hit;
            }
            mixed += of_trial > 0 && of_trial < IMAGES;
            hit += of_trial;
        }
        assert_true(near_share(hit, TRIALS * IMAGES, 0.75));
        assert_int_equal(mixed, TRIALS); /* image by image, also where they share the mask */
        stoic_map_hits_deinit(&hits);
        stoic_map_hits_deinit(&always);
        stoic_map_fault_free(some);
        stoic_map_fault_free(all);
    }
    stoic_map_hits hits = {0};
    stoic_map_fault *none = make("map:single,share=0");
    for (uint64_t trial = 0; trial < 1000; trial++) {
        draw(none, trial, 0, &hits);
        assert_false(hits.hit);
    }
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(none);
}

static void a_batch_shares_layer_mask_and_value(void **state) {
    (void)state;
    static const char *const values[] = {"power-table", "uniform:-1:1", "flip:all", "random",
                                         "ramp"};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        char spec[96];
        snprintf(spec, sizeof spec, "map:mix,scope=batch:20,value=%s", values[v]);
        stoic_map_fault *fault = make(spec);
        stoic_map_hits first = {0}, hits = {0};
        int same = 0, groups = 0;
        assert_int_equal(stoic_map_fault_scope(fault), 20);
        for (int64_t image = 0; image < 400; image++) {
            draw(fault, 3, image, &hits);
            if (image % 20)
                assert_true(same_hits(&hits, &first));
            else {
                same += image && same_hits(&hits, &first);
                groups++;
                draw(fault, 3, image, &first);
            }
        }
        assert_int_equal(groups, 20);
        assert_true(same <= 1); /* two empty draws of `whole` may be alike */
        stoic_map_hits_deinit(&first);
        stoic_map_hits_deinit(&hits);
        stoic_map_fault_free(fault);
    }
}

/* Alone or in sequence, after a larger draw or a smaller one, in another fault of the same spec. */
static void a_draw_depends_on_seed_trial_and_image_alone(void **state) {
    (void)state;
    static const char *const specs[] = {"map:mix,value=random", "map:scatter,n=6,value=flip:all",
                                        "map:scatter,rate=0.01,value=flip:all", "map:single"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        stoic_map_hits kept[64] = {{0}}, again = {0};
        stoic_map_fault *a = make(specs[s]), *b = make(specs[s]), *other = NULL;
        int64_t differ = 0, differ_seed = 0;
        for (int i = 0; i < 64; i++)
            draw(a, (uint64_t)(i / 8), i % 8, &kept[i]);
        for (int i = 63; i >= 0; i--) {
            draw(i % 2 ? a : b, (uint64_t)(i / 8), i % 8, &again);
            assert_true(same_hits(&again, &kept[i]));
            differ += !same_hits(&kept[i], &kept[(i + 1) % 64]);
        }
        assert_int_equal(stoic_map_fault_create(net, specs[s], (uint64_t)1 << 40, &other, NULL),
                         STOIC_OK);
        for (int i = 0; i < 64; i++) {
            draw(other, (uint64_t)(i / 8), i % 8, &again);
            differ_seed += !same_hits(&again, &kept[i]);
        }
        assert_true(differ > 50 && differ_seed > 50);
        for (int i = 0; i < 64; i++)
            stoic_map_hits_deinit(&kept[i]);
        stoic_map_hits_deinit(&again);
        stoic_map_fault_free(a);
        stoic_map_fault_free(b);
        stoic_map_fault_free(other);
    }
}

/* Once a draw of each size has been made, nothing is allocated any more. */
static void room_is_reused(void **state) {
    (void)state;
    stoic_map_hits hits = {0};
    stoic_map_fault *fault = make("map:scatter,n=150,layer=0,value=random");
    stoic_map_fault *smaller = make("map:mix,value=flip:all");
    draw(fault, 0, 0, &hits);
    const void *index = hits.index, *bits = hits.bits, *marks = hits.marks;
    for (uint64_t trial = 0; trial < 2000; trial++) {
        draw(trial % 2 ? fault : smaller, trial, 0, &hits);
        assert_ptr_equal(hits.index, index);
        assert_ptr_equal(hits.bits, bits);
        assert_ptr_equal(hits.marks, marks);
    }
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
    stoic_map_fault_free(smaller);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_are_convs_and_the_last_layer),
        cmocka_unit_test(the_last_layer_is_found_through_the_graph),
        cmocka_unit_test(single_is_uniform_over_layers_then_elements),
        cmocka_unit_test(lines_are_rows_or_columns),
        cmocka_unit_test(line_channels_have_their_exact_distribution),
        cmocka_unit_test(blocks_have_their_exact_distribution),
        cmocka_unit_test(biased_drawers_are_caught),
        cmocka_unit_test(whole_hits_a_tenth_of_the_elements),
        cmocka_unit_test(scatter_draws_distinct_elements),
        cmocka_unit_test(a_rate_of_flips_is_a_rate_of_bits),
        cmocka_unit_test(a_rate_of_other_values_is_a_rate_of_elements),
        cmocka_unit_test(mix_takes_what_fits_the_layer),
        cmocka_unit_test(share_is_the_share_of_images),
        cmocka_unit_test(a_batch_shares_layer_mask_and_value),
        cmocka_unit_test(a_draw_depends_on_seed_trial_and_image_alone),
        cmocka_unit_test(room_is_reused),
    };
    return cmocka_run_group_tests(tests, make_net, free_net);
}
