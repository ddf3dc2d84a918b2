/*
 * Algorithm 1 of FORTUNE, as it converges: the listing moves the width by half of what is left
 * above it in either direction and never settles. Here it is a binary search for the narrowest
 * width that passes, over widths of which a wider one is assumed to do no worse.
 */
#include "stoic/explore.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "study/explore_parts.h"
#include "study/family.h"

static const char example[] = "affine:{M},code=msb3";

stoic_explore_options stoic_explore_options_default(void) {
    return (stoic_explore_options){.narrowest = STOIC_NARROWEST,
                                   .widest = STOIC_WIDEST,
                                   .trials = 20,
                                   .min_accuracy = NAN,
                                   .max_drop = NAN,
                                   .lifetime_flips = STOIC_LIFETIME_FLIPS,
                                   .confidence = 0.95};
}

const char *stoic_explore_kind_name(stoic_explore_kind kind) {
    static const char *const names[] = {"baseline", "candidate", "unprotected", "mixed"};
    return names[kind];
}

/* ---- options ---- */

static stoic_status check_share(const char *name, double value, stoic_error *err) {
    if (isnan(value) || (value >= 0.0 && value <= 1.0))
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "expected a fraction from 0 to 1, found %g",
                      value);
}

static stoic_status check_family(const stoic_explore_options *options, stoic_error *err) {
    const int low = options->narrowest, high = options->widest;
    if (low < STOIC_NARROWEST || high > STOIC_WIDEST || low > high)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--width",
                          "expected widths from %d to %d, found %d-%d", STOIC_NARROWEST,
                          STOIC_WIDEST, low, high);
    if (!options->store)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--store", "expected a spec such as %s",
                          example);
    if (low < high && !stoic_family_varies(options->store))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--store",
                          "expected {M} where the width goes, as in %s, found '%s'", example,
                          options->store);
    return STOIC_OK;
}

static int compare_rates(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static stoic_status take_rates(stoic_explorer *explorer, stoic_error *err) {
    const size_t n = explorer->options->n_bers;
    if (n < 1 || n > STOIC_EXPLORE_BERS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--ber",
                          "expected 1 to %d bit error rates, found %zu", STOIC_EXPLORE_BERS, n);
    memcpy(explorer->bers, explorer->options->bers, n * sizeof *explorer->bers);
    for (size_t i = 0; i < n; i++) {
        if (!(explorer->bers[i] > 0.0 && explorer->bers[i] < 1.0))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "--ber",
                              "expected rates between 0 and 1, found %g", explorer->bers[i]);
    }
    qsort(explorer->bers, n, sizeof *explorer->bers, compare_rates);
    for (size_t i = 1; i < n; i++) {
        if (explorer->bers[i] == explorer->bers[i - 1])
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "--ber", "%g is listed twice",
                              explorer->bers[i]);
    }
    return STOIC_OK;
}

static stoic_status check_limits(const stoic_explore_options *options, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(check_share("--min-accuracy", options->min_accuracy, err));
    TRY(check_share("--max-drop", options->max_drop, err));
    if (!options->all && (isnan(options->min_accuracy) || isnan(options->max_drop)))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "a search needs --min-accuracy and --max-drop; --all does without");
done:
    return status;
}

static stoic_status check_options(stoic_explorer *explorer, stoic_error *err) {
    const stoic_explore_options *options = explorer->options;
    stoic_status status = STOIC_OK;
    TRY(check_family(options, err));
    TRY(take_rates(explorer, err));
    if (options->trials < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--trials", "expected 1 or more, found %lld",
                          (long long)options->trials);
    if (!(options->lifetime_flips > 0.0 && isfinite(options->lifetime_flips)))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--lifetime-flips",
                          "expected a number above 0, found %g", options->lifetime_flips);
done:
    return status;
}

/* A spec that only the last width would refuse is refused before hours of work. */
static stoic_status check_stores(const stoic_explorer *explorer, stoic_error *err) {
    const stoic_explore_options *options = explorer->options;
    stoic_status status = STOIC_OK;
    for (int i = 0; i < 4 && status == STOIC_OK; i++) {
        stoic_store *store = NULL;
        char *spec = NULL;
        status = stoic_family_spec(options->store, i / 2 ? options->widest : options->narrowest,
                                   i % 2, &spec, err);
        if (status == STOIC_OK)
            status = stoic_store_create(explorer->model, spec, &store, err);
        if (status != STOIC_OK && spec && err && !*err->place)
            snprintf(err->place, sizeof err->place, "%s", spec);
        stoic_store_free(store);
        free(spec);
    }
    return status;
}

/* ---- the parts of an exploration ---- */

