/* Time that only goes forward. */
#ifndef STOIC_BASE_CLOCK_H
#define STOIC_BASE_CLOCK_H

/* Seconds since some moment in the past: differences are durations. */
double stoic_clock(void);
/* Seconds of processor time of the process, and of the calling thread. */
double stoic_process_clock(void);
double stoic_thread_clock(void);

#endif
