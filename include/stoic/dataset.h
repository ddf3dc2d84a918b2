/*
 * Labelled images, decoded and normalised in batches, in a fixed order.
 *
 * Specs: "fashion-mnist", "mnist", "cifar10", "cifar100" (with ":train" or ":test"),
 * "dir:PATH", "idx:IMAGES,LABELS", "cifar:FILE[,FILE]", "npy:IMAGES,LABELS" or a bare path.
 *
 * Thread-safety: one dataset may be read by many threads at once.
 */
#ifndef STOIC_DATASET_H
#define STOIC_DATASET_H

#include <stdbool.h>

#include "stoic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_dataset stoic_dataset;

/* What happens to an image between the file and the network. In this order: resize the shorter
 * side (bilinear with antialiasing), centre crop, bytes / 255, (x - mean) / std. */
typedef struct stoic_preprocessing {
    int resize, crop; /* 0: none */
    int channels;     /* entries of mean and std; 0: none */
    float mean[4], std[4];
    char source[3]
               [32]; /* where size, mean, std came from: "option", "model", "known set", "none" */
} stoic_preprocessing;

typedef struct stoic_dataset_options {
    int64_t first, count;     /* the images used; count -1: to the end */
    const char *labels;       /* file with the class names of dir:, or NULL */
    int resize, crop;         /* -1: as the model or the known set says */
    const char *mean, *std;   /* "a,b,c"; NULL: as the model or the known set says */
    const stoic_model *model; /* metadata and input shape are read; may be NULL */
} stoic_dataset_options;

STOIC_API stoic_dataset_options stoic_dataset_options_default(void);

/* The data sets known by name, "fashion-mnist" …; NULL behind the last. */
STOIC_API const char *stoic_dataset_known(size_t i);

/* Opens a data set. With a model, image size and label range are checked against it.
 * Fails with STOIC_ERR_ARGUMENT (spec), _IO (says where it looked and how to get it),
 * _FORMAT (names file and offset), _SHAPE, _MISMATCH (labels against the model's outputs). */
STOIC_API stoic_status stoic_dataset_open(const char *spec, const stoic_dataset_options *options,
                                          stoic_dataset **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_dataset_free(stoic_dataset *dataset);

STOIC_API int64_t stoic_dataset_count(const stoic_dataset *dataset);
/* Shape of one image as the network gets it: [1, C, H, W]. */
STOIC_API const stoic_shape *stoic_dataset_shape(const stoic_dataset *dataset);
/* Number of classes: one more than the largest label, or the number of folders. */
STOIC_API int stoic_dataset_classes(const stoic_dataset *dataset);
STOIC_API const char *stoic_dataset_class_name(const stoic_dataset *dataset,
                                               int index); /* or NULL */
STOIC_API int stoic_dataset_label(const stoic_dataset *dataset, int64_t i);
STOIC_API const stoic_preprocessing *stoic_dataset_preprocessing(const stoic_dataset *dataset);

/* Decodes images first … first+count-1 into `images` (count x C x H x W floats, NCHW) and, unless
 * NULL, their labels. Gives the same bytes whatever the thread or the batch. */
STOIC_API stoic_status stoic_dataset_read(const stoic_dataset *dataset, int64_t first,
                                          int64_t count, float *images, int *labels,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* 128-bit digests of the images as the network gets them, and of the labels. The first call
 * reads every image. */
STOIC_API stoic_status stoic_dataset_digest(const stoic_dataset *dataset, uint8_t images[16],
                                            uint8_t labels[16], stoic_error *err);

/* A model whose metadata say how these images were preprocessed and what the classes are called
 * (stoic.mean, stoic.std, stoic.resize, stoic.crop, stoic.classes), so that whoever opens such
 * images with it needs no options. Of what does not apply, such as the names of classes that have
 * none, the model's own entries are removed. */
STOIC_API stoic_status stoic_dataset_describe(const stoic_dataset *dataset,
                                              const stoic_model *model, stoic_model **out,
                                              stoic_error *err) STOIC_MUST_CHECK;

/* Decodes ahead in a background thread: next() hands out batches in order. */
typedef struct stoic_prefetch stoic_prefetch;

STOIC_API stoic_status stoic_prefetch_start(const stoic_dataset *dataset, int64_t batch,
                                            stoic_prefetch **out,
                                            stoic_error *err) STOIC_MUST_CHECK;
/* *count is 0 after the last batch. The pointers are valid until the next call. One caller. */
STOIC_API stoic_status stoic_prefetch_next(stoic_prefetch *prefetch, const float **images,
                                           const int **labels, int64_t *count, stoic_error *err);
STOIC_API void stoic_prefetch_free(stoic_prefetch *prefetch);

#ifdef __cplusplus
}
#endif
#endif
