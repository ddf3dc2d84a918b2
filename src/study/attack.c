/* The steps of an attack: search, flip, measure, stop. */
#include "stoic/attack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/pool.h"
#include "stoic/campaign.h"
#include "stoic/session.h"
#include "study/attack_inside.h"
#include "train/loss.h"

/* Images that the engine takes at once: few, so that most candidates are given up early. */
enum { BLOCK = 64 };

stoic_attack_options stoic_attack_options_default(void) {
    return (stoic_attack_options){.flips = 1, .below = NAN, .candidates = 200};
}

const char *stoic_attack_end_name(stoic_attack_end end) {
#define NAME(enumerator, name, sentence) name,
    static const char *const names[] = {STOIC_ATTACK_END_LIST(NAME)};
#undef NAME
    return names[end];
}

const char *stoic_attack_end_text(stoic_attack_end end) {
#define TEXT(enumerator, name, sentence) sentence,
    static const char *const texts[] = {STOIC_ATTACK_END_LIST(TEXT)};
#undef TEXT
    return texts[end];
}

void stoic_attack_free(stoic_attack_result *result) {
    if (!result)
        return;
    free(result->store);
    free(result->space);
    free(result->flips);
    free(result);
}

/* ---- what is attacked ---- */

static stoic_status check_options(const stoic_attack_options *o, stoic_error *err) {
    if (o->flips < 1 || o->flips > 10000)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--flips", "must be from 1 to 10000, not %lld",
                          (long long)o->flips);
    if (!isnan(o->below) && !(o->below >= 0 && o->below <= 1))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--below",
                          "an accuracy is a fraction from 0 to 1, not %g", o->below);
    if (o->candidates < 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--candidates", "must be at least 1, not %lld",
                          (long long)o->candidates);
    if (o->tensor && strcmp(o->tensor, "weight") != 0 && strcmp(o->tensor, "bias") != 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--tensor",
                          "expected weight or bias, found '%s'", o->tensor);
    return STOIC_OK;
}

/* Every selected bit, in the order of layer, index and bit: an exhaustive fault model. */
static stoic_status create_space(stoic_attack_run *run, stoic_error *err) {
    const stoic_attack_options *o = run->options;
    const char *layers = o->layers ? o->layers : "all", *bits = o->bits ? o->bits : "all";
    const char *tensor = o->tensor ? o->tensor : "weight";
    size_t room = strlen(layers) + strlen(bits) + strlen(tensor) + 64;
    char *spec = malloc(room);
    if (!spec)
        return stoic_fail_memory(err, "a fault model", room);
    snprintf(spec, room, "exhaustive,layer=%s,bits=%s,tensor=%s", layers, bits, tensor);
    stoic_status status = stoic_fault_create(run->store, spec, 0, &run->space, err);
    free(spec);
    if (status == STOIC_OK)
        run->sites = stoic_fault_population(run->space);
    return status;
}

/* The heaps of a ranking must fit. */
static stoic_status check_memory(const stoic_attack_run *run, stoic_error *err) {
    int64_t entries = stoic_store_entry_count(run->store);
    int64_t each = run->options->candidates;
    each = each < run->sites ? each : run->sites;
    double bytes = 2.0 * (double)each * (double)(entries * (run->members + 1)) * sizeof(stoic_move);
    if (bytes <= (double)run->memory / 4)
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "--candidates",
                      "%lld a tensor take %.3g bytes, more than a quarter of --memory",
                      (long long)run->options->candidates, bytes);
}

