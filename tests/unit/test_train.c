/* Training runs: losses, optimisers, schedules, and that bytes do not depend on threads, on
 * interruption, or on a fault model's company. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "data_kit.h"
#include "plain_loss.h"
#include "small_networks.h"
#include "stoic/train.h"
#include "train/checkpoint.h"
#include "train/hazards.h"
#include "train/loss.h"
#include "train/optimiser.h"

enum { IMAGES = 90, SIDE = 8, CLASSES = 5 };

/* A path that stays, unlike the few of in_home(). */
static const char *kept(const char *path, char room[512]) {
    snprintf(room, 512, "%s", path);
    return room;
}

/* ---- losses ---- */

static void losses_are_the_plain_ones(void **state) {
    (void)state;
    const float z[2][3] = {{0.3f, -1.2f, 2.5f}, {4, 0.1f, -700}};
    const int labels[2] = {2, 1};
    double zd[6], grad[6];
    float g[3];
    for (int i = 0; i < 6; i++)
        zd[i] = (double)z[i / 3][i % 3];
    for (int kind = 0; kind < 3; kind++) {
        stoic_loss loss = {kind == 0 ? STOIC_LOSS_BCE : STOIC_LOSS_CE, kind == 2 ? 0.1 : 0, 2};
        double expected = kind == 0 ? plain_binary_cross_entropy(zd, labels, 2, 3, grad)
                                    : plain_cross_entropy(zd, labels, 2, 3, loss.smoothing, grad);
        double total = 0;
        for (int i = 0; i < 2; i++) {
            total += stoic_loss_image(&loss, z[i], 3, labels[i], g);
            for (int k = 0; k < 3; k++)
                assert_true(fabs((double)g[k] - grad[3 * i + k]) < 1e-7);
        }
        assert_true(fabs(total - expected) < 1e-9);
        assert_true(fabs(total - expected * 1.001) > 1e-9);
    }
    stoic_loss loss = {STOIC_LOSS_CE, 0, 1};
    assert_true(isnan(stoic_loss_image(&loss, (const float[]){NAN, 1, 2}, 3, 1, g)));
    loss.kind = STOIC_LOSS_BCE;
    assert_true(isnan(stoic_loss_image(&loss, (const float[]){1, NAN, 2}, 3, 2, g)));
    assert_false(isfinite(stoic_loss_image(&loss, (const float[]){1, INFINITY, 2}, 3, 2, g)));
}

/* ---- optimisers: two steps, with the numbers of PyTorch 2.15 in double ---- */

static void two_steps(const stoic_train_options *o, float *w) {
    float m[2] = {0, 0}, v[2] = {0, 0};
    const float g[2][2] = {{0.5f, -1}, {0.25f, 2}};
    for (int step = 0; step < 2; step++)
        stoic_optimiser_update(o, 0.1, 0.5, step, 2, w, g[step],
                               stoic_optimiser_states(o) > 0 ? m : NULL,
                               stoic_optimiser_states(o) > 1 ? v : NULL);
}

static void expect_weights(stoic_train_options o, double a, double b) {
    float w[2] = {1, -2};
    two_steps(&o, w);
    assert_true(fabs((double)w[0] - a) < 2e-6);
    assert_true(fabs((double)w[1] - b) < 2e-6);
}

static void optimisers_do_what_pytorch_does(void **state) {
    (void)state;
    stoic_train_options o = stoic_train_options_default();
    o.weight_decay = 0.01;
    o.momentum = 0;
    expect_weights(o, 0.960526000, -2.046052000);
    o.momentum = 0.9;
    expect_weights(o, 0.937126000, -1.999252000);
    o.nesterov = true;
    expect_weights(o, 0.903983860, -2.045467720);
    o.nesterov = false;
    o.optimiser = STOIC_ADAM;
    expect_weights(o, 0.806341547, -1.934385740);
    o.optimiser = STOIC_ADAMW;
    expect_weights(o, 0.804883045, -1.932712354);
}

