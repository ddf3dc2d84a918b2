/*
 * The allocation of a stratified campaign: which fault each trial is (docs/methods.md 6).
 *
 * Trials are laid out stage by stage. Those of the pilot go evenly over the bits; they decide the
 * strata and are in no estimate. Those of later stages go to the strata in proportion to Neyman's
 * weights. A stage is laid out when all trials before it are complete, and from their outcomes
 * alone; the file keeps it (tables `cells` and `stages`).
 *
 * Thread-safety: may be read by many threads while nobody extends it.
 */
#ifndef STOIC_CAMPAIGN_ALLOCATION_H
#define STOIC_CAMPAIGN_ALLOCATION_H

#include "campaign/campaign_file.h"
#include "campaign/weighted.h"
#include "fault/cells.h"

/* Some cells, whose faults are numbered through: a bit in the pilot, or a stratum. */
typedef struct stoic_cell_group {
    size_t *cells;
    int64_t *ends; /* faults of the cells up to and with each */
    size_t n;
    int64_t faults;
} stoic_cell_group;

typedef struct stoic_stage {
    bool pilot;
    int64_t first, trials;
    size_t n;        /* groups */
    int64_t *ends;   /* trials of the groups up to and with each */
    int64_t *before; /* trials of each group in earlier stages of its kind */
} stoic_stage;

typedef struct stoic_allocation {
    uint64_t seed;
    int64_t trial_images, images; /* a trial sees; of the data set */
    stoic_cell *cells;
    int *stratum; /* of each cell; -1 while the pilot runs */
    size_t n_cells;
    const stoic_cells *space;        /* NULL: for reading only */
    stoic_cell_group *bits, *strata; /* groups of the pilot, and after it */
    size_t n_bits, n_strata;         /* n_strata 0: the pilot runs */
    stoic_stage *stages;
    size_t n_stages, capacity;
    int64_t pilot;  /* trials; of those laid out so far */
    int64_t end;    /* trials laid out */
    bool exhausted; /* no faults are left to lay out */
} stoic_allocation;

enum { STOIC_PILOT_ROUNDS = 32 }; /* trials of a bit at most */

/* More trials than this the pilot never takes. */
int64_t stoic_allocation_pilot_most(const stoic_cells *space);

bool stoic_campaign_is_stratified(const stoic_campaign_file *file);

/* What the file holds. With `space` (for a writer, whose file must fit it) trials can be turned
 * into sites; borrowed. */
stoic_status stoic_allocation_read(const stoic_campaign_file *file, const stoic_cells *space,
                                   stoic_allocation **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_allocation_free(stoic_allocation *allocation);

/* Tables and cells of a new campaign; nothing where the file has them. */
stoic_status stoic_allocation_create(stoic_campaign_file *file, const stoic_cells *space,
                                     stoic_error *err) STOIC_MUST_CHECK;
/* All trials laid out are complete: lays out the next stage, in one transaction or as part of the
 * caller's, or finds the faults exhausted. */
stoic_status stoic_allocation_extend(stoic_allocation *allocation, stoic_campaign_file *file,
                                     stoic_error *err) STOIC_MUST_CHECK;

/* The site of a trial that is laid out; a stoic_site_order. */
int64_t stoic_allocation_site(const void *allocation, int64_t trial);
/* Its stratum; -1: of the pilot, or not laid out. */
int stoic_allocation_stratum(const stoic_allocation *allocation, int64_t trial);
/* Its group, a bit in the pilot; *stage may be NULL. -1: not laid out. */
int stoic_allocation_group(const stoic_allocation *allocation, int64_t trial,
                           const stoic_stage **stage);
/* Of all cells. */
int64_t stoic_allocation_faults(const stoic_allocation *allocation);
/* The number of a cell; n_cells: there is none. */
size_t stoic_allocation_cell(const stoic_allocation *allocation, int layer, int bit);

/* The strata with the outcomes of the trials from the pilot's end to below `prefix` (-1: all that
 * are laid out); *parts has n_strata of them, malloc'ed. */
stoic_status stoic_allocation_parts(const stoic_allocation *allocation,
                                    const stoic_campaign_file *file, int64_t prefix,
                                    stoic_part **parts, stoic_error *err) STOIC_MUST_CHECK;
stoic_weighted stoic_allocation_weighted(const stoic_allocation *allocation,
                                         const stoic_part *parts, double alpha);

/* ---- what reading and growing share ---- */

/* Without strata and stages; takes the two arrays over, also where it fails. */
stoic_status stoic_allocation_new(stoic_cell *cells, int *stratum, size_t n_cells,
                                  stoic_allocation **out, stoic_error *err) STOIC_MUST_CHECK;
/* The same over a space, before anything is laid out; `space` is borrowed. */
stoic_status stoic_allocation_over(const stoic_cells *space, uint64_t seed, stoic_allocation **out,
                                   stoic_error *err) STOIC_MUST_CHECK;
/* The next stage from outcomes by bit in the pilot and by stratum behind it: is it of the pilot,
 * and the trials of each group (none: all faults are exhausted). Where the pilot is over the strata
 * are made. `trials` has room for n_cells. */
stoic_status stoic_allocation_plan(stoic_allocation *allocation, const stoic_part *bits,
                                   const stoic_part *parts, bool *pilot, int64_t *trials,
                                   stoic_error *err) STOIC_MUST_CHECK;
/* Writes the last stage, and the strata where they are new. */
stoic_status stoic_allocation_keep(const stoic_allocation *allocation, stoic_campaign_file *file,
                                   bool strata, stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_allocation_add_stage(stoic_allocation *allocation, bool pilot,
                                        const int64_t *trials, stoic_error *err) STOIC_MUST_CHECK;
/* One that was planned elsewhere, where it can be (*sound): after those that are known, no pilot
 * behind the strata, no more trials of a group than faults. */
stoic_status stoic_allocation_take_stage(stoic_allocation *allocation, bool pilot,
                                         const int64_t *trials, bool *sound,
                                         stoic_error *err) STOIC_MUST_CHECK;
/* Strata from the numbers of `stratum` as somebody else made them, none if all are -1; *sound: they
 * have no gaps, and either all cells have one or none has. */
stoic_status stoic_allocation_take_strata(stoic_allocation *allocation, bool *sound,
                                          stoic_error *err) STOIC_MUST_CHECK;
/* Strata from the numbers of `stratum`, 0 … n-1. */
stoic_status stoic_allocation_group_strata(stoic_allocation *allocation, size_t n,
                                           stoic_error *err) STOIC_MUST_CHECK;
/* Outcomes by group of the trials low … high-1, all of the pilot or all behind it. */
stoic_status stoic_allocation_tell(const stoic_allocation *allocation,
                                   const stoic_campaign_file *file, int64_t low, int64_t high,
                                   stoic_part *groups, stoic_error *err) STOIC_MUST_CHECK;

#endif
