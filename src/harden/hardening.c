/* What was changed: kept for whoever asked. */
#include "harden/hardening.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

void stoic_hardening_free(stoic_hardening *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->n_passes; i++) {
        free((void *)(uintptr_t)h->passes[i].pass);
        free((void *)(uintptr_t)h->passes[i].note);
    }
    for (size_t i = 0; i < h->n_changes; i++) {
        free((void *)(uintptr_t)h->changes[i].node);
        free((void *)(uintptr_t)h->changes[i].what);
    }
    free(h->passes);
    free(h->changes);
    free(h);
}

size_t stoic_hardening_passes(const stoic_hardening *h) {
    return h->n_passes;
}

stoic_pass_result stoic_hardening_pass(const stoic_hardening *h, size_t i) {
    return h->passes[i];
}

size_t stoic_hardening_changes(const stoic_hardening *h) {
    return h->n_changes;
}

stoic_change stoic_hardening_change(const stoic_hardening *h, size_t i) {
    return h->changes[i];
}

stoic_status stoic_hardening_begin(stoic_hardening *h, const char *text, const char *nan,
                                   stoic_error *err) {
    stoic_pass_result *moved = realloc(h->passes, (h->n_passes + 1) * sizeof *moved);
    if (moved)
        h->passes = moved;
    char *copy = moved ? strdup(text) : NULL;
    if (!copy)
        return stoic_fail_memory(err, "a list of changes", (h->n_passes + 1) * sizeof *moved);
    h->passes[h->n_passes++] = (stoic_pass_result){.pass = copy, .nan = nan};
    return STOIC_OK;
}

static stoic_pass_result *current(stoic_pass_run *run) {
    return &run->report->passes[run->report->n_passes - 1];
}

stoic_status stoic_pass_note(stoic_pass_run *run, const char *note, stoic_error *err) {
    char *copy = strdup(note);
    if (!copy)
        return stoic_fail_memory(err, "a note", strlen(note));
    free((void *)(uintptr_t)current(run)->note);
    current(run)->note = copy;
    return STOIC_OK;
}

void stoic_pass_profiled(stoic_pass_run *run, int64_t images) {
    current(run)->images = images;
}

stoic_status stoic_pass_changed(stoic_pass_run *run, int node, stoic_error *err, const char *fmt,
                                ...) {
    stoic_hardening *h = run->report;
    const stoic_node *n = &run->model->nodes[node];
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    stoic_change *moved = realloc(h->changes, (h->n_changes + 1) * sizeof *moved);
    if (moved)
        h->changes = moved;
    char *name = moved ? strdup(n->name) : NULL, *text = moved ? strdup(what) : NULL;
    if (!name || !text) {
        free(name);
        free(text);
        return stoic_fail_memory(err, "a list of changes", (h->n_changes + 1) * sizeof *moved);
    }
    h->changes[h->n_changes++] = (stoic_change){current(run)->pass, name, n->op->name, text};
    current(run)->changes++;
    return STOIC_OK;
}
