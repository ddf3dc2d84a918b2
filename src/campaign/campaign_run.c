#include "stoic/campaign.h"

#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "campaign/allocation.h"
#include "campaign/cluster_state.h"
#include "campaign/engine.h"
#include "campaign/estimate.h"
#include "campaign/follower.h"
#include "campaign/hit_sites.h"
#include "campaign/identity.h"
#include "campaign/images_auto.h"
#include "campaign/runner.h"

static const int64_t default_trials = 100, default_max_trials = 1000000;
static const int64_t max_kept_bytes = (int64_t)1 << 30; /* of per-image outcomes */

stoic_campaign_options stoic_campaign_options_default(void) {
    return (stoic_campaign_options){
        .confidence = 0.95, .outcomes = STOIC_OUTCOMES_AUTO, .images_per_trial = STOIC_IMAGES_OPEN};
}

/* What is open: by the fault models, and by what other ranks on this machine leave. */
static void settle(stoic_campaign_options *options) {
    stoic_options_settle(options);
    if (!options->cluster)
        return;
    const stoic_transport *t = &options->cluster->transport;
    if (options->threads <= 0) {
        int threads = (int)(stoic_cpu_count() * t->share + 0.001);
        options->threads = threads < 1 ? 1 : threads;
    }
    if (options->memory <= 0 && t->neighbours > 1)
        options->memory = stoic_memory_available() / 2 / t->neighbours;
}

static stoic_status check_numbers(const stoic_campaign_options *options, int64_t images,
                                  stoic_error *err) {
    if (options->trials < 0 || options->max_trials < 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--trials",
                          "expected a positive number of trials");
    if (!(options->margin >= 0.0 && options->margin < 1.0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--margin",
                          "expected a fraction between 0 and 1, found %g", options->margin);
    if (!(options->confidence > 0.0 && options->confidence < 1.0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--confidence",
                          "expected a fraction between 0 and 1, found %g", options->confidence);
    if (options->images_per_trial < -1 || options->images_per_trial > images)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--images-per-trial",
                          "expected 1 to %lld, found %lld", (long long)images,
                          (long long)options->images_per_trial);
    bool shard = options->shard != 0 || options->shards != 0;
    if (shard && (options->shard < 1 || options->shard > options->shards))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--shard",
                          "expected I/N with I from 1 to N, found %d/%d", options->shard,
                          options->shards);
    if (options->shards > 1 && options->margin > 0.0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--shard",
                          "stopping at a margin looks at all trials: it cannot go with --margin");
    if (options->shards > 1 && options->sampling == STOIC_SAMPLING_STRATIFIED)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--shard",
                          "strata are made from all trials: it cannot go with stratified sampling");
    return STOIC_OK;
}

/* `auto`: as the pilot has it; where there is none, a random image a random fault for a rate of the
 * network as a whole, and everything else is asked about all images. */
static int64_t images_per_trial(const stoic_campaign_options *options,
                                const stoic_images_choice *choice, int64_t images) {
    int64_t n = options->images_per_trial;
    if (n < 0 && choice->images > 0)
        n = choice->images;
    if (n < 0)
        n = options->margin > 0.0 && options->margin_of == STOIC_MARGIN_CRITICAL ? 1 : 0;
    return n == images ? 0 : n;
}

static int64_t asked_trials(const stoic_campaign_options *options, const stoic_parts *parts) {
    int64_t fixed = parts->fixed >= 0 ? parts->fixed : default_trials;
    int64_t trials = options->trials > 0 ? options->trials : fixed;
    if (options->margin > 0.0)
        trials = options->max_trials > 0 ? options->max_trials : default_max_trials;
    return parts->limit >= 0 && trials > parts->limit ? parts->limit : trials;
}

/* The pilot alone gives no estimate. */
static stoic_status check_strata(const stoic_campaign_options *options, const stoic_parts *parts,
                                 stoic_error *err) {
    if (!parts->cells)
        return STOIC_OK;
    int64_t pilot = stoic_allocation_pilot_most(parts->cells);
    int64_t least = pilot + stoic_look_trials(0);
    if (asked_trials(options, parts) < least && least < parts->limit)
        return stoic_fail(err, STOIC_ERR_ARGUMENT,
                          options->margin > 0.0 ? "--max-trials" : "--trials",
                          "stratified sampling needs at least %lld here: the pilot may take %lld",
                          (long long)least, (long long)pilot);
    return STOIC_OK;
}

