#include "campaign/look.h"

#include <limits.h>
#include <stdlib.h>

#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/rows.h"

static int64_t trials_at(const stoic_look *look, int k) {
    int64_t n = stoic_look_trials(k);
    const stoic_allocation *a = look->allocation;
    if (a && a->n_strata == 0)
        return INT64_MAX;
    n = a && n > INT64_MAX - a->pilot ? INT64_MAX : n + (a ? a->pilot : 0);
    int64_t most = a && a->exhausted && a->end < look->most ? a->end : look->most;
    return n < most ? n : most;
}

stoic_status stoic_look_init(stoic_look *look, stoic_campaign_file *file, double margin,
                             stoic_margin_of of, double confidence, int64_t most,
                             stoic_error *err) {
    *look = (stoic_look){.margin = margin, .alpha = 1.0 - confidence, .of = of, .most = most};
    if (margin <= 0.0)
        return STOIC_OK;
    stoic_status status;
    static const char *const names[] = {"critical", "accuracy", "drop"};
    char text[32];
    TRY(stoic_campaign_file_set(file, "margin", err, "%s", stoic_facts_number_text(margin, text)));
    TRY(stoic_campaign_file_set(file, "margin_of", err, "%s", names[of]));
    if (stoic_campaign_file_integer(file, "prefix", -1) < 0) {
        TRY(stoic_campaign_file_set(file, "prefix", err, "0"));
        TRY(stoic_campaign_file_set(file, "look", err, "-1"));
    }
done:
    return status;
}

/* Number and outcome of a look belong together: one transaction, or part of the caller's. */
static stoic_status keep(const stoic_look *look, stoic_campaign_file *file, int64_t n,
                         stoic_error *err) {
    stoic_status status;
    TRY(stoic_sql_exec(file->db, "SAVEPOINT look", err));
    TRY(stoic_campaign_file_set(file, "look", err, "%d", look->next));
    TRY(stoic_campaign_file_set(file, "prefix", err, "%lld", (long long)n));
    status = stoic_sql_exec(file->db, "RELEASE look", err);
done:
    return status;
}

/* Half the width of the interval after n trials. */
static stoic_status measure(const stoic_look *look, stoic_campaign_file *file, int64_t n,
                            double *half, stoic_error *err) {
    double alpha = stoic_look_alpha(look->alpha, look->next);
    stoic_moments moments;
    stoic_part *parts = NULL;
    stoic_status status;
    if (look->allocation) {
        TRY(stoic_allocation_parts(look->allocation, file, n, &parts, err));
        stoic_weighted all = stoic_allocation_weighted(look->allocation, parts, alpha);
        *half = stoic_estimate_weighted_half_width(&all, look->of);
    } else {
        TRY(stoic_rows_moments(file, n, &moments, err));
        stoic_basis basis = stoic_estimate_basis(file);
        basis.alpha = alpha;
        *half = stoic_estimate_half_width(&moments, &basis, look->of);
    }
done:
    free(parts);
    return status;
}

stoic_status stoic_look_take(stoic_look *look, stoic_campaign_file *file, int64_t prefix,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    while (look->margin > 0.0 && !look->decided && prefix >= trials_at(look, look->next)) {
        int64_t n = trials_at(look, look->next);
        double half;
        TRY(measure(look, file, n, &half, err));
        look->reached = half <= look->margin;
        look->decided = look->reached || n == trials_at(look, INT_MAX);
        TRY(keep(look, file, n, err));
        look->next++;
    }
done:
    return status;
}

int64_t stoic_look_limit(const stoic_look *look, int64_t planned) {
    return look->margin > 0.0 ? trials_at(look, look->next) : planned;
}
