/*
 * Candidates, evaluated exactly by the engine of campaigns; the best one.
 *
 * The measure is right answers lost per flip. Images come in blocks. Behind the first one the most
 * promising moves are evaluated on all others; from then on a move is given up as soon as it could
 * not reach the best any more even if every image that is left went wrong. What is given up cannot
 * win or tie, so the result is that of evaluating everything.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/rng.h"
#include "exec/faulty.h"
#include "study/attack_inside.h"

/* Moves that a member takes at once; those that go first; equals whose losses are compared; moves
 * in memory at most. */
enum { TAKEN = 32, PROBES = 16, EQUALS = 256, HELD = 1 << 18 };

typedef struct search search;
typedef stoic_status (*task_fn)(search *s, int64_t i, int member, stoic_move_reader *reader,
                                stoic_error *err);

struct search {
    stoic_attack_run *run;
    int64_t images, block, blocks; /* images a block */
    void **workers;                /* the engine's, of each member */
    double **image_losses;         /* of each member: of the images of a block */
    stoic_move_list moves;
    bool *alive; /* of each move: goes through the block */
    double best; /* answers lost per flip by the best move so far; -INFINITY: none yet */
    stoic_move equals[EQUALS];
    double losses[EQUALS];
    int n_equals;

    int64_t at; /* the block that the team is at */
    task_fn task;
    int64_t tasks;
    atomic_llong next;
    atomic_int status;
    stoic_error error; /* of the member that failed first */
};

static bool cancelled(const search *s) {
    return stoic_stop_asked(s->run->options->cancel);
}

static void report(const search *s, int64_t done) {
    const stoic_attack_run *run = s->run;
    if (!run->options->progress)
        return;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    stoic_attack_progress p = {
        .flips_done = run->result->n_flips,
        .flips = run->options->flips,
        .candidates = run->options->candidates ? s->moves.count : run->sites,
        .candidates_done =
            run->options->candidates || !s->moves.count ? done : s->moves.items[done].site,
        .accuracy = (double)run->correct / (double)s->images,
        .seconds = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - run->started};
    run->options->progress(run->options->user, &p);
}

/* ---- the team ---- */

static stoic_status count_move(search *s, int64_t i, int member, stoic_move_reader *reader,
                               stoic_error *err);

static int64_t block_images(const search *s) {
    int64_t left = s->images - s->at * s->block;
    return left < s->block ? left : s->block;
}

static stoic_status work(search *s, int member, stoic_move_reader *reader, stoic_error *err) {
    stoic_worker_api api;
    stoic_status status = STOIC_OK;
    stoic_engine_worker_api(s->run->engine, &api);
    if (!s->workers[member])
        TRY(api.open(api.user, member, &s->workers[member], err));
    TRY(api.block(s->workers[member], s->at * s->block, block_images(s), err));
    for (int64_t first = 0; atomic_load(&s->status) == STOIC_OK && !cancelled(s);) {
        if (member == 0 && s->at == 0 &&
            s->task == count_move) /* also where the others have taken everything */
            report(s, first);
        first = atomic_fetch_add(&s->next, TAKEN);
        if (first >= s->tasks)
            break;
        for (int64_t i = first; i < first + TAKEN && i < s->tasks; i++)
            TRY(s->task(s, i, member, reader, err));
    }
done:
    return status;
}

static void member_main(int member, void *user) {
    search *s = user;
    stoic_error error = {0};
    stoic_move_reader reader;
    stoic_move_reader_init(&reader, s->run);
    stoic_status status = work(s, member, &reader, &error);
    int none = STOIC_OK;
    if (status != STOIC_OK && atomic_compare_exchange_strong(&s->status, &none, (int)status))
        s->error = error;
    stoic_move_reader_deinit(&reader);
}

static void close_member(int member, void *user) {
    search *s = user;
    stoic_worker_api api;
    stoic_engine_worker_api(s->run->engine, &api);
    if (s->workers[member])
        api.close(s->workers[member]);
}

/* Every task on block s->at. */
static stoic_status run_team(search *s, task_fn task, int64_t tasks, stoic_error *err) {
    s->task = task;
    s->tasks = tasks;
    atomic_store(&s->next, 0);
    stoic_team_run(s->run->team, member_main, s);
    stoic_status status = (stoic_status)atomic_load(&s->status);
    if (status != STOIC_OK && err)
        *err = s->error;
    if (status == STOIC_OK && cancelled(s))
        status = stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped");
    return status;
}

/* ---- right answers ---- */

static stoic_status count_move(search *s, int64_t i, int member, stoic_move_reader *reader,
                               stoic_error *err) {
    stoic_move *move = &s->moves.items[i];
    stoic_move_effect effect;
    stoic_counts counts = {0};
    if (!s->alive[i])
        return STOIC_OK;
    stoic_status status = stoic_move_read(reader, move->site, move->partner, &effect, err);
    if (status == STOIC_OK && !effect.due)
        status = stoic_engine_worker_edits(s->workers[member], effect.edits, (size_t)effect.n_edits,
                                           &counts, err);
    move->correct += counts.correct;
    return status;
}

