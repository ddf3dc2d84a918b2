#include "progress_line.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "verb.h"

enum { MAX_WIDTH = 200 };

static pthread_mutex_t terminal = PTHREAD_MUTEX_INITIALIZER;
static bool shown, drawn;
static double last_drawn;

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

void cli_progress_text(const stoic_campaign_progress *progress, char *text, size_t width) {
    char line[MAX_WIDTH + 1], left[40], estimate[80] = "";
    const stoic_interval *rate = &progress->critical_rate;
    double fraction = progress->fraction;
    if (fraction > 0.0)
        cli_duration_text(progress->seconds * (1.0 - fraction) / fraction, left);
    else
        snprintf(left, sizeof left, "some time");
    if (!isnan(rate->value))
        snprintf(estimate, sizeof estimate, "  critical %.4g [%.4g, %.4g]", rate->value, rate->low,
                 rate->high);
    snprintf(line, sizeof line, "%lld/%lld trials  %.0f %%  %.3g/s  %s left%s",
             (long long)progress->trials_done, (long long)progress->trials_total, 100.0 * fraction,
             progress->trials_per_second, left, estimate);
    snprintf(text, width + 1, "%s", line);
}

void cli_progress_start(bool quiet) {
    shown = !quiet && isatty(STDERR_FILENO);
    drawn = false;
    last_drawn = 0.0;
}

static size_t terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 79;
    return size.ws_col > MAX_WIDTH ? MAX_WIDTH : size.ws_col - 1u;
}

void cli_progress_show(void *user, const stoic_campaign_progress *progress) {
    char text[MAX_WIDTH + 1];
    double now = cli_seconds();
    (void)user;
    if (!shown || now - last_drawn < 0.2)
        return;
    last_drawn = now;
    cli_progress_text(progress, text, terminal_width());
    pthread_mutex_lock(&terminal);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    drawn = true;
    pthread_mutex_unlock(&terminal);
}

static void clear(void) {
    if (drawn)
        fputs("\r\033[K", stderr);
    drawn = false;
}

void cli_progress_end(void) {
    pthread_mutex_lock(&terminal);
    clear();
    shown = false;
    pthread_mutex_unlock(&terminal);
}

void cli_log(void *user, stoic_log_level level, const char *message) {
    static const char *const names[] = {"debug", "note", "warning"};
    const bool *verbose = user;
    if (level < STOIC_LOG_WARNING && !*verbose)
        return;
    pthread_mutex_lock(&terminal);
    clear();
    fprintf(stderr, "stoic: %s: %s\n", names[level], message);
    pthread_mutex_unlock(&terminal);
}
