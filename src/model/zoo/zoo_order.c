/* Which network a spec asks for: "lenet5,activation=sigmoid,classes=5". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "base/text.h"
#include "model/zoo/zoo_plan.h"

/* Within these, no product of sizes that a plan computes overflows. */
enum { MAX_CLASSES = 1000000, MAX_SIZE = 4096, MAX_CHANNELS = 4096, MAX_GAIN = 1000 };

static const stoic_zoo_family *const families[] = {
#define FAMILY(name) &stoic_zoo_family_##name,
    STOIC_ZOO_FAMILY_LIST(FAMILY)
#undef FAMILY
};

enum { FAMILIES = sizeof families / sizeof *families };

const stoic_zoo_entry *stoic_zoo_entry_at(size_t i, const stoic_zoo_family **family) {
    for (size_t f = 0; f < FAMILIES; f++) {
        if (family)
            *family = families[f];
        if (i < families[f]->n_entries)
            return &families[f]->entries[i];
        i -= families[f]->n_entries;
    }
    return NULL;
}

static stoic_status find_entry(const char *name, const stoic_zoo_entry **entry,
                               const stoic_zoo_family **family, stoic_error *err) {
    char known[512] = "";
    for (size_t i = 0; (*entry = stoic_zoo_entry_at(i, family)); i++) {
        if (strcmp((*entry)->name, name) == 0)
            return STOIC_OK;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", (*entry)->name);
    }
    return stoic_fail(err, STOIC_ERR_ARGUMENT, name,
                      "no network '%s' in the zoo, expected one of %s", name, known);
}

static const stoic_zoo_entry *entry_named(const stoic_zoo_family *family, const char *name) {
    const stoic_zoo_entry *entry = family->entries;
    while (strcmp(entry->name, name) != 0)
        entry++;
    return entry;
}

/* ---- values ---- */

static stoic_status read_count(const stoic_spec *spec, const char *key, int64_t low, int64_t high,
                               int64_t *out, stoic_error *err) {
    const char *value = stoic_spec_get(spec, key);
    char what[96];
    snprintf(what, sizeof what, "%.40s: %s", spec->head, key);
    return value ? stoic_parse_count(value, what, low, high, out, err) : STOIC_OK;
}

static void join_values(const stoic_zoo_choice *choice, char text[96]) {
    text[0] = '\0';
    for (size_t i = 0; i < 3 && choice->values[i]; i++) {
        size_t used = strlen(text);
        snprintf(text + used, 96 - used, "%s%s", i ? "|" : "", choice->values[i]);
    }
}

static stoic_status read_choice(const stoic_spec *spec, const stoic_zoo_choice *choice, int *out,
                                stoic_error *err) {
    const char *value = choice->key ? stoic_spec_get(spec, choice->key) : NULL;
    char known[96];
    if (!value)
        return STOIC_OK;
    for (int i = 0; i < 3 && choice->values[i]; i++) {
        if (strcmp(choice->values[i], value) == 0) {
            *out = i;
            return STOIC_OK;
        }
    }
    join_values(choice, known);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: %s must be %s, not '%s'", spec->head,
                      choice->key, known, value);
}

/* ---- initialisation ---- */

/* The shortest spelling of the gain that is read back as the same number. */
static stoic_status xavier_text(double gain, char out[64], stoic_error *err) {
    stoic_status status = STOIC_OK;
    double again = 0;
    for (int digits = 6; digits <= 17 && again != gain && status == STOIC_OK; digits++) {
        stoic_text text = {0};
        stoic_text_printf(&text, "%.*g", digits, gain);
        status = stoic_text_finish(&text, err);
        if (status == STOIC_OK)
            status = stoic_parse_number(text.data, "init=xavier", &again, err);
        if (status == STOIC_OK)
            snprintf(out, 64, "xavier:%.40s", text.data);
        stoic_text_deinit(&text);
    }
    return status;
}

static stoic_status read_xavier(const char *head, const char *text, stoic_zoo_order *out,
                                stoic_error *err) {
    double gain = 1;
    if (*text == ':') {
        char what[96];
        snprintf(what, sizeof what, "%.40s: init=xavier", head);
        stoic_status status = stoic_parse_number(text + 1, what, &gain, err);
        if (status != STOIC_OK)
            return status;
    }
    if (!(gain > 0 && gain <= MAX_GAIN))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%s: the gain of init=xavier must be above 0 and at most %d, not '%s'",
                          head, MAX_GAIN, text + 1);
    out->conv = out->gemm =
        (stoic_zoo_draw){.gain = gain * sqrt(6), .fan = STOIC_ZOO_FAN_BOTH, .zero_bias = true};
    return xavier_text(gain, out->init, err);
}

