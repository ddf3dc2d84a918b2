#include "study/protections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/transient.h"

/* What "all" stands for. What needs training first is asked for by model:FILE. */
static const char *const all_stores[] = {"fp16",
                                         "int8",
                                         "affine:5",
                                         "fp32,scale=max:1.9999,protect=exponent-msb",
                                         "fp16,scale=max:1.9999,protect=exponent-msb",
                                         "q2.5,scale=max:1.97",
                                         "affine:5,code=msb3",
                                         "affine:4,code=msb3",
                                         "affine:5,code=secded72",
                                         "int8,code=secded72",
                                         "int8,code=zerospace64",
                                         "q2.5,code=parity64",
                                         "int8,code=tmr",
                                         "fp32,code=secded72",
                                         "fp32,code=secded39",
                                         "fp32,code=tmr"};
static const char *const all_passes[] = {"relu6",
                                         "nan-filter",
                                         "relu6+nan-filter",
                                         "ranger",
                                         "ranger+nan-filter",
                                         "clipact",
                                         "smartpool",
                                         "tmr",
                                         "abft",
                                         "abed"};

const char *stoic_protection_kind_name(stoic_protection_kind kind) {
    static const char *const names[] = {"baseline", "store", "pass", "model"};
    return names[kind];
}

void stoic_protection_deinit(stoic_protection *protection) {
    free(protection->name);
    free(protection->needs);
    free(protection->skipped);
    free(protection->time_note);
}

void stoic_variants_deinit(stoic_variants *variants) {
    for (int i = 0; i < variants->n; i++) {
        if (variants->protections)
            stoic_protection_deinit(&variants->protections[i]);
        stoic_model_free(variants->items[i].model);
        free(variants->items[i].store);
        free(variants->items[i].kept);
    }
    free(variants->protections);
    free(variants->items);
    memset(variants, 0, sizeof *variants);
}

/* What a user could not change is left out; no memory, or an interruption, is not that. */
static bool excuses(stoic_status code) {
    return code == STOIC_ERR_ARGUMENT || code == STOIC_ERR_UNSUPPORTED ||
           code == STOIC_ERR_NUMERIC || code == STOIC_ERR_SHAPE;
}

stoic_status stoic_variants_skip(stoic_variants *variants, int i, const stoic_error *why,
                                 stoic_error *err) {
    stoic_variant *variant = &variants->items[i];
    const bool baseline = variants->protections[i].kind == STOIC_PROTECT_NOTHING;
    const char *culprit = !baseline                       ? variants->protections[i].name
                          : why->code == STOIC_ERR_MEMORY ? ""
                                                          : "--fault";
    if (!variant->optional || !excuses(why->code))
        return stoic_fail(err, why->code, culprit, "%s%s%s", why->place, *why->place ? ": " : "",
                          why->message);
    stoic_model_free(variant->model);
    variant->model = NULL;
    variants->protections[i].skipped = strdup(why->message);
    return variants->protections[i].skipped ? STOIC_OK : stoic_fail_memory(err, "a reason", 1);
}

static stoic_status add(stoic_variants *variants, stoic_protection_kind kind, const char *name,
                        bool optional, stoic_error *err) {
    if (variants->n == variants->capacity) {
        int capacity = variants->capacity ? 2 * variants->capacity : 32;
        stoic_protection *protections =
            realloc(variants->protections, (size_t)capacity * sizeof *protections);
        if (protections)
            variants->protections = protections;
        stoic_variant *items = realloc(variants->items, (size_t)capacity * sizeof *items);
        if (items)
            variants->items = items;
        if (!protections || !items)
            return stoic_fail_memory(err, "protections", (size_t)capacity * sizeof *items);
        variants->capacity = capacity;
    }
    int i = variants->n;
    variants->items[i] = (stoic_variant){.optional = optional};
    variants->protections[i] = (stoic_protection){.kind = kind, .name = strdup(name)};
    variants->n++;
    return variants->protections[i].name ? STOIC_OK : stoic_fail_memory(err, "a name", 1);
}

/* ---- one of each kind ---- */

static stoic_status set_needs(stoic_protection *protection, const char *text, stoic_error *err) {
    protection->needs = strdup(text);
    return protection->needs ? STOIC_OK : stoic_fail_memory(err, "a text", 1);
}

static stoic_status make_store(stoic_variants *variants, const stoic_model *model, const char *spec,
                               stoic_error *err) {
    stoic_protection *protection = &variants->protections[variants->n - 1];
    stoic_variant *variant = &variants->items[variants->n - 1];
    char needs[160] = "conversion when read";
    variant->model = stoic_model_retain(model);
    variant->store = strdup(spec);
    if (strstr(spec, "code=") && !strstr(spec, "code=none"))
        snprintf(needs, sizeof needs, "a decoder when read");
    if (strstr(spec, "protect="))
        snprintf(needs + strlen(needs), sizeof needs - strlen(needs),
                 "; safe memory for protected bits");
    if (strstr(spec, "zerospace64"))
        snprintf(needs + strlen(needs), sizeof needs - strlen(needs),
                 "; training for its accuracy");
    return variant->store ? set_needs(protection, needs, err) : stoic_fail_memory(err, "a spec", 1);
}

