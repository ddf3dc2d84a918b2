/*
 * The order of epoch e is stoic_permute() with a tag of its own; what happens to an image is
 * drawn from its number in the training, step * batch + place. Nothing is remembered from one
 * batch to the next, so that any batch can be made by any worker at any time.
 */
#include "stoic/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "data/augment.h"
#include "data/conveyor.h"
#include "data/kept_images.h"

/* Waking a thread takes as long as reading a few small images: small batches come several at
 * once. */
enum { READ_AT_ONCE = 64, BYTES_AT_ONCE = 1 << 20 };

static const int64_t max_step = (int64_t)1 << 48, usual_cache = (int64_t)1 << 30;
/* Tags of stoic_permute() below 2^32 are those of campaigns. */
static const uint64_t order_tag = (uint64_t)1 << 62;

struct stoic_feed {
    const stoic_dataset *dataset;
    stoic_feed_options options;
    int64_t epoch_batches;
    int64_t load_batches; /* batches in one load of the conveyor */
    size_t elements;      /* of one image */
    stoic_kept_images *kept;
    stoic_conveyor *conveyor;
    const stoic_load *load; /* the caller's, or NULL */
    int64_t given;          /* images of it that were handed out */
};

static stoic_status find_view(const stoic_feed *feed, int64_t i, stoic_pixels *own,
                              stoic_view *view, stoic_error *err) {
    if (feed->kept && stoic_kept_images_get(feed->kept, i, view))
        return STOIC_OK;
    stoic_status status =
        stoic_dataset_view(feed->dataset, i, feed->options.augment.resized, own, view, err);
    if (status == STOIC_OK && feed->kept && own->data)
        stoic_kept_images_put(feed->kept, i, view);
    return status;
}

/* Cuts a region out of *view and resizes it to the network's size; *view then lies in `own`. */
static stoic_status resize_region(const stoic_feed *feed, const stoic_region *region,
                                  stoic_view *view, stoic_pixels *own, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int height = (int)feed->dataset->shape.dim[2], width = (int)feed->dataset->shape.dim[3];
    stoic_pixels cut = {0};
    TRY(stoic_pixels_create(view->channels, region->height, region->width, &cut, err));
    uint8_t *to = cut.data;
    for (int c = 0; c < view->channels; c++) {
        const uint8_t *from = view->data + (size_t)c * view->plane +
                              (size_t)region->top * view->row + (size_t)region->left;
        for (int y = 0; y < region->height; y++, from += view->row, to += region->width)
            memcpy(to, from, (size_t)region->width);
    }
    stoic_pixels resized = {0};
    TRY(stoic_planes_resize(cut.data, cut.channels, cut.height, cut.width, height, width, &resized,
                            err));
    stoic_pixels_free(own);
    *own = resized;
    *view = (stoic_view){.data = own->data,
                         .channels = own->channels,
                         .height = height,
                         .width = width,
                         .row = (size_t)width,
                         .plane = (size_t)width * (size_t)height};
done:
    stoic_pixels_free(&cut);
    return status;
}

static stoic_status put_image(const stoic_feed *feed, int64_t step, int64_t place, float *image,
                              int *label, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_feed_options *o = &feed->options;
    uint64_t n = (uint64_t)stoic_dataset_count(feed->dataset);
    uint64_t epoch = (uint64_t)(step / feed->epoch_batches);
    uint64_t position = (uint64_t)(step % feed->epoch_batches * o->batch + place);
    uint64_t number = (uint64_t)step * (uint64_t)o->batch + (uint64_t)place;
    int64_t i = (int64_t)stoic_permute(o->seed, order_tag + epoch, n, position);
    stoic_pixels own = {0};
    stoic_view view;
    stoic_region region;
    stoic_shift shift;
    TRY(find_view(feed, i, &own, &view, err));
    stoic_augment_draw(&o->augment, o->seed, number, view.height, view.width, &region, &shift);
    if (o->augment.resized)
        TRY(resize_region(feed, &region, &view, &own, err));
    stoic_view_convert(feed->dataset, &view, &shift, image);
    *label = stoic_dataset_label(feed->dataset, i);
done:
    stoic_pixels_free(&own);
    return status;
}

static stoic_status fill_load(void *user, const stoic_cancel *stop, int64_t number,
                              stoic_load *load, stoic_error *err) {
    const stoic_feed *feed = user;
    int64_t batch = feed->options.batch;
    int64_t first = feed->options.first_step + number * feed->load_batches;
    load->count = 0;
    for (int64_t i = 0; i < feed->load_batches * batch && !stoic_cancel_test(stop); i++) {
        stoic_status status =
            put_image(feed, first + i / batch, i % batch, load->images + (size_t)i * feed->elements,
                      load->labels + i, err);
        if (status != STOIC_OK)
            return status;
        if ((i + 1) % batch == 0)
            load->count = i + 1;
    }
    return STOIC_OK;
}

