#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <unistd.h>

#include "base/rng.h"
#include "map_rig.h"

enum { DRAWS = 40000 };
static float factors[DRAWS];

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The factors of many draws, sorted. */
static void draw_factors(const stoic_map_fault *fault, double severity) {
    stoic_map_hits hits = {0};
    stoic_error err = {0};
    for (uint64_t trial = 0; trial < DRAWS; trial++) {
        if (stoic_map_fault_draw(fault, trial, 0, severity, &hits, &err) != STOIC_OK)
            fail_msg("%s", err.message);
        assert_int_equal(hits.mode, STOIC_MAP_MULTIPLY);
        assert_true(isfinite(hits.factor));
        factors[trial] = hits.factor;
    }
    stoic_map_hits_deinit(&hits);
    qsort(factors, DRAWS, sizeof *factors, compare_floats);
}

/* Is x the quantile of level q of what was drawn? */
static bool is_quantile(double x, double q) {
    int64_t below = 0;
    while (below < DRAWS && (double)factors[below] <= x)
        below++;
    return near_share(below, DRAWS, q);
}

/* Median 0.97, 75 % at 7.8, 90 % at 4.4e5: of the definition to three digits, of the draws as far
 * as their number allows. */
static void the_default_table_has_its_quantiles(void **state) {
    (void)state;
    static const struct { double x, q; } quantiles[] = {{0.97, 0.5}, {7.8, 0.75}, {4.4e5, 0.9}};
    stoic_map_fault *fault = make("map:single");
    assert_int_equal(stoic_map_fault_value(fault), STOIC_MAP_POWER_TABLE);
    draw_factors(fault, 1.0);
    for (size_t i = 0; i < 3; i++) {
        double x = quantiles[i].x, low = x / 0.31, high = fmax(x / 1e5, 1.0);
        double exact = 1.0 - 0.8 * pow(low, -0.86) - 0.2 * pow(high, -0.468);
        assert_true(fabs(exact - quantiles[i].q) < 1e-3);
        assert_true(is_quantile(x, quantiles[i].q));
        assert_false(is_quantile(x, quantiles[i].q + 0.02));
    }
    assert_false(is_quantile(0.90, 0.5)); /* the quantile moved by 7 % is noticed */
    assert_true(factors[0] >= 0.31f);
    assert_true(factors[DRAWS - 1] > 1e6f);
    stoic_map_fault_free(fault);
}

static void power_laws_have_their_quantiles(void **state) {
    (void)state;
    static const double levels[] = {0.01, 0.25, 0.5, 0.9, 0.999};
    stoic_map_fault *fault = make("map:single,value=power:2:3");
    draw_factors(fault, 50.0);
    for (size_t i = 0; i < 5; i++)
        assert_true(is_quantile(2.0 * pow(1.0 - levels[i], -0.5), levels[i]));
    assert_false(is_quantile(2.0 * pow(0.5, -0.45), 0.5));
    stoic_map_fault_free(fault);
    /* so heavy that nearly all errors are beyond float32: ended there, never infinite */
    fault = make("map:single,value=power:1:1.0001");
    draw_factors(fault, 1.0);
    assert_true(factors[DRAWS - 1] == FLT_MAX && factors[DRAWS / 2] == FLT_MAX);
    stoic_map_fault_free(fault);
}

static void uniform_const_and_ramp(void **state) {
    (void)state;
    stoic_map_fault *fault = make("map:single,value=uniform:-3:5");
    draw_factors(fault, 10.0); /* severity is for ramp alone */
    for (int i = 1; i < 8; i++)
        assert_true(is_quantile(-3.0 + i, i / 8.0));
    assert_true(factors[0] >= -3.0f && factors[DRAWS - 1] <= 5.0f);
    stoic_map_fault_free(fault);
    fault = make("map:single,value=const:-2.5");
    draw_factors(fault, 0.0);
    assert_true(factors[0] == -2.5f && factors[DRAWS - 1] == -2.5f);
    stoic_map_fault_free(fault);
    fault = make("map:single,value=ramp");
    draw_factors(fault, 40.0);
    for (int i = -3; i <= 3; i++)
        assert_true(is_quantile(10.0 * i, 0.5 + i / 8.0));
    assert_false(is_quantile(8.0, 0.625));
    assert_true(factors[0] >= -40.0f && factors[DRAWS - 1] <= 40.0f);
    draw_factors(fault, 0.0);
    assert_true(factors[0] == 0.0f && factors[DRAWS - 1] == 0.0f);
    stoic_map_fault_free(fault);
}