static void schedules(void **state) {
    (void)state;
    stoic_train_options o = stoic_train_options_default();
    stoic_lr lr;
    o.lr = 2;
    MUST(stoic_lr_create(&o, 10, &lr, err));
    assert_true(stoic_lr_at(&lr, 0) == 2 && stoic_lr_at(&lr, 99) == 2);
    o.schedule = "step:3:0.1";
    MUST(stoic_lr_create(&o, 10, &lr, err));
    assert_true(stoic_lr_at(&lr, 29) == 2);
    assert_true(fabs(stoic_lr_at(&lr, 30) - 0.2) < 1e-12);
    assert_true(fabs(stoic_lr_at(&lr, 60) - 0.02) < 1e-12);
    o.schedule = "cosine:0.5";
    o.warmup = 2;
    MUST(stoic_lr_create(&o, 10, &lr, err));
    assert_true(fabs(stoic_lr_at(&lr, 0) - 0.1) < 1e-12);
    assert_true(fabs(stoic_lr_at(&lr, 19) - 2) < 1e-12);
    assert_true(fabs(stoic_lr_at(&lr, 60) - 1.25) < 1e-12);
    assert_true(stoic_lr_at(&lr, 99) > 0.5 && stoic_lr_at(&lr, 99) < 0.51);
    const char *const wrong[] = {"cosin",      "cosine:3", "cosine:-1", "step",
                                 "step:0:0.1", "step:2",   "step:2:0",  "step:2:2",
                                 "step:x:1",   "linear",   "cosine:nan"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        stoic_error why = {.message = ""};
        o.schedule = wrong[i];
        if (stoic_lr_create(&o, 10, &lr, &why) != STOIC_ERR_ARGUMENT)
            fail_msg("'%s' is taken", wrong[i]);
        assert_true(why.message[0]);
    }
}

/* ---- whole runs ---- */

/* Images whose class can be seen: a bright stripe. */
static stoic_dataset *stripes(void) {
    static uint8_t pixels[IMAGES * SIDE * SIDE], labels[IMAGES];
    stoic_rng rng = kit_rng(4);
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = (uint8_t)(i % CLASSES);
        for (int k = 0; k < SIDE * SIDE; k++)
            pixels[i * SIDE * SIDE + k] =
                (uint8_t)(kit_below(&rng, 100) + (k / SIDE == labels[i] ? 150 : 0));
    }
    char header[128];
    snprintf(header, sizeof header,
             "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 1, %d, %d), }\n", IMAGES, SIDE,
             SIDE);
    char *images = save_npy("stripes.npy", header, pixels, sizeof pixels);
    snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n",
             IMAGES);
    char *classes = save_npy("stripe-labels.npy", header, labels, sizeof labels);
    char spec[600];
    snprintf(spec, sizeof spec, "npy:%s,%s", images, classes);
    return open_ok(spec, NULL);
}

static stoic_model *stripe_network(void) {
    stoic_rng rng = kit_rng(6);
    graph g = small_start(&rng, 1, SIDE, SIDE);
    small_conv(&g, 4, 3, 1, 1, false);
    graph_norm(&g);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, &stoic_op_max_pool);
    small_flatten(&g);
    graph_product(&g, CLASSES);
    return small_finish(&g);
}

static stoic_train_options short_run(void) {
    stoic_train_options o = stoic_train_options_default();
    o.epochs = 6;
    o.batch = 20;
    o.lr = 0.1;
    o.seed = 8;
    o.augment = "flip"; /* a crop would move the stripe to another class */
    o.schedule = "cosine";
    o.threads = 2;
    return o;
}

static stoic_training train(const stoic_train_options *o) {
    stoic_model *model = stripe_network();
    stoic_dataset *data = stripes();
    stoic_training out = {0};
    MUST(stoic_train(model, data, data, o, &out, err));
    stoic_model_free(model);
    stoic_dataset_free(data);
    return out;
}

static stoic_status train_fails(const stoic_train_options *o, stoic_error *why) {
    stoic_model *model = stripe_network();
    stoic_dataset *data = stripes();
    stoic_training out = {0};
    stoic_status status = stoic_train(model, data, data, o, &out, why);
    if (status == STOIC_OK)
        stoic_training_deinit(&out);
    stoic_model_free(model);
    stoic_dataset_free(data);
    return status;
}

static void expect_same(const stoic_training *a, const stoic_training *b) {
    uint8_t da[16], db[16];
    stoic_model_digest(a->last, da);
    stoic_model_digest(b->last, db);
    assert_memory_equal(da, db, 16);
    stoic_model_digest(a->best, da);
    stoic_model_digest(b->best, db);
    assert_memory_equal(da, db, 16);
    assert_int_equal(a->best_epoch, b->best_epoch);
    assert_int_equal(a->n_epochs, b->n_epochs);
    for (int64_t i = 0; i < a->n_epochs; i++) {
        assert_true(a->epochs[i].loss == b->epochs[i].loss);
        assert_true(a->epochs[i].train_accuracy == b->epochs[i].train_accuracy);
        assert_true(a->epochs[i].test_accuracy == b->epochs[i].test_accuracy);
    }
}

