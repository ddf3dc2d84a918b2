/* What the next stage is: the pilot goes on, or its outcomes make the strata; then Neyman's shares.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/allocation.h"

/* A stage of the pilot has so many trials of each bit. */
enum { ROUNDS_A_STAGE = 4 };
/* In the first stage behind the pilot each stratum has so many at least. */
enum { FIRST_TRIALS = 2 };
/* A bit is set apart when so many of its pilot trials' worth of images were critical. */
static const double apart = 0.5;
/* A layer of such a bit is a stratum of its own where it has this share of its faults; the small
 * ones are one together. */
enum { LAYER_SHARE = 8 };

/* ---- the pilot ---- */

static double critical_trials(const stoic_allocation *a, const stoic_part *bit) {
    return (double)bit->moments.critical.sum / (double)a->trial_images;
}

/* Trials of the pilot's next stage by bit; none are left, or enough is known: 0. */
static int64_t plan_pilot(const stoic_allocation *a, const stoic_part *bits, int64_t *trials) {
    int64_t sum = 0;
    bool found = false;
    for (size_t g = 0; g < a->n_bits; g++) {
        int64_t done = bits[g].moments.trials, left = a->bits[g].faults - done;
        found = found || critical_trials(a, &bits[g]) >= apart;
        trials[g] = done >= STOIC_PILOT_ROUNDS ? 0 : left < ROUNDS_A_STAGE ? left : ROUNDS_A_STAGE;
        sum += trials[g];
    }
    return found && a->n_stages > 0 ? 0 : sum;
}

/* ---- the strata ---- */

/* Numbers the layers of a bit that is set apart: large ones each for itself, then the others. */
static int split_bit(stoic_allocation *a, size_t bit, int next) {
    const stoic_cell_group *group = &a->bits[bit];
    size_t small = 0;
    for (size_t i = 0; i < group->n; i++) {
        size_t c = group->cells[i];
        bool large = a->cells[c].faults >= group->faults / LAYER_SHARE;
        small += !large;
        a->stratum[c] = large ? next++ : -1;
    }
    for (size_t i = 0; i < group->n && small > 0; i++) {
        if (a->stratum[group->cells[i]] < 0)
            a->stratum[group->cells[i]] = next;
    }
    return next + (small > 0);
}

static stoic_status make_strata(stoic_allocation *a, const stoic_part *bits, stoic_error *err) {
    int next = 0;
    size_t rest = 0;
    for (size_t g = 0; g < a->n_bits; g++) {
        if (critical_trials(a, &bits[g]) >= apart)
            next = split_bit(a, g, next);
    }
    for (size_t c = 0; c < a->n_cells; c++) {
        rest += a->stratum[c] < 0;
        a->stratum[c] = a->stratum[c] < 0 ? next : a->stratum[c];
    }
    return stoic_allocation_group_strata(a, (size_t)next + (rest > 0), err);
}

/* What the pilot says of a stratum: of all bits that it has cells of. */
static stoic_stratum expect(const stoic_allocation *a, size_t stratum, const stoic_part *bits) {
    stoic_stratum at = {.population = (double)a->strata[stratum].faults};
    for (size_t g = 0; g < a->n_bits; g++) {
        bool has = false;
        for (size_t i = 0; i < a->bits[g].n && !has; i++)
            has = a->stratum[a->bits[g].cells[i]] == (int)stratum;
        if (!has)
            continue;
        at.trials += bits[g].moments.trials;
        at.events += critical_trials(a, &bits[g]);
    }
    return at;
}

/* ---- shares ---- */