static stoic_status create(stoic_attack_run *run, const stoic_model *model, stoic_error *err) {
    const stoic_attack_options *o = run->options;
    stoic_status status = STOIC_OK;
    stoic_attack_result *r = run->result = calloc(1, sizeof *run->result);
    if (!r)
        return stoic_fail_memory(err, "a result", sizeof *r);
    run->memory = o->memory > 0 ? o->memory : stoic_memory_available() / 2;
    run->flips_left = o->flips;
    r->images = stoic_dataset_count(run->data);
    TRY(stoic_loss_check_data(model, run->data, "", err));
    TRY(stoic_store_create(model, o->store, &run->store, err));
    TRY(create_space(run, err));
    TRY(stoic_store_golden(run->store, &run->golden, err));
    TRY(stoic_team_create(o->threads > 0 ? o->threads : stoic_cpu_count(), &run->team, err));
    run->members = stoic_team_size(run->team);
    TRY(check_memory(run, err));
    TRY(stoic_moves_pair(run, err));
    run->losses = calloc((size_t)r->images + 1, sizeof *run->losses);
    r->flips = calloc((size_t)o->flips + 1, sizeof *r->flips);
    r->store = strdup(stoic_store_text(run->store));
    r->space = strdup(stoic_fault_text(run->space));
    if (!run->losses || !r->flips || !r->store || !r->space)
        status = stoic_fail_memory(err, "a result", (size_t)r->images * sizeof *run->losses);
done:
    return status;
}

static void deinit(stoic_attack_run *run) {
    stoic_engine_free(run->engine);
    stoic_attack_gradient_free(run);
    stoic_moves_unpair(run);
    stoic_hits_deinit(&run->flipped);
    stoic_team_free(run->team);
    stoic_model_free(run->current);
    stoic_model_free(run->golden);
    stoic_fault_free(run->space);
    stoic_store_free(run->store);
    stoic_attack_free(run->result);
    free(run->losses);
    free(run->made.items);
}

/* ---- the network with the flips so far ---- */

/* All edits that the flips make, from the stored words alone. */
static stoic_status find_edits(const stoic_attack_run *run, stoic_edit **edits, size_t *n,
                               bool *due, stoic_error *err) {
    stoic_decoded told;
    size_t room = run->flipped.count * STOIC_WORD_WEIGHTS;
    *edits = calloc(room + 1, sizeof **edits);
    *n = room;
    if (!*edits)
        return stoic_fail_memory(err, "changed weights", room * sizeof **edits);
    stoic_status status = stoic_store_apply(run->store, run->flipped.items, run->flipped.count,
                                            *edits, n, &told, err);
    *due = status == STOIC_OK && told.due;
    return status;
}

/* The golden network with these edits, sorted by tensor. */
static stoic_status edited_model(const stoic_model *golden, const stoic_edit *edits, size_t n,
                                 stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t tensors = 0;
    int *values = calloc(n + 1, sizeof *values);
    stoic_tensor **fresh = calloc(n + 1, sizeof *fresh);
    if (!values || !fresh) {
        status = stoic_fail_memory(err, "changed weights", n * sizeof *fresh);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const stoic_tensor *from = golden->values[edits[i].tensor].constant;
        if (i == 0 || edits[i].tensor != edits[i - 1].tensor) {
            TRY(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(from), &fresh[tensors], err));
            memcpy(stoic_tensor_mutable_data(fresh[tensors]), stoic_tensor_data(from),
                   (size_t)stoic_tensor_count(from) * sizeof(float));
            values[tensors++] = edits[i].tensor;
        }
        float *data = stoic_tensor_mutable_data(fresh[tensors - 1]);
        memcpy(&data[edits[i].index], &edits[i].value, sizeof(float));
    }
    status = stoic_model_with_constants(golden, values, fresh, tensors, out, err);
done:
    for (size_t i = 0; fresh && i < tensors; i++)
        stoic_tensor_free(fresh[i]);
    free(fresh);
    free(values);
    return status;
}

