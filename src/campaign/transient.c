#include "campaign/transient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

struct stoic_transient {
    stoic_map_fault *map; /* one of the two */
    stoic_op_fault *op;
    stoic_model *model;
};

bool stoic_transient_is_spec(const char *spec) {
    return stoic_map_fault_is_spec(spec) || stoic_op_fault_is_spec(spec);
}

static stoic_status create_map(stoic_transient *fault, const char *spec, uint64_t seed,
                               stoic_error *err) {
    stoic_status status = stoic_map_fault_create(fault->model, spec, seed, &fault->map, err);
    if (status == STOIC_OK && stoic_map_fault_value(fault->map) == STOIC_MAP_RAMP)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                            "'%s': value=ramp rises with the epochs of a training; a campaign has "
                            "none, value=uniform:A:B is its like",
                            spec);
    return status;
}

stoic_status stoic_transient_create(const stoic_model *model, const char *spec, uint64_t seed,
                                    stoic_transient **out, stoic_error *err) {
    stoic_transient *fault = calloc(1, sizeof *fault);
    if (!fault)
        return stoic_fail_memory(err, "a fault model", sizeof *fault);
    fault->model = stoic_model_retain(model);
    stoic_status status = stoic_op_fault_is_spec(spec)
                              ? stoic_op_fault_create(model, spec, seed, &fault->op, err)
                              : create_map(fault, spec, seed, err);
    if (status == STOIC_OK)
        *out = fault;
    else
        stoic_transient_free(fault);
    return status;
}

void stoic_transient_free(stoic_transient *fault) {
    if (!fault)
        return;
    stoic_map_fault_free(fault->map);
    stoic_op_fault_free(fault->op);
    stoic_model_free(fault->model);
    free(fault);
}

const char *stoic_transient_text(const stoic_transient *fault) {
    return fault->op ? stoic_op_fault_text(fault->op) : stoic_map_fault_text(fault->map);
}

const stoic_op_fault *stoic_transient_operations(const stoic_transient *fault) {
    return fault->op;
}

void stoic_transient_hits_deinit(stoic_transient_hits *hits) {
    stoic_map_hits_deinit(&hits->map);
    memset(hits, 0, sizeof *hits);
}

stoic_status stoic_transient_draw(const stoic_transient *fault, int64_t trial, int64_t image,
                                  stoic_transient_hits *hits, stoic_error *err) {
    stoic_status status;
    hits->hit = false;
    hits->operation = fault->op != NULL;
    if (fault->op) {
        TRY(stoic_op_fault_draw(fault->op, (uint64_t)trial, image, &hits->op, err));
        hits->hit = true;
        hits->node = hits->op.node;
        hits->layer = hits->op.layer;
        return STOIC_OK;
    }
    TRY(stoic_map_fault_draw(fault->map, (uint64_t)trial, image, 1.0, &hits->map, err));
    hits->hit = hits->map.hit;
    if (hits->hit) {
        const stoic_map_site *site = stoic_map_fault_site(fault->map, hits->map.site);
        hits->node = site->node;
        hits->layer = site->layer;
    }
done:
    return status;
}

static void tell_map(const stoic_transient *fault, const stoic_map_hits *hits, char *text,
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
    snprintf(text, size, "%s, %zu of %lld elements %s", kinds[hits->kind], hits->count,
             (long long)(site->channels * site->height * site->width), what);
}

static void tell_op(const stoic_op_hit *hit, char *text, size_t size) {
    char outputs[48] = "";
    if (hit->outputs > 1)
        snprintf(outputs, sizeof outputs, " and the next %lld", (long long)hit->outputs - 1);
    int used =
        snprintf(text, size, "output %lld%s, the sum behind step %lld of %lld ",
                 (long long)hit->output, outputs, (long long)hit->step, (long long)hit->steps);
    if (used < 0 || (size_t)used >= size)
        return;
    if (hit->flip)
        snprintf(text + used, size - (size_t)used, "with bit %d flipped", __builtin_ctz(hit->bits));
    else
        snprintf(text + used, size - (size_t)used, "replaced by 0x%08x", hit->bits);
}

void stoic_transient_tell(const stoic_transient *fault, const stoic_transient_hits *hits,
                          char *text, size_t size) {
    int used = snprintf(text, size, "layer %d (%.120s), ", hits->layer,
                        stoic_model_layer(fault->model, hits->layer).name);
    if (used < 0 || (size_t)used >= size)
        return;
    if (hits->operation)
        tell_op(&hits->op, text + used, size - (size_t)used);
    else
        tell_map(fault, &hits->map, text + used, size - (size_t)used);
}
