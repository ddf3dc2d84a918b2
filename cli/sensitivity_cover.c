#include "sensitivity_cover.h"

#include <stdlib.h>
#include <string.h>

#include "verb.h"

stoic_status cli_cover_parse(const char *text, cli_numbers *shares, stoic_error *err) {
    stoic_status status = cli_numbers_parse(text, "--cover", shares, err);
    for (size_t i = 0; status == STOIC_OK && i < shares->count; i++) {
        if (!(shares->items[i] > 0 && shares->items[i] <= 1))
            status = cli_fail(err, STOIC_ERR_ARGUMENT, "--cover",
                              "expected shares above 0, at most 1, found '%s'", text);
    }
    return status;
}

stoic_status cli_cover_find(const cli_numbers *shares, const char *campaign,
                            stoic_sensitivity_row *rows, size_t n, size_t *held, stoic_error *err) {
    stoic_sensitivity_by_share(rows, n);
    *held = 0;
    for (size_t i = 0; i < shares->count; i++) {
        size_t k = stoic_sensitivity_cover(rows, n, shares->items[i]);
        *held = k > *held ? k : *held;
    }
    return *held ? STOIC_OK
                 : cli_fail(err, STOIC_ERR_ARGUMENT, campaign,
                            "has no critical outcome, of which a set could hold a share");
}

/* ---- sets in the words of specs ---- */

