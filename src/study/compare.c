#include "stoic/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/spec.h"
#include "campaign/transient.h"
#include "stoic/fault.h"
#include "stoic/records.h"
#include "stoic/session.h"
#include "stoic/stats.h"
#include "study/protections.h"
#include "study/timing.h"
#include "study/work_folder.h"

static const double same_time = 1.1; /* ratios that differ by less are noise */
static const double enough = 0.9;    /* coverage worth recommending */

stoic_compare_options stoic_compare_options_default(void) {
    return (stoic_compare_options){.trials = 100, .confidence = 0.95};
}

typedef struct comparing {
    const stoic_model *model;
    const stoic_dataset *data;
    const stoic_compare_options *options;
    stoic_variants variants;
    stoic_work_folder folder;
    stoic_comparison *out;
    int campaign, campaigns;
    int64_t *critical; /* of the baseline's trials, fault after fault */
} comparing;

static void tell(const comparing *c, const char *name, const char *fault,
                 const stoic_campaign_progress *trials) {
    stoic_compare_progress progress = {c->campaign, c->campaigns, name, fault, trials};
    if (c->options->progress)
        c->options->progress(c->options->user, &progress);
}

static stoic_status check_cancel(const comparing *c, stoic_error *err) {
    const volatile int *cancel = c->options->cancel;
    return stoic_stop_asked(cancel) ? stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped")
                                    : STOIC_OK;
}

/* ---- before the first campaign ---- */

static bool is_exhaustive(const char *spec) {
    const size_t head = strcspn(spec, ",");
    return head == strlen("exhaustive") && strncmp(spec, "exhaustive", head) == 0;
}

static stoic_status check_options(const comparing *c, stoic_error *err) {
    if (c->options->n_faults < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault", "a comparison needs a fault model");
    if (c->options->n_with < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--with",
                          "expected what to compare: store:SPEC, pass:P+P, model:FILE or all");
    for (size_t i = 0; i < c->options->n_with; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!strcmp(c->options->with[i], c->options->with[k]))
                return stoic_fail(err, STOIC_ERR_ARGUMENT, "--with", "%s is given twice",
                                  c->options->with[i]);
        }
    }
    if (c->options->trials < 2)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--trials", "expected 2 or more, found %lld",
                          (long long)c->options->trials);
    return STOIC_OK;
}

/* Numbers of layers mean the layers of the model that was given. A network whose layers are
 * numbered otherwise would be hit somewhere else, and look protected. */
static stoic_status check_numbers(const comparing *c, const stoic_variant *variant,
                                  const char *text, stoic_error *err) {
    stoic_spec spec;
    stoic_status status = stoic_spec_parse(text, &spec, err);
    if (status != STOIC_OK)
        return status;
    const char *layers = stoic_spec_get(&spec, "layer");
    const bool numbers = layers && strcspn(layers, "0123456789") < strlen(layers) &&
                         strspn(layers, "0123456789+-") == strlen(layers);
    const int n = stoic_model_layer_count(c->model), m = stoic_model_layer_count(variant->model);
    for (int i = 0; numbers && status == STOIC_OK && i < n && i < m; i++) {
        const char *ours = stoic_model_layer(c->model, i).name;
        const char *theirs = stoic_model_layer(variant->model, i).name;
        if (strcmp(ours, theirs) != 0)
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                                "%s: layer %d is '%s' here, and '%s' in the given network: name "
                                "the layers instead of counting them",
                                text, i, theirs, ours);
    }
    stoic_spec_deinit(&spec);
    return status;
}

/* The first faults of many stand for nothing. */
static stoic_status check_all_run(const comparing *c, const char *spec, const stoic_fault *fault,
                                  stoic_error *err) {
    const int64_t faults = fault && is_exhaustive(spec) ? stoic_fault_population(fault) : 0;
    if (faults > c->options->trials)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%s has %lld faults, of which %lld trials are but the first: give "
                          "--trials %lld",
                          spec, (long long)faults, (long long)c->options->trials,
                          (long long)faults);
    return STOIC_OK;
}

