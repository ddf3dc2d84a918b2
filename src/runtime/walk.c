#include "runtime/walk.h"

#include <string.h>

#include "base/fail.h"

enum { MOST_IMAGES = 4096 };

extern const stoic_store_kernels stoic_store_kernels_portable;
extern const stoic_byte_kernels stoic_byte_kernels_portable;
extern const stoic_run_loops stoic_run_loops_portable;

stoic_run_facts stoic_run_facts_of(const stoic_stw *file) {
    const stoic_stw_value *in = &file->values[file->head->input];
    stoic_run_facts out = {
        .input = (int64_t)stoic_stw_elements(in),
        .classes = (int64_t)stoic_stw_elements(&file->values[file->head->output]),
        .channels = (int)in->channels,
        .height = in->rank == 3 ? (int)in->height : 0,
        .width = in->rank == 3 ? (int)in->width : 0,
        .words_at = (int64_t)file->head->words_at,
        .words_bytes = (int64_t)file->head->words_bytes,
        .tensors = (int)file->head->n_tensors,
        .model = file->texts + file->head->model_text,
        .store = file->texts + file->head->store_text,
    };
    out.calibrated = file->head->version == STOIC_STW_CALIBRATED;
    for (uint32_t i = 0; i < file->head->n_tensors; i++) {
        const stoic_stw_tensor *t = &file->tensors[i];
        out.weights += t->packed ? (int64_t)t->weights : 0;
        out.stored_bits += t->packed ? (int64_t)t->stored_bits : 0;
    }
    return out;
}

stoic_status stoic_run_look(const void *file, uint64_t bytes, const char *name,
                            stoic_run_facts *out, stoic_error *err) {
    stoic_stw stw;
    stoic_status status = stoic_stw_open(file, bytes, name, &stw, err);
    if (status == STOIC_OK)
        *out = stoic_run_facts_of(&stw);
    return status;
}

/* ---- memory ---- */

static uint64_t take(uint64_t *end, uint64_t bytes) {
    const uint64_t at = *end;
    *end = (at + bytes + 63) / 64 * 64;
    return at;
}

/* Sums stay far below 2^64: there are at most 4096 images and 1024 values of 2^24 floats. */
static stoic_run_plan plan_of(const stoic_stw *file, int batch, bool integers, bool helper) {
    const stoic_stw_header *h = file->head;
    stoic_run_plan plan = {0};
    uint64_t floats = 0, places[STOIC_STW_MOST];
    bool pairs = false;
    for (uint32_t i = 0; i < h->n_tensors; i++)
        pairs = pairs || file->tensors[i].code == STOIC_STW_PARITY64;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const stoic_stw_node *node = &file->nodes[i];
        uint64_t padded = 0, n;
        if (integers && (node->op == STOIC_STW_CONV || node->op == STOIC_STW_GEMM))
            n = stoic_run_integer_bytes(file, node, batch) / sizeof(float);
        else
            n = stoic_run_scratch(file, node, &padded);
        floats = n > floats ? n : floats;
        plan.padded_floats = padded > plan.padded_floats ? padded : plan.padded_floats;
    }
    floats = (floats + 15) / 16 * 16;
    plan.scratch_bytes = floats * sizeof(float);
    take(&plan.end, sizeof(stoic_run));
    plan.tensors = take(&plan.end, h->n_tensors * sizeof(stoic_stored));
    plan.pairs = take(&plan.end, pairs ? sizeof(stoic_pair_code) : 0);
    plan.places = take(&plan.end, STOIC_STW_MOST * sizeof(uint64_t));
    if (helper) { /* works on the first's */
        plan.scratch = take(&plan.end, plan.scratch_bytes);
        return plan;
    }
    plan.scratch = take(&plan.end, plan.scratch_bytes + (uint64_t)batch * plan.padded_floats * 4);
    plan.values = take(&plan.end, (uint64_t)batch * stoic_run_place(file, places) * 4);
    return plan;
}

static stoic_status check_call(const char *name, int batch, stoic_activations activations,
                               stoic_error *err) {
    if (activations != STOIC_FP32_ACTIVATIONS && activations != STOIC_INT8_ACTIVATIONS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "activations that there are not");
    if (batch < 1 || batch > MOST_IMAGES)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "%d images at once: expected 1 to %d",
                          batch, MOST_IMAGES);
    return STOIC_OK;
}

