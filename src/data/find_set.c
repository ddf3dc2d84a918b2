/* The layouts in which data sets lie in folders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "data/source.h"

/* The path of `name` or `name`.gz in a folder; *out is NULL where neither is there. */
static stoic_status find_file(const char *folder, const char *name, char **out, stoic_error *err) {
    static const char *const endings[] = {"", ".gz"};
    *out = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *path;
        if (asprintf(&path, "%s/%s%s", folder, name, endings[i]) < 0)
            return stoic_fail_memory(err, folder, strlen(folder));
        if (stoic_path_exists(path)) {
            *out = path;
            return STOIC_OK;
        }
        free(path);
    }
    return STOIC_OK;
}

static stoic_status find_pair(const char *folder, const char *images, const char *labels,
                              stoic_array_parser *parse, stoic_source *out, bool *found,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *image_path = NULL, *label_path = NULL;
    TRY(find_file(folder, images, &image_path, err));
    if (!image_path)
        goto done;
    *found = true;
    TRY(find_file(folder, labels, &label_path, err));
    if (!label_path) {
        status = stoic_fail(err, STOIC_ERR_IO, folder, "%s is there, but not its labels %s", images,
                            labels);
        goto done;
    }
    TRY(stoic_source_open_arrays(image_path, label_path, parse, out, err));
done:
    free(image_path);
    free(label_path);
    return status;
}

typedef struct cifar_layout {
    const char *folder; /* "." for the folder itself */
    const char *names[5];
    size_t n;
    int classes;
    bool train;
} cifar_layout;

#define TRAIN10                                                                                    \
    {                                                                                              \
        "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",            \
            "data_batch_5.bin"                                                                     \
    }
static const cifar_layout cifar_layouts[] = {
    {".", TRAIN10, 5, 10, true},
    {".", {"test_batch.bin"}, 1, 10, false},
    {".", {"train.bin"}, 1, 100, true},
    {".", {"test.bin"}, 1, 100, false},
    {"cifar-10-batches-bin", TRAIN10, 5, 10, true},
    {"cifar-10-batches-bin", {"test_batch.bin"}, 1, 10, false},
    {"cifar-100-binary", {"train.bin"}, 1, 100, true},
    {"cifar-100-binary", {"test.bin"}, 1, 100, false},
};

static stoic_status try_cifar(const char *folder, const cifar_layout *layout, stoic_source *out,
                              bool *found, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *paths[5] = {0};
    for (size_t i = 0; i < layout->n; i++) {
        bool here = !strcmp(layout->folder, ".");
        if (asprintf(&paths[i], "%s%s%s/%s", folder, here ? "" : "/", here ? "" : layout->folder,
                     layout->names[i]) < 0) {
            paths[i] = NULL;
            status = stoic_fail_memory(err, folder, strlen(folder));
            goto done;
        }
    }
    if (!stoic_path_exists(paths[0]))
        goto done;
    *found = true;
    TRY(stoic_source_open_cifar(paths, layout->n, layout->classes, out, err));
done:
    for (size_t i = 0; i < 5; i++)
        free(paths[i]);
    return status;
}

static stoic_status find_cifar(const char *folder, bool train, int classes, stoic_source *out,
                               bool *found, stoic_error *err) {
    for (size_t i = 0; i < sizeof cifar_layouts / sizeof *cifar_layouts && !*found; i++) {
        const cifar_layout *layout = &cifar_layouts[i];
        if (layout->train != train || (classes && layout->classes != classes))
            continue;
        stoic_status status = try_cifar(folder, layout, out, found, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* train/, test/ or val/ with class folders below. */
static stoic_status find_folders(const char *folder, const char *split, const char *class_list,
                                 stoic_source *out, bool *found, stoic_error *err) {
    char *path = stoic_path_join(folder, split);
    if (!path)
        return stoic_fail_memory(err, folder, strlen(folder));
    stoic_status status = STOIC_OK;
    if (stoic_path_is_folder(path)) {
        *found = true;
        status = stoic_source_open_folders(path, class_list, out, err);
    }
    free(path);
    return status;
}

static stoic_status find_class_folders(const char *folder, const char *class_list,
                                       stoic_source *out, bool *found, stoic_error *err) {
    stoic_error why;
    stoic_status status = stoic_source_open_folders(folder, class_list, out, &why);
    /* A folder without folders is none of ours; anything else is worth hearing. */
    *found = status != STOIC_ERR_FORMAT || strcmp(why.place, folder) != 0;
    if (status != STOIC_OK && *found)
        return stoic_fail(err, status, why.place, "%s", why.message);
    return STOIC_OK;
}

stoic_status stoic_source_find(const char *folder, bool train, const stoic_known_set *known,
                               const char *class_list, stoic_source *out, bool *found,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    int classes = known ? known->classes : 0;
    *found = false;
    if (!known)
        TRY(find_pair(folder, "images.npy", "labels.npy", stoic_npy_parse, out, found, err));
    if (!*found && (!known || known->channels == 1))
        TRY(find_pair(folder, train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte",
                      train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte", stoic_idx_parse,
                      out, found, err));
    if (!*found && (!known || known->channels == 3))
        TRY(find_cifar(folder, train, classes, out, found, err));
    if (!*found)
        TRY(find_folders(folder, train ? "train" : "test", class_list, out, found, err));
    if (!*found && !train)
        TRY(find_folders(folder, "val", class_list, out, found, err));
    if (!*found && !known)
        TRY(find_class_folders(folder, class_list, out, found, err));
done:
    return status;
}
