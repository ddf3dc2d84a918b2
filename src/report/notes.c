#include "report/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"

enum { MAX_NOTES = 1 << 20 };

static stoic_status split(const char *path, stoic_notes *notes, size_t bytes, stoic_error *err) {
    size_t lines = 1, number = 0;
    for (size_t i = 0; i < bytes; i++)
        lines += notes->storage[i] == '\n';
    notes->items = calloc(lines, sizeof *notes->items);
    if (!notes->items)
        return stoic_fail_memory(err, "notes", lines * sizeof *notes->items);
    for (char *line = notes->storage, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        char *tab = strchr(line, '\t');
        if (!tab || tab == line)
            return stoic_fail(err, STOIC_ERR_FORMAT, path,
                              "line %zu: expected a figure's key, a tab and a text", number);
        *tab = '\0';
        notes->items[notes->count++] = (stoic_note){line, tab + 1};
    }
    return STOIC_OK;
}

stoic_status stoic_notes_read(const char *path, stoic_notes *out, stoic_error *err) {
    uint8_t *data;
    size_t bytes;
    *out = (stoic_notes){0};
    if (!path)
        return STOIC_OK;
    stoic_status status = stoic_file_read(path, MAX_NOTES, &data, &bytes, err);
    if (status != STOIC_OK)
        return status;
    out->storage = (char *)data;
    return split(path, out, bytes, err);
}

void stoic_notes_deinit(stoic_notes *notes) {
    free(notes->items);
    free(notes->storage);
    *notes = (stoic_notes){0};
}

const char *stoic_notes_get(const stoic_notes *notes, const char *key) {
    for (size_t i = 0; i < notes->count; i++) {
        if (!strcmp(notes->items[i].key, key))
            return notes->items[i].text;
    }
    return NULL;
}
