/* Image folders, preprocessing, known sets, checks against a model, decoding ahead. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include "data_kit.h"

/* Interleaved pixels of a smooth picture. */
static void paint(uint8_t *out, int channels, int height, int width) {
    for (int i = 0; i < channels * height * width; i++)
        out[i] =
            (uint8_t)(40 + i / channels % width * 3 + i / channels / width * 2 + i % channels * 30);
}

static void save_jpeg(const char *name, int channels, int height, int width) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    uint8_t pixels[3 * 64 * 64];
    unsigned char *data = NULL;
    unsigned long size = 0;
    paint(pixels, channels, height, width);
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &data, &size);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = channels;
    info.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    jpeg_start_compress(&info, TRUE);
    for (int y = 0; y < height; y++) {
        JSAMPROW row = pixels + y * width * channels;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    save(name, data, size);
    free(data);
}

static void save_png(const char *name, bool gray, int height, int width) {
    uint8_t pixels[3 * 64 * 64];
    paint(pixels, gray ? 1 : 3, height, width);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = gray ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    assert_int_equal(png_image_write_to_file(&image, in_home(name), 0, pixels, 0, NULL), 1);
}

static void save_cifar(const char *name, int label) {
    uint8_t bytes[3073] = {(uint8_t)label};
    save(name, bytes, sizeof bytes);
}

static void test_folders(void **state) {
    (void)state;
    make_folder("pets");
    make_folder("pets/dog");
    make_folder("pets/cat");
    save_png("pets/dog/2.png", false, 8, 10);
    save_jpeg("pets/dog/1.JPG", 3, 8, 10);
    save_jpeg("pets/cat/a.jpeg", 3, 8, 10);
    save("pets/cat/notes.txt", "x", 1);
    save("pets/cat/.hidden.png", "x", 1);
    stoic_dataset *dataset = open_ok(spec_of("dir:%s/pets"), NULL);
    assert_int_equal(stoic_dataset_count(dataset), 3);
    assert_int_equal(stoic_dataset_classes(dataset), 2);
    assert_string_equal(stoic_dataset_class_name(dataset, 0), "cat");
    assert_string_equal(stoic_dataset_class_name(dataset, 1), "dog");
    assert_null(stoic_dataset_class_name(dataset, 2));
    float images[3][3 * 8 * 10];
    int labels[3];
    assert_int_equal(stoic_dataset_read(dataset, 0, 3, images[0], labels, NULL), STOIC_OK);
    assert_true(labels[0] == 0 && labels[1] == 1 && labels[2] == 1);
    uint8_t pixels[3 * 8 * 10];
    paint(pixels, 3, 8, 10);
    for (int i = 0; i < 240; i++) { /* planes from interleaved; JPEG loses a little */
        float exact = (float)pixels[i % 80 * 3 + i / 80] / 255.0f;
        assert_true(images[2][i] == exact);
        assert_true(fabsf(images[1][i] - exact) < 12.0f / 255.0f);
    }
    stoic_dataset_free(dataset);
    stoic_dataset_free(open_ok(spec_of("%s/pets"), NULL));
    stoic_dataset_options options = stoic_dataset_options_default();
    options.labels = save("names", "bird\ndog\r\ncat\n\n", 15);
    dataset = open_ok(spec_of("dir:%s/pets"), &options);
    assert_int_equal(stoic_dataset_classes(dataset), 3);
    assert_int_equal(stoic_dataset_label(dataset, 0), 2);
    assert_string_equal(stoic_dataset_class_name(dataset, 0), "bird");
    stoic_dataset_free(dataset);
    options.labels = save("names2", "bird\ndog\n", 9);
    open_fails(spec_of("dir:%s/pets"), &options, STOIC_ERR_MISMATCH, "'cat' is not a class");
    options.labels = save("names3", "bird\n\ndog\n", 10);
    open_fails(spec_of("dir:%s/pets"), &options, STOIC_ERR_FORMAT, "line 2");
    save_cifar("one.bin", 3);
    open_fails(spec_of("cifar:%s/one.bin"), &options, STOIC_ERR_ARGUMENT, "labels of its own");
    make_folder("pets/emu");
    open_fails(spec_of("dir:%s/pets"), NULL, STOIC_ERR_FORMAT, "no JPEG or PNG");
    rmdir(in_home("pets/emu"));
    open_fails(spec_of("dir:%s/pets/cat"), NULL, STOIC_ERR_FORMAT, "0 class folders");
    open_fails(spec_of("%s/pets/cat"), NULL, STOIC_ERR_FORMAT, "no data set recognised");
    open_fails(spec_of("dir:%s/nowhere"), NULL, STOIC_ERR_IO, "nowhere");
}

