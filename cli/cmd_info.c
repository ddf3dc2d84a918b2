#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "stoic/parse.h"
#include "verb.h"
#include "weight_statistics.h"

typedef struct settings {
    cli_common common;
    const char *bits;
    cli_words changes;
} settings;

static const cli_option options[] = {
    {.name = "bits",
     .kind = CLI_TEXT,
     .argument = "FIELD",
     .offset = offsetof(settings, bits),
     .help = "show the stored bits of a field: sign, exponent, mantissa, all or a list 30+23-26"},
    {.name = "set",
     .kind = CLI_LIST,
     .argument = "KEY=VALUE",
     .offset = offsetof(settings, changes),
     .help = "write a model with mean, std, resize or crop changed in its metadata (an empty "
             "value removes it), to the file that -o names"},
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output; with --set the model"),
    CLI_FORMAT_OPTION(settings),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

/* A whole look at one model. */
typedef struct look {
    const char *path;
    const stoic_model *model;
    stoic_store *store;
    const char *field; /* NULL: no bits */
    cli_bits bits;
    double start;
} look;

static int64_t layer_bits(const stoic_store *store, int layer) {
    int64_t bits = 0;
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, i);
        if (entry->layer == layer)
            bits += entry->stored_bits;
    }
    return bits;
}

static const char *const columns[] = {"index", "name",    "op",     "weights",    "bits",
                                      "macs",  "output",  "min",    "max",        "mean",
                                      "std",   "max_abs", "below2", "not_finite", NULL};
enum { COLUMNS = 14 };

static void layer_cells(const look *at, int index, char output[128], cli_cell cells[COLUMNS]) {
    stoic_layer layer = stoic_model_layer(at->model, index);
    cli_weights weights;
    cli_weights_measure(layer.weights, &weights);
    cli_cell all[COLUMNS] = {cli_cell_count(index),
                             cli_cell_text(layer.name),
                             cli_cell_text(layer.op),
                             cli_cell_count(weights.count),
                             cli_cell_count(layer_bits(at->store, index)),
                             cli_cell_count(layer.macs),
                             cli_cell_text(stoic_shape_text(&layer.output, output)),
                             cli_cell_double(weights.low),
                             cli_cell_double(weights.high),
                             cli_cell_double(weights.mean),
                             cli_cell_double(weights.std),
                             cli_cell_double(weights.max_abs),
                             cli_cell_double(weights.below2),
                             cli_cell_count(weights.not_finite)};
    memcpy(cells, all, sizeof all);
}

