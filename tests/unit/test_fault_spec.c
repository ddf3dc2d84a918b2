#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_fixture.h"

static const struct {
    const char *spec, *text;
} specs[] = {
    {"flips:10", "flips:10,layer=all,bits=all,tensor=weight"},
    {"flips:10,layer=0-1+head", "flips:10,layer=all,bits=all,tensor=weight"},
    {"flips:1e1,bits=all", "flips:10,layer=all,bits=all,tensor=weight"},
    {"flips:1,layer=head+conv1", "flips:1,layer=0+3,bits=all,tensor=weight"},
    {"flips:1,layer=3+0+0", "flips:1,layer=0+3,bits=all,tensor=weight"},
    {"ber:1e-4", "ber:0.0001,layer=all,bits=all,tensor=weight"},
    {"ber:0.0001:1e-4", "ber:0.0001,layer=all,bits=all,tensor=weight"},
    {"ber:0.3:0.1", "ber:0.3:0.1,layer=all,bits=all,tensor=weight"},
    {"exhaustive,bits=23-30", "exhaustive,layer=all,bits=exponent,tensor=weight"},
    {"stuck0", "stuck0,n=1,layer=all,bits=all,tensor=weight"},
    {"stuck1,n=3,bits=30+23-26", "stuck1,n=3,layer=all,bits=30+23-26,tensor=weight"},
    {"set:1e-1", "set:0.1,n=1,layer=all,bits=all,tensor=weight"},
    {"set:nan,n=2", "set:nan,n=2,layer=all,bits=all,tensor=weight"},
    {"set:+inf", "set:inf,n=1,layer=all,bits=all,tensor=weight"},
    {"set:-inf", "set:-inf,n=1,layer=all,bits=all,tensor=weight"},
    {"set:-0", "set:-0,n=1,layer=all,bits=all,tensor=weight"},
    {"random", "random,n=1,layer=all,bits=all,tensor=weight"},
    {"zero,n=4", "zero,n=4,layer=all,bits=all,tensor=weight"},
    {"mbu:2", "mbu:2,n=1,distance=1,layer=all,bits=all,tensor=weight"},
    {"mbu:3,distance=4,bits=mantissa",
     "mbu:3,n=1,distance=4,layer=all,bits=mantissa,tensor=weight"},
};

static void a_spec_has_one_canonical_spelling(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        stoic_fault *fault = make(weights, specs[i].spec);
        assert_string_equal(stoic_fault_text(fault), specs[i].text);
        stoic_fault *again = make(weights, stoic_fault_text(fault));
        assert_string_equal(stoic_fault_text(again), specs[i].text);
        assert_int_equal(stoic_fault_kind_of(again), stoic_fault_kind_of(fault));
        stoic_fault_free(again);
        stoic_fault_free(fault);
    }
    stoic_fault *fault = make(full, "flips:1,tensor=bn+bias");
    assert_string_equal(stoic_fault_text(fault), "flips:1,layer=all,bits=all,tensor=bias+bn");
    assert_int_equal(stoic_fault_population(fault), 32 * (5 + 8));
    stoic_fault_free(fault);
    stoic_fault_free(NULL);
}

static const struct {
    const char *spec;
    stoic_status status;
    const char *says;
} bad[] = {
    {NULL, STOIC_ERR_ARGUMENT, "a fault model is needed"},
    {"", STOIC_ERR_ARGUMENT, ""},
    {"flip:1", STOIC_ERR_ARGUMENT, "did you mean 'flips'?"},
    {"exaustive", STOIC_ERR_ARGUMENT, "did you mean 'exhaustive'?"},
    {"quux", STOIC_ERR_ARGUMENT, "unknown fault model 'quux'"},
    {"map:line", STOIC_ERR_UNSUPPORTED, "computed values, no stored bits"},
    {"op:flip", STOIC_ERR_UNSUPPORTED, "computed values, no stored bits"},
    {"flips", STOIC_ERR_ARGUMENT, "flips:N"},
    {"flips:0", STOIC_ERR_ARGUMENT, "flips:N"},
    {"flips:-3", STOIC_ERR_ARGUMENT, "flips:N"},
    {"flips:1.5", STOIC_ERR_ARGUMENT, "flips:N"},
    {"flips:107", STOIC_ERR_ARGUMENT, "107 distinct weights asked for, only 106"},
    {"flips:19,layer=0", STOIC_ERR_ARGUMENT, "only 18 are selected"},
    {"flips:1,n=2", STOIC_ERR_ARGUMENT, "no key 'n'"},
    {"flips:1,layr=1", STOIC_ERR_ARGUMENT, "did you mean 'layer'?"},
    {"flips:1,layer", STOIC_ERR_ARGUMENT, "key 'layer' needs a value"},
    {"flips:1,layer=4", STOIC_ERR_ARGUMENT, "from 0 to 3"},
    {"flips:1,layer=0-9", STOIC_ERR_ARGUMENT, "from 0 to 3"},
    {"flips:1,layer=1-0", STOIC_ERR_ARGUMENT, "runs backwards"},
    {"flips:1,layer=0+", STOIC_ERR_ARGUMENT, "empty item"},
    {"flips:1,layer=haed", STOIC_ERR_ARGUMENT, "did you mean 'head'?"},
    {"flips:1,layer=2", STOIC_ERR_ARGUMENT, "belongs to its first layer"},
    {"flips:1,tensor=bias", STOIC_ERR_ARGUMENT, "holds no bias tensor"},
    {"flips:1,tensor=wieght", STOIC_ERR_ARGUMENT, "tensor: expected"},
    {"flips:1,bits=32", STOIC_ERR_ARGUMENT, "from 0 to 31"},
    {"flips:1,bits=exponant", STOIC_ERR_ARGUMENT, "did you mean 'exponent'?"},
    {"flips:1,share=0.75", STOIC_ERR_ARGUMENT, "share of images"},
    {"ber", STOIC_ERR_ARGUMENT, "ber"},
    {"ber:1.1", STOIC_ERR_ARGUMENT, "from 0 to 1"},
    {"ber:-0.1", STOIC_ERR_ARGUMENT, "from 0 to 1"},
    {"ber:0.1:2", STOIC_ERR_ARGUMENT, "from 0 to 1"},
    {"ber:0.1:0.1:0.1", STOIC_ERR_ARGUMENT, "expected a number"},
    {"exhaustive:3", STOIC_ERR_ARGUMENT, "takes no argument"},
    {"stuck0,n=0", STOIC_ERR_ARGUMENT, "n: expected"},
    {"stuck1,n=1000000", STOIC_ERR_ARGUMENT, "distinct bits asked for, only 3392"},
    {"zero,n=107", STOIC_ERR_ARGUMENT, "only 106"},
    {"set", STOIC_ERR_ARGUMENT, "set:V"},
    {"set:x", STOIC_ERR_ARGUMENT, "set:V"},
    {"set:1e39", STOIC_ERR_ARGUMENT, "beyond float32"},
    {"mbu:0", STOIC_ERR_ARGUMENT, "mbu:K"},
    {"mbu:33", STOIC_ERR_ARGUMENT, "fit nowhere"},
    {"mbu:2,bits=sign", STOIC_ERR_ARGUMENT, "fit nowhere"},
    {"mbu:2,bits=0+2", STOIC_ERR_ARGUMENT, "fit nowhere"},
    {"mbu:4,distance=11", STOIC_ERR_ARGUMENT, "fit nowhere"},
    {"mbu:2,distance=0", STOIC_ERR_ARGUMENT, "distance"},
    {"list", STOIC_ERR_ARGUMENT, "list:FILE.csv"},
    {"list:/nonexistent/faults.csv", STOIC_ERR_IO, "cannot open"},
    {"list:/", STOIC_ERR_IO, "cannot"},
    {"list:x.csv,layer=0", STOIC_ERR_ARGUMENT, "no key 'layer'"},
    {"list:x.csv,tensor=bn", STOIC_ERR_ARGUMENT, "expected weight or bias"},
};

