/* Passes by name, one after the other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/text.h"
#include "harden/hardening.h"
#include "stoic/parse.h"

static const char META_KEY[] = "stoic.hardening";

static const struct entry {
    const stoic_pass *pass;
    const char *name, *usage, *nan, *summary;
} entries[] = {
#define ENTRY(identifier, spelling, argument, nan, summary)                                        \
    {&stoic_pass_##identifier, spelling, spelling argument, nan, summary},
    STOIC_PASS_LIST(ENTRY)
#undef ENTRY
};
enum { ENTRIES = sizeof entries / sizeof *entries };

#define ENTRY_NAME(identifier, spelling, argument, nan, summary) spelling,
static const char *const known[] = {STOIC_PASS_LIST(ENTRY_NAME) NULL};

size_t stoic_pass_count(void) {
    return ENTRIES;
}

const char *stoic_pass_usage(size_t i) {
    return entries[i].usage;
}

const char *stoic_pass_summary(size_t i) {
    return entries[i].summary;
}

stoic_status stoic_pass_go_on(const stoic_harden_options *options, stoic_error *err) {
    return stoic_stop_asked(options->cancel) ? stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped")
                                             : STOIC_OK;
}

stoic_harden_options stoic_harden_options_default(void) {
    return (stoic_harden_options){.every = 5};
}

/* ---- specs ---- */

static stoic_status refuse_name(const char *name, const char *text, stoic_error *err) {
    const char *near = stoic_nearest(name, known);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, text, "unknown pass '%s'%s%s%s", name,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static stoic_status parse_argument(const stoic_pass *pass, const char *text, const char *argument,
                                   double *out, stoic_error *err) {
    *out = pass->fallback;
    if (argument && !pass->what)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, text, "%s takes no argument", pass->name);
    if (!argument && pass->what && isnan(pass->fallback))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, text, "%s needs %s: %s:N", pass->name,
                          pass->what, pass->name);
    if (!argument)
        return STOIC_OK;
    stoic_status status = stoic_parse_number(argument, text, out, err);
    if (status != STOIC_OK)
        return status;
    if (!(*out > pass->low && *out <= pass->high) || (float)*out == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, text,
                          "%s takes %s above %g and up to %g, not %s", pass->name, pass->what,
                          pass->low, pass->high, argument);
    return STOIC_OK;
}

static stoic_status parse(const char *text, const struct entry **out, double *argument,
                          stoic_error *err) {
    char name[64];
    size_t length = strcspn(text, ":");
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), text);
    for (size_t i = 0; i < ENTRIES; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            *out = &entries[i];
            return parse_argument(entries[i].pass, text, text[length] ? text + length + 1 : NULL,
                                  argument, err);
        }
    }
    return refuse_name(name, text, err);
}

stoic_status stoic_harden_check(const char *const *passes, size_t n, bool *needs_data,
                                stoic_error *err) {
    if (needs_data)
        *needs_data = false;
    if (n == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "no pass is given");
    for (size_t i = 0; i < n; i++) {
        const struct entry *entry;
        double argument;
        stoic_status status = parse(passes[i], &entry, &argument, err);
        if (status != STOIC_OK)
            return status;
        if (needs_data)
            *needs_data = *needs_data || entry->pass->profiles;
    }
    return STOIC_OK;
}

/* ---- applying ---- */

stoic_status stoic_pass_refuse(const stoic_pass_run *run, int node, const char *why,
                               stoic_error *err) {
    const stoic_node *n = &run->model->nodes[node];
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "node '%s' (%s): %s %s", n->name, n->op->name,
                      run->text, why);
}