static stoic_status measure_family(stoic_explorer *explorer, int width, stoic_explore_kind kind,
                                   int *at, stoic_error *err) {
    char *spec = NULL;
    stoic_status status = stoic_family_spec(explorer->options->store, width,
                                            kind != STOIC_EXPLORE_CANDIDATE, &spec, err);
    if (status == STOIC_OK)
        status = stoic_explorer_measure(explorer, spec, kind, width, at, err);
    free(spec);
    return status;
}

static stoic_status add_baseline(stoic_explorer *explorer, stoic_error *err) {
    int at;
    stoic_status status =
        stoic_family_varies(explorer->options->store)
            ? measure_family(explorer, STOIC_WIDEST, STOIC_EXPLORE_BASELINE, &at, err)
            : stoic_explorer_measure(explorer, "affine:8", STOIC_EXPLORE_BASELINE, STOIC_WIDEST,
                                     &at, err);
    return status == STOIC_OK ? stoic_explorer_inject(explorer, at, err) : status;
}

static stoic_status add_probe(stoic_explorer *explorer, int width, const stoic_explore_probe **out,
                              stoic_error *err) {
    const stoic_explore_options *options = explorer->options;
    const stoic_interval unknown = {NAN, NAN, NAN};
    stoic_explore_probe *probe = &explorer->out->probes[explorer->out->n_probes];
    stoic_status status = STOIC_OK;
    *probe = (stoic_explore_probe){.width = width, .drop = unknown};
    TRY(measure_family(explorer, width, STOIC_EXPLORE_CANDIDATE, &probe->store, err));
    double accuracy = explorer->out->stores[probe->store].accuracy;
    probe->accurate = isnan(options->min_accuracy) || accuracy > options->min_accuracy;
    if (probe->accurate || options->all) {
        TRY(stoic_explorer_inject(explorer, probe->store, err));
        probe->drop = stoic_explorer_worst(explorer, probe->store)->drop;
    }
    probe->reliable = isnan(options->max_drop) ? !isnan(probe->drop.value)
                                               : probe->drop.value < options->max_drop;
    explorer->out->n_probes++;
    *out = probe;
done:
    return status;
}

static bool passed(const stoic_explore_probe *probe) {
    return probe->accurate && probe->reliable;
}

static stoic_status search(stoic_explorer *explorer, stoic_error *err) {
    const stoic_explore_probe *probe = NULL;
    int low = explorer->options->narrowest, high = explorer->options->widest;
    stoic_status status = STOIC_OK;
    while (low < high) {
        int middle = (low + high) / 2;
        TRY(add_probe(explorer, middle, &probe, err));
        if (passed(probe))
            high = middle;
        else
            low = middle + 1;
    }
    if (high == explorer->options->widest) /* not tried yet: middle stays below */
        TRY(add_probe(explorer, high, &probe, err));
done:
    return status;
}

static stoic_status try_all(stoic_explorer *explorer, stoic_error *err) {
    const stoic_explore_probe *probe = NULL;
    stoic_status status = STOIC_OK;
    for (int w = explorer->options->widest; w >= explorer->options->narrowest; w--)
        TRY(add_probe(explorer, w, &probe, err));
done:
    return status;
}

/* The narrowest that passed; with all widths tried and no limit there is nothing to choose. */
static void choose(stoic_explorer *explorer) {
    stoic_exploration *out = explorer->out;
    if (isnan(explorer->options->min_accuracy) && isnan(explorer->options->max_drop))
        return;
    for (int i = 0; i < out->n_probes; i++) {
        const stoic_explore_probe *probe = &out->probes[i];
        if (passed(probe) && (!out->chosen || probe->width < out->chosen))
            out->chosen = probe->width;
    }
    for (int i = 0; i < out->n_probes && out->chosen; i++) {
        const stoic_explore_probe *probe = &out->probes[i];
        if (!passed(probe) && probe->width > out->chosen && probe->width > out->wider_failed)
            out->wider_failed = probe->width;
    }
}

static stoic_status add_rival(stoic_explorer *explorer, int width, stoic_error *err) {
    int at;
    stoic_status status = measure_family(explorer, width, STOIC_EXPLORE_UNPROTECTED, &at, err);
    return status == STOIC_OK ? stoic_explorer_inject(explorer, at, err) : status;
}

