#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "base/text.h"
#include "stoic/parse.h"

enum { USUAL_PAD = 4, ATTEMPTS = 10, LONGEST_WORD = 255, MAX_FIELDS = 5 };

static const char place[] = "--augment";
static const double usual[4] = {0.75, 1.0, 3.0 / 4.0, 4.0 / 3.0};
static const double max_ratio = 1000.0;

stoic_status stoic_augment_check(const stoic_augment *a, stoic_error *err) {
    if (a->crop && a->resized)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                          "crop and resizedcrop exclude each other: both choose what part of the "
                          "image is seen");
    if (a->crop && (a->crop_pad < 1 || a->crop_pad > STOIC_PIXELS_MAX_SIDE))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                          "crop by a padding of %d pixels, expected 1 to %d", a->crop_pad,
                          STOIC_PIXELS_MAX_SIDE);
    if (!a->resized)
        return STOIC_OK;
    if (!(a->scale_low > 0 && a->scale_low <= a->scale_high && a->scale_high <= 1))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                          "resizedcrop with shares of the area from %g to %g, expected "
                          "0 < low <= high <= 1",
                          a->scale_low, a->scale_high);
    if (!(a->ratio_low >= 1 / max_ratio && a->ratio_low <= a->ratio_high &&
          a->ratio_high <= max_ratio))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                          "resizedcrop with ratios of width to height from %g to %g, expected "
                          "0.001 <= low <= high <= 1000",
                          a->ratio_low, a->ratio_high);
    return STOIC_OK;
}

/* "head:field:field" taken apart in place; the number of fields, head included, or 0: too many. */
static int split_fields(char *word, char *fields[MAX_FIELDS]) {
    int n = 0;
    for (char *at = word; at; n++) {
        if (n == MAX_FIELDS)
            return 0;
        fields[n] = at;
        at = strchr(at, ':');
        if (at)
            *at++ = 0;
    }
    return n;
}

static stoic_status wrong_fields(const char *word, const char *expected, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                      "'%s' with too few or too many numbers, "
                      "expected %s",
                      word, expected);
}

static stoic_status add_crop(char *const *fields, int n, stoic_augment *out, stoic_error *err) {
    int64_t pad = USUAL_PAD;
    if (n != 1 && n != 2)
        return wrong_fields(fields[0], "crop or crop:PIXELS", err);
    if (n == 2) {
        stoic_status status =
            stoic_parse_count(fields[1], "--augment crop", 1, STOIC_PIXELS_MAX_SIDE, &pad, err);
        if (status != STOIC_OK)
            return status;
    }
    out->crop = true;
    out->crop_pad = (int)pad;
    return STOIC_OK;
}

static stoic_status add_resized(char *const *fields, int n, stoic_augment *out, stoic_error *err) {
    double numbers[4];
    if (n != 1 && n != 5)
        return wrong_fields(
            fields[0], "resizedcrop or resizedcrop:SCALE:SCALE:RATIO:RATIO, low before high", err);
    memcpy(numbers, usual, sizeof numbers);
    for (int i = 1; i < n; i++) {
        stoic_status status =
            stoic_parse_number(fields[i], "--augment resizedcrop", &numbers[i - 1], err);
        if (status != STOIC_OK)
            return status;
    }
    out->resized = true;
    out->scale_low = numbers[0];
    out->scale_high = numbers[1];
    out->ratio_low = numbers[2];
    out->ratio_high = numbers[3];
    return STOIC_OK;
}

static stoic_status unknown_word(const char *word, const char *const *known, stoic_error *err) {
    const char *near = stoic_nearest(word, known);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                      "'%s' is no augmentation, expected none, or some of crop, flip and "
                      "resizedcrop%s%s%s",
                      word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static stoic_status add_word(char *word, bool *none, stoic_augment *out, stoic_error *err) {
    static const char *const known[] = {"none", "crop", "flip", "resizedcrop", NULL};
    char *fields[MAX_FIELDS];
    const bool seen[] = {*none, out->crop, out->flip, out->resized};
    int n = split_fields(word, fields), k = 0;
    while (known[k] && strcmp(word, known[k]))
        k++;
    if (!known[k])
        return unknown_word(word, known, err);
    if (seen[k])
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place, "'%s' is given twice", word);
    if (k == 1)
        return add_crop(fields, n, out, err);
    if (k == 3)
        return add_resized(fields, n, out, err);
    if (n != 1)
        return wrong_fields(word, known[k], err);
    *(k == 0 ? none : &out->flip) = true;
    return STOIC_OK;
}

