#include "stoic/budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "stoic/session.h"
#include "study/budget_front.h"
#include "study/explore_parts.h"
#include "study/family.h"

static const char whole[] = "fp32"; /* what lies still while one layer is measured */

enum { MAX_CHOICES = 2 * STOIC_EXPLORE_WIDTHS };

typedef struct planner {
    stoic_explorer explorer;
    stoic_budget *out;
    int widths[MAX_CHOICES]; /* of out->choices */
    bool unprotected[MAX_CHOICES];
    int *layers; /* those with a tensor of their own */
    int n_layers;
    stoic_layer_option *options; /* n_choices for each of `layers` */
    stoic_front front;
} planner;

/* ---- choices ---- */

static stoic_status add_choice(planner *p, int width, bool unprotected, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_store *store = NULL;
    char *spec = NULL;
    TRY(stoic_family_spec(p->explorer.options->store, width, unprotected, &spec, err));
    TRY(stoic_store_create(p->explorer.model, spec, &store, err));
    for (int i = 0; i < p->out->n_choices; i++) {
        if (!strcmp(p->out->choices[i], stoic_store_text(store)))
            goto done; /* a family without a code */
    }
    p->widths[p->out->n_choices] = width;
    p->unprotected[p->out->n_choices] = unprotected;
    p->out->choices[p->out->n_choices] = strdup(stoic_store_text(store));
    if (p->out->choices[p->out->n_choices])
        p->out->n_choices++;
    else
        status = stoic_fail_memory(err, "a spec", 1);
done:
    stoic_store_free(store);
    free(spec);
    return status;
}

static stoic_status list_choices(planner *p, stoic_error *err) {
    const stoic_explore_options *options = p->explorer.options;
    stoic_status status = STOIC_OK;
    p->out->choices = calloc(MAX_CHOICES, sizeof *p->out->choices);
    if (!p->out->choices)
        return stoic_fail_memory(err, "choices", MAX_CHOICES * sizeof(char *));
    for (int width = options->widest; width >= options->narrowest; width--) {
        TRY(add_choice(p, width, false, err));
        TRY(add_choice(p, width, true, err));
    }
done:
    return status;
}

static stoic_status list_layers(planner *p, stoic_error *err) {
    stoic_store *store = NULL;
    size_t most = (size_t)stoic_model_layer_count(p->explorer.model);
    stoic_status status = stoic_store_create(p->explorer.model, whole, &store, err);
    if (status != STOIC_OK)
        return status;
    p->layers = calloc(most + 1, sizeof *p->layers);
    for (int i = 0; p->layers && i < stoic_store_entry_count(store); i++)
        p->layers[p->n_layers++] = stoic_store_entry_at(store, i)->layer;
    stoic_store_free(store);
    size_t n = (size_t)p->n_layers * (size_t)p->out->n_choices;
    p->options = calloc(n + 1, sizeof *p->options);
    p->out->losses = calloc(n + 1, sizeof *p->out->losses);
    if (!p->layers || !p->options || !p->out->losses)
        return stoic_fail_memory(err, "layers", n * sizeof *p->out->losses);
    return STOIC_OK;
}

/* "fp32/LAYER=CHOICE" */
static stoic_status layer_store(const planner *p, int layer, int choice, stoic_store **out,
                                stoic_error *err) {
    stoic_text spec = {0};
    *out = NULL;
    stoic_text_printf(&spec, "%s/%d=%s", whole, layer, p->out->choices[choice]);
    stoic_status status = stoic_text_finish(&spec, err);
    if (status == STOIC_OK)
        status = stoic_store_create(p->explorer.model, spec.data, out, err);
    stoic_text_deinit(&spec);
    return status;
}

/* The bits of every choice, before hours of work. */
static stoic_status count_bits(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t least_of_all = 0;
    for (int i = 0; i < p->n_layers; i++) {
        int64_t least = INT64_MAX;
        for (int choice = 0; choice < p->out->n_choices; choice++) {
            stoic_store *store = NULL;
            int64_t *bits = &p->options[i * p->out->n_choices + choice].bits;
            TRY(layer_store(p, p->layers[i], choice, &store, err));
            *bits = stoic_store_entry_at(store, i)->stored_bits;
            least = *bits < least ? *bits : least;
            stoic_store_free(store);
        }
        least_of_all += least;
    }
    if (least_of_all > p->out->budget)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--budget",
                            "the narrowest choices take %lld bits, the budget is %lld",
                            (long long)least_of_all, (long long)p->out->budget);
done:
    return status;
}

/* ---- losses ---- */

