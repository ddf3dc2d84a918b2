#include "campaign/writer_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"

/* Two lines of the lock file: "process 12 on node7", "boot ID". The second tells a machine under
 * another name (a container) from another machine, whose locks may be invisible here. */
typedef struct signature {
    char owner[280], boot[64];
} signature;

static ssize_t read_text(int fd, char *text, size_t size) {
    ssize_t length = pread(fd, text, size - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    return length;
}

static void sign(signature *out) {
    char host[200] = "";
    gethostname(host, sizeof host - 1);
    snprintf(out->owner, sizeof out->owner, "process %ld on %s", (long)getpid(), host);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    *out->boot = '\0';
    if (fd >= 0) {
        read_text(fd, out->boot, sizeof out->boot);
        out->boot[strcspn(out->boot, "\n")] = '\0';
        close(fd);
    }
}

/* Whatever stands in the file becomes printable lines. */
static void read_signature(int fd, signature *out) {
    char text[400];
    read_text(fd, text, sizeof text);
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if ((*p < 0x20 && *p != '\n') || *p == 0x7f)
            *p = '?';
    }
    char *line = text + strcspn(text, "\n");
    if (*line)
        *line++ = '\0';
    line[strcspn(line, "\n")] = '\0';
    snprintf(out->owner, sizeof out->owner, "%.*s", (int)sizeof out->owner - 1, text);
    snprintf(out->boot, sizeof out->boot, "%.*s", (int)sizeof out->boot - 1,
             !strncmp(line, "boot ", 5) ? line + 5 : "");
}

static const char *host_of(const signature *who) {
    const char *on = strstr(who->owner, " on ");
    return on ? on + 4 : "";
}

/* Whether an flock of that process would be seen here; it would, so it is gone. */
static bool same_machine(const signature *who, const signature *us) {
    return !*who->owner || !strcmp(host_of(who), host_of(us)) ||
           (*us->boot && !strcmp(who->boot, us->boot));
}

static stoic_status refuse(int fd, const char *file, stoic_error *err) {
    signature owner;
    read_signature(fd, &owner);
    return stoic_fail(err, STOIC_ERR_IO, file, "the campaign file is being written by %s",
                      *owner.owner ? owner.owner : "another process");
}

/* The flock is held: is the file free for us? Then it gets our signature. */
static stoic_status claim(int fd, const char *path, const char *file, stoic_error *err) {
    signature owner, us;
    char text[400];
    read_signature(fd, &owner);
    sign(&us);
    if (!same_machine(&owner, &us))
        return stoic_fail(err, STOIC_ERR_IO, file,
                          "the campaign file is being written by %s, another machine; if that "
                          "process is gone, remove %s",
                          owner.owner, path);
    int length = snprintf(text, sizeof text, "%s\nboot %s\n", us.owner, us.boot);
    /* On a full disk the lock holds all the same; only other machines are not told. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        stoic_log(STOIC_LOG_DEBUG, "the lock file could not be signed: %s", strerror(errno));
    return STOIC_OK;
}

/* A lock file may be removed by its last holder between our open and our flock. */
static bool still_there(int fd, const char *path) {
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

stoic_status stoic_writer_lock_take(stoic_writer_lock *lock, const char *file, stoic_error *err) {
    if (asprintf(&lock->path, "%s-lock", file) < 0) {
        lock->path = NULL;
        return stoic_fail_memory(err, "a file name", strlen(file));
    }
    for (;;) {
        /* no link: one beside a stranger's file would have us write elsewhere */
        int fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
            return stoic_fail_errno(err, file, "cannot create the lock file beside the file");
        stoic_status status = STOIC_OK;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0)
            status = errno == EWOULDBLOCK ? refuse(fd, file, err)
                                          : stoic_fail_errno(err, lock->path, "cannot lock");
        else if (still_there(fd, lock->path)) {
            status = claim(fd, lock->path, file, err);
            if (status == STOIC_OK) {
                lock->fd = fd;
                return STOIC_OK;
            }
        }
        close(fd);
        if (status != STOIC_OK)
            return status;
    }
}

void stoic_writer_lock_drop(stoic_writer_lock *lock) {
    if (lock->fd >= 0) {
        unlink(lock->path);
        close(lock->fd);
    }
    free(lock->path);
    *lock = (stoic_writer_lock){NULL, -1};
}
