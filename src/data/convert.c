/* From stored elements to the floats that the network gets. */
#include <string.h>

#include "data/dataset_inside.h"

/* x = byte / 255; (x - mean) / std: each step rounded to float, as PyTorch does it. */
void stoic_dataset_fill_table(stoic_dataset *dataset) {
    const stoic_preprocessing *p = &dataset->preprocessing;
    for (int c = 0; c < STOIC_TABLE_ROWS; c++) {
        for (int byte = 0; byte < 256; byte++) {
            float x = (float)byte / 255.0f;
            if (p->channels)
                x = (x - p->mean[c]) / p->std[c];
            dataset->table[c][byte] = x;
        }
    }
}

/* The columns of a row that come from the image; those before and behind are padding. */
typedef struct span {
    int begin, end;
} span;

static int clamp(int value, int high) {
    return value < 0 ? 0 : value > high ? high : value;
}

static span inside(int width, int right) {
    return (span){clamp(-right, width), clamp(width - right, width)};
}

static void fill(float *out, int n, float value) {
    for (int x = 0; x < n; x++)
        out[x] = value;
}

static void byte_row(const float *table, const uint8_t *row, span s, const stoic_shift *shift,
                     int width, float *out) {
    int n = s.end - s.begin;
    if (n)
        row += s.begin + shift->right;
    if (!shift->flip) {
        float *to = out + s.begin;
        fill(out, s.begin, table[0]);
        for (int x = 0; x < n; x++)
            to[x] = table[row[x]];
        fill(out + s.end, width - s.end, table[0]);
    } else {
        float *to = out + (width - s.end);
        fill(out, width - s.end, table[0]);
        for (int x = 0; x < n; x++)
            to[x] = table[row[n - 1 - x]];
        fill(out + (width - s.begin), s.begin, table[0]);
    }
}

static void float_row(const stoic_preprocessing *p, int64_t c, const uint8_t *row, span s,
                      const stoic_shift *shift, int width, float *out) {
    fill(out, width, 0.0f);
    if (!shift->flip && s.end > s.begin)
        memcpy(out + s.begin, row + (size_t)(s.begin + shift->right) * sizeof *out,
               (size_t)(s.end - s.begin) * sizeof *out);
    for (int x = s.begin; shift->flip && x < s.end; x++)
        memcpy(&out[width - 1 - x], row + (size_t)(x + shift->right) * sizeof *out, sizeof *out);
    for (int x = 0; p->channels && x < width; x++)
        out[x] = (out[x] - p->mean[c]) / p->std[c];
}

void stoic_view_convert(const stoic_dataset *dataset, const stoic_view *view,
                        const stoic_shift *shift, float *out) {
    const stoic_preprocessing *p = &dataset->preprocessing;
    bool floats = dataset->source.kind == STOIC_SOURCE_FLOATS;
    span columns = inside(view->width, shift->right), rows = inside(view->height, shift->down);
    for (int c = 0; c < view->channels; c++) {
        const float *table = dataset->table[p->channels ? c : 0];
        const uint8_t *plane = view->data + (size_t)c * view->plane;
        for (int y = 0; y < view->height; y++, out += view->width) {
            bool there = y >= rows.begin && y < rows.end;
            span s = there ? columns : (span){0, 0};
            const uint8_t *row = there ? plane + (size_t)(y + shift->down) * view->row : plane;
            if (floats)
                float_row(p, c, row, s, shift, view->width, out);
            else
                byte_row(table, row, s, shift, view->width, out);
        }
    }
}
