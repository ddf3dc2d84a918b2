#include "campaign/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "campaign/allocation.h"
#include "stoic/version.h"

/* ---- parts ---- */

static int64_t smaller(int64_t a, int64_t b) {
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

/* A list is what somebody chose, not a space that could be exhausted. */
static bool has_finite_space(const stoic_fault *fault) {
    return stoic_fault_kind_of(fault) != STOIC_FAULT_CSV && stoic_fault_max_trials(fault) >= 0 &&
           stoic_fault_max_trials(fault) == stoic_fault_population(fault);
}

static stoic_status add_transient(stoic_parts *parts, const char *spec, uint64_t seed,
                                  stoic_error *err) {
    if (parts->transient)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                          "one fault model of computed values at a time, found a second: '%s'",
                          spec);
    return stoic_transient_create(parts->golden, spec, seed, &parts->transient, err);
}

static stoic_status add_fault(stoic_parts *parts, const char *spec, uint64_t seed,
                              stoic_error *err) {
    stoic_fault **fault = &parts->faults[parts->n_faults];
    stoic_status status;
    if (stoic_transient_is_spec(spec)) {
        TRY(add_transient(parts, spec, seed, err));
        parts->texts[parts->n_texts++] = stoic_transient_text(parts->transient);
        return STOIC_OK;
    }
    TRY(stoic_fault_create(parts->store, spec, seed, fault, err));
    parts->n_faults++;
    parts->texts[parts->n_texts++] = stoic_fault_text(*fault);
    parts->fixed = smaller(parts->fixed, stoic_fault_trials(*fault));
    parts->limit = smaller(parts->limit, stoic_fault_trials(*fault));
    parts->limit = smaller(parts->limit, stoic_fault_max_trials(*fault));
done:
    return status;
}

/* A stratified campaign may run every fault twice: in the pilot, and behind it. */
static stoic_status stratify(stoic_parts *parts, stoic_error *err) {
    if (parts->transient || parts->n_texts != 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--sampling",
                          "stratified needs one fault model in stored bits, such as flips:1; found "
                          "'%s'%s",
                          parts->texts[0], parts->n_texts > 1 ? " and another" : "");
    stoic_status status = stoic_cells_create(parts->faults[0], &parts->cells, err);
    if (status == STOIC_OK)
        parts->limit += stoic_allocation_pilot_most(parts->cells);
    return status;
}

