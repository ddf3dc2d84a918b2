/* The shuffled, augmented batches of training. */
#include <math.h>
#include <stdbool.h>

#include <png.h>

#include "data_kit.h"

#include "data/augment.h"

enum { COUNT = 40, CHANNELS = 2, SIDE = 8, ELEMENTS = CHANNELS * SIDE * SIDE };

/* COUNT images of random bytes (or these as floats); the label says which image it is. Resized to
 * 10 and cropped to 7 if wanted. */
static stoic_dataset *open_numbered_as(bool floats, bool resized) {
    static uint8_t bytes[COUNT * ELEMENTS], labels[COUNT];
    static float values[COUNT * ELEMENTS];
    uint32_t noise = 1;
    for (int i = 0; i < COUNT * ELEMENTS; i++) {
        noise = noise * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(noise >> 24);
        values[i] = (float)bytes[i];
    }
    for (int i = 0; i < COUNT; i++)
        labels[i] = (uint8_t)i;
    save_npy("b.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 2, 8, 8)}\n", bytes,
             sizeof bytes);
    save_npy("v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 2, 8, 8)}\n", values,
             sizeof values);
    save_npy("w.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (40,)}\n", labels,
             sizeof labels);
    stoic_dataset_options options = stoic_dataset_options_default();
    options.mean = "0.5,0.25";
    options.std = "0.2,0.3";
    options.resize = resized ? 10 : 0;
    options.crop = resized ? 7 : 0;
    return open_ok(spec_of(floats ? "npy:%s/v.npy,%s/w.npy" : "npy:%s/b.npy,%s/w.npy"), &options);
}

static stoic_dataset *open_numbered(bool floats) {
    return open_numbered_as(floats, false);
}

static void save_gray(const char *name, int seed, int height, int width) {
    uint8_t pixels[64 * 64];
    for (int i = 0; i < height * width; i++)
        pixels[i] = (uint8_t)(i * (seed + 3) + i / width * 5 + seed);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = PNG_FORMAT_GRAY};
    assert_int_equal(png_image_write_to_file(&image, in_home(name), 0, pixels, 0, NULL), 1);
}

/* COUNT files of unequal sizes in two folders: 39 in "a", one in "b". */
static stoic_dataset *open_files(const char *folder) {
    char name[64], spec[64];
    make_folder(folder);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%c", folder, "ab"[i]);
        make_folder(name);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%s/%c/%02d.png", folder, i == COUNT - 1 ? 'b' : 'a', i);
        save_gray(name, i, 12 + i % 5, 14 + i % 3);
    }
    stoic_dataset_options options = stoic_dataset_options_default();
    options.resize = 10;
    options.crop = SIDE;
    snprintf(spec, sizeof spec, "dir:%%s/%s", folder);
    return open_ok(spec_of(spec), &options);
}

static stoic_feed_options options_of(const char *augment, int64_t batch) {
    stoic_feed_options options = {.batch = batch, .seed = 11};
    assert_int_equal(stoic_augment_parse(augment, &options.augment, NULL), STOIC_OK);
    return options;
}

