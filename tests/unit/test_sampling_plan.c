/* Plans: populations against every single fault drawn, samples against the formula, shares. */
#include <math.h>
#include <stdio.h>

#include "stoic/plan.h"
#include "stoic/stats.h"
#include "store_rig.h"
#include "tiny_model.h"

static stoic_model *tiny;

static stoic_plan make(const stoic_plan_options *options) {
    stoic_plan plan;
    stoic_error err = {0};
    if (stoic_plan_make(tiny, options, &plan, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return plan;
}

/* Faults of an exhaustive campaign that lie in a group. */
static int64_t count(const char *spec, const stoic_plan_group *group) {
    stoic_store *store = rig_store(tiny, spec);
    stoic_fault *fault = rig_fault(store, "exhaustive", 0);
    stoic_hits hits = {0};
    int64_t n = 0;
    for (int64_t trial = 0; trial < stoic_fault_trials(fault); trial++) {
        stoic_place place;
        rig_draw(fault, trial, &hits);
        const stoic_hit *hit = &hits.items[0];
        stoic_store_place(store, hit->entry, hit->word, hit->bit, &place);
        n += stoic_store_entry_at(store, hit->entry)->layer == group->layer &&
             place.bit == group->bit;
    }
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
    stoic_store_free(store);
    return n;
}

static void populations_are_those_of_every_fault(void **state) {
    (void)state;
    static const char *const specs[] = {"fp32", "int8,code=secded72", "affine:3,code=msb3",
                                        "fp16,protect=exponent-msb,include=weight+bias+bn",
                                        "int8,code=secded39/0=fp16"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        stoic_plan_options options = stoic_plan_options_default();
        options.store = specs[s];
        options.by_layer = options.by_bit = true;
        stoic_plan plan = make(&options);
        int64_t all = 0, shares = 0;
        for (size_t i = 0; i < plan.n_groups; i++) {
            const stoic_plan_group *group = &plan.groups[i];
            assert_int_equal(group->population, count(specs[s], group));
            assert_int_equal(group->samples,
                             stoic_sample_size(group->population, 0.01, stoic_normal_z(0.05), 0.5));
            double exact =
                (double)plan.samples * (double)group->population / (double)plan.population;
            assert_true(fabs((double)group->share - exact) < 1);
            all += group->population;
            shares += group->share;
        }
        assert_int_equal(all, plan.population);
        assert_int_equal(shares, plan.samples);
        stoic_plan_deinit(&plan);
    }
}

/* The published size: 268,336 weights of 64 bits, 1 % at z = 2.58. */
static void a_published_sample(void **state) {
    (void)state;
    assert_int_equal(stoic_sample_size(INT64_C(268336) * 64, 0.01, 2.58, 0.5), 16625);
    stoic_plan_options options = stoic_plan_options_default();
    options.store = "fp64";
    options.z = 2.58;
    stoic_plan plan = make(&options);
    assert_int_equal(plan.population, 64 * TINY_WEIGHTS);
    assert_int_equal(plan.samples, stoic_sample_size(64 * TINY_WEIGHTS, 0.01, 2.58, 0.5));
    assert_int_equal(plan.n_groups, 1);
    assert_int_equal(plan.groups[0].share, plan.samples);
    assert_true(plan.z == 2.58);
    stoic_plan_deinit(&plan);
}

static void refusals(void **state) {
    (void)state;
    stoic_plan_options bad[7];
    stoic_plan plan;
    for (int i = 0; i < 7; i++)
        bad[i] = stoic_plan_options_default();
    bad[0].margin = 0;
    bad[1].confidence = 1;
    bad[2].p = NAN;
    bad[3].z = INFINITY;
    bad[4].fault = "flips:1";
    bad[5].store = "int9";
    bad[6].fault = "exhaustive,layer=7";
    for (int i = 0; i < 7; i++) {
        assert_int_equal(stoic_plan_make(tiny, &bad[i], &plan, NULL), STOIC_ERR_ARGUMENT);
        assert_null(plan.groups);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(populations_are_those_of_every_fault),
        cmocka_unit_test(a_published_sample),
        cmocka_unit_test(refusals),
    };
    tiny = tiny_model_with(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoic_model_free(tiny);
    return failed;
}
