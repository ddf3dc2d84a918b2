#include "campaign/transient.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"

struct stoic_transient {
    stoic_map_fault *map;
    stoic_model *model;
};

bool stoic_transient_is_spec(const char *spec) {
    return stoic_map_fault_is_spec(spec);
}

stoic_status stoic_transient_create(const stoic_model *model, const char *spec, uint64_t seed,
                                    stoic_transient **out, stoic_error *err) {
    stoic_status status;
    stoic_transient *fault = calloc(1, sizeof *fault);
    if (!fault)
        return stoic_fail_memory(err, "a fault model", sizeof *fault);
    fault->model = stoic_model_retain(model);
    TRY(stoic_map_fault_create(model, spec, seed, &fault->map, err));
    if (stoic_map_fault_value(fault->map) == STOIC_MAP_RAMP) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                            "'%s': value=ramp rises with the epochs of a training; a campaign has "
                            "none, value=uniform:A:B is its like",
                            spec);
        goto done;
    }
    *out = fault;
    fault = NULL;
done:
    stoic_transient_free(fault);
    return status;
}

void stoic_transient_free(stoic_transient *fault) {
    if (!fault)
        return;
    stoic_map_fault_free(fault->map);
    stoic_model_free(fault->model);
    free(fault);
}

const char *stoic_transient_text(const stoic_transient *fault) {
    return stoic_map_fault_text(fault->map);
}

stoic_status stoic_transient_draw(const stoic_transient *fault, int64_t trial, int64_t image,
                                  stoic_map_hits *hits, int *node, int *layer, stoic_error *err) {
    *node = *layer = -1;
    stoic_status status = stoic_map_fault_draw(fault->map, (uint64_t)trial, image, 1.0, hits, err);
    if (status == STOIC_OK && hits->hit) {
        const stoic_map_site *site = stoic_map_fault_site(fault->map, hits->site);
        *node = site->node;
        *layer = site->layer;
    }
    return status;
}

void stoic_transient_tell(const stoic_transient *fault, const stoic_map_hits *hits, char *text,
                          size_t size) {
#define KIND(enumerator, name, summary) [enumerator] = name,
    static const char *const kinds[] = {STOIC_MAP_LIST(KIND)};
#undef KIND
    const stoic_map_site *site = stoic_map_fault_site(fault->map, hits->site);
    char what[48] = "replaced";
    if (hits->mode == STOIC_MAP_MULTIPLY)
        snprintf(what, sizeof what, "multiplied by %.9g", (double)hits->factor);
    else if (hits->mode == STOIC_MAP_FLIP)
        snprintf(what, sizeof what, "with bits flipped");
    snprintf(text, size, "layer %d (%.120s), %s, %zu of %lld elements %s", site->layer,
             stoic_model_layer(fault->model, site->layer).name, kinds[hits->kind], hits->count,
             (long long)(site->channels * site->height * site->width), what);
}