static stoic_status check_continuation(const stoic_campaign_file *file,
                                       const stoic_campaign_options *options,
                                       const stoic_facts *facts, stoic_error *err) {
    const char *shard = stoic_facts_get(&file->facts, "shard");
    const char *wanted = stoic_facts_get(facts, "shard");
    if (shard && wanted && strcmp(shard, wanted) != 0)
        return stoic_fail(err, STOIC_ERR_MISMATCH, file->path,
                          "the file holds another part of the campaign: shard there is %s, here %s",
                          shard, wanted);
    bool strata = stoic_campaign_is_stratified(file);
    if (strata != (options->sampling == STOIC_SAMPLING_STRATIFIED))
        return stoic_fail(err, STOIC_ERR_MISMATCH, file->path,
                          "the file belongs to another campaign: sampling there is %s, here %s",
                          strata ? "stratified" : "simple", strata ? "simple" : "stratified");
    const char *margin = stoic_facts_get(&file->facts, "margin");
    if (margin && options->margin <= 0.0)
        return stoic_fail(err, STOIC_ERR_MISMATCH, file->path,
                          "the campaign stops at a margin (%s): continue it with --margin", margin);
    return stoic_facts_match(&file->facts, facts, false, file->path, err);
}

static stoic_status check_kept(const stoic_campaign_options *options, const stoic_design *design,
                               int64_t trials, stoic_error *err) {
    int64_t images = design->images_per_trial ? design->images_per_trial : design->images;
    if (options->keep_images && trials > max_kept_bytes / (3 * (images / 8 + 1)))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--keep",
                          "the outcome of %lld trials on %lld images would take more than 1 GiB",
                          (long long)trials, (long long)images);
    return STOIC_OK;
}

/* With so many ranks, rank 0 leaves its processors to handing out and committing. */
enum { RANKS_TO_ONLY_DISPATCH = 33 };

static void fill_run(stoic_run_options *run, const stoic_campaign_options *options,
                     const stoic_design *design, const stoic_parts *parts) {
    *run = (stoic_run_options){.design = *design,
                               .seed = options->seed,
                               .trials = asked_trials(options, parts),
                               .limit = parts->limit,
                               .margin = options->margin,
                               .margin_of = options->margin_of,
                               .confidence = options->confidence,
                               .shard = options->shard,
                               .shards = options->shards,
                               .threads = options->threads,
                               .keep_images = options->keep_images,
                               .progress = options->progress,
                               .user = options->user,
                               .cancel = options->cancel,
                               .cluster = options->cluster};
    if (run->cluster && run->cluster->transport.rank == 0 &&
        run->cluster->transport.ranks >= RANKS_TO_ONLY_DISPATCH)
        run->threads = -1;
}