/* What a move has cost at most, if the images to come all went wrong. */
static double harm(const search *s, const stoic_move *move) {
    return (double)(s->run->correct - move->correct) / stoic_move_cost(move);
}

/* Through all blocks from the second on; s->alive says which. */
static stoic_status finish_moves(search *s, stoic_error *err) {
    for (s->at = 1; s->at < s->blocks; s->at++) {
        stoic_status status = run_team(s, count_move, s->moves.count, err);
        if (status != STOIC_OK)
            return status;
        for (int64_t i = 0; i < s->moves.count; i++)
            s->alive[i] = s->alive[i] && harm(s, &s->moves.items[i]) >= s->best;
    }
    return STOIC_OK;
}

/* Equals beyond what there is room for: the first in the order of candidates stay. */
static void add_equal(search *s, const stoic_move *move) {
    int last = 0;
    if (s->n_equals < EQUALS) {
        s->equals[s->n_equals++] = *move;
        return;
    }
    for (int i = 1; i < EQUALS; i++) {
        if (stoic_move_before(&s->equals[last], &s->equals[i]))
            last = i;
    }
    if (stoic_move_before(move, &s->equals[last]))
        s->equals[last] = *move;
}

/* Moves that are through. */
static void keep_best(search *s) {
    for (int64_t i = 0; i < s->moves.count; i++) {
        const stoic_move *move = &s->moves.items[i];
        if (!s->alive[i] || harm(s, move) < s->best)
            continue;
        if (harm(s, move) > s->best)
            s->n_equals = 0;
        s->best = harm(s, move);
        add_equal(s, move);
    }
}

/* The moves that have cost most behind the first block go through all others, so that there is
 * something to be measured by. */
static stoic_status probe(search *s, stoic_error *err) {
    int64_t first[PROBES];
    int n = 0;
    for (int64_t i = 0; i < s->moves.count; i++) {
        int at = n < PROBES ? n++ : PROBES;
        for (; at > 0 && harm(s, &s->moves.items[first[at - 1]]) < harm(s, &s->moves.items[i]);
             at--) {
            if (at < PROBES)
                first[at] = first[at - 1];
        }
        if (at < PROBES)
            first[at] = i;
    }
    for (int64_t i = 0; i < s->moves.count; i++)
        s->alive[i] = false;
    for (int i = 0; i < n; i++)
        s->alive[first[i]] = true;
    stoic_status status = finish_moves(s, err);
    if (status != STOIC_OK)
        return status;
    keep_best(s);
    for (int64_t i = 0; i < s->moves.count; i++)
        s->alive[i] = harm(s, &s->moves.items[i]) >= s->best;
    for (int i = 0; i < n; i++) /* they are through */
        s->alive[first[i]] = false;
    return STOIC_OK;
}

static stoic_status evaluate(search *s, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int64_t i = 0; i < s->moves.count; i++)
        s->alive[i] = true;
    s->at = 0;
    TRY(run_team(s, count_move, s->moves.count, err));
    if (s->blocks > 1) {
        TRY(probe(s, err));
        TRY(finish_moves(s, err));
    }
    keep_best(s);
    s->run->result->evaluated += s->moves.count;
done:
    return status;
}

/* ---- losses ---- */

/* Of a probability, or of the complement of one. */
static double surprise(double p) {
    return p == p ? -stoic_log_portable(fmax(p, 0x1p-126)) : 100;
}

static double cross_entropy(const float *z, int64_t classes, int label) {
    const double most = 3.4028234663852886e38;
    double top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < classes; k++)
        top = fmax(top, fmin((double)z[k], most));
    for (int64_t k = 0; k < classes; k++)
        sum += stoic_exp_portable(fmin((double)z[k], most) - top);
    double loss = stoic_log_portable(sum) - (fmin((double)z[label], most) - top);
    return loss > 126 * M_LN2 || loss != loss ? 126 * M_LN2 : loss;
}

double stoic_attack_loss(const stoic_attack_run *run, const float *output, int label) {
    const stoic_model *m = run->current;
    const stoic_op *op = m->nodes[m->values[m->output].producer].op;
    int64_t classes = stoic_model_classes(m);
    double loss = 0;
    for (int64_t k = 0; k < classes; k++) {
        if (output[k] != output[k])
            return 100;
    }
    if (op == &stoic_op_sigmoid) {
        for (int64_t k = 0; k < classes; k++)
            loss += surprise(k == label ? (double)output[k] : 1 - (double)output[k]);
        return loss / (double)classes;
    }
    if (op == &stoic_op_softmax)
        return surprise((double)output[label]);
    if (op == &stoic_op_log_softmax)
        return fmin(-(double)output[label], 126 * M_LN2);
    return cross_entropy(output, classes, label);
}

