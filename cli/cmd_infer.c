#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "preprocessing_text.h"
#include "stoic/infer.h"
#include "stoic/parse.h"
#include "stoic/report.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *fault, *figure;
    int64_t batch, scrub;
    int activations;
} settings;

static const char *const activations[] = {"fp32", "int8"}; /* as stoic_activations */

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "batch",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, batch),
     .low = 1,
     .high = 1 << 20,
     .help = "images for which the store is read once; faults strike between batches"},
    {.name = "activations",
     .kind = CLI_CHOICE,
     .argument = "fp32|int8",
     .offset = offsetof(settings, activations),
     .help = "what is multiplied with the weights; int8 needs a file calibrated by store "
             "--calibrate, and weights that are integers of at most 8 bits"},
    {.name = "fault",
     .kind = CLI_TEXT,
     .argument = "ber:P",
     .offset = offsetof(settings, fault),
     .help = "before each batch, flip each stored bit of the live store with probability P",
     .fallback = "none"},
    {.name = "scrub",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, scrub),
     .low = 0,
     .high = INT64_MAX,
     .help = "write corrected words back after every N batches; 0: never"},
    {.name = "figure",
     .kind = CLI_TEXT,
     .argument = "F.svg",
     .offset = offsetof(settings, figure),
     .help = "draw the accuracy of each batch against the bits flipped; with --scrub, also what "
             "it is without"},
    CLI_SEED_OPTION(settings),
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
    set->batch = stoic_infer_options_default().batch;
}

/* What is told. */
typedef struct look {
    const settings *set;
    const char *path;
    const stoic_infer *infer;
    stoic_run_facts facts;
    stoic_inference result;
    const stoic_preprocessing *used;
} look;

static const char *const columns[] = {"layer", "tensor", "corrected", "detected", NULL};
enum { COLUMNS = 4 };

static bool tensor_cells(const look *at, int tensor, cli_cell cells[COLUMNS]) {
    stoic_run_count told;
    stoic_infer_counts(at->infer, tensor, &told);
    cells[0] = cli_cell_count(told.layer);
    cells[1] = cli_cell_text(told.name);
    cells[2] = cli_cell_count(told.corrected);
    cells[3] = cli_cell_count(told.detected);
    return told.corrected > 0 || told.detected > 0;
}

