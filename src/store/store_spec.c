/* The spec of a store: what it asks for, what means nothing together, its canonical spelling. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "base/text.h"
#include "store/layout.h"

static const char *const scales[] = {"none", "max", "const", "pow2", "auto", NULL};
static const char *const granularities[] = {"tensor", "channel", NULL};
static const char *const outliers[] = {"keep", "clamp", "sparse", NULL};
static const char *const dues[] = {"keep", "zero", "report", NULL};
static const char *const rescales[] = {"weights", "logits", "fold", NULL};

/* Which of `names` the text before any ':' is. */
static stoic_status choose(const char *key, const char *text, const char *const *names, int *out,
                           stoic_error *err) {
    size_t length = strcspn(text, ":");
    for (*out = 0; names[*out]; ++*out) {
        if (strlen(names[*out]) == length && !strncmp(text, names[*out], length))
            return STOIC_OK;
    }
    const char *near = stoic_nearest(text, names);
    char all[160];
    size_t used = 0;
    if (near)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: unknown %s '%s'; did you mean '%s'?",
                          key, text, near);
    for (int i = 0; names[i]; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: unknown %s '%s'; expected one of %s",
                      key, text, all);
}

/* A key without argument; the default stays where it is absent. */
static stoic_status read_choice(const stoic_spec *spec, const char *key, const char *const *names,
                                int *out, stoic_error *err) {
    const char *text = stoic_spec_get(spec, key);
    *out = 0;
    if (!text)
        return STOIC_OK;
    stoic_status status = choose(key, text, names, out, err);
    if (status == STOIC_OK && strchr(text, ':'))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "store: %s=%s takes no argument, found '%s'", key, names[*out], text);
    return status;
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

/* ---- scale ---- */

static stoic_status read_scale(const stoic_spec *spec, stoic_layout *layout, stoic_error *err) {
    static const char *const wants[] = {"", ":T", ":C", "", "[:BER]"};
    const char *text = stoic_spec_get(spec, "scale");
    int kind = 0;
    if (!text)
        return STOIC_OK;
    stoic_status status = choose("scale", text, scales, &kind, err);
    if (status != STOIC_OK)
        return status;
    const char *argument = strchr(text, ':');
    layout->scale = (stoic_scale)kind;
    layout->scale_value = kind == STOIC_SCALE_AUTO ? 1e-4 : 0;
    bool may = *wants[kind], must = may && kind != STOIC_SCALE_AUTO;
    if (argument ? !may : must)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: expected scale=%s%s, found '%s'",
                          scales[kind], wants[kind], text);
    if (!argument)
        return STOIC_OK;
    status = stoic_parse_number(argument + 1, "scale", &layout->scale_value, err);
    if (status != STOIC_OK)
        return status;
    if (!(layout->scale_value > 0) || !isfinite(layout->scale_value) ||
        (kind == STOIC_SCALE_AUTO && layout->scale_value >= 1) ||
        !isfinite((float)layout->scale_value) || (float)layout->scale_value == 0)
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "", "store: scale=%s: expected %s, found '%s'", scales[kind],
            kind == STOIC_SCALE_AUTO ? "a bit error rate between 0 and 1" : "a number above 0",
            argument + 1);
    return STOIC_OK;
}

/* ---- what means nothing together ---- */

static stoic_status refuse(stoic_error *err, const char *what) {
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: %s", what);
}

