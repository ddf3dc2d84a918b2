#include "campaign/engine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "base/pool.h"
#include "campaign/engine_parts.h"

typedef stoic_engine_worker worker;
typedef stoic_edit_list edit_list;

/* ---- creation ---- */

static stoic_status make_block(worker *w, int64_t first, int64_t count, bool fill,
                               stoic_block **out, stoic_error *err);
static stoic_status draw(worker *w, int64_t trial, const edit_list **out, stoic_error *err);

/* Multiply-adds of a unit: an eighth of a second or so on one core of 2020's. */
static const int64_t unit_macs = 7500000000;

static int64_t macs_of(const stoic_model *model) {
    int64_t macs = stoic_model_macs(model);
    return macs < 10000 ? 10000 : macs;
}

static int64_t block_for(int64_t macs) {
    int64_t block = unit_macs / 16 / macs / STOIC_LANES * STOIC_LANES;
    return block < STOIC_LANES ? STOIC_LANES : block > 512 ? 512 : block;
}

/* Where all bits of a weight follow each other, intervals and limits leave few images to run:
 * larger units, of whole weights. */
static stoic_design sweeping(int64_t macs, int64_t images) {
    enum { MOST_MACS = 4000000, BLOCK = 1024 };
    bool small = macs <= MOST_MACS;
    return (stoic_design){.chunk = small ? STOIC_DRAWN_TRIALS : 64,
                          .block = small ? BLOCK : block_for(macs),
                          .images = images};
}

stoic_design stoic_engine_design(const stoic_model *model, int64_t images, int64_t images_per_trial,
                                 bool stored, bool swept) {
    int64_t macs = macs_of(model), block = block_for(macs);
    int64_t chunk = unit_macs / block / macs;
    if (swept && images_per_trial == 0 && macs < unit_macs / 1024)
        return sweeping(macs, images);
    chunk = chunk < 1 ? 1 : chunk > 64 ? 64 : chunk;
    if (images_per_trial > 0 && stored) /* few images of a block are used: more trials make a unit
                                           worth it */
        chunk = 1024;
    if (images_per_trial > 0 && !stored) { /* each pass by itself: no need to go by blocks */
        block = images;
        chunk = unit_macs / images_per_trial / macs;
        chunk = chunk < 1 ? 1 : chunk > 1024 ? 1024 : chunk;
    }
    return (stoic_design){
        .chunk = chunk, .block = block, .images = images, .images_per_trial = images_per_trial};
}

/* To keep an image's golden values costs more than what one pass saves by them. */
static bool worth_keeping(const stoic_engine *e) {
    enum { DEFAULT_TRIALS = 100 };
    int64_t trials = e->options.trials > 0 ? e->options.trials : DEFAULT_TRIALS;
    return !e->single || e->options.margin > 0.0 ||
           trials / 2 >= e->design.images / e->design.images_per_trial;
}

/* Blocks are shared by all workers when all of them fit into the memory allowed. */
static stoic_status plan_blocks(stoic_engine *e, stoic_error *err) {
    e->n_blocks = (e->design.images + e->grain - 1) / e->grain;
    int64_t memory = e->options.memory > 0 ? e->options.memory : stoic_memory_available() / 2;
    /* values once in memory order, and for faults in stored bits once side by side and as much
     * again for bounds, and intervals */
    int64_t image = stoic_block_bytes(e->program);
    if (e->stored)
        image = image * 3 + stoic_line_bytes(e->program);
    int64_t needed = image * e->design.images;
    if (needed > memory || e->whole || !worth_keeping(e))
        return STOIC_OK;
    e->blocks = calloc((size_t)e->n_blocks, sizeof *e->blocks);
    return e->blocks ? STOIC_OK
                     : stoic_fail_memory(err, "blocks", (unsigned long long)e->n_blocks * 8);
}

static int64_t block_images(const stoic_engine *e, int64_t first) {
    int64_t left = e->design.images - first;
    return left < e->grain ? left : e->grain;
}

