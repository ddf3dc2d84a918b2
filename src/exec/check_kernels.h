/*
 * The sums of checksums (op_checksum.c), in double; included by kernels_impl.c, once per
 * instruction set.
 */
#ifndef STOIC_EXEC_CHECK_KERNELS_H
#define STOIC_EXEC_CHECK_KERNELS_H

#include <math.h>
#include <string.h>

#include "op/geometry.h"

/* Eight partial sums, so that one addition need not wait for the other. */
static inline __attribute__((always_inline)) double check_sum(const float *x, int64_t n,
                                                              bool magnitude) {
    double part[8] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int k = 0; k < 8; k++)
            part[k] += magnitude ? fabs((double)x[i + k]) : (double)x[i + k];
    }
    for (; i < n; i++)
        rest += magnitude ? fabs((double)x[i]) : (double)x[i];
    return ((part[0] + part[1]) + (part[2] + part[3])) +
           ((part[4] + part[5]) + (part[6] + part[7])) + rest;
}

static double stoic_check_sum(const float *x, int64_t n) {
    return check_sum(x, n, false);
}

/* row[c] += channel c of columns from … to, `step` apart. */
static inline __attribute__((always_inline)) void check_columns(const float *x, int64_t from,
                                                                int64_t to, int64_t step,
                                                                int64_t channels, bool magnitude,
                                                                double *row) {
    if (channels == 1 && step == 1 && from <= to) {
        row[0] += check_sum(x + from, to - from + 1, magnitude);
        return;
    }
    for (int64_t v = from; v <= to; v += step) {
        const float *at = x + v * channels;
        for (int64_t c = 0; c < channels; c++)
            row[c] += magnitude ? fabs((double)at[c]) : (double)at[c];
    }
}

/* The columns inside the image that tap b reads: first, and last. */
static void check_reach(const stoic_window *w, int64_t b, int64_t *first, int64_t *last) {
    int64_t stride = w->stride[1], at = b * w->dilation[1] - w->pad_low[1];
    *first = at + stoic_window_first(w, 1, b) * stride;
    *last = at + (w->out[1] - 1) * stride;
    if (*last >= w->in[1])
        *last -= (*last - w->in[1] + stride) / stride * stride;
}

static inline __attribute__((always_inline)) void check_windows(const stoic_window *w,
                                                                bool magnitude, const float *src,
                                                                double *scratch, float *out) {
    int64_t channels = w->in_channels, taps = w->kernel[0] * w->kernel[1];
    int64_t from = 0, to = w->in[1] - 1, width = w->in[1] * channels; /* what all taps read */
    double *sum = scratch, *shared = sum + channels, *rows = shared + w->in[0] * channels;
    for (int64_t b = 0; b < w->kernel[1]; b++) {
        int64_t first, last;
        check_reach(w, b, &first, &last);
        from = first > from ? first : from;
        to = last < to ? last : to;
    }
    if (w->stride[1] != 1 || from > to) {
        from = w->in[1];
        to = from - 1;
    }
    memset(shared, 0, (size_t)(w->in[0] * channels) * sizeof *shared);
    for (int64_t h = 0; h < w->in[0]; h++)
        check_columns(src + h * width, from, to, 1, channels, magnitude, shared + h * channels);
    for (int64_t b = 0; b < w->kernel[1]; b++) {
        int64_t first, last;
        check_reach(w, b, &first, &last);
        memcpy(rows, shared, (size_t)(w->in[0] * channels) * sizeof *rows);
        for (int64_t h = 0; h < w->in[0]; h++) {
            check_columns(src + h * width, first, last < from - 1 ? last : from - 1, w->stride[1],
                          channels, magnitude, rows + h * channels);
            check_columns(src + h * width, to + 1 > first ? to + 1 : first, last, w->stride[1],
                          channels, magnitude, rows + h * channels);
        }
        for (int64_t a = 0; a < w->kernel[0]; a++) {
            memset(sum, 0, (size_t)channels * sizeof *sum);
            int64_t at = a * w->dilation[0] - w->pad_low[0];
            for (int64_t o = stoic_window_first(w, 0, a); o < w->out[0]; o++) {
                int64_t h = o * w->stride[0] + at;
                if (h >= w->in[0])
                    break;
                for (int64_t c = 0; c < channels; c++)
                    sum[c] += rows[h * channels + c];
            }
            for (int64_t c = 0; c < channels; c++)
                out[c * taps + a * w->kernel[1] + b] = (float)sum[c];
        }
    }
}

static void stoic_check_windows(const stoic_window *w, bool magnitude, const float *src,
                                double *scratch, float *out) {
    if (magnitude)
        check_windows(w, true, src, scratch, out);
    else
        check_windows(w, false, src, scratch, out);
}

#endif