static stoic_status transform(stoic_pass_run *run, const stoic_pass *pass, stoic_model **out,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *grown = NULL;
    if (pass->build)
        return pass->build(run, out, err);
    TRY(stoic_rewrite_create(run->model, &run->rewrite, err));
    TRY(pass->apply(run, err));
    stoic_rewrite *rewrite = run->rewrite;
    run->rewrite = NULL;
    TRY(stoic_rewrite_finish(rewrite, &grown, err));
    /* a rewrite takes nothing out: bounds that nobody reads any more would be counted and written
     */
    TRY(stoic_model_replicate(grown, 1, out, err));
done:
    stoic_rewrite_free(run->rewrite);
    stoic_model_free(grown);
    return status;
}

/* What looks for activations and outputs would find the checks', and change what they watch. */
static stoic_status refuse_behind_checks(const stoic_pass_run *run, const stoic_pass *pass,
                                         stoic_error *err) {
    int alarm = pass->last ? -1 : stoic_anatomy_alarm(run->anatomy);
    return alarm < 0 ? STOIC_OK
                     : stoic_pass_refuse(run, alarm, "goes before abft or abed, not behind", err);
}

/* The model's list of passes and this one. */
static stoic_status sign(stoic_model **model, const char *text, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *signed_ = NULL;
    stoic_text list = {0};
    const char *before = stoic_model_meta_get(*model, META_KEY);
    stoic_text_printf(&list, "%s%s%s", before ? before : "", before ? " " : "", text);
    TRY(stoic_text_finish(&list, err));
    TRY(stoic_model_with_meta(*model, META_KEY, list.data, &signed_, err));
    stoic_model_free(*model);
    *model = signed_;
done:
    stoic_text_deinit(&list);
    return status;
}

static stoic_status apply(const stoic_model *model, const char *text,
                          const stoic_harden_options *options, stoic_hardening *report,
                          stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const struct entry *entry;
    stoic_anatomy anatomy = {0};
    stoic_pass_run run = {
        .anatomy = &anatomy, .model = model, .text = text, .options = options, .report = report};
    *out = NULL;
    TRY(parse(text, &entry, &run.argument, err));
    if (entry->pass->profiles && !options->data)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, text,
                          "%s needs training images to profile activations on", entry->name);
    TRY(stoic_anatomy_init(&anatomy, model, err));
    TRY(refuse_behind_checks(&run, entry->pass, err));
    TRY(stoic_hardening_begin(report, text, entry->nan, err));
    TRY(transform(&run, entry->pass, out, err));
    const stoic_pass_result *done_ = &report->passes[report->n_passes - 1];
    if (done_->changes && entry->pass->after)
        TRY(stoic_pass_note(&run, entry->pass->after, err));
    if (!done_->changes && !done_->note)
        TRY(stoic_pass_note(&run, "changed nothing: the network is so already", err));
    if (!done_->note || done_->changes)
        TRY(sign(out, text, err));
done:
    if (status != STOIC_OK) {
        stoic_model_free(*out);
        *out = NULL;
    }
    stoic_anatomy_deinit(&anatomy);
    return status;
}

stoic_status stoic_harden(const stoic_model *model, const char *const *passes, size_t n,
                          const stoic_harden_options *options, stoic_model **out,
                          stoic_hardening **hardening, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_harden_options defaults = stoic_harden_options_default();
    stoic_model *now = stoic_model_retain(model);
    options = options ? options : &defaults;
    stoic_hardening *report = calloc(1, sizeof *report);
    *out = NULL;
    if (hardening)
        *hardening = NULL;
    if (!report) {
        status = stoic_fail_memory(err, "a list of changes", sizeof *report);
        goto done;
    }
    TRY(stoic_harden_check(passes, n, NULL, err));
    for (size_t i = 0; i < n; i++) {
        stoic_model *next;
        TRY(stoic_pass_go_on(options, err));
        TRY(apply(now, passes[i], options, report, &next, err));
        stoic_model_free(now);
        now = next;
    }
    *out = now;
    now = NULL;
    if (hardening) {
        *hardening = report;
        report = NULL;
    }
done:
    stoic_model_free(now);
    stoic_hardening_free(report);
    return status;
}
