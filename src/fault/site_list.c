/*
 * The file of list:FILE.csv: a header with the columns layer, index, bit and perhaps trial, in any
 * order, then a site a line. Without `trial` each line is a trial of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "fault/space.h"
#include "fault/spelling.h"
#include "store/layout.h"

enum { LAYER, INDEX, BIT, TRIAL, N_COLUMNS, MAX_FIELDS = 8 };
static const char *const columns[N_COLUMNS + 1] = {"layer", "index", "bit", "trial", NULL};

/* The reader's place in the file. */
typedef struct reader {
    stoic_fault *fault;
    const char *path;
    stoic_role role;
    char *next; /* rest of the text */
    int64_t line;
    int at[N_COLUMNS]; /* field of each column, -1: the file has no such column */
    int n_fields;
    int64_t capacity;
} reader;

static stoic_status read_text(const char *path, char **text, size_t *size, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t used = 0, room = 0;
    char *data = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return stoic_fail_errno(err, path, "cannot open the fault list");
    for (;;) {
        if (used + 1 >= room) {
            room = room ? 2 * room : 65536;
            char *grown = room > used ? realloc(data, room) : NULL;
            if (!grown) {
                status = stoic_fail_memory(err, "a fault list", room);
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
        status = stoic_fail_errno(err, path, "cannot read the fault list");
        goto done;
    }
    data[used] = '\0';
    if (strlen(data) != used)
        status = stoic_fail(err, STOIC_ERR_FORMAT, path,
                            "the fault list is no text: it has a zero "
                            "byte at offset %zu",
                            strlen(data));
done:
    fclose(file);
    if (status != STOIC_OK)
        free(data);
    *text = status == STOIC_OK ? data : NULL;
    *size = used;
    return status;
}

static stoic_status fail_line(const reader *r, stoic_error *err, const char *what,
                              const char *found) {
    return stoic_fail(err, STOIC_ERR_FORMAT, r->path, "line %lld: %s, found '%s'",
                      (long long)r->line, what, found);
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
static stoic_status next_line(reader *r, char *fields[MAX_FIELDS], int *n, stoic_error *err) {
    *n = 0;
    while (r->next && !*n) {
        char *line = r->next, *end = strchr(line, '\n');
        r->next = end ? end + 1 : NULL;
        r->line++;
        size_t length = end ? (size_t)(end - line) : strlen(line);
        if (length && line[length - 1] == '\r')
            length--;
        line[length] = '\0';
        for (char *rest = length ? line : NULL; rest;) {
            if (*n == MAX_FIELDS)
                return stoic_fail(err, STOIC_ERR_FORMAT, r->path, "line %lld: too many fields",
                                  (long long)r->line);
            fields[(*n)++] = cut_field(&rest);
        }
    }
    return STOIC_OK;
}

static stoic_status read_header(reader *r, stoic_error *err) {
    char *fields[MAX_FIELDS];
    int n = 0;
    stoic_status status = next_line(r, fields, &n, err);
    if (status != STOIC_OK)
        return status;
    if (!n)
        return stoic_fail(err, STOIC_ERR_FORMAT, r->path,
                          "the fault list is empty; expected a header such as layer,index,bit");
    for (int i = 0; i < n; i++) {
        int column = 0;
        while (column < N_COLUMNS && strcmp(fields[i], columns[column]))
            column++;
        if (column == N_COLUMNS)
            return fail_line(r, err, "expected the columns layer,index,bit and perhaps trial",
                             fields[i]);
        if (r->at[column] >= 0)
            return fail_line(r, err, "a column is named twice", fields[i]);
        r->at[column] = i;
    }
    for (int column = LAYER; column <= BIT; column++) {
        if (r->at[column] < 0)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->path, "line %lld: no column '%s'",
                              (long long)r->line, columns[column]);
    }
    r->n_fields = n;
    return STOIC_OK;
}

/* Digits only: a site is never rounded from something else. */
static bool read_digits(const char *text, int64_t *out) {
    int64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(*text - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

/* "i;j;k;l" or a flat index; -1 where it is neither or lies outside the tensor. */
static int64_t read_index(char *text, const stoic_store_entry *entry) {
    int64_t flat = 0, part = 0;
    if (!strchr(text, ';'))
        return read_digits(text, &flat) && flat < entry->words ? flat : -1;
    for (int axis = 0; axis < entry->shape.rank; axis++) {
        char *end = strchr(text, ';');
        if ((end == NULL) != (axis == entry->shape.rank - 1))
            return -1;
        if (end)
            *end = '\0';
        bool inside = read_digits(text, &part) && part < entry->shape.dim[axis];
        if (end)
            *end = ';';
        if (!inside)
            return -1;
        flat = flat * entry->shape.dim[axis] + part; /* below the number of elements */
        text = end ? end + 1 : text;
    }
    return flat;
}

static int find_entry(const stoic_store *store, int layer, stoic_role role) {
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, i);
        if (entry->layer == layer && entry->role == role)
            return i;
    }
    return -1;
}

static stoic_status read_site(const reader *r, char *const *fields, stoic_listed *site,
                              stoic_error *err) {
    const stoic_store *store = r->fault->store;
    char *layer_text = fields[r->at[LAYER]], *index = fields[r->at[INDEX]];
    const char *bit_text = fields[r->at[BIT]];
    char what[192], shape[128];
    int layer = 0;
    int64_t bit = 0;
    stoic_error reason;
    site->line = r->line;
    if (stoic_layer_find(stoic_store_model(store), layer_text, &layer, &reason) != STOIC_OK)
        return stoic_fail(err, STOIC_ERR_FORMAT, r->path, "line %lld: %s", (long long)r->line,
                          reason.message);
    site->entry = find_entry(store, layer, r->role);
    if (site->entry < 0)
        return fail_line(r, err, "the layer stores no such tensor of its own", layer_text);
    const stoic_store_entry *entry = stoic_store_entry_at(store, site->entry);
    site->word = read_index(index, entry);
    if (site->word < 0) {
        snprintf(what, sizeof what, "index: expected a position in a tensor of shape %s",
                 stoic_shape_text(&entry->shape, shape));
        return fail_line(r, err, what, index);
    }
    if (!read_digits(bit_text, &bit) || bit >= entry->word_bits) {
        snprintf(what, sizeof what, "bit: expected 0 to %d", entry->word_bits - 1);
        return fail_line(r, err, what, bit_text);
    }
    if (stoic_store_protected(store) >> bit & 1)
        return fail_line(r, err, "bit: expected one that the store does not protect", bit_text);
    site->bit = (int32_t)bit;
    site->trial = r->fault->n_list;
    if (r->at[TRIAL] >= 0 && !read_digits(fields[r->at[TRIAL]], &site->trial))
        return fail_line(r, err, "trial: expected a number", fields[r->at[TRIAL]]);
    return STOIC_OK;
}

static stoic_status read_sites(reader *r, stoic_error *err) {
    stoic_fault *fault = r->fault;
    char *fields[MAX_FIELDS];
    for (;;) {
        int n = 0;
        stoic_status status = next_line(r, fields, &n, err);
        if (status != STOIC_OK || !n)
            return status;
        if (n != r->n_fields)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->path,
                              "line %lld: %d fields, the header "
                              "has %d",
                              (long long)r->line, n, r->n_fields);
        if (fault->n_list == r->capacity) {
            r->capacity = r->capacity ? 2 * r->capacity : 256;
            size_t bytes = (size_t)r->capacity * sizeof *fault->list;
            stoic_listed *grown = realloc(fault->list, bytes);
            if (!grown)
                return stoic_fail_memory(err, "a fault list", bytes);
            fault->list = grown;
        }
        status = read_site(r, fields, &fault->list[fault->n_list], err);
        if (status != STOIC_OK)
            return status;
        fault->n_list++;
    }
}

static int compare_listed(const void *a, const void *b) {
    const stoic_listed *x = a, *y = b;
    if (x->trial != y->trial)
        return x->trial < y->trial ? -1 : 1;
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    if (x->bit != y->bit)
        return x->bit < y->bit ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Sorts by trial, refuses the same bit twice in one and gaps, and notes where each starts. */
static stoic_status group_trials(const reader *r, stoic_error *err) {
    stoic_fault *f = r->fault;
    if (!f->n_list)
        return stoic_fail(err, STOIC_ERR_FORMAT, r->path, "the fault list has no site");
    qsort(f->list, (size_t)f->n_list, sizeof *f->list, compare_listed);
    f->list_first = malloc(((size_t)f->n_list + 1) * sizeof *f->list_first);
    if (!f->list_first)
        return stoic_fail_memory(err, "a fault list", (size_t)f->n_list * sizeof *f->list_first);
    for (int64_t i = 0; i < f->n_list; i++) {
        const stoic_listed *last = &f->list[i > 0 ? i - 1 : 0], *this = &f->list[i];
        if (i > 0 && last->trial == this->trial && last->entry == this->entry &&
            last->word == this->word && last->bit == this->bit)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->path,
                              "line %lld: the same bit as in line %lld, in the same trial",
                              (long long)this->line, (long long)last->line);
        if (i > 0 && last->trial == this->trial)
            continue;
        if (this->trial != f->n_list_trials)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->path,
                              "line %lld: trial %lld, but trial %lld has no line; trials count "
                              "from 0 without gaps",
                              (long long)this->line, (long long)this->trial,
                              (long long)f->n_list_trials);
        f->list_first[f->n_list_trials++] = i;
    }
    f->list_first[f->n_list_trials] = f->n_list;
    return STOIC_OK;
}

stoic_status stoic_list_read(stoic_fault *fault, const char *path, stoic_role role,
                             uint8_t digest[16], stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *text = NULL;
    size_t size = 0;
    reader r = {.fault = fault, .path = path, .role = role, .at = {-1, -1, -1, -1}};
    TRY(read_text(path, &text, &size, err));
    stoic_digest *sum = stoic_digest_create();
    if (!sum) {
        status = stoic_fail_memory(err, "a digest", 16);
        goto done;
    }
    stoic_digest_add(sum, text, size);
    stoic_digest_finish(sum, digest);
    bool marked = !strncmp(text, "\xEF\xBB\xBF", 3); /* a byte order mark, as spreadsheets write */
    r.next = marked ? text + 3 : text;
    TRY(read_header(&r, err));
    TRY(read_sites(&r, err));
    TRY(group_trials(&r, err));
done:
    free(text);
    return status;
}
