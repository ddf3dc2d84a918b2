/* Rows: the canonical kernels on chosen images. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/faulty_parts.h"

static void gather(stoic_faulty *f, const stoic_block *b, int value, const int32_t *images, int n) {
    int64_t size = f->program->values[value].size;
    float *dst = stoic_session_work(f->session, value);
    f->session->frame[value] = dst;
    for (int i = 0; i < n; i++)
        memcpy(dst + i * size, b->golden[value] + images[i] * size, (size_t)size * sizeof *dst);
    f->gathered[value] = true;
}

bool stoic_faulty_clean(const stoic_faulty *f, int value) {
    int step = f->program->values[value].step;
    return step < 0 || !f->changed[step];
}

stoic_status stoic_faulty_steps(stoic_faulty *f, const stoic_block *b, const int32_t *images, int n,
                                int from, int to, int frontier, stoic_error *err) {
    const stoic_program *g = f->program;
    memset(f->gathered, 0, g->model->n_values * sizeof *f->gathered);
    for (int k = from; k < to; k++) {
        const stoic_exec_step *step = &g->steps[k];
        if (!f->changed[k])
            continue;
        for (int i = 0; i <= step->n_in; i++) {
            int value = i < step->n_in ? step->in[i] : step->add;
            /* a value lives in its buffer from its step to its last reader, so nobody else is there
             */
            if (value >= 0 && value != frontier && stoic_faulty_clean(f, value) &&
                !f->gathered[value])
                gather(f, b, value, images, n);
        }
        f->session->frame[step->out] = stoic_session_work(f->session, step->out);
        stoic_status status = stoic_session_step(f->session, k, n, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* Does what follows step `k` read nothing from before but its output? */
static bool cuts(const stoic_program *g, int k) {
    const int out = g->values[g->steps[k].out].root;
    bool cut = g->values[g->output].step > k;
    for (int i = k + 1; i < g->n_steps && cut; i++) {
        const stoic_exec_step *step = &g->steps[i];
        for (int j = 0; j <= step->n_in; j++) {
            int value = j < step->n_in ? step->in[j] : step->add;
            cut = cut && (value < 0 || g->values[value].root == out || g->values[value].step > k);
        }
    }
    return cut;
}

stoic_status stoic_faulty_find_cuts(stoic_faulty *f, stoic_error *err) {
    const stoic_program *g = f->program;
    f->cuts = malloc(((size_t)g->n_steps + 1) * sizeof *f->cuts);
    if (!f->cuts)
        return stoic_fail_memory(err, "a worker", (unsigned long long)g->n_steps * sizeof *f->cuts);
    for (int k = 0; k < g->n_steps && g->alarm < 0 && !f->full; k++) {
        if (cuts(g, k))
            f->cuts[f->n_cuts++] = k;
    }
    return STOIC_OK;
}

/* One NaN is like another: no operator looks into it. */
static inline bool differ(uint32_t x, uint32_t y) {
    const uint32_t magnitude = 0x7fffffffu, inf = 0x7f800000u;
    return (x != y) & !(((x & magnitude) > inf) & ((y & magnitude) > inf));
}

/* Are all rows alike? Most that are not are found out by a look here and there. */
static bool alike(const float *values, int64_t size, int n) {
    enum { STRIDE = 61, STRETCH = 256 };
    const uint32_t *rows = (const uint32_t *)(const void *)values;
    for (int i = 1; i < n; i++) {
        for (int64_t j = i % STRIDE; j < size; j += STRIDE) {
            if (differ(rows[i * size + j], rows[j]))
                return false;
        }
    }
    for (int64_t j = 0; j < size; j += STRETCH) {
        const int64_t end = j + STRETCH < size ? j + STRETCH : size;
        for (int i = 1; i < n; i++) {
            bool any = false;
            for (int64_t k = j; k < end; k++)
                any |= differ(rows[i * size + k], rows[k]);
            if (any)
                return false;
        }
    }
    return true;
}

/* Images that nothing tells apart any more, as when all they are is NaN, go on as one. */
stoic_status stoic_faulty_rest(stoic_faulty *f, const stoic_block *b, const int32_t *images, int n,
                               int from, int frontier, const stoic_sink *sink, stoic_error *err) {
    const stoic_program *g = f->program;
    const int64_t size = g->values[g->output].size;
    stoic_status status = STOIC_OK;
    int apart = n;
    for (int c = 0; c < f->n_cuts && apart > 1; c++) {
        const int k = f->cuts[c], out = g->steps[k].out;
        if (k < from || !f->changed[k])
            continue;
        TRY(stoic_faulty_steps(f, b, images, n, from, k + 1, frontier, err));
        from = k + 1;
        frontier = out;
        apart = alike(f->session->frame[out], g->values[out].size, n) ? 1 : n;
    }
    f->counts.alike += n - apart;
    TRY(stoic_faulty_steps(f, b, images, apart, from, g->n_steps, frontier, err));
    const float *output = f->session->frame[g->output];
    for (int i = 0; i < n; i++) {
        int row = i < apart ? i : 0;
        sink->output(sink->user, images[i], output + row * size,
                     stoic_session_alarm(f->session, row));
    }
done:
    return status;
}

stoic_status stoic_faulty_rows(stoic_faulty *f, const stoic_block *b, const int32_t *images,
                               int n_images, int first, const stoic_sink *sink, stoic_error *err) {
    for (int i = 0; i < n_images || (!images && i < b->count);) {
        int n = 0;
        for (; n < f->program->tile && i < (images ? n_images : b->count); i++)
            f->rows[n++] = images ? images[i] : i;
        stoic_status status = stoic_faulty_rest(f, b, f->rows, n, first, -1, sink, err);
        if (status != STOIC_OK)
            return status;
        f->counts.rows += n;
    }
    return STOIC_OK;
}