static void severity_rises_from_epoch_to_epoch(void **state) {
    (void)state;
    stoic_map_fault *hundred = make("map:block,value=ramp"), *plain = make("map:block");
    stoic_map_fault *six = make("map:block,value=ramp,ramp=6");
    for (int64_t epoch = 0; epoch < 100; epoch++) {
        assert_true(fabs(stoic_map_fault_severity(hundred, epoch, 100) - (double)(epoch + 1)) <
                    1e-12);
        assert_true(stoic_map_fault_severity(plain, epoch, 100) == 1.0);
    }
    assert_true(stoic_map_fault_severity(hundred, 0, 1) == 1.0);
    assert_true(stoic_map_fault_severity(hundred, 0, 0) == 1.0);
    assert_true(stoic_map_fault_severity(hundred, -1, 10) == 1.0);
    assert_true(stoic_map_fault_severity(hundred, 10, 10) == 100.0);
    assert_true(stoic_map_fault_severity(hundred, 9, 10) == 100.0);
    assert_true(stoic_map_fault_severity(six, 2, 5) == 3.5);
    stoic_map_fault_free(hundred);
    stoic_map_fault_free(plain);
    stoic_map_fault_free(six);
}

static void flips_and_replacements(void **state) {
    (void)state;
    enum { TRIALS = 4000 };
    int64_t flipped[32] = {0}, patterns[32] = {0}, field[8] = {0}, alike = 0, drawn = 0;
    stoic_map_hits hits = {0};
    stoic_map_fault *flip = make("map:scatter,n=8,value=flip:all,layer=0");
    stoic_map_fault *exponent = make("map:row,value=flip:exponent,layer=0");
    stoic_map_fault *random = make("map:scatter,n=8,value=random,layer=0");
    stoic_map_fault *set = make("map:block,value=set:nan,layer=0");
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        draw(flip, trial, 0, &hits);
        assert_int_equal(hits.mode, STOIC_MAP_FLIP);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(__builtin_popcount(hits.bits[i]), 1);
            flipped[__builtin_ctz(hits.bits[i])]++;
        }
        draw(exponent, trial, 0, &hits);
        for (size_t i = 0; i < hits.count; i++)
            field[__builtin_ctz(hits.bits[i]) - 23]++;
        draw(random, trial, 0, &hits);
        assert_int_equal(hits.mode, STOIC_MAP_REPLACE);
        for (int i = 0; i < 8; i++) {
            alike += i && hits.bits[i] == hits.bits[i - 1]; /* drawn anew for each */
            for (int bit = 0; bit < 32; bit++)
                patterns[bit] += hits.bits[i] >> bit & 1;
            drawn++;
        }
        draw(set, trial, 0, &hits);
        assert_int_equal(hits.mode, STOIC_MAP_REPLACE);
        for (size_t i = 0; i < hits.count; i++)
            assert_int_equal(hits.bits[i], 0x7fc00000u);
    }
    assert_true(looks_like(flipped, NULL, 32));
    assert_true(looks_like(field, NULL, 8));
    assert_int_equal(alike, 0);
    for (int bit = 0; bit < 32; bit++)
        assert_true(near_share(patterns[bit], drawn, 0.5));
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(flip);
    stoic_map_fault_free(exponent);
    stoic_map_fault_free(random);
    stoic_map_fault_free(set);
}