static json_t *bits_object(const look *at) {
    json_t *object = json_object(), *ones = json_array(), *values = json_array();
    const cli_bits *bits = &at->bits;
    int bad = cli_put_text(object, "field", at->field);
    for (int i = bits->width - 1; i >= 0; i--) {
        json_t *one = json_object();
        bad |= cli_put_count(one, "bit", bits->bit[i]);
        bad |= cli_put_number(one, "share", (double)bits->ones[i] / (double)bits->words);
        bad |= json_array_append_new(ones, one);
    }
    for (int64_t value = 0; bits->values && value < (int64_t)1 << bits->width; value++) {
        json_t *one = json_object();
        bad |= cli_put_count(one, "value", value);
        bad |= cli_put_count(one, "count", bits->values[value]);
        if (bits->values[value] > 0)
            bad |= json_array_append(values, one);
        json_decref(one);
    }
    bad |= json_object_set_new(object, "ones", ones);
    bad |= json_object_set_new(object, "values", values);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static int put_metadata(json_t *object, const stoic_model *model) {
    json_t *metadata = json_object();
    int bad = 0;
    for (size_t i = 0; i < stoic_model_meta_count(model); i++) {
        const char *key = stoic_model_meta_key(model, i);
        bad |= cli_put_text(metadata, key, stoic_model_meta_get(model, key));
    }
    return bad | json_object_set_new(object, "metadata", metadata);
}

static json_t *facts(const look *at) {
    char shape[128];
    json_t *object = json_object(), *layers = json_array();
    int bad = cli_put_text(object, "model", at->path);
    bad |=
        cli_put_text(object, "input", stoic_shape_text(stoic_model_input_shape(at->model), shape));
    bad |= cli_put_text(object, "output",
                        stoic_shape_text(stoic_model_output_shape(at->model), shape));
    bad |= cli_put_count(object, "parameters", stoic_model_parameters(at->model));
    bad |= cli_put_count(object, "stored_bits", stoic_store_total_bits(at->store));
    bad |= cli_put_count(object, "macs", stoic_model_macs(at->model));
    bad |= put_metadata(object, at->model);
    for (int i = 0; i < stoic_model_layer_count(at->model); i++) {
        cli_cell cells[COLUMNS];
        layer_cells(at, i, shape, cells);
        bad |= json_array_append_new(layers, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "layers", layers);
    if (at->field)
        bad |= json_object_set_new(object, "bits", bits_object(at));
    bad |= cli_put_number(object, "seconds", cli_seconds() - at->start);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_head(FILE *file, const look *at) {
    char shape[128];
    fprintf(file, "model        %s\n", at->path);
    fprintf(file, "input        %s\n", stoic_shape_text(stoic_model_input_shape(at->model), shape));
    fprintf(file, "output       %s\n",
            stoic_shape_text(stoic_model_output_shape(at->model), shape));
    fprintf(file, "parameters   %lld\n", (long long)stoic_model_parameters(at->model));
    fprintf(file, "stored bits  %lld\n", (long long)stoic_store_total_bits(at->store));
    fprintf(file, "macs         %lld\n", (long long)stoic_model_macs(at->model));
    for (size_t i = 0; i < stoic_model_meta_count(at->model); i++) {
        const char *key = stoic_model_meta_key(at->model, i);
        fputs("metadata     ", file);
        cli_put_plain(file, key);
        fputs(" = ", file);
        cli_put_plain(file, stoic_model_meta_get(at->model, key));
        fputc('\n', file);
    }
    fputc('\n', file);
}

static void print_bits(FILE *file, const look *at) {
    const cli_bits *bits = &at->bits;
    fprintf(file, "\n%s of %lld weights\n  bit  share of ones\n", at->field,
            (long long)bits->words);
    for (int i = bits->width - 1; i >= 0; i--)
        fprintf(file, "  %3d  %.6f\n", bits->bit[i], (double)bits->ones[i] / (double)bits->words);
    if (!bits->values)
        return;
    fputs("  value       count\n", file);
    for (int64_t value = 0; value < (int64_t)1 << bits->width; value++) {
        if (bits->values[value] > 0)
            fprintf(file, "  %5lld  %10lld\n", (long long)value, (long long)bits->values[value]);
    }
}

/* As CSV: a row a layer, or with --bits a row a bit. */
static stoic_status write_rows(cli_output *output, const look *at, stoic_error *err) {
    static const char *const bit_columns[] = {"bit", "share", NULL};
    char shape[128];
    cli_rows rows;
    bool go = true, bits = output->format == CLI_CSV && at->field;
    cli_rows_begin(&rows, output, bits ? bit_columns : columns);
    for (int i = at->bits.width - 1; bits && go && i >= 0; i--) {
        cli_cell cells[] = {cli_cell_count(at->bits.bit[i]),
                            cli_cell_double((double)at->bits.ones[i] / (double)at->bits.words)};
        go = cli_rows_add(&rows, cells);
    }
    for (int i = 0; !bits && go && i < stoic_model_layer_count(at->model); i++) {
        cli_cell cells[COLUMNS];
        layer_cells(at, i, shape, cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

static stoic_status show(const settings *set, const stoic_model *model, const char *path,
                         stoic_error *err) {
    look at = {.path = path, .model = model, .field = set->bits, .start = cli_seconds()};
    cli_output output = {.file = NULL};
    stoic_status status = STOIC_OK;
    TRY(stoic_store_create(model, NULL, &at.store, err));
    if (at.field)
        TRY(cli_bits_measure(at.store, at.field, &at.bits, err));
    TRY(cli_output_open(&output, set->common.output, set->common.format, err));
    if (output.format == CLI_JSON) {
        TRY(cli_output_json(&output, facts(&at), err));
    } else {
        if (output.format == CLI_TABLE)
            print_head(output.file, &at);
        TRY(write_rows(&output, &at, err));
        if (output.format == CLI_TABLE && at.field)
            print_bits(output.file, &at);
    }
done:
    cli_bits_deinit(&at.bits);
    stoic_store_free(at.store);
    return cli_output_close(&output, status, err);
}

/* One to four numbers joined by commas, or one whole number, as the key wants it. */
static stoic_status check_value(const char *key, const char *value, stoic_error *err) {
    int64_t pixels;
    double number;
    char part[64];
    if (!*value)
        return STOIC_OK;
    if (!strcmp(key, "resize") || !strcmp(key, "crop"))
        return stoic_parse_count(value, key, 0, 65536, &pixels, err);
    for (int i = 0; i < 4; i++) {
        size_t length = strcspn(value, ",");
        snprintf(part, sizeof part, "%.*s", length < 64 ? (int)length : 63, value);
        stoic_status status = stoic_parse_number(part, key, &number, err);
        if (status != STOIC_OK || !value[length])
            return status;
        value += length + 1;
    }
    return cli_fail(err, STOIC_ERR_ARGUMENT, key, "more than 4 channels");
}

/* "mean=0.5" becomes stoic.mean in *model, which is replaced. */
static stoic_status change(stoic_model **model, const char *text, stoic_error *err) {
    char key[32], full[40];
    int known;
    stoic_model *next = NULL;
    size_t length = strcspn(text, "=");
    if (!text[length] || length >= sizeof key)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--set", "expected KEY=VALUE, found '%s'", text);
    snprintf(key, sizeof key, "%.*s", (int)length, text);
    const char *value = text + length + 1;
    stoic_status status = cli_choice_parse("mean|std|resize|crop", key, "--set", &known, err);
    if (status == STOIC_OK)
        status = check_value(key, value, err);
    if (status != STOIC_OK)
        return status;
    snprintf(full, sizeof full, "stoic.%s", key);
    status = stoic_model_with_meta(*model, full, *value ? value : NULL, &next, err);
    if (status == STOIC_OK) {
        stoic_model_free(*model);
        *model = next;
    }
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_model *model = NULL;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    if (set->changes.count > 0)
        TRY(cli_require(set->common.output, "-o OUT.onnx", err));
    else
        TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_output_check(set->common.output, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    for (size_t i = 0; i < set->changes.count; i++)
        TRY(change(&model, set->changes.items[i], err));
    if (set->changes.count > 0)
        TRY(stoic_model_write(model, set->common.output, err));
    else
        TRY(show(set, model, call->arguments.items[0], err));
done:
    stoic_model_free(model);
    return status;
}

const cli_verb cli_verb_info = {
    .name = "info",
    .arguments = "MODEL.onnx",
    .summary = "layers, weights and stored bits of a model",
    .text = "Lists the layers in the order of the file, which is how other verbs number them, "
            "with statistics of their weights; --bits adds what the stored bits look like.",
    .examples = {"stoic info " CLI_EXAMPLE_MODEL " --bits exponent",
                 "stoic info " CLI_EXAMPLE_MODEL " --set mean=0.286 --set std=0.353 -o own.onnx"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
