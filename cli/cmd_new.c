#include "output.h"
#include "stoic/model.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    bool list;
} settings;

static const cli_option options[] = {
    {.name = "list",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, list),
     .help = "the networks there are"},
    CLI_OUTPUT_OPTION(settings, "the ONNX file to write"),
    CLI_SEED_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static stoic_status list(const settings *set, stoic_error *err) {
    static const char *const columns[] = {"name",    "description", "input",   "classes",
                                          "trained", "weights",     "choices", NULL};
    cli_output output = {.file = NULL};
    cli_rows rows;
    stoic_status status = STOIC_OK;
    TRY(cli_output_open(&output, set->common.output, set->common.format, err));
    if (output.format == CLI_JSON)
        fputs("{\"networks\": ", output.file);
    cli_rows_begin(&rows, &output, columns);
    for (size_t i = 0; i < stoic_zoo_count(); i++) {
        stoic_zoo_facts facts;
        char input[64];
        status = stoic_zoo_describe(stoic_zoo_name(i), &facts, err);
        if (status != STOIC_OK)
            break;
        snprintf(input, sizeof input, "%lldx%lldx%lld", (long long)facts.channels,
                 (long long)facts.size, (long long)facts.size);
        cli_cell cells[] = {cli_cell_text(stoic_zoo_name(i)),
                            cli_cell_text(stoic_zoo_description(i)),
                            cli_cell_text(input),
                            cli_cell_count(facts.classes),
                            cli_cell_count(facts.parameters),
                            cli_cell_count(facts.weights),
                            cli_cell_text(facts.choices)};
        if (!cli_rows_add(&rows, cells))
            break;
    }
    stoic_status ended = cli_rows_end(&rows, status == STOIC_OK ? err : NULL);
    status = status == STOIC_OK ? ended : status;
    if (output.format == CLI_JSON)
        fputs("}\n", output.file);
done:
    return cli_output_close(&output, status, err);
}

static json_t *facts(const char *path, const char *name, int64_t parameters, double seconds) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "model", path);
    bad |= cli_put_text(object, "network", name);
    bad |= cli_put_count(object, "parameters", parameters);
    bad |= cli_put_number(object, "seconds", seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static stoic_status build(const settings *set, const char *spec, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *model = NULL;
    cli_output output = {.file = NULL};
    double start = cli_seconds();
    TRY(cli_require(set->common.output, "-o M.onnx", err));
    TRY(cli_output_check(set->common.output, err));
    TRY(stoic_zoo_build(spec, (uint64_t)set->common.seed, &model, err));
    TRY(stoic_model_write(model, set->common.output, err));
    TRY(cli_output_open(&output, NULL, set->common.format, err));
    const char *name = stoic_model_meta_get(model, "stoic.zoo");
    int64_t parameters = stoic_model_parameters(model);
    double seconds = cli_seconds() - start;
    if (output.format == CLI_JSON)
        status =
            cli_output_json(&output, facts(set->common.output, name, parameters, seconds), err);
    else if (output.format == CLI_CSV)
        status =
            cli_output_flat(&output, facts(set->common.output, name, parameters, seconds), err);
    else
        fprintf(output.file, "%s: %s, %lld parameters, untrained, seed %lld\n", set->common.output,
                name, (long long)parameters, (long long)set->common.seed);
done:
    stoic_model_free(model);
    return cli_output_close(&output, status, err);
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_status status = cli_call_expect(call, set->list ? 0 : 1, set->list ? 0 : 1,
                                          "the name of one network (--list shows them)", err);
    if (status != STOIC_OK)
        return status;
    return set->list ? list(set, err) : build(set, call->arguments.items[0], err);
}

const cli_verb cli_verb_new = {
    .name = "new",
    .arguments = "NETWORK[,KEY=VALUE...] -o M.onnx",
    .summary = "an untrained network of the zoo",
    .text = "Writes an untrained network with weights drawn from the seed. Every network takes the "
            "keys classes=N, size=N (pixels of a side of the image), channels=N and init=, which "
            "is pytorch (the default: what PyTorch does), torchvision (what its constructor does "
            "with this family), kaiming-uniform, kaiming-normal or xavier:GAIN. --list shows what "
            "else a network lets choose, what it is without any key, how many of its parameters "
            "are trained and how many of these are weights of layers.",
    .examples = {"stoic new --list",
                 "stoic new lenet5,activation=sigmoid,classes=5,init=xavier:4 -o new.onnx"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
