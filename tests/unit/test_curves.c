/* The picture of a training's curves. */
#include "svg_kit.h"

#include <math.h>
#include <unistd.h>

#include "stoic/report.h"
#include "stoic/train.h"

static char note[256];

static void keep_note(void *user, stoic_log_level level, const char *message) {
    (void)user;
    (void)level;
    snprintf(note, sizeof note, "%s", message);
}

/* Draws, and gives the picture; NULL: there is none. `note` has what the log got. */
static char *curves(const stoic_epoch *epochs, int64_t n) {
    static const char path[] = "curves.svg";
    stoic_error err = {0};
    note[0] = '\0';
    stoic_log_set(keep_note, NULL);
    if (stoic_curves_draw(epochs, n, path, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    stoic_log_set(NULL, NULL);
    if (access(path, F_OK) != 0)
        return NULL;
    char *svg = read_text(path);
    unlink(path);
    return svg;
}

static void test_curves(void **state) {
    stoic_epoch epochs[] = {
        {1.2, 0.6, 0.7, 0.1, 1.0}, {0.7, 0.8, 0.9, 0.1, 1.0}, {0.6, 0.85, 0.9, 0.1, 1.0}};
    (void)state;
    char *svg = curves(epochs, 3);
    assert_non_null(svg);
    assert_true(well_formed(svg));
    assert_non_null(strstr(svg, "best test 0.9000, epoch 2<")); /* the earliest of equals */
    assert_non_null(strstr(svg, ">train<"));
    assert_non_null(strstr(svg, ">test<"));
    assert_null(strstr(svg, "'black'"));
    free(svg);
    for (int i = 0; i < 3; i++)
        epochs[i].test_accuracy = NAN;
    svg = curves(epochs, 3);
    assert_non_null(strstr(svg, ">train<"));
    assert_null(strstr(svg, ">test<"));
    assert_null(strstr(svg, "best test"));
    free(svg);
}

/* Values that leave an axis nothing to be made from: still a picture, and gnuplot says nothing. */
static void test_curves_of_odd_values(void **state) {
    static const stoic_epoch odd[] = {
        {0.5, 0.8, 0.9, 0.1, 1.0},   {0.0, 0.0, 0.0, 0.0, 0.0},
        {NAN, NAN, NAN, NAN, NAN},   {INFINITY, 1.0, 1.0, 0.1, 1.0},
        {1e300, 0.1, 0.1, 0.1, 1.0}, {1e-300, 1.0, NAN, 0.1, 1.0},
        {-3.0, 0.5, 0.5, 0.1, 1.0},  {1e-7, 1.0 / 3.0, NAN, 1.0, 1.0}};
    enum { MANY = 3000 };
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *svg = curves(&odd[i], 1);
        assert_string_equal(note, "");
        assert_non_null(svg);
        assert_true(well_formed(svg));
        free(svg);
    }
    stoic_epoch *many = calloc(MANY, sizeof *many);
    assert_non_null(many);
    for (int i = 0; i < MANY; i++)
        many[i] = odd[i % 3];
    char *svg = curves(many, MANY);
    assert_string_equal(note, "");
    assert_true(well_formed(svg));
    free(svg);
    free(many);
}

static void test_curves_that_cannot_be(void **state) {
    static const stoic_epoch epoch = {0.5, 0.8, 0.9, 0.1, 1.0};
    stoic_error err = {0};
    (void)state;
    assert_int_equal(stoic_curves_draw(&epoch, 0, "curves.svg", &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(stoic_curves_draw(&epoch, 1, "none/curves.svg", &err), STOIC_ERR_IO);
    assert_string_equal(err.place, "none/curves.svg");
    char *before = strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    char *svg = curves(&epoch, 1);
    setenv("PATH", before, 1);
    assert_null(svg);
    assert_non_null(strstr(note, "gnuplot was not found"));
    free(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves),
        cmocka_unit_test(test_curves_of_odd_values),
        cmocka_unit_test(test_curves_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