static stoic_status check_scale(const stoic_layout *l, stoic_error *err) {
    bool ranged = stoic_format_is_ranged(&l->format);
    if (l->scale != STOIC_SCALE_NONE && ranged)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: scale= means nothing for %s, whose steps follow the range of "
                          "each tensor",
                          l->format.name);
    if (l->outliers != STOIC_OUTLIERS_KEEP && ranged)
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "",
            "store: outliers= means nothing for %s, whose range is that of the tensor",
            l->format.name);
    if (l->granularity == STOIC_PER_CHANNEL && !ranged &&
        (l->scale == STOIC_SCALE_NONE || l->scale == STOIC_SCALE_CONST))
        return refuse(err, "granularity=channel needs something to choose for each channel: "
                           "affine:M, int8, or scale=max, pow2 or auto");
    if (l->rescale != STOIC_RESCALE_WEIGHTS && l->scale == STOIC_SCALE_NONE)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: rescale=%s needs a scale to undo, such as scale=pow2",
                          rescales[l->rescale]);
    if (l->rescale == STOIC_RESCALE_LOGITS && l->granularity == STOIC_PER_CHANNEL)
        return refuse(err,
                      "rescale=logits carries one factor a layer: granularity=channel has one a "
                      "channel; rescale=fold can undo that");
    if (l->rescale != STOIC_RESCALE_WEIGHTS && l->include != 1u << STOIC_ROLE_WEIGHT)
        return refuse(err, "rescale=logits and rescale=fold change biases and batch normalisation; "
                           "include= must stay at weight");
    if (l->rescale != STOIC_RESCALE_WEIGHTS && l->outliers == STOIC_OUTLIERS_SPARSE)
        return refuse(err,
                      "outliers=sparse keeps weights as they are, rescale=logits and fold keep "
                      "them scaled: choose one");
    if (l->rescale != STOIC_RESCALE_WEIGHTS && l->aside)
        return refuse(err, "aside= keeps weights as they are, rescale=logits and fold keep them "
                           "scaled: choose one");
    return STOIC_OK;
}

/* `due` asks what happens to a word that a code found wrong and cannot repair. */
static stoic_status check_due(const stoic_layout *l, const stoic_spec *spec, stoic_error *err) {
    const char *due = stoic_spec_get(spec, "due");
    if (due && l->code.family == &stoic_code_none)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: due=%s needs a code: without one (code=none) no word is ever "
                          "detected as wrong",
                          due);
    if (due && l->code.copied)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: due=%s means nothing for code=%s: a majority of three always "
                          "decides, no word is left unrepaired",
                          due, l->code.name);
    return STOIC_OK;
}

/* ---- spelling ---- */

static stoic_status write_text(stoic_layout *l, stoic_error *err) {
    stoic_text text = {0};
    stoic_field nothing = {{0}};
    char roles[32], mask[STOIC_FIELD_TEXT];
    stoic_text_printf(&text, "%s", l->format.name);
    if (l->scale != STOIC_SCALE_NONE)
        stoic_text_printf(&text, ",scale=%s", scales[l->scale]);
    if (l->scale_value > 0) { /* none and pow2 have no argument */
        stoic_text_puts(&text, ":");
        stoic_text_number(&text, l->scale_value, false);
    }
    if (l->code.family != &stoic_code_none)
        stoic_text_printf(&text, ",code=%s", l->code.name);
    if (l->granularity)
        stoic_text_printf(&text, ",granularity=%s", granularities[l->granularity]);
    if (l->include != 1u << STOIC_ROLE_WEIGHT)
        stoic_text_printf(&text, ",include=%s", stoic_roles_text(l->include, roles));
    if (l->outliers)
        stoic_text_printf(&text, ",outliers=%s", outliers[l->outliers]);
    if (stoic_field_count(&l->protect)) {
        stoic_field_spell(&l->format, l->code.redundant, &l->protect, &nothing, mask);
        stoic_text_printf(&text, ",protect=%s", mask);
    }
    if (l->aside)
        stoic_aside_spell(l->aside, l->aside_digest, &text);
    if (l->due)
        stoic_text_printf(&text, ",due=%s", dues[l->due]);
    if (l->rescale)
        stoic_text_printf(&text, ",rescale=%s", rescales[l->rescale]);
    stoic_status status = stoic_text_finish(&text, err);
    if (status == STOIC_OK)
        l->text = strdup(text.data);
    stoic_text_deinit(&text);
    if (status == STOIC_OK && !l->text)
        status = stoic_fail_memory(err, "a store", 1);
    return status;
}

static stoic_status read_protect(const char *value, stoic_layout *out, stoic_error *err) {
    stoic_text what = {0};
    stoic_status status = STOIC_OK;
    stoic_text_printf(&what, "store: protect=%s", value);
    TRY(stoic_text_finish(&what, err));
    status =
        stoic_field_parse(&out->format, out->code.redundant, what.data, value, &out->protect, err);
done:
    stoic_text_deinit(&what);
    return status;
}