static void test_unequal_images(void **state) {
    (void)state;
    make_folder("mixed");
    make_folder("mixed/a");
    save_jpeg("mixed/a/1.jpg", 3, 20, 30);
    save_jpeg("mixed/a/2.jpg", 3, 33, 21);
    float images[2 * 3 * 64];
    stoic_error err;
    stoic_dataset *dataset = open_ok(spec_of("dir:%s/mixed"), NULL);
    float *large = malloc(2 * 3 * 600 * sizeof *large);
    assert_non_null(large);
    assert_int_equal(stoic_dataset_read(dataset, 0, 2, large, NULL, &err), STOIC_ERR_SHAPE);
    assert_non_null(strstr(err.place, "2.jpg"));
    free(large);
    stoic_dataset_free(dataset);
    stoic_dataset_options options = stoic_dataset_options_default();
    options.resize = 10;
    options.crop = 8;
    dataset = open_ok(spec_of("dir:%s/mixed"), &options);
    assert_int_equal(stoic_dataset_read(dataset, 0, 2, images, NULL, NULL), STOIC_OK);
    const stoic_preprocessing *used = stoic_dataset_preprocessing(dataset);
    assert_true(used->resize == 10 && used->crop == 8 && used->channels == 0);
    assert_string_equal(used->source[0], "option");
    assert_string_equal(used->source[1], "none");
    stoic_dataset_free(dataset);
    options.crop = 11;
    open_fails(spec_of("dir:%s/mixed"), &options, STOIC_ERR_SHAPE, "cannot crop");
    options.crop = -2;
    open_fails(spec_of("dir:%s/mixed"), &options, STOIC_ERR_ARGUMENT, "--crop");
    save_png("mixed/a/2.jpg", true, 20, 30); /* PNG under another name, and gray */
    dataset = open_ok(spec_of("dir:%s/mixed"), NULL);
    large = malloc(2 * 3 * 600 * sizeof *large);
    assert_non_null(large);
    assert_int_equal(stoic_dataset_read(dataset, 0, 2, large, NULL, &err), STOIC_ERR_SHAPE);
    free(large);
    stoic_dataset_free(dataset);
}

/* Sizes that the decoders could take, were they not more than the file can hold. */
static void test_image_bombs(void **state) {
    (void)state;
    enum { HEIGHT = 30000, WIDTH = 1792 };
    uint8_t bytes[16384];
    make_folder("bombs");
    make_folder("bombs/a");
    save_png("bombs/a/x", false, 9, 9);
    size_t size = slurp("bombs/a/x", bytes, sizeof bytes);
    put32(bytes + 16, WIDTH);
    put32(bytes + 20, HEIGHT);
    put32(bytes + 29, (uint32_t)crc32(0, bytes + 12, 17)); /* of the header chunk */
    save("bombs/a/x.png", bytes, size);
    open_fails(spec_of("dir:%s/bombs"), NULL, STOIC_ERR_FORMAT, "a PNG of 1792 x 30000 pixels");
    put32(bytes + 33, 0x73737373); /* the length of the next chunk */
    save("bombs/a/x.png", bytes, size);
    open_fails(spec_of("dir:%s/bombs"), NULL, STOIC_ERR_FORMAT, "longer than the file");
    save_jpeg("bombs/a/x", 3, 9, 9);
    size = slurp("bombs/a/x", bytes, sizeof bytes);
    for (size_t i = 0; i + 8 < size; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0)
            memcpy(bytes + i + 5, "\x75\x30\x07\x00", 4);
    save("bombs/a/x.png", bytes, size);
    open_fails(spec_of("dir:%s/bombs"), NULL, STOIC_ERR_FORMAT, "a JPEG of 1792 x 30000 pixels");
}

