/* One trial again, alone and with the full engine, told step by step. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/hit_sites.h"
#include "campaign/identity.h"
#include "campaign/moments.h"
#include "campaign/records_file.h"
#include "campaign/unit.h"

typedef struct replay {
    const stoic_campaign_file *file;
    stoic_campaign_options options; /* as the file says, but the engine */
    const char **faults;
    int64_t trial;
    void (*tell)(void *user, const char *line);
    void *user;
} replay;

static void say(const replay *r, const char *fmt, ...) STOIC_PRINTF(2, 3);
static void say(const replay *r, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    r->tell(r->user, line);
}

static bool fact_is(const stoic_campaign_file *file, const char *key, const char *value) {
    const char *text = stoic_facts_get(&file->facts, key);
    return text && !strcmp(text, value);
}

/* "fault", "fault_2", "fault_3" … */
static stoic_status read_faults(replay *r, stoic_error *err) {
    size_t n = 0;
    for (const char *text = stoic_facts_get(&r->file->facts, "fault"); text; n++) {
        const char **faults = realloc(r->faults, (n + 1) * sizeof *faults);
        if (!faults)
            return stoic_fail_memory(err, "fault models", (n + 1) * sizeof *faults);
        r->faults = faults;
        r->faults[n] = text;
        char key[32];
        snprintf(key, sizeof key, "fault_%zu", n + 2);
        text = stoic_facts_get(&r->file->facts, key);
    }
    r->options.faults = r->faults;
    r->options.n_faults = n;
    return STOIC_OK;
}

static stoic_status read_options(replay *r, stoic_error *err) {
    const stoic_campaign_file *file = r->file;
    const char *seed = stoic_facts_get(&file->facts, "seed");
    r->options = stoic_campaign_options_default();
    r->options.store = stoic_facts_get(&file->facts, "store");
    r->options.seed = seed ? strtoull(seed, NULL, 10) : 0;
    r->options.outcomes =
        fact_is(file, "outcomes", "all") ? STOIC_OUTCOMES_ALL : STOIC_OUTCOMES_CRITICAL;
    r->options.engine = fact_is(file, "engine", "full") ? STOIC_ENGINE_FULL : STOIC_ENGINE_AUTO;
    r->options.sampling =
        stoic_campaign_is_stratified(file) ? STOIC_SAMPLING_STRATIFIED : STOIC_SAMPLING_SIMPLE;
    r->options.nan_rule = fact_is(file, "nan", "argmax") ? STOIC_NAN_ARGMAX : STOIC_NAN_STRICT;
    stoic_identity_read_kept(&file->facts, &r->options);
    r->options.images_per_trial = stoic_campaign_file_integer(
        file, "images_per_trial", fact_is(file, "images_per_trial", "auto") ? -1 : 0);
    return read_faults(r, err);
}

/* The trial's row; it must be in the file. */
static stoic_status find_record(const char *path, int64_t trial, stoic_record *out,
                                stoic_error *err) {
    stoic_records *records = NULL;
    stoic_trial_cursor cursor = {0};
    stoic_status status;
    bool row = false, open = false;
    TRY(stoic_records_open(path, &records, err));
    if (trial >= 0 && trial < INT64_MAX) {
        TRY(stoic_trial_cursor_open(records, trial, trial + 1, &cursor, err));
        open = true;
        TRY(stoic_trial_cursor_next(&cursor, &row, err));
    }
    if (row)
        stoic_trial_cursor_record(&cursor, out);
    else
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, path, "trial %lld is not in the file",
                            (long long)trial);
done:
    if (open)
        stoic_trial_cursor_close(&cursor);
    stoic_records_free(records);
    return status;
}

static void say_site(const replay *r, const stoic_parts *parts, size_t number,
                     const stoic_site *site) {
    const stoic_store_entry *entry = stoic_store_entry_at(parts->store, site->entry);
    char layer[160] = "batch normalisation", bit[64] = "the whole weight";
    stoic_place place;
    int64_t word;
    if (site->layer >= 0)
        snprintf(layer, sizeof layer, "layer %d (%.120s)", site->layer,
                 stoic_model_layer(parts->model, site->layer).name);
    if (site->bit >= 0) {
        int at = stoic_store_find(parts->store, site->entry, site->index, site->bit, &word);
        stoic_store_place(parts->store, site->entry, site->word, at, &place);
        bool copy = place.role == STOIC_BIT_COPY;
        snprintf(bit, sizeof bit, "bit %d (%s%s)", site->bit, copy ? "copy of " : "", place.field);
    }
    say(r, "site %zu: %s, %s %lld, %s, %s: 0x%llx, %.9g becomes %.9g", number, layer,
        stoic_role_name(entry->role), (long long)site->index, bit, stoic_action_name(site->action),
        (unsigned long long)site->stored, (double)site->before, (double)site->after);
}