static stoic_status check_options(const stoic_dataset *dataset, const stoic_feed_options *o,
                                  stoic_error *err) {
    int64_t count = stoic_dataset_count(dataset);
    if (o->batch < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--batch",
                          "a batch of %lld images, expected 1 or more", (long long)o->batch);
    if (o->batch > count)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--batch",
                          "a batch of %lld images, more than the %lld of %s", (long long)o->batch,
                          (long long)count, dataset->source.name);
    if (o->first_step < 0 || o->first_step > max_step)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "a start at step %lld, expected 0 to %lld",
                          (long long)o->first_step, (long long)max_step);
    if (o->workers < 0 || o->workers > STOIC_CONVEYOR_WORKERS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%d workers for a feed, expected 0 to %d",
                          o->workers, STOIC_CONVEYOR_WORKERS);
    if (o->cache_bytes < -1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%lld bytes for decoded images, expected -1 (none) or more",
                          (long long)o->cache_bytes);
    stoic_status status = stoic_augment_check(&o->augment, err);
    const stoic_shape *shape = stoic_dataset_shape(dataset);
    for (int axis = shape->rank - 2; status == STOIC_OK && o->augment.crop && axis < shape->rank;
         axis++) {
        if (axis >= 0 && o->augment.crop_pad > shape->dim[axis])
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "--augment",
                              "crop by a padding of %d pixels, more than the %lld of an image",
                              o->augment.crop_pad, (long long)shape->dim[axis]);
    }
    if (status == STOIC_OK && o->augment.resized && dataset->source.kind == STOIC_SOURCE_FLOATS)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, dataset->source.name,
                          "images of floats cannot be resized, as --augment resizedcrop asks; "
                          "crop and flip can be done");
    return status;
}

static int64_t batches_at_once(int64_t batch, size_t elements) {
    int64_t images = (int64_t)(BYTES_AT_ONCE / sizeof(float) / elements);
    images = images > READ_AT_ONCE ? READ_AT_ONCE : images;
    return images > batch ? images / batch : 1;
}

stoic_status stoic_feed_start(const stoic_dataset *dataset, const stoic_feed_options *options,
                              stoic_feed **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_feed *feed = NULL;
    bool files = dataset->source.kind == STOIC_SOURCE_FILES;
    TRY(check_options(dataset, options, err));
    feed = calloc(1, sizeof *feed);
    if (!feed) {
        status = stoic_fail_memory(err, "a feed", sizeof *feed);
        goto done;
    }
    feed->dataset = dataset;
    feed->options = *options;
    feed->epoch_batches = stoic_dataset_count(dataset) / options->batch;
    feed->elements = (size_t)stoic_shape_count(&dataset->shape);
    feed->load_batches = batches_at_once(options->batch, feed->elements);
    if (options->cache_bytes >= 0)
        TRY(stoic_kept_images_create(stoic_dataset_count(dataset),
                                     options->cache_bytes ? options->cache_bytes : usual_cache,
                                     &feed->kept, err));
    TRY(stoic_conveyor_start(fill_load, feed, INT64_MAX, feed->load_batches * options->batch,
                             feed->elements,
                             options->workers ? options->workers
                             : files          ? STOIC_CONVEYOR_WORKERS
                                              : 1,
                             &feed->conveyor, err));
    *out = feed;
    feed = NULL;
done:
    stoic_feed_free(feed);
    return status;
}

stoic_status stoic_feed_next(stoic_feed *feed, const float **images, const int **labels,
                             stoic_error *err) {
    *images = NULL;
    *labels = NULL;
    if (!feed->load || (feed->given == feed->load->count && feed->load->status == STOIC_OK)) {
        feed->load = stoic_conveyor_next(feed->conveyor);
        feed->given = 0;
    }
    const stoic_load *load = feed->load;
    if (feed->given == load->count)
        return stoic_fail(err, load->status, load->error.place, "%s", load->error.message);
    *images = load->images + (size_t)feed->given * feed->elements;
    *labels = load->labels + feed->given;
    feed->given += feed->options.batch;
    return STOIC_OK;
}

void stoic_feed_free(stoic_feed *feed) {
    if (!feed)
        return;
    stoic_conveyor_free(feed->conveyor);
    stoic_kept_images_free(feed->kept);
    free(feed);
}