static stoic_status measure_float(planner *p, stoic_error *err) {
    stoic_evaluation once;
    stoic_status status = stoic_evaluate_model(p->explorer.model, p->explorer.data,
                                               p->explorer.options->threads, &once, err);
    p->out->float_accuracy = status == STOIC_OK ? once.accuracy : (double)NAN;
    return status;
}

/* What is lost in all, where `drop` is lost of what a store leaves. */
static stoic_interval loss_of(const planner *p, double accuracy, stoic_interval drop) {
    const double rounding = p->out->float_accuracy - accuracy;
    return (stoic_interval){rounding + drop.value, rounding + drop.low, rounding + drop.high};
}

static stoic_status measure_layer(planner *p, int i, int choice, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_text fault = {0};
    stoic_store *store = NULL;
    stoic_summary summary;
    stoic_layer_option *option = &p->options[i * p->out->n_choices + choice];
    TRY(layer_store(p, p->layers[i], choice, &store, err));
    stoic_text_puts(&fault, "ber:");
    stoic_text_number(&fault, p->out->ber, false);
    stoic_text_printf(&fault, ",layer=%d", p->layers[i]);
    TRY(stoic_text_finish(&fault, err));
    TRY(stoic_explorer_campaign(&p->explorer, stoic_store_text(store), fault.data, p->out->ber,
                                &summary, err));
    stoic_layer_loss *loss = &p->out->losses[p->out->n_losses++];
    *loss = (stoic_layer_loss){p->layers[i], choice, option->bits,
                               loss_of(p, summary.golden_accuracy, summary.drop)};
    option->loss = loss->loss.value;
done:
    stoic_text_deinit(&fault);
    stoic_store_free(store);
    return status;
}

static stoic_status measure_layers(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int i = 0; i < p->n_layers; i++) {
        for (int choice = 0; choice < p->out->n_choices; choice++)
            TRY(measure_layer(p, i, choice, err));
    }
done:
    return status;
}

/* ---- stores ---- */

static stoic_status measure_store(planner *p, const char *spec, stoic_explore_kind kind, int width,
                                  stoic_error *err) {
    int at;
    stoic_status status = stoic_explorer_measure(&p->explorer, spec, kind, width, &at, err);
    return status == STOIC_OK ? stoic_explorer_inject(&p->explorer, at, err) : status;
}

/* The spec's first choice becomes the base, so that one store has one spelling. */
static stoic_status measure_point(planner *p, const stoic_front_point *point, stoic_error *err) {
    stoic_text spec = {0};
    stoic_text_puts(&spec, p->out->choices[point->choice[0]]);
    for (int i = 1; i < p->n_layers; i++)
        stoic_text_printf(&spec, "/%d=%s", p->layers[i], p->out->choices[point->choice[i]]);
    stoic_status status = stoic_text_finish(&spec, err);
    if (status == STOIC_OK)
        status = measure_store(p, spec.data, STOIC_EXPLORE_MIXED, 0, err);
    stoic_text_deinit(&spec);
    return status;
}

/* Some of the front, spread over its bits; the last one always. */
static stoic_status measure_front(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_front_point *points = p->front.points;
    const int n = p->front.n;
    for (int k = 0, last = -1; k < STOIC_EXPLORE_MIXTURES; k++) {
        double share = (double)k / (STOIC_EXPLORE_MIXTURES - 1);
        double bits =
            (double)points[0].bits + share * (double)(points[n - 1].bits - points[0].bits);
        int at = 0;
        while (at + 1 < n && (double)points[at + 1].bits <= bits)
            at++;
        if (at == last)
            continue;
        TRY(measure_point(p, &points[at], err));
        last = at;
    }
done:
    return status;
}

/* The choices themselves, in all layers at once, as far as the budget goes. */
static stoic_status measure_choices(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int choice = 0; choice < p->out->n_choices; choice++) {
        int64_t bits = 0;
        for (int i = 0; i < p->n_layers; i++)
            bits += p->options[i * p->out->n_choices + choice].bits;
        if (bits <= p->out->budget)
            TRY(measure_store(p, p->out->choices[choice],
                              p->unprotected[choice] ? STOIC_EXPLORE_UNPROTECTED
                                                     : STOIC_EXPLORE_CANDIDATE,
                              p->widths[choice], err));
    }
done:
    return status;
}

/* ---- the answer ---- */

/* The position of the choice that layer number i has in a store; -1: of none. */
static int choice_of(const planner *p, const stoic_store *store, int i) {
    for (int choice = 0; choice < p->out->n_choices; choice++) {
        if (!strcmp(p->out->choices[choice], stoic_store_entry_text(store, i)))
            return choice;
    }
    return -1;
}

