#include "fault/spelling.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

stoic_status stoic_value_parse(const char *text, const char *what, float *out, stoic_error *err) {
    double value = 0.0;
    if (!strcmp(text, "nan"))
        value = NAN;
    else if (!strcmp(text, "inf") || !strcmp(text, "+inf"))
        value = INFINITY;
    else if (!strcmp(text, "-inf"))
        value = -INFINITY;
    else {
        stoic_status status = stoic_parse_number(text, what, &value, err);
        if (status != STOIC_OK)
            return status;
        if (isinf((float)value))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "%s: '%s' is beyond float32 (largest %g); 'inf' stores infinity",
                              what, text, (double)FLT_MAX);
    }
    *out = (float)value;
    return STOIC_OK;
}

stoic_status stoic_probability_parse(const char *text, const char *what, double *out,
                                     stoic_error *err) {
    stoic_status status = stoic_parse_number(text, what, out, err);
    if (status == STOIC_OK && !(*out >= 0.0 && *out <= 1.0))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "%s: expected a probability from 0 to 1, found '%s'", what, text);
    return status;
}

stoic_status stoic_keys_check(const stoic_spec *spec, const char *const *known, stoic_error *err) {
    for (size_t i = 0; i < spec->n_items; i++) {
        if (!spec->items[i].value || !*spec->items[i].value)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "fault model: key '%s' needs a value",
                              spec->items[i].key);
    }
    return stoic_spec_check_keys(spec, known, err);
}

void stoic_number_spell(double value, bool single, char text[STOIC_NUMBER_TEXT]) {
    for (int digits = 1; digits <= 17; digits++) {
        char raw[64];
        double back = 0.0;
        size_t used = 0;
        snprintf(raw, sizeof raw, "%.*g", digits, value);
        for (const char *p = raw; *p && used < STOIC_NUMBER_TEXT - 1; p++) {
            if (strchr("+-0123456789einfa", *p))
                text[used++] = *p;
            else if (!used || text[used - 1] != '.')
                text[used++] = '.';
        }
        text[used] = '\0';
        if (stoic_parse_number(text, "", &back, NULL) != STOIC_OK)
            return; /* inf, nan: spelled the same with any number of digits */
        if (back == value || (single && (float)back == (float)value))
            return;
    }
}
