/* The estimate against the number of trials. */
#include <stdlib.h>

#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/records_file.h"

typedef struct course {
    stoic_records *records;
    double alpha;
    bool looks; /* the campaign stops at a margin */
    stoic_course_point *points;
    size_t n, capacity;
} course;

static stoic_status add_point(course *c, int64_t trials, double alpha, stoic_interval rate,
                              stoic_error *err) {
    if (c->n == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 32;
        stoic_course_point *points = realloc(c->points, capacity * sizeof *points);
        if (!points)
            return stoic_fail_memory(err, "an estimate's course", capacity * sizeof *points);
        c->points = points;
        c->capacity = capacity;
    }
    c->points[c->n++] = (stoic_course_point){trials, rate, 1.0 - alpha};
    return STOIC_OK;
}

/* The level of look k, or of the last point. */
static double level(const course *c, int k) {
    return c->looks ? stoic_look_alpha(c->alpha, k) : c->alpha;
}

static stoic_status follow_strata(course *c, int64_t last, stoic_error *err) {
    const stoic_allocation *a = c->records->allocation;
    stoic_status status = STOIC_OK;
    int64_t end = last < a->end ? last : a->end;
    for (int k = 0; a->n_strata > 0 && end > a->pilot; k++) {
        int64_t behind = stoic_look_trials(k), n = end;
        if (behind < end - a->pilot)
            n = a->pilot + behind;
        stoic_part *parts = NULL;
        status = stoic_allocation_parts(a, c->records->file, n, &parts, err);
        if (status != STOIC_OK)
            break;
        stoic_weighted all = stoic_allocation_weighted(a, parts, level(c, k));
        status = add_point(c, n, all.alpha, stoic_weighted_critical(&all), err);
        free(parts);
        if (status != STOIC_OK || n == end)
            break;
    }
    return status;
}

static stoic_status follow(course *c, int64_t last, stoic_error *err) {
    static const char sql[] =
        "SELECT critical FROM trials WHERE trial < ? AND critical IS NOT NULL ORDER BY trial";
    stoic_basis basis = stoic_estimate_basis(c->records->file);
    sqlite3_stmt *row = NULL;
    stoic_tally tally = {0};
    stoic_status status;
    bool any = true;
    int k = 0;
    TRY(stoic_sql_prepare(c->records->file->db, sql, &row, err));
    sqlite3_bind_int64(row, 1, last);
    while (any) {
        TRY(stoic_sql_step(row, &any, err));
        int64_t critical = any ? sqlite3_column_int64(row, 0) : 0;
        if (critical < 0)
            continue; /* no file of ours */
        if (any)
            stoic_tally_add(&tally, critical);
        bool look = tally.trials == stoic_look_trials(k);
        bool end =
            !any && tally.trials > 0 && (c->n == 0 || c->points[c->n - 1].trials != tally.trials);
        if ((!any || !look) && !end)
            continue;
        basis.alpha = level(c, k);
        TRY(add_point(c, tally.trials, basis.alpha, stoic_basis_rate(&basis, &tally), err));
        k += look;
    }
done:
    sqlite3_finalize(row);
    return status;
}

stoic_status stoic_records_course(stoic_records *records, stoic_course_point **points, size_t *n,
                                  stoic_error *err) {
    const stoic_campaign_file *file = records->file;
    int64_t prefix = stoic_estimate_prefix(file);
    course c = {.records = records,
                .alpha = 1.0 - stoic_campaign_file_number(file, "confidence", 0.95),
                .looks = prefix >= 0};
    int64_t last = prefix < 0 ? INT64_MAX : prefix;
    stoic_status status =
        records->allocation ? follow_strata(&c, last, err) : follow(&c, last, err);
    *points = c.points;
    *n = c.n;
    if (status != STOIC_OK) {
        free(c.points);
        *points = NULL;
        *n = 0;
    }
    return status;
}