static stoic_feed *start_ok(const stoic_dataset *dataset, const stoic_feed_options *options) {
    stoic_error err = {0};
    stoic_feed *feed = NULL;
    if (stoic_feed_start(dataset, options, &feed, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return feed;
}

static void next_ok(stoic_feed *feed, const float **images, const int **labels) {
    stoic_error err = {0};
    if (stoic_feed_next(feed, images, labels, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
}

/* Steps `first` … first + steps - 1, one behind the other. */
static float *collect(const stoic_dataset *dataset, stoic_feed_options options, int64_t first,
                      int64_t steps, int *all_labels) {
    size_t size = (size_t)options.batch * (size_t)stoic_shape_count(stoic_dataset_shape(dataset));
    float *all = malloc((size_t)steps * size * sizeof *all);
    assert_non_null(all);
    options.first_step = first;
    stoic_feed *feed = start_ok(dataset, &options);
    for (int64_t step = 0; step < steps; step++) {
        const float *images;
        const int *labels;
        next_ok(feed, &images, &labels);
        memcpy(all + (size_t)step * size, images, size * sizeof *all);
        for (int64_t i = 0; all_labels && i < options.batch; i++)
            all_labels[step * options.batch + i] = labels[i];
    }
    stoic_feed_free(feed);
    return all;
}

/* Six of 40 at a time: 36 different images an epoch, each time in another order. */
static void test_order(void **state) {
    (void)state;
    enum { BATCH = 6, EPOCH = 36, EPOCHS = 50 };
    stoic_dataset *dataset = open_numbered(false);
    stoic_feed_options options = options_of("none", BATCH);
    int labels[EPOCHS * EPOCH], other[EPOCH], left_out[COUNT] = {0}, in_place = 0;
    float *images = collect(dataset, options, 0, EPOCHS * EPOCH / BATCH, labels), one[ELEMENTS];
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        bool seen[COUNT] = {false};
        for (int i = 0; i < EPOCH; i++) {
            int label = labels[epoch * EPOCH + i];
            assert_false(seen[label]);
            seen[label] = true;
            in_place += epoch && labels[(epoch - 1) * EPOCH + i] == label;
            assert_int_equal(stoic_dataset_read(dataset, label, 1, one, NULL, NULL), STOIC_OK);
            assert_memory_equal(images + (epoch * EPOCH + i) * ELEMENTS, one, sizeof one);
        }
        for (int i = 0; i < COUNT; i++)
            left_out[i] += !seen[i];
    }
    /* 5 ± 2.1 images are left out by chance; one in 40 stays where it was. */
    for (int i = 0; i < COUNT; i++)
        assert_true(left_out[i] < 16);
    assert_true(in_place < 49 * EPOCH / 40 * 2);
    free(images);
    options.seed++;
    free(collect(dataset, options, 0, EPOCH / BATCH, other));
    assert_memory_not_equal(other, labels, sizeof other);
    stoic_dataset_free(dataset);
}

/* Trained models hang on these: they change on purpose only. */
static void test_pinned(void **state) {
    (void)state;
    static const int order[] = {4, 9, 19, 20};
    stoic_dataset *dataset = open_numbered(false);
    stoic_feed_options options = options_of("crop:2,flip", 4);
    int labels[4];
    free(collect(dataset, options, 123, 1, labels));
    assert_memory_equal(labels, order, sizeof order);
    stoic_region region;
    stoic_shift shift;
    stoic_augment_draw(&options.augment, 11, 123 * 4 + 1, SIDE, SIDE, &region, &shift);
    assert_true(shift.down == 0 && shift.right == -2 && !shift.flip);
    assert_int_equal(stoic_augment_parse("resizedcrop", &options.augment, NULL), STOIC_OK);
    stoic_augment_draw(&options.augment, 11, 5, 224, 300, &region, &shift);
    assert_true(region.top == 20 && region.left == 20);
    assert_true(region.height == 203 && region.width == 256);
    stoic_dataset_free(dataset);
}

/* Workers, starting points and what is kept change no byte; seeds and steps do. */
static void check_same_bytes(const stoic_dataset *dataset, const char *augment, int64_t batch) {
    enum { STEPS = 50, LATER = 17 };
    stoic_feed_options options = options_of(augment, batch);
    size_t bytes = (size_t)(batch * stoic_shape_count(stoic_dataset_shape(dataset))) * 4;
    options.workers = 1;
    float *expected = collect(dataset, options, 0, STEPS, NULL);
    for (int variant = 0; variant < 6; variant++) {
        int64_t first = variant % 2 ? LATER : 0;
        options.workers = 2 - variant / 4;
        options.cache_bytes = variant / 2 == 1 ? -1 : variant / 2 == 2 ? 1000 : 0;
        float *found = collect(dataset, options, first, STEPS - first, NULL);
        assert_memory_equal(found, expected + (size_t)first * bytes / 4,
                            (size_t)(STEPS - first) * bytes);
        free(found);
    }
    options.seed = 12;
    float *found = collect(dataset, options, 0, STEPS, NULL);
    for (size_t i = 0; i < STEPS; i++) {
        assert_memory_not_equal(found + i * bytes / 4, expected + i * bytes / 4, bytes);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(expected + i * bytes / 4, expected + j * bytes / 4, bytes);
    }
    free(found);
    free(expected);
}

static void test_same_bytes(void **state) {
    (void)state;
    stoic_dataset *bytes = open_numbered(false), *floats = open_numbered(true);
    stoic_dataset *files = open_files("same"), *resized = open_numbered_as(false, true);
    static const int64_t batches[] = {3, 7, 20, COUNT};
    for (int i = 0; i < 4; i++) {
        check_same_bytes(bytes, "crop:2,flip", batches[i]);
        check_same_bytes(floats, "crop:3,flip", batches[i]);
        check_same_bytes(resized, "crop:2,flip", batches[i]);
        check_same_bytes(files, "crop:2,flip", batches[i]);
        check_same_bytes(files, "resizedcrop,flip", batches[i]);
    }
    stoic_dataset_free(bytes);
    stoic_dataset_free(floats);
    stoic_dataset_free(files);
    stoic_dataset_free(resized);
}

/* One pixel of an image as CHANNELS x (SIDE + 2·pad)² padded bytes, cut and mirrored, by the
 * book. */
static float by_the_book(const float *image, float black, int channel, int y, int x, int pad,
                         const stoic_shift *shift) {
    float padded[24][24];
    assert_true(SIDE + 2 * pad <= 24);
    for (int i = 0; i < SIDE + 2 * pad; i++) {
        for (int j = 0; j < SIDE + 2 * pad; j++) {
            bool inside = i >= pad && i < pad + SIDE && j >= pad && j < pad + SIDE;
            padded[i][j] = inside ? image[(channel * SIDE + i - pad) * SIDE + j - pad] : black;
        }
    }
    int top = shift->down + pad, left = shift->right + pad;
    return padded[top + y][left + (shift->flip ? SIDE - 1 - x : x)];
}

/* What the feed gives is the drawn crop of the image that the label names. */
static void check_crops(bool floats, int pad) {
    enum { BATCH = 5, STEPS = 24 };
    char augment[32];
    snprintf(augment, sizeof augment, "crop:%d,flip", pad);
    stoic_dataset *dataset = open_numbered(floats);
    const stoic_preprocessing *p = stoic_dataset_preprocessing(dataset);
    stoic_feed_options options = options_of(augment, BATCH);
    int labels[STEPS * BATCH];
    float *images = collect(dataset, options, 0, STEPS, labels), one[ELEMENTS];
    for (int n = 0; n < STEPS * BATCH; n++) {
        stoic_region region;
        stoic_shift shift;
        stoic_augment_draw(&options.augment, options.seed, (uint64_t)n, SIDE, SIDE, &region,
                           &shift);
        assert_int_equal(stoic_dataset_read(dataset, labels[n], 1, one, NULL, NULL), STOIC_OK);
        for (int i = 0; i < ELEMENTS; i++) {
            int c = i / (SIDE * SIDE);
            float black = (0.0f - p->mean[c]) / p->std[c];
            float expected = by_the_book(one, black, c, i / SIDE % SIDE, i % SIDE, pad, &shift);
            assert_true(images[n * ELEMENTS + i] == expected);
        }
    }
    free(images);
    stoic_dataset_free(dataset);
}

static void test_crops(void **state) {
    (void)state;
    check_crops(false, 1);
    check_crops(false, 4);
    check_crops(true, 4);
    check_crops(true, 8);
}

/* Offsets seen in the pixels themselves: uniform, and mirrored half of the time. */
static void test_offsets_in_pixels(void **state) {
    (void)state;
    enum { WIDE = 15, PAD = 2, EACH = 200, CELLS = 50, BATCH = 25, DRAWS = CELLS * EACH };
    static uint8_t bytes[BATCH * WIDE * WIDE], labels[BATCH];
    int seen[CELLS] = {0};
    for (int i = 0; i < BATCH * WIDE * WIDE; i++)
        bytes[i] = (uint8_t)(1 + i % (WIDE * WIDE));
    save_npy("p.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (25, 15, 15)}\n", bytes,
             sizeof bytes);
    save_npy("q.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (25,)}\n", labels,
             sizeof labels);
    stoic_dataset *dataset = open_ok(spec_of("npy:%s/p.npy,%s/q.npy"), NULL);
    stoic_feed_options options = options_of("crop:2+flip", BATCH);
    float *images = collect(dataset, options, 0, DRAWS / BATCH, NULL);
    for (int n = 0; n < DRAWS; n++) {
        const float *middle = images + (size_t)n * WIDE * WIDE + 7 * WIDE + 7;
        int at = (int)lrintf(middle[0] * 255.0f) - 1;
        bool flip = middle[1] < middle[0];
        int down = at / WIDE - 7, right = at % WIDE - 7;
        assert_true(abs(down) <= PAD && abs(right) <= PAD);
        seen[((down + PAD) * 5 + right + PAD) * 2 + flip]++;
    }
    double sum = 0, mirrored = 0;
    for (int i = 0; i < CELLS; i++) {
        sum += (seen[i] - EACH) * (double)(seen[i] - EACH) / EACH;
        mirrored += i % 2 * (double)seen[i] / DRAWS;
    }
    /* 49 degrees of freedom: below 15 or above 95 once in 10^4 or less */
    if (sum < 15 || sum > 95)
        fail_msg("chi square %g", sum);
    assert_true(fabs(mirrored - 0.5) < 4 * 0.5 / sqrt(DRAWS));
    free(images);
    stoic_dataset_free(dataset);
}

/* `image` is the region drawn for number n of file i as stored, resized. */
static void check_region(const stoic_dataset *dataset, const stoic_feed_options *options, int i,
                         int n, const float *image) {
    stoic_region r;
    stoic_shift shift;
    stoic_pixels own, resized;
    stoic_view view;
    uint8_t cut[64 * 64];
    assert_int_equal(stoic_dataset_view(dataset, i, true, &own, &view, NULL), STOIC_OK);
    assert_true(own.height == 12 + i % 5 && own.width == 14 + i % 3);
    stoic_augment_draw(&options->augment, options->seed, (uint64_t)n, own.height, own.width, &r,
                       &shift);
    for (int k = 0; k < r.height * r.width; k++)
        cut[k] = own.data[(r.top + k / r.width) * own.width + r.left + k % r.width];
    assert_int_equal(stoic_planes_resize(cut, 1, r.height, r.width, SIDE, SIDE, &resized, NULL),
                     STOIC_OK);
    for (int k = 0; k < SIDE * SIDE; k++) {
        int x = shift.flip ? SIDE - 1 - k % SIDE : k % SIDE;
        assert_true(image[k] == (float)resized.data[k / SIDE * SIDE + x] / 255.0f);
    }
    stoic_pixels_free(&own);
    stoic_pixels_free(&resized);
}

/* The data set's own resize and crop do not come into it. */
static void test_regions(void **state) {
    (void)state;
    enum { BATCH = 4, STEPS = 25, PIXELS = SIDE * SIDE };
    stoic_dataset *dataset = open_files("regions");
    stoic_feed_options options = options_of("resizedcrop:0.2:1:0.5:2,flip", BATCH);
    float *images = collect(dataset, options, 0, STEPS, NULL);
    float *framed = collect(dataset, options_of("none", BATCH), 0, STEPS, NULL);
    int found = 0;
    for (int n = 0; n < STEPS * BATCH; n++) {
        for (int i = 0; i < COUNT; i++) {
            float one[PIXELS];
            assert_int_equal(stoic_dataset_read(dataset, i, 1, one, NULL, NULL), STOIC_OK);
            /* Which file it is, the picture without augmentation tells. */
            if (memcmp(one, framed + n * PIXELS, sizeof one) == 0) {
                check_region(dataset, &options, i, n, images + n * PIXELS);
                found++;
            }
        }
    }
    assert_int_equal(found, STEPS * BATCH);
    free(images);
    free(framed);
    stoic_dataset_free(dataset);
}

static void refused(const stoic_dataset *dataset, stoic_feed_options options, stoic_status expected,
                    const char *text, const char *more) {
    stoic_error err = {0};
    stoic_feed *feed = NULL;
    stoic_status status = stoic_feed_start(dataset, &options, &feed, &err);
    if (status != expected || !strstr(err.message, text) || !strstr(err.message, more))
        fail_msg("%s, '%s: %s'; expected %s with '%s'", stoic_status_name(status), err.place,
                 err.message, stoic_status_name(expected), text);
    assert_null(feed);
}

static void test_refusals(void **state) {
    (void)state;
    stoic_dataset *bytes = open_numbered(false), *floats = open_numbered(true);
    const stoic_feed_options good = options_of("none", COUNT);
    stoic_feed_free(start_ok(bytes, &good));
    stoic_feed_options o = good;
    o.batch = COUNT + 1;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "batch of 41 images", "the 40 of");
    o.batch = 0;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "batch of 0", "1 or more");
    o.batch = INT64_MAX;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "batch of 9223372036854775807", "40");
    o = good;
    o.first_step = -1;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "step -1", "");
    o.first_step = ((int64_t)1 << 48) + 1;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "step 281474976710657", "");
    o.first_step--;
    stoic_feed_free(start_ok(bytes, &o));
    o = good;
    o.workers = 3;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "3 workers", "0 to 2");
    o.workers = -1;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "-1 workers", "");
    o = good;
    o.cache_bytes = -2;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "-2 bytes", "");
    o = options_of("resizedcrop", COUNT);
    stoic_feed_free(start_ok(bytes, &o));
    refused(floats, o, STOIC_ERR_UNSUPPORTED, "floats cannot be resized", "crop and flip");
    o.augment.crop = true;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "exclude each other", "");
    o = options_of("crop", COUNT);
    o.augment.crop_pad = -3;
    refused(bytes, o, STOIC_ERR_ARGUMENT, "-3 pixels", "");
    stoic_dataset_free(bytes);
    stoic_dataset_free(floats);
}

