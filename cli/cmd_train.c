#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "progress_line.h"
#include "progress_text.h"
#include "stoic/report.h"
#include "train_files.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *test, *best, *schedule, *augment, *store, *checkpoint;
    cli_range test_images;
    cli_words faults;
    int64_t epochs, batch, norm_batches;
    int optimiser, loss;
    double lr, momentum, weight_decay, beta1, beta2, epsilon; /* lr -1: the optimiser's own */
    double warmup, label_smoothing, clip;
    bool nesterov, resume;
} settings;

/* "sgd|adam|adamw", out of the library's list. */
#define CHOICE(enumerator, name, summary) "|" name
#define HELP(enumerator, name, summary)   "; " name ": " summary

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "test",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, test),
     .help = "images on which the network is tested after each epoch, prepared as those of --data; "
             "none: no test",
     .fallback = "the test part, where --data is a known set"},
    {.name = "test-images",
     .kind = CLI_RANGE,
     .argument = "N|A-B",
     .offset = offsetof(settings, test_images),
     .help = "as --images, of the test set",
     .fallback = "all"},
    CLI_OUTPUT_OPTION(settings, "the trained network; its curves lie beside it as .csv and .svg"),
    {.name = "best",
     .kind = CLI_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, best),
     .help = "the network of the epoch with the highest test accuracy; none: do not keep it",
     .fallback = "the output's name with .best before its suffix"},
    {.name = "epochs",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, epochs),
     .low = 1,
     .high = 1000000,
     .help = "how often every image is seen"},
    {.name = "batch",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, batch),
     .low = 1,
     .high = 65536,
     .help = "images a step"},
    {.name = "optimiser",
     .kind = CLI_CHOICE,
     .argument = &("" STOIC_OPTIMISER_LIST(CHOICE))[1],
     .offset = offsetof(settings, optimiser),
     .help = &("" STOIC_OPTIMISER_LIST(HELP))[2]},
    {.name = "lr",
     .kind = CLI_NUMBER,
     .argument = "RATE",
     .offset = offsetof(settings, lr),
     .low = 0,
     .high = INT64_MAX,
     .help = "learning rate",
     .fallback = "0.1 with sgd, 0.001 with adam and adamw"},
    {.name = "momentum",
     .kind = CLI_NUMBER,
     .argument = "M",
     .offset = offsetof(settings, momentum),
     .low = 0,
     .high = 1,
     .help = "of sgd"},
    {.name = "nesterov",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, nesterov),
     .help = "Nesterov's momentum"},
    {.name = "weight-decay",
     .kind = CLI_NUMBER,
     .argument = "D",
     .offset = offsetof(settings, weight_decay),
     .low = 0,
     .high = INT64_MAX,
     .help = "share of each weight that is added to its gradient"},
    {.name = "beta1",
     .kind = CLI_NUMBER,
     .argument = "B",
     .offset = offsetof(settings, beta1),
     .low = 0,
     .high = 1,
     .help = "Adam's decay of the mean of gradients"},
    {.name = "beta2",
     .kind = CLI_NUMBER,
     .argument = "B",
     .offset = offsetof(settings, beta2),
     .low = 0,
     .high = 1,
     .help = "Adam's decay of the mean of their squares"},
    {.name = "epsilon",
     .kind = CLI_NUMBER,
     .argument = "E",
     .offset = offsetof(settings, epsilon),
     .low = 0,
     .high = INT64_MAX,
     .help = "added to the root of that in Adam's denominator"},
    {.name = "schedule",
     .kind = CLI_TEXT,
     .argument = "cosine[:MIN]|step:EPOCHS:FACTOR|none",
     .offset = offsetof(settings, schedule),
     .help = "how the learning rate falls: along a cosine to MIN, or times FACTOR every so many "
             "epochs"},
    {.name = "warmup",
     .kind = CLI_NUMBER,
     .argument = "EPOCHS",
     .offset = offsetof(settings, warmup),
     .low = 0,
     .high = 1000000,
     .help = "epochs, or a part of one, in which the learning rate rises from 0"},
    {.name = "loss",
     .kind = CLI_CHOICE,
     .argument = &("" STOIC_LOSS_LIST(CHOICE))[1],
     .offset = offsetof(settings, loss),
     .help = &("" STOIC_LOSS_LIST(HELP))[2]},
    {.name = "label-smoothing",
     .kind = CLI_NUMBER,
     .argument = "S",
     .offset = offsetof(settings, label_smoothing),
     .low = 0,
     .high = 1,
     .help = "share of the target that is spread over all classes"},
    {.name = "clip",
     .kind = CLI_NUMBER,
     .argument = "NORM",
     .offset = offsetof(settings, clip),
     .low = 0,
     .high = INT64_MAX,
     .help = "largest norm of the whole gradient; 0: any"},
    {.name = "norm-batches",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, norm_batches),
     .low = 0,
     .high = 1000000,
     .help = "clean batches after each epoch on which the running statistics of batch "
             "normalisation are taken again, where map: faults would spoil them; 0: none"},
    {.name = "augment",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .offset = offsetof(settings, augment),
     .help = "changes to training images, joined by commas: crop[:PADDING], flip, resizedcrop"},
    {.name = "fault",
     .kind = CLI_LIST,
     .argument = "MODEL[,KEY=VALUE...]",
     .offset = offsetof(settings, faults),
     .help = "train under faults: a model of 'stoic inject', drawn anew for each step or with "
             "fixed=FILE|SEED once for all; or map:..., faults in feature maps"},
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory: FORMAT[,scale=,code=,protect=...], "
             "as fp16 or affine:5,code=msb3 (docs/store-specs.md)",
     .fallback = "fp32"},
    {.name = "checkpoint",
     .kind = CLI_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, checkpoint),
     .help = "kept while training, removed at the end; none: no checkpoint",
     .fallback = "the output's name with .checkpoint behind it"},
    {.name = "resume",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, resume),
     .help = "go on from the checkpoint; without one, from the start"},
    CLI_SEED_OPTION(settings),
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    stoic_train_options usual = stoic_train_options_default();
    cli_data_default(&set->data);
    set->test_images.count = -1;
    set->epochs = usual.epochs;
    set->batch = usual.batch;
    set->optimiser = (int)usual.optimiser;
    set->lr = -1.0;
    set->momentum = usual.momentum;
    set->nesterov = usual.nesterov;
    set->weight_decay = usual.weight_decay;
    set->beta1 = usual.beta1;
    set->beta2 = usual.beta2;
    set->epsilon = usual.epsilon;
    set->schedule = usual.schedule ? usual.schedule : "none";
    set->warmup = usual.warmup;
    set->loss = (int)usual.loss;
    set->label_smoothing = usual.label_smoothing;
    set->clip = usual.clip;
    set->norm_batches = usual.norm_batches;
    set->augment = usual.augment ? usual.augment : "none";
}

