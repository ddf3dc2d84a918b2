/*
 * The engine's memory against itself. What is complete is sealed (base/seal.h); trials count once
 * everything they used was found as it was then. Each worker checks what is its own: its copy of
 * the weights, its block, the faults it drew. What all share is checked by whoever commits.
 *
 * A bit that flips and stays flipped is noticed so. What is written anew for every trial (sums on
 * their way, counts) is not sealed, nor are code, stack and what oneDNN keeps inside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/engine_parts.h"
#include "fault/fault_seal.h"
#include "store/store_seal.h"

typedef stoic_engine_worker worker;
typedef stoic_edit_list edit_list;

/* ---- sealing ---- */

static int64_t images_of(const stoic_engine *e, int64_t block, int64_t *first) {
    *first = block * e->grain;
    int64_t left = e->design.images - *first;
    return left < e->grain ? left : e->grain;
}

static uint64_t outputs_digest(const stoic_engine *e, int64_t block) {
    const stoic_golden_outputs *g = &e->outputs;
    int64_t first, count = images_of(e, block, &first);
    size_t n = (size_t)count;
    uint64_t d = stoic_seal_digest(g->values + first * g->classes,
                                   n * (size_t)g->classes * sizeof *g->values, 0);
    d = stoic_seal_digest(g->labels + first, n * sizeof *g->labels, d);
    d = stoic_seal_digest(g->nan + first, n * sizeof *g->nan, d);
    d = stoic_seal_digest(g->alarm + first, n * sizeof *g->alarm, d);
    d = stoic_seal_digest(e->top1 + first, n * sizeof *e->top1, d);
    return stoic_seal_digest(e->hits + first, n * sizeof *e->hits, d);
}

static void read_flip(stoic_flip *flip);

stoic_status stoic_engine_seal(stoic_engine *e, stoic_error *err) {
    stoic_engine_memory *m = &e->memory;
    stoic_status status;
    size_t blocks = (size_t)e->n_blocks;
    m->outputs = calloc(blocks + 1, sizeof *m->outputs);
    m->used = calloc(blocks + 1, sizeof *m->used);
    if (!m->outputs || !m->used)
        return stoic_fail_memory(err, "digests of memory", blocks * 9);
    TRY(stoic_program_seal(e->program, &m->weights, &m->plan, err));
    if (e->chains)
        TRY(stoic_chains_seal(e->chains, &m->weights, &m->plan, err));
    for (size_t i = 0; i < e->n_faults; i++)
        TRY(stoic_fault_seal(e->faults[i], &m->faults, err));
    if (e->n_faults)
        TRY(stoic_store_seal(e->store, &m->weights, err));
    m->constants = stoic_seal_digest(e->program->constant_base,
                                     (size_t)e->program->constants * sizeof(float), 0);
    for (int64_t b = 0; b < e->n_blocks; b++)
        m->outputs[b] = outputs_digest(e, b);
    read_flip(&m->flip);
done:
    return status;
}

void stoic_engine_unseal(stoic_engine *e) {
    stoic_engine_memory *m = &e->memory;
    stoic_seals_deinit(&m->weights);
    stoic_seals_deinit(&m->plan);
    stoic_seals_deinit(&m->faults);
    free(m->outputs);
    free(m->used);
}

uint64_t stoic_edit_list_digest(const edit_list *list) {
    uint64_t rest = (uint64_t)list->trial ^ (uint64_t)list->due << 63;
    return stoic_seal_digest(list->edits, list->n * sizeof *list->edits, rest);
}

/* ---- checking ---- */

static stoic_status changed(stoic_error *err, const char *what) {
    return stoic_fail(err, STOIC_ERR_CORRUPT, "",
                      "%s changed in memory: nothing measured since the last check is kept", what);
}

static stoic_status images_changed(const stoic_engine *e, const char *what, int64_t block,
                                   stoic_error *err) {
    int64_t first, count = images_of(e, block, &first);
    char text[96];
    snprintf(text, sizeof text, "%s of images %lld to %lld", what, (long long)first,
             (long long)(first + count - 1));
    return changed(err, text);
}

static stoic_status check_list(const edit_list *list, stoic_error *err) {
    char text[64];
    if (list->trial == 0 || stoic_edit_list_digest(list) == list->digest)
        return STOIC_OK;
    snprintf(text, sizeof text, "the fault of trial %lld", (long long)(list->trial - 1));
    return changed(err, text);
}

static stoic_status check_block(const worker *w, stoic_error *err) {
    if (!w->own || !w->block || stoic_block_intact(w->block))
        return STOIC_OK;
    return images_changed(w->engine, "golden values", w->block->first / w->engine->grain, err);
}

static void note(worker *w, stoic_status status, const stoic_error *error) {
    if (status == STOIC_OK || w->spoiled)
        return;
    w->spoiled = true;
    w->spoiled_by = *error;
}

void stoic_engine_drop_list(worker *w, const edit_list *list) {
    stoic_error error;
    note(w, check_list(list, &error), &error);
}

void stoic_engine_drop_block(worker *w) {
    stoic_error error;
    note(w, check_block(w, &error), &error);
    if (w->own)
        stoic_block_free(w->block);
    w->block = NULL;
}

