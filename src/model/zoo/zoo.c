/* The zoo as the library shows it: names, facts, and models. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "model/zoo/zoo_plan.h"

/* An ONNX file holds 2 GiB; a value must fit where three images are tried at once (batch.c). */
enum { OPSET = 17, MAX_PARAMETERS = 500000000, MAX_VALUE = INT_MAX / 3 };

size_t stoic_zoo_count(void) {
    size_t n = 0;
    while (stoic_zoo_entry_at(n, NULL))
        n++;
    return n;
}

const char *stoic_zoo_name(size_t i) {
    const stoic_zoo_entry *entry = stoic_zoo_entry_at(i, NULL);
    return entry ? entry->name : NULL;
}

const char *stoic_zoo_description(size_t i) {
    const stoic_zoo_entry *entry = stoic_zoo_entry_at(i, NULL);
    return entry ? entry->description : NULL;
}

static stoic_zoo_plan counted(const stoic_zoo_order *order) {
    stoic_zoo_plan plan = {.order = order};
    order->family->write(&plan);
    return plan;
}

/* The smallest image above order->size that this network leaves something of. */
static int64_t smallest_size(const stoic_zoo_order *order) {
    stoic_zoo_order larger = *order;
    while (counted(&larger).too_small)
        larger.size++;
    return larger.size;
}

static stoic_status check_sizes(const stoic_zoo_order *order, const stoic_zoo_plan *plan,
                                stoic_error *err) {
    const char *name = order->entry->name;
    if (plan->too_small)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%s: size=%lld is too small, the network needs at least %lld", name,
                          (long long)order->size, (long long)smallest_size(order));
    if (plan->largest > MAX_VALUE)
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "",
            "%s: size=%lld,channels=%lld is too large, one value of the network would "
            "have %lld elements, at most %d are supported",
            name, (long long)order->size, (long long)order->channels, (long long)plan->largest,
            MAX_VALUE);
    if (plan->parameters > MAX_PARAMETERS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%s: size=%lld,channels=%lld,classes=%lld makes %lld parameters, an ONNX "
                          "file holds at most %d",
                          name, (long long)order->size, (long long)order->channels,
                          (long long)order->classes, (long long)plan->parameters, MAX_PARAMETERS);
    return STOIC_OK;
}

stoic_status stoic_zoo_describe(const char *spec, stoic_zoo_facts *out, stoic_error *err) {
    stoic_zoo_order order;
    stoic_status status = stoic_zoo_order_parse(spec, &order, err);
    if (status != STOIC_OK)
        return status;
    stoic_zoo_plan plan = counted(&order);
    status = check_sizes(&order, &plan, err);
    if (status != STOIC_OK)
        return status;
    *out = (stoic_zoo_facts){.channels = order.channels,
                             .size = order.size,
                             .classes = order.classes,
                             .parameters = plan.parameters,
                             .weights = plan.weights};
    stoic_zoo_order_text(&order, out->spec);
    stoic_zoo_choices_text(order.family, out->choices);
    return STOIC_OK;
}

static stoic_status build(const stoic_zoo_order *order, uint64_t seed, stoic_model **out,
                          stoic_error *err) {
    stoic_zoo_plan plan = {.order = order, .seed = seed, .err = err};
    char spec[256], number[32];
    stoic_status status = stoic_builder_create(order->entry->name, OPSET, &plan.b, err);
    if (status != STOIC_OK)
        return status;
    order->family->write(&plan);
    TRY(plan.status);
    stoic_zoo_order_text(order, spec);
    snprintf(number, sizeof number, "%llu", (unsigned long long)seed);
    TRY(stoic_builder_output(plan.b, plan.at.name, err));
    TRY(stoic_builder_meta(plan.b, "stoic.zoo", spec, err));
    TRY(stoic_builder_meta(plan.b, "stoic.seed", number, err));
done:
    if (status == STOIC_OK)
        return stoic_builder_finish(plan.b, out, err);
    stoic_builder_free(plan.b);
    return status;
}

stoic_status stoic_zoo_build(const char *spec, uint64_t seed, stoic_model **out, stoic_error *err) {
    stoic_zoo_order order;
    stoic_status status = stoic_zoo_order_parse(spec, &order, err);
    if (status != STOIC_OK)
        return status;
    stoic_zoo_plan plan = counted(&order);
    status = check_sizes(&order, &plan, err);
    return status == STOIC_OK ? build(&order, seed, out, err) : status;
}