/* Right answers and losses of run->current. `full`: nothing will be searched from there. */
static stoic_status measure(stoic_attack_run *run, bool full, double *loss, stoic_error *err) {
    const stoic_attack_options *o = run->options;
    stoic_campaign_options engine = stoic_campaign_options_default();
    stoic_design design = {.chunk = 1, .block = BLOCK, .images = run->result->images};
    engine.outcomes = STOIC_OUTCOMES_CRITICAL;
    engine.threads = o->threads;
    engine.memory = run->memory / 2;
    engine.engine = full ? STOIC_ENGINE_FULL : STOIC_ENGINE_AUTO;
    engine.cancel = o->cancel;
    stoic_engine_free(run->engine);
    run->engine = NULL;
    stoic_status status = stoic_engine_create(run->current, run->data, run->store, NULL, 0, NULL,
                                              &engine, &design, &run->engine, err);
    if (status != STOIC_OK)
        return status;
    const stoic_golden_outputs *g = stoic_engine_outputs(run->engine);
    run->correct = stoic_engine_golden(run->engine)->correct;
    *loss = 0;
    for (int64_t i = 0; i < design.images; i++) {
        run->losses[i] =
            g->alarm[i] ? 100 : stoic_attack_loss(run, g->values + i * g->classes, g->labels[i]);
        *loss += run->losses[i];
    }
    *loss /= (double)design.images;
    return STOIC_OK;
}

/* The network with run->flipped, measured. */
static stoic_status apply_flips(stoic_attack_run *run, bool full, double *loss, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *faulty = NULL;
    stoic_edit *edits = NULL;
    size_t n = 0;
    bool due = false;
    TRY(find_edits(run, &edits, &n, &due, err));
    TRY(edited_model(run->golden, edits, n, &faulty, err));
    stoic_model_free(run->current);
    run->current = faulty;
    TRY(measure(run, full, loss, err));
    if (due) {
        run->correct = 0;
        *loss = 100;
    }
done:
    free(edits);
    return status;
}

/* ---- a step ---- */

static void describe(const stoic_attack_run *run, const stoic_hit *hit,
                     const stoic_move_effect *effect, stoic_flip *flip) {
    const stoic_store_entry *entry = stoic_store_entry_at(run->store, hit->entry);
    stoic_place place;
    stoic_store_place(run->store, hit->entry, hit->word, hit->bit, &place);
    const float *weights = stoic_tensor_data(run->current->values[entry->tensor].constant);
    *flip = (stoic_flip){.layer = entry->layer,
                         .name = stoic_model_layer(run->model, entry->layer).name,
                         .role = entry->role,
                         .index = place.index,
                         .bit = place.bit,
                         .kind = place.role,
                         .field = place.field,
                         .correct = run->correct,
                         .loss = run->loss};
    memcpy(&flip->before, &weights[place.index], sizeof flip->before);
    flip->after = flip->before;
    for (int i = 0; effect && i < effect->n_edits; i++) {
        if (effect->edits[i].index == place.index)
            memcpy(&flip->after, &effect->edits[i].value, sizeof flip->after);
    }
    flip->changed = effect ? effect->n_edits : 0;
}

static stoic_status add_hit(stoic_hits *hits, const stoic_hit *hit, stoic_error *err) {
    if (hits->count == hits->capacity) {
        size_t capacity = hits->capacity ? 2 * hits->capacity : 16;
        stoic_hit *items = realloc(hits->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "flips", capacity * sizeof *items);
        hits->items = items;
        hits->capacity = capacity;
    }
    hits->items[hits->count++] = *hit;
    return STOIC_OK;
}

/* Makes the move: the last of its flips is the one that shows. */
static stoic_status make_move(stoic_attack_run *run, const stoic_move *move, bool full,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_attack_result *r = run->result;
    stoic_move_effect effect;
    stoic_move_reader reader;
    stoic_move_reader_init(&reader, run);
    TRY(stoic_move_read(&reader, move->site, move->partner, &effect, err));
    for (int i = 0; i < effect.n_hits; i++)
        describe(run, &effect.hits[i], i + 1 == effect.n_hits ? &effect : NULL,
                 &r->flips[r->n_flips + i]);
    for (int i = 0; i < effect.n_hits; i++)
        TRY(add_hit(&run->flipped, &effect.hits[i], err));
    TRY(apply_flips(run, full, &run->loss, err));
    r->n_flips += effect.n_hits;
    run->flips_left -= effect.n_hits;
    r->flips[r->n_flips - 1].correct = run->correct;
    r->flips[r->n_flips - 1].loss = run->loss;
done:
    stoic_move_reader_deinit(&reader);
    return status;
}