/* Can every fault hit a variant? `store` is its own. */
static stoic_status try_faults(const comparing *c, const stoic_variant *variant,
                               const stoic_store *store, stoic_error *err) {
    for (size_t i = 0; i < c->options->n_faults; i++) {
        const char *spec = c->options->faults[i];
        stoic_fault *fault = NULL;
        stoic_transient *transient = NULL;
        stoic_status status =
            stoic_transient_is_spec(spec)
                ? stoic_transient_create(variant->model, spec, c->options->seed, &transient, err)
                : stoic_fault_create(store, spec, c->options->seed, &fault, err);
        if (status == STOIC_OK)
            status = check_all_run(c, spec, fault, err);
        if (status == STOIC_OK)
            status = check_numbers(c, variant, spec, err);
        stoic_transient_free(transient);
        stoic_fault_free(fault);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* `pass`: seconds of a pass over the images in floating point. */
static stoic_status time_store(const comparing *c, const stoic_store *store, double pass,
                               stoic_protection *protection, stoic_error *err) {
    stoic_store *baseline = NULL;
    stoic_store_time taken;
    stoic_status status = STOIC_OK;
    TRY(stoic_store_create(c->model, c->variants.items[0].store, &baseline, err));
    TRY(stoic_store_time_measure(store, baseline, c->data, &taken, err));
    protection->time_ratio = taken.ratio;
    protection->time_source = stoic_time_runtime;
    if (*taken.why) {
        protection->time_ratio = 1.0 + taken.decode_seconds / (pass > 0 ? pass : 1e-9);
        protection->time_source = stoic_time_decode_float;
        protection->time_note = strdup(taken.why);
        if (!protection->time_note)
            status = stoic_fail_memory(err, "a note", sizeof taken.why);
    }
done:
    stoic_store_free(baseline);
    return status;
}

/* Sizes and time of a variant. */
static stoic_status look_at(comparing *c, int i, stoic_error *err) {
    const stoic_variant *variant = &c->variants.items[i];
    stoic_protection *protection = &c->variants.protections[i];
    stoic_store *store = NULL;
    stoic_model *golden = NULL;
    stoic_store_facts facts;
    stoic_status status = STOIC_OK;
    stoic_evaluation clean;
    TRY(check_cancel(c, err));
    TRY(stoic_store_create(variant->model, variant->store, &store, err));
    TRY(try_faults(c, variant, store, err));
    TRY(stoic_store_golden(store, &golden, err));
    stoic_store_describe(store, &facts);
    protection->weights = facts.weights;
    protection->bits = facts.total_bits + stoic_store_aside_bits(store);
    TRY(stoic_evaluate_model(golden, c->data, c->options->threads, &clean, err));
    protection->clean_accuracy = clean.accuracy;
    protection->time_ratio = 1.0;
    if (protection->kind == STOIC_PROTECT_PASS || protection->kind == STOIC_PROTECT_MODEL) {
        protection->time_source = stoic_time_float;
        TRY(stoic_model_time_ratio(c->model, golden, c->data, &protection->time_ratio, err));
    }
    if (protection->kind == STOIC_PROTECT_STORE)
        TRY(time_store(c, store, clean.seconds, protection, err));
done:
    stoic_model_free(golden);
    stoic_store_free(store);
    return status;
}

static stoic_status look_at_all(comparing *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int i = 0; i < c->variants.n; i++) {
        stoic_error why = {0};
        if (!c->variants.items[i].model)
            continue;
        tell(c, c->variants.protections[i].name, "", NULL);
        if (look_at(c, i, &why) != STOIC_OK)
            TRY(stoic_variants_skip(&c->variants, i, &why, err));
    }
    for (int i = 0; i < c->variants.n; i++)
        c->campaigns += c->variants.items[i].model ? (int)c->options->n_faults : 0;
done:
    return status;
}

/* ---- campaigns ---- */

typedef struct watch {
    const comparing *c;
    const char *name, *fault;
} watch;

static void on_progress(void *user, const stoic_campaign_progress *trials) {
    const watch *at = user;
    tell(at->c, at->name, at->fault, trials);
}

typedef struct gathered {
    int64_t *critical;
    int64_t n, room;
} gathered;

static bool gather(void *user, const stoic_record *record) {
    gathered *g = user;
    if (g->n < g->room)
        g->critical[g->n++] = record->counts.critical;
    return true;
}

/* Critical outcomes of each trial, and the fault as the file spells it. */
static stoic_status read_file(const char *path, gathered *g, char **fault, stoic_error *err) {
    stoic_records *records = NULL;
    stoic_status status = stoic_records_open(path, &records, err);
    if (status != STOIC_OK)
        return status;
    if (!*fault) {
        const char *text = stoic_records_info(records, "fault");
        *fault = strdup(text ? text : "");
        if (!*fault)
            status = stoic_fail_memory(err, "a fault model", 1);
    }
    if (status == STOIC_OK)
        status = stoic_records_each(records, gather, g, err);
    stoic_records_free(records);
    return status;
}

/* 1 - sum(ours) / sum(theirs) over paired trials, the interval by linearisation of the ratio; where
 * nothing was critical, by what the critical rate may be all the same. */
static stoic_interval coverage_of(const int64_t *ours, const int64_t *theirs, int64_t n,
                                  const stoic_interval *critical, int64_t images,
                                  double confidence) {
    double a = 0, b = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        a += (double)ours[i];
        b += (double)theirs[i];
    }
    if (!(b > 0) || n < 2)
        return (stoic_interval){NAN, NAN, NAN};
    const double ratio = a / b, mean = b / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double rest = (double)ours[i] - ratio * (double)theirs[i];
        squares += rest * rest;
    }
    if (a == 0)
        return (stoic_interval){1, fmax(1 - critical->high * (double)images / mean, 0), 1};
    double variance = squares / (double)(n - 1) / (mean * mean);
    stoic_interval r = stoic_mean_interval(ratio, variance, n, 1 - confidence);
    return (stoic_interval){1 - ratio, 1 - r.high, fmin(1 - r.low, 1.0)};
}

