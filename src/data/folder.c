/* A folder a class, a JPEG or PNG file an image. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "data/source.h"

typedef struct names {
    char **item;
    size_t n, capacity;
} names;

static void names_free(names *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->item[i]);
    free(list->item);
    *list = (names){0};
}

/* Takes `text` (malloc) over, also on failure. */
static stoic_status names_add(names *list, char *text, stoic_error *err) {
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        char **item = realloc(list->item, capacity * sizeof *item);
        if (item) {
            list->item = item;
            list->capacity = capacity;
        }
    }
    if (!text || list->n == list->capacity) {
        free(text);
        return stoic_fail_memory(err, "file names", list->capacity * sizeof(char *));
    }
    list->item[list->n++] = text;
    return STOIC_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool stoic_path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool stoic_path_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A pipe among the images would block whoever opens it. */
static bool is_regular(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

char *stoic_path_join(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool is_image_name(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot &&
           (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png"));
}

/* Adds the folders, or else the image files, in a folder: sorted, without hidden ones. With
 * `full` the paths, else the names. */
static stoic_status list_folder(const char *folder, bool folders, bool full, names *out,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t before = out->n;
    DIR *stream = opendir(folder);
    if (!stream)
        return stoic_fail_errno(err, folder, "cannot open the folder");
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry && errno) {
            status = stoic_fail_errno(err, folder, "cannot read the folder");
            goto done;
        }
        if (!entry)
            break;
        if (entry->d_name[0] == '.' || (!folders && !is_image_name(entry->d_name)))
            continue;
        char *path = stoic_path_join(folder, entry->d_name);
        if (path && !(folders ? stoic_path_is_folder(path) : is_regular(path))) {
            free(path);
            continue;
        }
        if (path && !full)
            memmove(path, path + strlen(folder) + 1, strlen(entry->d_name) + 1);
        TRY(names_add(out, path, err));
    }
    if (out->n > before)
        qsort(out->item + before, out->n - before, sizeof *out->item, compare_names);
done:
    closedir(stream);
    return status;
}

/* One name a line; blanks at the ends and empty last lines do not count. */
static stoic_status read_class_list(const char *path, names *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_bytes bytes = {0};
    TRY(stoic_bytes_read(path, &bytes, err));
    const char *at = (const char *)bytes.data, *end = at + bytes.size;
    while (end > at && strchr(" \t\r\n", end[-1]) && end[-1])
        end--;
    for (int line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
            stop--;
        if (stop == at || memchr(at, 0, (size_t)(stop - at)) || line > STOIC_MAX_CLASSES) {
            status =
                stoic_fail(err, STOIC_ERR_FORMAT, path, "line %d: expected a class name", line);
            goto done;
        }
        TRY(names_add(out, strndup(at, (size_t)(stop - at)), err));
        at = next;
    }
    if (!out->n)
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "no class names in the file");
done:
    stoic_bytes_free(&bytes);
    return status;
}

/* The class of a folder: its place in the list, where there is one. */
static stoic_status class_of(const names *classes, const char *folder, const char *class_list,
                             const char *path, int *out, stoic_error *err) {
    for (size_t i = 0; i < classes->n; i++) {
        if (!strcmp(classes->item[i], folder)) {
            *out = (int)i;
            return STOIC_OK;
        }
    }
    return stoic_fail(err, STOIC_ERR_MISMATCH, path, "the folder '%s' is not a class listed in %s",
                      folder, class_list);
}

static stoic_status add_class(const char *path, const char *folder, int class, names *files,
                              stoic_source *out, stoic_error *err) {
    char *full = stoic_path_join(path, folder);
    if (!full)
        return stoic_fail_memory(err, path, strlen(path));
    size_t before = files->n;
    stoic_status status = list_folder(full, false, true, files, err);
    if (status == STOIC_OK && files->n == before)
        status = stoic_fail(err, STOIC_ERR_FORMAT, full, "no JPEG or PNG file in the class folder");
    free(full);
    if (status != STOIC_OK)
        return status;
    int *labels = realloc(out->labels, files->n * sizeof *labels);
    if (!labels)
        return stoic_fail_memory(err, path, files->n * sizeof *labels);
    out->labels = labels;
    for (size_t i = before; i < files->n; i++)
        labels[i] = class;
    return STOIC_OK;
}

stoic_status stoic_source_open_folders(const char *path, const char *class_list, stoic_source *out,
                                       stoic_error *err) {
    stoic_status status = STOIC_OK;
    names folders = {0}, classes = {0}, files = {0};
    TRY(list_folder(path, true, false, &folders, err));
    if (!folders.n || folders.n > STOIC_MAX_CLASSES) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, path,
                            "%zu class folders, expected a folder a class with JPEG or PNG files",
                            folders.n);
        goto done;
    }
    if (class_list)
        TRY(read_class_list(class_list, &classes, err));
    for (size_t i = 0; i < folders.n; i++) {
        int class = (int)i;
        if (class_list)
            TRY(class_of(&classes, folders.item[i], class_list, path, &class, err));
        TRY(add_class(path, folders.item[i], class, &files, out, err));
    }
    names *used = class_list ? &classes : &folders;
    out->kind = STOIC_SOURCE_FILES;
    out->count = (int64_t)files.n;
    out->paths = files.item;
    files = (names){0};
    out->class_names = used->item;
    out->classes = out->n_class_names = (int)used->n;
    *used = (names){0};
    out->folders = true;
    out->name = strdup(path);
    out->labels_name = strdup(path);
    if (!out->name || !out->labels_name)
        status = stoic_fail_memory(err, path, strlen(path));
done:
    names_free(&folders);
    names_free(&classes);
    names_free(&files);
    return status;
}
