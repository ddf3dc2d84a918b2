/* Arrays and CIFAR: values, and every kind of damage. Resizing against Pillow. */
#include <math.h>

#include "data/pixels.h"
#include "data_kit.h"

static void digest_of(const char *spec, const stoic_dataset_options *options, uint8_t out[32]) {
    stoic_dataset *dataset = open_ok(spec, options);
    assert_int_equal(stoic_dataset_digest(dataset, out, out + 16, NULL), STOIC_OK);
    stoic_dataset_free(dataset);
}

static void test_idx(void **state) {
    (void)state;
    save_idx_pair();
    stoic_dataset_options options = stoic_dataset_options_default();
    options.mean = "0.25";
    options.std = "0.5";
    stoic_dataset *dataset = open_ok(spec_of("idx:%s/i,%s/l"), &options);
    assert_int_equal(stoic_dataset_count(dataset), N);
    assert_int_equal(stoic_dataset_classes(dataset), 10);
    const stoic_shape *shape = stoic_dataset_shape(dataset);
    assert_int_equal(shape->rank, 4);
    assert_int_equal(shape->dim[1] * 100 + shape->dim[2] * 10 + shape->dim[3], 134);
    float images[N * H * W];
    int labels[N];
    assert_int_equal(stoic_dataset_read(dataset, 0, N, images, labels, NULL), STOIC_OK);
    for (int i = 0; i < N * H * W; i++) {
        float x = (float)pixel(i / (H * W), i / W % H, i % W) / 255.0f;
        assert_true(images[i] == (x - 0.25f) / 0.5f);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(labels[i], some_labels[i]);
        assert_int_equal(stoic_dataset_label(dataset, i), some_labels[i]);
    }
    stoic_error err;
    assert_int_equal(stoic_dataset_read(dataset, 3, 3, images, NULL, &err), STOIC_ERR_ARGUMENT);
    assert_null(stoic_dataset_class_name(dataset, 0));
    stoic_dataset_free(dataset);
    uint8_t plain[32], other[32];
    digest_of(spec_of("idx:%s/i,%s/l"), NULL, plain);
    digest_of(spec_of("idx:%s/i.gz,%s/l.gz"), NULL, other);
    assert_memory_equal(plain, other, 32);
    digest_of(spec_of("idx:%s/i,%s/l"), &options, other); /* normalised: other images */
    assert_true(memcmp(plain, other, 16) != 0 && !memcmp(plain + 16, other + 16, 16));
    options.count = N - 1;
    digest_of(spec_of("idx:%s/i,%s/l"), &options, other);
    assert_true(memcmp(plain + 16, other + 16, 16) != 0);
}

static void test_idx_damaged(void **state) {
    (void)state;
    uint8_t bytes[IDX_SIZE + 1], packed[512];
    save_idx_pair();
    size_t size = idx_images(bytes);
    for (size_t n = 0; n < size; n++) {
        save("cut", bytes, n);
        open_fails(spec_of("idx:%s/cut,%s/l"), NULL, STOIC_ERR_FORMAT, "truncated");
    }
    size_t packed_size = pack(bytes, size, packed, sizeof packed);
    for (size_t n = 0; n < packed_size; n++) {
        save("cut", packed, n);
        open_fails(spec_of("idx:%s/cut,%s/l"), NULL, STOIC_ERR_FORMAT, "cut");
    }
    packed[packed_size - 6] ^= 1; /* the CRC */
    save("cut", packed, packed_size);
    open_fails(spec_of("idx:%s/cut,%s/l"), NULL, STOIC_ERR_FORMAT, "corrupt gzip");
    bytes[size] = 0;
    save("more", bytes, size + 1);
    open_fails(spec_of("idx:%s/more,%s/l"), NULL, STOIC_ERR_FORMAT, "left over");
    save("more", packed, pack(bytes, size + 1, packed, sizeof packed));
    open_fails(spec_of("idx:%s/more,%s/l"), NULL, STOIC_ERR_FORMAT, "more than");
    put32(bytes + 4, 0xffffffff); /* claims more than fits, plain and gzipped */
    save("huge", bytes, size);
    open_fails(spec_of("idx:%s/huge,%s/l"), NULL, STOIC_ERR_FORMAT, "promises");
    put32(bytes + 4, 1 << 20);
    save("huge", packed, pack(bytes, size, packed, sizeof packed));
    open_fails(spec_of("idx:%s/huge,%s/l"), NULL, STOIC_ERR_FORMAT, "can hold");
    put32(bytes + 4, 0);
    save("none", bytes, 16);
    open_fails(spec_of("idx:%s/none,%s/l"), NULL, STOIC_ERR_FORMAT, "dimension 0 is 0");
    bytes[2] = 0x0d;
    save("kind", bytes, size);
    open_fails(spec_of("idx:%s/kind,%s/l"), NULL, STOIC_ERR_FORMAT, "0x0d");
    save("few", bytes, idx_labels(bytes, some_labels, N - 1));
    open_fails(spec_of("idx:%s/i,%s/few"), NULL, STOIC_ERR_MISMATCH, "4 labels for the 5 images");
    open_fails(spec_of("idx:%s/l,%s/l"), NULL, STOIC_ERR_SHAPE, "1 dimensions");
    open_fails(spec_of("idx:%s/i,%s/gone"), NULL, STOIC_ERR_IO, "gone");
    open_fails(spec_of("idx:%s/i"), NULL, STOIC_ERR_ARGUMENT, "expected two");
    open_fails(spec_of("idx:%s/i,"), NULL, STOIC_ERR_ARGUMENT, "empty path");
}