/* The file is open and its design known: golden pass, comparison or creation, then the trials. */
static stoic_status run_in_file(stoic_campaign_file *file, const stoic_parts *parts,
                                const stoic_campaign_options *options, const stoic_design *design,
                                stoic_facts *facts, stoic_summary *summary, stoic_error *err) {
    stoic_engine *engine = NULL;
    stoic_site_drawer drawer;
    stoic_run_options run = {.allocation = NULL};
    stoic_status status;
    stoic_site_drawer_init(&drawer, parts->store, parts->faults, parts->n_faults);
    drawer.most = options->keep_sites ? 0 : STOIC_MOST_SITES;
    fill_run(&run, options, design, parts);
    TRY(check_kept(options, design, run.trials, err));
    if (options->cluster)
        TRY(stoic_cluster_start(options->cluster, facts, err));
    TRY(stoic_engine_create(parts->golden, parts->data, parts->store, parts->faults,
                            parts->n_faults, parts->transient, options, design, &engine, err));
    const stoic_golden *golden = stoic_engine_golden(engine);
    TRY(stoic_identity_golden(facts, golden, err));
    if (file->fresh)
        TRY(stoic_identity_create(file, parts, facts, golden, err));
    else
        TRY(stoic_facts_match(&file->facts, facts, true, file->path, err));
    char confidence[32];
    stoic_facts_number_text(options->confidence, confidence);
    TRY(stoic_campaign_file_set(file, "confidence", err, "%s", confidence));
    if (parts->cells) {
        TRY(stoic_allocation_create(file, parts->cells, err));
        TRY(stoic_allocation_read(file, parts->cells, &run.allocation, err));
        stoic_fault_set_order(parts->faults[0], stoic_allocation_site, run.allocation);
    }
    stoic_site_source source = stoic_site_drawer_source(&drawer);
    run.sites = parts->n_faults ? &source : NULL;
    run.transient = parts->transient != NULL;
    run.facts = facts;
    stoic_engine_worker_api(engine, &run.worker);
    status = stoic_campaign_execute(file, &run, summary, err);
done:
    stoic_site_drawer_deinit(&drawer);
    stoic_allocation_free(run.allocation);
    stoic_engine_free(engine);
    return status;
}

/* One weight's bits after the other, by the short cuts. */
static bool is_sweep(const stoic_parts *parts, const stoic_campaign_options *options) {
    return parts->n_faults == 1 && !parts->transient &&
           stoic_fault_kind_of(parts->faults[0]) == STOIC_FAULT_EXHAUSTIVE &&
           options->engine == STOIC_ENGINE_AUTO && options->outcomes == STOIC_OUTCOMES_CRITICAL &&
           !options->keep_images;
}

/* A trial with so many edits stays in a worker's session over all blocks: one trial a chunk. The
 * first trial stands for all, so that every continuation and shard finds the same. */
static stoic_status narrow_chunk(const stoic_parts *parts, stoic_design *design, stoic_error *err) {
    stoic_site_drawer drawer;
    stoic_status status = STOIC_OK;
    size_t n_edits = 0;
    if (parts->transient || design->images_per_trial > 0 || parts->cells)
        return STOIC_OK;
    stoic_site_drawer_init(&drawer, parts->store, parts->faults, parts->n_faults);
    TRY(stoic_site_drawer_hits(&drawer, 0, &n_edits, err));
    if (n_edits >= STOIC_MANY_EDITS)
        design->chunk = 1;
done:
    stoic_site_drawer_deinit(&drawer);
    return status;
}

/* Why a trial of --images-per-trial auto has so many images. */
static stoic_status tell_choice(const stoic_images_choice *choice, stoic_facts *facts,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (choice->images == 0)
        return STOIC_OK;
    TRY(stoic_facts_set(facts, false, "auto_trials", err, "%lld", (long long)choice->trials));
    TRY(stoic_facts_set_number(facts, "auto_between", choice->between, err));
    TRY(stoic_facts_set_number(facts, "auto_within", choice->within, err));
    TRY(stoic_facts_set_number(facts, "auto_macs", choice->macs, err));
    stoic_log(STOIC_LOG_INFO, "%lld images a trial: variance %.3g between faults, %.3g within",
              (long long)choice->images, choice->between, choice->within);
done:
    return status;
}