stoic_status stoic_augment_parse(const char *text, stoic_augment *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_augment augment = {0};
    bool none = false;
    for (const char *at = text; at;) {
        char word[LONGEST_WORD + 1];
        size_t length = strcspn(at, ",+");
        if (length == 0 || length > LONGEST_WORD)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, place,
                              "%s word in '%.300s', expected none, or some of crop, flip and "
                              "resizedcrop",
                              length ? "too long a" : "an empty", text);
        memcpy(word, at, length);
        word[length] = 0;
        TRY(add_word(word, &none, &augment, err));
        at = at[length] ? at + length + 1 : NULL;
    }
    if (none && (augment.crop || augment.flip || augment.resized))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, place, "'%.300s': none stands alone", text);
    TRY(stoic_augment_check(&augment, err));
    *out = augment;
done:
    return status;
}

stoic_status stoic_augment_text(const stoic_augment *a, char text[STOIC_AUGMENT_TEXT],
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_text built = {0};
    TRY(stoic_augment_check(a, err));
    const double numbers[4] = {a->scale_low, a->scale_high, a->ratio_low, a->ratio_high};
    if (a->crop)
        stoic_text_puts(&built, "crop");
    if (a->crop && a->crop_pad != USUAL_PAD)
        stoic_text_printf(&built, ":%d", a->crop_pad);
    if (a->resized)
        stoic_text_puts(&built, "resizedcrop");
    if (a->resized && memcmp(numbers, usual, sizeof numbers)) {
        for (int i = 0; i < 4; i++) {
            stoic_text_puts(&built, ":");
            stoic_text_number(&built, numbers[i], false);
        }
    }
    if (a->flip)
        stoic_text_puts(&built, built.length ? ",flip" : "flip");
    if (!a->crop && !a->resized && !a->flip)
        stoic_text_puts(&built, "none");
    TRY(stoic_text_finish(&built, err));
    if (built.length >= STOIC_AUGMENT_TEXT) {
        status = stoic_fail(err, STOIC_ERR_INTERNAL, place, "'%s' is too long", built.data);
        goto done;
    }
    memcpy(text, built.data, built.length + 1);
done:
    stoic_text_deinit(&built);
    return status;
}

/* Where no attempt fitted: as much as the ratios allow, from the middle. */
static void central_region(const stoic_augment *a, int height, int width, stoic_region *out) {
    double ratio = (double)width / height;
    stoic_region r = {0, 0, height, width};
    if (ratio < a->ratio_low)
        r.height = (int)rint(width / a->ratio_low);
    else if (ratio > a->ratio_high)
        r.width = (int)rint(height * a->ratio_high);
    r.height = r.height < 1 ? 1 : r.height;
    r.width = r.width < 1 ? 1 : r.width;
    r.top = (height - r.height) / 2;
    r.left = (width - r.width) / 2;
    *out = r;
}

static void draw_region(const stoic_augment *a, stoic_rng *rng, int height, int width,
                        stoic_region *out) {
    const double low = stoic_log_portable(a->ratio_low), high = stoic_log_portable(a->ratio_high);
    for (int i = 0; i < ATTEMPTS; i++) {
        double share = a->scale_low + (a->scale_high - a->scale_low) * stoic_rng_unit(rng);
        double ratio = stoic_exp_portable(low + (high - low) * stoic_rng_unit(rng));
        double area = share * height * width;
        double h = rint(sqrt(area / ratio)), w = rint(sqrt(area * ratio));
        if (h >= 1 && h <= height && w >= 1 && w <= width) {
            *out = (stoic_region){.height = (int)h, .width = (int)w};
            out->top = (int)stoic_rng_below(rng, (uint64_t)(height - out->height + 1));
            out->left = (int)stoic_rng_below(rng, (uint64_t)(width - out->width + 1));
            return;
        }
    }
    central_region(a, height, width, out);
}

void stoic_augment_draw(const stoic_augment *a, uint64_t seed, uint64_t number, int height,
                        int width, stoic_region *region, stoic_shift *shift) {
    stoic_rng rng;
    *region = (stoic_region){0, 0, height, width};
    *shift = (stoic_shift){0};
    stoic_rng_init(&rng, seed, number, STOIC_STREAM_AUGMENT);
    if (a->resized)
        draw_region(a, &rng, height, width, region);
    if (a->crop) {
        uint64_t places = 2 * (uint64_t)a->crop_pad + 1;
        shift->down = (int)stoic_rng_below(&rng, places) - a->crop_pad;
        shift->right = (int)stoic_rng_below(&rng, places) - a->crop_pad;
    }
    if (a->flip)
        shift->flip = stoic_rng_below(&rng, 2) == 1;
}
