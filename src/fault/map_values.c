/* What becomes of the hit elements of a feature map: parsed, spelled, drawn. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/map.h"
#include "fault/spelling.h"
#include "store/field.h"

typedef stoic_status (*read_argument)(stoic_map_error *error, const char *argument,
                                      stoic_error *err);

static stoic_status read_real(const char *text, const char *what, double *out, stoic_error *err) {
    stoic_status status = stoic_parse_number(text, what, out, err);
    if (status == STOIC_OK && !(*out >= -(double)FLT_MAX && *out <= (double)FLT_MAX))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: '%s' is beyond float32 (largest %g)",
                            what, text, (double)FLT_MAX);
    return status;
}

/* "A:B" */
static stoic_status read_pair(const char *argument, const char *what, double *first, double *second,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = strdup(argument ? argument : "");
    if (!copy)
        return stoic_fail_memory(err, "a fault model", 1);
    char *colon = strchr(copy, ':');
    if (!colon) {
        status =
            stoic_fail(err, STOIC_ERR_ARGUMENT, "", "value: expected %s, found '%s'", what, copy);
        goto done;
    }
    *colon = '\0';
    TRY(read_real(copy, what, first, err));
    TRY(read_real(colon + 1, what, second, err));
done:
    free(copy);
    return status;
}

static stoic_status read_power(stoic_map_error *error, const char *argument, stoic_error *err) {
    error->laws = calloc(1, sizeof *error->laws);
    if (!error->laws)
        return stoic_fail_memory(err, "a fault model", sizeof *error->laws);
    stoic_power_law *law = error->laws;
    stoic_status status = read_pair(argument, "power:XMIN:ALPHA", &law->xmin, &law->alpha, err);
    if (status != STOIC_OK)
        return status;
    if (!(law->xmin > 0.0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "power:XMIN:ALPHA: expected XMIN above 0, found %g", law->xmin);
    if (!(law->alpha > 1.0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "power:XMIN:ALPHA: expected ALPHA above 1, found %g", law->alpha);
    error->n_laws = 1;
    law->weight = error->total_weight = 1.0;
    return STOIC_OK;
}

static stoic_status read_table(stoic_map_error *error, const char *argument, stoic_error *err) {
    uint8_t digest[16];
    if (!argument)
        return stoic_power_table_default(error, err);
    if (!*argument)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "value: expected power-table or power-table:FILE.csv");
    stoic_status status = stoic_power_table_read(error, argument, digest, err);
    if (status != STOIC_OK)
        return status;
    stoic_digest_spell(digest, error->digest);
    error->path = strdup(argument);
    return error->path ? STOIC_OK : stoic_fail_memory(err, "a path", strlen(argument) + 1);
}

static stoic_status read_uniform(stoic_map_error *error, const char *argument, stoic_error *err) {
    stoic_status status = read_pair(argument, "uniform:A:B", &error->low, &error->high, err);
    if (status == STOIC_OK && !(error->low <= error->high))
        status =
            stoic_fail(err, STOIC_ERR_ARGUMENT, "", "uniform:A:B: expected A <= B, found %g and %g",
                       error->low, error->high);
    return status;
}

static stoic_status read_const(stoic_map_error *error, const char *argument, stoic_error *err) {
    stoic_status status = read_real(argument ? argument : "", "const:C", &error->low, err);
    error->high = error->low;
    return status;
}

static stoic_status read_none(stoic_map_error *error, const char *argument, stoic_error *err) {
    (void)error;
    if (argument)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "value: takes no argument ':%s'", argument);
    return STOIC_OK;
}

static stoic_status read_flip(stoic_map_error *error, const char *argument, stoic_error *err) {
    stoic_format fp32;
    stoic_field field;
    stoic_status status = stoic_format_parse("fp32", &fp32, err);
    if (status == STOIC_OK)
        status = stoic_field_parse(&fp32, 0, "bits", argument ? argument : "all", &field, err);
    if (status != STOIC_OK)
        return status;
    for (int bit = 0; bit < 32; bit++) {
        if (stoic_field_has(&field, bit))
            error->bit[error->n_bits++] = bit;
    }
    return STOIC_OK;
}

static stoic_status read_set(stoic_map_error *error, const char *argument, stoic_error *err) {
    return stoic_value_parse(argument ? argument : "", "set:V", &error->set, err);
}

static const read_argument readers[] = {
    [STOIC_MAP_POWER_TABLE] = read_table, [STOIC_MAP_POWER] = read_power,
    [STOIC_MAP_UNIFORM] = read_uniform,   [STOIC_MAP_CONST] = read_const,
    [STOIC_MAP_RAMP] = read_none,         [STOIC_MAP_FLIP_BITS] = read_flip,
    [STOIC_MAP_SET] = read_set,           [STOIC_MAP_RANDOM] = read_none,
};

#define VALUE_NAME(enumerator, name, argument, summary) [enumerator] = name,
static const char *const names[] = {STOIC_MAP_VALUE_LIST(VALUE_NAME) NULL};

static stoic_status find_value(const char *text, stoic_map_value *value, const char **argument,
                               stoic_error *err) {
    size_t length = strcspn(text, ":");
    *argument = text[length] ? text + length + 1 : NULL;
    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) == length && !strncmp(text, names[i], length)) {
            *value = (stoic_map_value)i;
            return STOIC_OK;
        }
    }
    char name[65] = "";
    memcpy(name, text, length < 64 ? length : 64);
    const char *near = stoic_nearest(name, names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "value: unknown '%s'%s%s%s; expected power-table[:FILE], power:XMIN:ALPHA, "
                      "uniform:A:B, const:C, ramp, flip:BITS, set:V or random",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static stoic_status read_ramp(stoic_map_error *error, const char *text, stoic_error *err) {
    error->last = 100.0;
    if (!text)
        return STOIC_OK;
    if (error->value != STOIC_MAP_RAMP)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "ramp= belongs to value=ramp, not to '%s'",
                          names[error->value]);
    stoic_status status = read_real(text, "ramp", &error->last, err);
    if (status == STOIC_OK && !(error->last > 0.0))
        status =
            stoic_fail(err, STOIC_ERR_ARGUMENT, "", "ramp: expected more than 0, found '%s'", text);
    return status;
}

