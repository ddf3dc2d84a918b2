/* From a spec to a source. */
#include "data/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

void stoic_source_deinit(stoic_source *source) {
    for (int64_t i = 0; source->paths && i < source->count; i++)
        free(source->paths[i]);
    for (int i = 0; source->class_names && i < source->n_class_names; i++)
        free(source->class_names[i]);
    free(source->paths);
    free(source->class_names);
    free(source->labels);
    free(source->data);
    free(source->name);
    free(source->labels_name);
    *source = (stoic_source){0};
}

typedef struct path_list {
    char *storage;
    char **item; /* into storage */
    size_t n;
} path_list;

static void path_list_free(path_list *list) {
    free(list->storage);
    free(list->item);
}

/* Splits at commas; "\," is a comma that belongs to a path. */
static stoic_status split_paths(const char *text, const char *spec, path_list *out,
                                stoic_error *err) {
    size_t length = strlen(text);
    out->storage = malloc(length + 1);
    out->item = malloc((length + 1) * sizeof *out->item);
    if (!out->storage || !out->item)
        return stoic_fail_memory(err, "a spec", length);
    char *to = out->storage;
    out->item[out->n++] = to;
    for (; *text; text++) {
        if (text[0] == '\\' && text[1] == ',') {
            *to++ = *++text;
        } else if (*text == ',') {
            *to++ = 0;
            out->item[out->n++] = to;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
    for (size_t i = 0; i < out->n; i++) {
        if (!*out->item[i])
            return stoic_fail(err, STOIC_ERR_ARGUMENT, spec, "an empty path in the data spec");
    }
    return STOIC_OK;
}

static stoic_status open_pair(const path_list *paths, const char *spec, stoic_array_parser *parse,
                              stoic_source *out, stoic_error *err) {
    if (paths->n != 2)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, spec,
                          "%zu file%s named, expected two: images and labels, separated by a "
                          "comma",
                          paths->n, paths->n == 1 ? "" : "s");
    return stoic_source_open_arrays(paths->item[0], paths->item[1], parse, out, err);
}

static stoic_status open_prefixed(const char *spec, const char *class_list, bool *found,
                                  stoic_source *out, stoic_error *err) {
    static const char *const prefixes[] = {"dir:", "idx:", "cifar:", "npy:"};
    stoic_status status = STOIC_OK;
    path_list paths = {0};
    size_t k = 0;
    while (k < 4 && strncmp(spec, prefixes[k], strlen(prefixes[k])))
        k++;
    *found = k < 4;
    if (!*found)
        return STOIC_OK;
    TRY(split_paths(spec + strlen(prefixes[k]), spec, &paths, err));
    if (k == 0 && paths.n != 1)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, spec,
                            "expected one folder (a comma in its name is written \\,)");
    else if (k == 0)
        status = stoic_source_open_folders(paths.item[0], class_list, out, err);
    else if (k == 2)
        status = stoic_source_open_cifar(paths.item, paths.n, 0, out, err);
    else
        status = open_pair(&paths, spec, k == 1 ? stoic_idx_parse : stoic_npy_parse, out, err);
done:
    path_list_free(&paths);
    return status;
}

/* Length of the spec without ":train" or ":test". */
static size_t strip_split(const char *spec, bool *train) {
    size_t length = strlen(spec);
    *train = length > 6 && !strcmp(spec + length - 6, ":train");
    if (*train)
        return length - 6;
    return length > 5 && !strcmp(spec + length - 5, ":test") ? length - 5 : length;
}

static stoic_status open_known(const stoic_known_set *known, bool train, const char *class_list,
                               stoic_source *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool found = false;
    const char *variable = getenv("STOIC_DATA");
    bool set = variable && *variable;
    char *own = stoic_path_join(set ? variable : "$STOIC_DATA", known->name);
    char *packaged = stoic_path_join("/usr/share/datasets", known->name);
    if (!own || !packaged) {
        status = stoic_fail_memory(err, known->name, 0);
        goto done;
    }
    if (set)
        TRY(stoic_source_find(own, train, known, class_list, out, &found, err));
    if (!found)
        TRY(stoic_source_find(packaged, train, known, class_list, out, &found, err));
    if (!found) {
        status = stoic_fail(err, STOIC_ERR_IO, known->name,
                            "the %s images are not on this machine: looked in %s%s and %s; %s%s%s",
                            train ? "training" : "test", own, set ? "" : " (STOIC_DATA is not set)",
                            packaged, known->advice, own,
                            set ? "" : " (STOIC_DATA: a folder of your choice)");
        goto done;
    }
    out->known = known;
    if (out->classes < known->classes && !out->folders)
        out->classes = known->classes;
done:
    free(own);
    free(packaged);
    return status;
}