/* Two values meet the same elements. */
static void sites_do_not_depend_on_the_value(void **state) {
    (void)state;
    static const char *const values[] = {"ramp", "random", "flip:sign", "power:1:2", "set:0"};
    stoic_map_fault *plain = make("map:mix");
    stoic_map_hits a = {0}, b = {0};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        char spec[64];
        snprintf(spec, sizeof spec, "map:mix,value=%s", values[v]);
        stoic_map_fault *fault = make(spec);
        for (uint64_t trial = 0; trial < 200; trial++) {
            draw(plain, trial, 1, &a);
            draw(fault, trial, 1, &b);
            assert_int_equal(a.site, b.site);
            assert_int_equal(a.count, b.count);
            if (a.count)
                assert_memory_equal(a.index, b.index, a.count * sizeof *a.index);
        }
        stoic_map_fault_free(fault);
    }
    stoic_map_hits_deinit(&a);
    stoic_map_hits_deinit(&b);
    stoic_map_fault_free(plain);
}

/* Campaign files and trained models stay repeatable only while these hold. */
static void draws_are_pinned(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int site;
        size_t count;
        int64_t first, last;
        uint32_t bits;
    } pins[] = {
        {"map:single", 3, 1, 5, 5, 0x47e4b5efu},
        {"map:line,value=power:0.1:1.5", 1, 8, 13, 34, 0x3dfbf4c4u},
        {"map:block,value=ramp", 1, 2, 28, 31, 0xc20975d7u},
        {"map:whole,layer=0,value=random", 0, 14, 5, 149, 0xd14b416au},
        {"map:scatter,n=5,value=flip:all", 3, 5, 0, 9, 0x10000000u},
        {"map:scatter,rate=0.01,layer=0,value=flip:all", 0, 36, 1, 143, 0x10000000u},
        {"map:mix,scope=batch:128,value=uniform:-1:1", 3, 1, 5, 5, 0x3de38b1eu},
    };
    int wrong = 0;
    stoic_map_hits hits = {0};
    for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) {
        uint32_t bits;
        stoic_map_fault *fault = make(pins[i].spec);
        assert_int_equal(
            stoic_map_fault_draw(fault, ((uint64_t)1 << 33) + 5, 70000, 37.0, &hits, NULL),
            STOIC_OK);
        if (hits.mode == STOIC_MAP_MULTIPLY)
            memcpy(&bits, &hits.factor, sizeof bits);
        else
            bits = hits.bits[0];
        if (hits.site != pins[i].site || hits.count != pins[i].count ||
            hits.index[0] != pins[i].first || hits.index[hits.count - 1] != pins[i].last ||
            bits != pins[i].bits) {
            print_error("{\"%s\", %d, %zu, %lld, %lld, 0x%08xu},\n", pins[i].spec, hits.site,
                        hits.count, (long long)hits.index[0], (long long)hits.index[hits.count - 1],
                        bits);
            wrong++;
        }
        stoic_map_fault_free(fault);
    }
    assert_int_equal(wrong, 0);
    stoic_map_hits_deinit(&hits);
}

static const struct {
    const char *spec, *text;
} specs[] = {
    {"map:single", "map:single,layer=all,value=power-table,share=1,scope=image"},
    {"map:block,layer=0-1", "map:block,layer=all,value=power-table,share=1,scope=image"},
    {"map:block,layer=deep", "map:block,layer=1,value=power-table,share=1,scope=image"},
    {"map:mix,layer=head+0-2", "map:mix,layer=all,value=power-table,share=1,scope=image"},
    {"map:whole,layer=4+stem", "map:whole,layer=0+4,value=power-table,share=1,scope=image"},
    {"map:line,value=uniform:-1:1.50,share=7.5e-1,scope=batch:200",
     "map:line,layer=all,value=uniform:-1:1.5,share=0.75,scope=batch:200"},
    {"map:row,value=const:1k,scope=batch:1",
     "map:row,layer=all,value=const:1000,share=1,scope=image"},
    {"map:column,value=power:0.1:2", "map:column,layer=all,value=power:0.1:2,share=1,scope=image"},
    {"map:block,value=ramp", "map:block,layer=all,value=ramp,ramp=100,share=1,scope=image"},
    {"map:block,ramp=6,value=ramp", "map:block,layer=all,value=ramp,ramp=6,share=1,scope=image"},
    {"map:single,value=flip", "map:single,layer=all,value=flip:all,share=1,scope=image"},
    {"map:single,value=flip:23-30", "map:single,layer=all,value=flip:exponent,share=1,scope=image"},
    {"map:single,value=flip:30+1-3", "map:single,layer=all,value=flip:30+1-3,share=1,scope=image"},
    {"map:single,value=set:1e-1", "map:single,layer=all,value=set:0.1,share=1,scope=image"},
    {"map:single,value=set:nan", "map:single,layer=all,value=set:nan,share=1,scope=image"},
    {"map:single,value=set:-inf", "map:single,layer=all,value=set:-inf,share=1,scope=image"},
    {"map:single,value=random", "map:single,layer=all,value=random,share=1,scope=image"},
    {"map:scatter", "map:scatter,n=1,layer=all,value=power-table,share=1,scope=image"},
    {"map:scatter,n=6", "map:scatter,n=6,layer=all,value=power-table,share=1,scope=image"},
    {"map:scatter,rate=1e-3,value=flip:all",
     "map:scatter,rate=0.001,layer=all,value=flip:all,share=1,scope=image"},
};

