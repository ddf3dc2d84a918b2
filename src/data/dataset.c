#include "stoic/dataset.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "data/dataset_inside.h"

/* What digest() remembers; behind a pointer, because a dataset is const to its readers. */
typedef struct stoic_digest_cache {
    pthread_mutex_t mutex;
    bool known;
    uint8_t images[16], labels[16];
} digest_cache;

stoic_dataset_options stoic_dataset_options_default(void) {
    return (stoic_dataset_options){.count = -1, .resize = -1, .crop = -1};
}

int64_t stoic_dataset_count(const stoic_dataset *dataset) {
    return dataset->count;
}

const stoic_shape *stoic_dataset_shape(const stoic_dataset *dataset) {
    return &dataset->shape;
}

int stoic_dataset_classes(const stoic_dataset *dataset) {
    return dataset->source.classes;
}

const char *stoic_dataset_class_name(const stoic_dataset *dataset, int index) {
    const stoic_source *source = &dataset->source;
    if (index < 0 || index >= source->classes)
        return NULL;
    if (source->class_names)
        return source->class_names[index];
    const stoic_known_set *known = source->known;
    return known && known->class_names && index < known->classes ? known->class_names[index] : NULL;
}

int stoic_dataset_label(const stoic_dataset *dataset, int64_t i) {
    return i < 0 || i >= dataset->count ? -1 : dataset->source.labels[dataset->first + i];
}

const stoic_preprocessing *stoic_dataset_preprocessing(const stoic_dataset *dataset) {
    return &dataset->preprocessing;
}

static const char *image_name(const stoic_dataset *dataset, int64_t i) {
    return dataset->source.paths ? dataset->source.paths[i] : dataset->source.name;
}

/* The image as stored; `own` is filled where it had to be decoded. */
static stoic_status fetch(const stoic_dataset *dataset, int64_t i, stoic_pixels *own,
                          const uint8_t **planes, stoic_error *err) {
    const stoic_source *source = &dataset->source;
    if (source->kind != STOIC_SOURCE_FILES) {
        *own = (stoic_pixels){source->channels, source->height, source->width, NULL};
        *planes = source->data + source->offset + (size_t)i * source->stride;
        return STOIC_OK;
    }
    stoic_bytes file = {0};
    stoic_status status = stoic_bytes_read(source->paths[i], &file, err);
    if (status == STOIC_OK)
        status = stoic_pixels_decode(file.data, file.size, source->paths[i], own, err);
    stoic_bytes_free(&file);
    *planes = own->data;
    return status;
}

static stoic_status check_image(const stoic_dataset *dataset, int64_t i, int channels,
                                const stoic_framing *f, stoic_error *err) {
    const int64_t *dim = dataset->shape.dim;
    if (channels == dim[1] && f->out_height == dim[2] && f->out_width == dim[3])
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_SHAPE, image_name(dataset, i),
                      "the image becomes %dx%dx%d, the first one %lldx%lldx%lld (channels x "
                      "height x width)%s",
                      channels, f->out_height, f->out_width, (long long)dim[1], (long long)dim[2],
                      (long long)dim[3],
                      channels == dim[1] ? "; --resize and --crop make sizes equal" : "");
}

static stoic_status check_channels(const stoic_dataset *dataset, int64_t i, int channels,
                                   stoic_error *err) {
    if (channels == dataset->shape.dim[1])
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_SHAPE, image_name(dataset, i),
                      "the image has %d channel%s, the first one %lld", channels,
                      channels == 1 ? "" : "s", (long long)dataset->shape.dim[1]);
}

stoic_status stoic_dataset_view(const stoic_dataset *dataset, int64_t i, bool stored,
                                stoic_pixels *own, stoic_view *view, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_pixels image = {0};
    int64_t at = dataset->first + i;
    const uint8_t *planes;
    *own = (stoic_pixels){0};
    TRY(fetch(dataset, at, &image, &planes, err));
    stoic_framing f = {image.height, image.width, 0, 0, image.height, image.width};
    if (stored) {
        TRY(check_channels(dataset, at, image.channels, err));
    } else {
        TRY(stoic_framing_fit(&dataset->preprocessing, image.height, image.width,
                              image_name(dataset, at), &f, err));
        TRY(check_image(dataset, at, image.channels, &f, err));
    }
    if (f.height != image.height || f.width != image.width) {
        TRY(stoic_planes_resize(planes, image.channels, image.height, image.width, f.height,
                                f.width, own, err));
        planes = own->data;
    } else {
        *own = image;
        image.data = NULL;
    }
    size_t element = stoic_dataset_element(dataset), row = (size_t)f.width * element;
    *view = (stoic_view){.data = planes + (size_t)f.top * row + (size_t)f.left * element,
                         .channels = own->channels,
                         .height = f.out_height,
                         .width = f.out_width,
                         .row = row,
                         .plane = (size_t)f.height * row};
done:
    stoic_pixels_free(&image);
    return status;
}

