#include "campaign/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "campaign/moments.h"

stoic_status stoic_unit_create(const stoic_run_options *options, stoic_unit **out,
                               stoic_error *err) {
    const stoic_design *design = &options->design;
    size_t trials = (size_t)design->chunk, images = (size_t)design->block;
    if (design->images_per_trial > 0 && design->images_per_trial < design->block)
        images = (size_t)design->images_per_trial;
    stoic_unit *unit = calloc(1, sizeof *unit);
    *out = unit;
    if (unit) {
        unit->counts = calloc(trials, sizeof *unit->counts);
        unit->evaluated = calloc(trials, sizeof *unit->evaluated);
        unit->outcome = options->keep_images ? calloc(trials, images) : NULL;
    }
    if (unit && unit->counts && unit->evaluated && (unit->outcome || !options->keep_images))
        return STOIC_OK;
    stoic_unit_free_list(unit);
    *out = NULL;
    return stoic_fail_memory(err, "a unit of work", trials * sizeof(stoic_counts));
}

void stoic_unit_free_list(stoic_unit *units) {
    while (units) {
        stoic_unit *next = units->next;
        free(units->also);
        free(units->counts);
        free(units->evaluated);
        free(units->outcome);
        stoic_upset_list_deinit(&units->upsets);
        free(units);
        units = next;
    }
}

stoic_status stoic_unit_also(stoic_unit *unit, int64_t block, stoic_error *err) {
    if (unit->n_also == unit->also_room) {
        int64_t room = unit->also_room ? 2 * unit->also_room : 16;
        int64_t *also = realloc(unit->also, (size_t)room * sizeof *also);
        if (!also)
            return stoic_fail_memory(err, "a list of blocks", (size_t)room * sizeof *also);
        unit->also = also;
        unit->also_room = room;
    }
    unit->also[unit->n_also++] = block;
    return STOIC_OK;
}

void stoic_unit_state_close(stoic_unit_state *state) {
    if (state->worker)
        state->options->worker.close(state->worker);
    free(state->bitmap);
    free(state->picks);
    free(state->offsets);
    memset(state, 0, sizeof *state);
}

stoic_status stoic_unit_state_open(stoic_unit_state *state, const stoic_run_options *options,
                                   int worker, stoic_error *err) {
    memset(state, 0, sizeof *state);
    state->options = options;
    size_t picks = (size_t)options->design.images_per_trial;
    if (picks > 0) {
        state->bitmap = calloc((size_t)options->design.images / 8 + 1, 1);
        state->picks = calloc(picks, sizeof *state->picks);
        state->offsets = calloc(picks, sizeof *state->offsets);
        if (!state->bitmap || !state->picks || !state->offsets) {
            stoic_unit_state_close(state);
            return stoic_fail_memory(err, "the images of a trial", picks * 12);
        }
    }
    stoic_status status = options->worker.open(options->worker.user, worker, &state->worker, err);
    if (status != STOIC_OK) {
        state->worker = NULL;
        stoic_unit_state_close(state);
    }
    return status;
}

/* The trial's images that lie in the block, as offsets into it. */
static int64_t images_in_block(stoic_unit_state *state, int64_t trial, int64_t first,
                               int64_t count) {
    const stoic_design *design = &state->options->design;
    stoic_pick_images(state->options->seed, trial, design->images, design->images_per_trial,
                      state->bitmap, state->picks);
    int64_t n = 0;
    for (int64_t i = 0; i < design->images_per_trial; i++) {
        if (state->picks[i] >= first && state->picks[i] < first + count)
            state->offsets[n++] = (int32_t)(state->picks[i] - first);
    }
    return n;
}

/* A check that took so much of a processor is over; `now` is the clock that `due` is of. */
static void check_done(stoic_check_clock *clock, double took, double now) {
    static const double rarely = 100.0, longest = 5.0; /* seconds */
    clock->due = now + rarely * took;
    clock->latest = stoic_clock() + longest;
}

