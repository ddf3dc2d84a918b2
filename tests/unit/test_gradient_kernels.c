/* The kernels of training: each set of instructions gives the same bits, and they are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/team.h"
#include "exec/gradient_kernels.h"
#include "exec_kit.h"

enum { MOST = 700 * 96 };

static float xs[MOST], ys[MOST], gs[MOST], out[2][MOST];
static double sums[2][2][700];

static void fill(uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    for (int i = 0; i < MOST; i++) {
        xs[i] = kit_uniform(&rng, -2, 3);
        ys[i] = kit_uniform(&rng, -1, 7);
        gs[i] = kit_uniform(&rng, -1, 1);
    }
    xs[5] = ys[7] = NAN;
    gs[11] = INFINITY;
}

static const int64_t widths[] = {1, 3, 10, 16, 20, 33, 50, 64, 65, 512, 700};
static const int64_t heights[] = {1, 2, 7, 64, 96};
static const stoic_activation acts[] = {{STOIC_ACT_NONE, 0, 0},
                                        {STOIC_ACT_RELU, 0, 0},
                                        {STOIC_ACT_LEAKY, 0.2f, 0},
                                        {STOIC_ACT_CLIP, 0, 6}};

/* Everything one set computes for rows x channels, into out[to] and sums[to]. */
static void compute(const stoic_gradient_kernels *k, int to, int kind, int64_t rows,
                    int64_t channels) {
    int64_t n = rows * channels;
    memset(sums[to], 0, sizeof sums[to]);
    memcpy(out[to], gs, sizeof gs);
    if (kind == 0)
        k->moments(xs, xs, rows, channels, sums[to][0], sums[to][1]);
    else if (kind == 1)
        k->norm(out[to], gs, xs, ys, ys + 1, xs + 2, xs + 3, rows, channels);
    else if (kind == 2)
        k->column_sums(xs, rows, channels, sums[to][0]);
    else if (kind == 3)
        k->add(out[to], xs, n);
    else if (kind < 6)
        k->unary(kind == 4 ? STOIC_SIGMOID : STOIC_TANH, out[to], ys, n);
    else if (kind < 10)
        k->act(out[to], ys, acts[kind - 6], n);
    else
        k->act_moments(out[to], ys, acts[kind - 10], xs, ys + 9, rows, channels, sums[to][0],
                       sums[to][1]);
}

static bool same(void) {
    for (int i = 0; i < MOST; i++) {
        if (!kit_same(out[0][i], out[1][i]))
            return false;
    }
    for (int i = 0; i < 1400; i++) {
        double a = sums[0][i / 700][i % 700], b = sums[1][i / 700][i % 700];
        if (a != b && (a == a || b == b))
            return false;
    }
    return true;
}

static void sets_agree(void **state) {
    (void)state;
    const stoic_gradient_kernels *sets[3];
    int n = stoic_gradient_kernels_all(sets);
    fill(1);
    for (int kind = 0; kind < 14; kind++) {
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            for (size_t h = 0; h < sizeof heights / sizeof *heights; h++) {
                compute(sets[0], 0, kind, heights[h], widths[w]);
                for (int s = 1; s < n; s++) {
                    compute(sets[s], 1, kind, heights[h], widths[w]);
                    if (!same())
                        fail_msg("kernel %d, %lld x %lld: %s and %s differ", kind,
                                 (long long)heights[h], (long long)widths[w], sets[0]->isa,
                                 sets[s]->isa);
                }
            }
        }
    }
    out[1][3] += 1;
    assert_false(same());
}

/* Sums against plain ones in double, for every width and height. */
static void sums_are_sums(void **state) {
    (void)state;
    const stoic_gradient_kernels *k = stoic_gradient_kernels_get();
    fill(2);
    xs[5] = ys[7] = gs[11] = 0.5f;
    double worst = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        for (size_t h = 0; h < sizeof heights / sizeof *heights; h++) {
            int64_t rows = heights[h], channels = widths[w];
            for (int kind = 0; kind < 14; kind += kind == 0 ? 2 : kind == 2 ? 9 : 1) {
                compute(k, 0, kind, rows, channels);
                for (int64_t c = 0; c < channels; c++) {
                    double a = 0, b = 0;
                    for (int64_t r = 0; r < rows; r++) {
                        double x = (double)xs[r * channels + c],
                               g = (double)out[0][r * channels + c];
                        a += kind == 0 ? x - (double)xs[c] : kind == 2 ? x : g;
                        b += kind == 0   ? (x - (double)xs[c]) * (x - (double)xs[c])
                             : kind == 2 ? 0
                                         : g * (x - (double)ys[9 + c]);
                    }
                    worst = fmax(worst, fabs(a - sums[0][0][c]));
                    worst = fmax(worst, fabs(b - sums[0][1][c]));
                }
            }
        }
    }
    print_message("largest error of a sum: %.2g\n", worst);
    assert_true(worst < 2e-4);
}

