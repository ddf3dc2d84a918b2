#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/text.h"
#include "stats/median.h"
#include "stoic/session.h"
#include "store/layout.h"
#include "study/explore_parts.h"
#include "study/timing.h"

enum { EVALUATIONS = 3, MAX_EVALUATIONS = 25 };
static const double enough_seconds = 1.0; /* of evaluations, for their median to be steady */

static stoic_status check_cancel(const stoic_explorer *explorer, stoic_error *err) {
    const volatile int *cancel = explorer->options->cancel;
    return stoic_stop_asked(cancel) ? stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped")
                                    : STOIC_OK;
}

static void tell_measuring(const stoic_explorer *explorer, const stoic_store *store) {
    const stoic_explore_options *options = explorer->options;
    stoic_explore_progress progress = {explorer->campaigns + 1, stoic_store_text(store), NAN, NULL};
    if (options->progress)
        options->progress(options->user, &progress);
}

static stoic_status evaluate(const stoic_explorer *explorer, const stoic_store *store,
                             stoic_explore_store *out, stoic_error *err) {
    stoic_program_options compile = stoic_program_options_default();
    stoic_model *golden = NULL;
    stoic_program *program = NULL;
    stoic_status status = STOIC_OK;
    double seconds[MAX_EVALUATIONS], spent = 0.0;
    size_t n = 0;
    /* weights that are only read otherwise leave the graph as the baseline has it: timing it again
     * would add noise alone */
    const bool timed = explorer->out->n_stores == 0 || !stoic_store_divides(store);
    TRY(stoic_store_golden(store, &golden, err));
    TRY(stoic_program_compile(golden, &compile, &program, err));
    const bool long_enough = isnan(out->image_seconds); /* otherwise `time` is the runtime's */
    while (n < (timed ? EVALUATIONS : 1) ||
           (timed && long_enough && n < MAX_EVALUATIONS && spent < enough_seconds)) {
        stoic_evaluation once;
        TRY(check_cancel(explorer, err));
        TRY(stoic_evaluate(program, explorer->data, explorer->options->threads, NULL, &once, err));
        out->accuracy = once.accuracy;
        seconds[n++] = once.seconds;
        spent += once.seconds;
    }
    out->evaluate_seconds =
        timed ? stoic_median(seconds, n) : explorer->out->stores[0].evaluate_seconds;
done:
    stoic_program_free(program);
    stoic_model_free(golden);
    return status;
}

/* The runtime's time where it runs the store, beside the baseline, which is the first. */
static stoic_status take_time(const stoic_explorer *explorer, const stoic_store *store,
                              stoic_explore_store *out, stoic_error *err) {
    stoic_store *baseline = NULL;
    stoic_store_time taken;
    stoic_status status = STOIC_OK;
    if (explorer->out->n_stores > 0)
        TRY(stoic_store_create(explorer->model, explorer->out->stores[0].text, &baseline, err));
    TRY(stoic_store_time_measure(store, baseline, explorer->data, &taken, err));
    out->decode_seconds = taken.decode_seconds;
    out->image_seconds = taken.image_seconds;
    out->time = taken.ratio;
    out->time_source = *taken.why ? stoic_time_decode_float : stoic_time_runtime;
    out->time_note = *taken.why ? strdup(taken.why) : NULL;
    if (*taken.why && !out->time_note)
        status = stoic_fail_memory(err, "a note", sizeof taken.why);
done:
    stoic_store_free(baseline);
    return status;
}

static double seconds_of(const stoic_explore_store *store) {
    return store->decode_seconds + store->evaluate_seconds;
}

static int find_store(const stoic_exploration *out, const char *text) {
    for (int i = 0; i < out->n_stores; i++) {
        if (!strcmp(out->stores[i].text, text))
            return i;
    }
    return -1;
}

void stoic_explore_store_deinit(stoic_explore_store *store) {
    free(store->text);
    free(store->time_note);
    store->text = store->time_note = NULL;
}