bool stoic_check_due(const stoic_check_clock *clock) {
    return stoic_process_clock() >= clock->due || stoic_clock() >= clock->latest;
}

bool stoic_unit_check_due(const stoic_unit_state *state) {
    return stoic_thread_clock() >= state->check.due || stoic_clock() >= state->check.latest;
}

stoic_status stoic_unit_check(stoic_unit_state *state, stoic_error *err) {
    const stoic_worker_api *api = &state->options->worker;
    double began = stoic_thread_clock();
    stoic_status status = api->check_own ? api->check_own(state->worker, err) : STOIC_OK;
    double now = stoic_thread_clock();
    check_done(&state->check, now - began, now);
    return status;
}

stoic_status stoic_unit_check_shared(const stoic_run_options *options, stoic_check_clock *clock,
                                     int threads, stoic_error *err) {
    const stoic_worker_api *api = &options->worker;
    double began = stoic_thread_clock();
    stoic_status status = api->check_shared ? api->check_shared(api->user, err) : STOIC_OK;
    double took = stoic_thread_clock() - began;
    check_done(clock, threads > 0 ? took : 0.0, stoic_process_clock());
    return status;
}

stoic_status stoic_unit_blame(const stoic_run_options *options, void *worker, stoic_status failure,
                              stoic_error *err) {
    const stoic_worker_api *api = &options->worker;
    stoic_error found;
    stoic_status status = STOIC_OK;
    if (failure == STOIC_OK || failure == STOIC_ERR_CORRUPT)
        return failure;
    if (worker && api->check_own)
        status = api->check_own(worker, &found);
    if (status == STOIC_OK && api->check_shared)
        status = api->check_shared(api->user, &found);
    if (status != STOIC_ERR_CORRUPT)
        return failure;
    *err = found;
    return status;
}

static stoic_status finish(stoic_unit *unit, stoic_unit_state *state, stoic_error *err) {
    const stoic_worker_api *api = &state->options->worker;
    const stoic_upset_list *upsets = NULL;
    stoic_status status = STOIC_OK;
    if (api->finish)
        TRY(api->finish(state->worker, &upsets, err));
    for (size_t i = 0; upsets && i < upsets->count; i++)
        TRY(stoic_upset_list_add(&unit->upsets, &upsets->items[i], err));
done:
    return status;
}

stoic_status stoic_unit_run(stoic_unit *unit, stoic_unit_state *state, const atomic_bool *abort,
                            stoic_error *err) {
    const stoic_worker_api *api = &state->options->worker;
    bool picks = state->options->design.images_per_trial > 0, ready = false;
    int64_t first, count = stoic_schedule_block(&state->options->design, unit->block, &first);
    uint8_t *outcome = unit->outcome;
    stoic_status status = STOIC_OK;
    unit->dropped = false;
    unit->n_also = 0;
    unit->upsets.count = 0;
    for (int64_t t = 0; t < unit->piece->hi - unit->piece->lo; t++) {
        int64_t trial = unit->piece->lo + t;
        int64_t n = picks ? images_in_block(state, trial, first, count) : 0;
        stoic_counts_clear(&unit->counts[t]);
        unit->evaluated[t] = picks ? n : count;
        if (unit->evaluated[t] == 0)
            continue;
        unit->dropped = atomic_load_explicit(abort, memory_order_relaxed);
        if (unit->dropped)
            return STOIC_OK;
        if (!ready)
            TRY(api->block(state->worker, first, count, err));
        ready = true;
        TRY(api->trial(state->worker, trial, picks ? state->offsets : NULL, n, &unit->counts[t],
                       outcome, err));
        if (unit->counts[t].images != unit->evaluated[t])
            return stoic_fail(err, STOIC_ERR_INTERNAL, "",
                              "trial %lld was evaluated on %lld images instead of %lld",
                              (long long)trial, (long long)unit->counts[t].images,
                              (long long)unit->evaluated[t]);
        if (outcome)
            outcome += unit->evaluated[t];
    }
    if (ready)
        status = finish(unit, state, err);
done:
    return status;
}