static void a_spec_has_one_canonical_spelling(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        stoic_map_fault *fault = make(specs[i].spec), *again = NULL;
        assert_string_equal(stoic_map_fault_text(fault), specs[i].text);
        /* defaults are written out, so training reads the same fault from it */
        assert_int_equal(stoic_map_fault_create_for_training(net, specs[i].text, 7, &again, NULL),
                         STOIC_OK);
        assert_string_equal(stoic_map_fault_text(again), specs[i].text);
        stoic_map_fault_free(again);
        stoic_map_fault_free(fault);
    }
    stoic_map_fault *fault = NULL;
    assert_int_equal(stoic_map_fault_create_for_training(net, "map:block", 7, &fault, NULL),
                     STOIC_OK);
    assert_string_equal(stoic_map_fault_text(fault),
                        "map:block,layer=all,value=ramp,ramp=100,share=0.75,scope=image");
    assert_true(stoic_map_fault_share(fault) == 0.75);
    assert_int_equal(stoic_map_fault_kind(fault), STOIC_MAP_BLOCK);
    stoic_map_fault_free(fault);
    stoic_map_fault_free(NULL);
    assert_true(stoic_map_fault_is_spec("map:x"));
    assert_true(stoic_map_fault_is_spec("map"));
    assert_false(stoic_map_fault_is_spec("mapper:x"));
    assert_false(stoic_map_fault_is_spec("flips:1"));
    assert_false(stoic_map_fault_is_spec(NULL));
}

/* The blocks of docs/fault-models.md that are marked `map`. */
static void documented_specs_are_accepted(void **state) {
    (void)state;
    char line[256];
    bool inside = false;
    int read = 0;
    FILE *file = fopen(STOIC_TEST_DOCS "/fault-models.md", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "```", 3))
            inside = !strcmp(line, "```map");
        else if (inside) {
            stoic_map_fault_free(make(line));
            read++;
        }
    }
    fclose(file);
    assert_int_equal(read, 7);
}

