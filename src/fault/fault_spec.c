/* The spec of a fault model: the table of models, their arguments and keys. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "fault/space.h"
#include "fault/spelling.h"
#include "store/layout.h"

typedef stoic_status (*read_argument)(stoic_fault *fault, const char *argument, stoic_error *err);

static stoic_status read_none(stoic_fault *fault, const char *argument, stoic_error *err) {
    (void)fault;
    if (argument)
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "",
            "the fault model takes no argument ':%s'; several sites are asked for by n=", argument);
    return STOIC_OK;
}

static stoic_status read_flips(stoic_fault *fault, const char *argument, stoic_error *err) {
    return stoic_parse_count(argument ? argument : "", "flips:N", 1, INT64_MAX, &fault->n, err);
}

static stoic_status read_ber(stoic_fault *fault, const char *argument, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *first = strdup(argument ? argument : "");
    if (!first)
        return stoic_fail_memory(err, "a fault model", 1);
    char *colon = strchr(first, ':');
    if (colon)
        *colon = '\0';
    TRY(stoic_probability_parse(first, "ber", &fault->p01, err));
    fault->p10 = fault->p01;
    if (colon)
        TRY(stoic_probability_parse(colon + 1, "ber", &fault->p10, err));
done:
    free(first);
    return status;
}

static stoic_status read_value(stoic_fault *fault, const char *argument, stoic_error *err) {
    return stoic_value_parse(argument ? argument : "", "set:V", &fault->value, err);
}

static stoic_status read_mbu(stoic_fault *fault, const char *argument, stoic_error *err) {
    int64_t run = 0;
    stoic_status status = stoic_parse_count(argument ? argument : "", "mbu:K", 1, 64, &run, err);
    fault->run = (int)run;
    return status;
}

static stoic_status read_path(stoic_fault *fault, const char *argument, stoic_error *err) {
    (void)fault; /* read once the keys are known */
    if (!argument || !*argument)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "list: expected 'list:FILE.csv'");
    return STOIC_OK;
}

/* The keys of each model besides its argument, in the order of stoic_fault_kind. */
static const char *const keys_plain[] = {"layer", "bits", "tensor", NULL};
static const char *const keys_n[] = {"layer", "bits", "tensor", "n", NULL};
static const char *const keys_mbu[] = {"layer", "bits", "tensor", "n", "distance", NULL};
static const char *const keys_list[] = {"tensor", "digest", NULL};

static const struct {
    read_argument read;
    const char *const *keys;
} rows[] = {
    [STOIC_FAULT_FLIPS] = {read_flips, keys_plain},     [STOIC_FAULT_BER] = {read_ber, keys_plain},
    [STOIC_FAULT_EXHAUSTIVE] = {read_none, keys_plain}, [STOIC_FAULT_STUCK0] = {read_none, keys_n},
    [STOIC_FAULT_STUCK1] = {read_none, keys_n},         [STOIC_FAULT_SET] = {read_value, keys_n},
    [STOIC_FAULT_RANDOM] = {read_none, keys_n},         [STOIC_FAULT_ZERO] = {read_none, keys_n},
    [STOIC_FAULT_MBU] = {read_mbu, keys_mbu},           [STOIC_FAULT_CSV] = {read_path, keys_list},
};

#define FAULT_NAME(enumerator, name, argument, summary) [enumerator] = name,
static const char *const names[] = {STOIC_FAULT_LIST(FAULT_NAME) NULL};

/* The row that `head` ("name" or "name:argument") names. */
static stoic_status find_kind(const char *head, stoic_fault_kind *kind, const char **argument,
                              stoic_error *err) {
    size_t length = strcspn(head, ":");
    *argument = head[length] ? head + length + 1 : NULL;
    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) == length && !strncmp(head, names[i], length)) {
            *kind = (stoic_fault_kind)i;
            return STOIC_OK;
        }
    }
    if ((length == 3 && !strncmp(head, "map", 3)) || (length == 2 && !strncmp(head, "op", 2)))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                          "fault model '%s' hits computed values, no stored bits; it is not "
                          "supported here",
                          head);
    char name[65] = "";
    memcpy(name, head, length < 64 ? length : 64);
    const char *near = stoic_nearest(name, names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "unknown fault model '%s'%s%s%s", name,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static stoic_status check_keys(const stoic_spec *spec, const char *const *known, stoic_error *err) {
    for (size_t i = 0; i < spec->n_items; i++) {
        if (!strcmp(spec->items[i].key, "share"))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "share= is the share of images whose feature maps are hit; a fault "
                              "in a stored bit meets every image");
    }
    return stoic_keys_check(spec, known, err);
}