/* Labels, classes and hits of images whose outputs are known. */
static void judge_golden(stoic_engine *e, int64_t first, int64_t count) {
    stoic_golden_outputs *g = &e->outputs;
    for (int64_t i = first; i < first + count; i++) {
        bool nan;
        g->labels[i] = stoic_dataset_label(e->data, i);
        e->top1[i] = (uint16_t)stoic_top1(g->values + i * g->classes, g->classes, &nan);
        g->nan[i] = nan && !g->alarm[i];
        e->hits[i] = e->top1[i] == g->labels[i] && !g->alarm[i] &&
                     !(nan && e->options.nan_rule == STOIC_NAN_STRICT);
    }
}

/* Golden outputs of one block's images; the block itself where it is to be kept. */
static stoic_status run_block(worker *w, int64_t index, stoic_error *err) {
    stoic_engine *e = w->engine;
    stoic_golden_outputs *g = &e->outputs;
    int64_t first = index * e->grain, count = block_images(e, first);
    float *outputs = g->values + first * g->classes;
    stoic_status status;
    if (e->blocks) {
        stoic_block *b = NULL;
        TRY(make_block(w, first, count, true, &b, err));
        e->blocks[index] = b;
        stoic_session_unpack(e->program, e->program->output, b->golden[e->program->output], count,
                             outputs);
        for (int64_t i = 0; i < count; i++)
            g->alarm[first + i] = e->program->alarm >= 0 && b->golden[e->program->alarm][i] != 0;
    } else {
        TRY(stoic_dataset_read(e->data, first, count, w->images, w->labels, err));
        TRY(stoic_session_run_watched(stoic_faulty_session(w->faulty), w->images, count, outputs,
                                      g->alarm + first, err));
    }
    judge_golden(e, first, count);
done:
    return status;
}

typedef struct golden_pass {
    stoic_engine *engine;
    atomic_llong next;
    atomic_int status;
    stoic_error error; /* of the worker that failed first */
} golden_pass;