static void test_damaged_images(void **state) {
    (void)state;
    uint8_t bytes[16384];
    make_folder("torn");
    make_folder("torn/a");
    for (int png = 0; png < 2; png++) {
        if (png)
            save_png("whole", false, 9, 9);
        else
            save_jpeg("whole", 3, 9, 9);
        size_t size = slurp("whole", bytes, sizeof bytes);
        assert_true(size > 60 && size < sizeof bytes);
        for (size_t n = 0; n < size - 2; n++) { /* the last 2: JPEG's end marker */
            save("torn/a/x.png", bytes, n);
            open_fails(spec_of("dir:%s/torn"), NULL, STOIC_ERR_FORMAT, "x.png");
        }
        if (png)
            put32(bytes + 16, 0x7fffffff); /* the width; its CRC fails too */
        else
            for (size_t i = 0; i + 8 < size; i++) /* SOF0: length, precision, height, width */
                if (bytes[i] == 0xff && bytes[i + 1] == 0xc0)
                    memcpy(bytes + i + 5, "\x9c\x40\x9c\x40", 4);
        save("torn/a/x.png", bytes, size);
        open_fails(spec_of("dir:%s/torn"), NULL, STOIC_ERR_FORMAT,
                   png ? "corrupt PNG" : "40000 x 40000");
    }
    save_jpeg("torn/a/x.png", 4, 9, 9);
    open_fails(spec_of("dir:%s/torn"), NULL, STOIC_ERR_FORMAT, "CMYK");
}