static stoic_status tell_sites(const replay *r, const stoic_parts *parts, stoic_engine *engine,
                               stoic_site_drawer *drawer, int64_t image, stoic_error *err) {
    enum { MOST = 100 };
    stoic_site_list sites = {0};
    stoic_site_source source = stoic_site_drawer_source(drawer);
    stoic_status status;
    size_t n_edits;
    char text[400];
    TRY(source.draw(source.user, r->trial, &sites, err));
    for (size_t i = 0; i < sites.count && i < MOST; i++)
        say_site(r, parts, i, &sites.items[i]);
    if (sites.count > MOST)
        say(r, "and %zu more sites", sites.count - MOST);
    TRY(stoic_site_drawer_hits(drawer, r->trial, &n_edits, err));
    say(r, "%zu stored bits or words hit, %zu weights changed", sites.count, n_edits);
    if (drawer->decoded.corrected || drawer->decoded.detected)
        say(r, "the code corrected %lld words and found %lld that it could not repair%s",
            (long long)drawer->decoded.corrected, (long long)drawer->decoded.detected,
            drawer->decoded.due ? ": every image is a DUE" : "");
    TRY(stoic_engine_explain(engine, drawer->edits, n_edits, image, text, sizeof text, err));
    if (*text)
        say(r, "%s", text);
done:
    stoic_site_list_deinit(&sites);
    return status;
}

/* All blocks of the one trial, summed, and all computed values that it hits. */
static stoic_status evaluate(const stoic_run_options *run, int64_t trial, stoic_counts *counts,
                             stoic_upset_list *upsets, stoic_error *err) {
    stoic_piece piece = {.lo = trial, .hi = trial + 1};
    stoic_unit *unit = NULL;
    stoic_unit_state state;
    atomic_bool never = false;
    stoic_status status;
    bool open = false;
    TRY(stoic_unit_create(run, &unit, err));
    TRY(stoic_unit_state_open(&state, run, 0, err));
    open = true;
    stoic_counts_clear(counts);
    unit->piece = &piece;
    for (unit->block = 0; unit->block * run->design.block < run->design.images; unit->block++) {
        TRY(stoic_unit_run(unit, &state, &never, err));
        stoic_counts_add(counts, &unit->counts[0]);
        for (size_t i = 0; i < unit->upsets.count; i++)
            TRY(stoic_upset_list_add(upsets, &unit->upsets.items[i], err));
    }
    TRY(stoic_unit_check(&state, err));
    status = stoic_unit_check_shared(run, &state.check, 1, err);
done:
    if (open)
        stoic_unit_state_close(&state);
    stoic_unit_free_list(unit);
    return status;
}

/* ---- faults in computed values ---- */