static const struct {
    const char *spec;
    const char *says;
} bad[] = {
    {NULL, "is needed"},
    {"", "expected 'name'"},
    {"flips:1", "such as map:block, found 'flips:1'"},
    {"map", "map: unknown ''"},
    {"map:blok", "did you mean 'block'?"},
    {"map:block:3", "map: unknown 'block:3'"},
    {"map:block,n=3", "no key 'n'"},
    {"map:block,rate=3", "no key 'rate'"},
    {"map:block,valu=ramp", "did you mean 'value'?"},
    {"map:block,value", "key 'value' needs a value"},
    {"map:block,value=", "key 'value' needs a value"},
    {"map:block,value=ramp,value=ramp", "given twice"},
    {"map:block,value=ramb", "did you mean 'ramp'?"},
    {"map:block,value=ramp:3", "takes no argument"},
    {"map:block,value=random:3", "takes no argument"},
    {"map:block,value=ramp,ramp=0", "ramp: expected more than 0"},
    {"map:block,value=ramp,ramp=-1", "ramp: expected more than 0"},
    {"map:block,value=ramp,ramp=1e39", "beyond float32"},
    {"map:block,value=ramp,ramp=nan", "expected a number"},
    {"map:block,ramp=3", "ramp= belongs to value=ramp, not to 'power-table'"},
    {"map:block,digest=00", "digest= belongs to"},
    {"map:block,value=power", "expected power:XMIN:ALPHA"},
    {"map:block,value=power:1", "expected power:XMIN:ALPHA"},
    {"map:block,value=power:1:2:3", "power:XMIN:ALPHA: expected a number"},
    {"map:block,value=power:1:1", "ALPHA above 1"},
    {"map:block,value=power:1:0.5", "ALPHA above 1"},
    {"map:block,value=power:0:2", "XMIN above 0"},
    {"map:block,value=power:-1:2", "XMIN above 0"},
    {"map:block,value=power:nan:2", "expected a number"},
    {"map:block,value=power:1e39:2", "beyond float32"},
    {"map:block,value=uniform:1", "expected uniform:A:B"},
    {"map:block,value=uniform:2:1", "A <= B"},
    {"map:block,value=uniform:-inf:1", "not a finite number"},
    {"map:block,value=const", "const:C"},
    {"map:block,value=const:nan", "const:C"},
    {"map:block,value=const:inf", "const:C"},
    {"map:block,value=const:-1e39", "beyond float32"},
    {"map:block,value=flip:32", "from 0 to 31"},
    {"map:block,value=flip:exponant", "did you mean 'exponent'?"},
    {"map:block,value=flip:", "empty item"},
    {"map:block,value=set", "set:V"},
    {"map:block,value=set:1e39", "beyond float32"},
    {"map:block,value=power-table:", "power-table:FILE.csv"},
    {"map:block,share=1.5", "share: expected a probability"},
    {"map:block,share=-0.1", "share: expected a probability"},
    {"map:block,share=x", "share: expected a number"},
    {"map:block,scope=batch", "expected image or batch:N"},
    {"map:block,scope=pass", "expected image or batch:N"},
    {"map:block,scope=batch:0", "scope=batch:N: expected a whole number"},
    {"map:block,scope=batch:1.5", "scope=batch:N: expected a whole number"},
    {"map:block,layer=9", "from 0 to 4"},
    {"map:block,layer=stam", "did you mean 'stem'?"},
    {"map:block,layer=1-0", "runs backwards"},
    {"map:block,layer=0+", "empty item"},
    {"map:single,layer=3", "layer 3 ('hidden', MatMul) is neither a Conv nor the final"},
    {"map:single,layer=0-4", "layer 3 ('hidden', MatMul)"},
    {"map:block,layer=head", "layer 4 ('head') has 1x10"},
    {"map:line,layer=thin", "layer 2 ('thin') has 1x2x1x3"},
    {"map:row,layer=2", "needs a map with rows and columns"},
    {"map:column,layer=2", "needs a map with rows and columns"},
    {"map:scatter,n=0", "n: expected a whole number"},
    {"map:scatter,n=7", "the map of layer 2 ('thin') has 6"},
    {"map:scatter,n=11,layer=0+4", "the map of layer 4 ('head') has 10"},
    {"map:scatter,n=1,rate=0.1", "not both"},
    {"map:scatter,rate=1.01", "rate: expected a probability"},
};

static void a_bad_spec_is_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_map_fault *fault = NULL;
        stoic_error err = {0};
        stoic_status status = stoic_map_fault_create(net, bad[i].spec, 7, &fault, &err);
        if (status != STOIC_ERR_ARGUMENT || !strstr(err.message, bad[i].says))
            fail_msg("%s gives %s: %s", bad[i].spec, stoic_status_name(status), err.message);
        assert_null(fault);
        assert_int_equal(stoic_map_fault_create(net, bad[i].spec, 7, &fault, NULL), status);
    }
}

