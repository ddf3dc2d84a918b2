#include "stoic/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/file.h"
#include "report/fig_kit.h"
#include "report/page.h"

stoic_report_options stoic_report_options_default(void) {
    return (stoic_report_options){0};
}

static stoic_status make_figures(const stoic_loaded_runs *runs, const char *model_path,
                                 stoic_figures *figures, stoic_error *err) {
    stoic_model *model = NULL;
    stoic_status status = STOIC_OK;
    if (model_path) {
        TRY(stoic_model_read(model_path, &model, err));
        TRY(stoic_fig_weights(model, figures, err));
    }
    for (int part = 0; part < runs->parts; part++) {
        TRY(stoic_fig_bits(runs, part, figures, err));
        TRY(stoic_fig_map(runs, part, figures, err));
        TRY(stoic_fig_worst(runs, part, figures, err));
        TRY(stoic_fig_strips(runs, part, figures, err));
        TRY(stoic_fig_scatter(runs, part, figures, err));
        TRY(stoic_fig_rates(runs, part, figures, err));
        TRY(stoic_fig_course(runs, part, figures, err));
    }
    TRY(stoic_fig_variants(runs, figures, err));
done:
    stoic_model_free(model);
    return status;
}

static stoic_status draw_figures(stoic_figures *figures, stoic_error *err) {
    for (size_t i = 0; i < figures->count; i++) {
        bool drawn;
        stoic_status status = stoic_figure_draw(&figures->items[i], &drawn, err);
        if (status != STOIC_OK)
            return status;
        if (drawn)
            continue;
        stoic_log(STOIC_LOG_WARNING, "gnuplot was not found in PATH: the report has tables only");
        return STOIC_OK;
    }
    return STOIC_OK;
}

stoic_status stoic_report_write(const char *const *campaigns, size_t n,
                                const stoic_report_options *options, const char *page,
                                stoic_error *err) {
    stoic_loaded_runs runs = {0};
    stoic_figures figures = {0};
    stoic_notes notes = {0};
    stoic_text text = {0};
    stoic_status status;
    if (n == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected at least one campaign file");
    TRY(stoic_notes_read(options->notes, &notes, err));
    TRY(stoic_loaded_runs_read(campaigns, n, &runs, err));
    TRY(make_figures(&runs, options->model_path, &figures, err));
    TRY(draw_figures(&figures, err));
    if (options->figures)
        TRY(stoic_figures_write(&figures, options->figures, err));
    if (page) {
        stoic_page_write(&runs, &figures, &notes, options->title, &text);
        TRY(stoic_text_finish(&text, err));
        status = stoic_file_write(page, text.data, text.length, err);
    }
done:
    stoic_text_deinit(&text);
    stoic_figures_deinit(&figures);
    stoic_loaded_runs_deinit(&runs);
    stoic_notes_deinit(&notes);
    return status;
}
