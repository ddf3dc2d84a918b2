/* The candidates of a step: of each tensor the first by g dw, and the first by |dw|. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "study/attack_inside.h"

enum { STRETCH = 4096 }; /* sites that a member reads at once */

bool stoic_move_before(const stoic_move *a, const stoic_move *b) {
    if (a->estimate != b->estimate)
        return a->estimate > b->estimate;
    if (a->size != b->size)
        return a->size > b->size;
    return a->site < b->site;
}

/* Of a fixed-point format all top bits change a weight by the same: then by estimate. */
static bool larger(const stoic_move *a, const stoic_move *b) {
    return a->size != b->size ? a->size > b->size : stoic_move_before(a, b);
}

static int by_site(const void *a, const void *b) {
    const stoic_move *x = a, *y = b;
    return (x->site > y->site) - (x->site < y->site);
}

stoic_status stoic_moves_reserve(stoic_move_list *list, int64_t room, stoic_error *err) {
    if (room <= list->room)
        return STOIC_OK;
    stoic_move *items = realloc(list->items, (size_t)room * sizeof *items);
    if (!items)
        return stoic_fail_memory(err, "candidates", (size_t)room * sizeof *items);
    list->items = items;
    list->room = room;
    return STOIC_OK;
}

/* A weight that becomes infinite or NaN comes first; one that was so already, last: whatever
 * happens to it, it has done its harm. A gradient that is no number says nothing. */
static void estimate(const stoic_attack_run *run, const stoic_move_effect *effect,
                     stoic_move *move) {
    const float *g = run->gradients ? run->gradients[effect->hits[0].entry] : NULL;
    for (int i = 0; i < effect->n_edits; i++) {
        double before = (double)effect->before[i], after = (double)effect->edits[i].value;
        if (!isfinite(before))
            continue;
        double slope = g ? (double)g[effect->edits[i].index] : 0;
        double change = isfinite(after) ? after - before : INFINITY;
        move->size = fmax(move->size, fabs(change));
        if (!isfinite(after))
            move->estimate = INFINITY;
        else if (isfinite(slope))
            move->estimate += slope * change / stoic_move_cost(move);
    }
    if (effect->due)
        move->estimate = move->size = INFINITY;
}

/* ---- the first so many of a stream, by either order ---- */

typedef bool (*before_fn)(const stoic_move *a, const stoic_move *b);

typedef struct heap {
    stoic_move_list moves; /* the last of them on top */
    before_fn before;
} heap;

static void sink(heap *h) {
    stoic_move *m = h->moves.items;
    for (int64_t at = 0, child; (child = 2 * at + 1) < h->moves.count; at = child) {
        if (child + 1 < h->moves.count && h->before(&m[child], &m[child + 1]))
            child++;
        if (!h->before(&m[at], &m[child]))
            return;
        stoic_move swap = m[at];
        m[at] = m[child];
        m[child] = swap;
    }
}

static stoic_status offer(heap *h, const stoic_move *move, int64_t most, stoic_error *err) {
    stoic_move_list *l = &h->moves;
    if (l->count == most) {
        if (h->before(move, &l->items[0])) {
            l->items[0] = *move;
            sink(h);
        }
        return STOIC_OK;
    }
    if (l->count == l->room) {
        stoic_status status = stoic_moves_reserve(l, l->room ? 2 * l->room : 64, err);
        if (status != STOIC_OK)
            return status;
    }
    stoic_move *m = l->items;
    int64_t at = l->count++;
    for (; at > 0 && h->before(&m[(at - 1) / 2], move); at = (at - 1) / 2)
        m[at] = m[(at - 1) / 2];
    m[at] = *move;
    return STOIC_OK;
}

/* ---- all sites, read by the team ---- */

typedef struct ranking {
    stoic_attack_run *run;
    int entries;
    heap *heaps; /* member, entry, order */
    atomic_int status;
    stoic_error error; /* of the member that failed first */
} ranking;

static heap *heap_of(const ranking *k, int member, int entry, int order) {
    return &k->heaps[(member * k->entries + entry) * 2 + order];
}