static int compare_numbers(const void *a, const void *b) {
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* "0+3-5"; sorts the numbers. */
static void put_list(FILE *file, int *numbers, size_t n) {
    qsort(numbers, n, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < n; i++) {
        size_t last = i;
        while (last + 1 < n && numbers[last + 1] == numbers[last] + 1)
            last++;
        fprintf(file, "%s%d", i ? "+" : "", numbers[i]);
        if (last > i)
            fprintf(file, "%s%d", last > i + 1 ? "-" : "+", numbers[last]);
        i = last;
    }
}

/* Layers or bits as layer= and protect= take them; NULL: other things are ranked, or no memory. */
static char *list_of(const cli_cover *at, size_t held) {
    char *text = NULL;
    size_t length;
    int *numbers;
    if (at->by != STOIC_BY_LAYER && at->by != STOIC_BY_BIT)
        return NULL;
    numbers = calloc(held + 1, sizeof *numbers);
    FILE *file = numbers ? open_memstream(&text, &length) : NULL;
    for (size_t i = 0; file && i < held; i++)
        numbers[i] = at->by == STOIC_BY_LAYER ? at->rows[i].layer : at->rows[i].bit;
    if (file) {
        put_list(file, numbers, held);
        fclose(file);
    }
    free(numbers);
    return text;
}

/* The campaign's store with these bits protected. */
static void put_store(FILE *file, const cli_cover *at, size_t held, int *bits) {
    fprintf(file, "%s", at->store);
    if (at->by == STOIC_BY_BIT) {
        for (size_t i = 0; i < held; i++)
            bits[i] = at->rows[i].bit;
        fputs(",protect=", file);
        put_list(file, bits, held);
        return;
    }
    int layers = 0;
    for (size_t i = 0; i < held; i++)
        layers = at->rows[i].layer >= layers ? at->rows[i].layer + 1 : layers;
    for (int layer = 0; layer < layers; layer++) {
        size_t n = 0;
        for (size_t i = 0; i < held; i++) {
            if (at->rows[i].layer == layer)
                bits[n++] = at->rows[i].bit;
        }
        if (n)
            fprintf(file, "/%d=%s,protect=", layer, at->store);
        put_list(file, bits, n);
    }
}

/* That store; NULL: it cannot be said so, or no memory. */
static char *store_of(const cli_cover *at, size_t held) {
    static const char *const taken[] = {"/", ",protect=", ",include=", ",rescale="};
    char *text = NULL;
    size_t length;
    bool can = at->store && (at->by == STOIC_BY_BIT || at->by == (STOIC_BY_LAYER | STOIC_BY_BIT));
    for (size_t i = 0; can && i < sizeof taken / sizeof *taken; i++)
        can = !strstr(at->store, taken[i]);
    int *bits = can ? calloc(held + 1, sizeof *bits) : NULL;
    FILE *file = bits ? open_memstream(&text, &length) : NULL;
    if (file) {
        put_store(file, at, held, bits);
        fclose(file);
    }
    free(bits);
    return text;
}

/* ---- lines ---- */

static const char *const columns[] = {"cover", "groups", "of",    "share_of_groups",
                                      "share", "list",   "store", NULL};
enum { COLUMNS = 7, LIST = 5, STORE = 6 };

/* Rates have no width only where nothing was left to chance. */
static bool is_truth(const cli_cover *at) {
    bool truth = true;
    for (size_t i = 0; i < at->n; i++)
        truth = truth && !(at->rows[i].critical_rate.low < at->rows[i].critical_rate.high);
    return truth;
}

static void line_cells(const cli_cover *at, size_t i, char *texts[2], cli_cell cells[COLUMNS]) {
    size_t held = stoic_sensitivity_cover(at->rows, at->n, at->shares->items[i]);
    texts[0] = list_of(at, held);
    texts[1] = store_of(at, held);
    cells[0] = cli_cell_double(at->shares->items[i]);
    cells[1] = cli_cell_count((int64_t)held);
    cells[2] = cli_cell_count((int64_t)at->n);
    cells[3] = cli_cell_double((double)held / (double)at->n);
    cells[4] = cli_cell_double(at->rows[held - 1].cumulative);
    cells[LIST] = cli_cell_text(texts[0]);
    cells[STORE] = cli_cell_text(texts[1]);
}

stoic_status cli_cover_table(const cli_cover *at, cli_output *output, stoic_error *err) {
    const bool listed = at->by == STOIC_BY_LAYER || at->by == STOIC_BY_BIT;
    const char *names[COLUMNS + 1];
    char *stores = NULL;
    size_t length;
    cli_rows rows;
    bool go = true;
    FILE *beside = open_memstream(&stores, &length);
    if (!beside)
        return cli_fail(err, STOIC_ERR_MEMORY, "", "not enough memory for a table");
    memcpy(names, columns, sizeof columns);
    names[listed ? LIST + 1 : LIST] = NULL; /* a store is too long for a table */
    cli_rows_begin(&rows, output, names);
    for (size_t i = 0; go && i < at->shares->count; i++) {
        cli_cell cells[COLUMNS];
        char *texts[2];
        line_cells(at, i, texts, cells);
        go = cli_rows_add(&rows, cells);
        if (texts[1])
            fprintf(beside, "%sstore     %s holds %g\n", i ? "" : "\n", texts[1],
                    at->shares->items[i]);
        free(texts[0]);
        free(texts[1]);
    }
    stoic_status status = cli_rows_end(&rows, err);
    fclose(beside);
    fputs(stores, output->file);
    if (at->by & STOIC_BY_WEIGHT)
        fputs("\nlist      --format csv -o F.csv writes the weights of the largest set, which a "
              "store "
              "keeps aside with\n          aside=F.csv and --fault list:F.csv hits\n",
              output->file);
    if (!is_truth(at))
        fputs("\nnote      a sample of the faults: counted are the groups that it hit, and of all "
              "faults a set that it\n          found holds less than this share\n",
              output->file);
    free(stores);
    return status;
}

json_t *cli_cover_json(const cli_cover *at) {
    json_t *lines = json_array();
    for (size_t i = 0; i < at->shares->count; i++) {
        cli_cell cells[COLUMNS];
        char *texts[2];
        line_cells(at, i, texts, cells);
        int bad = json_array_append_new(lines, cli_cells_object(columns, cells, COLUMNS));
        free(texts[0]);
        free(texts[1]);
        if (bad) {
            json_decref(lines);
            return NULL;
        }
    }
    return lines;
}
