#include "stoic/report.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    const char *figures, *model, *title, *notes;
} settings;

static const cli_option options[] = {
    CLI_OUTPUT_OPTION(settings, "the page to write"),
    {.name = "figures",
     .kind = CLI_TEXT,
     .argument = "DIR",
     .offset = offsetof(settings, figures),
     .help = "write the pictures alone to this folder"},
    {.name = "model",
     .kind = CLI_TEXT,
     .argument = "M.onnx",
     .offset = offsetof(settings, model),
     .help = "add histograms of this model's weights"},
    {.name = "title",
     .kind = CLI_TEXT,
     .argument = "TEXT",
     .offset = offsetof(settings, title),
     .help = "title of the page",
     .fallback = "made from the campaigns"},
    {.name = "notes",
     .kind = CLI_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, notes),
     .help = "captions: a figure's key, a tab and the text, one a line"},
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_report_options report = stoic_report_options_default();
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, SIZE_MAX, "one or more campaign files", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    if (!set->figures)
        TRY(cli_require(set->common.output, "-o R.html or --figures DIR", err));
    report.title = set->title;
    report.figures = set->figures;
    report.model_path = set->model;
    report.notes = set->notes;
    TRY(stoic_report_write(call->arguments.items, call->arguments.count, &report,
                           set->common.output, err));
done:
    return status;
}

const cli_verb cli_verb_report = {
    .name = "report",
    .arguments = "RUN.db... -o R.html",
    .summary = "one page with tables and figures",
    .text = "Writes one self-contained page about one or more campaigns: what was run, tables, "
            "figures. Figures need gnuplot.",
    .examples = {CLI_EXAMPLE_RUN "\n  stoic report run.db -o run.html",
                 CLI_EXAMPLE_RUN "\n  stoic report run.db --model " CLI_EXAMPLE_MODEL
                                 " --title 'One flip' -o run.html"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