/* Everything a run needs of the file. */
static stoic_status open_for(const void *file, uint64_t bytes, const char *name, int batch,
                             stoic_activations activations, stoic_stw *out, stoic_error *err) {
    stoic_status status = check_call(name, batch, activations, err);
    if (status == STOIC_OK)
        status = stoic_stw_open(file, bytes, name, out, err);
    if (status == STOIC_OK && activations == STOIC_INT8_ACTIVATIONS)
        status = stoic_run_integers_check(out, name, true, err);
    return status;
}

stoic_status stoic_run_memory(const void *file, uint64_t bytes, const char *name, int batch,
                              stoic_activations activations, uint64_t *out, stoic_error *err) {
    stoic_stw stw;
    stoic_status status = open_for(file, bytes, name, batch, activations, &stw, err);
    if (status == STOIC_OK)
        *out = plan_of(&stw, batch, activations == STOIC_INT8_ACTIVATIONS, false).end;
    return status;
}

static void bind(stoic_run *run, const uint8_t *words, uint8_t *memory) {
    const stoic_stw *file = &run->file;
    for (int i = 0; i <= STOIC_SECDED_IN_PLACE; i++)
        stoic_secded_fill(&run->tables.secded[i], (stoic_secded_shape)i);
    if (run->plan.places - run->plan.pairs >= sizeof(stoic_pair_code)) {
        run->tables.pairs = (void *)(memory + run->plan.pairs);
        stoic_pair_code_fill(run->tables.pairs);
    }
    run->tensors = (void *)(memory + run->plan.tensors);
    for (uint32_t i = 0; i < file->head->n_tensors; i++)
        stoic_stored_bind(file, i, words, &run->tables, &run->tensors[i]);
    run->places = (void *)(memory + run->plan.places);
    stoic_run_place(file, run->places);
    run->scratch = (void *)(memory + run->plan.scratch);
    run->padded = run->scratch + run->plan.scratch_bytes / sizeof(float);
    run->values = (void *)(memory + run->plan.values);
}

stoic_status stoic_run_start_with(const stoic_run_set *set, const void *file, uint64_t bytes,
                                  const char *name, const void *words, int batch,
                                  stoic_activations activations, void *memory,
                                  uint64_t memory_bytes, stoic_run **out, stoic_error *err) {
    stoic_stw stw;
    stoic_run *run = memory;
    const bool integers = activations == STOIC_INT8_ACTIVATIONS;
    stoic_status status = open_for(file, bytes, name, batch, activations, &stw, err);
    *out = NULL;
    if (status != STOIC_OK)
        return status;
    const stoic_run_plan plan = plan_of(&stw, batch, integers, false);
    if (memory_bytes < plan.end || (uintptr_t)memory % 64 != 0)
        return stoic_fail(err, STOIC_ERR_MEMORY, name,
                          "a run needs %llu bytes at a multiple of 64, was given %llu",
                          (unsigned long long)plan.end, (unsigned long long)memory_bytes);
    memset(run, 0, sizeof *run);
    run->file = stw;
    run->set = *set;
    run->plan = plan;
    run->batch = batch;
    run->integers = integers;
    run->words = words ? words : stw.bytes + stw.head->words_at;
    run->party = (stoic_run_party){.first = run, .members = 1};
    bind(run, run->words, memory);
    *out = run;
    return STOIC_OK;
}

stoic_status stoic_run_start(const void *file, uint64_t bytes, const char *name, const void *words,
                             int batch, stoic_activations activations, void *memory,
                             uint64_t memory_bytes, stoic_run **out, stoic_error *err) {
    const stoic_run_set set = {&stoic_store_kernels_portable, &stoic_byte_kernels_portable,
                               &stoic_run_loops_portable};
    return stoic_run_start_with(&set, file, bytes, name, words, batch, activations, memory,
                                memory_bytes, out, err);
}

/* ---- walking together ---- */

uint64_t stoic_run_helper_memory(const stoic_run *first) {
    return plan_of(&first->file, first->batch, first->integers, true).end;
}

stoic_run *stoic_run_start_helper(const stoic_run *first, void *memory) {
    stoic_run *run = memory;
    memset(run, 0, sizeof *run);
    run->file = first->file;
    run->set = first->set;
    run->batch = first->batch;
    run->integers = first->integers;
    run->words = first->words;
    run->plan = plan_of(&first->file, first->batch, first->integers, true);
    bind(run, run->words, memory);
    run->padded = first->padded;
    run->values = first->values;
    return run;
}

void stoic_run_join(stoic_run *run, const stoic_run_party *party) {
    run->party = *party;
}