static stoic_status make_best(stoic_attack_run *run, const stoic_move *best, stoic_error *err) {
    stoic_status status = stoic_moves_reserve(&run->made, run->made.count + 1, err);
    if (status == STOIC_OK)
        status = make_move(run, best, false, err);
    if (status != STOIC_OK)
        return status;
    run->made.items[run->made.count++] = *best;
    if (run->correct != best->correct)
        return stoic_fail(err, STOIC_ERR_INTERNAL, "",
                          "a flip was found to leave %lld images right, the faulty network has "
                          "%lld",
                          (long long)best->correct, (long long)run->correct);
    return STOIC_OK;
}

/* ---- fewer flips ---- */

/* The hits of all moves that are kept, but for one. */
static stoic_status collect(stoic_attack_run *run, const stoic_hits *all, const bool *kept,
                            int64_t without, stoic_error *err) {
    size_t at = 0;
    run->flipped.count = 0;
    for (int64_t m = 0; m < run->made.count; m++) {
        for (int i = 0; i < stoic_move_cost(&run->made.items[m]); i++, at++) {
            if (!kept[m] || m == without)
                continue;
            stoic_status status = add_hit(&run->flipped, &all->items[at], err);
            if (status != STOIC_OK)
                return status;
        }
    }
    return STOIC_OK;
}

/* The moves that are kept, from the start, so that each flip tells what it did. */
static stoic_status make_again(stoic_attack_run *run, const bool *kept, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_attack_result *r = run->result;
    r->dropped = r->n_flips;
    r->n_flips = 0;
    run->flipped.count = 0;
    run->flips_left = run->options->flips;
    TRY(apply_flips(run, true, &run->loss, err));
    for (int64_t m = 0; m < run->made.count; m++) {
        if (kept[m])
            TRY(make_move(run, &run->made.items[m], true, err));
    }
    r->dropped -= r->n_flips;
done:
    return status;
}

/* Each move but the last is left out once, and stays out where the others reach as far. */
static stoic_status find_needed(stoic_attack_run *run, const stoic_hits *all, double limit,
                                bool *kept, bool *any, stoic_error *err) {
    stoic_status status = STOIC_OK;
    double loss;
    *any = false;
    for (int64_t m = 0; m + 1 < run->made.count; m++) {
        TRY(collect(run, all, kept, m, err));
        TRY(apply_flips(run, true, &loss, err));
        kept[m] = (double)run->correct > limit;
        *any = *any || !kept[m];
    }
done:
    return status;
}

/* What was found early may not be needed any more at the end. A stop leaves everything as found. */
static stoic_status drop_moves(stoic_attack_run *run, double limit, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_attack_result *r = run->result;
    stoic_hits all = run->flipped;
    const int64_t correct = run->correct, flips = r->n_flips;
    bool *kept = malloc((size_t)run->made.count + 1), any = false;
    stoic_flip *found = malloc((size_t)flips * sizeof *found);
    run->flipped = (stoic_hits){0};
    if (!kept || !found) {
        status = stoic_fail_memory(err, "flips", (unsigned long long)flips * sizeof *found);
        goto done;
    }
    memset(kept, 1, (size_t)run->made.count);
    memcpy(found, r->flips, (size_t)flips * sizeof *found);
    TRY(find_needed(run, &all, limit, kept, &any, err));
    if (any)
        TRY(make_again(run, kept, err));
done:
    if (!any || status != STOIC_OK) {
        stoic_hits swap = run->flipped;
        run->flipped = all;
        all = swap;
        run->correct = correct;
        r->n_flips = flips;
        r->dropped = 0;
        if (found)
            memcpy(r->flips, found, (size_t)flips * sizeof *found);
    }
    stoic_hits_deinit(&all);
    free(found);
    free(kept);
    return status;
}