static int by_place(const void *a, const void *b) {
    const stoic_upset *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* What befalls an image, drawn again, and its elements as they were found and left. */
static stoic_status tell_image(const replay *r, const stoic_parts *parts, const stoic_upset *first,
                               size_t n, stoic_transient_hits *hits, stoic_error *err) {
    enum { MOST = 4 };
    char text[300];
    stoic_status status = stoic_transient_draw(parts->transient, r->trial, first->image, hits, err);
    if (status != STOIC_OK)
        return status;
    stoic_transient_tell(parts->transient, hits, text, sizeof text);
    say(r, "image %lld: %s", (long long)first->image, text);
    for (size_t i = 0; i < n && i < MOST; i++)
        say(r, "  element %lld: %.9g becomes %.9g", (long long)first[i].index,
            (double)first[i].before, (double)first[i].after);
    if (first->elements > MOST && n > MOST)
        say(r, "  and %lld more elements", (long long)first->elements - MOST);
    return STOIC_OK;
}

/* Golden and faulty output of the first image that is hit. */
static stoic_status tell_outputs(const replay *r, const stoic_parts *parts, stoic_engine *engine,
                                 stoic_site_drawer *drawer, int64_t image,
                                 const stoic_transient_hits *hits, stoic_error *err) {
    size_t n_edits = 0;
    char text[400];
    stoic_status status;
    if (parts->n_faults)
        TRY(stoic_site_drawer_hits(drawer, r->trial, &n_edits, err));
    TRY(stoic_engine_explain_pass(engine, drawer->edits, n_edits, hits, image, text, sizeof text,
                                  err));
    say(r, "%s", text);
done:
    return status;
}

static stoic_status tell_upsets(const replay *r, const stoic_parts *parts, stoic_engine *engine,
                                stoic_site_drawer *drawer, stoic_upset_list *upsets,
                                stoic_error *err) {
    enum { MOST = 100 };
    stoic_transient_hits hits = {0};
    stoic_status status = STOIC_OK;
    size_t images = 0;
    if (upsets->count)
        qsort(upsets->items, upsets->count, sizeof *upsets->items, by_place);
    for (size_t i = 0, n; i < upsets->count; i += n, images++) {
        const stoic_upset *first = &upsets->items[i];
        for (n = 1; i + n < upsets->count && first[n].image == first->image;)
            n++;
        if (images < MOST)
            TRY(tell_image(r, parts, first, n, &hits, err));
        if (images == 0)
            TRY(tell_outputs(r, parts, engine, drawer, first->image, &hits, err));
    }
    if (images > MOST)
        say(r, "and %zu more images", images - MOST);
    say(r, "computed values of %zu image%s hit", images, images == 1 ? "" : "s");
done:
    stoic_transient_hits_deinit(&hits);
    return status;
}

/* What the record did not measure cannot differ. */
static bool compare(const replay *r, const stoic_record *record, stoic_counts *counts) {
    static const char *const names[STOIC_COUNT_FIELDS] = {"images", "correct",   "critical", "nan",
                                                          "masked", "tolerable", "due",      "sdc5",
                                                          "sdc10",  "sdc20"};
    const int64_t *recorded = &record->counts.images, *found = stoic_counts_fields(counts);
    bool identical = true;
    for (int i = 0; i < STOIC_COUNT_FIELDS; i++) {
        if (found[i] < 0 && recorded[i] < 0)
            continue;
        if (recorded[i] < 0) {
            say(r, "%s: %lld, not recorded", names[i], (long long)found[i]);
            continue;
        }
        bool same = found[i] == recorded[i];
        say(r, "%s: %lld, recorded %lld%s", names[i], (long long)found[i], (long long)recorded[i],
            same ? "" : ", different");
        identical = identical && same;
    }
    return identical;
}

static stoic_status replay_in(replay *r, const stoic_parts *parts, const stoic_record *record,
                              const stoic_design *design, stoic_facts *facts, bool *identical,
                              stoic_error *err) {
    stoic_engine *engine = NULL;
    stoic_site_drawer drawer;
    stoic_status status;
    stoic_counts counts;
    stoic_upset_list upsets = {0};
    stoic_campaign_options full = r->options;
    full.engine = STOIC_ENGINE_FULL;
    full.threads = 1;
    stoic_site_drawer_init(&drawer, parts->store, parts->faults, parts->n_faults);
    TRY(stoic_engine_create(parts->golden, parts->data, parts->store, parts->faults,
                            parts->n_faults, parts->transient, &full, design, &engine, err));
    TRY(stoic_identity_golden(facts, stoic_engine_golden(engine), err));
    TRY(stoic_facts_match(&r->file->facts, facts, true, r->file->path, err));
    if (parts->n_faults)
        TRY(tell_sites(r, parts, engine, &drawer, record->image, err));
    stoic_run_options run = {.design = *design, .seed = r->options.seed};
    stoic_engine_worker_api(engine, &run.worker);
    TRY(evaluate(&run, r->trial, &counts, &upsets, err));
    if (parts->transient)
        TRY(tell_upsets(r, parts, engine, &drawer, &upsets, err));
    *identical = compare(r, record, &counts);
    say(r, "%s", *identical ? "identical to the record" : "different from the record");
done:
    stoic_upset_list_deinit(&upsets);
    stoic_site_drawer_deinit(&drawer);
    stoic_engine_free(engine);
    return status;
}

static void say_stratum(const replay *r, const stoic_allocation *a) {
    int stratum = stoic_allocation_stratum(a, r->trial);
    if (stratum < 0)
        say(r, "a trial of the pilot, in no estimate");
    else
        say(r, "stratum %d of %zu, with %lld of %lld faults", stratum, a->n_strata,
            (long long)a->strata[stratum].faults, (long long)stoic_allocation_faults(a));
}

stoic_status stoic_campaign_replay(const stoic_model *model, const stoic_dataset *data,
                                   const char *path, int64_t trial,
                                   void (*tell)(void *user, const char *line), void *user,
                                   bool *identical, stoic_error *err) {
    replay r = {.trial = trial, .tell = tell, .user = user};
    stoic_campaign_file *file = NULL;
    stoic_allocation *allocation = NULL;
    stoic_parts parts = {0};
    stoic_facts facts = {0};
    stoic_design design;
    stoic_record record;
    stoic_status status;
    *identical = false;
    TRY(find_record(path, trial, &record, err));
    TRY(stoic_campaign_file_open(path, false, &file, err));
    r.file = file;
    TRY(read_options(&r, err));
    TRY(stoic_identity_design(&file->facts, file->path, &design, err));
    TRY(stoic_parts_init(&parts, model, data, &r.options, err));
    TRY(stoic_identity_facts(&parts, &r.options, &design, &facts, err));
    TRY(stoic_facts_match(&file->facts, &facts, false, path, err));
    say(&r, "trial %lld, store %s, fault %s%s%s, seed %llu", (long long)trial, r.options.store,
        r.faults[0], r.options.n_faults > 1 ? " and " : "",
        r.options.n_faults > 1 ? r.faults[1] : "", (unsigned long long)r.options.seed);
    if (parts.cells) {
        TRY(stoic_allocation_read(file, parts.cells, &allocation, err));
        stoic_fault_set_order(parts.faults[0], stoic_allocation_site, allocation);
        say_stratum(&r, allocation);
    }
    if (record.image >= 0)
        say(&r, "image %lld", (long long)record.image);
    status = replay_in(&r, &parts, &record, &design, &facts, identical, err);
done:
    stoic_parts_deinit(&parts);
    stoic_allocation_free(allocation);
    stoic_facts_deinit(&facts);
    stoic_campaign_file_close(file);
    free(r.faults);
    return status;
}
