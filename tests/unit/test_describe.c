/* A data set described in a model's metadata, so that the model needs no options. */
#include <png.h>

#include "data_kit.h"

/* Opens `spec` with nothing but the model that `dataset` is described in. */
static stoic_dataset *open_described(const stoic_dataset *dataset, const stoic_model *model,
                                     const char *spec, stoic_model **described) {
    stoic_error err = {0};
    stoic_dataset_options options = stoic_dataset_options_default();
    if (stoic_dataset_describe(dataset, model, described, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    options.model = *described;
    return open_ok(spec, &options);
}

static void same_reading(const stoic_dataset *a, const stoic_dataset *b) {
    uint8_t digest[4][16];
    assert_int_equal(stoic_dataset_digest(a, digest[0], digest[1], NULL), STOIC_OK);
    assert_int_equal(stoic_dataset_digest(b, digest[2], digest[3], NULL), STOIC_OK);
    assert_memory_equal(digest[0], digest[2], sizeof digest[0]);
}

static void test_describe(void **state) {
    (void)state;
    uint8_t bytes[2 * 3073];
    stoic_model *model = NULL, *described = NULL, *again = NULL;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i % 3073 ? (uint8_t)(i * 7) : 3;
    make_folder("sets");
    make_folder("sets/cifar10");
    save("sets/cifar10/test_batch.bin", bytes, sizeof bytes);
    setenv("STOIC_DATA", in_home("sets"), 1);
    assert_int_equal(stoic_zoo_build("resnet20", 1, &model, NULL), STOIC_OK);
    /* Sizes and odd numbers: three means, and 1/3 as a float. */
    stoic_dataset_options options = stoic_dataset_options_default();
    options.resize = 40;
    options.crop = 32;
    options.mean = "0.1,0.3333333,1e-3";
    options.std = "0.7";
    stoic_dataset *dataset = open_ok("cifar10", &options);
    stoic_dataset *back = open_described(dataset, model, "cifar10", &described);
    assert_string_equal(stoic_model_meta_get(described, "stoic.mean"), "0.1,0.3333333,0.001");
    assert_string_equal(stoic_model_meta_get(described, "stoic.std"), "0.7,0.7,0.7");
    assert_string_equal(stoic_model_meta_get(described, "stoic.resize"), "40");
    assert_string_equal(stoic_model_meta_get(described, "stoic.crop"), "32");
    assert_string_equal(stoic_model_meta_get(described, "stoic.classes"),
                        "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck");
    assert_null(stoic_model_meta_get(model, "stoic.mean"));
    same_reading(dataset, back);
    stoic_dataset_free(back);
    stoic_dataset_free(dataset);
    /* Nothing subtracted, no names: that is said, or what was said is taken back. */
    dataset = open_ok(spec_of("cifar:%s/sets/cifar10/test_batch.bin"), NULL);
    back = open_described(dataset, described, "cifar10", &again);
    same_reading(dataset, back);
    assert_string_equal(stoic_model_meta_get(again, "stoic.mean"), "0");
    assert_string_equal(stoic_model_meta_get(again, "stoic.std"), "1");
    assert_null(stoic_model_meta_get(again, "stoic.resize"));
    assert_null(stoic_model_meta_get(again, "stoic.crop"));
    assert_null(stoic_model_meta_get(again, "stoic.classes"));
    stoic_dataset_free(back);
    /* The known set's own values are others. */
    back = open_ok("cifar10", NULL);
    uint8_t digest[2][16], labels[16];
    assert_int_equal(stoic_dataset_digest(dataset, digest[0], labels, NULL), STOIC_OK);
    assert_int_equal(stoic_dataset_digest(back, digest[1], labels, NULL), STOIC_OK);
    assert_memory_not_equal(digest[0], digest[1], sizeof digest[0]);
    stoic_dataset_free(back);
    stoic_dataset_free(dataset);
    stoic_model_free(again);
    stoic_model_free(described);
    stoic_model_free(model);
    unsetenv("STOIC_DATA");
}

/* Names of folders, commas included. */
static void test_describe_names(void **state) {
    (void)state;
    stoic_model *model = NULL, *described = NULL;
    assert_int_equal(stoic_zoo_build("resnet20", 1, &model, NULL), STOIC_OK);
    make_folder("comma");
    make_folder("comma/cat, small");
    make_folder("comma/dog");
    uint8_t pixels[81] = {0};
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = 9, .height = 9, .format = PNG_FORMAT_GRAY};
    char *paths[] = {in_home("comma/cat, small/1.png"), in_home("comma/dog/1.png")};
    for (int i = 0; i < 2; i++)
        assert_int_equal(png_image_write_to_file(&image, paths[i], 0, pixels, 0, NULL), 1);
    stoic_dataset *dataset = open_ok(spec_of("dir:%s/comma"), NULL);
    assert_int_equal(stoic_dataset_describe(dataset, model, &described, NULL), STOIC_OK);
    assert_string_equal(stoic_model_meta_get(described, "stoic.classes"), "cat\\, small,dog");
    stoic_dataset_free(dataset);
    stoic_model_free(described);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_names),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