static bool differ(const stoic_training *a, const stoic_training *b) {
    uint8_t da[16], db[16];
    stoic_model_digest(a->last, da);
    stoic_model_digest(b->last, db);
    return memcmp(da, db, 16) != 0;
}

static void learns_and_does_not_depend_on_threads(void **state) {
    (void)state;
    stoic_train_options o = short_run();
    stoic_training two = train(&o);
    print_message("loss %g to %g, accuracy %g\n", two.epochs[0].loss, two.epochs[5].loss,
                  two.epochs[5].test_accuracy);
    assert_true(two.epochs[5].loss < 0.5 * two.epochs[0].loss);
    assert_true(two.epochs[5].test_accuracy > 0.75);
    assert_non_null(strstr(stoic_model_meta_get(two.last, "stoic.recipe"), "--epochs 6"));
    for (int threads = 1; threads <= 4; threads += 3) {
        o.threads = threads;
        stoic_training other = train(&o);
        expect_same(&two, &other);
        stoic_training_deinit(&other);
    }
    o.seed++;
    stoic_training other = train(&o);
    assert_true(differ(&two, &other));
    stoic_training_deinit(&other);
    stoic_training_deinit(&two);
}

typedef struct stopper {
    volatile int cancel;
    int after;
} stopper;

static void stop_after(void *user, const stoic_train_progress *progress) {
    stopper *s = user;
    (void)progress;
    if (--s->after == 0)
        s->cancel = 1;
}

/* Stopped every few batches and resumed each time, once with other threads. */
static void interruptions_change_nothing(void **state) {
    (void)state;
    const char *const faults[] = {"map:single,share=0.5", "flips:2,bits=mantissa"};
    for (int with = 0; with < 3; with++) { /* the last: statistics are taken again */
        stoic_train_options o = short_run();
        if (with) {
            o.faults = faults;
            o.n_faults = with == 1 ? 2 : 1;
            o.optimiser = STOIC_ADAM;
            o.lr = 0.01;
        }
        stoic_training whole = train(&o), pieces = {0};
        stopper s = {.after = 3};
        char path[512];
        o.checkpoint = kept(in_home("training.checkpoint"), path);
        o.progress = stop_after;
        o.user = &s;
        o.cancel = &s.cancel;
        o.resume = true;
        remove(o.checkpoint);
        stoic_model *model = stripe_network();
        stoic_dataset *data = stripes();
        stoic_status status = STOIC_ERR_INTERRUPTED;
        int stops = 0;
        for (; status == STOIC_ERR_INTERRUPTED && stops < 100; stops++) {
            s.cancel = 0;
            s.after = 3 + stops % 2;
            o.threads = 1 + stops % 3;
            status = stoic_train(model, data, data, &o, &pieces, NULL);
        }
        assert_int_equal(status, STOIC_OK);
        assert_true(stops > 4);
        expect_same(&whole, &pieces);
        stoic_model_free(model);
        stoic_dataset_free(data);
        stoic_training_deinit(&pieces);
        stoic_training_deinit(&whole);
    }
}

/* The largest running variance after an epoch without learning. */
static double spread(const char *fault, int64_t norm_batches) {
    stoic_train_options o = short_run();
    o.lr = 0;
    o.epochs = 1;
    o.norm_batches = norm_batches;
    o.faults = &fault;
    o.n_faults = fault ? 1 : 0;
    stoic_training out = train(&o);
    double most = 0;
    for (size_t n = 0; n < out.last->n_nodes; n++) {
        const stoic_node *node = &out.last->nodes[n];
        if (strcmp(node->op->name, "BatchNormalization") != 0)
            continue;
        const stoic_tensor *var = out.last->values[node->in[4]].constant;
        for (int64_t i = 0; i < stoic_tensor_count(var); i++)
            most = fmax(most, (double)((const float *)stoic_tensor_data(var))[i]);
    }
    stoic_training_deinit(&out);
    return most;
}

/* Factors of 100 in every image spoil the statistics; clean batches restore them. */
static void statistics_are_taken_again(void **state) {
    (void)state;
    static const char fault[] = "map:whole,value=const:100,share=1";
    double spoilt = spread(fault, 0), restored = spread(fault, 200), clean = spread(NULL, 0);
    print_message("running variance: clean %g, spoilt %g, restored %g\n", clean, spoilt, restored);
    assert_true(spoilt > 50 * clean);
    assert_true(restored < 2 * clean);
}

