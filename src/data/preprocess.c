#include "data/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

enum { MAX_ENTRIES = 4 };

static const char *meta(const stoic_dataset_options *options, const char *key) {
    return options->model ? stoic_model_meta_get(options->model, key) : NULL;
}

/* One of resize and crop; notes in `from` who said it (bit 0 option, bit 1 model). */
static stoic_status choose_side(const stoic_dataset_options *options, int option, const char *name,
                                const char *key, int *out, unsigned *from, stoic_error *err) {
    const char *text = meta(options, key);
    int64_t value = option;
    *out = 0;
    if (option < -1 || option > STOIC_PIXELS_MAX_SIDE)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "%d, expected 0 (none) to %d", option,
                          STOIC_PIXELS_MAX_SIDE);
    if (option < 0 && !text)
        return STOIC_OK;
    if (option < 0) {
        stoic_status status = stoic_parse_count(text, key, 0, STOIC_PIXELS_MAX_SIDE, &value, err);
        if (status != STOIC_OK)
            return status;
    }
    *from |= option >= 0 ? 1 : 2;
    *out = (int)value;
    return STOIC_OK;
}

stoic_status stoic_preprocessing_size(const stoic_dataset_options *options,
                                      stoic_preprocessing *out, stoic_error *err) {
    static const char *const sources[] = {"none", "option", "model", "option, model"};
    unsigned from = 0;
    stoic_status status =
        choose_side(options, options->resize, "--resize", "stoic.resize", &out->resize, &from, err);
    if (status == STOIC_OK)
        status =
            choose_side(options, options->crop, "--crop", "stoic.crop", &out->crop, &from, err);
    snprintf(out->source[0], sizeof out->source[0], "%s", sources[from]);
    return status;
}

/* "a,b,c" to numbers; one number serves all channels. */
static stoic_status parse_list(const char *text, const char *name, int channels, float *out,
                               stoic_error *err) {
    int n = 0;
    for (const char *at = text; at; n++) {
        char entry[64];
        double value;
        const char *comma = strchr(at, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        if (n == MAX_ENTRIES || length >= sizeof entry)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, name,
                              "'%s', expected at most %d numbers separated by commas", text,
                              MAX_ENTRIES);
        memcpy(entry, at, length);
        entry[length] = 0;
        stoic_status status = stoic_parse_number(entry, name, &value, err);
        if (status != STOIC_OK)
            return status;
        if (!isfinite((float)value))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "'%s' is not a finite float", entry);
        out[n] = (float)value;
        at = comma ? comma + 1 : NULL;
    }
    if (channels > MAX_ENTRIES || (n != 1 && n != channels))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, name, "%d number%s for images of %d channel%s",
                          n, n == 1 ? "" : "s", channels, channels == 1 ? "" : "s");
    for (; n < channels; n++)
        out[n] = out[0];
    return STOIC_OK;
}

static stoic_status choose_list(const char *option, const char *option_name, const char *from_model,
                                const char *key, const char *usual, int channels, float *out,
                                char source[32], bool *any, stoic_error *err) {
    const char *text = option ? option : from_model ? from_model : usual;
    snprintf(source, 32, "%s",
             option       ? "option"
             : from_model ? "model"
             : usual      ? "known set"
                          : "none");
    *any |= text != NULL;
    return text ? parse_list(text, option ? option_name : key, channels, out, err) : STOIC_OK;
}

stoic_status stoic_preprocessing_scale(const stoic_dataset_options *options,
                                       const stoic_known_set *known, int channels,
                                       stoic_preprocessing *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool any = false;
    for (int c = 0; c < MAX_ENTRIES; c++) {
        out->mean[c] = 0;
        out->std[c] = 1;
    }
    TRY(choose_list(options->mean, "--mean", meta(options, "stoic.mean"), "stoic.mean",
                    known ? known->mean : NULL, channels, out->mean, out->source[1], &any, err));
    TRY(choose_list(options->std, "--std", meta(options, "stoic.std"), "stoic.std",
                    known ? known->std : NULL, channels, out->std, out->source[2], &any, err));
    out->channels = any ? channels : 0;
    for (int c = 0; c < out->channels; c++) {
        if (!(out->std[c] > 0))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, options->std ? "--std" : "stoic.std",
                              "%g, expected numbers above 0", (double)out->std[c]);
    }
done:
    return status;
}

/* torchvision's CenterCrop: half of what is left over, halves rounded to even. */
static int crop_offset(int size, int crop) {
    int left_over = size - crop, half = left_over / 2;
    return left_over % 2 ? half + half % 2 : half;
}

stoic_status stoic_framing_fit(const stoic_preprocessing *preprocessing, int height, int width,
                               const char *name, stoic_framing *out, stoic_error *err) {
    int resize = preprocessing->resize, crop = preprocessing->crop;
    stoic_framing f = {.height = height, .width = width};
    if (resize)
        stoic_resized_size(height, width, resize, &f.height, &f.width);
    stoic_status status = stoic_pixels_check(f.height, f.width, name, err);
    if (status != STOIC_OK)
        return status;
    if (crop > f.height || crop > f.width)
        return stoic_fail(err, STOIC_ERR_SHAPE, name,
                          "cannot crop %d x %d out of an image of %d x %d (height x width); "
                          "--resize can make it larger",
                          crop, crop, f.height, f.width);
    f.out_height = crop ? crop : f.height;
    f.out_width = crop ? crop : f.width;
    f.top = crop_offset(f.height, f.out_height);
    f.left = crop_offset(f.width, f.out_width);
    *out = f;
    return STOIC_OK;
}
