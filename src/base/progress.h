/* The wording of progress lines. Pure functions: the command prints. */
#ifndef STOIC_BASE_PROGRESS_H
#define STOIC_BASE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* "0.4 s", "42 s", "3 min 05 s", "1 h 03 min", "2 d 04 h"; "?" for what is no duration. */
void stoic_progress_duration(double seconds, char *buffer, size_t size);

typedef struct stoic_progress {
    const char *unit;    /* "trials" */
    int64_t done, total; /* total 0: unknown */
    int64_t resumed;     /* part of done that an earlier run did: it says nothing about the rate */
    double seconds;      /* since this run started */
    const char *note;    /* running estimate and the like, appended; NULL: none */
} stoic_progress;

/* "1200 of 5000 trials (24 %), 310 trials/s, 12 s left, NOTE", cut to the buffer. */
void stoic_progress_line(const stoic_progress *progress, char *buffer, size_t size);

#endif
