/* The sites of one trial: a pure function of (seed, trial). */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "fault/space.h"
#include "store/layout.h"

void stoic_hits_deinit(stoic_hits *hits) {
    free(hits->items);
    memset(hits, 0, sizeof *hits);
}

static stoic_status reserve(stoic_hits *hits, size_t count, stoic_error *err) {
    if (count <= hits->capacity)
        return STOIC_OK;
    size_t capacity = count < 64 ? 64 : count + count / 2;
    stoic_hit *items = NULL;
    if (capacity > count / 2 && capacity < SIZE_MAX / sizeof *items)
        items = realloc(hits->items, capacity * sizeof *items);
    if (!items)
        return stoic_fail_memory(err, "the sites of a trial",
                                 (unsigned long long)capacity * sizeof *items);
    hits->items = items;
    hits->capacity = capacity;
    return STOIC_OK;
}

static stoic_status add_hit(stoic_hits *hits, const stoic_site *site, int bit, stoic_action action,
                            stoic_error *err) {
    stoic_status status = reserve(hits, hits->count + 1, err);
    if (status != STOIC_OK)
        return status;
    stoic_hit *hit = &hits->items[hits->count++];
    memset(hit, 0, sizeof *hit);
    hit->entry = site->patch->entry;
    hit->bit = bit;
    hit->word = site->word;
    hit->action = action;
    return STOIC_OK;
}

/* What the model does at one site. The pattern of `random` follows once the sites are sorted. */
static stoic_status add_site(const stoic_fault *fault, const stoic_site *site, stoic_hits *hits,
                             stoic_error *err) {
    int bit = site->patch->bit[site->way];
    switch (fault->kind) {
    case STOIC_FAULT_STUCK0:
        return add_hit(hits, site, bit, STOIC_SET_0, err);
    case STOIC_FAULT_STUCK1:
        return add_hit(hits, site, bit, STOIC_SET_1, err);
    case STOIC_FAULT_SET:
    case STOIC_FAULT_RANDOM:
    case STOIC_FAULT_ZERO:
        return add_hit(hits, site, bit, STOIC_SET_WORD, err);
    default:
        for (int k = 0; k < fault->run; k++) { /* one bit but for mbu */
            stoic_status status = add_hit(hits, site, bit + k * fault->distance, STOIC_FLIP, err);
            if (status != STOIC_OK)
                return status;
        }
        return STOIC_OK;
    }
}

/* A set of numbers: open addressing, at most half full. A slot holds number + 1. */
typedef struct number_set {
    uint64_t *slots;
    uint64_t mask;
} number_set;

static stoic_status set_init(number_set *set, int64_t most, stoic_error *err) {
    uint64_t size = 16;
    while (size / 2 < (uint64_t)most)
        size *= 2;
    set->mask = size - 1;
    set->slots = size < SIZE_MAX / sizeof *set->slots ? calloc(size, sizeof *set->slots) : NULL;
    return set->slots ? STOIC_OK
                      : stoic_fail_memory(err, "the sites of a trial", size * sizeof *set->slots);
}

/* False where the number is in the set already. */
static bool set_add(number_set *set, uint64_t number) {
    uint64_t at = number * 0x9E3779B97F4A7C15u >> 20 & set->mask;
    for (; set->slots[at]; at = (at + 1) & set->mask) {
        if (set->slots[at] == number + 1)
            return false;
    }
    set->slots[at] = number + 1;
    return true;
}

/* stuck0 and stuck1 hit distinct bits, the others distinct weights; under a code, flips hit
 * distinct bits too, since a word is more than a weight (METHODS 3). */
static bool units_are_sites(const stoic_fault *fault) {
    return fault->kind == STOIC_FAULT_STUCK0 || fault->kind == STOIC_FAULT_STUCK1 ||
           stoic_fault_replaces(fault) ||
           (fault->kind == STOIC_FAULT_FLIPS && stoic_store_is_coded(fault->store));
}

/* n of few: a site, refused where its weight (or bit) is taken. Each step is uniform over the
 * bits that are left, whatever the width of the words. */