static void faults_act(void **state) {
    (void)state;
    stoic_train_options o = short_run();
    stoic_training clean = train(&o);
    const char *const specs[] = {"map:block", "ber:1e-3,bits=mantissa",
                                 "stuck1,n=5,bits=mantissa,fixed=7"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        o.faults = &specs[i];
        o.n_faults = 1;
        stoic_training hit = train(&o), again = train(&o);
        assert_true(differ(&clean, &hit));
        expect_same(&hit, &again);
        stoic_training_deinit(&hit);
        stoic_training_deinit(&again);
    }
    stoic_training_deinit(&clean);
}

/* A store of fp32 without faults changes nothing, and neither do flips of nothing. */
static void a_plain_store_changes_nothing(void **state) {
    (void)state;
    stoic_train_options o = short_run();
    stoic_training clean = train(&o);
    o.store = "fp32,include=weight+bias";
    stoic_training stored = train(&o);
    expect_same(&clean, &stored);
    stoic_training_deinit(&stored);
    const char *const none = "ber:0";
    o.faults = &none;
    o.n_faults = 1;
    stored = train(&o);
    expect_same(&clean, &stored);
    stoic_training_deinit(&stored);
    stoic_training_deinit(&clean);
}

/* One fixed map: the same stored bits in every step, and those that the file names. */
static void fixed_maps(void **state) {
    (void)state;
    stoic_model *model = stripe_network();
    stoic_team *team = NULL;
    stoic_tape *tape = NULL;
    stoic_tape_options options = {.batch = 4, .other_weights = true};
    MUST(stoic_team_create(1, &team, err));
    MUST(stoic_tape_create(model, &options, team, &tape, err));
    stoic_tape_shadow(tape, true);
    static const char csv[] = "layer,index,bit\n0,3,31\n1,7,22\n";
    save("map.csv", csv, sizeof csv - 1);
    char spec[600];
    snprintf(spec, sizeof spec, "flips:1,fixed=%s", in_home("map.csv"));
    const char *const specs[] = {spec, "flips:2,fixed=9", "flips:2"};
    for (size_t i = 0; i < 3; i++) {
        stoic_train_options o = short_run();
        stoic_hazards *h = NULL;
        o.faults = &specs[i];
        o.n_faults = 1;
        MUST(stoic_hazards_create(model, &o, &h, err));
        float *first = NULL;
        int changed = 0, moved = 0;
        for (uint64_t step = 0; step < 4; step++) {
            MUST(stoic_hazards_weights(h, tape, step, err));
            int64_t at = 0, total = 0;
            for (int k = 0; k < stoic_tape_param_count(tape); k++)
                total += stoic_tape_param_at(tape, k)->count;
            first = first ? first : kit_floats(total);
            for (int k = 0; k < stoic_tape_param_count(tape); k++) {
                const stoic_tape_param *p = stoic_tape_param_at(tape, k);
                for (int64_t e = 0; e < p->count; e++, at++) {
                    changed += p->used[e] != p->value[e] && step == 0;
                    moved += step > 0 && first[at] != p->used[e];
                    if (step == 0)
                        first[at] = p->used[e];
                }
            }
        }
        assert_int_equal(changed, 2);
        assert_true(i < 2 ? moved == 0 : moved > 0);
        free(first);
        stoic_hazards_free(h);
    }
    stoic_tape_free(tape);
    stoic_team_free(team);
    stoic_model_free(model);
}

/* ---- what goes wrong ---- */

static void expect_failure(stoic_train_options o, stoic_status code, const char *words) {
    stoic_error why = {.message = ""};
    stoic_status status = train_fails(&o, &why);
    if (status != code || !(strstr(why.message, words) || strstr(why.place, words)))
        fail_msg("expected '%s', found status %d, '%s' at '%s'", words, (int)status, why.message,
                 why.place);
}

