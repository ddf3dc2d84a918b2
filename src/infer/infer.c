/* Inference from a protected weight file over a data set: threads take pieces of a batch, and
 * between batches the live store is struck and scrubbed. */
#include "infer/infer_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/team.h"
#include "model/graph.h"
#include "store/bulk.h"

extern const stoic_run_loops stoic_run_loops_portable;
extern const stoic_byte_kernels stoic_byte_kernels_portable;
#ifdef STOIC_X86
extern const stoic_run_loops stoic_run_loops_avx2, stoic_run_loops_avx512;
extern const stoic_byte_kernels stoic_byte_kernels_avx2, stoic_byte_kernels_vbmi;
#endif

/* Images a thread runs at once; of a batch of so few that all threads work on each node of it, so
 * that weights are read once. */
enum { MOST_PIECE = 32, MOST_TOGETHER = 8, ALIGN = 64 };

stoic_run_set stoic_infer_best_set(void) {
    const stoic_store_kernels *sets[3];
    const int best = stoic_store_kernels_all(sets) - 1;
    stoic_run_set set = {sets[best], &stoic_byte_kernels_portable, &stoic_run_loops_portable};
#ifdef STOIC_X86
    if (best > 0) {
        set.bytes = &stoic_byte_kernels_avx2;
        set.loops = best > 1 ? &stoic_run_loops_avx512 : &stoic_run_loops_avx2;
    }
    if (stoic_cpu_permutes_bytes())
        set.bytes = &stoic_byte_kernels_vbmi;
#endif
    return set;
}

stoic_infer_options stoic_infer_options_default(void) {
    return (stoic_infer_options){.batch = 100};
}

/* ---- the file ---- */

static stoic_status add_meta(const stoic_stw *file, stoic_builder *b, stoic_error *err) {
    const char *text = file->texts + file->head->meta_text;
    stoic_status status = STOIC_OK;
    for (uint32_t i = 0; i < file->head->n_meta && status == STOIC_OK; i++) {
        const char *value = text + strlen(text) + 1;
        status = stoic_builder_meta(b, text, value, err);
        text = value + strlen(value) + 1;
    }
    return status;
}

/* A network of the same input and output that computes next to nothing: their mean, to each class.
 */
static stoic_status make_model(const stoic_infer *infer, stoic_model **out, stoic_error *err) {
    static const char *const flat[] = {"input"}, *const mean[] = {"flat"},
                             *const gemm[] = {"mean", "classes"};
    static const char *const made[] = {"flat", "mean", "output"};
    const stoic_run_facts *f = &infer->facts;
    stoic_shape shape = {2, {1, f->channels}};
    const stoic_shape classes = {2, {1, f->classes}};
    stoic_status status = STOIC_OK;
    stoic_builder *b = NULL;
    stoic_tensor *weights = NULL;
    stoic_attr *axes = calloc(1, sizeof *axes);
    if (f->height)
        shape = (stoic_shape){4, {1, f->channels, f->height, f->width}};
    if (!axes || !stoic_attr_set_ints(axes, "axes", &(const int64_t){1}, 1)) {
        status = stoic_fail_memory(err, "a network", sizeof *axes);
        goto done;
    }
    TRY(stoic_tensor_create(STOIC_F32, &classes, &weights, err));
    memset(stoic_tensor_mutable_data(weights), 0, (size_t)f->classes * sizeof(float));
    TRY(stoic_builder_create("protected", 13, &b, err));
    TRY(stoic_builder_input(b, "input", &shape, err));
    TRY(stoic_builder_constant(b, "classes", weights, err));
    TRY(stoic_builder_node(b, "flat", &stoic_op_flatten, NULL, 0, flat, 1, &made[0], 1, err));
    status =
        stoic_builder_node(b, "mean", &stoic_op_reduce_mean, axes, 1, mean, 1, &made[1], 1, err);
    axes = NULL; /* taken over, also on failure */
    if (status != STOIC_OK)
        goto done;
    TRY(stoic_builder_node(b, "gemm", &stoic_op_gemm, NULL, 0, gemm, 2, &made[2], 1, err));
    TRY(stoic_builder_output(b, "output", err));
    TRY(add_meta(&infer->file, b, err));
    status = stoic_builder_finish(b, out, err);
    b = NULL;
done:
    stoic_builder_free(b);
    stoic_tensor_free(weights);
    if (axes)
        stoic_attrs_free(axes, 1);
    return status;
}

