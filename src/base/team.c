#include "base/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"

/* Rounds of waiting awake before going to sleep, which with waking up costs some 50 microseconds:
 * many where every member has a processor, few where they take each other's. */
enum { TEAM_MAX = 4096, ROUNDS_ALONE = 6000, ROUNDS_CROWDED = 100 };

typedef struct member {
    pthread_t thread;
    stoic_team *team;
    int index;
} member;

struct stoic_team {
    atomic_int size;
    int started, rounds;
    member *members; /* [0] is the caller */
    void (*fn)(int member, void *user);
    void *user;
    bool leave;
    atomic_int here;      /* members at the meeting */
    atomic_uint meetings; /* meetings over */
    pthread_mutex_t mutex;
    pthread_cond_t over;
};

static void rest(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void stoic_team_meet(stoic_team *team) {
    unsigned meeting = atomic_load_explicit(&team->meetings, memory_order_acquire);
    if (atomic_fetch_add_explicit(&team->here, 1, memory_order_acq_rel) + 1 == team->size) {
        atomic_store_explicit(&team->here, 0, memory_order_relaxed);
        pthread_mutex_lock(&team->mutex);
        atomic_store_explicit(&team->meetings, meeting + 1, memory_order_release);
        pthread_cond_broadcast(&team->over);
        pthread_mutex_unlock(&team->mutex);
        return;
    }
    for (int i = 0; i < team->rounds; i++) {
        if (atomic_load_explicit(&team->meetings, memory_order_acquire) != meeting)
            return;
        rest();
    }
    pthread_mutex_lock(&team->mutex);
    while (atomic_load_explicit(&team->meetings, memory_order_acquire) == meeting)
        pthread_cond_wait(&team->over, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

static void *member_main(void *argument) {
    member *self = argument;
    stoic_team *team = self->team;
    for (;;) {
        stoic_team_meet(team);
        if (team->leave)
            return NULL;
        team->fn(self->index, team->user);
        stoic_team_meet(team);
    }
}

void stoic_team_run(stoic_team *team, void (*fn)(int member, void *user), void *user) {
    team->fn = fn;
    team->user = user;
    stoic_team_meet(team);
    fn(0, user);
    stoic_team_meet(team);
}

int stoic_team_size(const stoic_team *team) {
    return team->size;
}

/* Those that exist leave together. */
static void dismiss(stoic_team *team) {
    team->size = team->started;
    team->leave = true;
    stoic_team_meet(team);
    for (int i = 1; i < team->started; i++)
        pthread_join(team->members[i].thread, NULL);
}

void stoic_team_free(stoic_team *team) {
    if (!team)
        return;
    if (team->started > 0)
        dismiss(team);
    pthread_mutex_destroy(&team->mutex);
    pthread_cond_destroy(&team->over);
    free(team->members);
    free(team);
}

stoic_status stoic_team_create(int size, stoic_team **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (size < 1 || size > TEAM_MAX)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected 1 to %d threads, found %d",
                          TEAM_MAX, size);
    stoic_team *team = calloc(1, sizeof *team);
    if (!team)
        return stoic_fail_memory(err, "a team of threads", sizeof *team);
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->over, NULL);
    /* Too large for a meeting to end until all have started, or the size is corrected. */
    team->size = size;
    team->rounds = size <= stoic_cpu_count() ? ROUNDS_ALONE : ROUNDS_CROWDED;
    team->members = calloc((size_t)size, sizeof *team->members);
    if (!team->members) {
        status = stoic_fail_memory(err, "a team of threads", (size_t)size * sizeof(member));
        stoic_team_free(team);
        return status;
    }
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    int error = 0;
    for (team->started = 1; team->started < size; team->started++) {
        member *m = &team->members[team->started];
        *m = (member){.team = team, .index = team->started};
        if ((error = pthread_create(&m->thread, NULL, member_main, m)))
            break;
    }
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (error) {
        status = stoic_fail(err, STOIC_ERR_MEMORY, "", "cannot start thread %d of %d: %s",
                            team->started + 1, size, strerror(error));
        stoic_team_free(team);
        return status;
    }
    *out = team;
    return STOIC_OK;
}
