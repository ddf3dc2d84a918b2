/* A store's memory, sealed: base/seal.h. */
#ifndef STOIC_STORE_STORE_SEAL_H
#define STOIC_STORE_STORE_SEAL_H

#include "base/seal.h"
#include "stoic/store.h"

/* The stored words and what stands beside them. */
stoic_status stoic_store_seal(const stoic_store *store, stoic_seals *seals,
                              stoic_error *err) STOIC_MUST_CHECK;

#endif