static stoic_status check_count(const stoic_fault *fault, stoic_error *err) {
    bool bits = fault->kind == STOIC_FAULT_STUCK0 || fault->kind == STOIC_FAULT_STUCK1 ||
                (fault->kind == STOIC_FAULT_FLIPS && stoic_store_is_coded(fault->store));
    int64_t most = bits || stoic_fault_replaces(fault) ? fault->sites : fault->words;
    if (fault->n <= most)
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "%s: %lld distinct %s asked for, only %lld are selected", names[fault->kind],
                      (long long)fault->n, bits ? "bits" : "weights", (long long)most);
}

static stoic_status check_value(const stoic_fault *fault, stoic_error *err) {
    if (fault->kind != STOIC_FAULT_SET)
        return STOIC_OK;
    for (int i = 0; i < fault->n_patches; i++) {
        int entry = fault->patches[i].entry;
        bool finite = isfinite(fault->value);
        if (!finite && !stoic_store_is_float(fault->store, entry))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "set: the store '%s' cannot hold %s",
                              stoic_store_text(fault->store),
                              isnan(fault->value) ? "nan" : "infinity");
        if (finite && !stoic_store_holds(fault->store, entry, fault->value))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "set: %g is beyond what the store '%s' can hold of '%s'",
                              (double)fault->value, stoic_store_text(fault->store),
                              stoic_store_entry_at(fault->store, entry)->name);
    }
    return STOIC_OK;
}

static stoic_status bad_digest(const char *path, const char *expected, const char *found,
                               stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_MISMATCH, path,
                      "list: the file has changed: digest=%s expected, found %s", expected, found);
}

static stoic_status parse_list(stoic_fault *fault, const stoic_spec *spec, const char *path,
                               stoic_error *err) {
    const char *tensor = stoic_spec_get(spec, "tensor"), *expected = stoic_spec_get(spec, "digest");
    int role = STOIC_ROLE_WEIGHT;
    uint8_t digest[16];
    if (tensor && !strcmp(tensor, "bias"))
        role = STOIC_ROLE_BIAS;
    else if (tensor && strcmp(tensor, "weight"))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "list: tensor: expected weight or bias, found '%s'", tensor);
    fault->list_role = (stoic_role)role;
    stoic_status status = stoic_list_read(fault, path, (stoic_role)role, digest, err);
    if (status != STOIC_OK)
        return status;
    stoic_digest_spell(digest, fault->digest);
    if (expected && strcmp(expected, fault->digest))
        return bad_digest(path, expected, fault->digest, err);
    fault->path = strdup(path);
    return fault->path ? STOIC_OK : stoic_fail_memory(err, "a path", strlen(path) + 1);
}

stoic_status stoic_fault_parse(stoic_fault *fault, const char *text, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_spec spec = {0};
    const char *argument = NULL, *value;
    if (!text)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "a fault model is needed, such as flips:1");
    TRY(stoic_spec_parse(text, &spec, err));
    TRY(find_kind(spec.head, &fault->kind, &argument, err));
    fault->n = fault->run = fault->distance = 1;
    TRY(rows[fault->kind].read(fault, argument, err));
    TRY(check_keys(&spec, rows[fault->kind].keys, err));
    if (fault->kind == STOIC_FAULT_CSV) {
        TRY(parse_list(fault, &spec, argument, err));
        goto done;
    }
    value = stoic_spec_get(&spec, "n");
    if (value)
        TRY(stoic_parse_count(value, "n", 1, INT64_MAX, &fault->n, err));
    value = stoic_spec_get(&spec, "distance");
    if (value) {
        int64_t distance = 0;
        TRY(stoic_parse_count(value, "distance", 1, 63, &distance, err));
        fault->distance = (int)distance;
    }
    TRY(stoic_sites_select(fault, &spec, err));
    TRY(check_count(fault, err));
    TRY(check_value(fault, err));
done:
    stoic_spec_deinit(&spec);
    return status;
}
