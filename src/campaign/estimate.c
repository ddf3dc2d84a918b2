#include "campaign/estimate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/allocation.h"
#include "campaign/rows.h"

int64_t stoic_estimate_prefix(const stoic_campaign_file *file) {
    return stoic_campaign_file_integer(file, "prefix", -1);
}

double stoic_estimate_alpha(const stoic_campaign_file *file) {
    double alpha = 1.0 - stoic_campaign_file_number(file, "confidence", 0.95);
    int64_t look = stoic_campaign_file_integer(file, "look", -1);
    return look < 0 ? alpha : stoic_look_alpha(alpha, (int)look);
}

stoic_basis stoic_estimate_basis(const stoic_campaign_file *file) {
    return (stoic_basis){.images = stoic_campaign_file_integer(file, "trial_images", 1),
                         .alpha = stoic_estimate_alpha(file),
                         .single = stoic_campaign_file_integer(file, "fault_space", -1) >= 0};
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
                                 const stoic_basis *basis, stoic_interval *out, stoic_error *err) {
    sqlite3_stmt *row = NULL;
    stoic_status status = STOIC_OK;
    stoic_tally tally = {0};
    bool any;
    int64_t prefix = stoic_estimate_prefix(file);
    *out = stoic_moments_pvf(moments, basis);
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
        *out = stoic_basis_rate(basis, &tally);
done:
    sqlite3_finalize(row);
    return status;
}

static void plain_shares(const stoic_counts *totals, stoic_shares *out) {
    for (int i = 1; i < STOIC_COUNT_FIELDS; i++) {
        int64_t count = (&totals->images)[i];
        bool measured = count >= 0 && totals->images > 0;
        (&out->correct)[i - 1] = measured ? (double)count / (double)totals->images : (double)NAN;
    }
}

static stoic_status summarize_strata(stoic_campaign_file *file, double alpha, stoic_summary *out,
                                     stoic_error *err) {
    stoic_allocation *allocation = NULL;
    stoic_part *parts = NULL;
    stoic_status status;
    stoic_moments totals;
    TRY(stoic_allocation_read(file, NULL, &allocation, err));
    TRY(stoic_allocation_parts(allocation, file, stoic_estimate_prefix(file), &parts, err));
    stoic_weighted all = stoic_allocation_weighted(allocation, parts, alpha);
    stoic_weighted_totals(&all, &totals);
    out->trials = totals.trials;
    out->totals = totals.totals;
    out->sampling = STOIC_SAMPLING_STRATIFIED;
    out->pilot = allocation->pilot;
    out->strata = (int64_t)allocation->n_strata;
    out->accuracy = stoic_weighted_accuracy(&all);
    out->accuracy_std = stoic_weighted_accuracy_std(&all);
    bool measured = totals.trials > 0 && totals.totals.correct >= 0;
    out->accuracy_min = measured ? (double)totals.correct.least / (double)out->images : NAN;
    out->accuracy_max = measured ? (double)totals.correct.most / (double)out->images : NAN;
    out->critical_rate = stoic_weighted_critical(&all);
    out->pvf = stoic_weighted_pvf(&all);
    stoic_weighted_shares(&all, &out->shares);
done:
    free(parts);
    stoic_allocation_free(allocation);
    return status;
}

static stoic_status summarize(stoic_campaign_file *file, stoic_summary *out, stoic_error *err) {
    stoic_moments moments;
    stoic_status status = stoic_rows_moments(file, stoic_estimate_prefix(file), &moments, err);
    if (status != STOIC_OK)
        return status;
    stoic_basis basis = stoic_estimate_basis(file);
    basis.complete = stoic_estimate_complete(file, moments.trials);
    out->trials = moments.trials;
    out->accuracy = stoic_moments_accuracy(&moments, &basis);
    out->critical_rate = stoic_moments_critical(&moments, &basis);
    bool measured = moments.trials > 0 && moments.totals.correct >= 0;
    out->accuracy_std = measured ? sqrt(stoic_tally_variance(&moments.correct, out->images)) : NAN;
    out->accuracy_min = measured ? (double)moments.correct.least / (double)out->images : NAN;
    out->accuracy_max = measured ? (double)moments.correct.most / (double)out->images : NAN;
    out->totals = moments.totals;
    plain_shares(&moments.totals, &out->shares);
    return estimate_pvf(file, &moments, &basis, &out->pvf, err);
}

stoic_status stoic_estimate_summary(stoic_campaign_file *file, stoic_summary *out,
                                    stoic_error *err) {
    double alpha = stoic_estimate_alpha(file);
    const char *stopped = stoic_facts_get(&file->facts, "stopped");
    memset(out, 0, sizeof *out);
    out->planned = stoic_campaign_file_integer(file, "planned", 0);
    out->images = stoic_campaign_file_integer(file, "trial_images", 0);
    out->golden_accuracy = stoic_campaign_file_number(file, "golden_accuracy", NAN);
    out->confidence = 1.0 - alpha;
    snprintf(out->stopped, sizeof out->stopped, "%s", stopped ? stopped : "");
    stoic_status status = stoic_campaign_is_stratified(file)
                              ? summarize_strata(file, alpha, out, err)
                              : summarize(file, out, err);
    out->drop = stoic_accuracy_drop(out->accuracy, out->golden_accuracy);
    return status;
}

double stoic_estimate_half_width(const stoic_moments *moments, const stoic_basis *basis,
                                 stoic_margin_of of) {
    stoic_interval interval = of == STOIC_MARGIN_CRITICAL ? stoic_moments_critical(moments, basis)
                                                          : stoic_moments_accuracy(moments, basis);
    return (interval.high - interval.low) / 2.0;
}

double stoic_estimate_weighted_half_width(const stoic_weighted *all, stoic_margin_of of) {
    stoic_interval interval =
        of == STOIC_MARGIN_CRITICAL ? stoic_weighted_critical(all) : stoic_weighted_accuracy(all);
    return (interval.high - interval.low) / 2.0;
}
