/* A budget on a shipped network and few images: sums, the front, the choice, refusals. */
#include "svg_kit.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "stoic/budget.h"
#include "stoic/report.h"

static stoic_model *model;
static stoic_dataset *data;
static const double rates[] = {1e-2, 1e-3};

static int open_all(void **state) {
    stoic_dataset_options options = stoic_dataset_options_default();
    (void)state;
    assert_int_equal(stoic_model_read(STOIC_TEST_MODELS "/lenet5-fashion-mnist.onnx", &model, NULL),
                     STOIC_OK);
    options.count = 60;
    options.model = model;
    assert_int_equal(stoic_dataset_open("fashion-mnist", &options, &data, NULL), STOIC_OK);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    stoic_dataset_free(data);
    stoic_model_free(model);
    return 0;
}

static stoic_explore_options options_of(const char *store, int narrowest, int widest) {
    stoic_explore_options options = stoic_explore_options_default();
    options.store = store;
    options.narrowest = narrowest;
    options.widest = widest;
    options.bers = rates;
    options.n_bers = 2;
    options.trials = 3;
    return options;
}

static stoic_budget *find(const stoic_explore_options *options, int64_t bits) {
    stoic_budget *out = NULL;
    stoic_error err = {0};
    if (stoic_explore_budget(model, data, options, bits, &out, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return out;
}

static const stoic_layer_loss *loss_at(const stoic_budget *b, int layer, const char *choice) {
    for (int i = 0; i < b->n_losses; i++) {
        if (b->losses[i].layer == layer && !strcmp(b->choices[b->losses[i].choice], choice))
            return &b->losses[i];
    }
    fail_msg("layer %d, %s", layer, choice);
    return NULL;
}

/* The losses of a row are those of a campaign that a user would run; sums are sums of them. */
static void predictions_are_sums_of_measured_losses(void **state) {
    (void)state;
    stoic_explore_options options = options_of("affine:{M},code=msb3", 3, 4);
    stoic_budget *b = find(&options, 700000);
    double sum = 0;
    bool uniform = false;
    assert_int_equal(b->n_choices, 4);
    assert_int_equal(b->n_losses, 20);
    for (int layer = 0; layer < 5; layer++)
        sum += fmax(loss_at(b, layer, "affine:3,code=msb3")->loss.value, 0);
    for (int i = 0; i < b->measured->n_stores; i++) {
        const stoic_explore_store *store = &b->measured->stores[i];
        if (strcmp(store->text, "affine:3,code=msb3"))
            continue;
        uniform = true;
        assert_true(fabs(b->points[i].predicted - sum) < 1e-12);
        assert_int_equal(store->bits, 5 * 132420);
    }
    assert_true(uniform);
    stoic_campaign_options campaign = stoic_campaign_options_default();
    const char *faults[] = {"ber:0.01,layer=2"};
    stoic_summary summary;
    char file[] = "/tmp/stoic-budget-XXXXXX";
    assert_true(mkdtemp(file) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/a.db", file);
    campaign.store = "fp32/2=affine:4";
    campaign.faults = faults;
    campaign.n_faults = 1;
    campaign.trials = 3;
    assert_int_equal(stoic_campaign_run(model, data, &campaign, path, &summary, NULL), STOIC_OK);
    const stoic_layer_loss *loss = loss_at(b, 2, "affine:4");
    double expected = b->float_accuracy - summary.golden_accuracy + summary.drop.value;
    assert_true(fabs(loss->loss.value - expected) < 1e-12);
    assert_int_equal(loss->bits, 4 * 96000);
    unlink(path);
    rmdir(file);
    stoic_budget_free(b);
}

static void the_choice_and_the_front_are_what_was_measured(void **state) {
    (void)state;
    stoic_explore_options options = options_of("affine:{M},code=msb3", 3, 4);
    stoic_budget *b = find(&options, 500000);
    const stoic_explore_store *stores = b->measured->stores;
    int mixed = 0, front = 0;
    assert_in_range(b->chosen, 0, b->measured->n_stores - 1);
    assert_true(stores[b->chosen].bits <= 500000);
    for (int i = 0; i < b->measured->n_stores; i++) {
        bool beaten = false;
        mixed += stores[i].kind == STOIC_EXPLORE_MIXED;
        assert_true(stores[i].kind == STOIC_EXPLORE_BASELINE || stores[i].bits <= 500000);
        assert_true(stores[i].bits > 500000 ||
                    b->points[i].loss.value >= b->points[b->chosen].loss.value);
        for (int k = 0; k < b->measured->n_stores; k++)
            beaten |= (stores[k].bits < stores[i].bits &&
                       b->points[k].loss.value <= b->points[i].loss.value) ||
                      (stores[k].bits <= stores[i].bits &&
                       b->points[k].loss.value < b->points[i].loss.value);
        assert_int_equal(b->points[i].pareto, !beaten);
        front += b->points[i].pareto;
    }
    assert_in_range(mixed, 1, 8);
    assert_in_range(front, 1, b->measured->n_stores);
    assert_int_equal(b->measured->n_rows, 2 * b->measured->n_stores);
    stoic_budget_free(b);
}

static void a_picture(void **state) {
    (void)state;
    stoic_explore_options options = options_of("int8,code=secded72", 8, 8);
    stoic_budget *b = find(&options, 2000000);
    char folder[] = "/tmp/stoic-budget-XXXXXX", path[80];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(stoic_budget_draw(b, folder, NULL), STOIC_OK);
    snprintf(path, sizeof path, "%s/explore-budget.csv", folder);
    FILE *file = fopen(path, "r");
    char line[256];
    int lines = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        lines++;
    fclose(file);
    assert_int_equal(lines, 1 + b->measured->n_stores);
    unlink(path);
    snprintf(path, sizeof path, "%s/explore-budget.svg", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    stoic_budget_free(b);
}

static void refusals(void **state) {
    (void)state;
    stoic_budget *b = NULL;
    stoic_error err = {0};
    stoic_explore_options options = options_of("affine:{M},code=msb3", 3, 4);
    assert_int_equal(stoic_explore_budget(model, data, &options, 1000, &b, &err),
                     STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "the narrowest choices take 397260 bits, the budget is 1000");
    options.all = true;
    assert_int_equal(stoic_explore_budget(model, data, &options, 1000000, &b, &err),
                     STOIC_ERR_ARGUMENT);
    options = options_of("affine:{M},code=msb3,include=weight+bias", 3, 4);
    assert_int_equal(stoic_explore_budget(model, data, &options, 1000000, &b, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "include="));
    options = options_of("affine:5,code=msb3", 3, 4);
    assert_int_equal(stoic_explore_budget(model, data, &options, 1000000, &b, &err),
                     STOIC_ERR_ARGUMENT);
    assert_null(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_sums_of_measured_losses),
        cmocka_unit_test(the_choice_and_the_front_are_what_was_measured),
        cmocka_unit_test(a_picture),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