stoic_status stoic_dataset_read(const stoic_dataset *dataset, int64_t first, int64_t count,
                                float *images, int *labels, stoic_error *err) {
    if (first < 0 || count < 0 || first > dataset->count || count > dataset->count - first)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, dataset->source.name,
                          "images %lld and %lld more asked for, there are %lld", (long long)first,
                          (long long)count, (long long)dataset->count);
    size_t elements = (size_t)stoic_shape_count(&dataset->shape);
    for (int64_t i = 0; i < count; i++) {
        stoic_pixels own;
        stoic_view view;
        stoic_status status = stoic_dataset_view(dataset, first + i, false, &own, &view, err);
        if (status == STOIC_OK)
            stoic_view_convert(dataset, &view, &(stoic_shift){0}, images + (size_t)i * elements);
        stoic_pixels_free(&own);
        if (status != STOIC_OK)
            return status;
        if (labels)
            labels[i] = dataset->source.labels[dataset->first + first + i];
    }
    return STOIC_OK;
}

static stoic_status select_images(stoic_dataset *dataset, const stoic_dataset_options *options,
                                  stoic_error *err) {
    int64_t n = dataset->source.count, first = options->first, count = options->count;
    if (first < 0 || first >= n)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--images",
                          "no image number %lld, %s has %lld, counted from 0", (long long)first,
                          dataset->source.name, (long long)n);
    if (count < -1 || count == 0 || count > n - first)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--images",
                          "%lld image%s from number %lld on asked for, %s has %lld",
                          (long long)count, count == 1 ? "" : "s", (long long)first,
                          dataset->source.name, (long long)n);
    dataset->first = first;
    dataset->count = count < 0 ? n - first : count;
    return STOIC_OK;
}

/* The first image decides the shape; the others are held to it when they are read. */
static stoic_status find_shape(stoic_dataset *dataset, const stoic_dataset_options *options,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_preprocessing *p = &dataset->preprocessing;
    stoic_pixels own = {0};
    stoic_framing f;
    const uint8_t *planes;
    TRY(fetch(dataset, dataset->first, &own, &planes, err));
    TRY(stoic_preprocessing_size(options, p, err));
    TRY(stoic_framing_fit(p, own.height, own.width, image_name(dataset, dataset->first), &f, err));
    if (dataset->source.kind == STOIC_SOURCE_FLOATS &&
        (f.height != own.height || f.width != own.width)) {
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, dataset->source.name,
                            "images of floats (%dx%d) cannot be resized to %d (asked for by: "
                            "%s); --resize 0 leaves them as they are",
                            own.height, own.width, p->resize, p->source[0]);
        goto done;
    }
    dataset->shape = (stoic_shape){4, {1, own.channels, f.out_height, f.out_width}};
    TRY(stoic_preprocessing_scale(options, dataset->source.known, own.channels, p, err));
    stoic_dataset_fill_table(dataset);
done:
    stoic_pixels_free(&own);
    return status;
}

static stoic_status check_shape(const stoic_dataset *dataset, const stoic_model *model,
                                stoic_error *err) {
    const stoic_shape *mine = &dataset->shape, *wanted = stoic_model_input_shape(model);
    char mine_text[128], wanted_text[128];
    bool same = mine->rank == wanted->rank;
    for (int i = 1; same && i < mine->rank; i++)
        same = mine->dim[i] == wanted->dim[i];
    /* A network of features takes the image as it lies in memory. */
    same = same || (wanted->rank == 2 && stoic_shape_count(mine) == stoic_shape_count(wanted));
    if (same)
        return STOIC_OK;
    bool channels = wanted->rank == 4 && mine->dim[1] != wanted->dim[1];
    const char *hint = "--resize and --crop change height and width";
    if (channels && mine->dim[1] == 1)
        hint = "gray images do not fit a network for color";
    else if (channels && wanted->dim[1] == 1)
        hint = "color images do not fit a network for gray";
    else if (channels)
        hint = "the number of channels must agree";
    return stoic_fail(err, STOIC_ERR_SHAPE, image_name(dataset, dataset->first),
                      "images of shape %s, the network takes %s; %s",
                      stoic_shape_text(mine, mine_text), stoic_shape_text(wanted, wanted_text),
                      hint);
}

