#include "campaign/images_auto.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "campaign/allocation.h"
#include "campaign/unit.h"

/* The pilot: so many images a trial, of the first so many; so many trials of each bit, and of all
 * together, at least. */
enum { PILOT_IMAGES = 8, PILOT_POOL = 256, TRIALS_A_BIT = 8, TRIALS = 64 };
/* What a trial costs besides its images, in multiply-adds: to draw, decode and record a fault. */
static const double trial_macs = 2e6;
/* Random numbers of the pilot are not those of the campaign. */
static const uint64_t pilot_seed = UINT64_C(0x517cc1b727220a95);
static const int64_t pilot_trial = (int64_t)1 << 40;

/* ---- the choice ---- */

stoic_spot stoic_spot_of(const stoic_tally *shares, int64_t images, double weight) {
    stoic_spot spot = {.weight = weight, .mean = stoic_tally_mean(shares, images)};
    double n = (double)shares->trials, m = (double)images;
    double squares = (double)shares->squares_low / (m * m); /* a pilot's counts are small */
    if (shares->trials < 2 || images < 2)
        return spot;
    spot.within = (n * spot.mean - squares) / n * m / (m - 1.0);
    double between = stoic_tally_variance(shares, images) - spot.within / m;
    spot.between = fmax(between, 0.0);
    return spot;
}

double stoic_images_price(const stoic_spot *spots, size_t n, bool strata, double macs,
                          int64_t images) {
    double sum = 0.0, mean = 0.0, m = (double)images;
    for (size_t i = 0; i < n; i++)
        mean += spots[i].weight * spots[i].mean;
    for (size_t i = 0; i < n; i++) {
        const stoic_spot *s = &spots[i];
        double own = s->between + s->within / m, off = s->mean - mean;
        sum += s->weight * (strata ? sqrt(own) : own + off * off);
    }
    return (strata ? sum * sum : sum) * (trial_macs + macs * m);
}

int64_t stoic_images_best(const stoic_spot *spots, size_t n, bool strata, double macs,
                          int64_t most) {
    int64_t best = 1;
    double least = stoic_images_price(spots, n, strata, macs, 1);
    for (int64_t m = 2; m < 2 * most; m *= 2) {
        int64_t images = m < most ? m : most;
        double price = stoic_images_price(spots, n, strata, macs, images);
        if (price < least) {
            least = price;
            best = images;
        }
    }
    return best;
}

bool stoic_images_can_choose(const stoic_parts *parts) {
    return parts->n_faults > 0 && !parts->transient && parts->fixed < 0;
}

/* Multiply-adds of an image from the layer of a random fault on. */
static double mean_macs(const stoic_parts *parts, const stoic_cells *cells) {
    int layers = stoic_model_layer_count(parts->model);
    double all = (double)stoic_model_macs(parts->model), sum = 0.0, faults = 0.0;
    if (!cells)
        return all;
    for (size_t c = 0; c < stoic_cells_count(cells); c++) {
        const stoic_cell *cell = stoic_cells_at(cells, c);
        double macs = cell->layer < 0 ? all : 0.0;
        for (int l = cell->layer; l >= 0 && l < layers; l++)
            macs += (double)stoic_model_layer(parts->model, l).macs;
        sum += (double)cell->faults * macs;
        faults += (double)cell->faults;
    }
    return sum / faults;
}

/* ---- the pilot ---- */

typedef struct pilot {
    const stoic_campaign_options *options;
    stoic_run_options run;
    stoic_allocation *allocation; /* NULL: one spot */
    int64_t trials;
    stoic_counts *counts; /* one a trial */
    atomic_llong next;    /* block */
    atomic_bool stop;
    atomic_int status;
    stoic_error error;
    pthread_mutex_t mutex;
} pilot;

static stoic_status run_blocks(pilot *p, stoic_unit *unit, stoic_unit_state *state,
                               stoic_error *err) {
    const stoic_design *design = &p->run.design;
    stoic_piece piece = {.lo = pilot_trial, .hi = pilot_trial + p->trials};
    stoic_status status = STOIC_OK;
    unit->piece = &piece;
    while (!atomic_load(&p->stop)) {
        unit->block = atomic_fetch_add(&p->next, 1);
        if (unit->block * design->block >= design->images)
            break;
        if (stoic_stop_asked(p->options->cancel))
            return stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped");
        TRY(stoic_unit_run(unit, state, &p->stop, err));
        pthread_mutex_lock(&p->mutex);
        for (int64_t t = 0; t < p->trials && !unit->dropped; t++)
            stoic_counts_add(&p->counts[t], &unit->counts[t]);
        pthread_mutex_unlock(&p->mutex);
    }
done:
    return status;
}

static void pilot_worker(int index, void *user) {
    pilot *p = user;
    stoic_error error = {0};
    stoic_unit *unit = NULL;
    stoic_unit_state state;
    stoic_status status = stoic_unit_create(&p->run, &unit, &error);
    bool open = false;
    if (status == STOIC_OK)
        status = stoic_unit_state_open(&state, &p->run, index, &error);
    open = status == STOIC_OK;
    if (open) {
        status = run_blocks(p, unit, &state, &error);
        if (status == STOIC_OK)
            status = stoic_unit_check(&state, &error);
        stoic_unit_state_close(&state);
    }
    stoic_unit_free_list(unit);
    int none = STOIC_OK;
    if (status != STOIC_OK && atomic_compare_exchange_strong(&p->status, &none, (int)status)) {
        p->error = error;
        atomic_store(&p->stop, true);
    }
}

/* Trials of the pilot take sites of its own. */
static int64_t pilot_site(const void *allocation, int64_t trial) {
    return stoic_allocation_site(allocation, trial - pilot_trial);
}