static stoic_campaign_options campaign_options(const comparing *c, const char *store,
                                               const char *const *fault, watch *at) {
    stoic_campaign_options campaign = stoic_campaign_options_default();
    campaign.model_path = c->options->model_path;
    campaign.data_spec = c->options->data_spec;
    campaign.store = store;
    campaign.faults = fault;
    campaign.n_faults = 1;
    campaign.trials = c->options->trials;
    campaign.images_per_trial = c->options->images_per_trial;
    campaign.confidence = c->options->confidence;
    campaign.seed = c->options->seed;
    campaign.threads = c->options->threads;
    campaign.memory = c->options->memory;
    campaign.cancel = c->options->cancel;
    campaign.progress = c->options->progress ? on_progress : NULL;
    campaign.user = at;
    return campaign;
}

/* Hardened networks beside the campaign files, so that they can be replayed; a temporary folder
 * needs none. */
static stoic_status keep_models(comparing *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int i = 0; i < c->variants.n && !c->folder.temporary; i++) {
        stoic_variant *variant = &c->variants.items[i];
        if (!variant->model || c->variants.protections[i].kind != STOIC_PROTECT_PASS)
            continue;
        variant->kept = stoic_work_folder_model(&c->folder, c->variants.protections[i].name);
        if (!variant->kept)
            return stoic_fail_memory(err, "a path", 1);
        TRY(stoic_model_write(variant->model, variant->kept, err));
    }
done:
    return status;
}

static stoic_status run_one(comparing *c, int protection, int fault, stoic_error *err) {
    const stoic_variant *variant = &c->variants.items[protection];
    const stoic_protection *p = &c->variants.protections[protection];
    const char *spec = c->options->faults[fault];
    watch at = {c, p->name, spec};
    stoic_campaign_options campaign = campaign_options(c, variant->store, &spec, &at);
    stoic_summary summary;
    gathered g = {.room = c->options->trials};
    int64_t *baseline = c->critical + fault * c->options->trials;
    stoic_status status = STOIC_OK;
    char *path = stoic_work_folder_file(&c->folder, p->name, spec);
    g.critical = calloc((size_t)g.room, sizeof *g.critical);
    if (!path || !g.critical) {
        status = stoic_fail_memory(err, "a campaign", (size_t)g.room * sizeof *g.critical);
        goto done;
    }
    if (p->kind == STOIC_PROTECT_MODEL) /* so that the files can be replayed */
        campaign.model_path = p->name + strlen("model:");
    if (p->kind == STOIC_PROTECT_PASS)
        campaign.model_path = variant->kept;
    c->campaign++;
    TRY(stoic_campaign_run(variant->model, c->data, &campaign, path, &summary, err));
    TRY(read_file(path, &g, &c->out->faults[fault], err));
    stoic_compare_row *row = &c->out->rows[c->out->n_rows++];
    *row = (stoic_compare_row){.protection = protection,
                               .fault = fault,
                               .trials = summary.trials,
                               .faulty_accuracy = summary.accuracy.value,
                               .drop = summary.drop,
                               .critical_rate = summary.critical_rate,
                               .due_rate = summary.totals.images ? (double)summary.totals.due /
                                                                       (double)summary.totals.images
                                                                 : 0,
                               .coverage = {NAN, NAN, NAN}};
    /* every fault there is: what a store protects is no trial of its own, and masked */
    const bool all = is_exhaustive(spec);
    if (p->kind == STOIC_PROTECT_NOTHING)
        memcpy(baseline, g.critical, (size_t)g.n * sizeof *baseline);
    else
        row->coverage = coverage_of(g.critical, baseline, all ? g.room : g.n, &row->critical_rate,
                                    summary.images, c->options->confidence);
    if (all)
        row->coverage.low = row->coverage.high = row->coverage.value;
done:
    free(g.critical);
    free(path);
    return status;
}

static stoic_status run_all(comparing *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int fault = 0; fault < (int)c->options->n_faults; fault++) {
        for (int i = 0; i < c->variants.n; i++) {
            if (c->variants.items[i].model)
                TRY(run_one(c, i, fault, err));
        }
    }
done:
    return status;
}

/* ---- the answer ---- */

