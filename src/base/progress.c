#include "base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void stoic_progress_duration(double seconds, char *buffer, size_t size) {
    if (!(seconds >= 0.0) || seconds > 1e15) {
        snprintf(buffer, size, "?");
        return;
    }
    if (seconds < 9.95) {
        int tenths = (int)(seconds * 10.0 + 0.5); /* by hand: the point is not the locale's */
        snprintf(buffer, size, "%d.%d s", tenths / 10, tenths % 10);
        return;
    }
    int64_t whole = (int64_t)(seconds + 0.5);
    int64_t minutes = (whole + 30) / 60, hours = (minutes + 30) / 60;
    if (whole < 60)
        snprintf(buffer, size, "%" PRId64 " s", whole);
    else if (whole < 3600)
        snprintf(buffer, size, "%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
    else if (minutes < 24 * 60)
        snprintf(buffer, size, "%" PRId64 " h %02" PRId64 " min", minutes / 60, minutes % 60);
    else
        snprintf(buffer, size, "%" PRId64 " d %02" PRId64 " h", hours / 24, hours % 24);
}

/* Adds to the text in the buffer, as far as it fits. */
#define APPEND(...) (used = strlen(buffer), (void)snprintf(buffer + used, size - used, __VA_ARGS__))

void stoic_progress_line(const stoic_progress *progress, char *buffer, size_t size) {
    size_t used;
    if (!size)
        return;
    buffer[0] = '\0';
    APPEND("%" PRId64, progress->done);
    if (progress->total > 0)
        APPEND(" of %" PRId64, progress->total);
    APPEND(" %s", progress->unit);
    if (progress->total > 0) /* cut, not rounded: 100 % means all */
        APPEND(" (%d %%)", (int)(100.0 * (double)progress->done / (double)progress->total));
    int64_t fresh = progress->done - progress->resumed;
    if (fresh > 0 && progress->seconds > 0.0) {
        double rate = (double)fresh / progress->seconds;
        if (rate >= 9.5)
            APPEND(", %.0f %s/s", rate, progress->unit);
        else if (rate * 60.0 >= 9.5)
            APPEND(", %.0f %s/min", rate * 60.0, progress->unit);
        else
            APPEND(", %.0f %s/h", rate * 3600.0, progress->unit);
        if (progress->total > progress->done) {
            char left[32];
            stoic_progress_duration((double)(progress->total - progress->done) / rate, left,
                                    sizeof left);
            APPEND(", %s left", left);
        }
    }
    if (progress->note)
        APPEND(", %s", progress->note);
}