static void a_bad_spec_is_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_fault *fault = NULL;
        stoic_error err = {0};
        stoic_status status = stoic_fault_create(weights, bad[i].spec, 7, &fault, &err);
        if (status != bad[i].status || !strstr(err.message, bad[i].says))
            fail_msg("%s gives %s: %s", bad[i].spec, stoic_status_name(status), err.message);
        assert_null(fault);
        assert_int_equal(stoic_fault_create(weights, bad[i].spec, 7, &fault, NULL), status);
    }
    stoic_store *closed = NULL;
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_store_create(model, "fp32,protect=exponent", &closed, &err), STOIC_OK);
    assert_int_equal(stoic_fault_create(closed, "flips:1,bits=30", 7, &fault, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "protects every bit"));
    stoic_store_free(closed);
}

static void populations_and_limits(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int64_t population, trials, most;
    } facts[] = {
        {"flips:1", 32 * TINY_WEIGHTS, -1, 32 * TINY_WEIGHTS},
        {"flips:1,layer=conv1,bits=exponent", 18 * 8, -1, 18 * 8},
        {"flips:2", 32 * TINY_WEIGHTS, -1, -1},
        {"ber:0.1", 32 * TINY_WEIGHTS, -1, -1},
        {"exhaustive,layer=0+3,bits=sign", 42, 42, 42},
        {"stuck0,bits=0-1", 2 * TINY_WEIGHTS, -1, 2 * TINY_WEIGHTS},
        {"stuck1,n=2", 32 * TINY_WEIGHTS, -1, -1},
        {"zero", TINY_WEIGHTS, -1, TINY_WEIGHTS},
        {"set:3,n=3", 32 * TINY_WEIGHTS, -1, -1},
        {"random", (int64_t)TINY_WEIGHTS << 32, -1, -1},
        {"random,bits=mantissa", (int64_t)TINY_WEIGHTS << 23, -1, -1},
        {"mbu:2", 31 * TINY_WEIGHTS, -1, 31 * TINY_WEIGHTS},
        {"mbu:3,distance=2,bits=exponent", 4 * TINY_WEIGHTS, -1, 4 * TINY_WEIGHTS},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        stoic_fault *fault = make(weights, facts[i].spec);
        stoic_hits hits = {0};
        assert_int_equal(stoic_fault_population(fault), facts[i].population);
        assert_int_equal(stoic_fault_trials(fault), facts[i].trials);
        assert_int_equal(stoic_fault_max_trials(fault), facts[i].most);
        assert_int_equal(stoic_fault_is_ordered(fault), !strncmp(facts[i].spec, "exh", 3));
        assert_int_equal(stoic_fault_draw(fault, -1, &hits, NULL), STOIC_ERR_ARGUMENT);
        int64_t beyond = facts[i].most < 0 ? INT64_MAX : facts[i].most;
        stoic_status expected = facts[i].most < 0 ? STOIC_OK : STOIC_ERR_ARGUMENT;
        assert_int_equal(stoic_fault_draw(fault, beyond, &hits, NULL), expected);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_has_one_canonical_spelling),
        cmocka_unit_test(a_bad_spec_is_refused_by_name),
        cmocka_unit_test(populations_and_limits),
    };
    return cmocka_run_group_tests(tests, make_stores, free_stores);
}
