/* What this process may use: affinity, memory, and the limits of its control groups (v2). */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

/* Reads a small file of /proc or /sys as text; false where there is none. */
static bool read_small(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    return n > 0;
}

/* The number after "name" at the start of a line; -1 where there is none. */
static int64_t number_after(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, length))
            return strtoll(line + length, NULL, 10);
    }
    return -1;
}

/* Path below the mount point of this process's group in the unified hierarchy. */
static bool own_group(char *path, size_t size) {
    char text[8192];
    if (!read_small("/proc/self/cgroup", text, sizeof text))
        return false;
    char *start = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
    if (!start)
        return false;
    start = strchr(start, '/');
    if (!start)
        return false;
    start[strcspn(start, "\n")] = '\0';
    return (size_t)snprintf(path, size, "/sys/fs/cgroup%s", start) < size;
}

/* Calls `visit` for the group and each group above it: every limit on the way counts. */
static void visit_groups(void (*visit)(const char *folder, int64_t *least), int64_t *least) {
    char path[4096];
    if (!own_group(path, sizeof path))
        return;
    const size_t root = strlen("/sys/fs/cgroup");
    for (;;) {
        visit(path, least);
        char *slash = strrchr(path, '/');
        if (strlen(path) <= root || !slash || (size_t)(slash - path) < root)
            return;
        *slash = '\0';
    }
}

static bool read_in(const char *folder, const char *name, char *text, size_t size) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_small(path, text, size);
}

static void visit_cpu(const char *folder, int64_t *least) {
    char text[128];
    long long quota, period;
    if (!read_in(folder, "cpu.max", text, sizeof text) ||
        sscanf(text, "%lld %lld", &quota, &period) != 2 || quota < 1 || period < 1)
        return; /* "max": no quota */
    int64_t whole = quota / period + (quota % period != 0);
    if (whole < *least)
        *least = whole;
}

static void visit_memory(const char *folder, int64_t *least) {
    char limit[64], current[64], stat[8192];
    if (!read_in(folder, "memory.max", limit, sizeof limit) || *limit == 'm' ||
        !read_in(folder, "memory.current", current, sizeof current) ||
        !read_in(folder, "memory.stat", stat, sizeof stat))
        return;
    int64_t cached = number_after(stat, "inactive_file "); /* given back under pressure */
    int64_t left =
        strtoll(limit, NULL, 10) - strtoll(current, NULL, 10) + (cached > 0 ? cached : 0);
    if (left < *least)
        *least = left > 0 ? left : 0;
}

static int affinity_count(void) {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) { /* EINVAL: the kernel's mask is wider */
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE(cpus);
        int failed = sched_getaffinity(0, size, set);
        int error = errno;
        int count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0)
            return count;
        if (error != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int stoic_cpu_count(void) {
    int64_t count = affinity_count();
    visit_groups(visit_cpu, &count);
    return (int)count;
}

int64_t stoic_memory_available(void) {
    char text[8192];
    int64_t kilobytes =
        read_small("/proc/meminfo", text, sizeof text) ? number_after(text, "MemAvailable:") : -1;
    int64_t bytes = kilobytes > 0 ? kilobytes * 1024 : INT64_MAX;
    visit_groups(visit_memory, &bytes);
    return bytes == INT64_MAX ? 0 : bytes;
}

int stoic_cpu_levels(void) {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
               ? 3
               : 2;
#else
    return 1;
#endif
}

bool stoic_cpu_permutes_bytes(void) {
#ifdef __x86_64__
    return stoic_cpu_levels() == 3 && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("gfni") && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}
