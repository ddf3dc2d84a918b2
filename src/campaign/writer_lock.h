/*
 * The one process that writes a campaign file: it holds an flock on "FILE-lock", which the system
 * drops when the process dies, however it dies. On a file system that several machines share, an
 * flock may reach no further than the machine; so the lock file also says which process of which
 * machine took it. A signature of another machine is never overruled.
 */
#ifndef STOIC_CAMPAIGN_WRITER_LOCK_H
#define STOIC_CAMPAIGN_WRITER_LOCK_H

#include <stdbool.h>

#include "stoic/status.h"

/* Start from {NULL, -1}. */
typedef struct stoic_writer_lock {
    char *path;
    int fd; /* -1: not held */
} stoic_writer_lock;

/* STOIC_ERR_IO names the process that holds the lock and its host; one of this machine that is
 * gone has left nothing that counts. */
stoic_status stoic_writer_lock_take(stoic_writer_lock *lock, const char *file,
                                    stoic_error *err) STOIC_MUST_CHECK;
/* Gives it back if it is held, and removes the lock file. */
void stoic_writer_lock_drop(stoic_writer_lock *lock);

#endif