static stoic_status check_digest(const stoic_map_error *error, const char *expected,
                                 stoic_error *err) {
    if (!expected)
        return STOIC_OK;
    if (!error->path)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "digest= belongs to value=power-table:FILE.csv");
    if (strcmp(expected, error->digest))
        return stoic_fail(err, STOIC_ERR_MISMATCH, error->path,
                          "power-table: the file has changed: digest=%s expected, found %s",
                          expected, error->digest);
    return STOIC_OK;
}

stoic_status stoic_map_error_parse(stoic_map_error *error, const stoic_spec *spec,
                                   const char *fallback, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const char *text = stoic_spec_get(spec, "value"), *argument = NULL;
    TRY(find_value(text ? text : fallback, &error->value, &argument, err));
    TRY(readers[error->value](error, argument, err));
    TRY(read_ramp(error, stoic_spec_get(spec, "ramp"), err));
    TRY(check_digest(error, stoic_spec_get(spec, "digest"), err));
done:
    return status;
}

/* A ramp to 100 is spelled 100, not 1e+02. */
static void spell(double value, bool single, char text[STOIC_NUMBER_TEXT]) {
    if (value != 0.0 && fabs(value) < 1e6 && value == (double)(int)value)
        snprintf(text, STOIC_NUMBER_TEXT, "%d", (int)value);
    else
        stoic_number_spell(value, single, text);
}

/* Commas in the path escaped again. */
static void table_text(const stoic_map_error *error, stoic_text *text) {
    if (!error->path)
        return;
    stoic_text_puts(text, ":");
    for (const char *p = error->path; *p; p++)
        stoic_text_printf(text, *p == ',' ? "\\%c" : "%c", *p);
    stoic_text_printf(text, ",digest=%s", error->digest);
}

static void numbers_text(double first, double second, stoic_text *text) {
    char a[STOIC_NUMBER_TEXT], b[STOIC_NUMBER_TEXT];
    spell(first, false, a);
    spell(second, false, b);
    stoic_text_printf(text, ":%s:%s", a, b);
}

void stoic_map_error_text(const stoic_map_error *error, stoic_text *text) {
    char number[STOIC_NUMBER_TEXT], bits[STOIC_FIELD_TEXT];
    stoic_field field = {{0}}, nothing = {{0}};
    stoic_format fp32;
    stoic_text_printf(text, ",value=%s", names[error->value]);
    switch (error->value) {
    case STOIC_MAP_POWER_TABLE:
        table_text(error, text);
        break;
    case STOIC_MAP_POWER:
        numbers_text(error->laws->xmin, error->laws->alpha, text);
        break;
    case STOIC_MAP_UNIFORM:
        numbers_text(error->low, error->high, text);
        break;
    case STOIC_MAP_CONST:
        spell(error->low, false, number);
        stoic_text_printf(text, ":%s", number);
        break;
    case STOIC_MAP_RAMP:
        spell(error->last, false, number);
        stoic_text_printf(text, ",ramp=%s", number);
        break;
    case STOIC_MAP_FLIP_BITS:
        for (int i = 0; i < error->n_bits; i++)
            field.bits[0] |= (uint64_t)1 << error->bit[i];
        if (stoic_format_parse("fp32", &fp32, NULL) != STOIC_OK)
            break;
        stoic_field_spell(&fp32, 0, &field, &nothing, bits);
        stoic_text_printf(text, ":%s", bits);
        break;
    case STOIC_MAP_SET:
        spell((double)error->set, true, number);
        stoic_text_printf(text, ":%s", isnan(error->set) ? "nan" : number);
        break;
    case STOIC_MAP_RANDOM:
        break;
    }
}

void stoic_map_error_deinit(stoic_map_error *error) {
    free(error->laws);
    free(error->path);
}

/* The next float32, ended at the largest finite one: an infinite factor would make a NaN of 0. */
static float limited(double x) {
    if (x > (double)FLT_MAX)
        return FLT_MAX;
    return x < -(double)FLT_MAX ? -FLT_MAX : (float)x;
}

static double power_law(const stoic_map_error *error, stoic_rng *rng) {
    const stoic_power_law *law = error->laws;
    if (error->n_laws > 1) {
        const stoic_power_law *last = law + error->n_laws - 1;
        double at = stoic_rng_unit(rng) * error->total_weight;
        for (; law < last && at > law->weight; law++)
            at -= law->weight;
    }
    double u = stoic_rng_unit(rng); /* 1 - r */
    return law->xmin * stoic_exp_portable(-stoic_log_portable(u) / (law->alpha - 1.0));
}

float stoic_map_error_factor(const stoic_map_error *error, stoic_rng *rng, double severity) {
    switch (error->value) {
    case STOIC_MAP_POWER:
    case STOIC_MAP_POWER_TABLE:
        return limited(power_law(error, rng));
    case STOIC_MAP_RAMP: {
        bool negative = stoic_rng_below(rng, 2) == 1;
        double magnitude = stoic_rng_unit(rng) * severity;
        return limited(negative ? -magnitude : magnitude);
    }
    default:
        return limited(error->low + (error->high - error->low) * stoic_rng_unit(rng));
    }
}