/* Is there a reason to stop before the next step? */
static bool over(stoic_attack_run *run) {
    stoic_attack_result *r = run->result;
    if (run->correct == 0)
        r->end = STOIC_ATTACK_ZERO;
    else if ((double)run->correct <= run->options->below * (double)r->images)
        r->end = STOIC_ATTACK_BELOW;
    else if (run->flips_left == 0)
        r->end = STOIC_ATTACK_FLIPS;
    else
        return false;
    return true;
}

static stoic_status gradient(stoic_attack_run *run, stoic_error *err) {
    stoic_status status = stoic_attack_gradient(run, err);
    if (status == STOIC_ERR_UNSUPPORTED && err) {
        size_t used = strlen(err->message);
        snprintf(err->message + used, sizeof err->message - used,
                 "; --candidates all needs no gradient");
    }
    return status;
}

static stoic_status search_on(stoic_attack_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_move best;
    bool found;
    while (!over(run)) {
        if (run->options->candidates)
            TRY(gradient(run, err));
        TRY(stoic_attack_search(run, BLOCK, &best, &found, err));
        if (!found || best.correct > run->correct) {
            run->result->end = found ? STOIC_ATTACK_WORSE : STOIC_ATTACK_NOTHING;
            return STOIC_OK;
        }
        TRY(make_best(run, &best, err));
    }
    if (run->made.count > 1 && run->result->end == STOIC_ATTACK_BELOW)
        TRY(drop_moves(run, run->options->below * (double)run->result->images, err));
    else if (run->made.count > 1 && run->result->end == STOIC_ATTACK_ZERO)
        TRY(drop_moves(run, 0, err));
done:
    return status;
}

/* The faulty network once more, by itself and without the engine. */
static stoic_status confirm(const stoic_attack_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *faulty = NULL;
    stoic_edit *edits = NULL;
    stoic_evaluation found;
    size_t n = 0;
    bool due = false;
    TRY(find_edits(run, &edits, &n, &due, err));
    TRY(edited_model(run->golden, edits, n, &faulty, err));
    TRY(stoic_evaluate_model(faulty, run->data, run->options->threads, &found, err));
    /* an image for which a checksum is off has no answer, which an evaluation does not count */
    if (!due && found.alarms == 0 && found.correct != run->correct)
        status = stoic_fail(err, STOIC_ERR_INTERNAL, "",
                            "%lld images were found to be right, evaluated again %lld",
                            (long long)run->correct, (long long)found.correct);
done:
    free(edits);
    stoic_model_free(faulty);
    return status;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

stoic_status stoic_attack(const stoic_model *model, const stoic_dataset *data,
                          const stoic_attack_options *options, stoic_attack_result **out,
                          stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_attack_run run = {.options = options, .model = model, .data = data, .started = now()};
    TRY(check_options(options, err));
    TRY(create(&run, model, err));
    run.current = stoic_model_retain(run.golden);
    TRY(measure(&run, false, &run.result->loss, err));
    run.loss = run.result->loss;
    run.result->correct = run.correct;
    run.result->accuracy = (double)run.correct / (double)run.result->images;
    status = search_on(&run, err);
    if (status == STOIC_ERR_INTERRUPTED) {
        run.result->end = STOIC_ATTACK_INTERRUPTED;
        status = STOIC_OK;
    } else if (status == STOIC_OK) {
        TRY(confirm(&run, err));
    }
    for (int64_t i = 0; i < run.result->n_flips; i++)
        run.result->flips[i].accuracy =
            (double)run.result->flips[i].correct / (double)run.result->images;
    if (status == STOIC_OK) {
        *out = run.result;
        run.result = NULL;
    }
done:
    deinit(&run);
    return status;
}
