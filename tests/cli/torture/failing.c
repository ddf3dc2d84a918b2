/* Preloaded: the allocation or the write with a certain number fails. By the environment:
 *   FAIL_ALLOCATION=N  the Nth allocation gives NULL
 *   FAIL_WRITE=N:E     from the Nth write to a file on, all fail with errno E
 *   FAIL_COUNT=FILE    at the end, how many of both there were
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long allocations, writes;
static long fail_allocation, fail_write;
static int write_errno;

__attribute__((constructor)) static void begin(void) {
    const char *allocation = getenv("FAIL_ALLOCATION"), *write = getenv("FAIL_WRITE");
    fail_allocation = allocation ? atol(allocation) : 0;
    if (write && sscanf(write, "%ld:%d", &fail_write, &write_errno) != 2)
        abort();
    atomic_store(&allocations, 0);
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld %ld\n", atomic_load(&allocations), atomic_load(&writes));
        fclose(file);
    }
}

/* oneDNN, in C++, ends the process when an allocation of its own fails: not ours to repair. */
static int is_foreign(const void *caller) {
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return 0;
    return strstr(info.dli_fname, "libdnnl") || strstr(info.dli_fname, "libstdc++") ||
           strstr(info.dli_fname, "libgomp");
}

static int fails(const void *caller) {
    if (is_foreign(caller) || atomic_fetch_add(&allocations, 1) + 1 != fail_allocation)
        return 0;
    errno = ENOMEM;
    return 1;
}

#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t size) {
    return FAILS ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return FAILS ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    return FAILS ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return FAILS ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (FAILS)
        return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

/* Standard streams do not count: what is said about the failure must get out. */
static int write_fails(int fd) {
    if (fd <= 2)
        return 0;
    long now = atomic_fetch_add(&writes, 1) + 1;
    if (!fail_write || now < fail_write)
        return 0;
    errno = write_errno;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    return write_fails(fd) ? -1 : NEXT(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return write_fails(fd) ? -1 : NEXT(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return write_fails(fd) ? -1 : NEXT(pwrite64)(fd, data, size, at);
}

int fsync(int fd) {
    return write_fails(fd) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    return write_fails(fd) ? -1 : NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t size) {
    return write_fails(fd) ? -1 : NEXT(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return write_fails(fd) ? -1 : NEXT(ftruncate64)(fd, size);
}
