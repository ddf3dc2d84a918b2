#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "preprocessing_text.h"
#include "stoic/infer.h"
#include "stoic/study.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *store;
    int64_t calibrate;
    bool time;
} settings;

static const cli_option options[] = {
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory: FORMAT[,scale=,code=,protect=...], "
             "as fp16 or affine:5,code=msb3 (docs/store-specs.md)"},
    CLI_DATA_OPTIONS(settings, data),
    {.name = "calibrate",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, calibrate),
     .low = 0,
     .high = INT64_MAX,
     .help = "with -o and --data: find the ranges of activations on its first N images and write "
             "them into the file, for infer --activations int8; 0: none"},
    {.name = "time",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, time),
     .help = "with --data: measure decoding, and an image in the protected runtime, beside "
             "unprotected 8 bits"},
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "also write the protected weight file, for infer"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
}

/* What is told of one store. */
typedef struct look {
    const char *path;
    const stoic_model *model;
    const stoic_store *store;
    stoic_store_facts facts;
    stoic_evaluation golden; /* with `data` */
    const stoic_preprocessing *data;
    bool timed;
    stoic_store_time time; /* beside `reference`, if timed */
    double start;
} look;

static double per_weight(int64_t bits, int64_t weights) {
    return weights > 0 ? (double)bits / (double)weights : (double)NAN;
}

static const char reference[] = "affine:8"; /* of times */

/* Against the same weights in 8 bits without a code. */
static double memory_ratio(const look *at) {
    return per_weight(at->facts.total_bits, at->facts.weights) / 8.0;
}

static const char *const columns[] = {"layer",     "name",         "tensor",          "kind",
                                      "weights",   "bits",         "bits_per_weight", "words",
                                      "word_bits", "word_weights", "store",           NULL};
enum { COLUMNS = 11 };

static void entry_cells(const look *at, int index, cli_cell cells[COLUMNS]) {
    const stoic_store_entry *entry = stoic_store_entry_at(at->store, index);
    const char *layer = entry->layer < 0 ? NULL : stoic_model_layer(at->model, entry->layer).name;
    cli_cell all[COLUMNS] = {cli_cell_count(entry->layer),
                             cli_cell_text(layer),
                             cli_cell_text(entry->name),
                             cli_cell_text(stoic_role_name(entry->role)),
                             cli_cell_count(entry->weights),
                             cli_cell_count(entry->stored_bits),
                             cli_cell_double(per_weight(entry->stored_bits, entry->weights)),
                             cli_cell_count(entry->words),
                             cli_cell_count(entry->word_bits),
                             cli_cell_count(entry->word_weights),
                             cli_cell_text(stoic_store_entry_text(at->store, index))};
    memcpy(cells, all, sizeof all);
}

static int put_time(json_t *object, const stoic_store_time *time) {
    int bad = cli_put_number(object, "decode_seconds", time->decode_seconds);
    bad |= cli_put_number(object, "image_seconds", time->image_seconds);
    bad |= cli_put_number(object, "time_ratio", time->ratio);
    bad |= cli_put_text(object, "time_reference", reference);
    return bad | cli_put_text(object, "time_note", *time->why ? time->why : NULL);
}

