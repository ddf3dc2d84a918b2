/* What the tests of hardening share: passes applied, and small networks to apply them to. */
#ifndef STOIC_TEST_HARDEN_KIT_H
#define STOIC_TEST_HARDEN_KIT_H

#include "small_networks.h"
#include "stoic/harden.h"

enum { KIT_PASSES = 8 };

/* "relu6 nan-filter" as a list; returns their number. */
static inline size_t kit_passes(const char *text, char room[256], const char *list[KIT_PASSES]) {
    size_t n = 0;
    snprintf(room, 256, "%s", text);
    for (char *word = strtok(room, " "); word && n < KIT_PASSES; word = strtok(NULL, " "))
        list[n++] = word;
    return n;
}

static inline stoic_status kit_try(const stoic_model *model, const char *passes,
                                   const stoic_dataset *data, stoic_model **out,
                                   stoic_hardening **report, stoic_error *err) {
    char room[256];
    const char *list[KIT_PASSES];
    size_t n = kit_passes(passes, room, list);
    stoic_harden_options options = stoic_harden_options_default();
    options.data = data;
    options.every = 1;
    options.threads = 2;
    return stoic_harden(model, list, n, &options, out, report, err);
}

/* Takes the model over and gives what the passes make of it; *changes (may be NULL): how many. */
static inline stoic_model *kit_hardened(stoic_model *model, const char *passes,
                                        const stoic_dataset *data, int *changes) {
    stoic_model *out = NULL;
    stoic_hardening *report = NULL;
    stoic_error err = {0};
    if (kit_try(model, passes, data, &out, &report, &err) != STOIC_OK)
        fail_msg("%s: %s: %s", passes, err.place, err.message);
    if (changes)
        *changes = (int)stoic_hardening_changes(report);
    stoic_hardening_free(report);
    stoic_model_free(model);
    return out;
}

static inline bool kit_same_model(const stoic_model *a, const stoic_model *b) {
    uint8_t x[16], y[16];
    stoic_model_digest(a, x);
    stoic_model_digest(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

/* Four elements through `op`, and behind it a Flatten, so that it is not the output. Clip gets
 * bounds `low` and `high`. */
static inline stoic_model *kit_one_op(const stoic_op *op, int opset, float low, float high) {
    stoic_rng rng = kit_rng(1);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = 2, .w = 2};
    stoic_shape shape = {4, {1, 1, 2, 2}};
    MUST(stoic_builder_create("one", opset, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    if (op == &stoic_op_clip && opset >= 11) {
        graph_clip(&g, low, high);
    } else {
        if (op == &stoic_op_clip) {
            graph_real(&g, "max", high);
            graph_real(&g, "min", low);
        }
        graph_simple(&g, op);
    }
    graph_simple(&g, &stoic_op_flatten);
    return small_finish(&g);
}

/* Does the model give `expected` for `x`, fast and plainly, NaN equal to NaN? */
static inline bool kit_gives(const stoic_model *m, const float *x, const float *expected) {
    int64_t n = stoic_model_classes(m);
    bool same = true;
    for (int reference = 0; reference < 2; reference++) {
        float *y = kit_run(m, 0, reference, x, 1);
        for (int64_t i = 0; i < n; i++) {
            bool fits = y[i] == expected[i] || (isnan(y[i]) && isnan(expected[i]));
            if (!fits)
                print_message("element %lld: %g, expected %g\n", (long long)i, (double)y[i],
                              (double)expected[i]);
            same = same && fits;
        }
        free(y);
    }
    return same;
}

#endif
