#include "budget_result.h"

#include <math.h>
#include <stdlib.h>

#include "output.h"

/* ---- table ---- */

/* A choice is one letter in the table of layers; there are at most 14. */
static char letter(int choice) {
    return (char)('a' + choice);
}

static void print_losses(FILE *file, const stoic_budget *budget) {
    const int n = budget->n_choices;
    fprintf(file,
            "\nlosses     of each layer alone at BER %g, in points of the accuracy %.6g of the "
            "float32 network\n",
            budget->ber, budget->float_accuracy);
    for (int c = 0; c < n; c++)
        fprintf(file, "  %c  %s\n", letter(c), budget->choices[c]);
    fputs("  layer", file);
    for (int c = 0; c < n; c++)
        fprintf(file, "%7c", letter(c));
    for (int i = 0; i < budget->n_losses; i++) {
        if (i % n == 0)
            fprintf(file, "\n  %5d", budget->losses[i].layer);
        fprintf(file, "%7.2f", 100 * budget->losses[i].loss.value);
    }
    fputs("\n", file);
}

static void print_store(FILE *file, const stoic_budget *budget, int i) {
    const stoic_explore_store *store = &budget->measured->stores[i];
    const stoic_budget_point *point = &budget->points[i];
    fprintf(file, " %c %11.4f  ", point->pareto ? '*' : ' ',
            (double)store->bits / (double)store->weights);
    if (isnan(point->predicted))
        fputs("         ", file);
    else
        fprintf(file, "%9.2f", 100 * point->predicted);
    fprintf(file, "  %6.2f ± %5.2f  %s\n", 100 * point->loss.value,
            100 * fmax(point->loss.high - point->loss.value, point->loss.value - point->loss.low),
            store->text);
}

/* The position of a store among all, from many bits to few. */
static int rank_of(const stoic_exploration *measured, int store) {
    const stoic_explore_store *stores = measured->stores;
    int before = 0;
    for (int k = 0; k < measured->n_stores; k++)
        before += stores[k].bits > stores[store].bits ||
                  (stores[k].bits == stores[store].bits && k < store);
    return before;
}

static void print_stores(FILE *file, const stoic_budget *budget) {
    const int n = budget->measured->n_stores;
    fputs("\nfront      stores that no other measured one beats in bits and loss are marked *;\n"
          "           predicted: the sum of the layers' losses above 0\n"
          "   bits/weight  predicted            loss  store\n",
          file);
    for (int rank = 0; rank < n; rank++) {
        for (int i = 0; i < n; i++) {
            if (rank_of(budget->measured, i) == rank)
                print_store(file, budget, i);
        }
    }
}

void cli_budget_print(FILE *file, const stoic_budget *budget) {
    print_losses(file, budget);
    print_stores(file, budget);
    if (budget->chosen < 0)
        return;
    const stoic_explore_store *chosen = &budget->measured->stores[budget->chosen];
    fprintf(file, "chosen     %s\n           %lld bits of %lld; loses %.2f points at BER %g\n",
            chosen->text, (long long)chosen->bits, (long long)budget->budget,
            100 * budget->points[budget->chosen].loss.value, budget->ber);
}

/* ---- JSON ---- */

static json_t *loss_object(const stoic_budget *budget, const stoic_layer_loss *loss) {
    json_t *object = json_object();
    int bad = cli_put_count(object, "layer", loss->layer);
    bad |= cli_put_text(object, "store", budget->choices[loss->choice]);
    bad |= cli_put_count(object, "bits", loss->bits);
    bad |= cli_put_interval(object, "loss", "value", &loss->loss);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *point_object(const stoic_budget *budget, int i) {
    const stoic_explore_store *store = &budget->measured->stores[i];
    const stoic_budget_point *point = &budget->points[i];
    json_t *object = json_object();
    int bad = cli_put_text(object, "store", store->text);
    bad |= cli_put_text(object, "kind", stoic_explore_kind_name(store->kind));
    bad |= cli_put_count(object, "bits", store->bits);
    bad |= cli_put_number(object, "predicted", point->predicted);
    bad |= cli_put_interval(object, "loss", "value", &point->loss);
    bad |= json_object_set_new(object, "pareto", json_boolean(point->pareto));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

int cli_budget_put(json_t *object, const stoic_budget *budget) {
    json_t *losses = json_array(), *front = json_array();
    int bad = 0;
    for (int i = 0; i < budget->n_losses; i++)
        bad |= json_array_append_new(losses, loss_object(budget, &budget->losses[i]));
    for (int i = 0; i < budget->measured->n_stores; i++)
        bad |= json_array_append_new(front, point_object(budget, i));
    bad |= cli_put_count(object, "budget", budget->budget);
    bad |= cli_put_number(object, "float_accuracy", budget->float_accuracy);
    bad |= json_object_set_new(object, "losses", losses);
    bad |= json_object_set_new(object, "front", front);
    return bad |
           cli_put_text(object, "chosen",
                        budget->chosen < 0 ? NULL : budget->measured->stores[budget->chosen].text);
}