/* torchvision rounds half of what is left over to even: 3 to 2, 1 to 0. */
static void test_crop(void **state) {
    (void)state;
    uint8_t bytes[IDX_SIZE];
    save("crop.i", bytes, idx_images(bytes));
    save("crop.l", bytes, idx_labels(bytes, some_labels, N));
    stoic_dataset_options options = stoic_dataset_options_default();
    float image[4];
    options.crop = 2; /* of 3 x 4: from row 0, column 1 */
    stoic_dataset *dataset = open_ok(spec_of("idx:%s/crop.i,%s/crop.l"), &options);
    assert_int_equal(stoic_dataset_read(dataset, 1, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[0] == (float)pixel(1, 0, 1) / 255.0f);
    assert_true(image[3] == (float)pixel(1, 1, 2) / 255.0f);
    stoic_dataset_free(dataset);
    options.crop = 1; /* from row 1, column round(1.5) = 2 */
    dataset = open_ok(spec_of("idx:%s/crop.i,%s/crop.l"), &options);
    assert_int_equal(stoic_dataset_read(dataset, 1, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[0] == (float)pixel(1, 1, 2) / 255.0f);
    stoic_dataset_free(dataset);
}

static void test_preprocessing_options(void **state) {
    (void)state;
    save_idx_pair();
    const char *spec = spec_of("idx:%s/i,%s/l");
    static const struct {
        const char *mean, *std, *text;
    } bad[] = {{"0.1,0.2", NULL, "2 numbers for images of 1 channel"},
               {"1,2,3,4,5", NULL, "at most 4"},
               {"x", NULL, "--mean"},
               {"", NULL, "--mean"},
               {"nan", NULL, "--mean"},
               {"1e300", NULL, "--mean"},
               {NULL, "0", "above 0"},
               {NULL, "-1", "above 0"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_dataset_options options = stoic_dataset_options_default();
        options.mean = bad[i].mean;
        options.std = bad[i].std;
        open_fails(spec, &options, STOIC_ERR_ARGUMENT, bad[i].text);
    }
    static const int64_t selections[][2] = {{-1, -1}, {N, -1}, {0, 0}, {0, N + 1}, {3, 3}, {0, -2}};
    for (size_t i = 0; i < sizeof selections / sizeof *selections; i++) {
        stoic_dataset_options options = stoic_dataset_options_default();
        options.first = selections[i][0];
        options.count = selections[i][1];
        open_fails(spec, &options, STOIC_ERR_ARGUMENT, "--images");
    }
    stoic_dataset_options options = stoic_dataset_options_default();
    options.first = 1;
    options.count = 2;
    stoic_dataset *dataset = open_ok(spec, &options);
    float images[2 * H * W];
    int labels[2];
    assert_int_equal(stoic_dataset_count(dataset), 2);
    assert_int_equal(stoic_dataset_read(dataset, 1, 1, images, labels, NULL), STOIC_OK);
    assert_int_equal(labels[0], some_labels[2]);
    assert_true(images[0] == (float)pixel(2, 0, 0) / 255.0f);
    assert_int_equal(stoic_dataset_label(dataset, 2), -1);
    stoic_dataset_free(dataset);
}

static void test_paths(void **state) {
    (void)state;
    uint8_t bytes[IDX_SIZE];
    size_t size = idx_images(bytes);
    make_folder("a,b");
    save("a,b/train-images-idx3-ubyte", bytes, size);
    save("a,b/i", bytes, size);
    size = idx_labels(bytes, some_labels, N);
    save("a,b/train-labels-idx1-ubyte", bytes, size);
    save("a,b/l", bytes, size);
    stoic_dataset_free(open_ok(spec_of("idx:%s/a\\,b/i,%s/a\\,b/l"), NULL));
    open_fails(spec_of("idx:%s/a,b/i,%s/a,b/l"), NULL, STOIC_ERR_ARGUMENT, "expected two");
    stoic_dataset_free(open_ok(spec_of("%s/a\\,b:train"), NULL));
    open_fails(spec_of("%s/a\\,b"), NULL, STOIC_ERR_FORMAT, "no data set recognised");
    open_fails(spec_of("%s/a,b"), NULL, STOIC_ERR_ARGUMENT, "several paths");
    open_fails(spec_of("%s/a\\,b/i"), NULL, STOIC_ERR_ARGUMENT, "idx:IMAGES,LABELS");
    open_fails("fashion-mnits", NULL, STOIC_ERR_IO, "did you mean fashion-mnist?");
    open_fails("", NULL, STOIC_ERR_ARGUMENT, "empty");
    assert_int_equal(unlink(in_home("a,b/train-labels-idx1-ubyte")), 0);
    open_fails(spec_of("%s/a\\,b:train"), NULL, STOIC_ERR_IO, "not its labels");
    make_folder("np");
    uint8_t npy[128] = "\x93NUMPY\x01\x00\x3d\x00{'descr': '|u1', 'fortran_order': False, "
                       "'shape': (1,1,1,1)} \n";
    size_t length = 10 + strlen((char *)npy + 10);
    npy[8] = (uint8_t)(length - 10);
    npy[length] = 51;
    save("np/images.npy", npy, length + 1);
    open_fails(spec_of("%s/np"), NULL, STOIC_ERR_IO, "not its labels labels.npy");
    char *shape = strstr((char *)npy + 10, "(1,1,1,1)");
    memcpy(shape, "(1,)     ", 9);
    save("np/labels.npy", npy, length + 1);
    stoic_dataset *dataset = open_ok(spec_of("%s/np"), NULL);
    float value;
    assert_int_equal(stoic_dataset_read(dataset, 0, 1, &value, NULL, NULL), STOIC_OK);
    assert_true(value == 51.0f / 255.0f && stoic_dataset_label(dataset, 0) == 51);
    stoic_dataset_free(dataset);
}

static void test_known_sets(void **state) {
    (void)state;
    uint8_t bytes[3074] = {7, 1};
    make_folder("sets");
    unsetenv("STOIC_DATA");
    open_fails("cifar100:train", NULL, STOIC_ERR_IO, "STOIC_DATA is not set");
    setenv("STOIC_DATA", in_home("sets"), 1);
    open_fails("cifar10", NULL, STOIC_ERR_IO, "sets/cifar10 and ");
    open_fails("cifar10", NULL, STOIC_ERR_IO, "test_batch.bin");
    open_fails("mnist:train", NULL, STOIC_ERR_IO, "train-images-idx3-ubyte");
    make_folder("sets/cifar10");
    make_folder("sets/cifar10/cifar-10-batches-bin");
    save("sets/cifar10/cifar-10-batches-bin/test_batch.bin", bytes, 3073);
    stoic_dataset *dataset = open_ok("cifar10", NULL);
    const stoic_preprocessing *used = stoic_dataset_preprocessing(dataset);
    float image[3072];
    assert_int_equal(stoic_dataset_read(dataset, 0, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[0] == (1.0f / 255.0f - 0.4914f) / 0.2470f);
    assert_true(image[3071] == (0.0f - 0.4465f) / 0.2616f);
    assert_true(used->channels == 3 && used->mean[1] == 0.4822f && used->std[2] == 0.2616f);
    assert_string_equal(used->source[2], "known set");
    assert_string_equal(stoic_dataset_class_name(dataset, 7), "horse");
    stoic_dataset_free(dataset);
    open_fails("cifar10:train", NULL, STOIC_ERR_IO, "data_batch_1.bin");
    make_folder("sets/cifar100");
    save("sets/cifar100/train.bin", bytes, 3074);
    dataset = open_ok("cifar100:train", NULL);
    assert_int_equal(stoic_dataset_classes(dataset), 100);
    stoic_dataset_free(dataset);
    make_folder("sets/mnist");
    make_folder("sets/mnist/test");
    for (int i = 0; i < 10; i++) {
        char name[64];
        snprintf(name, sizeof name, "sets/mnist/test/%d", i);
        make_folder(name);
        snprintf(name, sizeof name, "sets/mnist/test/%d/x.png", i);
        save_png(name, true, 28, 28);
    }
    dataset = open_ok("mnist:test", NULL);
    assert_int_equal(stoic_dataset_count(dataset), 10);
    assert_true(stoic_dataset_preprocessing(dataset)->mean[0] == 0.1307f);
    stoic_dataset_free(dataset);
    unsetenv("STOIC_DATA");
}

static void test_fashion_mnist(void **state) {
    (void)state;
    static const int first[] = {9, 2, 1, 1, 6};
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0)
        skip();
    stoic_dataset *dataset = open_ok("fashion-mnist", NULL);
    assert_int_equal(stoic_dataset_count(dataset), 10000);
    assert_int_equal(stoic_dataset_classes(dataset), 10);
    for (int i = 0; i < 5; i++)
        assert_int_equal(stoic_dataset_label(dataset, i), first[i]);
    assert_string_equal(stoic_dataset_class_name(dataset, 9), "ankle boot");
    float image[28 * 28];
    assert_int_equal(stoic_dataset_read(dataset, 9999, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[0] == (0.0f - 0.2860f) / 0.3530f);
    stoic_dataset_free(dataset);
    dataset = open_ok("fashion-mnist:train", NULL);
    assert_int_equal(stoic_dataset_count(dataset), 60000);
    stoic_dataset_free(dataset);
}

/* `model` with one more entry of metadata; drops the reference to the old one. */
static stoic_model *with_meta(stoic_model *model, const char *key, const char *value) {
    stoic_model *changed = NULL;
    assert_int_equal(stoic_model_with_meta(model, key, value, &changed, NULL), STOIC_OK);
    stoic_model_free(model);
    return changed;
}

static void test_model_checks(void **state) {
    (void)state;
    stoic_model *lenet = NULL, *resnet = NULL;
    assert_int_equal(stoic_zoo_build("lenet5", 1, &lenet, NULL), STOIC_OK);
    assert_int_equal(stoic_zoo_build("resnet20", 1, &resnet, NULL), STOIC_OK);
    stoic_dataset_options options = stoic_dataset_options_default();
    save_cifar("one.bin", 3);
    save_idx_pair();
    options.model = lenet;
    open_fails(spec_of("cifar:%s/one.bin"), &options, STOIC_ERR_SHAPE, "1x3x32x32, the network");
    open_fails(spec_of("cifar:%s/one.bin"), &options, STOIC_ERR_SHAPE, "network for gray");
    open_fails(spec_of("idx:%s/i,%s/l"), &options, STOIC_ERR_SHAPE, "--resize and --crop");
    options.model = resnet;
    open_fails(spec_of("idx:%s/i,%s/l"), &options, STOIC_ERR_SHAPE, "network for color");
    stoic_dataset_free(open_ok(spec_of("cifar:%s/one.bin"), &options));
    make_folder("three");
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "three/%d", i);
        make_folder(name);
        snprintf(name, sizeof name, "three/%d/x.png", i);
        save_png(name, false, 32, 32);
    }
    open_fails(spec_of("dir:%s/three"), &options, STOIC_ERR_MISMATCH, "3 classes, unlike the 10");
    uint8_t bytes[3074] = {0, 10};
    save("far.bin", bytes, sizeof bytes);
    open_fails(spec_of("cifar:%s/far.bin"), &options, STOIC_ERR_MISMATCH, "label 10 of image 0");
    resnet = with_meta(with_meta(resnet, "stoic.mean", "0.5"), "stoic.std", "0.1,0.2,0.4");
    options.model = resnet = with_meta(resnet, "stoic.crop", "32");
    options.mean = "0.25,0,0";
    stoic_dataset *dataset = open_ok(spec_of("cifar:%s/one.bin"), &options);
    const stoic_preprocessing *used = stoic_dataset_preprocessing(dataset);
    assert_true(used->mean[0] == 0.25f && used->std[2] == 0.4f && used->crop == 32);
    assert_string_equal(used->source[0], "model");
    assert_string_equal(used->source[1], "option");
    assert_string_equal(used->source[2], "model");
    stoic_dataset_free(dataset);
    options.model = resnet = with_meta(resnet, "stoic.resize", "many");
    open_fails(spec_of("cifar:%s/one.bin"), &options, STOIC_ERR_ARGUMENT, "stoic.resize");
    options.resize = 0;
    stoic_dataset_free(open_ok(spec_of("cifar:%s/one.bin"), &options));
    stoic_model_free(lenet);
    stoic_model_free(resnet);
}

enum { CROWD = 53, SIDE = 12, ELEMENTS = 3 * SIDE * SIDE };

/* A folder of many images, the last of them damaged if asked for. */
static const char *make_crowd(const char *folder, bool damaged) {
    char name[64];
    make_folder(folder);
    snprintf(name, sizeof name, "%s/a", folder);
    make_folder(name);
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "%s/a/%03d.jpg", folder, i);
        if (damaged && i == CROWD - 3)
            save(name, "\xff\xd8\xff", 3);
        else
            save_jpeg(name, 3, SIDE + i % 5, SIDE + 1 + i % 3);
    }
    snprintf(name, sizeof name, "dir:%%s/%s", folder);
    return spec_of(name);
}

