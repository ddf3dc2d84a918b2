/*
 * Where images come from: bytes or floats in memory, or files decoded when asked for.
 * A source knows nothing of networks or preprocessing.
 */
#ifndef STOIC_DATA_SOURCE_H
#define STOIC_DATA_SOURCE_H

#include "data/array_file.h"
#include "data/known_sets.h"

typedef enum stoic_source_kind {
    STOIC_SOURCE_NONE,
    STOIC_SOURCE_BYTES,  /* planes of bytes in `data` */
    STOIC_SOURCE_FLOATS, /* planes of floats in `data`, not aligned */
    STOIC_SOURCE_FILES   /* JPEG or PNG */
} stoic_source_kind;

typedef struct stoic_source {
    stoic_source_kind kind;
    char *name;        /* of the images' file or folder, for messages */
    char *labels_name; /* of the file that holds the labels */
    int64_t count;
    int channels, height, width; /* 0 for files */
    uint8_t *data;               /* image i begins at offset + i * stride */
    size_t offset, stride;
    char **paths; /* one a file */
    int *labels;  /* not negative */
    int classes;  /* number of folders, or one more than the largest label */
    char **class_names;
    int n_class_names;
    bool folders;                 /* classes are folders: their number must be the network's */
    const stoic_known_set *known; /* or NULL */
} stoic_source;

/* Labels beyond this are mistakes. */
enum { STOIC_MAX_CLASSES = 1000000 };

/* Opens a spec (include/stoic/dataset.h). `class_list`: file with the class names, or NULL. */
stoic_status stoic_source_open(const char *spec, const char *class_list, stoic_source *out,
                               stoic_error *err);
void stoic_source_deinit(stoic_source *source);

/* The kinds of source. On failure the caller deinits `out`, which is all zero before. */
stoic_status stoic_source_open_arrays(const char *images, const char *labels,
                                      stoic_array_parser *parse, stoic_source *out,
                                      stoic_error *err);
stoic_status stoic_source_open_cifar(char *const *paths, size_t n_paths, int classes,
                                     stoic_source *out, stoic_error *err);
stoic_status stoic_source_open_folders(const char *path, const char *class_list, stoic_source *out,
                                       stoic_error *err);

/* Looks in a folder for the layouts a data set comes in. *found is false, and nothing else
 * happens, where there is none. `known` NULL: also images.npy and class folders. */
stoic_status stoic_source_find(const char *folder, bool train, const stoic_known_set *known,
                               const char *class_list, stoic_source *out, bool *found,
                               stoic_error *err);

/* Takes opened arrays over, also on failure. Fails where they are not images and labels. */
stoic_status stoic_source_from_arrays(stoic_bytes *image_bytes, const stoic_array *images,
                                      stoic_bytes *label_bytes, const stoic_array *labels,
                                      const char *images_name, const char *labels_name,
                                      stoic_source *out, stoic_error *err);

/* Is it a CIFAR-10 or a CIFAR-100 file? `classes` 0: find out. Checks all labels. */
stoic_status stoic_cifar_check(const uint8_t *data, size_t size, const char *name, int *classes,
                               stoic_error *err);

/* Is the path a folder (after symbolic links)? Does the path exist? */
bool stoic_path_is_folder(const char *path);
bool stoic_path_exists(const char *path);
/* "folder/name", malloc; NULL: out of memory. */
char *stoic_path_join(const char *folder, const char *name);

#endif
