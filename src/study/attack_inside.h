/*
 * Inside an attack.
 *
 *   attack.c           the steps: search, flip, measure, stop
 *   attack_moves.c     what can be flipped, and what that changes in the weights
 *   attack_rank.c      the candidates of a step
 *   attack_gradient.c  gradients of the loss for the weights as they are now
 *   attack_search.c    candidates evaluated by the engine; the best one
 */
#ifndef STOIC_STUDY_ATTACK_INSIDE_H
#define STOIC_STUDY_ATTACK_INSIDE_H

#include "base/team.h"
#include "campaign/engine.h"
#include "model/graph.h"
#include "stoic/attack.h"
#include "stoic/fault.h"

/* One flip; or two of one word, where the code repairs the one. */
typedef struct stoic_move {
    int64_t site;    /* trial number of the exhaustive fault model: the bit */
    int32_t partner; /* the second bit of the word; -1: none */
    double estimate; /* first-order change of the loss, a flip; +inf: a weight becomes not finite */
    double size;     /* the largest change of a weight; the same */
    int64_t correct; /* images that are right, of those evaluated so far */
} stoic_move;

typedef struct stoic_move_list {
    stoic_move *items;
    int64_t count, room;
} stoic_move_list;

/* What a move does to the weights as they are now. */
typedef struct stoic_move_effect {
    stoic_hit hits[2];
    int n_hits; /* 0: the bit has been flipped before */
    stoic_edit edits[STOIC_WORD_WEIGHTS];
    float before[STOIC_WORD_WEIGHTS]; /* of the edits */
    int n_edits;
    bool due; /* the store reports the word: no image gets an answer */
} stoic_move_effect;

typedef struct stoic_attack_run {
    const stoic_attack_options *options;
    const stoic_model *model;
    const stoic_dataset *data;
    int64_t memory;
    stoic_store *store;
    stoic_fault *space;
    int64_t sites;
    int16_t **partners; /* entry -> bit of the word -> partner, -1 */
    stoic_team *team;
    int members;

    stoic_model *golden, *current; /* as the store gives it back; with the flips so far */
    stoic_hits flipped;
    stoic_move_list made; /* the moves found so far */
    int64_t flips_left;
    float **gradients;    /* entry -> weights; NULL: none */
    stoic_engine *engine; /* of `current` */
    int64_t correct;
    double loss;
    double *losses; /* of each image */
    stoic_attack_result *result;
    double started;
} stoic_attack_run;

static inline int stoic_move_cost(const stoic_move *move) {
    return move->partner >= 0 ? 2 : 1;
}

/* ---- attack_moves.c ---- */

/* One thread's way to read moves; consecutive ones of a word share its decoding. */
typedef struct stoic_move_reader {
    const stoic_attack_run *run;
    stoic_hits hits;
    int32_t entry; /* of the word that is held; -1: none */
    int64_t word;
    stoic_word bits; /* with the flips so far */
    float was[STOIC_WORD_WEIGHTS];
} stoic_move_reader;

void stoic_move_reader_init(stoic_move_reader *reader, const stoic_attack_run *run);
void stoic_move_reader_deinit(stoic_move_reader *reader);
/* The effect of flipping a site, and with it a second bit of the word (-1: none). */
stoic_status stoic_move_read(stoic_move_reader *reader, int64_t site, int32_t partner,
                             stoic_move_effect *out, stoic_error *err) STOIC_MUST_CHECK;
/* The move that begins with a site: alone or, where that is repaired, with a partner. *exists is
 * false where nothing comes of it, or it costs more flips than are left. */
stoic_status stoic_move_at(stoic_move_reader *reader, int64_t site, stoic_move *move,
                           stoic_move_effect *effect, bool *exists,
                           stoic_error *err) STOIC_MUST_CHECK;
/* Finds the partners of every bit. */
stoic_status stoic_moves_pair(stoic_attack_run *run, stoic_error *err) STOIC_MUST_CHECK;
void stoic_moves_unpair(stoic_attack_run *run);

/* ---- attack_rank.c ---- */

/* By estimate, then by size, then by site: does `a` come before `b`? */
bool stoic_move_before(const stoic_move *a, const stoic_move *b);
/* The candidates of this step, by site: the first of each tensor by estimate and by size. */
stoic_status stoic_moves_rank(stoic_attack_run *run, stoic_move_list *out,
                              stoic_error *err) STOIC_MUST_CHECK;
/* Moves from site *next on, as many as `room` allows; *next is moved on. */
stoic_status stoic_moves_all(stoic_attack_run *run, int64_t *next, stoic_move_list *out,
                             stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_moves_reserve(stoic_move_list *list, int64_t room,
                                 stoic_error *err) STOIC_MUST_CHECK;

/* ---- attack_gradient.c ---- */

stoic_status stoic_attack_gradient(stoic_attack_run *run, stoic_error *err) STOIC_MUST_CHECK;
void stoic_attack_gradient_free(stoic_attack_run *run);

/* ---- attack_search.c ---- */

/* Loss of one output of the network. */
double stoic_attack_loss(const stoic_attack_run *run, const float *output, int label);
/* The best move of this step; *found is false where there is none. `block`: images that the engine
 * takes at once. */
stoic_status stoic_attack_search(stoic_attack_run *run, int64_t block, stoic_move *best,
                                 bool *found, stoic_error *err) STOIC_MUST_CHECK;

#endif
