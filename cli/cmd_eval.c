#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "preprocessing_text.h"
#include "stoic/session.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *store, *logits;
    int64_t batch;
    bool reference;
} settings;

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory: FORMAT[,scale=,code=,protect=...], "
             "as fp16 or affine:5,code=msb3 (docs/store-specs.md)",
     .fallback = "fp32"},
    {.name = "batch",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, batch),
     .low = 1,
     .high = 65536,
     .help = "images at once; results do not depend on it",
     .fallback = "chosen from the model"},
    {.name = "reference",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, reference),
     .help = "the plain executor that can be checked by eye (slow)"},
    {.name = "logits",
     .kind = CLI_TEXT,
     .argument = "F.npy",
     .offset = offsetof(settings, logits),
     .help = "write the outputs, images x classes in float32"},
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
}

/* NumPy's format, version 1.0: the header is padded so that the data start at a multiple of 64. */
static stoic_status write_npy(const char *path, const float *values, int64_t rows, int64_t columns,
                              stoic_error *err) {
    cli_output output = {.file = NULL};
    char header[128];
    stoic_status status = cli_output_open(&output, path, CLI_TABLE, err);
    if (status != STOIC_OK)
        return status;
    int length = snprintf(header, sizeof header,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                          (long long)rows, (long long)columns);
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, output.file);
    fputc(padded & 255, output.file);
    fputc(padded >> 8, output.file);
    fprintf(output.file, "%-*s\n", padded - 1, header);
    fwrite(values, sizeof *values * (size_t)columns, (size_t)rows, output.file);
    return cli_output_close(&output, status, err);
}

/* The store is told where one was asked for. */
static json_t *facts(const char *path, const char *store, const stoic_evaluation *result,
                     const stoic_preprocessing *used) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "model", path);
    if (store)
        bad |= cli_put_text(object, "store", store);
    bad |= cli_put_count(object, "images", result->images);
    bad |= cli_put_count(object, "correct", result->correct);
    bad |= cli_put_number(object, "accuracy", result->accuracy);
    bad |= cli_put_count(object, "nan", result->nan);
    if (result->watched)
        bad |= cli_put_count(object, "alarms", result->alarms);
    bad |= cli_put_number(object, "images_per_second", result->images_per_second);
    bad |= json_object_set_new(object, "preprocessing", cli_preprocessing_json(used));
    bad |= cli_put_number(object, "seconds", result->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_table(FILE *file, const char *path, const char *store,
                        const stoic_evaluation *result, const stoic_preprocessing *used) {
    fprintf(file, "model          %s\n", path);
    if (store)
        fprintf(file, "store          %s\n", store);
    fputs("preprocessing  ", file);
    cli_preprocessing_print(file, used);
    fprintf(file, "\nimages         %lld\n", (long long)result->images);
    fprintf(file, "correct        %lld\n", (long long)result->correct);
    fprintf(file, "accuracy       %.6g\n", result->accuracy);
    fprintf(file, "nan            %lld\n", (long long)result->nan);
    if (result->watched)
        fprintf(file, "alarms         %lld\n", (long long)result->alarms);
    fprintf(file, "time           %.3g s, %.4g images/s\n", result->seconds,
            result->images_per_second);
}

static stoic_status show(const settings *set, const char *path, const stoic_evaluation *result,
                         const stoic_preprocessing *used, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, set->common.output, set->common.format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, facts(path, set->store, result, used), err);
    else if (output.format == CLI_CSV)
        status = cli_output_flat(&output, facts(path, set->store, result, used), err);
    else
        print_table(output.file, path, set->store, result, used);
    return cli_output_close(&output, status, err);
}

/* The model with its weights as the store gives them back. */
static stoic_status through_store(const stoic_model *model, const char *spec, stoic_model **out,
                                  stoic_error *err) {
    stoic_store *store = NULL;
    stoic_status status = stoic_store_create(model, spec, &store, err);
    if (status == STOIC_OK)
        status = stoic_store_golden(store, out, err);
    stoic_store_free(store);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_program_options compile = stoic_program_options_default();
    stoic_model *model = NULL, *stored = NULL;
    stoic_dataset *data = NULL;
    stoic_program *program = NULL;
    float *outputs = NULL;
    stoic_evaluation result;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_call_keeps(call, set->logits, err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(through_store(model, set->store, &stored, err));
    TRY(cli_data_open(&set->data, model, &data, err));
    compile.batch = (int)set->batch;
    compile.reference = set->reference;
    TRY(stoic_program_compile(stored, &compile, &program, err));
    int64_t classes = stoic_model_classes(model), images = stoic_dataset_count(data);
    if (set->logits) {
        outputs = reallocarray(NULL, (size_t)images, sizeof *outputs * (size_t)classes);
        if (!outputs) {
            status = cli_fail_memory(err);
            goto done;
        }
    }
    TRY(stoic_evaluate(program, data, (int)set->common.threads, outputs, &result, err));
    if (set->logits)
        TRY(write_npy(set->logits, outputs, images, classes, err));
    TRY(show(set, call->arguments.items[0], &result, stoic_dataset_preprocessing(data), err));
done:
    free(outputs);
    stoic_program_free(program);
    stoic_dataset_free(data);
    stoic_model_free(stored);
    stoic_model_free(model);
    return status;
}

const cli_verb cli_verb_eval = {
    .name = "eval",
    .arguments = "MODEL.onnx --data SPEC",
    .summary = "accuracy on a data set",
    .text = "Runs the network on labelled images and says how many it gets right, and how the "
            "images were prepared.",
    .examples = {"stoic eval " CLI_EXAMPLE_MODEL " --data fashion-mnist",
                 "stoic eval " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 0-99 \\\n"
                 "      --reference --logits logits.npy --format json"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