static stoic_status read_init(const stoic_spec *spec, stoic_zoo_order *out, stoic_error *err) {
    const char *value = stoic_spec_get(spec, "init");
    out->conv = out->gemm = (stoic_zoo_draw)STOIC_ZOO_DRAW_PYTORCH;
    snprintf(out->init, sizeof out->init, "%.40s", value ? value : "pytorch");
    if (!value || strcmp(value, "pytorch") == 0)
        return STOIC_OK;
    if (strcmp(value, "torchvision") == 0) {
        out->conv = out->family->conv;
        out->gemm = out->family->gemm;
        return STOIC_OK;
    }
    bool normal = strcmp(value, "kaiming-normal") == 0;
    if (normal || strcmp(value, "kaiming-uniform") == 0) {
        out->conv = out->gemm =
            (stoic_zoo_draw){.gain = sqrt(normal ? 2 : 6), .normal = normal, .zero_bias = true};
        return STOIC_OK;
    }
    if (strcmp(value, "xavier") == 0 || strncmp(value, "xavier:", 7) == 0)
        return read_xavier(spec->head, value + strlen("xavier"), out, err);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "%s: init must be pytorch, torchvision, kaiming-uniform, kaiming-normal or "
                      "xavier:GAIN, not '%s'",
                      spec->head, value);
}

/* ---- specs ---- */

static stoic_status check_keys(const stoic_spec *spec, const stoic_zoo_family *family,
                               stoic_error *err) {
    const char *known[4 + STOIC_ZOO_CHOICES + 1] = {"classes", "size", "channels", "init"};
    for (int i = 0; i < STOIC_ZOO_CHOICES && family->choices[i].key; i++)
        known[4 + i] = family->choices[i].key;
    stoic_status status = stoic_spec_check_keys(spec, known, err);
    for (size_t i = 0; i < spec->n_items && status == STOIC_OK; i++) {
        if (!spec->items[i].value)
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: %s needs a value", spec->head,
                                spec->items[i].key);
    }
    return status;
}

stoic_status stoic_zoo_order_parse(const char *text, stoic_zoo_order *out, stoic_error *err) {
    const stoic_zoo_entry *entry;
    stoic_spec spec;
    stoic_status status = stoic_spec_parse(text, &spec, err);
    if (status != STOIC_OK)
        return status;
    *out = (stoic_zoo_order){0};
    TRY(find_entry(spec.head, &entry, &out->family, err));
    TRY(check_keys(&spec, out->family, err));
    out->entry = entry->short_for ? entry_named(out->family, entry->short_for) : entry;
    out->channels = entry->channels;
    out->size = entry->size;
    out->classes = entry->classes;
    memcpy(out->choice, entry->choice, sizeof out->choice);
    TRY(read_count(&spec, "classes", 2, MAX_CLASSES, &out->classes, err));
    TRY(read_count(&spec, "size", 1, MAX_SIZE, &out->size, err));
    TRY(read_count(&spec, "channels", 1, MAX_CHANNELS, &out->channels, err));
    for (int i = 0; i < STOIC_ZOO_CHOICES; i++)
        TRY(read_choice(&spec, &out->family->choices[i], &out->choice[i], err));
    TRY(read_init(&spec, out, err));
done:
    stoic_spec_deinit(&spec);
    return status;
}

static void append(char text[256], const char *key, const char *value) {
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, ",%s=%s", key, value);
}

static void append_count(char text[256], const char *key, int64_t value, int64_t usual) {
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)value);
    if (value != usual)
        append(text, key, number);
}

void stoic_zoo_order_text(const stoic_zoo_order *order, char text[256]) {
    const stoic_zoo_entry *entry = order->entry;
    snprintf(text, 256, "%s", entry->name);
    for (int i = 0; i < STOIC_ZOO_CHOICES && order->family->choices[i].key; i++) {
        if (order->choice[i] != entry->choice[i])
            append(text, order->family->choices[i].key,
                   order->family->choices[i].values[order->choice[i]]);
    }
    append_count(text, "classes", order->classes, entry->classes);
    append_count(text, "size", order->size, entry->size);
    append_count(text, "channels", order->channels, entry->channels);
    if (strcmp(order->init, "pytorch") != 0)
        append(text, "init", order->init);
}

void stoic_zoo_choices_text(const stoic_zoo_family *family, char text[256]) {
    char values[96];
    text[0] = '\0';
    for (int i = 0; i < STOIC_ZOO_CHOICES && family->choices[i].key; i++) {
        size_t used = strlen(text);
        join_values(&family->choices[i], values);
        snprintf(text + used, 256 - used, "%s%s=%s", i ? "," : "", family->choices[i].key, values);
    }
}
