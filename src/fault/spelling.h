/* What the specs of all fault models share: values, and how numbers are written in a canonical
 * spelling. */
#ifndef STOIC_FAULT_SPELLING_H
#define STOIC_FAULT_SPELLING_H

#include <stdbool.h>

#include "base/spec.h"
#include "stoic/model.h"

/* A float32: a number, "nan", "inf" or "-inf". `what` names the key or argument. */
stoic_status stoic_value_parse(const char *text, const char *what, float *out, stoic_error *err);
/* A number from 0 to 1. */
stoic_status stoic_probability_parse(const char *text, const char *what, double *out,
                                     stoic_error *err);

/* Refuses unknown keys (naming the nearest) and keys without a value. */
stoic_status stoic_keys_check(const stoic_spec *spec, const char *const *known, stoic_error *err);

/* The shortest decimal that reads back as `value`, as a float32 if `single`. The decimal point is
 * a point in every locale. */
enum { STOIC_NUMBER_TEXT = 40 };
void stoic_number_spell(double value, bool single, char text[STOIC_NUMBER_TEXT]);

#endif
