/* Images and labels out of two arrays. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "data/pixels.h"
#include "data/source.h"

enum { MAX_CHANNELS = 4096 };

static stoic_status check_images(const stoic_array *a, const char *name, stoic_error *err) {
    if (a->element != STOIC_ELEMENT_U8 && a->element != STOIC_ELEMENT_F32)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "images of integers, expected bytes or float32");
    /* A file of bytes without a channel dimension is gray. */
    if (a->rank != 4 && !(a->rank == 3 && a->element == STOIC_ELEMENT_U8))
        return stoic_fail(err, STOIC_ERR_SHAPE, name,
                          "images of %d dimensions, expected 4 (images x channels x height x "
                          "width)",
                          a->rank);
    if (a->rank == 4 && a->dim[1] > MAX_CHANNELS)
        return stoic_fail(err, STOIC_ERR_SHAPE, name,
                          "%lld channels, expected at most %d (images x channels x height x "
                          "width)",
                          (long long)a->dim[1], MAX_CHANNELS);
    return stoic_pixels_check(a->dim[a->rank - 2], a->dim[a->rank - 1], name, err);
}

static stoic_status check_labels(const stoic_array *labels, int64_t images, const char *name,
                                 const char *images_name, stoic_error *err) {
    if (labels->rank != 1 || labels->element == STOIC_ELEMENT_F32)
        return stoic_fail(err, STOIC_ERR_SHAPE, name,
                          "labels of %d dimensions%s, expected one dimension of integers",
                          labels->rank, labels->element == STOIC_ELEMENT_F32 ? " of floats" : "");
    if (labels->dim[0] != images)
        return stoic_fail(err, STOIC_ERR_MISMATCH, name, "%lld labels for the %lld images of %s",
                          (long long)labels->dim[0], (long long)images, images_name);
    return STOIC_OK;
}

static int64_t integer_at(const uint8_t *data, stoic_element element, int64_t i) {
    int32_t narrow;
    int64_t wide;
    switch (element) {
    case STOIC_ELEMENT_I32:
        memcpy(&narrow, data + i * 4, sizeof narrow);
        return narrow;
    case STOIC_ELEMENT_I64:
        memcpy(&wide, data + i * 8, sizeof wide);
        return wide;
    default:
        return data[i];
    }
}

static stoic_status read_labels(const stoic_bytes *bytes, const stoic_array *array,
                                const char *name, stoic_source *out, stoic_error *err) {
    out->labels = malloc((size_t)out->count * sizeof *out->labels);
    if (!out->labels)
        return stoic_fail_memory(err, name, (size_t)out->count * sizeof *out->labels);
    for (int64_t i = 0; i < out->count; i++) {
        int64_t label = integer_at(bytes->data + array->offset, array->element, i);
        if (label < 0 || label >= STOIC_MAX_CLASSES)
            return stoic_fail(err, STOIC_ERR_FORMAT, name,
                              "label %lld of image %lld is out of range, expected 0 to %d",
                              (long long)label, (long long)i, STOIC_MAX_CLASSES - 1);
        out->labels[i] = (int)label;
        out->classes = label >= out->classes ? (int)label + 1 : out->classes;
    }
    return STOIC_OK;
}

stoic_status stoic_source_from_arrays(stoic_bytes *image_bytes, const stoic_array *images,
                                      stoic_bytes *label_bytes, const stoic_array *labels,
                                      const char *images_name, const char *labels_name,
                                      stoic_source *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(check_images(images, images_name, err));
    TRY(check_labels(labels, images->dim[0], labels_name, images_name, err));
    bool bytes = images->element == STOIC_ELEMENT_U8;
    out->kind = bytes ? STOIC_SOURCE_BYTES : STOIC_SOURCE_FLOATS;
    out->count = images->dim[0];
    out->channels = images->rank == 4 ? (int)images->dim[1] : 1;
    out->height = (int)images->dim[images->rank - 2];
    out->width = (int)images->dim[images->rank - 1];
    out->offset = images->offset;
    out->stride = (images->total - images->offset) / (size_t)out->count;
    out->data = image_bytes->data;
    *image_bytes = (stoic_bytes){0};
    out->name = strdup(images_name);
    out->labels_name = strdup(labels_name);
    if (!out->name || !out->labels_name) {
        status = stoic_fail_memory(err, images_name, strlen(images_name));
        goto done;
    }
    TRY(read_labels(label_bytes, labels, labels_name, out, err));
done:
    stoic_bytes_free(image_bytes);
    stoic_bytes_free(label_bytes);
    return status;
}

stoic_status stoic_source_open_arrays(const char *images, const char *labels,
                                      stoic_array_parser *parse, stoic_source *out,
                                      stoic_error *err) {
    stoic_bytes image_bytes = {0}, label_bytes = {0};
    stoic_array image_array, label_array;
    stoic_status status = stoic_array_load(labels, parse, &label_bytes, &label_array, err);
    if (status != STOIC_OK)
        return status;
    status = stoic_array_load(images, parse, &image_bytes, &image_array, err);
    if (status != STOIC_OK) {
        stoic_bytes_free(&label_bytes);
        return status;
    }
    return stoic_source_from_arrays(&image_bytes, &image_array, &label_bytes, &label_array, images,
                                    labels, out, err);
}