static stoic_train_options recipe(const settings *set) {
    stoic_train_options out = stoic_train_options_default();
    out.epochs = set->epochs;
    out.batch = set->batch;
    out.optimiser = (stoic_optimiser_kind)set->optimiser;
    if (set->lr >= 0.0)
        out.lr = set->lr;
    else if (out.optimiser != STOIC_SGD)
        out.lr = 0.001; /* Adam's steps have the size of the rate, whatever the gradient */
    out.momentum = set->momentum;
    out.nesterov = set->nesterov;
    out.weight_decay = set->weight_decay;
    out.beta1 = set->beta1;
    out.beta2 = set->beta2;
    out.epsilon = set->epsilon;
    out.schedule = set->schedule;
    out.warmup = set->warmup;
    out.loss = (stoic_loss_kind)set->loss;
    out.label_smoothing = set->label_smoothing;
    out.clip = set->clip;
    out.norm_batches = set->norm_batches;
    out.augment = set->augment;
    out.store = set->store;
    out.faults = set->faults.items;
    out.n_faults = set->faults.count;
    out.seed = (uint64_t)set->common.seed;
    out.threads = (int)set->common.threads;
    out.resume = set->resume;
    return out;
}

/* A training under way: what it reads and writes, and what has been shown of it. */
typedef struct session {
    const settings *set;
    const cli_call *call;
    cli_train_files files;
    cli_data data, test; /* test.spec NULL: none */
    stoic_model *model;
    stoic_dataset *images, *test_images;
    double drawn, drawing; /* when the picture was last drawn, and how long that took */
    bool complained;
} session;

static stoic_status check(session *run, stoic_error *err) {
    const settings *set = run->set;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(run->call, 1, 1, "one model", err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(cli_require(set->common.output, "-o OUT.onnx", err));
    run->data = run->test = set->data;
    run->data.spec = cli_data_part(set->data.spec, true);
    run->test.images = set->test_images;
    run->test.spec = set->test ? cli_data_part(set->test, false) : cli_data_test_of(set->data.spec);
    if (set->test && !strcmp(set->test, "none"))
        run->test.spec = NULL;
    if (!run->test.spec && set->test_images.count >= 0)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--test-images", "there is no test set");
    if (!run->test.spec && set->best && strcmp(set->best, "none") != 0)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--best",
                        "there is no test set to choose the best epoch by");
    if (set->resume && set->checkpoint && !strcmp(set->checkpoint, "none"))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--resume", "needs a checkpoint, not none");
done:
    return status;
}

