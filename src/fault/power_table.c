/* Tables of power laws: CSV with the columns weight, xmin and alpha, a law a line. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_rows.h"
#include "base/fail.h"
#include "fault/map.h"

enum { WEIGHT, XMIN, ALPHA, MAX_LAWS = 1 << 20 };
static const stoic_csv_form form = {
    .noun = "table of power laws",
    .example = "weight,xmin,alpha",
    .expected = "expected the columns weight,xmin,alpha",
    .columns = {"weight", "xmin", "alpha"},
    .required = 3,
};

/* Two laws whose mixture has its median at 0.97, 75 % at 7.8 and 90 % at 4.4e5: four of five
 * errors around one, the fifth from 1e5 on. A single power law through two of the points is far
 * from the third. */
static const stoic_power_law built_in[] = {{0.8, 0.31, 1.86}, {0.2, 1e5, 1.468}};

stoic_status stoic_power_table_default(stoic_map_error *error, stoic_error *err) {
    error->laws = malloc(sizeof built_in);
    if (!error->laws)
        return stoic_fail_memory(err, form.noun, sizeof built_in);
    memcpy(error->laws, built_in, sizeof built_in);
    error->n_laws = sizeof built_in / sizeof *built_in;
    for (int i = 0; i < error->n_laws; i++)
        error->total_weight += error->laws[i].weight;
    return STOIC_OK;
}

static stoic_status read_field(const stoic_csv *csv, char *const *fields, int column, double *out,
                               stoic_error *err) {
    const char *text = fields[csv->at[column]];
    if (stoic_parse_number(text, "", out, NULL) == STOIC_OK)
        return STOIC_OK;
    return stoic_csv_fail(csv, err, "expected a number", text);
}

static stoic_status read_law(const stoic_csv *csv, char *const *fields, stoic_power_law *law,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(read_field(csv, fields, WEIGHT, &law->weight, err));
    TRY(read_field(csv, fields, XMIN, &law->xmin, err));
    TRY(read_field(csv, fields, ALPHA, &law->alpha, err));
    if (!(law->weight > 0.0))
        return stoic_csv_fail(csv, err, "weight: expected more than 0", fields[csv->at[WEIGHT]]);
    if (!(law->xmin > 0.0 && law->xmin <= (double)FLT_MAX))
        return stoic_csv_fail(csv, err, "xmin: expected more than 0 within float32",
                              fields[csv->at[XMIN]]);
    if (!(law->alpha > 1.0))
        return stoic_csv_fail(csv, err, "alpha: expected more than 1", fields[csv->at[ALPHA]]);
done:
    return status;
}

static stoic_status read_laws(stoic_csv *csv, stoic_map_error *error, stoic_error *err) {
    char *fields[STOIC_CSV_FIELDS];
    int capacity = 0;
    for (;;) {
        int n = 0;
        stoic_status status = stoic_csv_next(csv, fields, &n, err);
        if (status != STOIC_OK || !n)
            return status;
        if (error->n_laws == MAX_LAWS)
            return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "more than %d laws", MAX_LAWS);
        if (error->n_laws == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            size_t bytes = (size_t)capacity * sizeof *error->laws;
            stoic_power_law *grown = realloc(error->laws, bytes);
            if (!grown)
                return stoic_fail_memory(err, form.noun, bytes);
            error->laws = grown;
        }
        status = read_law(csv, fields, &error->laws[error->n_laws], err);
        if (status != STOIC_OK)
            return status;
        error->total_weight += error->laws[error->n_laws++].weight;
    }
}

stoic_status stoic_power_table_read(stoic_map_error *error, const char *path, uint8_t digest[16],
                                    stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_csv csv = {0};
    TRY(stoic_csv_open(&form, path, &csv, digest, err));
    TRY(read_laws(&csv, error, err));
    if (!error->n_laws)
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "the %s has no row", form.noun);
    else if (!(error->total_weight <= DBL_MAX))
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "the weights add up to infinity");
done:
    stoic_csv_close(&csv);
    return status;
}