/* Gives the stage to the strata that fall short of their part of all trials up to `total`. */
static stoic_status share_out(const stoic_allocation *a, const stoic_stratum *seen,
                              const int64_t *done, int64_t total, int64_t *trials,
                              stoic_error *err) {
    size_t n = a->n_strata;
    double *weights = calloc(n, sizeof *weights), sum = 0.0;
    int64_t *room = calloc(n, sizeof *room), have = 0;
    stoic_status status = STOIC_OK;
    if (!weights || !room) {
        status = stoic_fail_memory(err, "strata", n * sizeof *weights);
        goto done;
    }
    for (size_t h = 0; h < n; h++) {
        have += done[h];
        room[h] = a->strata[h].faults - done[h];
        weights[h] = stoic_neyman_weight(&seen[h]);
        sum += weights[h];
    }
    for (size_t h = 0; h < n; h++) {
        double missing = (double)total * weights[h] / sum - (double)done[h];
        double little = weights[h] / sum * 1e-9; /* where all others are exhausted */
        weights[h] = missing > little ? missing : little;
    }
    status =
        stoic_apportion(weights, n, total - have, have == 0 ? FIRST_TRIALS : 0, room, trials, err);
done:
    free(weights);
    free(room);
    return status;
}

/* The number of trials behind the pilot at which the next stage ends: as the looks have it. */
static int64_t next_total(const stoic_allocation *a) {
    int k = 0;
    while (stoic_look_trials(k) <= a->end - a->pilot)
        k++;
    return stoic_look_trials(k);
}

/* Shares of the next stage from the outcomes behind the pilot, or in the first one from its own. */
static stoic_status plan_stage(const stoic_allocation *a, const stoic_part *bits,
                               const stoic_part *parts, int64_t *trials, stoic_error *err) {
    stoic_stratum *seen = calloc(a->n_strata, sizeof *seen);
    int64_t *done = calloc(a->n_strata, sizeof *done);
    stoic_status status;
    if (!seen || !done) {
        status = stoic_fail_memory(err, "strata", a->n_strata * sizeof *seen);
        goto done;
    }
    for (size_t h = 0; h < a->n_strata; h++) {
        bool first = a->end == a->pilot;
        done[h] = first ? 0 : parts[h].moments.trials;
        seen[h] = first ? expect(a, h, bits)
                        : (stoic_stratum){.population = (double)a->strata[h].faults,
                                          .trials = done[h],
                                          .events = critical_trials(a, &parts[h])};
    }
    status = share_out(a, seen, done, next_total(a), trials, err);
done:
    free(seen);
    free(done);
    return status;
}

stoic_status stoic_allocation_plan(stoic_allocation *a, const stoic_part *bits,
                                   const stoic_part *parts, bool *pilot, int64_t *trials,
                                   stoic_error *err) {
    *pilot = a->n_strata == 0 && plan_pilot(a, bits, trials) > 0;
    if (*pilot)
        return STOIC_OK;
    stoic_status status = a->n_strata == 0 ? make_strata(a, bits, err) : STOIC_OK;
    return status == STOIC_OK ? plan_stage(a, bits, parts, trials, err) : status;
}

stoic_status stoic_allocation_extend(stoic_allocation *a, stoic_campaign_file *file,
                                     stoic_error *err) {
    stoic_part *bits = calloc(a->n_bits, sizeof *bits), *parts = NULL;
    int64_t *trials = calloc(a->n_cells + 1, sizeof *trials), sum = 0;
    size_t strata = a->n_strata;
    stoic_status status;
    bool pilot;
    if (!bits || !trials) {
        status = stoic_fail_memory(err, "strata", a->n_cells * sizeof *bits);
        goto done;
    }
    TRY(stoic_allocation_tell(a, file, 0, a->pilot, bits, err));
    TRY(stoic_allocation_parts(a, file, a->end, &parts, err));
    TRY(stoic_allocation_plan(a, bits, parts, &pilot, trials, err));
    for (size_t g = 0; g < (pilot ? a->n_bits : a->n_strata); g++)
        sum += trials[g];
    a->exhausted = sum == 0;
    if (a->exhausted)
        goto done;
    TRY(stoic_allocation_add_stage(a, pilot, trials, err));
    status = stoic_allocation_keep(a, file, strata != a->n_strata, err);
done:
    free(bits);
    free(parts);
    free(trials);
    return status;
}
