/* Time that only goes forward. */
#ifndef STOIC_BASE_CLOCK_H
#define STOIC_BASE_CLOCK_H

/* Seconds since some moment in the past: differences are durations. */
double stoic_clock(void);

#endif
