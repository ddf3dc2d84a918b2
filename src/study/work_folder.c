#include "study/work_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fail.h"

static char *temporary_name(void) {
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    if (!parent || !*parent)
        return strdup("/tmp/stoic-study-XXXXXX");
    return asprintf(&path, "%s/stoic-study-XXXXXX", parent) < 0 ? NULL : path;
}

static bool make_folder(const char *path) {
    struct stat there;
    if (mkdir(path, 0777) == 0)
        return true;
    if (errno != EEXIST || stat(path, &there) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(there.st_mode);
}

stoic_status stoic_work_folder_open(const char *keep, stoic_work_folder *out, stoic_error *err) {
    out->temporary = keep == NULL;
    out->path = keep ? strdup(keep) : temporary_name();
    if (!out->path)
        return stoic_fail_memory(err, "a path", 1);
    if (keep ? make_folder(keep) : mkdtemp(out->path) != NULL)
        return STOIC_OK;
    stoic_status status = stoic_fail_errno(err, out->path, "cannot make the folder");
    free(out->path);
    out->path = NULL;
    return status;
}

enum { KEPT = 120 }; /* characters of a name, and of a fault */

/* "-0123abcd" where the letters that a file name may hold would not tell a name apart, as in
 * /0-2=… and /0+2=…; else "". */
static bool name_mark(const char *name, const char *fault, char mark[18]) {
    uint8_t sum[16];
    char text[STOIC_DIGEST_TEXT];
    mark[0] = '\0';
    if (!strchr(name, '/') && strlen(name) <= KEPT && strlen(fault) <= KEPT)
        return true;
    stoic_digest *digest = stoic_digest_create();
    if (!digest)
        return false;
    stoic_digest_add_string(digest, name);
    stoic_digest_add_string(digest, strlen(fault) <= KEPT ? "" : fault);
    stoic_digest_finish(digest, sum);
    stoic_digest_spell(sum, text);
    snprintf(mark, 18, "-%.16s", text);
    return true;
}

static char *file_of(const stoic_work_folder *folder, const char *name, const char *fault,
                     const char *ending) {
    char *path = NULL, mark[18];
    if (!name_mark(name, fault, mark) ||
        asprintf(&path, "%s/%.*s%s%s%.*s%s", folder->path, KEPT, name, mark, *fault ? "." : "",
                 KEPT, fault, ending) < 0)
        return NULL;
    for (char *p = path + strlen(folder->path) + 1; *p; p++) {
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
            *p = '-';
    }
    return path;
}

char *stoic_work_folder_file(const stoic_work_folder *folder, const char *name, const char *fault) {
    return file_of(folder, name, fault, ".db");
}

char *stoic_work_folder_model(const stoic_work_folder *folder, const char *name) {
    return file_of(folder, name, "", ".onnx");
}

void stoic_work_folder_close(stoic_work_folder *folder) {
    DIR *list = folder->path && folder->temporary ? opendir(folder->path) : NULL;
    struct dirent *entry;
    while (list && (entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(list), entry->d_name, 0);
    }
    if (list) {
        closedir(list);
        rmdir(folder->path);
    }
    free(folder->path);
    folder->path = NULL;
}
