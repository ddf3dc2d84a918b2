#include "progress_text.h"

#include <math.h>
#include <stdio.h>

const char *cli_duration_text(double seconds, char text[40]) {
    if (!(seconds < 1e9))
        snprintf(text, 40, "very long");
    else if (seconds < 60.0)
        snprintf(text, 40, "%.1f s", seconds);
    else if (seconds < 3600.0)
        snprintf(text, 40, "%d min %d s", (int)(seconds / 60.0), (int)fmod(seconds, 60.0));
    else
        snprintf(text, 40, "%d h %d min", (int)(seconds / 3600.0),
                 (int)(fmod(seconds, 3600.0) / 60.0));
    return text;
}

/* What is left, from what this process did: `before` was done by an earlier one. */
static const char *left_text(double seconds, double fraction, double before, char text[40]) {
    if (fraction > before)
        return cli_duration_text(seconds * (1.0 - fraction) / (fraction - before), text);
    snprintf(text, 40, "some time");
    return text;
}

void cli_progress_campaign(const stoic_campaign_progress *progress, char *text, size_t width) {
    char left[40], estimate[80] = "";
    const stoic_interval *rate = &progress->critical_rate;
    left_text(progress->seconds, progress->fraction, 0.0, left);
    if (!isnan(rate->value))
        snprintf(estimate, sizeof estimate, "  critical %.4g [%.4g, %.4g]", rate->value, rate->low,
                 rate->high);
    snprintf(text, width + 1, "%lld/%lld trials  %.0f %%  %.3g/s  %s left%s",
             (long long)progress->trials_done, (long long)progress->trials_total,
             100.0 * progress->fraction, progress->trials_per_second, left, estimate);
}

void cli_progress_training(const stoic_train_progress *progress, int64_t images, char *text,
                           size_t width) {
    char left[40], rate[40] = "";
    double done = progress->fraction - progress->fraction_before;
    left_text(progress->seconds, progress->fraction, progress->fraction_before, left);
    if (done > 0.0 && progress->seconds > 0.0)
        snprintf(rate, sizeof rate, "  %.4g images/s",
                 done * (double)progress->epochs * (double)images / progress->seconds);
    snprintf(text, width + 1, "epoch %lld/%lld  batch %lld/%lld  loss %.3f  train %.3f  %s left%s",
             (long long)progress->epoch + 1, (long long)progress->epochs,
             (long long)progress->batch, (long long)progress->batches, progress->loss,
             progress->train_accuracy, left, rate);
}

void cli_progress_epoch(const stoic_epoch *epoch, int64_t at, int64_t epochs, char *text,
                        size_t width) {
    char test[40] = "", seconds[40];
    if (!isnan(epoch->test_accuracy))
        snprintf(test, sizeof test, "  test %.4f", epoch->test_accuracy);
    snprintf(text, width + 1, "epoch %lld/%lld  loss %.4f  train %.4f%s  lr %.3g  %s",
             (long long)at + 1, (long long)epochs, epoch->loss, epoch->train_accuracy, test,
             epoch->lr, cli_duration_text(epoch->seconds, seconds));
}
