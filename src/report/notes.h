/* Notes for a report: a file with "key<TAB>text" a line, '#' starts a comment line. Keys are those
 * of the figures, "intro" for the top of the page and "label" for what the notes are called. */
#ifndef STOIC_REPORT_NOTES_H
#define STOIC_REPORT_NOTES_H

#include <stddef.h>

#include "stoic/status.h"

typedef struct stoic_note {
    const char *key, *text;
} stoic_note;

typedef struct stoic_notes {
    char *storage;
    stoic_note *items;
    size_t count;
} stoic_notes;

/* `path` NULL: no notes. STOIC_ERR_FORMAT: a line without a tab. */
stoic_status stoic_notes_read(const char *path, stoic_notes *out,
                              stoic_error *err) STOIC_MUST_CHECK;
void stoic_notes_deinit(stoic_notes *notes);
/* The first text of a key, or NULL. */
const char *stoic_notes_get(const stoic_notes *notes, const char *key);

#endif