static void refusals(void **state) {
    (void)state;
    const stoic_train_options good = short_run();
    stoic_train_options o = good;
#define REFUSED(change, code, words)                                                               \
    o = good;                                                                                      \
    change;                                                                                        \
    expect_failure(o, code, words)
    REFUSED(o.epochs = 0, STOIC_ERR_ARGUMENT, "--epochs");
    REFUSED(o.batch = 0, STOIC_ERR_ARGUMENT, "--batch");
    REFUSED(o.batch = IMAGES + 1, STOIC_ERR_ARGUMENT, "does not fit");
    REFUSED(o.lr = NAN, STOIC_ERR_ARGUMENT, "--lr");
    REFUSED(o.momentum = 1, STOIC_ERR_ARGUMENT, "--momentum");
    REFUSED((o.momentum = 0, o.nesterov = true), STOIC_ERR_ARGUMENT, "--nesterov");
    REFUSED(o.label_smoothing = -1, STOIC_ERR_ARGUMENT, "--label-smoothing");
    REFUSED(o.schedule = "linear", STOIC_ERR_ARGUMENT, "linear");
    REFUSED(o.augment = "mirror", STOIC_ERR_ARGUMENT, "mirror");
    REFUSED(o.resume = true, STOIC_ERR_ARGUMENT, "--resume");
    REFUSED(o.store = "fp17", STOIC_ERR_ARGUMENT, "fp17");
    static const char *specs[] = {"flips", "map:nonsense", "flips:1,fixed=/no/such.csv",
                                  "ber:1e-3,fixed=/no/such.csv"};
    static const char *const words[] = {"flips", "nonsense", "/no/such.csv", "fixed"};
    for (size_t i = 0; i < 4; i++) {
        stoic_error why = {.message = ""};
        o = good;
        o.faults = &specs[i];
        o.n_faults = 1;
        assert_int_not_equal(train_fails(&o, &why), STOIC_OK);
        if (!strstr(why.message, words[i]) && !strstr(why.place, words[i]))
            fail_msg("%s: '%s' at '%s'", specs[i], why.message, why.place);
    }
    static const char *const nan = "set:nan,n=1";
    REFUSED((o.faults = &nan, o.n_faults = 1), STOIC_ERR_NUMERIC, "epoch 1, batch 1");
}

static void checkpoints_of_others_are_refused(void **state) {
    (void)state;
    stoic_train_options o = short_run();
    stopper s = {.after = 2};
    stoic_error why = {.message = ""};
    char path[512];
    o.checkpoint = kept(in_home("other.checkpoint"), path);
    o.progress = stop_after;
    o.user = &s;
    o.cancel = &s.cancel;
    assert_int_equal(train_fails(&o, &why), STOIC_ERR_INTERRUPTED);
    o.cancel = NULL;
    o.progress = NULL;
    o.resume = true;
    o.lr = 0.2;
    expect_failure(o, STOIC_ERR_MISMATCH, "--lr 0.1");
    o = short_run();
    o.resume = true;
    /* cut short, and with one byte changed */
    static uint8_t file[1 << 20];
    size_t size = slurp("other.checkpoint", file, sizeof file);
    assert_true(size > 1000 && size < sizeof file);
    o.checkpoint = kept(save("damaged.checkpoint", file, size / 2), path);
    expect_failure(o, STOIC_ERR_FORMAT, "truncated");
    file[size / 2] ^= 1;
    o.checkpoint = kept(save("damaged.checkpoint", file, size), path);
    expect_failure(o, STOIC_ERR_FORMAT, "corrupt");
    o.checkpoint = kept(save("damaged.checkpoint", file, 20), path);
    expect_failure(o, STOIC_ERR_FORMAT, "checkpoint");
    file[8] = file[9] = file[15] = 0xff;
    o.checkpoint = kept(save("damaged.checkpoint", file, size), path);
    expect_failure(o, STOIC_ERR_FORMAT, "truncated");
}

static void a_full_disk_leaves_the_last_checkpoint(void **state) {
    (void)state;
    char data[64] = "state";
    stoic_saved piece = {data, sizeof data};
    bool found;
    char room[512];
    const char *path = kept(in_home("kept.checkpoint"), room);
    MUST(stoic_checkpoint_write(path, "run: 1\n", &piece, 1, err));
    assert_int_equal(stoic_checkpoint_write("/no/such/folder/x", "run: 1\n", &piece, 1, NULL),
                     STOIC_ERR_IO);
    stoic_saved huge = {data, sizeof data};
    assert_int_equal(stoic_checkpoint_write("/dev/full", "run: 1\n", &huge, 1, NULL), STOIC_ERR_IO);
    memset(data, 0, sizeof data);
    MUST(stoic_checkpoint_read(path, "run: 1\n", &piece, 1, &found, err));
    assert_true(found && strcmp(data, "state") == 0);
    MUST(stoic_checkpoint_read(in_home("none.checkpoint"), "run: 1\n", &piece, 1, &found, err));
    assert_false(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_the_plain_ones),
        cmocka_unit_test(optimisers_do_what_pytorch_does),
        cmocka_unit_test(schedules),
        cmocka_unit_test(learns_and_does_not_depend_on_threads),
        cmocka_unit_test(interruptions_change_nothing),
        cmocka_unit_test(statistics_are_taken_again),
        cmocka_unit_test(faults_act),
        cmocka_unit_test(a_plain_store_changes_nothing),
        cmocka_unit_test(fixed_maps),
        cmocka_unit_test(refusals),
        cmocka_unit_test(checkpoints_of_others_are_refused),
        cmocka_unit_test(a_full_disk_leaves_the_last_checkpoint),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