static stoic_status predict(const planner *p, const char *spec, double *out, stoic_error *err) {
    stoic_store *store = NULL;
    stoic_status status = stoic_store_create(p->explorer.model, spec, &store, err);
    *out = 0;
    for (int i = 0; i < p->n_layers && status == STOIC_OK; i++) {
        int choice = choice_of(p, store, i);
        *out += choice < 0 ? (double)NAN : fmax(p->options[i * p->out->n_choices + choice].loss, 0);
    }
    stoic_store_free(store);
    return status;
}

/* Does another store take no more bits and lose no more, and less of one of them? */
static bool is_beaten(const stoic_budget *out, int store) {
    const stoic_explore_store *stores = out->measured->stores;
    for (int i = 0; i < out->measured->n_stores; i++) {
        double more = out->points[i].loss.value - out->points[store].loss.value;
        int64_t bits = stores[i].bits - stores[store].bits;
        if (more <= 0 && bits <= 0 && (more < 0 || bits < 0))
            return true;
    }
    return false;
}

static stoic_status judge(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_budget *out = p->out;
    const stoic_exploration *measured = p->explorer.out;
    out->points = calloc((size_t)measured->n_stores, sizeof *out->points);
    if (!out->points)
        return stoic_fail_memory(err, "points", (size_t)measured->n_stores * sizeof *out->points);
    for (int i = 0; i < measured->n_stores; i++) {
        out->points[i].loss =
            loss_of(p, measured->stores[i].accuracy, stoic_explorer_worst(&p->explorer, i)->drop);
        TRY(predict(p, measured->stores[i].text, &out->points[i].predicted, err));
    }
    out->measured = p->explorer.out;
    p->explorer.out = NULL;
    out->chosen = -1;
    for (int i = 0; i < out->measured->n_stores; i++) {
        out->points[i].pareto = !is_beaten(out, i);
        const stoic_explore_store *stores = out->measured->stores;
        if (stores[i].bits > out->budget)
            continue;
        double better =
            out->chosen < 0 ? 1.0 : out->points[out->chosen].loss.value - out->points[i].loss.value;
        if (better > 0 || (better == 0 && stores[i].bits < stores[out->chosen].bits))
            out->chosen = i;
    }
done:
    return status;
}

static stoic_status plan(planner *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(stoic_explorer_check(&p->explorer, err));
    p->out->ber = p->explorer.bers[p->explorer.options->n_bers - 1];
    TRY(list_choices(p, err));
    TRY(list_layers(p, err));
    TRY(count_bits(p, err));
    TRY(measure_float(p, err));
    TRY(stoic_explorer_open(&p->explorer, err));
    TRY(measure_layers(p, err));
    TRY(stoic_front_create(p->options, p->n_layers, p->out->n_choices, p->out->budget, &p->front,
                           err));
    TRY(measure_choices(p, err));
    TRY(measure_front(p, err));
    stoic_exploration_sort(p->explorer.out);
    TRY(judge(p, err));
done:
    return status;
}

stoic_status stoic_explore_budget(const stoic_model *model, const stoic_dataset *data,
                                  const stoic_explore_options *options, int64_t budget,
                                  stoic_budget **out, stoic_error *err) {
    planner p = {.explorer = {.model = model, .data = data, .options = options}};
    stoic_status status;
    *out = NULL;
    if (options->all || !isnan(options->min_accuracy) || !isnan(options->max_drop))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--budget",
                          "a budget takes no --all, --min-accuracy and --max-drop");
    static const char *const whole_keys[] = {"include", "rescale", "aside"};
    for (size_t i = 0; options->store && i < sizeof whole_keys / sizeof *whole_keys; i++) {
        char key[16];
        snprintf(key, sizeof key, ",%s=", whole_keys[i]);
        if (strstr(options->store, key))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "--store",
                              "a budget gives every layer a store of its own, %s= is that of a "
                              "whole store: leave it out",
                              whole_keys[i]);
    }
    if (options->store && strchr(options->store, '/'))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--store",
                          "a budget chooses the store of every layer; leave out what stands "
                          "behind the first '/' of '%s'",
                          options->store);
    p.out = calloc(1, sizeof *p.out);
    if (!p.out)
        return stoic_fail_memory(err, "a budget", sizeof *p.out);
    p.out->budget = budget;
    status = plan(&p, err);
    if (status == STOIC_OK) {
        *out = p.out;
        p.out = NULL;
    }
    stoic_explorer_close(&p.explorer);
    stoic_front_deinit(&p.front);
    free(p.layers);
    free(p.options);
    stoic_budget_free(p.out);
    return status;
}

void stoic_budget_free(stoic_budget *budget) {
    if (!budget)
        return;
    stoic_exploration_free(budget->measured);
    for (int i = 0; i < budget->n_choices; i++)
        free(budget->choices[i]);
    free(budget->choices);
    free(budget->losses);
    free(budget->points);
    free(budget);
}