typedef struct loss_sink {
    const search *s;
    double *losses; /* of the block's images */
} loss_sink;

static void note_loss(void *user, int image, const float *output, bool alarm) {
    loss_sink *sink = user;
    const stoic_golden_outputs *g = stoic_engine_outputs(sink->s->run->engine);
    int label = g->labels[sink->s->at * sink->s->block + image];
    sink->losses[image] = alarm ? 100 : stoic_attack_loss(sink->s->run, output, label);
}

static stoic_status lose_move(search *s, int64_t i, int member, stoic_move_reader *reader,
                              stoic_error *err) {
    const stoic_move *move = &s->equals[i];
    stoic_move_effect effect;
    loss_sink losses = {s, s->image_losses[member]};
    const stoic_sink sink = {&losses, note_loss, NULL, false};
    int64_t count = block_images(s);
    memcpy(losses.losses, s->run->losses + s->at * s->block, (size_t)count * sizeof(double));
    stoic_status status = stoic_move_read(reader, move->site, move->partner, &effect, err);
    for (int64_t k = 0; effect.due && k < count; k++)
        losses.losses[k] = 100;
    if (status == STOIC_OK && !effect.due)
        status = stoic_engine_worker_outputs(s->workers[member], effect.edits,
                                             (size_t)effect.n_edits, &sink, err);
    for (int64_t k = 0; k < count; k++)
        s->losses[i] += losses.losses[k];
    return status;
}

/* Of the equals the one with the largest loss, of these the first. */
static stoic_status choose(search *s, stoic_move *best, stoic_error *err) {
    int chosen = 0;
    for (s->at = 0; s->n_equals > 1 && s->at < s->blocks; s->at++) {
        stoic_status status = run_team(s, lose_move, s->n_equals, err);
        if (status != STOIC_OK)
            return status;
    }
    for (int i = 1; i < s->n_equals; i++) {
        if (s->losses[i] > s->losses[chosen] ||
            (s->losses[i] == s->losses[chosen] && s->equals[i].site < s->equals[chosen].site))
            chosen = i;
    }
    *best = s->equals[chosen];
    return STOIC_OK;
}

/* ---- a step ---- */

static stoic_status create(search *s, stoic_error *err) {
    size_t members = (size_t)s->run->members;
    s->workers = calloc(members, sizeof *s->workers);
    s->image_losses = calloc(members, sizeof *s->image_losses);
    for (size_t i = 0; s->image_losses && i < members; i++) {
        s->image_losses[i] = calloc((size_t)s->block, sizeof **s->image_losses);
        if (!s->image_losses[i])
            return stoic_fail_memory(err, "losses", (unsigned long long)s->block * 8);
    }
    return s->workers && s->image_losses ? STOIC_OK
                                         : stoic_fail_memory(err, "workers", members * 8);
}

static void deinit(search *s) {
    if (s->workers)
        stoic_team_run(s->run->team, close_member, s);
    for (int i = 0; s->image_losses && i < s->run->members; i++)
        free(s->image_losses[i]);
    free((void *)s->image_losses);
    free((void *)s->workers);
    free(s->moves.items);
    free(s->alive);
}

static stoic_status run_every(search *s, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t next = 0, held = s->run->memory / 4 / (int64_t)sizeof(stoic_move);
    held = held > HELD ? HELD : held < TAKEN ? TAKEN : held;
    TRY(stoic_moves_reserve(&s->moves, held, err));
    s->alive = calloc((size_t)held, sizeof *s->alive);
    if (!s->alive)
        return stoic_fail_memory(err, "candidates", (unsigned long long)held);
    while (next < s->run->sites) {
        TRY(stoic_moves_all(s->run, &next, &s->moves, err));
        TRY(evaluate(s, err));
    }
done:
    return status;
}

static stoic_status run_ranked(search *s, stoic_error *err) {
    stoic_status status = stoic_moves_rank(s->run, &s->moves, err);
    if (status != STOIC_OK)
        return status;
    s->alive = calloc((size_t)s->moves.count + 1, sizeof *s->alive);
    if (!s->alive)
        return stoic_fail_memory(err, "candidates", (unsigned long long)s->moves.count);
    return cancelled(s) ? stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped") : evaluate(s, err);
}

stoic_status stoic_attack_search(stoic_attack_run *run, int64_t block, stoic_move *best,
                                 bool *found, stoic_error *err) {
    stoic_status status = STOIC_OK;
    search *s = calloc(1, sizeof *s);
    *found = false;
    if (!s)
        return stoic_fail_memory(err, "a search", sizeof *s);
    s->run = run;
    s->images = run->result->images;
    s->block = block;
    s->blocks = (s->images + block - 1) / block;
    s->best = -INFINITY;
    TRY(create(s, err));
    TRY(run->options->candidates ? run_ranked(s, err) : run_every(s, err));
    *found = s->n_equals > 0;
    if (*found)
        TRY(choose(s, best, err));
done:
    deinit(s);
    free(s);
    return status;
}
