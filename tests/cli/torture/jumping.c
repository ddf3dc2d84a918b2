/* Preloaded: a wall clock that jumps by hours or years, back and forth, each time it is asked. By
 * the environment: JUMP_COUNT=FILE: at the end, how often it was. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static atomic_long asked;

static long jump(void) {
    static const long seconds[] = {0, 100000000, -3600, -900000000, 7200, -1, 800000000};
    return seconds[atomic_fetch_add(&asked, 1) % 7];
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("JUMP_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&asked));
        fclose(file);
    }
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = NEXT(clock_gettime)(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        now->tv_sec += jump();
    return status;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone) {
    int status = NEXT(gettimeofday)(now, zone);
    now->tv_sec += jump();
    return status;
}