/* Batches that come before the damaged file are handed out, whatever the workers. */
static void check_error(const stoic_dataset *good, const stoic_dataset *ill, const char *augment,
                        int64_t batch, stoic_status expected) {
    enum { MOST = COUNT };
    int labels[MOST * COUNT], place = 0;
    stoic_feed_options options = options_of(augment, batch);
    options.first_step = 2;
    free(collect(good, options, 2, MOST, labels));
    while (labels[place] != 1) /* the only file in folder "b" */
        place++;
    for (int workers = 1; workers <= 2; workers++) {
        options.workers = workers;
        stoic_feed *feed = start_ok(ill, &options);
        const float *images;
        const int *found;
        stoic_error err = {0};
        for (int64_t step = 0; step < place / batch; step++) {
            next_ok(feed, &images, &found);
            assert_memory_equal(found, labels + step * batch, (size_t)batch * sizeof *found);
        }
        for (int again = 0; again < 3; again++) {
            assert_int_equal(stoic_feed_next(feed, &images, &found, &err), expected);
            assert_non_null(strstr(err.place, "b/39.png"));
            assert_true(!images && !found && err.message[0]);
        }
        stoic_feed_free(feed);
    }
}

static void test_worker_errors(void **state) {
    (void)state;
    stoic_dataset *good = open_files("good"), *ill = open_files("ill");
    static const int64_t batches[] = {1, 3, 13, COUNT};
    save("ill/b/39.png", "\x89PNG\r\n", 6);
    for (int i = 0; i < 4; i++) {
        check_error(good, ill, "none", batches[i], STOIC_ERR_FORMAT);
        check_error(good, ill, "resizedcrop", batches[i], STOIC_ERR_FORMAT);
    }
    uint8_t pixels[3 * 100] = {0};
    png_image color = {
        .version = PNG_IMAGE_VERSION, .width = 10, .height = 10, .format = PNG_FORMAT_RGB};
    assert_int_equal(png_image_write_to_file(&color, in_home("ill/b/39.png"), 0, pixels, 0, NULL),
                     1);
    check_error(good, ill, "crop,flip", 7, STOIC_ERR_SHAPE);
    check_error(good, ill, "resizedcrop,flip", 7, STOIC_ERR_SHAPE);
    stoic_dataset_free(good);
    stoic_dataset_free(ill);
}