/* aside=FILE and the digest= that its content must have, if it is known. */
static stoic_status read_aside(const stoic_spec *spec, stoic_layout *out, stoic_error *err) {
    const char *path = stoic_spec_get(spec, "aside"), *digest = stoic_spec_get(spec, "digest");
    if (!path)
        return digest ? refuse(err, "digest= is that of the file of aside=, and there is none")
                      : STOIC_OK;
    out->aside = strdup(path);
    if (!out->aside)
        return stoic_fail_memory(err, "a path", strlen(path) + 1);
    if (!digest)
        return stoic_aside_digest(path, out->aside_digest, err);
    if (strlen(digest) != STOIC_DIGEST_TEXT - 1 ||
        strspn(digest, "0123456789abcdef") != STOIC_DIGEST_TEXT - 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: digest=: expected 32 hexadecimal digits, found '%s'", digest);
    strcpy(out->aside_digest, digest);
    return STOIC_OK;
}

static stoic_status read_keys(const stoic_spec *spec, stoic_layout *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const char *value = stoic_spec_get(spec, "code");
    int choice = 0;
    TRY(stoic_code_parse(value ? value : "none", &out->format, &out->code, err));
    TRY(read_scale(spec, out, err));
    TRY(read_choice(spec, "granularity", granularities, &choice, err));
    out->granularity = (stoic_granularity)choice;
    TRY(read_choice(spec, "outliers", outliers, &choice, err));
    out->outliers = (stoic_outliers)choice;
    TRY(read_choice(spec, "due", dues, &choice, err));
    out->due = (stoic_due)choice;
    TRY(read_choice(spec, "rescale", rescales, &choice, err));
    out->rescale = (stoic_rescale)choice;
    value = stoic_spec_get(spec, "include");
    TRY(stoic_roles_parse("include", value ? value : "weight", &out->include, err));
    value = stoic_spec_get(spec, "protect");
    if (value)
        TRY(read_protect(value, out, err));
    TRY(read_aside(spec, out, err));
    TRY(check_scale(out, err));
    TRY(check_due(out, spec, err));
    out->format.hold = stoic_format_is_float(&out->format) &&
                       (out->scale != STOIC_SCALE_NONE || out->outliers != STOIC_OUTLIERS_KEEP);
    out->format.saturate = out->outliers == STOIC_OUTLIERS_CLAMP;
done:
    return status;
}

/* A part of a store cannot ask for what holds for the whole of it. */
static stoic_status check_part(const stoic_spec *spec, stoic_error *err) {
    static const char *const whole[] = {"include", "rescale", "aside", "digest"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (stoic_spec_get(spec, whole[i]))
            return stoic_fail(
                err, STOIC_ERR_ARGUMENT, "",
                "store: %s= holds for the whole store, it stands before the first '/'", whole[i]);
    }
    return STOIC_OK;
}

static stoic_status parse(const char *text, const stoic_layout *base, stoic_layout *out,
                          stoic_error *err) {
    static const char *const known[] = {"scale",    "code",    "granularity", "include",
                                        "outliers", "protect", "aside",       "digest",
                                        "due",      "rescale", NULL};
    stoic_status status = STOIC_OK;
    stoic_spec spec = {0};
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
    if (base)
        TRY(check_part(&spec, err));
    TRY(stoic_format_parse(spec.head, &out->format, err));
    TRY(read_keys(&spec, out, err));
    TRY(write_text(out, err));
    if (base) {
        out->include = base->include;
        out->rescale = base->rescale;
        TRY(check_scale(out, err));
    }
done:
    stoic_spec_deinit(&spec);
    return status;
}

stoic_status stoic_layout_parse(const char *text, stoic_layout *out, stoic_error *err) {
    return parse(text, NULL, out, err);
}

stoic_status stoic_layout_parse_part(const char *text, const stoic_layout *base, stoic_layout *out,
                                     stoic_error *err) {
    return parse(text, base, out, err);
}

void stoic_layout_deinit(stoic_layout *layout) {
    free(layout->aside);
    free(layout->text);
    layout->aside = layout->text = NULL;
}