stoic_status stoic_engine_check_own(void *state, stoic_error *err) {
    worker *w = state;
    stoic_engine *e = w->engine;
    stoic_status status;
    if (w->spoiled) {
        if (err)
            *err = w->spoiled_by;
        return STOIC_ERR_CORRUPT;
    }
    if (!stoic_faulty_intact(w->faulty, e->memory.constants))
        return changed(err, "a worker's copy of the weights");
    if (w->count > 0 && stoic_seal_digest(&w->begun, sizeof w->begun, 0) != w->begun_digest)
        return images_changed(e, "golden counts", w->first / e->grain, err);
    TRY(check_block(w, err));
    for (int i = 0; i < STOIC_DRAWN_TRIALS; i++)
        TRY(check_list(&w->drawn[i], err));
    TRY(check_list(&w->many, err));
    for (int64_t b = 0; b < e->n_blocks; b++) {
        if (w->used[b])
            atomic_store(&e->memory.used[b], true);
        w->used[b] = false;
    }
done:
    return status;
}

static stoic_status check_shared_block(stoic_engine *e, int64_t block, stoic_error *err) {
    if (outputs_digest(e, block) != e->memory.outputs[block])
        return images_changed(e, "golden outputs and labels", block, err);
    if (!e->blocks)
        return STOIC_OK;
    pthread_mutex_lock(&e->lock);
    stoic_block *b = e->blocks[block];
    pthread_mutex_unlock(&e->lock);
    if (b && !stoic_block_intact(b))
        return images_changed(e, "golden values", block, err);
    return STOIC_OK;
}

static stoic_status check_all(stoic_engine *e, stoic_error *err) {
    stoic_engine_memory *m = &e->memory;
    stoic_status status = STOIC_OK;
    for (int64_t b = 0; b < e->n_blocks && status == STOIC_OK; b++) {
        if (atomic_exchange(&m->used[b], false))
            status = check_shared_block(e, b, err);
        if (status != STOIC_OK)
            atomic_store(&m->used[b], true); /* for whoever checks next */
    }
    if (status != STOIC_OK)
        return status;
    if (!stoic_seals_hold(&m->weights))
        return changed(err, "the weights");
    if (!stoic_seals_hold(&m->plan))
        return changed(err, "the plan of the network");
    if (!stoic_seals_hold(&m->faults))
        return changed(err, "the list of faults");
    return STOIC_OK;
}

stoic_status stoic_engine_check_shared(void *user, stoic_error *err) {
    stoic_engine *e = user;
    pthread_mutex_lock(&e->memory.lock);
    stoic_status status = check_all(e, err);
    pthread_mutex_unlock(&e->memory.lock);
    return status;
}

/* ---- a flip, for tests ---- */

static const char *const flips[] = {"",        "copy",   "weights", "plan", "fault",
                                    "outputs", "labels", "golden",  "trial"};
enum { COPY = 1, WEIGHTS, PLAN, FAULT, OUTPUTS, LABELS, GOLDEN, TRIAL, N_FLIPS };

/* STOIC_DEBUG_FLIP=WHAT:BYTE:BIT[:TRIALS]; anything else is no flip. */
static void read_flip(stoic_flip *flip) {
    const char *text = getenv("STOIC_DEBUG_FLIP");
    char what[16];
    long long byte, wait = 0;
    int bit;
    if (!text || sscanf(text, "%15[a-z]:%lld:%d:%lld", what, &byte, &bit, &wait) < 3)
        return;
    flip->byte = byte;
    flip->bit = bit;
    atomic_store(&flip->wait, wait);
    for (int i = COPY; i < N_FLIPS; i++)
        flip->what = strcmp(flips[i], what) ? flip->what : i;
}

static bool flip_images(const worker *w, int what) {
    const stoic_engine *e = w->engine;
    const stoic_golden_outputs *g = &e->outputs;
    const stoic_flip *flip = &e->memory.flip;
    int64_t first, count = images_of(e, w->first / e->grain, &first);
    const stoic_block *block = e->blocks ? e->blocks[w->first / e->grain] : w->block;
    if (what == GOLDEN)
        return block && stoic_seals_flip(&block->seals, flip->byte, flip->bit);
    if (what == LABELS)
        return stoic_seal_flip(g->labels + first, (size_t)count * sizeof *g->labels, flip->byte,
                               flip->bit);
    return stoic_seal_flip(g->values + first * g->classes,
                           (size_t)(count * g->classes) * sizeof *g->values, flip->byte, flip->bit);
}

void stoic_engine_flip_now(worker *w, const edit_list *drawn) {
    stoic_engine *e = w->engine;
    stoic_engine_memory *m = &e->memory;
    stoic_flip *flip = &m->flip;
    const stoic_seals *const seals[N_FLIPS] = {
        [WEIGHTS] = &m->weights, [PLAN] = &m->plan, [FAULT] = &m->faults};
    bool done;
    if (atomic_fetch_sub(&flip->wait, 1) != 0)
        return;
    if (flip->what == COPY)
        done = stoic_faulty_flip(w->faulty, flip->byte, flip->bit);
    else if (flip->what == TRIAL)
        done =
            stoic_seal_flip(drawn->edits, drawn->n * sizeof *drawn->edits, flip->byte, flip->bit);
    else if (seals[flip->what])
        done = stoic_seals_flip(seals[flip->what], flip->byte, flip->bit);
    else
        done = flip_images(w, flip->what);
    if (!done)
        stoic_log(STOIC_LOG_WARNING, "STOIC_DEBUG_FLIP: there is no such byte");
}