static void draws_out_of_range_are_refused(void **state) {
    (void)state;
    stoic_map_hits hits = {0};
    stoic_error err = {0};
    stoic_map_fault *fault = make("map:block");
    static const struct {
        uint64_t trial;
        int64_t image;
        double severity;
        stoic_status status;
    } cases[] = {
        {((uint64_t)1 << 48) - 1, ((int64_t)1 << 40) - 1, (double)FLT_MAX, STOIC_OK},
        {(uint64_t)1 << 48, 0, 1.0, STOIC_ERR_ARGUMENT},
        {0, -1, 1.0, STOIC_ERR_ARGUMENT},
        {0, (int64_t)1 << 40, 1.0, STOIC_ERR_ARGUMENT},
        {0, 0, -1.0, STOIC_ERR_ARGUMENT},
        {0, 0, NAN, STOIC_ERR_ARGUMENT},
        {0, 0, INFINITY, STOIC_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_status status = stoic_map_fault_draw(fault, cases[i].trial, cases[i].image,
                                                   cases[i].severity, &hits, &err);
        assert_int_equal(status, cases[i].status);
        assert_true(hits.hit == (status == STOIC_OK));
    }
    stoic_map_hits_deinit(&hits);
    stoic_map_fault_free(fault);
}

/* Maps of 2^28 elements and more, and a network without any map to hit. */
static void models_that_do_not_fit_are_refused(void **state) {
    (void)state;
    const stoic_shape image = {4, {1, 1, 1 << 14, 1 << 14}};
    stoic_builder *b = NULL;
    stoic_model *model = NULL;
    stoic_map_fault *fault = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_builder_create("large", 17, &b, NULL), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &image, NULL), STOIC_OK);
    tiny_constant(b, "w", 4, (const int64_t[]){1, 1, 1, 1}, NULL);
    tiny_node(b, "wide", &stoic_op_conv, (const char *[]){"x", "w"}, 2, "y");
    assert_int_equal(stoic_builder_output(b, "y", NULL), STOIC_OK);
    assert_int_equal(stoic_builder_finish(b, &model, NULL), STOIC_OK);
    assert_int_equal(stoic_map_fault_create(model, "map:single", 0, &fault, &err),
                     STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "268435456"));
    assert_string_equal(err.place, "wide");
    stoic_model_free(model);
    const stoic_shape vector = {2, {1, 6}};
    assert_int_equal(stoic_builder_create("flat", 17, &b, NULL), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &vector, NULL), STOIC_OK);
    tiny_constant(b, "w", 2, (const int64_t[]){6, 6}, NULL);
    tiny_node(b, "fc", &stoic_op_gemm, (const char *[]){"x", "w"}, 2, "y");
    assert_int_equal(stoic_builder_output(b, "y", NULL), STOIC_OK);
    assert_int_equal(stoic_builder_finish(b, &model, NULL), STOIC_OK);
    assert_int_equal(stoic_map_fault_create(model, "map:line", 0, &fault, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "no layer whose feature map"));
    stoic_model_free(model);
}

static char path[64];

static void write_table(const char *content, size_t bytes) {
    snprintf(path, sizeof path, "/tmp/stoic-laws,XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, bytes), bytes);
    close(fd);
}

/* A comma in the path is written "\,". */
static void table_spec(char spec[256], const char *more) {
    char escaped[96];
    char *comma = strchr(path, ',');
    snprintf(escaped, sizeof escaped, "%.*s\\%s", (int)(comma - path), path, comma);
    snprintf(spec, 256, "map:single,value=power-table:%s%s", escaped, more);
}

static void a_table_is_read_from_a_file(void **state) {
    (void)state;
    static const char good[] = "\xEF\xBB\xBF"
                               "alpha,weight,xmin\r\n2,3,1\r\n\r\n3,1,\"1e6\"";
    char spec[256], text[256];
    stoic_map_fault *fault = NULL, *again = NULL;
    stoic_error err = {0};
    write_table(good, sizeof good - 1);
    table_spec(spec, "");
    fault = make(spec);
    draw_factors(fault, 1.0);
    assert_true(is_quantile(1.0 / (1.0 - 0.6), 0.45)); /* 3/4 of the first law's 60 % */
    assert_true(is_quantile(1e6 * pow(0.5, -0.5), 0.875));
    snprintf(text, sizeof text, "%s", stoic_map_fault_text(fault));
    assert_non_null(strstr(text, ",digest="));
    assert_int_equal(stoic_map_fault_create(net, text, 7, &again, &err), STOIC_OK);
    assert_string_equal(stoic_map_fault_text(again), text);
    stoic_map_fault_free(again);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("\n2,1,1\n", file);
    fclose(file);
    assert_int_equal(stoic_map_fault_create(net, text, 7, &again, &err), STOIC_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "has changed"));
    stoic_map_fault_free(fault);
    unlink(path);
}