stoic_status stoic_infer_open(const char *path, stoic_infer **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_infer *infer = calloc(1, sizeof *infer);
    *out = NULL;
    if (!infer)
        return stoic_fail_memory(err, "a file", sizeof *infer);
    infer->path = strdup(path);
    if (!infer->path) {
        status = stoic_fail_memory(err, "a file", strlen(path));
        goto done;
    }
    TRY(stoic_file_read(path, SIZE_MAX / 2, &infer->bytes, &infer->size, err));
    TRY(stoic_stw_open(infer->bytes, infer->size, path, &infer->file, err));
    infer->facts = stoic_run_facts_of(&infer->file);
    TRY(make_model(infer, &infer->model, err));
    infer->counted = calloc((size_t)infer->facts.tensors + 1, sizeof *infer->counted);
    if (!infer->counted)
        status = stoic_fail_memory(err, "a file", (size_t)infer->facts.tensors);
done:
    if (status == STOIC_OK)
        *out = infer;
    else
        stoic_infer_free(infer);
    return status;
}

void stoic_infer_free(stoic_infer *infer) {
    if (!infer)
        return;
    stoic_model_free(infer->model);
    free(infer->counted);
    free(infer->bytes);
    free(infer->path);
    free(infer);
}

void stoic_infer_look(const stoic_infer *infer, stoic_run_facts *out) {
    *out = infer->facts;
}

const stoic_model *stoic_infer_model(const stoic_infer *infer) {
    return infer->model;
}

void stoic_infer_counts(const stoic_infer *infer, int tensor, stoic_run_count *out) {
    const stoic_stw_tensor *t = &infer->file.tensors[tensor];
    *out = infer->counted[tensor];
    out->name = infer->file.texts + t->name_text;
    out->layer = t->layer;
}

/* ---- a batch ---- */

/* What one thread has. */
typedef struct worker {
    stoic_run *run;
    void *memory;
    float *images, *outputs;
    int labels[MOST_PIECE];
    int64_t correct, nan, due;
    bool lost; /* of a share of a batch: no output is an answer */
    stoic_status status;
    stoic_error error;
} worker;

typedef struct inference {
    stoic_infer *infer;
    const stoic_dataset *data;
    const stoic_infer_options *options;
    worker *workers;
    stoic_team *team;
    int threads, piece;
    bool together;    /* threads share every node, otherwise they have pieces of their own */
    int64_t first, n; /* of the batch */
} inference;

static void *aligned(uint64_t bytes) {
    return bytes < SIZE_MAX / 2 ? aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN) : NULL;
}

/* `bytes`: what a run needs. */
static stoic_status prepare(const inference *at, worker *w, const stoic_run_set *set,
                            uint64_t bytes, stoic_error *err) {
    const stoic_infer *infer = at->infer;
    w->memory = aligned(bytes);
    w->images = calloc((size_t)at->piece, (size_t)infer->facts.input * sizeof *w->images);
    w->outputs = calloc((size_t)at->piece, (size_t)infer->facts.classes * sizeof *w->outputs);
    if (!w->memory || !w->images || !w->outputs)
        return stoic_fail_memory(err, "a run", bytes);
    return stoic_run_start_with(set, infer->bytes, infer->size, infer->path, NULL, at->piece,
                                at->options->activations, w->memory, bytes, &w->run, err);
}

static void meet(void *team) {
    stoic_team_meet(team);
}