stoic_status stoic_campaign_run(const stoic_model *model, const stoic_dataset *data,
                                const stoic_campaign_options *given, const char *path,
                                stoic_summary *summary, stoic_error *err) {
    stoic_campaign_options settled = *given;
    const stoic_campaign_options *options = &settled;
    stoic_parts parts = {0};
    stoic_facts facts = {0};
    stoic_campaign_file *file = NULL;
    stoic_images_choice choice = {.images = 0};
    stoic_design design;
    stoic_status status;
    int64_t images = stoic_dataset_count(data);
    *summary = (stoic_summary){.stopped = "interrupted"};
    settle(&settled);
    TRY(check_numbers(options, images, err));
    TRY(stoic_parts_init(&parts, model, data, options, err));
    TRY(stoic_campaign_file_open(path, true, &file, err));
    TRY(check_strata(options, &parts, err));
    if (file->fresh && options->images_per_trial == -1 && stoic_images_can_choose(&parts))
        TRY(stoic_images_choose(&parts, options, &choice, err));
    if (file->fresh) {
        design =
            stoic_engine_design(parts.golden, images, images_per_trial(options, &choice, images),
                                parts.n_faults > 0, is_sweep(&parts, options));
        TRY(narrow_chunk(&parts, &design, err));
    } else {
        TRY(stoic_identity_design(&file->facts, file->path, &design, err));
    }
    TRY(stoic_identity_facts(&parts, options, &design, &facts, err));
    TRY(tell_choice(&choice, &facts, err));
    if (!file->fresh)
        TRY(check_continuation(file, options, &facts, err));
    status = run_in_file(file, &parts, options, &design, &facts, summary, err);
    if (status == STOIC_ERR_INTERRUPTED && !file->fresh && /* perhaps in the golden pass */
        stoic_estimate_summary(file, summary, NULL) != STOIC_OK)
        stoic_log(STOIC_LOG_WARNING, "%s: no summary could be read", path);
done:
    stoic_campaign_file_close(file);
    stoic_facts_deinit(&facts);
    stoic_parts_deinit(&parts);
    return status;
}

/* ---- the other ranks of a cluster ---- */

static stoic_status check_same(const stoic_facts *theirs, const stoic_facts *ours,
                               stoic_error *err) {
    stoic_difference at = {.key = "shard",
                           .there = stoic_facts_get(theirs, "shard"),
                           .here = stoic_facts_get(ours, "shard")};
    if (at.there && at.here && !strcmp(at.there, at.here) &&
        !stoic_facts_differ(theirs, ours, true, &at))
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_MISMATCH, "",
                      "the campaign differs from that of rank 0: %s there is %s, here %s", at.key,
                      at.there ? at.there : "nothing", at.here ? at.here : "nothing");
}

/* The campaign is known to be that of rank 0: golden pass, then what it hands out. */
static stoic_status help_with(const stoic_parts *parts, const stoic_campaign_options *options,
                              const stoic_design *design, stoic_facts *facts, stoic_error *err) {
    stoic_engine *engine = NULL;
    stoic_run_options run;
    stoic_status status;
    fill_run(&run, options, design, parts);
    TRY(stoic_engine_create(parts->golden, parts->data, parts->store, parts->faults,
                            parts->n_faults, parts->transient, options, design, &engine, err));
    TRY(stoic_identity_golden(facts, stoic_engine_golden(engine), err));
    if (parts->cells) { /* rank 0 tells what is laid out */
        TRY(stoic_allocation_over(parts->cells, options->seed, &run.allocation, err));
        stoic_fault_set_order(parts->faults[0], stoic_allocation_site, run.allocation);
    }
    run.facts = facts;
    stoic_engine_worker_api(engine, &run.worker);
    status = stoic_follower_run(&run, err);
done:
    stoic_allocation_free(run.allocation);
    stoic_engine_free(engine);
    return status;
}

stoic_status stoic_campaign_help(const stoic_model *model, const stoic_dataset *data,
                                 const stoic_campaign_options *given, stoic_error *err) {
    stoic_campaign_options options = *given;
    stoic_parts parts = {0};
    stoic_facts ours = {0}, theirs = {0};
    stoic_design design;
    stoic_status status;
    bool stop;
    settle(&options);
    TRY(check_numbers(&options, stoic_dataset_count(data), err));
    TRY(stoic_parts_init(&parts, model, data, &options, err));
    TRY(check_strata(&options, &parts, err));
    TRY(stoic_cluster_wait(options.cluster, options.cancel, &stop, &theirs, err));
    if (stop)
        goto done;
    TRY(stoic_identity_design(&theirs, "rank 0", &design, err));
    TRY(stoic_identity_facts(&parts, &options, &design, &ours, err));
    TRY(check_same(&theirs, &ours, err));
    status = help_with(&parts, &options, &design, &ours, err);
done:
    stoic_facts_deinit(&ours);
    stoic_facts_deinit(&theirs);
    stoic_parts_deinit(&parts);
    return status;
}
