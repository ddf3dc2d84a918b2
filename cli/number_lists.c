#include "number_lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "stoic/parse.h"

enum { MOST = 100000 };

static stoic_status add(cli_numbers *out, double value, const char *what, stoic_error *err) {
    if (out->count == MOST)
        return cli_fail(err, STOIC_ERR_ARGUMENT, what, "expected at most %d numbers", MOST);
    if ((out->count & (out->count - 1)) == 0) { /* a power of two: full */
        size_t room = out->count ? 2 * out->count : 1;
        double *items = realloc(out->items, room * sizeof *items);
        if (!items)
            return cli_fail_memory(err);
        out->items = items;
    }
    out->items[out->count++] = value;
    return STOIC_OK;
}

/* "2-4": digits on both sides, so that 1e-3 and -1 are numbers. */
static bool is_range(const char *word) {
    size_t first = strspn(word, "0123456789");
    size_t last = word[first] == '-' ? strspn(word + first + 1, "0123456789") : 0;
    return first && last && !word[first + 1 + last];
}

static stoic_status add_item(cli_numbers *out, const char *word, const char *what,
                             stoic_error *err) {
    cli_range range;
    double value;
    stoic_status status = STOIC_OK;
    if (!is_range(word)) {
        status = stoic_parse_number(word, what, &value, err);
        return status == STOIC_OK ? add(out, value, what, err) : status;
    }
    status = cli_range_parse(word, what, &range, err);
    if (status == STOIC_OK && range.count > MOST)
        return cli_fail(err, STOIC_ERR_ARGUMENT, what, "expected at most %d numbers", MOST);
    for (int64_t i = 0; i < range.count && status == STOIC_OK; i++)
        status = add(out, (double)(range.first + i), what, err);
    return status;
}

stoic_status cli_names_parse(char *copy, const char *what, const char ***out, size_t *count,
                             stoic_error *err) {
    size_t n = 1;
    for (const char *at = copy; *at; at++)
        n += *at == ',';
    *count = n;
    *out = calloc(n, sizeof **out);
    if (!*out)
        return cli_fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        char *comma = strchr(copy, ',');
        if (comma)
            *comma = '\0';
        if (!*copy)
            return cli_fail(err, STOIC_ERR_ARGUMENT, what, "empty item in the list");
        (*out)[i] = copy;
        copy = comma ? comma + 1 : NULL;
    }
    return STOIC_OK;
}

stoic_status cli_numbers_parse(const char *text, const char *what, cli_numbers *out,
                               stoic_error *err) {
    const char **words = NULL;
    size_t n = 0;
    char *copy = strdup(text);
    stoic_status status = STOIC_OK;
    *out = (cli_numbers){0};
    if (!copy)
        return cli_fail_memory(err);
    TRY(cli_names_parse(copy, what, &words, &n, err));
    for (size_t i = 0; i < n; i++)
        TRY(add_item(out, words[i], what, err));
done:
    free(words);
    free(copy);
    return status;
}

/* Where it is within rounding of nine decimals, that decimal. */
static double as_decimal(double value) {
    double near = round(value * 1e9) / 1e9;
    return fabs(near - value) <= 1e-13 * fmax(1.0, fabs(value)) ? near : value;
}

stoic_status cli_steps_parse(const char *text, const char *what, cli_numbers *out,
                             stoic_error *err) {
    double numbers[3] = {0, 0, 0};
    stoic_status status = STOIC_OK;
    char *copy = strdup(text), *at = copy;
    *out = (cli_numbers){0};
    if (!copy)
        return cli_fail_memory(err);
    for (int i = 0; i < 3; i++) {
        char *colon = at ? strchr(at, ':') : NULL;
        if (!at || !colon != (i == 2)) {
            status = cli_fail(err, STOIC_ERR_ARGUMENT, what,
                              "expected LOW:HIGH:STEP such as -0.5:0.5:0.01, found '%s'", text);
            goto done;
        }
        if (colon)
            *colon = '\0';
        TRY(stoic_parse_number(at, what, &numbers[i], err));
        at = colon ? colon + 1 : NULL;
    }
    double steps = floor((numbers[1] - numbers[0]) / numbers[2] + 1e-6);
    if (!(numbers[2] > 0.0) || !(steps >= 0.0) || steps >= MOST) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, what,
                          "expected 1 to %d numbers, a step above 0 and LOW not above HIGH, found "
                          "'%s'",
                          MOST, text);
        goto done;
    }
    for (int i = 0; i <= (int)steps; i++)
        TRY(add(out, as_decimal(numbers[0] + i * numbers[2]), what, err));
done:
    free(copy);
    return status;
}

void cli_numbers_deinit(cli_numbers *numbers) {
    free(numbers->items);
    *numbers = (cli_numbers){0};
}
