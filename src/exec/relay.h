/*
 * One changed channel, through the convolution that reads it and the products behind, for the 16
 * images of the pack side by side: the fast form of difference.c where ReLU, max-pools and a short
 * tail are all that follows. Inside stoic_faulty.
 */
#ifndef STOIC_EXEC_RELAY_H
#define STOIC_EXEC_RELAY_H

#include "exec/faulty_parts.h"

/* What one fault adds to the bounds of an image of the pack. */
typedef struct stoic_relay_bound {
    double moved; /* what the change adds to a sum of the convolution at most */
    bool plain;   /* no partial sum on the way comes near to overflow */
} stoic_relay_bound;

void stoic_relay_free(struct stoic_relay *relay);
/* Behind stoic_difference_prepare(). */
stoic_status stoic_relay_prepare(stoic_faulty *f, stoic_block *b, stoic_error *err);
/* Can it be used for what was prepared? */
bool stoic_relay_fits(const stoic_faulty *f);
/* The classes of the pack, lane by lane; -1: undecided. */
void stoic_relay_run(stoic_faulty *f, const stoic_block *b, const stoic_relay_bound bounds[16],
                     int32_t top1[16]);

/* One weight whose channel this carries: can it have limits? And those of all images of the block,
 * in f->threshold.limit. The session restored. */
bool stoic_relay_limit_fits(const stoic_faulty *f, const stoic_block *b, const stoic_edit *edit);
stoic_status stoic_relay_limits(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                                stoic_error *err);

/* All the values that a weight with limits will have, side by side: can that be, and the classes of
 * all images of the block that can be told. n <= STOIC_EXPECTED. Behind stoic_relay_limits(). */
bool stoic_side_fits(const stoic_faulty *f);
stoic_status stoic_side_run(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                            const float *changes, int n, stoic_error *err);
/* Which of them is it? -1: none. */
int stoic_side_find(const stoic_faulty *f, float change);
/* The class of an image then; -1: unknown. */
int stoic_side_top1(const stoic_faulty *f, int image, int which);

#endif