static stoic_status rank_sites(ranking *k, int member, stoic_move_reader *reader,
                               stoic_error *err) {
    const stoic_attack_run *run = k->run;
    stoic_move_effect effect;
    stoic_move move;
    bool exists;
    for (int64_t s = (int64_t)member * STRETCH; s < run->sites;
         s += (int64_t)run->members * STRETCH) {
        if (atomic_load(&k->status) != STOIC_OK || (stoic_stop_asked(run->options->cancel)))
            return STOIC_OK;
        for (int64_t i = s; i < s + STRETCH && i < run->sites; i++) {
            stoic_status status = stoic_move_at(reader, i, &move, &effect, &exists, err);
            if (status == STOIC_OK && exists) {
                int entry = effect.hits[0].entry;
                estimate(run, &effect, &move);
                for (int order = 0; order < 2 && status == STOIC_OK; order++)
                    status = offer(heap_of(k, member, entry, order), &move,
                                   run->options->candidates, err);
            }
            if (status != STOIC_OK)
                return status;
        }
    }
    return STOIC_OK;
}

static void rank_member(int member, void *user) {
    ranking *k = user;
    stoic_error error = {0};
    stoic_move_reader reader;
    stoic_move_reader_init(&reader, k->run);
    stoic_status status = rank_sites(k, member, &reader, &error);
    int none = STOIC_OK;
    if (status != STOIC_OK && atomic_compare_exchange_strong(&k->status, &none, (int)status))
        k->error = error;
    stoic_move_reader_deinit(&reader);
}

/* What the members found of one entry in one order, together. */
static stoic_status join(const ranking *k, int entry, int order, heap *all, stoic_error *err) {
    all->moves.count = 0;
    all->before = order ? larger : stoic_move_before;
    for (int member = 0; member < k->run->members; member++) {
        const stoic_move_list *found = &heap_of(k, member, entry, order)->moves;
        for (int64_t i = 0; i < found->count; i++) {
            stoic_status status = offer(all, &found->items[i], k->run->options->candidates, err);
            if (status != STOIC_OK)
                return status;
        }
    }
    return STOIC_OK;
}

/* Each move once, by site. */
static void sort_once(stoic_move_list *list) {
    int64_t n = 0;
    if (list->count)
        qsort(list->items, (size_t)list->count, sizeof *list->items, by_site);
    for (int64_t i = 0; i < list->count; i++) {
        if (n == 0 || list->items[i].site != list->items[n - 1].site)
            list->items[n++] = list->items[i];
    }
    list->count = n;
}

stoic_status stoic_moves_rank(stoic_attack_run *run, stoic_move_list *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    ranking k = {.run = run, .entries = stoic_store_entry_count(run->store)};
    heap all = {.before = larger};
    size_t n = (size_t)run->members * (size_t)k.entries * 2;
    k.heaps = calloc(n + 1, sizeof *k.heaps);
    if (!k.heaps)
        return stoic_fail_memory(err, "candidates", n * sizeof *k.heaps);
    for (size_t i = 0; i < n; i++)
        k.heaps[i].before = i % 2 ? larger : stoic_move_before;
    stoic_team_run(run->team, rank_member, &k);
    status = (stoic_status)atomic_load(&k.status);
    if (status != STOIC_OK && err)
        *err = k.error;
    if (status != STOIC_OK)
        goto done;
    out->count = 0;
    for (int entry = 0; entry < k.entries; entry++) {
        for (int order = 0; order < 2; order++) {
            TRY(join(&k, entry, order, &all, err));
            TRY(stoic_moves_reserve(out, out->count + all.moves.count + 1, err));
            if (all.moves.count)
                memcpy(out->items + out->count, all.moves.items,
                       (size_t)all.moves.count * sizeof *out->items);
            out->count += all.moves.count;
        }
    }
    sort_once(out);
done:
    for (size_t i = 0; i < n; i++)
        free(k.heaps[i].moves.items);
    free(k.heaps);
    free(all.moves.items);
    return status;
}

stoic_status stoic_moves_all(stoic_attack_run *run, int64_t *next, stoic_move_list *out,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_move_reader reader;
    stoic_move_effect effect;
    stoic_move move;
    bool exists;
    out->count = 0;
    stoic_move_reader_init(&reader, run);
    for (; *next < run->sites && out->count < out->room; ++*next) {
        TRY(stoic_move_at(&reader, *next, &move, &effect, &exists, err));
        if (!exists)
            continue;
        estimate(run, &effect, &move);
        out->items[out->count++] = move;
    }
done:
    stoic_move_reader_deinit(&reader);
    return status;
}