stoic_status stoic_explorer_measure(stoic_explorer *explorer, const char *spec,
                                    stoic_explore_kind kind, int width, int *at, stoic_error *err) {
    stoic_exploration *out = explorer->out;
    stoic_store *store = NULL;
    stoic_store_facts facts;
    stoic_status status = STOIC_OK;
    TRY(check_cancel(explorer, err));
    TRY(stoic_store_create(explorer->model, spec, &store, err));
    *at = find_store(out, stoic_store_text(store));
    if (*at >= 0)
        goto done;
    tell_measuring(explorer, store);
    stoic_store_describe(store, &facts);
    stoic_explore_store *added = &out->stores[out->n_stores];
    *added = (stoic_explore_store){.kind = kind,
                                   .width = width,
                                   .weights = facts.weights,
                                   .bits = facts.total_bits + stoic_store_aside_bits(store)};
    TRY(take_time(explorer, store, added, err));
    TRY(evaluate(explorer, store, added, err));
    added->text = strdup(stoic_store_text(store));
    if (!added->text) {
        status = stoic_fail_memory(err, "a spec", 1);
        goto done;
    }
    *at = out->n_stores++;
    added->memory = (double)added->bits / (double)out->stores[0].bits;
    if (isnan(added->image_seconds))
        added->time = seconds_of(added) / seconds_of(&out->stores[0]);
done:
    if (status != STOIC_OK && out->n_stores < STOIC_EXPLORE_STORES)
        stoic_explore_store_deinit(&out->stores[out->n_stores]);
    stoic_store_free(store);
    return status;
}

const stoic_explore_row *stoic_explorer_worst(const stoic_explorer *explorer, int store) {
    const stoic_exploration *out = explorer->out;
    const stoic_explore_row *worst = NULL;
    for (int i = 0; i < out->n_rows; i++) {
        if (out->rows[i].store == store)
            worst = &out->rows[i]; /* rates rise */
    }
    return worst;
}

typedef struct watch {
    stoic_explorer *explorer;
    const char *store;
    double ber;
} watch;

static void on_progress(void *user, const stoic_campaign_progress *trials) {
    const watch *at = user;
    stoic_explore_progress progress = {at->explorer->campaigns, at->store, at->ber, trials};
    at->explorer->options->progress(at->explorer->options->user, &progress);
}

stoic_status stoic_explorer_campaign(stoic_explorer *explorer, const char *store, const char *fault,
                                     double ber, stoic_summary *summary, stoic_error *err) {
    const stoic_explore_options *options = explorer->options;
    stoic_campaign_options campaign = stoic_campaign_options_default();
    watch at = {explorer, store, ber};
    char rate[32];
    snprintf(rate, sizeof rate, "ber-%.9g", ber);
    char *path = stoic_work_folder_file(&explorer->folder, store, rate);
    if (!path)
        return stoic_fail_memory(err, "a path", 1);
    campaign.model_path = options->model_path;
    campaign.data_spec = options->data_spec;
    campaign.store = store;
    campaign.faults = &fault;
    campaign.n_faults = 1;
    campaign.trials = options->trials;
    campaign.confidence = options->confidence;
    campaign.seed = options->seed;
    campaign.threads = options->threads;
    campaign.memory = options->memory;
    campaign.cancel = options->cancel;
    if (options->progress) {
        campaign.progress = on_progress;
        campaign.user = &at;
    }
    explorer->campaigns++;
    stoic_status status =
        stoic_campaign_run(explorer->model, explorer->data, &campaign, path, summary, err);
    free(path);
    return status;
}

static stoic_status inject_rate(stoic_explorer *explorer, int store, double ber, stoic_error *err) {
    const stoic_explore_store *in = &explorer->out->stores[store];
    stoic_text fault = {0};
    stoic_summary summary;
    stoic_status status = STOIC_OK;
    stoic_text_puts(&fault, "ber:");
    stoic_text_number(&fault, ber, false);
    TRY(stoic_text_finish(&fault, err));
    TRY(stoic_explorer_campaign(explorer, in->text, fault.data, ber, &summary, err));
    stoic_explore_row *row = &explorer->out->rows[explorer->out->n_rows++];
    *row = (stoic_explore_row){
        store,
        ber,
        summary.trials,
        summary.drop,
        stoic_p_drop((double)in->bits, explorer->options->lifetime_flips, ber, summary.drop.value),
        stoic_rap(summary.drop.value, in->memory, in->time)};
done:
    stoic_text_deinit(&fault);
    return status;
}

stoic_status stoic_explorer_inject(stoic_explorer *explorer, int store, stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (stoic_explorer_worst(explorer, store))
        return STOIC_OK;
    for (size_t i = 0; i < explorer->options->n_bers && status == STOIC_OK; i++)
        status = inject_rate(explorer, store, explorer->bers[i], err);
    return status;
}