/* Without a code: the same width, and the width that takes the same memory. */
static stoic_status add_rivals(stoic_explorer *explorer, const stoic_explore_probe *probe,
                               stoic_error *err) {
    const stoic_explore_store *store = &explorer->out->stores[probe->store];
    int64_t each = store->weights > 0 ? store->bits / store->weights : 0;
    bool same_memory = stoic_family_varies(explorer->options->store) && each > probe->width &&
                       each <= STOIC_WIDEST && each * store->weights == store->bits;
    stoic_status status = STOIC_OK;
    if (isnan(probe->drop.value))
        return STOIC_OK;
    TRY(add_rival(explorer, probe->width, err));
    if (same_memory)
        status = add_rival(explorer, (int)each, err);
done:
    return status;
}

/* ---- the order in which a reader wants them ---- */

static int compare_stores(const stoic_explore_store *x, const stoic_explore_store *y) {
    if (x->kind != y->kind)
        return (int)x->kind - (int)y->kind;
    if (x->kind == STOIC_EXPLORE_MIXED)
        return (x->bits < y->bits) - (x->bits > y->bits);
    return y->width - x->width;
}

static int by_store(const void *a, const void *b) {
    const stoic_explore_row *x = a, *y = b;
    if (x->store != y->store)
        return x->store - y->store;
    return (x->ber > y->ber) - (x->ber < y->ber);
}

void stoic_exploration_sort(stoic_exploration *out) {
    int rank[STOIC_EXPLORE_STORES] = {0};
    stoic_explore_store sorted[STOIC_EXPLORE_STORES];
    for (int i = 0; i < out->n_stores; i++) {
        for (int j = 0; j < out->n_stores; j++)
            rank[i] += compare_stores(&out->stores[j], &out->stores[i]) < 0;
        sorted[rank[i]] = out->stores[i];
    }
    memcpy(out->stores, sorted, (size_t)out->n_stores * sizeof *sorted);
    for (int i = 0; i < out->n_rows; i++)
        out->rows[i].store = rank[out->rows[i].store];
    for (int i = 0; i < out->n_probes; i++)
        out->probes[i].store = rank[out->probes[i].store];
    if (out->n_rows)
        qsort(out->rows, (size_t)out->n_rows, sizeof *out->rows, by_store);
}

/* ---- all of it ---- */

static stoic_status make_room(stoic_explorer *explorer, stoic_error *err) {
    stoic_exploration *out = calloc(1, sizeof *out);
    explorer->out = out;
    if (out) {
        out->stores = calloc(STOIC_EXPLORE_STORES, sizeof *out->stores);
        out->rows = calloc(STOIC_EXPLORE_STORES * explorer->options->n_bers, sizeof *out->rows);
        out->probes = calloc(STOIC_EXPLORE_WIDTHS, sizeof *out->probes);
        out->images = stoic_dataset_count(explorer->data);
        out->lifetime_flips = explorer->options->lifetime_flips;
    }
    if (!out || !out->stores || !out->rows || !out->probes)
        return stoic_fail_memory(err, "an exploration", sizeof *out);
    return STOIC_OK;
}

stoic_status stoic_explorer_check(stoic_explorer *explorer, stoic_error *err) {
    stoic_status status = check_options(explorer, err);
    return status == STOIC_OK ? check_stores(explorer, err) : status;
}

stoic_status stoic_explorer_open(stoic_explorer *explorer, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(make_room(explorer, err));
    TRY(stoic_work_folder_open(explorer->options->keep, &explorer->folder, err));
    TRY(add_baseline(explorer, err));
done:
    return status;
}

void stoic_explorer_close(stoic_explorer *explorer) {
    stoic_work_folder_close(&explorer->folder);
    stoic_exploration_free(explorer->out);
}

stoic_status stoic_explore(const stoic_model *model, const stoic_dataset *data,
                           const stoic_explore_options *options, stoic_exploration **out,
                           stoic_error *err) {
    stoic_explorer explorer = {.model = model, .data = data, .options = options};
    stoic_status status = STOIC_OK;
    *out = NULL;
    TRY(check_limits(options, err));
    TRY(stoic_explorer_check(&explorer, err));
    TRY(stoic_explorer_open(&explorer, err));
    TRY(options->all ? try_all(&explorer, err) : search(&explorer, err));
    choose(&explorer);
    for (int i = 0; i < explorer.out->n_probes; i++)
        TRY(add_rivals(&explorer, &explorer.out->probes[i], err));
    stoic_exploration_sort(explorer.out);
    *out = explorer.out;
    explorer.out = NULL;
done:
    stoic_explorer_close(&explorer);
    return status;
}

void stoic_exploration_free(stoic_exploration *exploration) {
    if (!exploration)
        return;
    for (int i = 0; exploration->stores && i < exploration->n_stores; i++)
        stoic_explore_store_deinit(&exploration->stores[i]);
    free(exploration->stores);
    free(exploration->rows);
    free(exploration->probes);
    free(exploration);
}
