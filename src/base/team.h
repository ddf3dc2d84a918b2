/*
 * A team of threads that do many short things together.
 *
 * stoic_pool_run() starts threads for one long job; a training step is a hundred short ones with
 * meetings in between, so the threads of a team stay, and wait a moment awake before they sleep.
 */
#ifndef STOIC_BASE_TEAM_H
#define STOIC_BASE_TEAM_H

#include "stoic/status.h"

typedef struct stoic_team stoic_team;

/* A team of 1 … 4096, the caller being member 0. STOIC_ERR_MEMORY: the system gives no more
 * threads. Members take no signals, except the caller. */
stoic_status stoic_team_create(int size, stoic_team **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_team_free(stoic_team *team);
int stoic_team_size(const stoic_team *team);

/* Every member calls fn(member, user); returns when all have. */
void stoic_team_run(stoic_team *team, void (*fn)(int member, void *user), void *user);

/* Inside fn: waits until every member is here. What was written before is seen behind it. */
void stoic_team_meet(stoic_team *team);

#endif
