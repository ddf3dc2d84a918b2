/* A fault model's memory, sealed: base/seal.h. */
#ifndef STOIC_FAULT_FAULT_SEAL_H
#define STOIC_FAULT_FAULT_SEAL_H

#include "base/seal.h"
#include "stoic/fault.h"

/* What trials are drawn from: where faults may hit, and the list of list:. */
stoic_status stoic_fault_seal(const stoic_fault *fault, stoic_seals *seals,
                              stoic_error *err) STOIC_MUST_CHECK;

#endif