static stoic_status check_labels(const stoic_dataset *dataset, const stoic_model *model,
                                 stoic_error *err) {
    const stoic_source *source = &dataset->source;
    int64_t outputs = stoic_model_classes(model);
    if (source->folders && source->classes != outputs)
        return stoic_fail(err, STOIC_ERR_MISMATCH, source->name,
                          "%d classes, unlike the %lld outputs of the network; --labels names "
                          "the classes of all outputs",
                          source->classes, (long long)outputs);
    for (int64_t i = dataset->first; i < dataset->first + dataset->count; i++) {
        if (source->labels[i] >= outputs)
            return stoic_fail(err, STOIC_ERR_MISMATCH, source->labels_name,
                              "label %d of image %lld is out of range, the network has %lld "
                              "outputs, the data set %d classes",
                              source->labels[i], (long long)i, (long long)outputs, source->classes);
    }
    if (source->known && source->classes != outputs)
        stoic_log(STOIC_LOG_WARNING, "%s has %d classes, the network %lld outputs",
                  source->known->name, source->classes, (long long)outputs);
    return STOIC_OK;
}

static stoic_status create_cache(digest_cache **out, stoic_error *err) {
    digest_cache *cache = calloc(1, sizeof *cache);
    if (!cache || pthread_mutex_init(&cache->mutex, NULL) != 0) {
        free(cache);
        return stoic_fail_memory(err, "a data set", sizeof *cache);
    }
    *out = cache;
    return STOIC_OK;
}

stoic_status stoic_dataset_open(const char *spec, const stoic_dataset_options *options,
                                stoic_dataset **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dataset_options defaults = stoic_dataset_options_default();
    if (!options)
        options = &defaults;
    stoic_dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return stoic_fail_memory(err, "a data set", sizeof *dataset);
    TRY(create_cache(&dataset->cache, err));
    TRY(stoic_source_open(spec, options->labels, &dataset->source, err));
    TRY(select_images(dataset, options, err));
    TRY(find_shape(dataset, options, err));
    if (options->model) {
        TRY(check_shape(dataset, options->model, err));
        TRY(check_labels(dataset, options->model, err));
    }
    *out = dataset;
    dataset = NULL;
done:
    stoic_dataset_free(dataset);
    return status;
}

void stoic_dataset_free(stoic_dataset *dataset) {
    if (!dataset)
        return;
    stoic_source_deinit(&dataset->source);
    if (dataset->cache)
        pthread_mutex_destroy(&dataset->cache->mutex);
    free(dataset->cache);
    free(dataset);
}

static stoic_status digest_images(const stoic_dataset *dataset, uint8_t out[16], stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t bytes = (size_t)stoic_shape_count(&dataset->shape) * sizeof(float);
    int64_t at_once = (int64_t)(((size_t)4 << 20) / bytes) + 1;
    if (at_once > dataset->count)
        at_once = dataset->count;
    float *images = malloc((size_t)at_once * bytes);
    stoic_digest *digest = stoic_digest_create();
    if (!images || !digest) {
        status = stoic_fail_memory(err, "a digest", (size_t)at_once * bytes);
        goto done;
    }
    for (int64_t i = 0; i < dataset->count; i += at_once) {
        int64_t n = dataset->count - i < at_once ? dataset->count - i : at_once;
        TRY(stoic_dataset_read(dataset, i, n, images, NULL, err));
        stoic_digest_add(digest, images, (size_t)n * bytes);
    }
done:
    if (digest)
        stoic_digest_finish(digest, out);
    free(images);
    return status;
}

static stoic_status digest_labels(const stoic_dataset *dataset, uint8_t out[16], stoic_error *err) {
    stoic_digest *digest = stoic_digest_create();
    if (!digest)
        return stoic_fail_memory(err, "a digest", 0);
    stoic_digest_add(digest, dataset->source.labels + dataset->first,
                     (size_t)dataset->count * sizeof *dataset->source.labels);
    stoic_digest_finish(digest, out);
    return STOIC_OK;
}

stoic_status stoic_dataset_digest(const stoic_dataset *dataset, uint8_t images[16],
                                  uint8_t labels[16], stoic_error *err) {
    stoic_status status = STOIC_OK;
    digest_cache *cache = dataset->cache;
    pthread_mutex_lock(&cache->mutex);
    if (!cache->known) {
        TRY(digest_images(dataset, cache->images, err));
        TRY(digest_labels(dataset, cache->labels, err));
        cache->known = true;
    }
    memcpy(images, cache->images, 16);
    memcpy(labels, cache->labels, 16);
done:
    pthread_mutex_unlock(&cache->mutex);
    return status;
}
