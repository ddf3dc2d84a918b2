/*
 * How much accuracy a network keeps under bit errors: the area under its accuracy over the
 * logarithm of the rate, as a mean accuracy.
 *
 * The faults are drawn once, on a float32 store of one network, and are the same for every network
 * that is asked about: these differ from it in constants that are not stored weights. So the same
 * question gives the same answer, and differences are those of the networks.
 */
#ifndef STOIC_HARDEN_ENDURANCE_H
#define STOIC_HARDEN_ENDURANCE_H

#include "harden/pass.h"

typedef struct stoic_endurance stoic_endurance;

/* Draws the faults and reads the images, evenly spread over those that are profiled. */
stoic_status stoic_endurance_create(const stoic_pass_run *run, const stoic_model *model,
                                    stoic_endurance **out, stoic_error *err);
void stoic_endurance_free(stoic_endurance *endurance);

/* `model` has the constants of the one given above, under the same numbers. */
stoic_status stoic_endurance_area(stoic_endurance *endurance, const stoic_model *model,
                                  double *area, stoic_error *err);

#endif