static void check_prefetch(const stoic_dataset *dataset, const float *expected, int64_t batch) {
    stoic_prefetch *prefetch;
    const float *images;
    const int *labels;
    int64_t count, done = 0;
    assert_int_equal(stoic_prefetch_start(dataset, batch, &prefetch, NULL), STOIC_OK);
    for (;;) {
        assert_int_equal(stoic_prefetch_next(prefetch, &images, &labels, &count, NULL), STOIC_OK);
        if (!count)
            break;
        assert_true(count == batch || done + count == CROWD);
        assert_memory_equal(images, expected + done * ELEMENTS,
                            (size_t)count * ELEMENTS * sizeof *images);
        assert_int_equal(labels[0], 0);
        done += count;
    }
    assert_int_equal(done, CROWD);
    stoic_prefetch_free(prefetch);
}

typedef struct reader {
    const stoic_dataset *dataset;
    float *images;
    stoic_status status;
} reader;

static void *read_backwards(void *user) {
    reader *r = user;
    for (int64_t i = CROWD - 1; i >= 0 && r->status == STOIC_OK; i--)
        r->status = stoic_dataset_read(r->dataset, i, 1, r->images + i * ELEMENTS, NULL, NULL);
    return NULL;
}

static void test_prefetch(void **state) {
    (void)state;
    const size_t bytes = CROWD * ELEMENTS * sizeof(float);
    stoic_dataset_options options = stoic_dataset_options_default();
    options.resize = SIDE;
    options.crop = SIDE;
    stoic_dataset *dataset = open_ok(make_crowd("crowd", false), &options);
    float *expected = malloc(bytes), *other[2] = {malloc(bytes), malloc(bytes)};
    assert_true(expected && other[0] && other[1]);
    assert_int_equal(stoic_dataset_read(dataset, 0, CROWD, expected, NULL, NULL), STOIC_OK);
    static const int64_t batches[] = {1, 7, 26, 52, CROWD, 1000};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        check_prefetch(dataset, expected, batches[i]);
    pthread_t threads[2];
    reader readers[2];
    for (int i = 0; i < 2; i++) {
        readers[i] = (reader){dataset, other[i], STOIC_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, read_backwards, &readers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].status, STOIC_OK);
        assert_memory_equal(other[i], expected, bytes);
    }
    assert_memory_not_equal(expected, expected + ELEMENTS, ELEMENTS * sizeof *expected);
    for (int n = 0; n < 20; n++) { /* given up at any moment */
        stoic_prefetch *prefetch;
        const float *images;
        const int *labels;
        int64_t count;
        assert_int_equal(stoic_prefetch_start(dataset, 4, &prefetch, NULL), STOIC_OK);
        for (int i = 0; i < n % 7; i++)
            assert_int_equal(stoic_prefetch_next(prefetch, &images, &labels, &count, NULL),
                             STOIC_OK);
        stoic_prefetch_free(prefetch);
    }
    stoic_prefetch *none;
    stoic_error err;
    assert_int_equal(stoic_prefetch_start(dataset, 0, &none, &err), STOIC_ERR_ARGUMENT);
    stoic_dataset_free(dataset);
    free(expected);
    free(other[0]);
    free(other[1]);
}

