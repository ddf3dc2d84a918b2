#include "base/csv_rows.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"

static stoic_status read_text(stoic_csv *csv, size_t *size, stoic_error *err) {
    const char *path = csv->path, *noun = csv->form->noun;
    char what[96];
    stoic_status status = STOIC_OK;
    size_t used = 0, room = 0;
    char *data = NULL;
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(what, sizeof what, "cannot open the %s", noun);
        return stoic_fail_errno(err, path, what);
    }
    for (;;) {
        if (used + 1 >= room) {
            room = room ? 2 * room : 65536;
            char *grown = room > used ? realloc(data, room) : NULL;
            if (!grown) {
                status = stoic_fail_memory(err, noun, room);
                goto done;
            }
            data = grown;
        }
        size_t got = fread(data + used, 1, room - used - 1, file);
        used += got;
        if (!got)
            break;
    }
    if (ferror(file)) {
        snprintf(what, sizeof what, "cannot read the %s", noun);
        status = stoic_fail_errno(err, path, what);
        goto done;
    }
    data[used] = '\0';
    if (strlen(data) != used)
        status =
            stoic_fail(err, STOIC_ERR_FORMAT, path,
                       "the %s is no text: it has a zero byte at offset %zu", noun, strlen(data));
done:
    fclose(file);
    if (status != STOIC_OK)
        free(data);
    csv->text = status == STOIC_OK ? data : NULL;
    *size = used;
    return status;
}

stoic_status stoic_csv_fail(const stoic_csv *csv, stoic_error *err, const char *what,
                            const char *found) {
    return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: %s, found '%s'",
                      (long long)csv->line, what, found);
}

/* Cuts one field off at its comma, in place. "a,b" may be quoted, "" stands for a quote. */
static char *cut_field(char **rest) {
    char *field = *rest, *to = field, *from = field;
    bool quoted = *from == '"';
    from += quoted;
    for (; *from && (quoted || *from != ','); from++) {
        if (quoted && *from == '"') {
            if (from[1] != '"') {
                quoted = false;
                continue;
            }
            from++;
        }
        *to++ = *from;
    }
    *rest = *from ? from + 1 : NULL;
    *to = '\0';
    return field;
}

/* The fields of the next line that is not empty; *n is 0 at the end of the file. */
static stoic_status next_line(stoic_csv *csv, char *fields[STOIC_CSV_FIELDS], int *n,
                              stoic_error *err) {
    *n = 0;
    while (csv->next && !*n) {
        char *line = csv->next, *end = strchr(line, '\n');
        csv->next = end ? end + 1 : NULL;
        csv->line++;
        size_t length = end ? (size_t)(end - line) : strlen(line);
        if (length && line[length - 1] == '\r')
            length--;
        line[length] = '\0';
        for (char *rest = length ? line : NULL; rest;) {
            if (*n == STOIC_CSV_FIELDS)
                return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: too many fields",
                                  (long long)csv->line);
            fields[(*n)++] = cut_field(&rest);
        }
    }
    return STOIC_OK;
}

static bool is_passed_over(const stoic_csv_form *form, const char *column) {
    const char *const *passed = form->passed;
    while (passed && *passed && strcmp(*passed, column) != 0)
        passed++;
    return form->others || (passed && *passed);
}

static stoic_status read_header(stoic_csv *csv, stoic_error *err) {
    char *fields[STOIC_CSV_FIELDS];
    int n = 0;
    stoic_status status = next_line(csv, fields, &n, err);
    if (status != STOIC_OK)
        return status;
    if (!n)
        return stoic_fail(err, STOIC_ERR_FORMAT, csv->path,
                          "the %s is empty; expected a header such as %s", csv->form->noun,
                          csv->form->example);
    for (int i = 0; i < n; i++) {
        int column = 0;
        while (csv->form->columns[column] && strcmp(fields[i], csv->form->columns[column]))
            column++;
        if (!csv->form->columns[column] && is_passed_over(csv->form, fields[i]))
            continue;
        if (!csv->form->columns[column])
            return stoic_csv_fail(csv, err, csv->form->expected, fields[i]);
        if (csv->at[column] >= 0)
            return stoic_csv_fail(csv, err, "a column is named twice", fields[i]);
        csv->at[column] = i;
    }
    for (int column = 0; column < csv->form->required; column++) {
        if (csv->at[column] < 0)
            return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: no column '%s'",
                              (long long)csv->line, csv->form->columns[column]);
    }
    csv->n_fields = n;
    return STOIC_OK;
}

stoic_status stoic_csv_open(const stoic_csv_form *form, const char *path, stoic_csv *out,
                            uint8_t digest[16], stoic_error *err) {
    size_t size = 0;
    *out = (stoic_csv){.form = form, .path = path};
    for (int column = 0; column < STOIC_CSV_COLUMNS; column++)
        out->at[column] = -1;
    stoic_status status = read_text(out, &size, err);
    if (status != STOIC_OK)
        return status;
    stoic_digest *sum = stoic_digest_create();
    if (!sum)
        return stoic_fail_memory(err, "a digest", 16);
    stoic_digest_add(sum, out->text, size);
    stoic_digest_finish(sum, digest);
    bool marked =
        !strncmp(out->text, "\xEF\xBB\xBF", 3); /* a byte order mark, as spreadsheets write */
    out->next = marked ? out->text + 3 : out->text;
    return read_header(out, err);
}

void stoic_csv_close(stoic_csv *csv) {
    free(csv->text);
    *csv = (stoic_csv){0};
}

stoic_status stoic_csv_next(stoic_csv *csv, char *fields[STOIC_CSV_FIELDS], int *n,
                            stoic_error *err) {
    stoic_status status = next_line(csv, fields, n, err);
    if (status == STOIC_OK && *n && *n != csv->n_fields)
        status =
            stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: %d fields, the header has %d",
                       (long long)csv->line, *n, csv->n_fields);
    return status;
}
