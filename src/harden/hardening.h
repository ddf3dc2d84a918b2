/* The inside of stoic_hardening. */
#ifndef STOIC_HARDEN_HARDENING_H
#define STOIC_HARDEN_HARDENING_H

#include "harden/pass.h"

struct stoic_hardening {
    stoic_pass_result *passes; /* `pass` and `note` are its own, as `node` and `what` below */
    size_t n_passes;
    stoic_change *changes;
    size_t n_changes;
};

/* The pass whose changes follow. `nan` is a constant. */
stoic_status stoic_hardening_begin(stoic_hardening *hardening, const char *text, const char *nan,
                                   stoic_error *err);

#endif