void stoic_run_meet(const stoic_run *run) {
    if (run->party.members > 1)
        run->party.meet(run->party.user);
}

/* Where the share of member `member` begins; the first member has one if anybody has. */
static int64_t share_of(const stoic_run *run, int member, int64_t n, int64_t size, int per) {
    int64_t at = (n * member + run->party.members - 1) / run->party.members;
    while (at < n && at * size % per != 0)
        at++;
    return at;
}

void stoic_run_share(const stoic_run *run, int64_t n, int64_t size, int per, int64_t *first,
                     int64_t *last) {
    const int member = run->party.member;
    *first = member == 0 ? 0 : share_of(run, member, n, size, per);
    *last = member == run->party.members - 1 ? n : share_of(run, member + 1, n, size, per);
}

/* ---- the walk ---- */

const float *stoic_run_in(const stoic_run *run, uint32_t value, int i) {
    const int64_t size = (int64_t)stoic_stw_elements(&run->file.values[value]);
    if (value == run->file.head->input)
        return run->images + i * size;
    return run->values + run->places[value] * (uint64_t)run->batch + i * size;
}

float *stoic_run_out(const stoic_run *run, uint32_t value, int i) {
    const int64_t size = (int64_t)stoic_stw_elements(&run->file.values[value]);
    return run->values + run->places[value] * (uint64_t)run->batch + i * size;
}

static void forget(stoic_run *run) {
    for (uint32_t i = 0; i < run->file.head->n_tensors; i++)
        run->tensors[i].told = (stoic_reading){0};
}

/* Did a tensor whose store reports it hold a word beyond repair? */
static bool is_due(const stoic_run *run) {
    for (uint32_t i = 0; i < run->file.head->n_tensors; i++) {
        const stoic_stored *s = &run->tensors[i];
        if (s->record->packed && s->record->due == 2 && s->told.detected > 0)
            return true;
    }
    return false;
}

static void see(const stoic_run *run, const stoic_stw_node *node, stoic_range *range) {
    const int64_t size = (int64_t)stoic_stw_elements(&run->file.values[node->in[0]]);
    for (int i = 0; i < run->n; i++)
        run->set.words->range(stoic_run_in(run, node->in[0], i), size, range);
}

static void walk(stoic_run *run, const float *images, int n) {
    run->images = images;
    run->n = n;
    forget(run);
    for (uint32_t i = 0; i < run->file.head->n_nodes; i++) {
        const stoic_stw_node *node = &run->file.nodes[i];
        const bool product = node->op == STOIC_STW_CONV || node->op == STOIC_STW_GEMM;
        if (product && run->seen)
            see(run, node, &run->seen[i]);
        if (product && run->integers)
            stoic_run_integers(run, node);
        else if (node->op == STOIC_STW_CONV)
            stoic_run_conv(run, node);
        else if (node->op == STOIC_STW_GEMM)
            stoic_run_gemm(run, node);
        else
            stoic_run_local(run, node);
        stoic_run_meet(run);
    }
}

stoic_status stoic_run_images(stoic_run *run, const float *images, int n, float *outputs, bool *due,
                              stoic_error *err) {
    const stoic_stw_header *h = run->file.head;
    if (n < 1 || n > run->batch)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%d images for a run of 1 to %d", n,
                          run->batch);
    walk(run, images, n);
    const size_t classes = (size_t)stoic_stw_elements(&run->file.values[h->output]);
    memcpy(outputs, stoic_run_in(run, h->output, 0), (size_t)n * classes * sizeof *outputs);
    if (due)
        *due = is_due(run);
    return STOIC_OK;
}

void stoic_run_help(stoic_run *run, const float *images, int n, bool *due) {
    walk(run, images, n);
    *due = is_due(run);
}

void stoic_run_counts(const stoic_run *run, int tensor, stoic_run_count *out) {
    const stoic_stored *s = &run->tensors[tensor];
    *out = (stoic_run_count){.name = run->file.texts + s->record->name_text,
                             .layer = s->record->layer,
                             .corrected = s->told.corrected,
                             .detected = s->told.detected};
}

void stoic_run_scrub(stoic_run *run, void *words) {
    const stoic_stw *file = &run->file;
    forget(run);
    for (uint32_t i = 0; i < file->head->n_tensors; i++) {
        const stoic_stw_tensor *t = &file->tensors[i];
        if (t->packed)
            stoic_stored_scrub(&run->tensors[i],
                               (void *)((uint8_t *)words + (t->at - file->head->words_at)));
    }
}
