/* Time that only goes forward. */
#ifndef STOIC_BASE_CLOCK_H
#define STOIC_BASE_CLOCK_H

/* Seconds since some moment in the past: differences are durations. */
double stoic_clock(void);
/* Seconds that the calling thread has had a processor. */
double stoic_thread_clock(void);

#endif