/* ---- pools ---- */

static stoic_window window(int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                           int64_t channels) {
    stoic_window w = {.rank = 2, .groups = 1, .in_channels = channels, .out_channels = channels};
    for (int a = 0; a < 2; a++) {
        w.in[a] = in + a;
        w.kernel[a] = kernel;
        w.stride[a] = stride;
        w.dilation[a] = 1;
        w.pad_low[a] = w.pad_high[a] = pad;
        w.out[a] = (w.in[a] + 2 * pad - kernel) / stride + 1;
    }
    return w;
}

/* Every window's gradient arrives, once, at its first maximum; or in equal parts. */
static void pools(void **state) {
    (void)state;
    const stoic_gradient_kernels *sets[3];
    int n = stoic_gradient_kernels_all(sets);
    const stoic_window windows[] = {window(8, 2, 2, 0, 20), window(9, 2, 2, 0, 3),
                                    window(9, 3, 2, 1, 17), window(7, 3, 1, 0, 50)};
    fill(3);
    for (int i = 0; i < MOST; i++) /* ties */
        xs[i] = i == 5 ? 1 : roundf(2 * xs[i]) / 2;
    gs[11] = 1;
    for (size_t i = 0; i < 4; i++) {
        const stoic_window *w = &windows[i];
        int64_t c = w->out_channels, in = w->in[0] * w->in[1] * c;
        static double expected[2][MOST];
        memset(expected, 0, sizeof expected);
        stoic_kernels_get()->max_pool(w, xs, ys, (stoic_activation){STOIC_ACT_NONE, 0, 0});
        for (int64_t o = 0; o < w->out[0] * w->out[1] * c; o++) {
            int64_t y0 = o / c / w->out[1] * w->stride[0] - w->pad_low[0];
            int64_t x0 = o / c % w->out[1] * w->stride[1] - w->pad_low[1], best = -1, taps[9];
            int count = 0;
            for (int64_t k = 0; k < w->kernel[0] * w->kernel[1]; k++) {
                int64_t y = y0 + k / w->kernel[1], x = x0 + k % w->kernel[1];
                if (y < 0 || x < 0 || y >= w->in[0] || x >= w->in[1])
                    continue;
                int64_t at = (y * w->in[1] + x) * c + o % c;
                taps[count++] = at;
                best = best < 0 || xs[at] > xs[best] ? at : best;
            }
            expected[0][best] += (double)gs[o];
            for (int k = 0; k < count; k++)
                expected[1][taps[k]] += (double)gs[o] / count;
        }
        for (int s = 0; s < n; s++) {
            for (int average = 0; average < 2; average++) {
                memset(out[0], 0x55, sizeof out[0]);
                if (average)
                    sets[s]->average_pool(w, gs, out[0]);
                else
                    sets[s]->max_pool(w, xs, ys, gs, out[0]);
                for (int64_t k = 0; k < in; k++)
                    assert_true(fabs((double)out[0][k] - expected[average][k]) < 1e-5);
            }
        }
    }
}

/* ---- the team ---- */

typedef struct meeting {
    stoic_team *team;
    int counters[8], rounds, wrong;
} meeting;

/* After each meeting everybody must see what everybody wrote before it. */
static void meet(int member, void *user) {
    meeting *m = user;
    for (int round = 1; round <= m->rounds; round++) {
        m->counters[member] = round;
        stoic_team_meet(m->team);
        for (int i = 0; i < stoic_team_size(m->team); i++) {
            if (m->counters[i] != round)
                __atomic_fetch_add(&m->wrong, 1, __ATOMIC_RELAXED);
        }
        stoic_team_meet(m->team);
    }
}

static void teams_meet(void **state) {
    (void)state;
    for (int size = 1; size <= 8; size += size == 1 ? 1 : 3) {
        meeting m = {.rounds = 300};
        MUST(stoic_team_create(size, &m.team, err));
        for (int i = 0; i < 3; i++)
            stoic_team_run(m.team, meet, &m);
        assert_int_equal(m.wrong, 0);
        stoic_team_free(m.team);
    }
    stoic_team *none = NULL;
    assert_int_equal(stoic_team_create(0, &none, NULL), STOIC_ERR_ARGUMENT);
    stoic_team_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_agree),
        cmocka_unit_test(sums_are_sums),
        cmocka_unit_test(pools),
        cmocka_unit_test(teams_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