static stoic_status no_such_path(const char *spec, stoic_error *err) {
    const char *near = stoic_nearest(spec, stoic_known_set_names);
    return stoic_fail(err, STOIC_ERR_IO, spec,
                      "no such file or folder, nor a known data set (fashion-mnist, mnist, "
                      "cifar10, cifar100)%s%s%s; other forms are dir:PATH, idx:IMAGES,LABELS, "
                      "cifar:FILE, npy:IMAGES,LABELS",
                      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* A single file: only CIFAR keeps images and labels together. */
static stoic_status open_file(char *path, stoic_source *out, stoic_error *err) {
    static const uint8_t npy_magic[] = {0x93, 'N', 'U', 'M'}, idx_magic[] = {0, 0, 8};
    stoic_status status = STOIC_OK;
    stoic_bytes bytes = {0};
    TRY(stoic_bytes_read(path, &bytes, err));
    bool npy = bytes.size > 4 && !memcmp(bytes.data, npy_magic, sizeof npy_magic);
    bool idx = bytes.size > 4 && !memcmp(bytes.data, idx_magic, sizeof idx_magic) &&
               (bytes.data[3] == 1 || bytes.data[3] == 3) && bytes.size % 3073 != 0;
    if (npy || idx) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, path,
                            "one file does not hold images and labels: name both as "
                            "%s:IMAGES,LABELS",
                            npy ? "npy" : "idx");
        goto done;
    }
    stoic_bytes_free(&bytes);
    TRY(stoic_source_open_cifar(&path, 1, 0, out, err));
done:
    stoic_bytes_free(&bytes);
    return status;
}

static stoic_status open_bare(const char *spec, const char *class_list, stoic_source *out,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    path_list paths = {0};
    bool train = false, found = false;
    TRY(split_paths(spec, spec, &paths, err));
    if (paths.n != 1) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, spec,
                            "several paths: say what they are, as idx:, npy: or cifar: (a comma "
                            "that belongs to a path is written \\,)");
        goto done;
    }
    char *path = paths.item[0];
    if (!stoic_path_exists(path))
        path[strip_split(path, &train)] = 0;
    if (!stoic_path_exists(path)) {
        status = no_such_path(path, err);
    } else if (stoic_path_is_folder(path)) {
        TRY(stoic_source_find(path, train, NULL, class_list, out, &found, err));
        if (!found)
            status = stoic_fail(err, STOIC_ERR_FORMAT, path,
                                "no data set recognised in this folder: looked for images.npy and "
                                "labels.npy, MNIST's or CIFAR's file names, and class folders "
                                "with JPEG or PNG files");
    } else {
        status = open_file(path, out, err);
    }
done:
    path_list_free(&paths);
    return status;
}

stoic_status stoic_source_open(const char *spec, const char *class_list, stoic_source *out,
                               stoic_error *err) {
    bool train = false, prefixed = false;
    *out = (stoic_source){0};
    if (!*spec)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "an empty data spec");
    stoic_status status = open_prefixed(spec, class_list, &prefixed, out, err);
    if (status == STOIC_OK && !prefixed) {
        const stoic_known_set *known = stoic_known_set_find(spec, strip_split(spec, &train));
        status = known ? open_known(known, train, class_list, out, err)
                       : open_bare(spec, class_list, out, err);
    }
    if (status == STOIC_OK && class_list && !out->folders)
        status =
            stoic_fail(err, STOIC_ERR_ARGUMENT, "--labels",
                       "class names are for folders of images, %s has labels of its own", spec);
    if (status != STOIC_OK)
        stoic_source_deinit(out);
    return status;
}