/* Files are decoded once, if there is room for all: later epochs do without them. */
static void test_kept_images(void **state) {
    (void)state;
    static const int64_t room[] = {0, -1, COUNT * SIDE * SIDE / 2, COUNT * (SIDE * SIDE + 64)};
    static const bool suffices[] = {true, false, false, true};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "kept%d", i);
        stoic_dataset *dataset = open_files(name);
        stoic_feed_options options = options_of("flip", COUNT);
        options.cache_bytes = room[i];
        options.workers = 1; /* a second one might still be at a file that is gone now */
        stoic_feed *feed = start_ok(dataset, &options);
        const float *images;
        const int *labels;
        stoic_status status = STOIC_OK;
        next_ok(feed, &images, &labels);
        for (int k = 0; k < COUNT; k++) {
            snprintf(name, sizeof name, "kept%d/%c/%02d.png", i, k == COUNT - 1 ? 'b' : 'a', k);
            assert_int_equal(unlink(in_home(name)), 0);
        }
        for (int step = 0; step < 10 && status == STOIC_OK; step++)
            status = stoic_feed_next(feed, &images, &labels, NULL);
        assert_int_equal(status, suffices[i] ? STOIC_OK : STOIC_ERR_IO);
        stoic_feed_free(feed);
        stoic_dataset_free(dataset);
    }
}

static void test_given_up(void **state) {
    (void)state;
    stoic_dataset *dataset = open_files("given-up");
    for (int n = 0; n < 40; n++) {
        stoic_feed_options options = options_of("crop,flip", 1 + n % 9);
        options.workers = n % 3;
        stoic_feed *feed = start_ok(dataset, &options);
        const float *images;
        const int *labels;
        for (int i = 0; i < n * 7 % 90; i++)
            next_ok(feed, &images, &labels);
        stoic_feed_free(feed);
    }
    stoic_feed_free(NULL);
    stoic_dataset_free(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_crops),
        cmocka_unit_test(test_offsets_in_pixels),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_worker_errors),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_kept_images),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