static stoic_status draw_by_rejection(const stoic_fault *fault, stoic_rng *rng, number_set *taken,
                                      stoic_hits *hits, stoic_error *err) {
    for (int64_t found = 0; found < fault->n;) {
        int64_t number = (int64_t)stoic_rng_below(rng, (uint64_t)fault->sites);
        stoic_site site = stoic_sites_at(fault, number);
        int64_t unit = units_are_sites(fault)
                           ? number
                           : site.patch->first_word + site.word - site.patch->start;
        if (!set_add(taken, (uint64_t)unit))
            continue;
        stoic_status status = add_site(fault, &site, hits, err);
        if (status != STOIC_OK)
            return status;
        found++;
    }
    return STOIC_OK;
}

/* Most of all: Floyd's subset (Bentley, CACM 1987), n steps whatever n. Every subset of the units
 * is equally likely, so all words must have the same number of ways. */
static stoic_status draw_by_floyd(const stoic_fault *fault, stoic_rng *rng, number_set *taken,
                                  stoic_hits *hits, stoic_error *err) {
    bool sites = units_are_sites(fault);
    int64_t units = sites ? fault->sites : fault->words;
    for (int64_t last = units - fault->n; last < units; last++) {
        int64_t unit = (int64_t)stoic_rng_below(rng, (uint64_t)last + 1);
        if (!set_add(taken, (uint64_t)unit)) {
            unit = last;
            set_add(taken, (uint64_t)unit);
        }
        stoic_site site = sites ? stoic_sites_at(fault, unit) : stoic_sites_word(fault, unit);
        if (!sites)
            site.way = (int)stoic_rng_below(rng, (uint64_t)site.patch->ways);
        stoic_status status = add_site(fault, &site, hits, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* Bits in ascending order, or whole weights. */
static int place_in_word(const stoic_hit *hit) {
    return hit->bit < 0 ? -1 - hit->bit : hit->bit;
}

static int compare_hits(const void *a, const void *b) {
    const stoic_hit *x = a, *y = b;
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    int p = place_in_word(x), q = place_in_word(y);
    return (p > q) - (p < q);
}

static stoic_status draw_many(const stoic_fault *fault, stoic_rng *rng, stoic_hits *hits,
                              stoic_error *err) {
    int64_t units = units_are_sites(fault) ? fault->sites : fault->words;
    number_set taken = {0};
    stoic_status status = STOIC_OK;
    TRY(set_init(&taken, fault->n, err));
    TRY(reserve(hits, (size_t)fault->n * (size_t)fault->run, err));
    if ((units_are_sites(fault) || fault->same_ways) && fault->n > units / 2)
        TRY(draw_by_floyd(fault, rng, &taken, hits, err));
    else
        TRY(draw_by_rejection(fault, rng, &taken, hits, err));
    qsort(hits->items, hits->count, sizeof *hits->items, compare_hits);
done:
    free(taken.slots);
    return status;
}

enum { SITE_PERMUTATION = 1 }; /* tag of the order in which single sites are drawn */

/* A single site: trial t takes site pi(t). `random` goes on with another order after each round
 * over all weights. */
static stoic_status draw_one(const stoic_fault *fault, int64_t trial, stoic_hits *hits,
                             stoic_error *err) {
    uint64_t n = (uint64_t)fault->sites, tag = SITE_PERMUTATION;
    uint64_t at = (uint64_t)trial;
    if (fault->order) {
        stoic_site chosen = stoic_sites_at(fault, fault->order(fault->order_user, trial));
        return add_site(fault, &chosen, hits, err);
    }
    if (fault->kind == STOIC_FAULT_RANDOM) {
        tag += at / n;
        at %= n;
    }
    stoic_site site = stoic_sites_at(fault, (int64_t)stoic_permute(fault->seed, tag, n, at));
    return add_site(fault, &site, hits, err);
}

static void fill_patterns(const stoic_fault *fault, int64_t trial, stoic_hits *hits) {
    const float zero = 0.0f, *value = fault->kind == STOIC_FAULT_SET ? &fault->value : &zero;
    stoic_rng rng;
    stoic_place place;
    stoic_rng_init(&rng, fault->seed, (uint64_t)trial, STOIC_STREAM_VALUE);
    for (size_t i = 0; i < hits->count; i++) {
        stoic_hit *hit = &hits->items[i];
        uint64_t pattern;
        stoic_store_place(fault->store, hit->entry, hit->word, hit->bit, &place);
        if (fault->kind != STOIC_FAULT_RANDOM)
            pattern = stoic_store_form(fault->store, hit->entry, place.index, value);
        else if (stoic_store_data_bits(fault->store, hit->entry) <= 32)
            pattern = stoic_rng_u32(&rng);
        else
            pattern = stoic_rng_u64(&rng);
        /* the field's bits of it, the other bits as they are stored */
        uint64_t mask = fault->fields[hit->entry].bits[0] &
                        stoic_store_plain_bits(fault->store, hit->entry, place.index);
        hit->pattern =
            (stoic_store_data(fault->store, hit->entry, place.index) & ~mask) | (pattern & mask);
    }
}

static bool is_one(const stoic_fault *fault, const stoic_site *site) {
    stoic_word word = stoic_store_word(fault->store, site->patch->entry, site->word);
    int bit = site->patch->bit[site->way];
    return word.part[bit / 64] >> bit % 64 & 1;
}

/* Geometric gaps over `sites` bits at the larger of the two rates; with different rates a
 * candidate then stays with probability rate(stored bit) / larger rate (thinning). */
static stoic_status draw_gaps(const stoic_fault *fault, stoic_rng *rng, int64_t sites,
                              stoic_site (*at)(const stoic_fault *fault, int64_t site),
                              stoic_hits *hits, stoic_error *err) {
    const double p = fault->p01 > fault->p10 ? fault->p01 : fault->p10;
    uint64_t left = (uint64_t)sites;
    while (p > 0) {
        uint64_t gap = stoic_rng_geometric(rng, p);
        if (gap >= left)
            break;
        stoic_site site = at(fault, (int64_t)((uint64_t)sites - left + gap));
        left -= gap + 1;
        if (fault->p01 != fault->p10 &&
            stoic_rng_unit(rng) * p > (is_one(fault, &site) ? fault->p10 : fault->p01))
            continue;
        stoic_status status = add_site(fault, &site, hits, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* Redundancy on a stream of its own: the data bits that are hit do not depend on the code. */
static stoic_status draw_ber(const stoic_fault *fault, stoic_rng *rng, int64_t trial,
                             stoic_hits *hits, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_rng redundancy;
    TRY(draw_gaps(fault, rng, fault->data_sites, stoic_sites_data, hits, err));
    if (!fault->redundant_sites)
        return STOIC_OK;
    stoic_rng_init(&redundancy, fault->seed, (uint64_t)trial, STOIC_STREAM_REDUNDANCY);
    TRY(draw_gaps(fault, &redundancy, fault->redundant_sites, stoic_sites_redundant, hits, err));
    if (hits->count)
        qsort(hits->items, hits->count, sizeof *hits->items, compare_hits);
done:
    return status;
}

static stoic_status draw_listed(const stoic_fault *fault, int64_t trial, stoic_hits *hits,
                                stoic_error *err) {
    for (int64_t i = fault->list_first[trial]; i < fault->list_first[trial + 1]; i++) {
        const stoic_listed *listed = &fault->list[i];
        const stoic_patch patch = {.entry = listed->entry};
        const stoic_site site = {&patch, listed->word, 0};
        stoic_status status = add_hit(hits, &site, listed->bit, STOIC_FLIP, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

stoic_status stoic_fault_draw(const stoic_fault *fault, int64_t trial, stoic_hits *hits,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_rng rng;
    int64_t most = fault->order ? -1 : stoic_fault_max_trials(fault);
    hits->count = 0;
    if (trial < 0 || (most >= 0 && trial >= most))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "trial %lld of '%s', which has %lld",
                          (long long)trial, fault->text, (long long)most);
    if (fault->kind == STOIC_FAULT_CSV)
        return draw_listed(fault, trial, hits, err);
    stoic_rng_init(&rng, fault->seed, (uint64_t)trial, STOIC_STREAM_SITE);
    if (fault->kind == STOIC_FAULT_EXHAUSTIVE) {
        stoic_site site = stoic_sites_at(fault, trial);
        return add_site(fault, &site, hits, err);
    }
    if (fault->kind == STOIC_FAULT_BER)
        return draw_ber(fault, &rng, trial, hits, err);
    TRY(fault->n == 1 ? draw_one(fault, trial, hits, err) : draw_many(fault, &rng, hits, err));
    if (stoic_fault_replaces(fault))
        fill_patterns(fault, trial, hits);
done:
    return status;
}
