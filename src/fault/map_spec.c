/* The spec of a fault in feature maps, and its life. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/map.h"
#include "fault/spelling.h"

#define KIND_NAME(enumerator, name, summary) [enumerator] = name,
static const char *const kind_names[] = {STOIC_MAP_LIST(KIND_NAME) NULL};

static const char *const keys_plain[] = {"layer", "value", "ramp", "digest",
                                         "share", "scope", NULL};
static const char *const keys_scatter[] = {"layer", "value", "ramp", "digest", "share",
                                           "scope", "n",     "rate", NULL};

bool stoic_map_fault_is_spec(const char *spec) {
    return spec && !strncmp(spec, "map", 3) && (spec[3] == ':' || spec[3] == ',' || !spec[3]);
}

/* "map:KIND" */
static stoic_status find_kind(const char *head, stoic_map_kind *kind, stoic_error *err) {
    if (!stoic_map_fault_is_spec(head))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "expected a fault in feature maps such as map:block, found '%s'", head);
    const char *name = head[3] ? head + 4 : "";
    for (int i = 0; kind_names[i]; i++) {
        if (!strcmp(name, kind_names[i])) {
            *kind = (stoic_map_kind)i;
            return STOIC_OK;
        }
    }
    const char *near = stoic_nearest(name, kind_names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "map: unknown '%s'%s%s%s; expected single, line, row, column, block, whole, "
                      "scatter or mix",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static stoic_status read_scope(const char *text, int64_t *scope, stoic_error *err) {
    *scope = 1;
    if (!text || !strcmp(text, "image"))
        return STOIC_OK;
    if (strncmp(text, "batch:", 6))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "scope: expected image or batch:N, found '%s'", text);
    return stoic_parse_count(text + 6, "scope=batch:N", 1, (int64_t)1 << 40, scope, err);
}

/* n= or rate= of scatter; n must fit into every map that may be drawn. */
static stoic_status read_amount(stoic_map_fault *fault, const stoic_spec *spec, stoic_error *err) {
    const char *n = stoic_spec_get(spec, "n"), *rate = stoic_spec_get(spec, "rate");
    fault->n = rate ? 0 : 1;
    if (n && rate)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "scatter takes n= (so many elements) or rate= (each with a probability), "
                          "not both");
    if (rate)
        return stoic_probability_parse(rate, "rate", &fault->rate, err);
    if (!n)
        return STOIC_OK;
    stoic_status status = stoic_parse_count(n, "n", 1, INT64_MAX, &fault->n, err);
    for (int i = 0; i < fault->n_sites && status == STOIC_OK; i++) {
        int64_t elements = stoic_map_site_elements(&fault->sites[i]);
        if (fault->n > elements)
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                                "n: %lld distinct elements asked for, the map of layer %d ('%s') "
                                "has %lld",
                                (long long)fault->n, fault->sites[i].layer,
                                stoic_model_layer(fault->model, fault->sites[i].layer).name,
                                (long long)elements);
    }
    return status;
}

static stoic_status parse(stoic_map_fault *fault, const char *text, bool training,
                          stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_spec spec = {0};
    if (!text)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "a fault in feature maps is needed, such as map:block");
    TRY(stoic_spec_parse(text, &spec, err));
    TRY(find_kind(spec.head, &fault->kind, err));
    TRY(stoic_keys_check(&spec, fault->kind == STOIC_MAP_SCATTER ? keys_scatter : keys_plain, err));
    TRY(stoic_map_error_parse(&fault->error, &spec, training ? "ramp" : "power-table", err));
    fault->share = training ? 0.75 : 1.0;
    const char *share = stoic_spec_get(&spec, "share");
    if (share)
        TRY(stoic_probability_parse(share, "share", &fault->share, err));
    TRY(read_scope(stoic_spec_get(&spec, "scope"), &fault->scope, err));
    TRY(stoic_map_sites_select(fault, stoic_spec_get(&spec, "layer"), err));
    TRY(read_amount(fault, &spec, err));
done:
    stoic_spec_deinit(&spec);
    return status;
}

static stoic_status write_text(stoic_map_fault *fault, stoic_error *err) {
    char number[STOIC_NUMBER_TEXT];
    stoic_text text = {0};
    stoic_text_printf(&text, "map:%s", kind_names[fault->kind]);
    if (fault->kind == STOIC_MAP_SCATTER && fault->n) {
        stoic_text_printf(&text, ",n=%lld", (long long)fault->n);
    } else if (fault->kind == STOIC_MAP_SCATTER) {
        stoic_number_spell(fault->rate, false, number);
        stoic_text_printf(&text, ",rate=%s", number);
    }
    stoic_map_sites_text(fault, &text);
    stoic_map_error_text(&fault->error, &text);
    stoic_number_spell(fault->share, false, number);
    stoic_text_printf(&text, ",share=%s", number);
    if (fault->scope == 1)
        stoic_text_puts(&text, ",scope=image");
    else
        stoic_text_printf(&text, ",scope=batch:%lld", (long long)fault->scope);
    stoic_status status = stoic_text_finish(&text, err);
    if (status != STOIC_OK)
        stoic_text_deinit(&text);
    else
        fault->text = text.data;
    return status;
}

static stoic_status create(const stoic_model *model, const char *spec, uint64_t seed, bool training,
                           stoic_map_fault **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_map_fault *fault = calloc(1, sizeof *fault);
    *out = NULL;
    if (!fault)
        return stoic_fail_memory(err, "a fault model", sizeof *fault);
    fault->model = stoic_model_retain(model);
    fault->seed = seed;
    TRY(parse(fault, spec, training, err));
    TRY(write_text(fault, err));
done:
    if (status == STOIC_OK)
        *out = fault;
    else
        stoic_map_fault_free(fault);
    return status;
}

stoic_status stoic_map_fault_create(const stoic_model *model, const char *spec, uint64_t seed,
                                    stoic_map_fault **out, stoic_error *err) {
    return create(model, spec, seed, false, out, err);
}

stoic_status stoic_map_fault_create_for_training(const stoic_model *model, const char *spec,
                                                 uint64_t seed, stoic_map_fault **out,
                                                 stoic_error *err) {
    return create(model, spec, seed, true, out, err);
}

void stoic_map_fault_free(stoic_map_fault *fault) {
    if (!fault)
        return;
    stoic_map_error_deinit(&fault->error);
    stoic_model_free(fault->model);
    free(fault->sites);
    free(fault->text);
    free(fault);
}

const char *stoic_map_fault_text(const stoic_map_fault *fault) {
    return fault->text;
}

stoic_map_kind stoic_map_fault_kind(const stoic_map_fault *fault) {
    return fault->kind;
}

stoic_map_value stoic_map_fault_value(const stoic_map_fault *fault) {
    return fault->error.value;
}

int64_t stoic_map_fault_scope(const stoic_map_fault *fault) {
    return fault->scope;
}

double stoic_map_fault_share(const stoic_map_fault *fault) {
    return fault->share;
}

int stoic_map_fault_site_count(const stoic_map_fault *fault) {
    return fault->n_sites;
}

const stoic_map_site *stoic_map_fault_site(const stoic_map_fault *fault, int i) {
    return &fault->sites[i];
}

double stoic_map_fault_severity(const stoic_map_fault *fault, int64_t epoch, int64_t epochs) {
    if (fault->error.value != STOIC_MAP_RAMP || epochs < 2 || epoch <= 0)
        return 1.0;
    if (epoch >= epochs - 1)
        return fault->error.last;
    return 1.0 + (fault->error.last - 1.0) * ((double)epoch / (double)(epochs - 1));
}
