#include "progress_line.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "verb.h"

static pthread_mutex_t terminal = PTHREAD_MUTEX_INITIALIZER;
static bool shown, drawn;
static double last_drawn;

void cli_line_start(bool quiet) {
    shown = !quiet && isatty(STDERR_FILENO);
    drawn = false;
    last_drawn = 0.0;
}

bool cli_line_due(void) {
    double now = cli_seconds();
    if (!shown || now - last_drawn < 0.2)
        return false;
    last_drawn = now;
    return true;
}

static int terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 79;
    return size.ws_col > CLI_LINE_WIDTH ? CLI_LINE_WIDTH : size.ws_col - 1;
}

void cli_line_draw(const char *text) {
    pthread_mutex_lock(&terminal);
    if (shown) {
        fprintf(stderr, "\r\033[K%.*s", terminal_width(), text);
        fflush(stderr);
        drawn = true;
    }
    pthread_mutex_unlock(&terminal);
}

static void clear(void) {
    if (drawn)
        fputs("\r\033[K", stderr);
    drawn = false;
}

void cli_line_keep(const char *text) {
    pthread_mutex_lock(&terminal);
    if (shown) {
        clear();
        fprintf(stderr, "%s\n", text);
    }
    pthread_mutex_unlock(&terminal);
}

void cli_line_end(void) {
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