/* So many trials of each bit, no more than it has faults. */
static stoic_status lay_out(pilot *p, const stoic_cells *cells, stoic_error *err) {
    stoic_status status =
        stoic_allocation_over(cells, p->options->seed ^ pilot_seed, &p->allocation, err);
    stoic_allocation *a = p->allocation;
    if (status != STOIC_OK)
        return status;
    int64_t *trials = calloc(a->n_bits + 1, sizeof *trials);
    if (!trials)
        return stoic_fail_memory(err, "a pilot", a->n_bits * sizeof *trials);
    int64_t share = TRIALS / (int64_t)a->n_bits;
    int64_t each = share > TRIALS_A_BIT ? share : TRIALS_A_BIT;
    for (size_t g = 0; g < a->n_bits; g++)
        trials[g] = a->bits[g].faults < each ? a->bits[g].faults : each;
    status = stoic_allocation_add_stage(a, true, trials, err);
    p->trials = a->end;
    free(trials);
    return status;
}

/* Images of a trial that are what the margin acts on. */
static int64_t counted(const pilot *p, int64_t trial) {
    const stoic_counts *counts = &p->counts[trial];
    return p->options->margin_of == STOIC_MARGIN_CRITICAL ? counts->critical : counts->correct;
}

static stoic_status judge(const pilot *p, const stoic_parts *parts, stoic_images_choice *out,
                          stoic_error *err) {
    size_t n = p->allocation ? p->allocation->n_bits : 1;
    stoic_tally *tallies = calloc(n, sizeof *tallies);
    stoic_spot *spots = calloc(n, sizeof *spots);
    stoic_status status = STOIC_OK;
    double mean = 0.0, all = 0.0;
    if (!tallies || !spots) {
        status = stoic_fail_memory(err, "a pilot", n * sizeof *spots);
        goto done;
    }
    for (int64_t t = 0; t < p->trials; t++) {
        int bit = p->allocation ? stoic_allocation_group(p->allocation, t, NULL) : 0;
        stoic_tally_add(&tallies[bit], counted(p, t));
    }
    for (size_t i = 0; i < n; i++)
        all += p->allocation ? (double)p->allocation->bits[i].faults : 1.0;
    for (size_t i = 0; i < n; i++) {
        double faults = p->allocation ? (double)p->allocation->bits[i].faults : 1.0;
        spots[i] = stoic_spot_of(&tallies[i], p->run.design.images_per_trial, faults / all);
        mean += spots[i].weight * spots[i].mean;
    }
    for (size_t i = 0; i < n; i++) {
        double off = spots[i].mean - mean;
        out->between += spots[i].weight * (spots[i].between + off * off);
        out->within += spots[i].weight * spots[i].within;
    }
    out->images = stoic_images_best(spots, n, p->options->sampling == STOIC_SAMPLING_STRATIFIED,
                                    out->macs, stoic_dataset_count(parts->data));
done:
    free(tallies);
    free(spots);
    return status;
}

static stoic_status run_pilot(pilot *p, const stoic_parts *parts, stoic_error *err) {
    stoic_engine *engine = NULL;
    stoic_status status;
    TRY(stoic_engine_create(parts->golden, parts->data, parts->store, parts->faults,
                            parts->n_faults, NULL, p->options, &p->run.design, &engine, err));
    stoic_engine_worker_api(engine, &p->run.worker);
    int threads = p->options->threads > 0 ? p->options->threads : stoic_cpu_count();
    TRY(stoic_pool_run(threads, pilot_worker, p, err));
    status = (stoic_status)atomic_load(&p->status);
    if (status != STOIC_OK && err)
        *err = p->error;
    stoic_check_clock once = {0};
    if (status == STOIC_OK)
        status = stoic_unit_check_shared(&p->run, &once, threads, err);
done:
    stoic_engine_free(engine);
    return status;
}

stoic_status stoic_images_choose(const stoic_parts *parts, const stoic_campaign_options *options,
                                 stoic_images_choice *out, stoic_error *err) {
    int64_t images = stoic_dataset_count(parts->data);
    int64_t pool = images < PILOT_POOL ? images : PILOT_POOL;
    int64_t each = pool < PILOT_IMAGES ? pool : PILOT_IMAGES;
    pilot p = {.options = options, .trials = TRIALS, .mutex = PTHREAD_MUTEX_INITIALIZER};
    stoic_cells *cells = NULL;
    stoic_status status;
    p.run.design = stoic_engine_design(parts->golden, pool, each, true, false);
    p.run.design.images_per_trial = each;
    p.run.seed = options->seed ^ pilot_seed;
    if (parts->space >= 0) /* of other faults bits cannot be told apart: they stay one spot */
        status = stoic_cells_create(parts->faults[0], &cells, NULL);
    *out = (stoic_images_choice){.macs = mean_macs(parts, cells)};
    if (cells) {
        TRY(lay_out(&p, cells, err));
        stoic_fault_set_order(parts->faults[0], pilot_site, p.allocation);
    }
    p.run.design.chunk = p.trials; /* one unit a block */
    p.counts = calloc((size_t)p.trials, sizeof *p.counts);
    if (!p.counts) {
        status = stoic_fail_memory(err, "a pilot", (size_t)p.trials * sizeof *p.counts);
        goto done;
    }
    TRY(run_pilot(&p, parts, err));
    out->trials = p.trials;
    status = judge(&p, parts, out, err);
done:
    if (cells)
        stoic_fault_set_order(parts->faults[0], NULL, NULL);
    stoic_allocation_free(p.allocation);
    stoic_cells_free(cells);
    free(p.counts);
    return status;
}
