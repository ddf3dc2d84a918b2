#include "stoic/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/wide.h"
#include "fault/space.h"
#include "stoic/stats.h"

stoic_plan_options stoic_plan_options_default(void) {
    return (stoic_plan_options){.margin = 0.01, .confidence = 0.95, .z = NAN, .p = 0.5};
}

static stoic_status check_options(const stoic_plan_options *options, stoic_error *err) {
    const struct {
        const char *name;
        double value;
    } shares[] = {
        {"--margin", options->margin}, {"--confidence", options->confidence}, {"--p", options->p}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (!(shares[i].value > 0 && shares[i].value < 1))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, shares[i].name,
                              "expected a number between 0 and 1, found %g", shares[i].value);
    }
    if (!isnan(options->z) && !(options->z > 0 && isfinite(options->z)))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--z", "expected a number above 0, found %g",
                          options->z);
    return STOIC_OK;
}

/* ---- populations ---- */

static int compare_groups(const void *a, const void *b) {
    const stoic_plan_group *x = a, *y = b;
    if (x->layer != y->layer) /* batch normalisation last, as in a store */
        return (unsigned)x->layer < (unsigned)y->layer ? -1 : 1;
    return (x->bit > y->bit) - (x->bit < y->bit);
}

/* A patch's ways, each in every of its words; groups may repeat. */
static void add_patch(const stoic_fault *fault, const stoic_patch *patch,
                      const stoic_plan_options *options, stoic_plan *out) {
    const stoic_store_entry *entry = stoic_store_entry_at(fault->store, patch->entry);
    for (int way = 0; way < patch->ways; way++) {
        stoic_place place;
        stoic_store_place(fault->store, patch->entry, patch->start, patch->bit[way], &place);
        out->groups[out->n_groups++] =
            (stoic_plan_group){.layer = options->by_layer ? entry->layer : -1,
                               .bit = options->by_bit ? place.bit : -1,
                               .population = patch->words};
        out->population += patch->words;
    }
}

static void merge_groups(stoic_plan *out) {
    size_t n = 0;
    qsort(out->groups, out->n_groups, sizeof *out->groups, compare_groups);
    for (size_t i = 0; i < out->n_groups; i++) {
        if (n > 0 && compare_groups(&out->groups[n - 1], &out->groups[i]) == 0)
            out->groups[n - 1].population += out->groups[i].population;
        else
            out->groups[n++] = out->groups[i];
    }
    out->n_groups = n;
}

static stoic_status count(const stoic_model *model, const stoic_plan_options *options,
                          stoic_plan *out, stoic_error *err) {
    stoic_store *store = NULL;
    stoic_fault *fault = NULL;
    stoic_status status = STOIC_OK;
    size_t ways = 0;
    TRY(stoic_store_create(model, options->store, &store, err));
    TRY(stoic_fault_create(store, options->fault ? options->fault : "exhaustive", 0, &fault, err));
    if (fault->kind != STOIC_FAULT_EXHAUSTIVE) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                            "a plan counts single faults: expected exhaustive with layer=, bits= "
                            "or tensor=, found '%s'",
                            options->fault);
        goto done;
    }
    for (int i = 0; i < fault->n_patches; i++)
        ways += (size_t)fault->patches[i].ways;
    out->groups = calloc(ways + 1, sizeof *out->groups);
    if (!out->groups) {
        status = stoic_fail_memory(err, "a plan", ways * sizeof *out->groups);
        goto done;
    }
    for (int i = 0; i < fault->n_patches; i++)
        add_patch(fault, &fault->patches[i], options, out);
    merge_groups(out);
done:
    stoic_fault_free(fault);
    stoic_store_free(store);
    return status;
}

/* ---- samples ---- */

typedef struct leftover {
    double rest;
    size_t group;
} leftover;

static int compare_rests(const void *a, const void *b) {
    const leftover *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return (x->group > y->group) - (x->group < y->group);
}

/* Whole numbers that add up: what rounding down leaves goes to the largest remainders. */
static stoic_status share_out(stoic_plan *out, stoic_error *err) {
    leftover *rests = calloc(out->n_groups + 1, sizeof *rests);
    int64_t left = out->samples;
    if (!rests)
        return stoic_fail_memory(err, "a plan", out->n_groups * sizeof *rests);
    for (size_t i = 0; i < out->n_groups; i++) {
        stoic_plan_group *group = &out->groups[i];
        stoic_i128 product = (stoic_i128)out->samples * group->population;
        group->share = (int64_t)(product / out->population);
        rests[i] = (leftover){(double)(int64_t)(product % out->population), i};
        left -= group->share;
    }
    qsort(rests, out->n_groups, sizeof *rests, compare_rests);
    for (int64_t i = 0; i < left; i++)
        out->groups[rests[i].group].share++;
    free(rests);
    return STOIC_OK;
}

stoic_status stoic_plan_make(const stoic_model *model, const stoic_plan_options *options,
                             stoic_plan *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    memset(out, 0, sizeof *out);
    TRY(check_options(options, err));
    out->z = isnan(options->z) ? stoic_normal_z(1 - options->confidence) : options->z;
    TRY(count(model, options, out, err));
    out->samples = stoic_sample_size(out->population, options->margin, out->z, options->p);
    for (size_t i = 0; i < out->n_groups; i++)
        out->groups[i].samples =
            stoic_sample_size(out->groups[i].population, options->margin, out->z, options->p);
    TRY(share_out(out, err));
done:
    if (status != STOIC_OK)
        stoic_plan_deinit(out);
    return status;
}

void stoic_plan_deinit(stoic_plan *plan) {
    free(plan->groups);
    memset(plan, 0, sizeof *plan);
}
