/* Moments back from the file: of all trials through the strata, of a prefix from the trials. */
#include <stdio.h>

#include "base/fail.h"
#include "campaign/rows.h"

const char stoic_strata_columns[] =
    "trials, images, correct, critical, nan, masked, tolerable, due, sdc5, sdc10, sdc20,"
    " correct2, critical2, correct_min, correct_max";

static void read_tally(sqlite3_stmt *row, int sum, int squares, int64_t trials, stoic_tally *out) {
    if (sqlite3_column_type(row, sum) == SQLITE_NULL)
        return;
    out->trials = trials;
    out->sum = (uint64_t)sqlite3_column_int64(row, sum);
    out->squares_low = (uint64_t)sqlite3_column_int64(row, squares);
}

void stoic_strata_read(sqlite3_stmt *row, int first, stoic_moments *out) {
    *out = (stoic_moments){0};
    out->trials = sqlite3_column_int64(row, first);
    if (out->trials <= 0) {
        out->trials = 0;
        return;
    }
    int64_t *fields = stoic_counts_fields(&out->totals);
    for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
        fields[i] = stoic_sql_count(row, first + 1 + i);
    read_tally(row, first + 2, first + 11, out->trials, &out->correct);
    read_tally(row, first + 3, first + 12, out->trials, &out->critical);
    out->correct.least = sqlite3_column_int64(row, first + 13);
    out->correct.most = sqlite3_column_int64(row, first + 14);
}

/* A sum that is NULL as soon as one row does not know the value. */
#define SUM(x)        "CASE WHEN count(" x ") = count(*) THEN sum(" x ") END"
#define EXTREME(f, x) "CASE WHEN count(" x ") = count(*) THEN " f "(" x ") END"

static const char all_sql[] =
    "SELECT sum(trials), sum(images), " SUM("correct") ", " SUM("critical") ", " SUM(
        "n"
        "a"
        "n") ", " SUM("masked") ", " SUM("tolerable") ", " SUM("due") ", " SUM("sdc5") ", " SUM("sd"
                                                                                                "c1"
                                                                                                "0") ", " SUM("sdc20") ", " SUM("correct2") ", " SUM("critical"
                                                                                                                                                     "2") ","
                                                                                                                                                          " " EXTREME("min", "correct_min") ", " EXTREME(
                                                                                                                                                              "max",
                                                                                                                                                              "correct_max") " FROM strata";

static const char prefix_sql[] =
    "SELECT count(*), count(*) * ?1, " SUM("correct") ", " SUM("critical") ", " SUM("nan") ", " SUM("masked") ", " SUM("tolerable") ", " SUM("due") ", " SUM(
        "sdc5") ", " SUM("sdc10") ", " SUM("sdc20") ", " SUM("correct * correct") ", " SUM("critica"
                                                                                           "l * "
                                                                                           "critica"
                                                                                           "l") ","
                                                                                                " " EXTREME("min", "correct") ", " EXTREME(
                                                                                                    "max",
                                                                                                    "correct") " FROM trials LEFT JOIN more USING(trial) WHERE trial < ?2";

stoic_status stoic_rows_moments(stoic_campaign_file *file, int64_t prefix, stoic_moments *out,
                                stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row;
    TRY(stoic_sql_prepare(file->db, prefix < 0 ? all_sql : prefix_sql, &statement, err));
    if (prefix >= 0) {
        sqlite3_bind_int64(statement, 1, stoic_campaign_file_integer(file, "trial_images", 1));
        sqlite3_bind_int64(statement, 2, prefix);
    }
    TRY(stoic_sql_step(statement, &row, err));
    stoic_strata_read(statement, 0, out);
done:
    sqlite3_finalize(statement);
    return status;
}