static json_t *facts_object(const look *at) {
    const stoic_store_facts *facts = &at->facts;
    json_t *object = json_object(), *layers = json_array();
    int bad = cli_put_text(object, "model", at->path);
    bad |= cli_put_text(object, "store", stoic_store_text(at->store));
    bad |= cli_put_count(object, "weights", facts->weights);
    bad |= cli_put_number(object, "bits_per_weight", per_weight(facts->total_bits, facts->weights));
    bad |= cli_put_count(object, "total_bits", facts->total_bits);
    bad |= cli_put_count(object, "padding_bits", facts->padding_bits);
    bad |= cli_put_count(object, "side_bits", facts->side_bits);
    bad |= cli_put_number(object, "memory_ratio", memory_ratio(at));
    bad |= cli_put_count(object, "corrects", facts->corrects);
    bad |= cli_put_count(object, "detects", facts->detects);
    bad |= cli_put_text(object, "repairs", facts->repairs);
    bad |= cli_put_count(object, "clamped", facts->clamped);
    bad |= cli_put_count(object, "outside", facts->outside);
    bad |= cli_put_count(object, "sparse", facts->sparse);
    bad |= cli_put_count(object, "aside_bits", stoic_store_aside_bits(at->store));
    bad |= cli_put_number(object, "accuracy", at->data ? at->golden.accuracy : (double)NAN);
    bad |= cli_put_count(object, "images", at->data ? at->golden.images : -1);
    bad |= cli_put_count(object, "correct", at->data ? at->golden.correct : -1);
    for (int i = 0; i < stoic_store_entry_count(at->store); i++) {
        cli_cell cells[COLUMNS];
        entry_cells(at, i, cells);
        bad |= json_array_append_new(layers, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "layers", layers);
    if (at->data)
        bad |= json_object_set_new(object, "preprocessing", cli_preprocessing_json(at->data));
    if (at->timed)
        bad |= put_time(object, &at->time);
    bad |= cli_put_number(object, "seconds", cli_seconds() - at->start);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_time(FILE *file, const stoic_store_time *time) {
    fprintf(file, "decoding       %.3g ms, every weight once\n", 1e3 * time->decode_seconds);
    if (*time->why)
        fprintf(file, "an image       not measured: %s\n", time->why);
    else
        fprintf(file, "an image       %.4g ms from protected memory, %.4g times that of %s\n",
                1e3 * time->image_seconds, time->ratio, reference);
}

static void print_head(FILE *file, const look *at) {
    const stoic_store_facts *facts = &at->facts;
    fprintf(file, "model          %s\n", at->path);
    fprintf(file, "store          %s\n", stoic_store_text(at->store));
    fprintf(file, "weights        %lld\n", (long long)facts->weights);
    fprintf(file,
            "stored bits    %lld: %.6g a weight, %.6g times the memory of 8 bits unprotected\n",
            (long long)facts->total_bits, per_weight(facts->total_bits, facts->weights),
            memory_ratio(at));
    if (facts->padding_bits > 0)
        fprintf(file, "padding        %lld bits fill the last words; not counted, not hit\n",
                (long long)facts->padding_bits);
    fprintf(file, "repairs        %s\n", facts->repairs);
    fprintf(file,
            "any bits       corrects %d and detects %d wrong bits of a word, whichever they are\n",
            facts->corrects, facts->detects);
    fprintf(file, "weights lost   %lld clamped, %lld outside the format, %lld kept aside",
            (long long)facts->clamped, (long long)facts->outside, (long long)facts->sparse);
    if (facts->sparse > 0)
        fprintf(file, " in %lld bits", (long long)stoic_store_aside_bits(at->store));
    fputs("\n", file);
    fprintf(file,
            "side bits      %lld: scales, zero points and what lies aside; they are not in "
            "the fault space\n               and not in the stored bits\n",
            (long long)facts->side_bits);
    if (at->data) {
        fputs("preprocessing  ", file);
        cli_preprocessing_print(file, at->data);
        fprintf(file, "\naccuracy       %.6g without faults (%lld of %lld images)\n",
                at->golden.accuracy, (long long)at->golden.correct, (long long)at->golden.images);
    }
    if (at->timed)
        print_time(file, &at->time);
    fprintf(file, "time           %.3g s\n\n", cli_seconds() - at->start);
}

static stoic_status write_entries(cli_output *output, const look *at, stoic_error *err) {
    cli_rows rows;
    bool go = true;
    cli_rows_begin(&rows, output, columns);
    for (int i = 0; go && i < stoic_store_entry_count(at->store); i++) {
        cli_cell cells[COLUMNS];
        entry_cells(at, i, cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

static stoic_status show(const look *at, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, NULL, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON) {
        status = cli_output_json(&output, facts_object(at), err);
    } else if (output.format == CLI_CSV) {
        status = cli_output_flat(&output, facts_object(at), err);
    } else {
        print_head(output.file, at);
        status = write_entries(&output, at, err);
    }
    return cli_output_close(&output, status, err);
}

static stoic_status take_time(look *at, const stoic_model *model, const stoic_store *store,
                              const stoic_dataset *data, stoic_error *err) {
    stoic_store *plain = NULL;
    stoic_status status = stoic_store_create(model, reference, &plain, err);
    if (status == STOIC_OK)
        status = stoic_store_time_measure(store, plain, data, &at->time, err);
    stoic_store_free(plain);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    look at = {.start = cli_seconds()};
    stoic_model *model = NULL;
    stoic_store *store = NULL;
    stoic_dataset *data = NULL;
    stoic_model *golden = NULL;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_require(set->store, "--store SPEC", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    if (set->calibrate > 0) {
        TRY(cli_require(set->common.output, "-o F.stw, with --calibrate", err));
        TRY(cli_require(set->data.spec, "--data SPEC, with --calibrate", err));
    }
    if (set->time)
        TRY(cli_require(set->data.spec, "--data SPEC, with --time", err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(stoic_store_create(model, set->store, &store, err));
    if (stoic_store_entry_count(store) == 0) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, "--store",
                          "the store '%s' holds no tensor of it", stoic_store_text(store));
        goto done;
    }
    TRY(stoic_store_golden(store, &golden, err)); /* what cannot run is said here */
    if (set->data.spec) {
        TRY(cli_data_open(&set->data, model, &data, err));
        TRY(stoic_evaluate_model(golden, data, (int)set->common.threads, &at.golden, err));
        at.data = stoic_dataset_preprocessing(data);
    }
    at.timed = set->time;
    if (set->time)
        TRY(take_time(&at, model, store, data, err));
    if (set->common.output)
        TRY(stoic_store_write(store, set->common.output, err));
    if (set->calibrate > 0)
        TRY(stoic_infer_calibrate(set->common.output, data, set->calibrate, err));
    stoic_store_describe(store, &at.facts);
    at.path = call->arguments.items[0];
    at.model = model;
    at.store = store;
    status = show(&at, set->common.format, err);
done:
    stoic_dataset_free(data);
    stoic_store_free(store);
    stoic_model_free(golden);
    stoic_model_free(model);
    return status;
}

const cli_verb cli_verb_store = {
    .name = "store",
    .arguments = "MODEL.onnx --store SPEC",
    .summary = "what a way to store weights costs and repairs",
    .text = "Puts the weights into a store and says how many bits it takes, which wrong bits its "
            "code corrects and detects, and what happened to the weights; with --data, the "
            "accuracy that is left without faults. With -o, writes the graph and the protected "
            "weights, bit for bit as faults meet them, into one file that `stoic infer` runs. With "
            "--time, what reading the store costs. In a SPEC protect= names the bits that no fault "
            "may hit: " STOIC_FIELD_NAMES ", or bits as 30+23-26; aside=FILE.csv keeps the weights "
            "that a file lists (`stoic analyze sensitivity --by weight --cover`) where no fault "
            "reaches them.",
    .examples = {"stoic store " CLI_EXAMPLE_MODEL " --store affine:5,code=msb3",
                 "stoic store " CLI_EXAMPLE_MODEL " --store int8,code=zerospace64 \\\n"
                 "      --data fashion-mnist --images 1000 --format json"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
