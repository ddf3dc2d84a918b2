/*
 * Resampling with a triangle filter, as Pillow does it on bytes.
 *
 * Output pixel x looks at inputs around c = (x + 1/2)·s, s = old / new. The triangle
 * max(0, 1 - |t|) is stretched by max(s, 1), which is what "antialiasing" means. Weights are
 * normalised in double, then rounded to fixed point; rows first, then columns, each pass
 * rounding to bytes. The bytes decide the accuracy of a network, so every rounding counts.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "data/pixels.h"

/* 32 bits less 8 of the pixel and 2 of head room. */
enum { FRACTION_BITS = 32 - 8 - 2 };

typedef struct taps {
    int width;    /* weights reserved for one output */
    int *first;   /* first input of each output */
    int *count;   /* inputs of each output */
    int *weights; /* outputs x width, fixed point */
} taps;

static void taps_free(taps *t) {
    free(t->first);
    free(t->count);
    free(t->weights);
}

/* Fills one output's weights; `exact` is scratch of t->width doubles. */
static void weigh(taps *t, int x, int old_size, double scale, double stretch, double *exact) {
    double center = (x + 0.5) * scale, sum = 0;
    int begin = (int)(center - stretch + 0.5), end = (int)(center + stretch + 0.5);
    begin = begin < 0 ? 0 : begin;
    end = end > old_size ? old_size : end;
    for (int i = begin; i < end; i++) {
        double distance = fabs((i - center + 0.5) * (1.0 / stretch));
        exact[i - begin] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += exact[i - begin];
    }
    t->first[x] = begin;
    t->count[x] = end - begin;
    for (int i = 0; i < end - begin; i++) {
        double weight = sum != 0 ? exact[i] / sum : exact[i];
        t->weights[(size_t)x * (size_t)t->width + (size_t)i] =
            (int)(0.5 + weight * (1 << FRACTION_BITS));
    }
}

/* After a failure too the caller calls taps_free(). */
static stoic_status taps_init(taps *t, int old_size, int new_size, stoic_error *err) {
    double scale = (double)old_size / new_size, stretch = scale < 1 ? 1 : scale;
    size_t n = (size_t)new_size;
    *t = (taps){.width = (int)ceil(stretch) * 2 + 1};
    double *exact = malloc((size_t)t->width * sizeof *exact);
    t->first = malloc(n * sizeof *t->first);
    t->count = malloc(n * sizeof *t->count);
    t->weights = malloc(n * (size_t)t->width * sizeof *t->weights);
    if (!exact || !t->first || !t->count || !t->weights) {
        free(exact);
        return stoic_fail_memory(err, "resizing", n * (size_t)t->width * sizeof *t->weights);
    }
    for (int x = 0; x < new_size; x++)
        weigh(t, x, old_size, scale, stretch, exact);
    free(exact);
    return STOIC_OK;
}

static uint8_t round_to_byte(int sum) {
    int value = sum >> FRACTION_BITS;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

static const int half = 1 << (FRACTION_BITS - 1);

static void resize_rows(const taps *t, const uint8_t *in, size_t rows, int old_width, int new_width,
                        uint8_t *out) {
    for (size_t y = 0; y < rows; y++, in += old_width, out += new_width) {
        for (int x = 0; x < new_width; x++) {
            const int *weights = t->weights + (size_t)x * (size_t)t->width;
            const uint8_t *p = in + t->first[x];
            int sum = half;
            for (int i = 0; i < t->count[x]; i++)
                sum += p[i] * weights[i];
            out[x] = round_to_byte(sum);
        }
    }
}

static void resize_columns(const taps *t, const uint8_t *in, int width, int new_height, int *sums,
                           uint8_t *out) {
    for (int y = 0; y < new_height; y++, out += width) {
        const int *weights = t->weights + (size_t)y * (size_t)t->width;
        for (int x = 0; x < width; x++)
            sums[x] = half;
        for (int i = 0; i < t->count[y]; i++) {
            const uint8_t *row = in + (size_t)(t->first[y] + i) * (size_t)width;
            for (int x = 0; x < width; x++)
                sums[x] += row[x] * weights[i];
        }
        for (int x = 0; x < width; x++)
            out[x] = round_to_byte(sums[x]);
    }
}

stoic_status stoic_planes_resize(const uint8_t *planes, int channels, int height, int width,
                                 int new_height, int new_width, stoic_pixels *out,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    taps across = {0}, down = {0};
    stoic_pixels wide = {0}, result = {0};
    int *sums = malloc((size_t)new_width * sizeof *sums);
    if (!sums) {
        status = stoic_fail_memory(err, "resizing", (size_t)new_width * sizeof *sums);
        goto done;
    }
    TRY(taps_init(&across, width, new_width, err));
    TRY(taps_init(&down, height, new_height, err));
    TRY(stoic_pixels_create(channels, height, new_width, &wide, err));
    TRY(stoic_pixels_create(channels, new_height, new_width, &result, err));
    resize_rows(&across, planes, (size_t)channels * (size_t)height, width, new_width, wide.data);
    for (int c = 0; c < channels; c++)
        resize_columns(&down, wide.data + (size_t)c * (size_t)height * (size_t)new_width, new_width,
                       new_height, sums,
                       result.data + (size_t)c * (size_t)new_height * (size_t)new_width);
    *out = result;
    result.data = NULL;
done:
    stoic_pixels_free(&result);
    stoic_pixels_free(&wide);
    taps_free(&across);
    taps_free(&down);
    free(sums);
    return status;
}

/* torchvision: the longer side is int(side * longer / shorter). */
void stoic_resized_size(int height, int width, int side, int *out_height, int *out_width) {
    int64_t shorter = height < width ? height : width;
    *out_height = height <= width ? side : (int)((int64_t)side * height / shorter);
    *out_width = width <= height ? side : (int)((int64_t)side * width / shorter);
}