/* "ranger+nan-filter" */
static stoic_status make_pass(stoic_variants *variants, const stoic_model *model, const char *list,
                              const stoic_compare_options *options, stoic_error *err) {
    enum { MOST = 16 };
    stoic_status status = STOIC_OK;
    stoic_harden_options wanted = stoic_harden_options_default();
    stoic_variant *variant = &variants->items[variants->n - 1];
    stoic_protection *protection = &variants->protections[variants->n - 1];
    stoic_hardening *told = NULL;
    const char *passes[MOST];
    size_t n = 0;
    bool profiles = false;
    char *rest = NULL, *copy = strdup(list);
    if (!copy)
        return stoic_fail_memory(err, "passes", 1);
    for (char *item = strtok_r(copy, "+", &rest); item && n < MOST;
         item = strtok_r(NULL, "+", &rest))
        passes[n++] = item;
    wanted.data = options->profile;
    wanted.threads = options->threads;
    wanted.cancel = options->cancel;
    wanted.channels = options->channels;
    wanted.n_channels = options->n_channels;
    TRY(stoic_harden_check(passes, n, &profiles, err));
    TRY(stoic_harden(model, passes, n, &wanted, &variant->model, &told, err));
    if (variant->optional && stoic_hardening_changes(told) == 0) {
        const char *note = stoic_hardening_pass(told, 0).note;
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "%s",
                            note ? note : "changes nothing in this network");
        goto done;
    }
    variant->store = strdup("fp32");
    if (!variant->store) {
        status = stoic_fail_memory(err, "a spec", 1);
        goto done;
    }
    status = set_needs(protection,
                       strstr(list, "invert")      ? "training"
                       : profiles                  ? "training images, for a profile"
                       : strstr(list, "duplicate") ? "a ranking; three times a share of the work"
                       : strstr(list, "abft") || strstr(list, "abed")
                           ? "a runtime that checks, and computes again"
                       : strstr(list, "tmr") ? "three times the computation"
                                             : "nothing; training helps the accuracy",
                       err);
done:
    stoic_hardening_free(told);
    free(copy);
    return status;
}

static stoic_status make_model(stoic_variants *variants, const stoic_model *model, const char *path,
                               stoic_error *err) {
    stoic_variant *variant = &variants->items[variants->n - 1];
    char a[128], b[128];
    stoic_status status = stoic_model_read(path, &variant->model, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape_text(stoic_model_input_shape(model), a);
    stoic_shape_text(stoic_model_input_shape(variant->model), b);
    if (strcmp(a, b) != 0)
        return stoic_fail(err, STOIC_ERR_SHAPE, path, "takes images of shape %s, not %s", b, a);
    variant->store = strdup("fp32");
    return variant->store ? set_needs(&variants->protections[variants->n - 1], "training", err)
                          : stoic_fail_memory(err, "a spec", 1);
}

/* ---- all of them ---- */

static stoic_status make(stoic_variants *variants, const stoic_model *model, const char *with,
                         bool optional, const stoic_compare_options *options, stoic_error *err) {
    static const char *const heads[] = {"", "store:", "pass:", "model:"};
    int kind = STOIC_PROTECT_STORE;
    while (kind <= STOIC_PROTECT_MODEL && strncmp(with, heads[kind], strlen(heads[kind])) != 0)
        kind++;
    if (kind > STOIC_PROTECT_MODEL || !with[strlen(heads[kind])])
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--with",
                          "expected store:SPEC, pass:P+P, model:FILE or all, found '%s'", with);
    const char *argument = with + strlen(heads[kind]);
    stoic_status status = add(variants, (stoic_protection_kind)kind, with, optional, err);
    if (status != STOIC_OK)
        return status;
    stoic_error why = {0};
    status = kind == STOIC_PROTECT_STORE  ? make_store(variants, model, argument, &why)
             : kind == STOIC_PROTECT_PASS ? make_pass(variants, model, argument, options, &why)
                                          : make_model(variants, model, argument, &why);
    return status == STOIC_OK ? status : stoic_variants_skip(variants, variants->n - 1, &why, err);
}

/* Do faults hit what is stored, as opposed to what is computed? */
static bool hits_stores(const stoic_compare_options *options) {
    for (size_t i = 0; i < options->n_faults; i++) {
        if (!stoic_transient_is_spec(options->faults[i]))
            return true;
    }
    return false;
}

static stoic_status make_all(stoic_variants *variants, const stoic_model *model,
                             const stoic_compare_options *options, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char with[128];
    size_t n_stores = hits_stores(options) ? sizeof all_stores / sizeof *all_stores : 0;
    for (size_t i = 0; i < n_stores; i++) {
        snprintf(with, sizeof with, "store:%s", all_stores[i]);
        TRY(make(variants, model, with, true, options, err));
    }
    for (size_t i = 0; i < sizeof all_passes / sizeof *all_passes; i++) {
        snprintf(with, sizeof with, "pass:%s", all_passes[i]);
        TRY(make(variants, model, with, true, options, err));
    }
done:
    return status;
}

stoic_status stoic_variants_make(const stoic_model *model, const stoic_compare_options *options,
                                 stoic_variants *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    memset(out, 0, sizeof *out);
    TRY(add(out, STOIC_PROTECT_NOTHING, "baseline", false, err));
    TRY(make_store(out, model, "fp32", err));
    free(out->protections[0].needs);
    out->protections[0].needs = NULL;
    TRY(set_needs(&out->protections[0], "nothing", err));
    for (size_t i = 0; i < options->n_with; i++) {
        if (!strcmp(options->with[i], "all"))
            TRY(make_all(out, model, options, err));
        else
            TRY(make(out, model, options->with[i], false, options, err));
    }
done:
    return status;
}