stoic_status stoic_parts_init(stoic_parts *parts, const stoic_model *model,
                              const stoic_dataset *data, const stoic_campaign_options *options,
                              stoic_error *err) {
    stoic_status status;
    memset(parts, 0, sizeof *parts);
    parts->model = model;
    parts->data = data;
    parts->limit = parts->fixed = parts->space = -1;
    if (options->n_faults == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault", "expected at least one fault model");
    parts->faults = calloc(options->n_faults, sizeof *parts->faults);
    parts->texts = calloc(options->n_faults, sizeof *parts->texts);
    if (!parts->faults || !parts->texts) {
        status = stoic_fail_memory(err, "fault models", options->n_faults * sizeof *parts->faults);
        goto done;
    }
    TRY(stoic_store_create(model, options->store, &parts->store, err));
    TRY(stoic_store_golden(parts->store, &parts->golden, err));
    for (size_t i = 0; i < options->n_faults; i++) {
        /* models of one campaign must not share random numbers, or equal ones would cancel */
        uint64_t seed = options->seed + i * UINT64_C(0x9e3779b97f4a7c15);
        TRY(add_fault(parts, options->faults[i], seed, err));
    }
    if (parts->n_texts == 1 && parts->n_faults == 1 && has_finite_space(parts->faults[0]))
        parts->space = stoic_fault_population(parts->faults[0]);
    if (options->sampling == STOIC_SAMPLING_STRATIFIED)
        status = stratify(parts, err);
done:
    if (status != STOIC_OK)
        stoic_parts_deinit(parts);
    return status;
}

void stoic_parts_deinit(stoic_parts *parts) {
    for (size_t i = 0; i < parts->n_faults; i++)
        stoic_fault_free(parts->faults[i]);
    stoic_cells_free(parts->cells);
    free(parts->faults);
    free((void *)parts->texts);
    stoic_transient_free(parts->transient);
    stoic_model_free(parts->golden);
    stoic_store_free(parts->store);
    memset(parts, 0, sizeof *parts);
}

void stoic_options_settle(stoic_campaign_options *options) {
    bool transient = false, operation = false;
    for (size_t i = 0; i < options->n_faults; i++) {
        transient = transient || stoic_transient_is_spec(options->faults[i]);
        operation = operation || stoic_op_fault_is_spec(options->faults[i]);
    }
    if (options->outcomes == STOIC_OUTCOMES_AUTO)
        options->outcomes = transient ? STOIC_OUTCOMES_ALL : STOIC_OUTCOMES_CRITICAL;
    if (options->images_per_trial == STOIC_IMAGES_OPEN)
        options->images_per_trial = operation ? 1 : 0;
}

/* ---- facts ---- */

/* The fact `keep`, by keep_images + 2 * keep_sites. */
static const char *const kept[] = {"nothing", "images", "sites", "images,sites"};

void stoic_identity_read_kept(const stoic_facts *facts, stoic_campaign_options *out) {
    const char *text = stoic_facts_get(facts, "keep");
    for (int i = 0; i < 4 && text; i++) {
        if (strcmp(text, kept[i]) == 0) {
            out->keep_images = i & 1;
            out->keep_sites = i >> 1;
        }
    }
}

#define SET(key, ...)  TRY(stoic_facts_set(facts, true, key, err, __VA_ARGS__))
#define TELL(key, ...) TRY(stoic_facts_set(facts, false, key, err, __VA_ARGS__))

static stoic_status add_content(const stoic_parts *parts, stoic_facts *facts, stoic_error *err) {
    uint8_t digest[16], labels[16];
    stoic_status status;
    stoic_model_digest(parts->model, digest);
    SET("images", "%lld", (long long)stoic_dataset_count(parts->data));
    TRY(stoic_facts_set_digest(facts, "model_digest", digest, err));
    TRY(stoic_dataset_digest(parts->data, digest, labels, err));
    TRY(stoic_facts_set_digest(facts, "data_digest", digest, err));
    status = stoic_facts_set_digest(facts, "labels_digest", labels, err);
done:
    return status;
}

static stoic_status add_faults(const stoic_parts *parts, stoic_facts *facts, stoic_error *err) {
    stoic_status status = STOIC_OK;
    SET("store", "%s", stoic_store_text(parts->store));
    SET("fault", "%s", parts->texts[0]);
    for (size_t i = 1; i < parts->n_texts; i++) {
        char key[32];
        snprintf(key, sizeof key, "fault_%zu", i + 1);
        SET(key, "%s", parts->texts[i]);
    }
done:
    return status;
}

static stoic_status add_rules(const stoic_campaign_options *options, const stoic_design *design,
                              stoic_facts *facts, stoic_error *err) {
    stoic_status status = STOIC_OK;
    SET("seed", "%llu", (unsigned long long)options->seed);
    if (options->images_per_trial > 0)
        SET("images_per_trial", "%lld", (long long)options->images_per_trial);
    else
        SET("images_per_trial", "%s", options->images_per_trial ? "auto" : "all");
    if (options->sampling == STOIC_SAMPLING_STRATIFIED) /* older files tell nothing else */
        SET("sampling", "stratified");
    SET("outcomes", "%s", options->outcomes == STOIC_OUTCOMES_ALL ? "all" : "critical");
    SET("engine", "%s", options->engine == STOIC_ENGINE_FULL ? "full" : "auto");
    SET("nan", "%s", options->nan_rule == STOIC_NAN_ARGMAX ? "argmax" : "strict");
    SET("keep", "%s", kept[options->keep_images + 2 * options->keep_sites]);
    SET("chunk", "%lld", (long long)design->chunk);
    SET("block", "%lld", (long long)design->block);
    int64_t used = design->images_per_trial ? design->images_per_trial : design->images;
    SET("trial_images", "%lld", (long long)used);
    SET("shard", options->shards > 1 ? "%d/%d" : "all", options->shard, options->shards);
    facts->items[facts->count - 1].identity = false; /* compared on its own: merge joins them */
done:
    return status;
}

stoic_status stoic_identity_facts(const stoic_parts *parts, const stoic_campaign_options *options,
                                  const stoic_design *design, stoic_facts *facts,
                                  stoic_error *err) {
    char created[32];
    time_t now = time(NULL);
    struct tm utc;
    stoic_status status;
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    TRY(add_content(parts, facts, err));
    TRY(add_faults(parts, facts, err));
    TRY(add_rules(options, design, facts, err));
    SET("version", "%s", stoic_version());
    SET("isa", "%s", stoic_version_cpu());
    SET("onednn", "%s", stoic_version_onednn());
    TELL("build", "%s", stoic_version_build());
    TELL("created", "%s", created);
    if (options->model_path)
        TELL("model", "%s", options->model_path);
    if (options->data_spec)
        TELL("data", "%s", options->data_spec);
    TELL("parameters", "%lld", (long long)stoic_model_parameters(parts->model));
    TELL("macs", "%lld", (long long)stoic_model_macs(parts->model));
    TELL("stored_bits", "%lld", (long long)stoic_store_total_bits(parts->store));
    TRY(stoic_facts_set_number(facts, "confidence", options->confidence, err));
    TELL("limit", "%lld", (long long)parts->limit);
    TELL("fault_space", "%lld", (long long)parts->space);
done:
    return status;
}

stoic_status stoic_identity_golden(stoic_facts *facts, const stoic_golden *golden,
                                   stoic_error *err) {
    stoic_status status;
    double accuracy = golden->images ? (double)golden->correct / (double)golden->images : 0.0;
    TRY(stoic_facts_set_digest(facts, "golden_digest", golden->digest, err));
    SET("golden_correct", "%lld", (long long)golden->correct);
    status = stoic_facts_set_number(facts, "golden_accuracy", accuracy, err);
done:
    return status;
}

stoic_status stoic_identity_design(const stoic_facts *facts, const char *place,
                                   stoic_design *design, stoic_error *err) {
    design->chunk = stoic_facts_integer(facts, "chunk", 0);
    design->block = stoic_facts_integer(facts, "block", 0);
    design->images = stoic_facts_integer(facts, "images", 0);
    int64_t used = stoic_facts_integer(facts, "trial_images", 0);
    const char *asked = stoic_facts_get(facts, "images_per_trial");
    design->images_per_trial = !asked || !strcmp(asked, "all") || used == design->images ? 0 : used;
    if (design->chunk < 1 || design->chunk > INT32_MAX || design->block < 1 ||
        design->block > INT32_MAX || design->images < 1 || used < 1 || used > design->images)
        return stoic_fail(err, STOIC_ERR_FORMAT, place,
                          "the campaign's design makes no sense: chunk %lld, block %lld, images "
                          "%lld of %lld",
                          (long long)design->chunk, (long long)design->block, (long long)used,
                          (long long)design->images);
    return STOIC_OK;
}

/* ---- creating ---- */

static stoic_status create_with(stoic_campaign_file *file, const stoic_parts *parts,
                                stoic_campaign_setup *setup, stoic_file_layer *layers,
                                stoic_file_entry *entries, char (*shapes)[128], stoic_error *err) {
    for (size_t i = 0; i < setup->n_layers; i++) {
        stoic_layer layer = stoic_model_layer(parts->model, (int)i);
        layers[i] =
            (stoic_file_layer){layer.name, layer.op, stoic_tensor_count(layer.weights), layer.macs};
    }
    for (size_t i = 0; i < setup->n_entries; i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(parts->store, (int)i);
        entries[i] = (stoic_file_entry){.layer = entry->layer,
                                        .role = entry->role,
                                        .name = entry->name,
                                        .shape = stoic_shape_text(&entry->shape, shapes[i]),
                                        .words = entry->words,
                                        .first_bit = entry->first_bit,
                                        .word_bits = entry->word_bits};
    }
    setup->layers = layers;
    setup->entries = entries;
    return stoic_campaign_file_create(file, setup, err);
}

stoic_status stoic_identity_create(stoic_campaign_file *file, const stoic_parts *parts,
                                   const stoic_facts *facts, const stoic_golden *golden,
                                   stoic_error *err) {
    stoic_campaign_setup setup = {.facts = facts,
                                  .n_layers = (size_t)stoic_model_layer_count(parts->model),
                                  .n_entries = (size_t)stoic_store_entry_count(parts->store),
                                  .images = golden->images,
                                  .top1 = golden->top1,
                                  .hits = golden->hits};
    stoic_file_layer *layers = calloc(setup.n_layers + 1, sizeof *layers);
    stoic_file_entry *entries = calloc(setup.n_entries + 1, sizeof *entries);
    char(*shapes)[128] = calloc(setup.n_entries + 1, sizeof *shapes);
    stoic_status status;
    if (layers && entries && shapes)
        status = create_with(file, parts, &setup, layers, entries, shapes, err);
    else
        status = stoic_fail_memory(err, "the list of layers", setup.n_entries * sizeof *shapes);
    free(layers);
    free(entries);
    free(shapes);
    return status;
}