static stoic_status golden_blocks(golden_pass *pass, worker *w, stoic_error *err) {
    stoic_engine *e = pass->engine;
    while (atomic_load(&pass->status) == STOIC_OK) {
        int64_t index = atomic_fetch_add(&pass->next, 1);
        if (index >= e->n_blocks)
            return STOIC_OK;
        if (stoic_stop_asked(e->options.cancel))
            return stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped");
        stoic_status status = run_block(w, index, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

static void golden_worker(int index, void *user) {
    golden_pass *pass = user;
    stoic_error error = {0};
    void *state = NULL;
    stoic_status status = stoic_engine_worker_open(pass->engine, index, &state, &error);
    if (status == STOIC_OK)
        status = golden_blocks(pass, state, &error);
    stoic_engine_worker_close(state);
    int none = STOIC_OK;
    if (status != STOIC_OK && atomic_compare_exchange_strong(&pass->status, &none, (int)status))
        pass->error = error;
}

/* The network without faults on every image; blocks that fit are kept for the workers. */
static stoic_status run_golden(stoic_engine *e, stoic_error *err) {
    int64_t n = e->design.images, classes = stoic_model_classes(e->model);
    stoic_golden_outputs *g = &e->outputs;
    *g = (stoic_golden_outputs){.classes = classes, .nan_rule = e->options.nan_rule};
    if (classes > UINT16_MAX)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "more than 65535 classes");
    g->values = malloc((size_t)(n * classes) * sizeof *g->values);
    g->labels = malloc((size_t)n * sizeof *g->labels);
    g->nan = malloc((size_t)n * sizeof *g->nan);
    g->alarm = malloc((size_t)n * sizeof *g->alarm);
    g->top1 = e->golden.top1 = e->top1 = malloc((size_t)n * sizeof *e->top1);
    g->hits = e->golden.hits = e->hits = malloc((size_t)n * sizeof *e->hits);
    stoic_digest *digest = stoic_digest_create();
    golden_pass pass = {.engine = e};
    stoic_status status;
    if (!g->values || !g->labels || !e->top1 || !e->hits || !g->nan || !g->alarm || !digest) {
        status = stoic_fail_memory(err, "golden outputs", (unsigned long long)(n * classes * 4));
        goto done;
    }
    TRY(stoic_pool_run(e->options.threads > 0 ? e->options.threads : stoic_cpu_count(),
                       golden_worker, &pass, err));
    status = (stoic_status)atomic_load(&pass.status);
    if (status != STOIC_OK) {
        if (err)
            *err = pass.error;
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        e->golden.correct += e->hits[i];
    stoic_digest_add(digest, g->values, (size_t)(n * classes) * sizeof(float));
    e->golden.images = n;
done:
    if (digest)
        stoic_digest_finish(digest, e->golden.digest);
    return status;
}

/* Trials of their own chunk have many edits: does the first change all of the network? */
static stoic_status look_at_first(stoic_engine *e, stoic_error *err) {
    void *state = NULL;
    const edit_list *drawn;
    stoic_status status = STOIC_OK;
    if (e->transient || e->n_faults == 0 || e->design.chunk > 1 || e->design.images_per_trial > 0)
        return STOIC_OK;
    TRY(stoic_engine_worker_open(e, 0, &state, err));
    worker *w = state;
    TRY(draw(w, 0, &drawn, err));
    e->whole = stoic_faulty_whole(w->faulty);
done:
    stoic_engine_worker_close(state);
    return status;
}

/* The order of sums was found on random images; these are the ones that count. */
static stoic_status confirm_chains(stoic_engine *e, stoic_error *err) {
    void *state = NULL;
    stoic_block *b = NULL;
    int64_t count = block_images(e, 0);
    stoic_status status = STOIC_OK;
    if (!e->chains)
        return STOIC_OK;
    TRY(stoic_engine_worker_open(e, 0, &state, err));
    worker *w = state;
    TRY(make_block(w, 0, count < STOIC_LANES ? count : STOIC_LANES, true, &b, err));
    TRY(stoic_chains_confirm(e->chains, stoic_faulty_session(w->faulty), b->golden, b->count, err));
done:
    stoic_block_free(b);
    stoic_engine_worker_close(state);
    return status;
}

stoic_status stoic_engine_create(const stoic_model *model, const stoic_dataset *data,
                                 const stoic_store *store, stoic_fault *const *faults,
                                 size_t n_faults, const stoic_transient *transient,
                                 const stoic_campaign_options *options, const stoic_design *design,
                                 stoic_engine **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_engine *e = calloc(1, sizeof *e);
    if (!e)
        return stoic_fail_memory(err, "an engine", sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->memory.lock, NULL);
    e->model = model;
    e->data = data;
    e->store = store;
    e->faults = faults;
    e->n_faults = n_faults;
    e->transient = transient;
    e->options = *options;
    e->design = *design;
    e->stored = n_faults > 0 || !transient;
    e->single = !e->stored && design->images_per_trial > 0;
    e->grain = e->single ? block_for(macs_of(model)) : design->block;
    stoic_program_options program = stoic_program_options_default();
    TRY(stoic_program_compile(model, &program, &e->program, err));
    if (options->engine != STOIC_ENGINE_FULL && e->stored)
        TRY(stoic_chains_create(e->program, &e->chains, err));
    TRY(look_at_first(e, err));
    TRY(plan_blocks(e, err));
    TRY(run_golden(e, err));
    TRY(confirm_chains(e, err));
    TRY(stoic_engine_seal(e, err));
    *out = e;
    e = NULL;
done:
    stoic_engine_free(e);
    return status;
}

void stoic_engine_free(stoic_engine *e) {
    if (!e)
        return;
    stoic_engine_unseal(e);
    for (int64_t i = 0; e->blocks && i < e->n_blocks; i++)
        stoic_block_free(e->blocks[i]);
    free(e->blocks);
    free(e->outputs.values);
    free(e->outputs.labels);
    free(e->outputs.nan);
    free(e->outputs.alarm);
    free(e->top1);
    free(e->hits);
    stoic_chains_free(e->chains);
    stoic_program_free(e->program);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->memory.lock);
    free(e);
}

const stoic_golden *stoic_engine_golden(const stoic_engine *e) {
    return &e->golden;
}

const stoic_golden_outputs *stoic_engine_outputs(const stoic_engine *e) {
    return &e->outputs;
}

/* ---- workers ---- */

void stoic_engine_worker_close(void *state) {
    worker *w = state;
    if (!w)
        return;
    if (w->own)
        stoic_block_free(w->block);
    if (w->faulty) {
        const stoic_faulty_counts *c = stoic_faulty_count(w->faulty);
        if (c->rows + c->narrow + c->difference + c->line + c->beside > 0)
            stoic_log(STOIC_LOG_DEBUG,
                      "images by rows %lld, narrow %lld, difference %lld (%lld by size alone), "
                      "undecided %lld, intervals %lld, carried %lld, alike %lld, side by side %lld",
                      (long long)c->rows, (long long)c->narrow, (long long)c->difference,
                      (long long)c->small, (long long)c->again, (long long)c->line,
                      (long long)c->carried, (long long)c->alike, (long long)c->beside);
    }
    stoic_faulty_free(w->faulty);
    stoic_pass_queue_free(w->queue);
    stoic_site_drawer_deinit(&w->drawer);
    free(w->spared);
    free(w->images);
    free(w->labels);
    for (int i = 0; i < STOIC_DRAWN_TRIALS; i++)
        free(w->drawn[i].edits);
    free(w->many.edits);
    free(w->used);
    free(w);
}

stoic_status stoic_engine_worker_open(void *user, int index, void **state, stoic_error *err) {
    (void)index;
    stoic_engine *e = user;
    stoic_status status = STOIC_OK;
    worker *w = calloc(1, sizeof *w);
    if (!w)
        return stoic_fail_memory(err, "a worker", sizeof *w);
    w->engine = e;
    stoic_site_drawer_init(&w->drawer, e->store, e->faults, e->n_faults);
    int64_t size = stoic_shape_count(stoic_model_input_shape(e->model));
    bool full = e->options.engine == STOIC_ENGINE_FULL;
    w->images = malloc((size_t)(e->grain * size) * sizeof *w->images);
    w->labels = malloc((size_t)e->grain * sizeof *w->labels);
    w->spared = malloc((size_t)e->grain * sizeof *w->spared);
    w->used = calloc((size_t)e->n_blocks + 1, sizeof *w->used);
    if (!w->images || !w->labels || !w->spared || !w->used) {
        status = stoic_fail_memory(err, "images", (unsigned long long)(e->grain * size * 4));
        goto done;
    }
    TRY(stoic_faulty_create(e->program, e->chains, full, &w->faulty, err));
    bool swept = e->n_faults == 1 && stoic_fault_kind_of(e->faults[0]) == STOIC_FAULT_EXHAUSTIVE;
    if (swept)
        stoic_faulty_sweep(w->faulty);
    w->swept = swept && e->design.images_per_trial == 0 && e->design.chunk <= STOIC_DRAWN_TRIALS;
    if (e->transient)
        TRY(stoic_pass_queue_create(e->program, full, e->transient,
                                    stoic_upsets_kept(e->design.images_per_trial), &w->queue, err));
    *state = w;
    w = NULL;
done:
    stoic_engine_worker_close(w);
    return status;
}

static stoic_status make_block(worker *w, int64_t first, int64_t count, bool fill,
                               stoic_block **out, stoic_error *err) {
    stoic_status status =
        stoic_dataset_read(w->engine->data, first, count, w->images, w->labels, err);
    if (status != STOIC_OK)
        return status;
    if (!fill)
        return stoic_block_open(w->engine->program, w->images, first, (int)count, out, err);
    return stoic_block_create(stoic_faulty_session(w->faulty), w->images, first, (int)count, out,
                              err);
}

stoic_status stoic_engine_worker_block(void *state, int64_t first, int64_t count,
                                       stoic_error *err) {
    worker *w = state;
    stoic_engine *e = w->engine;
    bool all = e->options.outcomes == STOIC_OUTCOMES_ALL;
    stoic_tallying t;
    w->first = first;
    w->count = count;
    stoic_tallying_begin(&t, &e->outputs, first, count, NULL, 0, all, &w->begun, NULL);
    w->begun_digest = stoic_seal_digest(&w->begun, sizeof w->begun, 0);
    if (!e->single)
        stoic_engine_use(w, first);
    if (w->queue)
        stoic_pass_queue_clear(w->queue);
    if (e->single || (w->block && w->block->first == first && w->block->count == count))
        return STOIC_OK;
    if (!e->blocks) {
        stoic_engine_drop_block(w);
        w->own = true;
        return make_block(w, first, count, !e->whole, &w->block, err);
    }
    stoic_block **slot = &e->blocks[first / e->grain];
    pthread_mutex_lock(&e->lock);
    w->block = *slot;
    pthread_mutex_unlock(&e->lock);
    if (w->block)
        return STOIC_OK;
    stoic_block *fresh = NULL;
    stoic_status status = make_block(w, first, count, true, &fresh, err);
    if (status != STOIC_OK)
        return status;
    pthread_mutex_lock(&e->lock);
    if (*slot) /* another worker was faster; both computed the same bytes */
        stoic_block_free(fresh);
    else
        *slot = fresh;
    w->block = *slot;
    pthread_mutex_unlock(&e->lock);
    return STOIC_OK;
}

/* The hits of all faults as edits of weights. */
static stoic_status draw(worker *w, int64_t trial, const edit_list **out, stoic_error *err) {
    edit_list *list = &w->drawn[trial % STOIC_DRAWN_TRIALS];
    *out = list->trial == trial + 1 ? list : &w->many;
    if ((*out)->trial == trial + 1)
        return STOIC_OK;
    size_t n;
    stoic_status status;
    TRY(stoic_site_drawer_hits(&w->drawer, trial, &n, err));
    const bool many = n >= STOIC_MANY_EDITS;
    list = many ? &w->many : list;
    *out = list;
    stoic_engine_drop_list(w, list);
    list->trial = 0;
    if (n > list->room) {
        stoic_edit *edits = realloc(list->edits, n * sizeof *edits);
        if (!edits)
            return stoic_fail_memory(err, "edits", n * sizeof *edits);
        list->edits = edits;
        list->room = n;
    }
    if (n)
        memcpy(list->edits, w->drawer.edits, n * sizeof *list->edits);
    list->n = n;
    list->due = w->drawer.decoded.due;
    if (many && !w->engine->transient)
        TRY(stoic_faulty_hold(w->faulty, list->edits, n, err));
    list->trial = trial + 1;
    list->digest = stoic_edit_list_digest(list);
done:
    return status;
}

/* One more pass, if the fault hits the image at all. */
static stoic_status add_pass(worker *w, int64_t image, bool *hit, stoic_error *err) {
    stoic_engine *e = w->engine;
    stoic_status status = stoic_pass_queue_draw(w->queue, image, hit, err);
    if (status != STOIC_OK || !*hit)
        return status;
    const stoic_block *block = e->single && e->blocks ? e->blocks[image / e->grain] : w->block;
    stoic_engine_use(w, image);
    if (!block)
        TRY(stoic_dataset_read(e->data, image, 1, w->images, w->labels, err));
    TRY(stoic_pass_queue_add(w->queue, block, w->images, err));
    if (stoic_pass_queue_full(w->queue))
        status = stoic_pass_queue_run(w->queue, stoic_faulty_session(w->faulty), err);
done:
    return status;
}

/* Faulty weights stay while the trial's own passes run; what is left are images that only the
 * weights change. */
static stoic_status transient_trial(worker *w, int64_t trial, const edit_list *drawn,
                                    const stoic_tallying *begun, const stoic_sink *sink,
                                    stoic_error *err) {
    stoic_session *session = stoic_faulty_session(w->faulty);
    stoic_status status = STOIC_OK;
    stoic_tallying *t;
    bool hit;
    int spared = 0;
    TRY(stoic_pass_queue_trial(w->queue, trial, begun, &t, err));
    TRY(stoic_session_edit(session, drawn->edits, drawn->n, err));
    for (int64_t k = 0; k < t->n; k++) {
        int32_t offset = t->images ? t->images[k] : (int32_t)k;
        TRY(add_pass(w, t->first + offset, &hit, err));
        if (!hit && drawn->n)
            w->spared[spared++] = offset;
    }
    if (drawn->n == 0)
        goto done; /* the passes wait for those of other trials */
    TRY(stoic_pass_queue_run(w->queue, session, err));
    stoic_session_restore(session);
    if (spared)
        status = stoic_faulty_run(w->faulty, w->block, w->spared, spared, drawn->edits, drawn->n,
                                  sink, err);
done:
    return status;
}

/* Where all bits of a weight follow each other: what those of this chunk will make of the weight of
 * the first. */
static stoic_status expect(worker *w, int64_t trial, const edit_list *drawn, stoic_error *err) {
    stoic_edit edits[STOIC_EXPECTED];
    const stoic_edit *first = drawn->edits;
    const edit_list *next = drawn;
    int64_t chunk = w->engine->design.chunk, end = (trial / chunk + 1) * chunk;
    int64_t trials = stoic_fault_trials(w->engine->faults[0]);
    stoic_status status = STOIC_OK;
    size_t n = 0;
    if (stoic_faulty_expects(w->faulty, first))
        return STOIC_OK;
    end = end < trials ? end : trials;
    for (; trial < end && n < STOIC_EXPECTED; trial++) {
        TRY(draw(w, trial, &next, err));
        if (next->n != 1 || next->due || next->edits[0].tensor != first->tensor ||
            next->edits[0].index != first->index)
            break;
        edits[n++] = next->edits[0];
    }
    stoic_faulty_expect(w->faulty, edits, n);
done:
    return status;
}

static stoic_status worker_trial(void *state, int64_t trial, const int32_t *images,
                                 int64_t n_images, stoic_counts *counts, uint8_t *outcome,
                                 stoic_error *err) {
    worker *w = state;
    stoic_engine *e = w->engine;
    const edit_list nothing = {0}, *drawn = &nothing;
    stoic_status status = e->n_faults ? draw(w, trial, &drawn, err) : STOIC_OK;
    if (status != STOIC_OK)
        return status;
    stoic_engine_flip(w, drawn);
    bool all = e->options.outcomes == STOIC_OUTCOMES_ALL;
    stoic_tallying t;
    if (n_images == 0 && !outcome)
        stoic_tallying_again(&t, &e->outputs, w->first, all, &w->begun, counts);
    else
        stoic_tallying_begin(&t, &e->outputs, w->first, w->count, n_images > 0 ? images : NULL,
                             n_images, all, counts, outcome);
    stoic_sink sink = {&t, stoic_tallying_output, all ? NULL : stoic_tallying_top1, !all};
    if (drawn->due)
        stoic_tallying_due(&t);
    if (e->transient && !drawn->due)
        return transient_trial(w, trial, drawn, &t, &sink, err);
    if (drawn->due || drawn->n == 0)
        return STOIC_OK;
    if (w->swept && drawn->n == 1 && (status = expect(w, trial, drawn, err)) != STOIC_OK)
        return status;
    return stoic_faulty_run(w->faulty, w->block, n_images > 0 ? images : NULL, (int)n_images,
                            drawn->edits, drawn->n, &sink, err);
}

stoic_status stoic_engine_worker_edits(void *state, const stoic_edit *edits, size_t n_edits,
                                       stoic_counts *counts, stoic_error *err) {
    worker *w = state;
    stoic_tallying t;
    stoic_tallying_begin(&t, &w->engine->outputs, w->first, w->count, NULL, 0, false, counts, NULL);
    const stoic_sink sink = {&t, stoic_tallying_output, stoic_tallying_top1, true};
    if (n_edits == 0)
        return STOIC_OK;
    return stoic_faulty_run(w->faulty, w->block, NULL, 0, edits, n_edits, &sink, err);
}

stoic_status stoic_engine_worker_outputs(void *state, const stoic_edit *edits, size_t n_edits,
                                         const stoic_sink *sink, stoic_error *err) {
    worker *w = state;
    return stoic_faulty_run(w->faulty, w->block, NULL, 0, edits, n_edits, sink, err);
}

static stoic_status worker_finish(void *state, const stoic_upset_list **upsets, stoic_error *err) {
    worker *w = state;
    *upsets = w->queue ? stoic_pass_queue_upsets(w->queue) : NULL;
    return w->queue ? stoic_pass_queue_run(w->queue, stoic_faulty_session(w->faulty), err)
                    : STOIC_OK;
}

void stoic_engine_worker_api(stoic_engine *e, stoic_worker_api *out) {
    *out = (stoic_worker_api){e,
                              stoic_engine_worker_open,
                              stoic_engine_worker_close,
                              stoic_engine_worker_block,
                              worker_trial,
                              worker_finish,
                              stoic_engine_check_own,
                              stoic_engine_check_shared};
}