static void bad_tables_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *content;
        stoic_status status;
        const char *says;
    } tables[] = {
        {"", STOIC_ERR_FORMAT, "is empty; expected a header such as weight,xmin,alpha"},
        {"weight,xmin,alpha\n", STOIC_ERR_FORMAT, "has no row"},
        {"weight,xmin\n1,2\n", STOIC_ERR_FORMAT, "no column 'alpha'"},
        {"weight,xmin,beta\n", STOIC_ERR_FORMAT, "expected the columns weight,xmin,alpha"},
        {"weight,xmin,alpha,xmin\n", STOIC_ERR_FORMAT, "named twice"},
        {"weight,xmin,alpha\n1,2,3\n1,2", STOIC_ERR_FORMAT, "line 3: 2 fields"},
        {"weight,xmin,alpha\n1,2,3\n1,2,", STOIC_ERR_FORMAT, "line 3: expected a number"},
        {"weight,xmin,alpha\n1,2,3,4\n", STOIC_ERR_FORMAT, "line 2: 4 fields"},
        {"weight,xmin,alpha\n0,2,3\n", STOIC_ERR_FORMAT, "weight: expected more than 0"},
        {"weight,xmin,alpha\n-1,2,3\n", STOIC_ERR_FORMAT, "weight: expected more than 0"},
        {"weight,xmin,alpha\n1,0,3\n", STOIC_ERR_FORMAT, "xmin: expected more than 0"},
        {"weight,xmin,alpha\n1,1e39,3\n", STOIC_ERR_FORMAT, "xmin: expected"},
        {"weight,xmin,alpha\n1,2,1\n", STOIC_ERR_FORMAT, "alpha: expected more than 1"},
        {"weight,xmin,alpha\nnan,2,3\n", STOIC_ERR_FORMAT, "expected a number, found 'nan'"},
        {"weight,xmin,alpha\n1,inf,3\n", STOIC_ERR_FORMAT, "expected a number, found 'inf'"},
        {"weight,xmin,alpha\n1e308,1,2\n1e308,1,2\n", STOIC_ERR_FORMAT, "add up to infinity"},
    };
    char spec[256];
    stoic_map_fault *fault = NULL;
    stoic_error err = {0};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        write_table(tables[i].content, strlen(tables[i].content));
        table_spec(spec, "");
        stoic_status status = stoic_map_fault_create(net, spec, 7, &fault, &err);
        if (status != tables[i].status || !strstr(err.message, tables[i].says))
            fail_msg("'%s' gives %s: %s", tables[i].content, stoic_status_name(status),
                     err.message);
        assert_string_equal(err.place, path);
        unlink(path);
    }
    write_table("weight,xmin,alpha\n1,2\0,3\n", 25);
    table_spec(spec, "");
    assert_int_equal(stoic_map_fault_create(net, spec, 7, &fault, &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "zero byte at offset 21"));
    unlink(path);
    assert_int_equal(stoic_map_fault_create(net, spec, 7, &fault, &err), STOIC_ERR_IO);
    assert_non_null(strstr(err.message, "cannot open the table of power laws"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_table_has_its_quantiles),
        cmocka_unit_test(power_laws_have_their_quantiles),
        cmocka_unit_test(uniform_const_and_ramp),
        cmocka_unit_test(severity_rises_from_epoch_to_epoch),
        cmocka_unit_test(flips_and_replacements),
        cmocka_unit_test(sites_do_not_depend_on_the_value),
        cmocka_unit_test(draws_are_pinned),
        cmocka_unit_test(a_spec_has_one_canonical_spelling),
        cmocka_unit_test(documented_specs_are_accepted),
        cmocka_unit_test(a_bad_spec_is_refused_by_name),
        cmocka_unit_test(draws_out_of_range_are_refused),
        cmocka_unit_test(models_that_do_not_fit_are_refused),
        cmocka_unit_test(a_table_is_read_from_a_file),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, make_net, free_net);
}
