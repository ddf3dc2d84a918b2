#include "campaign/estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/rows.h"

int64_t stoic_estimate_prefix(const stoic_campaign_file *file) {
    return stoic_campaign_file_integer(file, "prefix", -1);
}

double stoic_estimate_alpha(const stoic_campaign_file *file) {
    double alpha = 1.0 - stoic_campaign_file_number(file, "confidence", 0.95);
    int64_t look = stoic_campaign_file_integer(file, "look", -1);
    return look < 0 ? alpha : stoic_look_alpha(alpha, (int)look);
}

bool stoic_estimate_complete(const stoic_campaign_file *file, int64_t trials) {
    const char *stopped = stoic_facts_get(&file->facts, "stopped");
    return stopped && !strcmp(stopped, "exhausted") &&
           stoic_campaign_file_integer(file, "fault_space", -1) == trials &&
           stoic_campaign_file_integer(file, "trial_images", -1) ==
               stoic_campaign_file_integer(file, "images", -2);
}

/* The outcomes that are neither masked nor a DUE, trial by trial: no sum in the strata has them. */
static stoic_status estimate_pvf(const stoic_campaign_file *file, const stoic_moments *moments,
                                 int64_t images, double alpha, stoic_interval *out,
                                 stoic_error *err) {
    sqlite3_stmt *row = NULL;
    stoic_status status = STOIC_OK;
    stoic_tally tally = {0};
    bool any, complete = stoic_estimate_complete(file, moments->trials);
    int64_t prefix = stoic_estimate_prefix(file);
    *out = stoic_moments_pvf(moments, images, alpha, complete);
    if (isnan(out->value) || !isnan(out->low))
        return STOIC_OK;
    TRY(stoic_sql_prepare(file->db,
                          "SELECT count(*), sum(x), sum(x * x) FROM (SELECT tolerable + critical"
                          " AS x FROM trials JOIN more USING(trial) WHERE trial < ?)",
                          &row, err));
    sqlite3_bind_int64(row, 1, prefix < 0 ? INT64_MAX : prefix);
    TRY(stoic_sql_step(row, &any, err));
    tally.trials = sqlite3_column_int64(row, 0);
    tally.sum = (uint64_t)sqlite3_column_int64(row, 1);
    tally.squares_low = (uint64_t)sqlite3_column_int64(row, 2);
    if (tally.trials > 0)
        *out = stoic_tally_rate(&tally, images, alpha);
done:
    sqlite3_finalize(row);
    return status;
}

stoic_status stoic_estimate_summary(stoic_campaign_file *file, stoic_summary *out,
                                    stoic_error *err) {
    stoic_moments moments;
    stoic_status status = stoic_rows_moments(file, stoic_estimate_prefix(file), &moments, err);
    if (status != STOIC_OK)
        return status;
    double alpha = stoic_estimate_alpha(file);
    bool complete = stoic_estimate_complete(file, moments.trials);
    const char *stopped = stoic_facts_get(&file->facts, "stopped");
    memset(out, 0, sizeof *out);
    out->trials = moments.trials;
    out->planned = stoic_campaign_file_integer(file, "planned", 0);
    out->images = stoic_campaign_file_integer(file, "trial_images", 0);
    out->golden_accuracy = stoic_campaign_file_number(file, "golden_accuracy", NAN);
    out->accuracy = stoic_moments_accuracy(&moments, out->images, alpha, complete);
    out->drop = stoic_accuracy_drop(out->accuracy, out->golden_accuracy);
    out->critical_rate = stoic_moments_critical(&moments, out->images, alpha, complete);
    bool measured = moments.trials > 0 && moments.totals.correct >= 0;
    out->accuracy_std = measured ? sqrt(stoic_tally_variance(&moments.correct, out->images)) : NAN;
    out->accuracy_min = measured ? (double)moments.correct.least / (double)out->images : NAN;
    out->accuracy_max = measured ? (double)moments.correct.most / (double)out->images : NAN;
    out->totals = moments.totals;
    out->confidence = 1.0 - alpha;
    snprintf(out->stopped, sizeof out->stopped, "%s", stopped ? stopped : "");
    return estimate_pvf(file, &moments, out->images, alpha, &out->pvf, err);
}

double stoic_estimate_half_width(const stoic_moments *moments, int64_t images, double alpha,
                                 stoic_margin_of of) {
    stoic_interval interval = of == STOIC_MARGIN_CRITICAL
                                  ? stoic_moments_critical(moments, images, alpha, false)
                                  : stoic_moments_accuracy(moments, images, alpha, false);
    return (interval.high - interval.low) / 2.0;
}