/* Those that help the first. */
static stoic_status prepare_party(const inference *at, stoic_error *err) {
    stoic_run *first = at->workers[0].run;
    const uint64_t bytes = stoic_run_helper_memory(first);
    for (int i = 0; i < at->threads; i++) {
        worker *w = &at->workers[i];
        const stoic_run_party party = {first, i, at->threads, meet, at->team};
        if (i > 0) {
            w->memory = aligned(bytes);
            if (!w->memory)
                return stoic_fail_memory(err, "a run", bytes);
            w->run = stoic_run_start_helper(first, w->memory);
        }
        stoic_run_join(w->run, &party);
    }
    return STOIC_OK;
}

/* Outputs of images `first` to `first` + n of the data set. */
static void judge(const inference *at, worker *w, int64_t first, int n, bool due) {
    const int64_t classes = at->infer->facts.classes;
    for (int i = 0; i < n; i++) {
        bool nan;
        int top = stoic_top1(w->outputs + i * classes, classes, &nan);
        w->due += due;
        w->nan += nan;
        w->correct += !due && !nan && top == w->labels[i];
    }
    if (at->options->outputs)
        memcpy(at->options->outputs + first * classes, w->outputs,
               (size_t)(n * classes) * sizeof(float));
}

static stoic_status run_piece(const inference *at, worker *w, int64_t first, int n,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool due;
    TRY(stoic_dataset_read(at->data, first, n, w->images, w->labels, err));
    TRY(stoic_run_images(w->run, w->images, n, w->outputs, &due, err));
    judge(at, w, first, n, due);
done:
    return status;
}

/* Pieces of the batch in turn: member m takes those whose number is m modulo the threads. */
static void run_share(int member, void *user) {
    const inference *at = user;
    worker *w = &at->workers[member];
    const int64_t step = (int64_t)at->threads * at->piece;
    for (int64_t i = (int64_t)member * at->piece; i < at->n && w->status == STOIC_OK; i += step) {
        int n = at->n - i < at->piece ? (int)(at->n - i) : at->piece;
        w->status = run_piece(at, w, at->first + i, n, &w->error);
    }
}

/* The batch, of which each member does a share of every node. */
static void run_together(int member, void *user) {
    const inference *at = user;
    worker *w = &at->workers[member], *first = &at->workers[0];
    const int n = (int)at->n;
    if (member == 0)
        w->status = stoic_dataset_read(at->data, at->first, n, w->images, w->labels, &w->error);
    stoic_team_meet(at->team);
    if (first->status != STOIC_OK)
        return;
    if (member > 0)
        stoic_run_help(w->run, first->images, n, &w->lost);
    else /* does not fail: the number of images fits */
        w->status = stoic_run_images(w->run, w->images, n, w->outputs, &w->lost, &w->error);
    stoic_team_meet(at->team);
    bool due = false;
    for (int i = 0; i < at->threads; i++)
        due = due || at->workers[i].lost;
    if (member == 0)
        judge(at, w, at->first, n, due);
}

/* Every piece reads the same words and counts the same: those of the first thread count. Of a batch
 * that was run together each counts its share. */
static void count(inference *at, stoic_inference *out) {
    for (int k = 0; k < (at->together ? at->threads : 1); k++) {
        for (int i = 0; i < at->infer->facts.tensors; i++) {
            stoic_run_count told;
            stoic_run_counts(at->workers[k].run, i, &told);
            at->infer->counted[i].corrected += told.corrected;
            at->infer->counted[i].detected += told.detected;
            out->corrected += told.corrected;
            out->detected += told.detected;
        }
    }
}

static void scrub(inference *at, stoic_inference *out) {
    stoic_run *run = at->workers[0].run;
    stoic_run_scrub(run, stoic_infer_words(at->infer));
    for (int i = 0; i < at->infer->facts.tensors; i++) {
        stoic_run_count told;
        stoic_run_counts(run, i, &told);
        out->scrubbed += told.corrected;
    }
}