static void test_npy(void **state) {
    (void)state;
    const float values[8] = {0, 1, NAN, INFINITY, -1.5f, 2, 3, 4};
    const int64_t labels[2] = {7, 0};
    const int32_t negative[2] = {0, -1};
    save_npy("f.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }  \n",
             values, sizeof values);
    save_npy("l.npy", "{'shape':(2,),'fortran_order':False,\"descr\":'<i8'}\n", labels,
             sizeof labels);
    save_npy("n.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}\n", negative,
             sizeof negative);
    stoic_dataset *dataset = open_ok(spec_of("npy:%s/f.npy,%s/l.npy"), NULL);
    float images[8];
    assert_int_equal(stoic_dataset_read(dataset, 0, 2, images, NULL, NULL), STOIC_OK);
    assert_memory_equal(images, values, sizeof values); /* floats as they are, NaN included */
    assert_int_equal(stoic_dataset_label(dataset, 0), 7);
    assert_int_equal(stoic_dataset_classes(dataset), 8);
    stoic_dataset_free(dataset);
    stoic_dataset_options options = stoic_dataset_options_default();
    options.mean = "1";
    options.std = "2";
    dataset = open_ok(spec_of("npy:%s/f.npy,%s/l.npy"), &options);
    assert_int_equal(stoic_dataset_read(dataset, 1, 1, images, NULL, NULL), STOIC_OK);
    assert_true(images[0] == -1.25f && images[3] == 1.5f);
    stoic_dataset_free(dataset);
    options.resize = 5;
    open_fails(spec_of("npy:%s/f.npy,%s/l.npy"), &options, STOIC_ERR_UNSUPPORTED, "resized");
    open_fails(spec_of("npy:%s/f.npy,%s/n.npy"), NULL, STOIC_ERR_FORMAT, "label -1 of image 1");
    open_fails(spec_of("npy:%s/l.npy,%s/l.npy"), NULL, STOIC_ERR_FORMAT, "images of integers");
    open_fails(spec_of("npy:%s/f.npy,%s/f.npy"), NULL, STOIC_ERR_SHAPE, "labels of 4 dimensions");
}

static void test_npy_damaged(void **state) {
    (void)state;
    static const struct {
        const char *header, *text;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1,1,1,1)}\n", "C order"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1)}\n", "'<f8'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,1,1,1)}\n", "'>f4'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,0)}\n", "dimension 3 is 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1)}\n", "at most 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n", "at least one"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4)}\n", "','"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\n", "a number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}\n",
         "smaller number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000,4000000000,9,9)}\n",
         "promises more than"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}\n", "once each"},
        {"{'descr': '<f4', 'fortran_order': False}\n", "before the end"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1)}", "newline"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1)} x\n", "newline"},
        {"['descr']\n", "'{'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n", "a string"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,2)}\n", "truncated"},
    };
    const int64_t label = 0;
    const float value = 1;
    save_npy("l1.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}\n", &label, 8);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        save_npy("bad.npy", bad[i].header, &value, sizeof value);
        open_fails(spec_of("npy:%s/bad.npy,%s/l1.npy"), NULL, STOIC_ERR_FORMAT, bad[i].text);
    }
    static const char good[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1)}\n";
    char *path = save_npy("good.npy", good, &value, sizeof value);
    stoic_dataset_free(open_ok(spec_of("npy:%s/good.npy,%s/l1.npy"), NULL));
    uint8_t bytes[128];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t n = 0; n < size; n++) {
        save("bad.npy", bytes, n);
        open_fails(spec_of("npy:%s/bad.npy,%s/l1.npy"), NULL, STOIC_ERR_FORMAT, "bad.npy");
    }
}

