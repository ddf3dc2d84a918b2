/* Stores and the models that inference runs with them, for the tests of rescaling. */
#ifndef STOIC_TEST_RESCALE_RIG_H
#define STOIC_TEST_RESCALE_RIG_H

#include "small_networks.h"
#include "stoic/store.h"

static inline stoic_store *store_of(const stoic_model *model, const char *spec) {
    stoic_store *store = NULL;
    stoic_error err = {0};
    if (stoic_store_create(model, spec, &store, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return store;
}

/* The model that inference runs; NULL and the reason in `err` where it is refused. */
static inline stoic_model *golden(const stoic_model *model, const char *spec, stoic_error *err) {
    stoic_store *store = store_of(model, spec);
    stoic_model *out = NULL;
    stoic_status status = stoic_store_golden(store, &out, err);
    stoic_store_free(store);
    assert_true(status == STOIC_OK ? out != NULL : out == NULL);
    assert_true(status == STOIC_OK || status == STOIC_ERR_UNSUPPORTED);
    return out;
}

static inline stoic_model *must(const stoic_model *model, const char *spec) {
    stoic_error err = {0};
    stoic_model *out = golden(model, spec, &err);
    if (!out)
        fail_msg("%s: %s", spec, err.message);
    return out;
}

#endif