static void test_prefetch_error(void **state) {
    (void)state;
    stoic_dataset_options options = stoic_dataset_options_default();
    options.resize = SIDE;
    options.crop = SIDE;
    stoic_dataset *dataset = open_ok(make_crowd("ill", true), &options);
    stoic_prefetch *prefetch;
    stoic_error err;
    const float *images;
    const int *labels;
    int64_t count, done = 0;
    assert_int_equal(stoic_prefetch_start(dataset, 10, &prefetch, NULL), STOIC_OK);
    while (stoic_prefetch_next(prefetch, &images, &labels, &count, &err) == STOIC_OK && count)
        done += count;
    assert_int_equal(done, 50); /* image 50 is in the sixth batch */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stoic_prefetch_next(prefetch, &images, &labels, &count, &err),
                         STOIC_ERR_FORMAT);
        assert_non_null(strstr(err.place, "050.jpg"));
        assert_int_equal(count, 0);
    }
    stoic_prefetch_free(prefetch);
    uint8_t digest[16];
    assert_int_equal(stoic_dataset_digest(dataset, digest, digest, &err), STOIC_ERR_FORMAT);
    stoic_dataset_free(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),        cmocka_unit_test(test_unequal_images),
        cmocka_unit_test(test_damaged_images), cmocka_unit_test(test_image_bombs),
        cmocka_unit_test(test_crop),           cmocka_unit_test(test_preprocessing_options),
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_known_sets),
        cmocka_unit_test(test_fashion_mnist),  cmocka_unit_test(test_model_checks),
        cmocka_unit_test(test_prefetch),       cmocka_unit_test(test_prefetch_error),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