static stoic_status check_files(session *run, stoic_error *err) {
    const settings *set = run->set;
    const char *specs[] = {set->data.spec, set->data.labels, set->test, set->store};
    stoic_status status = STOIC_OK;
    TRY(cli_train_files_name(set->common.output, set->best, run->test.spec != NULL, set->checkpoint,
                             &run->files, err));
    TRY(cli_train_files_keep(&run->files, run->call, specs, 4, err));
    TRY(cli_train_files_keep(&run->files, run->call, set->faults.items, set->faults.count, err));
    TRY(cli_train_files_check(&run->files, err));
    if (run->files.checkpoint && !set->resume && access(run->files.checkpoint, F_OK) == 0)
        status = cli_fail(err, STOIC_ERR_ARGUMENT, run->files.checkpoint,
                          "the checkpoint of an earlier training is there: --resume goes on from "
                          "it; to start anew, delete it");
done:
    return status;
}

static void put_list(char text[64], const float *values, int n, const char *none) {
    int length = n > 0 ? 0 : snprintf(text, 64, "%s", none);
    for (int i = 0; i < n; i++)
        length += snprintf(text + length, 64u - (size_t)length, "%s%.9g", i ? "," : "",
                           (double)values[i]);
}

/* The test set, prepared exactly as the training set was, wherever that came from. */
static stoic_status open_test(session *run, stoic_error *err) {
    const stoic_preprocessing *used = stoic_dataset_preprocessing(run->images);
    cli_data data = run->test;
    char mean[64], std[64];
    put_list(mean, used->mean, used->channels, "0");
    put_list(std, used->std, used->channels, "1");
    data.mean = mean;
    data.std = std;
    data.resize = used->resize;
    data.crop = used->crop;
    return cli_data_open(&data, run->model, &run->test_images, err);
}

/* A folder more or less, and every class behind it has another number. */
static stoic_status compare_classes(const session *run, stoic_error *err) {
    int classes = stoic_dataset_classes(run->images),
        tests = stoic_dataset_classes(run->test_images);
    for (int t = 0; t < tests; t++) {
        const char *name = stoic_dataset_class_name(run->test_images, t);
        for (int c = 0; name && c < classes; c++) {
            const char *other = stoic_dataset_class_name(run->images, c);
            if (c == t || !other || strcmp(name, other) != 0)
                continue;
            return cli_fail(err, STOIC_ERR_MISMATCH, run->test.spec,
                            "'%s' is class %d, in the training set it is class %d; --labels FILE "
                            "lists the classes of both",
                            name, t, c);
        }
    }
    return STOIC_OK;
}

static stoic_status open_inputs(session *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_zoo_facts zoo;
    const char *path = run->call->arguments.items[0];
    status = stoic_model_read(path, &run->model, err);
    if (status == STOIC_ERR_IO && stoic_zoo_describe(path, &zoo, NULL) == STOIC_OK)
        status = cli_fail(
            err, STOIC_ERR_IO, path,
            "no such file; 'stoic new %s -o MODEL.onnx' makes the network of that name", path);
    if (status != STOIC_OK)
        return status;
    TRY(cli_data_open(&run->data, run->model, &run->images, err));
    if (run->test.spec) {
        TRY(open_test(run, err));
        TRY(compare_classes(run, err));
    }
done:
    return status;
}

static void close_session(session *run) {
    stoic_dataset_free(run->test_images);
    stoic_dataset_free(run->images);
    stoic_model_free(run->model);
    cli_train_files_deinit(&run->files);
}

static void show_progress(void *user, const stoic_train_progress *progress) {
    const session *run = user;
    char text[CLI_LINE_WIDTH + 1];
    if (!cli_line_due())
        return;
    cli_progress_training(progress, stoic_dataset_count(run->images), text, CLI_LINE_WIDTH);
    cli_line_draw(text);
}