static stoic_status run_batches(inference *at, stoic_inference *out, stoic_error *err) {
    const stoic_infer_options *o = at->options;
    const int64_t images = stoic_dataset_count(at->data);
    stoic_evaluation *e = &out->evaluation;
    for (at->first = 0; at->first < images; at->first += at->n) {
        at->n = images - at->first < o->batch ? images - at->first : o->batch;
        if (o->ber > 0)
            out->flips += stoic_infer_strike(at->infer, o->ber, o->seed);
        stoic_team_run(at->team, at->together ? run_together : run_share, at);
        e->correct = e->nan = out->due = 0;
        for (int i = 0; i < at->threads; i++) {
            const worker *w = &at->workers[i];
            if (w->status != STOIC_OK) {
                if (err)
                    *err = w->error;
                return w->status;
            }
            e->correct += w->correct;
            e->nan += w->nan;
            out->due += w->due;
        }
        count(at, out);
        out->batches++;
        if (o->scrub > 0 && out->batches % o->scrub == 0)
            scrub(at, out);
        if (o->watch)
            o->watch(o->user, at->first + at->n, e->correct, out->flips);
    }
    return STOIC_OK;
}

static stoic_status check(const stoic_infer *infer, const stoic_dataset *data,
                          const stoic_infer_options *o, stoic_error *err) {
    if (o->batch < 1 || o->scrub < 0 || !(o->ber >= 0 && o->ber <= 1))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "infer: a batch of %lld, scrubbing every %lld, a bit error rate of %g",
                          (long long)o->batch, (long long)o->scrub, o->ber);
    if (stoic_shape_count(stoic_dataset_shape(data)) != infer->facts.input)
        return stoic_fail(err, STOIC_ERR_SHAPE, "", "the images do not fit the network's input");
    return STOIC_OK;
}

stoic_status stoic_infer_run(stoic_infer *infer, const stoic_dataset *data,
                             const stoic_infer_options *options, stoic_inference *out,
                             stoic_error *err) {
    inference at = {.infer = infer, .data = data, .options = options};
    const stoic_run_set set = stoic_infer_best_set();
    const double start = stoic_clock();
    uint64_t bytes;
    *out = (stoic_inference){0};
    stoic_status status = check(infer, data, options, err);
    if (status != STOIC_OK)
        return status;
    at.threads = options->threads > 0 ? options->threads : stoic_cpu_count();
    at.together = at.threads > 1 && options->batch <= MOST_TOGETHER;
    /* a thread's share of a batch, in as few pieces as its memory allows */
    int64_t share = at.together ? options->batch : (options->batch + at.threads - 1) / at.threads;
    at.piece = share < MOST_PIECE ? (int)share : MOST_PIECE;
    at.workers = calloc((size_t)at.threads, sizeof *at.workers);
    if (!at.workers) {
        status = stoic_fail_memory(err, "threads", (size_t)at.threads * sizeof *at.workers);
        goto done;
    }
    TRY(stoic_run_memory(infer->bytes, infer->size, infer->path, at.piece, options->activations,
                         &bytes, err));
    for (int i = 0; i < (at.together ? 1 : at.threads); i++)
        TRY(prepare(&at, &at.workers[i], &set, bytes, err));
    TRY(stoic_team_create(at.threads, &at.team, err));
    if (at.together)
        TRY(prepare_party(&at, err));
    TRY(run_batches(&at, out, err));
    stoic_evaluation *e = &out->evaluation;
    e->images = stoic_dataset_count(data);
    e->accuracy = e->images ? (double)e->correct / (double)e->images : 0;
    e->seconds = stoic_clock() - start;
    e->images_per_second = e->seconds > 0 ? (double)e->images / e->seconds : 0;
done:
    stoic_team_free(at.team);
    for (int i = 0; at.workers && i < at.threads; i++) {
        free(at.workers[i].memory);
        free(at.workers[i].images);
        free(at.workers[i].outputs);
    }
    free(at.workers);
    return status;
}