static json_t *facts(const look *at) {
    const stoic_evaluation *e = &at->result.evaluation;
    json_t *object = json_object(), *tensors = json_array();
    int bad = cli_put_text(object, "model", at->path);
    bad |= cli_put_text(object, "store", at->facts.store);
    bad |= cli_put_text(object, "activations", activations[at->set->activations]);
    bad |= cli_put_count(object, "images", e->images);
    bad |= cli_put_count(object, "correct", e->correct);
    bad |= cli_put_number(object, "accuracy", e->accuracy);
    bad |= cli_put_count(object, "nan", e->nan);
    bad |= cli_put_count(object, "due", at->result.due);
    bad |= cli_put_count(object, "batches", at->result.batches);
    bad |= cli_put_count(object, "flips", at->result.flips);
    bad |= cli_put_count(object, "corrected", at->result.corrected);
    bad |= cli_put_count(object, "detected", at->result.detected);
    bad |= cli_put_count(object, "scrubbed", at->result.scrubbed);
    for (int i = 0; i < at->facts.tensors; i++) {
        cli_cell cells[COLUMNS];
        if (tensor_cells(at, i, cells))
            bad |= json_array_append_new(tensors, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "tensors", tensors);
    bad |= cli_put_number(object, "images_per_second", e->images_per_second);
    bad |= json_object_set_new(object, "preprocessing", cli_preprocessing_json(at->used));
    bad |= cli_put_number(object, "seconds", e->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_table(FILE *file, const look *at) {
    const stoic_inference *r = &at->result;
    const stoic_evaluation *e = &r->evaluation;
    fprintf(file, "file           %s: ", at->path);
    cli_put_plain(file, at->facts.model);
    fputs("\nstore          ", file);
    cli_put_plain(file, at->facts.store);
    fprintf(file, "\nactivations    %s\n", activations[at->set->activations]);
    fputs("preprocessing  ", file);
    cli_preprocessing_print(file, at->used);
    fprintf(file, "\nimages         %lld in %lld batches\n", (long long)e->images,
            (long long)r->batches);
    fprintf(file, "correct        %lld\n", (long long)e->correct);
    fprintf(file, "accuracy       %.6g\n", e->accuracy);
    fprintf(file, "nan            %lld\n", (long long)e->nan);
    if (r->due > 0)
        fprintf(file, "due            %lld images without an answer\n", (long long)r->due);
    if (r->flips > 0)
        fprintf(file, "flipped        %lld bits\n", (long long)r->flips);
    fprintf(file, "corrected      %lld words while reading\n", (long long)r->corrected);
    fprintf(file, "detected       %lld words that could not be\n", (long long)r->detected);
    if (at->set->scrub > 0)
        fprintf(file, "scrubbed       %lld words written back\n", (long long)r->scrubbed);
    for (int i = 0; i < at->facts.tensors; i++) {
        stoic_run_count told;
        stoic_infer_counts(at->infer, i, &told);
        if (told.corrected == 0 && told.detected == 0)
            continue;
        fputs("  ", file);
        cli_put_plain(file, told.name);
        fprintf(file, "%*s corrected %lld, detected %lld\n",
                (int)(strlen(told.name) < 12 ? 12 - strlen(told.name) : 0), "",
                (long long)told.corrected, (long long)told.detected);
    }
    fprintf(file, "time           %.3g s, %.4g images/s\n", e->seconds, e->images_per_second);
}

static stoic_status show(const look *at, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status =
        cli_output_open(&output, at->set->common.output, at->set->common.format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, facts(at), err);
    else if (output.format == CLI_CSV)
        status = cli_output_flat(&output, facts(at), err);
    else
        print_table(output.file, at);
    return cli_output_close(&output, status, err);
}

/* ---- the figure ---- */

/* A run's batches, one behind the other. */
typedef struct track {
    stoic_live_point *points;
    int64_t n;
} track;

static void note(void *user, int64_t images, int64_t correct, int64_t flips) {
    track *t = user;
    t->points[t->n++] = (stoic_live_point){images, correct, flips};
}

/* Room for every batch, if there is to be a figure. */
static stoic_status follow(track *t, stoic_infer_options *how, const stoic_dataset *data,
                           stoic_error *err) {
    t->points = calloc((size_t)(stoic_dataset_count(data) / how->batch) + 1, sizeof *t->points);
    how->watch = note;
    how->user = t;
    return t->points ? STOIC_OK : cli_fail_memory(err);
}

/* With scrubbing, the same faults once more without it, in a store that is read anew. */
static stoic_status draw(const look *at, const track *first, const stoic_infer_options *given,
                         const stoic_dataset *data, stoic_error *err) {
    stoic_infer_options how = *given;
    stoic_infer *again = NULL;
    stoic_inference ignored;
    track second = {0};
    stoic_status status = STOIC_OK;
    stoic_live_curve curves[2] = {
        {how.scrub ? "with scrubbing" : "without scrubbing", first->points, first->n}};
    if (how.scrub) {
        how.scrub = 0;
        TRY(stoic_infer_open(at->path, &again, err));
        TRY(follow(&second, &how, data, err));
        TRY(stoic_infer_run(again, data, &how, &ignored, err));
        curves[1] = (stoic_live_curve){"without", second.points, second.n};
    }
    status = stoic_live_draw(curves, again ? 2 : 1, at->set->figure, err);
done:
    stoic_infer_free(again);
    free(second.points);
    return status;
}

/* "ber:P" */
static stoic_status read_fault(const char *text, double *ber, stoic_error *err) {
    if (!text)
        return STOIC_OK;
    if (strncmp(text, "ber:", 4) != 0 || strpbrk(text + 4, ":,"))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                        "a live store is struck by ber:P alone, found '%s'", text);
    stoic_status status = stoic_parse_number(text + 4, "--fault ber:P", ber, err);
    if (status == STOIC_OK && !(*ber >= 0 && *ber <= 1))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--fault",
                        "ber:P: expected a probability, found '%s'", text + 4);
    return status;
}

static stoic_status check(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one protected weight file", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_call_keeps(call, set->figure, err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
done:
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_infer_options how = stoic_infer_options_default();
    stoic_infer *infer = NULL;
    stoic_dataset *data = NULL;
    look at = {.set = set};
    track drawn = {0};
    stoic_status status = STOIC_OK;
    TRY(check(set, call, err));
    TRY(read_fault(set->fault, &how.ber, err));
    at.path = call->arguments.items[0];
    TRY(stoic_infer_open(at.path, &infer, err));
    TRY(cli_data_open(&set->data, stoic_infer_model(infer), &data, err));
    how.batch = set->batch;
    how.scrub = set->scrub;
    how.activations = (stoic_activations)set->activations;
    how.threads = (int)set->common.threads;
    how.seed = (uint64_t)set->common.seed;
    if (set->figure)
        TRY(follow(&drawn, &how, data, err));
    TRY(stoic_infer_run(infer, data, &how, &at.result, err));
    if (set->figure)
        TRY(draw(&at, &drawn, &how, data, err));
    stoic_infer_look(infer, &at.facts);
    at.infer = infer;
    at.used = stoic_dataset_preprocessing(data);
    TRY(show(&at, err));
done:
    free(drawn.points);
    stoic_dataset_free(data);
    stoic_infer_free(infer);
    return status;
}

const cli_verb cli_verb_infer = {
    .name = "infer",
    .arguments = "FILE.stw --data SPEC",
    .summary = "inference from a protected weight file",
    .text = "Runs a network straight from its packed, protected weights (`stoic store -o` writes "
            "them): words are corrected and widened block by block as they are read. Says what "
            "was corrected and what was found wrong without being correctable. With --fault, the "
            "bits of the live store flip between batches; the file is never changed.",
    .examples = {"stoic store " CLI_EXAMPLE_MODEL " --store int8,code=secded72 \\\n"
                 "      -o lenet5.stw --format json\n"
                 "  stoic infer lenet5.stw --data fashion-mnist --images 1000",
                 "stoic store " CLI_EXAMPLE_MODEL " --store int8,code=secded72 \\\n"
                 "      -o lenet5.stw --format json\n"
                 "  stoic infer lenet5.stw --data fashion-mnist --images 1000 \\\n"
                 "      --fault ber:1e-5 --scrub 2"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