/* The curves so far. That they cannot be written is no reason to stop in the middle. */
static void show_epoch(void *user, const stoic_epoch *epochs, int64_t count) {
    session *run = user;
    char text[CLI_LINE_WIDTH + 1];
    stoic_error err = {.code = STOIC_OK};
    double start = cli_seconds();
    if (count < 1)
        return;
    cli_progress_epoch(&epochs[count - 1], count - 1, run->set->epochs, text, CLI_LINE_WIDTH);
    cli_line_keep(text);
    if (!run->files.csv)
        return;
    if (count == 1)
        unlink(run->files.svg); /* without gnuplot an old one would stay beside new numbers */
    stoic_status status = cli_curves_write(run->files.csv, epochs, count, &err);
    /* The picture takes a fraction of a second: at most a twentieth of the time goes into it. */
    if (status == STOIC_OK && start - run->drawn >= 20.0 * run->drawing) {
        status = stoic_curves_draw(epochs, count, run->files.svg, &err);
        run->drawn = cli_seconds();
        run->drawing = run->drawn - start;
    }
    if (status != STOIC_OK && !run->complained) {
        char note[sizeof err.place + sizeof err.message + 32];
        snprintf(note, sizeof note, "the curves so far: %s: %s", err.place, err.message);
        cli_log((void *)&run->set->common.verbose, STOIC_LOG_WARNING, note);
        run->complained = true;
    }
}

/* The networks first. The checkpoint goes when everything else is there. */
static stoic_status save(const session *run, const stoic_training *training, stoic_error *err) {
    const cli_train_files *files = &run->files;
    stoic_status status = STOIC_OK;
    TRY(stoic_model_write(training->last, files->last, err));
    if (files->best && training->best)
        TRY(stoic_model_write(training->best, files->best, err));
    if (files->csv) {
        TRY(cli_curves_write(files->csv, training->epochs, training->n_epochs, err));
        TRY(stoic_curves_draw(training->epochs, training->n_epochs, files->svg, err));
    }
    if (files->checkpoint)
        unlink(files->checkpoint);
done:
    if (status == STOIC_ERR_IO && err && files->checkpoint &&
        access(files->checkpoint, F_OK) == 0) {
        size_t length = strlen(err->message);
        snprintf(err->message + length, sizeof err->message - length,
                 "; nothing is lost: --resume tries again from %.200s", files->checkpoint);
    }
    return status;
}

static stoic_status train(session *run, stoic_training *training, stoic_error *err) {
    stoic_train_options options_now = recipe(run->set);
    options_now.checkpoint = run->files.checkpoint;
    options_now.progress = show_progress;
    options_now.epoch_done = show_epoch;
    options_now.user = run;
    options_now.cancel = cli_interrupt_catch();
    cli_line_start(run->set->common.quiet);
    stoic_status status =
        stoic_train(run->model, run->images, run->test_images, &options_now, training, err);
    cli_line_end();
    if (status == STOIC_ERR_INTERRUPTED && run->files.checkpoint)
        cli_interrupt_tell(run->call, "--resume");
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    session now = {.set = given, .call = call};
    stoic_training training = {.best_epoch = -1};
    double start = cli_seconds();
    stoic_status status = STOIC_OK;
    TRY(check(&now, err));
    TRY(check_files(&now, err));
    TRY(open_inputs(&now, err));
    TRY(train(&now, &training, err));
    TRY(save(&now, &training, err));
    cli_train_result result = {.model = call->arguments.items[0],
                               .data = now.data.spec,
                               .test = now.test.spec,
                               .images = stoic_dataset_count(now.images),
                               .test_images =
                                   now.test_images ? stoic_dataset_count(now.test_images) : 0,
                               .preprocessing = stoic_dataset_preprocessing(now.images),
                               .files = &now.files,
                               .training = &training,
                               .pictured = now.files.svg && access(now.files.svg, F_OK) == 0,
                               .seconds = cli_seconds() - start};
    status = cli_train_result_write(&result, now.set->common.format, err);
done:
    stoic_training_deinit(&training);
    close_session(&now);
    return status;
}

const cli_verb cli_verb_train = {
    .name = "train",
    .arguments = "MODEL.onnx --data SPEC -o OUT.onnx",
    .summary = "a network trained, with faults if asked",
    .text =
        "Trains a network, an untrained one of 'stoic new' or any other, and writes it with its "
        "preprocessing and recipe. In --data the name of a known set means its training part, "
        "in --test its test part. The result does not depend on threads or interruption. "
        "Ctrl-C keeps a checkpoint and prints the command that goes on.",
    .examples = {"stoic train " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 2000 \\\n"
                 "      --epochs 2 --lr 0.01 -o trained.onnx",
                 "stoic new lenet5 -o new.onnx && stoic train new.onnx --data fashion-mnist \\\n"
                 "      --images 2000 --test none --epochs 1 --fault flips:20,bits=sign -o "
                 "new-trained.onnx"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
