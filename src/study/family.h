/* A family of stores: a spec in which {M} stands for the width of a weight. */
#ifndef STOIC_STUDY_FAMILY_H
#define STOIC_STUDY_FAMILY_H

#include <stdbool.h>

#include "stoic/status.h"

bool stoic_family_varies(const char *pattern);

/* The spec of one width; unprotected: without code= and what only a code has. The caller frees. */
stoic_status stoic_family_spec(const char *pattern, int width, bool unprotected, char **out,
                               stoic_error *err) STOIC_MUST_CHECK;

#endif