/* Images that get a wrong answer or none. */
static double harm(const stoic_compare_row *row) {
    return row->critical_rate.value + row->due_rate;
}

/* Is y no worse than x in everything, and better in something, or the same and named earlier? */
static bool beats(const stoic_comparison *out, const stoic_compare_row *y,
                  const stoic_compare_row *x) {
    const stoic_protection *p = &out->protections[y->protection];
    const stoic_protection *q = &out->protections[x->protection];
    bool slower = p->time_ratio > q->time_ratio * same_time;
    bool faster = p->time_ratio * same_time < q->time_ratio;
    if (harm(y) > harm(x) || p->bits > q->bits || slower || p->clean_accuracy < q->clean_accuracy)
        return false;
    return harm(y) < harm(x) || p->bits < q->bits || faster ||
           p->clean_accuracy > q->clean_accuracy || y->protection < x->protection;
}

static void find_front(stoic_comparison *out) {
    for (int i = 0; i < out->n_rows; i++) {
        out->rows[i].pareto = true;
        for (int k = 0; k < out->n_rows; k++) {
            if (out->rows[k].fault == out->rows[i].fault &&
                beats(out, &out->rows[k], &out->rows[i]))
                out->rows[i].pareto = false;
        }
    }
}

stoic_recommendation stoic_comparison_recommend(const stoic_comparison *comparison, int fault,
                                                double loss) {
    stoic_recommendation best = {-1, -1};
    const stoic_protection *all = comparison->protections;
    const stoic_compare_row *rows = comparison->rows;
    double without = 0;
    for (int i = 0; i < comparison->n_rows; i++) {
        if (rows[i].fault == fault && rows[i].protection == 0)
            without = harm(&rows[i]);
    }
    for (int i = 0; i < comparison->n_rows; i++) {
        const stoic_protection *p = &all[rows[i].protection];
        if (rows[i].fault != fault || !(harm(&rows[i]) < without) ||
            p->clean_accuracy < all[0].clean_accuracy - loss)
            continue;
        const stoic_compare_row *safest = best.safest < 0 ? NULL : &rows[best.safest];
        if (!safest || harm(&rows[i]) < harm(safest) ||
            (harm(&rows[i]) == harm(safest) && p->bits < all[safest->protection].bits))
            best.safest = i;
        if (harm(&rows[i]) <= (1 - enough) * without &&
            (best.cheapest < 0 || p->bits < all[rows[best.cheapest].protection].bits))
            best.cheapest = i;
    }
    return best;
}

static stoic_status make_room(comparing *c, stoic_error *err) {
    size_t faults = c->options->n_faults, trials = (size_t)c->options->trials;
    c->out = calloc(1, sizeof *c->out);
    c->critical =
        trials < SIZE_MAX / 8 / faults ? calloc(faults * trials, sizeof *c->critical) : NULL;
    if (c->out) {
        c->out->faults = calloc(faults, sizeof *c->out->faults);
        c->out->rows = calloc(faults * (size_t)c->variants.n, sizeof *c->out->rows);
        c->out->n_faults = (int)faults;
        c->out->images = stoic_dataset_count(c->data);
    }
    return c->out && c->critical && c->out->faults && c->out->rows
               ? STOIC_OK
               : stoic_fail_memory(err, "a comparison", faults * trials * sizeof *c->critical);
}

stoic_status stoic_compare(const stoic_model *model, const stoic_dataset *data,
                           const stoic_compare_options *options, stoic_comparison **out,
                           stoic_error *err) {
    comparing c = {.model = model, .data = data, .options = options};
    stoic_status status = STOIC_OK;
    *out = NULL;
    TRY(check_options(&c, err));
    TRY(stoic_variants_make(model, options, &c.variants, err));
    TRY(look_at_all(&c, err));
    TRY(make_room(&c, err));
    TRY(stoic_work_folder_open(options->keep, &c.folder, err));
    TRY(keep_models(&c, err));
    TRY(run_all(&c, err));
    c.out->protections = c.variants.protections;
    c.out->n_protections = c.variants.n;
    c.variants.protections = NULL;
    find_front(c.out);
    *out = c.out;
    c.out = NULL;
done:
    stoic_work_folder_close(&c.folder);
    stoic_variants_deinit(&c.variants);
    free(c.critical);
    stoic_comparison_free(c.out);
    return status;
}

void stoic_comparison_free(stoic_comparison *comparison) {
    if (!comparison)
        return;
    for (int i = 0; i < comparison->n_protections; i++)
        stoic_protection_deinit(&comparison->protections[i]);
    for (int i = 0; comparison->faults && i < comparison->n_faults; i++)
        free(comparison->faults[i]);
    free(comparison->protections);
    free(comparison->faults);
    free(comparison->rows);
    free(comparison);
}
