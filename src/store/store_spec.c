/* The spec of a store: which rows of the tables it names, and its canonical spelling. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "store/layout.h"

/* One known value of a key. `row` is NULL for what is not supported yet. */
typedef struct choice {
    const char *name, *argument;
    const void *row;
} choice;

enum { MAX_CHOICES = 16 };
static const char delivered[] = "delivered"; /* a row without a descriptor of its own */

#define CHOICE(name, argument, descriptor) {name, argument, descriptor},
static const choice formats[] = {STOIC_FORMAT_LIST(CHOICE){NULL, NULL, NULL}};
static const choice codes[] = {STOIC_CODE_LIST(CHOICE){NULL, NULL, NULL}};
static const choice scales[] = {{"none", "", delivered}, {"max", "T", NULL}, {"const", "C", NULL},
                                {"pow2", "", NULL},      {"auto", "", NULL}, {NULL, NULL, NULL}};
static const choice granularities[] = {
    {"tensor", "", delivered}, {"channel", "", NULL}, {NULL, NULL, NULL}};
static const choice outliers[] = {
    {"keep", "", delivered}, {"clamp", "", NULL}, {"sparse", "", NULL}, {NULL, NULL, NULL}};
static const choice rescales[] = {
    {"weights", "", delivered}, {"logits", "", NULL}, {"fold", "", NULL}, {NULL, NULL, NULL}};
static const choice dues[] = {{"keep", "", delivered},
                              {"zero", "", delivered},
                              {"report", "", delivered},
                              {NULL, NULL, NULL}};

/* The row of `table` that `text` ("name" or "name:argument") names. */
static stoic_status choose(const char *key, const char *text, const choice *table,
                           const choice **out, stoic_error *err) {
    const char *names[MAX_CHOICES + 1];
    size_t n = 0, length = strcspn(text, ":");
    for (; table[n].name && n < MAX_CHOICES; n++) {
        names[n] = table[n].name;
        if (strlen(table[n].name) != length || strncmp(text, table[n].name, length))
            continue;
        if (!table[n].row)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "store: %s '%s' is not supported yet",
                              key, text);
        if (text[length] && !*table[n].argument)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "store: %s '%s' takes no argument, found '%s'", key, table[n].name,
                              text);
        *out = &table[n];
        return STOIC_OK;
    }
    names[n] = NULL;
    const char *near = stoic_nearest(text, names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: unknown %s '%s'%s%s%s", key, text,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static const char *const role_names[STOIC_N_ROLES + 1] = {"weight", "bias", "bn", NULL};

const char *stoic_role_name(stoic_role role) {
    return role_names[role];
}

stoic_status stoic_roles_parse(const char *key, const char *list, unsigned *roles,
                               stoic_error *err) {
    *roles = 0;
    for (const char *item = list;; item++) {
        size_t length = strcspn(item, "+");
        int role = 0;
        while (role < STOIC_N_ROLES &&
               (strlen(role_names[role]) != length || strncmp(item, role_names[role], length)))
            role++;
        if (role == STOIC_N_ROLES)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "%s: expected a list of weight, bias, bn such as weight+bias, "
                              "found '%s'",
                              key, list);
        *roles |= 1u << role;
        item += length;
        if (!*item)
            return STOIC_OK;
    }
}

const char *stoic_roles_text(unsigned roles, char text[32]) {
    size_t used = 0;
    text[0] = '\0';
    for (int role = 0; role < STOIC_N_ROLES; role++) {
        if (roles >> role & 1)
            used +=
                (size_t)snprintf(text + used, 32 - used, "%s%s", used ? "+" : "", role_names[role]);
    }
    return text;
}

static stoic_status write_text(stoic_layout *layout, stoic_error *err) {
    char roles[32] = "", mask[STOIC_MASK_TEXT] = "", text[STOIC_MASK_TEXT + 96];
    if (layout->include != 1u << STOIC_ROLE_WEIGHT)
        stoic_roles_text(layout->include, roles);
    if (layout->protected_bits)
        stoic_format_mask_text(layout->format, layout->protected_bits, ~(uint64_t)0, mask);
    snprintf(text, sizeof text, "%s%s%s%s%s", layout->format->name, *roles ? ",include=" : "",
             roles, *mask ? ",protect=" : "", mask);
    layout->text = strdup(text);
    return layout->text ? STOIC_OK : stoic_fail_memory(err, "a store", strlen(text) + 1);
}

/* `due` asks what happens to a word that a code found wrong and cannot repair. */
static stoic_status check_due(const stoic_spec *spec, const stoic_layout *layout,
                              stoic_error *err) {
    const choice *row = NULL;
    const char *due = stoic_spec_get(spec, "due");
    if (!due)
        return STOIC_OK;
    stoic_status status = choose("due", due, dues, &row, err);
    if (status == STOIC_OK && layout->code == &stoic_code_none)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "store: due=%s needs a code: without one (code=none) no word is ever "
                            "detected as wrong",
                            due);
    return status;
}

/* Keys whose only value so far is the default. */
static stoic_status check_defaults(const stoic_spec *spec, stoic_error *err) {
    static const struct {
        const char *key;
        const choice *table;
    } keys[] = {{"scale", scales},
                {"granularity", granularities},
                {"outliers", outliers},
                {"rescale", rescales}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const choice *row = NULL;
        const char *value = stoic_spec_get(spec, keys[i].key);
        if (!value)
            continue;
        stoic_status status = choose(keys[i].key, value, keys[i].table, &row, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

stoic_status stoic_layout_parse(const char *text, stoic_layout *out, stoic_error *err) {
    static const char *const known[] = {"scale",   "code", "granularity", "include", "outliers",
                                        "protect", "due",  "rescale",     NULL};
    stoic_status status = STOIC_OK;
    stoic_spec spec = {0};
    const choice *row = NULL;
    const char *value;
    memset(out, 0, sizeof *out);
    TRY(stoic_spec_parse(text && *text ? text : "fp32", &spec, err));
    TRY(stoic_spec_check_keys(&spec, known, err));
    for (size_t i = 0; i < spec.n_items; i++) {
        if (!spec.items[i].value || !*spec.items[i].value) {
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: key '%s' needs a value",
                                spec.items[i].key);
            goto done;
        }
    }
    TRY(choose("format", spec.head, formats, &row, err));
    out->format = row->row;
    value = stoic_spec_get(&spec, "code");
    TRY(choose("code", value ? value : "none", codes, &row, err));
    out->code = row->row;
    TRY(check_defaults(&spec, err));
    TRY(check_due(&spec, out, err));
    value = stoic_spec_get(&spec, "include");
    TRY(stoic_roles_parse("include", value ? value : "weight", &out->include, err));
    value = stoic_spec_get(&spec, "protect");
    if (value)
        TRY(stoic_format_mask(out->format, value, &out->protected_bits, err));
    TRY(write_text(out, err));
done:
    stoic_spec_deinit(&spec);
    return status;
}

void stoic_layout_deinit(stoic_layout *layout) {
    free(layout->text);
    layout->text = NULL;
}