static void test_cifar(void **state) {
    (void)state;
    uint8_t *bytes = calloc(2, 3074);
    assert_non_null(bytes);
    bytes[0] = 4;
    bytes[1] = 255; /* red at the upper left corner */
    bytes[3073] = 9;
    bytes[3073 + 3072] = 51; /* blue at the lower right corner */
    save("c10.bin", bytes, 2 * 3073);
    stoic_dataset *dataset = open_ok(spec_of("cifar:%s/c10.bin,%s/c10.bin"), NULL);
    assert_int_equal(stoic_dataset_count(dataset), 4);
    assert_int_equal(stoic_dataset_classes(dataset), 10);
    assert_int_equal(stoic_dataset_label(dataset, 3), 9);
    float image[3072];
    assert_int_equal(stoic_dataset_read(dataset, 0, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[0] == 1.0f && image[1] == 0.0f);
    assert_int_equal(stoic_dataset_read(dataset, 3, 1, image, NULL, NULL), STOIC_OK);
    assert_true(image[3071] == 51.0f / 255.0f && image[0] == 0.0f);
    stoic_dataset_free(dataset);
    stoic_dataset_free(open_ok(spec_of("%s/c10.bin"), NULL));
    save("cut.bin", bytes, 2 * 3073 - 1);
    open_fails(spec_of("cifar:%s/cut.bin"), NULL, STOIC_ERR_FORMAT, "3074 for CIFAR-100");
    bytes[3073] = 10;
    save("bad.bin", bytes, 2 * 3073);
    open_fails(spec_of("cifar:%s/bad.bin"), NULL, STOIC_ERR_FORMAT, "label 10 of image 1");
    memset(bytes, 0, 2 * 3074);
    bytes[0] = 19;
    bytes[1] = 99;
    save("c100.bin", bytes, 2 * 3074);
    dataset = open_ok(spec_of("cifar:%s/c100.bin"), NULL);
    assert_int_equal(stoic_dataset_classes(dataset), 100);
    assert_int_equal(stoic_dataset_label(dataset, 0), 99);
    stoic_dataset_free(dataset);
    open_fails(spec_of("cifar:%s/c100.bin,%s/c10.bin"), NULL, STOIC_ERR_FORMAT, "3074 bytes each");
    bytes[3074] = 20;
    save("bad.bin", bytes, 2 * 3074);
    open_fails(spec_of("cifar:%s/bad.bin"), NULL, STOIC_ERR_FORMAT, "20 coarse");
    free(bytes);
}

/* What Pillow 9.4's Image.resize(..., BILINEAR) gives for a picture made by a formula: FNV-1a. */
static const struct {
    int height, width, new_height, new_width;
    uint64_t hash;
} pillow[] = {
    {5, 7, 3, 4, 0xedc1f32994bfc054u},       {28, 28, 32, 32, 0x380531c7757a68a3u},
    {32, 32, 28, 28, 0x54d6ea7992d26f63u},   {61, 45, 8, 8, 0x2cd60ee89c555a38u},
    {13, 200, 13, 31, 0xd10f29b6c5bd34b5u},  {90, 3, 17, 3, 0x7fce7333590cc7ddu},
    {1, 1, 4, 5, 0xee85fafd354b0935u},       {100, 75, 256, 192, 0x315493665ad8073du},
    {33, 47, 224, 319, 0x9b4ec0bf487fdf57u},
};

static uint64_t resized_hash(int height, int width, int new_height, int new_width, int damage) {
    uint8_t *in = malloc((size_t)height * (size_t)width);
    assert_non_null(in);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            in[y * width + x] = (uint8_t)((x * 37 + y * 91 + x * y * 5) ^ (x * y >> 2));
    in[0] = (uint8_t)(in[0] ^ damage);
    stoic_pixels out;
    assert_int_equal(stoic_planes_resize(in, 1, height, width, new_height, new_width, &out, NULL),
                     STOIC_OK);
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < new_height * new_width; i++)
        hash = (hash ^ out.data[i]) * 0x100000001b3u;
    stoic_pixels_free(&out);
    free(in);
    return hash;
}

static void test_resize(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pillow / sizeof *pillow; i++) {
        uint64_t hash = resized_hash(pillow[i].height, pillow[i].width, pillow[i].new_height,
                                     pillow[i].new_width, 0);
        assert_true(hash == pillow[i].hash);
        hash = resized_hash(pillow[i].height, pillow[i].width, pillow[i].new_height,
                            pillow[i].new_width, 128);
        assert_true(hash != pillow[i].hash);
    }
    static const int sizes[][5] = {/* torchvision: int(side * longer / shorter) */
                                   {500, 375, 256, 341, 256},
                                   {333, 500, 256, 256, 384},
                                   {7, 7, 3, 3, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int height, width;
        stoic_resized_size(sizes[i][0], sizes[i][1], sizes[i][2], &height, &width);
        assert_true(height == sizes[i][3] && width == sizes[i][4]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx),   cmocka_unit_test(test_idx_damaged),
        cmocka_unit_test(test_npy),   cmocka_unit_test(test_npy_damaged),
        cmocka_unit_test(test_cifar), cmocka_unit_test(test_resize),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
