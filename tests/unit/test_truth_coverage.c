/* Coverage on a real truth: the critical images of every single bit flip of the shipped LeNet-5, as
 * fixtures/lenet5_exhaustive.csv counts them. Stratified campaigns are laid out by the library's
 * own rules. STOIC_SLOW=1 takes 20,000 repetitions of each, which tell a coverage of 0.95 to ±
 * 0.003 (two standard deviations); else the long ones take fewer, and are allowed as much more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/allocation.h"
#include "coverage_kit.h"

enum { CELLS = 160, IMAGES = 32, LEVELS = 3, REPETITIONS = 20000 };

static const double alphas[LEVELS] = {0.10, 0.05, 0.01};

/* How many faults have so many critical images. */
typedef struct spread {
    int64_t faults, with[IMAGES + 1];
} spread;

typedef struct truth {
    stoic_cell cells[CELLS];
    spread of[CELLS], all;
    double mean;
} truth;

static void add_spread(spread *to, const spread *from) {
    to->faults += from->faults;
    for (int c = 0; c <= IMAGES; c++)
        to->with[c] += from->with[c];
}

static double mean_of(const spread *s) {
    double sum = 0.0;
    for (int c = 0; c <= IMAGES; c++)
        sum += (double)c * (double)s->with[c];
    return sum / IMAGES / (double)s->faults;
}

static int read_truth(void **state) {
    static truth t;
    char line[128];
    FILE *file = fopen(STOIC_TEST_FIXTURES "/lenet5_exhaustive.csv", "r");
    if (!file)
        return -1;
    int n = 0, layer, bit, critical;
    long faults;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%d,%d,%d,%ld", &layer, &bit, &critical, &faults) != 4)
            continue; /* what says where it comes from, and the header */
        if (n == 0 || t.cells[n - 1].layer != layer || t.cells[n - 1].bit != bit) {
            if (n == CELLS)
                break;
            t.cells[n++] = (stoic_cell){layer, bit, 0};
        }
        t.cells[n - 1].faults += faults;
        t.of[n - 1].faults += faults;
        t.of[n - 1].with[critical] = faults;
    }
    fclose(file);
    for (int c = 0; c < n; c++)
        add_spread(&t.all, &t.of[c]);
    t.mean = mean_of(&t.all);
    *state = &t;
    return n == CELLS && t.all.faults == 4237440 ? 0 : -1;
}

static int repetitions(int share) {
    const char *slow = getenv("STOIC_SLOW");
    return slow && slow[0] == '1' ? REPETITIONS : REPETITIONS / share;
}

/* Half a point below, as Wilson's coverage swings about its level; and what chance may take. */
static void hold(const char *what, const int *covered, int n) {
    for (int i = 0; i < LEVELS; i++) {
        double share = (double)covered[i] / n;
        double chance = n < REPETITIONS ? 3.0 * sqrt(alphas[i] * (1.0 - alphas[i]) / n) : 0.0;
        print_message("%s at %.2f: %.4f\n", what, 1.0 - alphas[i], share);
        assert_true(share >= 1.0 - alphas[i] - 0.005 - chance);
    }
}

/* Critical among `images` of the 32, of which `critical` are. */
static int64_t draw_images(stoic_rng *rng, int critical, int64_t images) {
    if (images == IMAGES)
        return critical;
    int64_t found = 0;
    for (int64_t i = 0; i < images; i++)
        found += (int64_t)stoic_rng_below(rng, (uint64_t)(IMAGES - i)) < critical - found;
    return found;
}

/* n faults at random, replaced; images of their own each. */
static void draw_trials(stoic_rng *rng, const spread *from, int64_t n, int64_t images,
                        stoic_tally *tally) {
    int64_t harmful = from->faults - from->with[0];
    int64_t hits = draw_binomial(rng, n, (double)harmful / (double)from->faults);
    tally->trials += n - hits; /* those add nothing else */
    for (int64_t i = 0; i < hits; i++) {
        int64_t at = (int64_t)stoic_rng_below(rng, (uint64_t)harmful);
        int c = 1;
        for (; at >= from->with[c]; c++)
            at -= from->with[c];
        stoic_tally_add(tally, draw_images(rng, c, images));
    }
}

/* ---- simple sampling ---- */

static void simple_covers(void **state) {
    enum { SAMPLE = 8000 };
    const truth *t = *state;
    static const int64_t images[] = {1, 8, IMAGES};
    for (int m = 0; m < 3; m++) {
        int covered[LEVELS] = {0}, n = repetitions(m ? 5 : 1);
        for (int r = 0; r < n; r++) {
            stoic_tally tally = {0};
            stoic_rng rng;
            stoic_rng_init(&rng, 600 + (uint64_t)m, (uint64_t)r, STOIC_STREAM_SITE);
            draw_trials(&rng, &t->all, SAMPLE, images[m], &tally);
            for (int i = 0; i < LEVELS; i++)
                covered[i] += covers(stoic_tally_rare_rate(&tally, images[m], alphas[i]), t->mean);
        }
        char what[64];
        snprintf(what, sizeof what, "simple, %d images", (int)images[m]);
        hold(what, covered, n);
    }
}

/* Stops at the first look whose half-width is small enough, and keeps that look's level, or (not
 * honest) looks at the full level each time. Trials of the level 0.95 are added up. */
static void run_simple(const truth *t, stoic_rng *rng, int64_t images, double margin, bool honest,
                       int *covered, double *trials) {
    stoic_tally tally = {0};
    bool done[LEVELS] = {false};
    for (int k = 0, open = LEVELS; open > 0; k++) {
        draw_trials(rng, &t->all, stoic_look_trials(k) - tally.trials, images, &tally);
        for (int i = 0; i < LEVELS; i++) {
            double alpha = honest ? stoic_look_alpha(alphas[i], k) : alphas[i];
            stoic_interval at = stoic_tally_rare_rate(&tally, images, alpha);
            if (done[i] || at.high - at.low > 2.0 * margin)
                continue;
            done[i] = true;
            open--;
            covered[i] += covers(at, t->mean);
            *trials += i == 1 ? (double)tally.trials : 0.0;
        }
    }
}

static void sequential_covers(void **state) {
    const truth *t = *state;
    static const int64_t images[] = {1, IMAGES};
    for (int m = 0; m < 2; m++) {
        int covered[LEVELS] = {0}, greedy[LEVELS] = {0}, n = repetitions(5);
        double trials = 0.0, other = 0.0;
        for (int r = 0; r < n; r++) {
            stoic_rng rng;
            stoic_rng_init(&rng, 700 + (uint64_t)m, (uint64_t)r, STOIC_STREAM_SITE);
            run_simple(t, &rng, images[m], 0.005, true, covered, &trials);
            run_simple(t, &rng, images[m], 0.005, false, greedy, &other);
        }
        print_message("margin 0.005, %d images: %.0f trials\n", (int)images[m], trials / n);
        hold("sequential", covered, n);
        for (int i = 0; i < LEVELS; i++) /* the looks' levels keep far above the nominal one */
            assert_true(greedy[i] < covered[i]);
    }
}

/* ---- strata ---- */

typedef struct sample {
    const truth *t;
    stoic_rng rng;
    stoic_allocation *a;
    stoic_part *bits, *parts;
    spread *of_bits, *of_strata;
    int64_t *trials; /* of the next stage */
} sample;

static spread *spreads(const truth *t, const stoic_cell_group *groups, size_t n) {
    spread *of = calloc(n + 1, sizeof *of);
    assert_non_null(of);
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++)
            add_spread(&of[g], &t->of[groups[g].cells[i]]);
    }
    return of;
}

static void begin_sample(sample *s, const truth *t, int64_t images, uint64_t seed, int repetition) {
    *s = (sample){.t = t};
    stoic_rng_init(&s->rng, seed, (uint64_t)repetition, STOIC_STREAM_SITE);
    stoic_cell *cells = malloc(sizeof t->cells);
    int *stratum = malloc(CELLS * sizeof *stratum);
    assert_true(cells && stratum);
    memcpy(cells, t->cells, sizeof t->cells);
    for (int c = 0; c < CELLS; c++)
        stratum[c] = -1;
    assert_int_equal(stoic_allocation_new(cells, stratum, CELLS, &s->a, NULL), STOIC_OK);
    s->a->trial_images = images;
    s->a->images = IMAGES;
    s->bits = calloc(s->a->n_bits, sizeof *s->bits);
    s->parts = calloc(CELLS, sizeof *s->parts);
    s->trials = calloc(CELLS + 1, sizeof *s->trials);
    s->of_bits = spreads(t, s->a->bits, s->a->n_bits);
}

static void end_sample(sample *s) {
    stoic_allocation_free(s->a);
    free(s->bits);
    free(s->parts);
    free(s->trials);
    free(s->of_bits);
    free(s->of_strata);
}

/* One stage: laid out by the library, its outcomes drawn. */
static void run_stage(sample *s) {
    bool pilot;
    stoic_allocation *a = s->a;
    assert_int_equal(stoic_allocation_plan(a, s->bits, s->parts, &pilot, s->trials, NULL),
                     STOIC_OK);
    assert_int_equal(stoic_allocation_add_stage(a, pilot, s->trials, NULL), STOIC_OK);
    if (!pilot && !s->of_strata)
        s->of_strata = spreads(s->t, a->strata, a->n_strata);
    for (size_t g = 0; g < (pilot ? a->n_bits : a->n_strata); g++) {
        stoic_part *part = pilot ? &s->bits[g] : &s->parts[g];
        draw_trials(&s->rng, pilot ? &s->of_bits[g] : &s->of_strata[g], s->trials[g],
                    a->trial_images, &part->moments.critical);
        part->moments.trials += s->trials[g];
        part->faults = pilot ? 0 : a->strata[g].faults;
    }
}

static stoic_interval interval_of(const sample *s, double alpha) {
    stoic_weighted all = stoic_allocation_weighted(s->a, s->parts, alpha);
    return stoic_weighted_critical(&all);
}

/* All trials as if they were a simple sample. */
static stoic_interval unweighted(const sample *s, double alpha) {
    stoic_tally all = {0};
    for (size_t h = 0; h < s->a->n_strata; h++)
        stoic_tally_merge(&all, &s->parts[h].moments.critical);
    return stoic_tally_rare_rate(&all, s->a->trial_images, alpha);
}

/* A number of trials that was fixed beforehand: the pilot and 3,845 more. */
static void stratified_covers(void **state) {
    const truth *t = *state;
    static const int64_t images[] = {1, 8, IMAGES};
    for (int m = 0; m < 3; m++) {
        int covered[LEVELS] = {0}, plain = 0, n = repetitions(20);
        double width = 0.0, trials = 0.0;
        for (int r = 0; r < n; r++) {
            sample s;
            begin_sample(&s, t, images[m], 800 + (uint64_t)m, r);
            while (s.a->end - s.a->pilot < stoic_look_trials(9))
                run_stage(&s);
            for (int i = 0; i < LEVELS; i++)
                covered[i] += covers(interval_of(&s, alphas[i]), t->mean);
            stoic_interval at = interval_of(&s, 0.05);
            width += at.high - at.low;
            trials += (double)s.a->end;
            plain += covers(unweighted(&s, 0.01), t->mean);
            end_sample(&s);
        }
        double e = 0.5 * width / n, p = t->mean, z = stoic_normal_z(0.05);
        print_message("%d images: half-width %.5f of %.0f trials; simple with one image: %.0f\n",
                      (int)images[m], e, trials / n, z * z * p * (1 - p) / (e * e));
        hold("stratified", covered, n);
        assert_true(plain < 0.1 * n); /* the weights matter */
    }
}

static void run_stratified(sample *s, double margin, int *covered, double *trials) {
    bool done[LEVELS] = {false};
    while (s->a->n_strata == 0)
        run_stage(s);
    for (int k = 0, open = LEVELS; open > 0; k++) {
        while (s->a->end - s->a->pilot < stoic_look_trials(k))
            run_stage(s);
        for (int i = 0; i < LEVELS; i++) {
            stoic_interval at = interval_of(s, stoic_look_alpha(alphas[i], k));
            if (done[i] || at.high - at.low > 2.0 * margin)
                continue;
            done[i] = true;
            open--;
            covered[i] += covers(at, s->t->mean);
            *trials += i == 1 ? (double)s->a->end : 0.0;
        }
    }
}

static void stratified_sequential_covers(void **state) {
    const truth *t = *state;
    static const struct {
        int64_t images;
        double margin;
        int share; /* of the repetitions */
    } cases[] = {{1, 0.01, 20}, {1, 0.005, 20}, {1, 0.001, 200}, {IMAGES, 0.005, 20}};
    for (size_t m = 0; m < sizeof cases / sizeof *cases; m++) {
        int covered[LEVELS] = {0}, n = repetitions(cases[m].share), simple[LEVELS] = {0};
        double trials = 0.0, others = 0.0;
        for (int r = 0; r < n; r++) {
            sample s;
            begin_sample(&s, t, cases[m].images, 900 + m, r);
            run_stratified(&s, cases[m].margin, covered, &trials);
            if (r < 100)
                run_simple(t, &s.rng, cases[m].images, cases[m].margin, true, simple, &others);
            end_sample(&s);
        }
        int64_t plan = stoic_sample_size(t->all.faults, cases[m].margin, stoic_normal_z(0.05), 0.5);
        print_message("margin %g, %d images: %.0f trials; simple %.0f; planned for 0.5: %lld\n",
                      cases[m].margin, (int)cases[m].images, trials / n,
                      others / (n < 100 ? n : 100), (long long)plan);
        hold("stratified, sequential", covered, n);
        assert_true(trials / n < 0.1 * (double)plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_covers),
        cmocka_unit_test(sequential_covers),
        cmocka_unit_test(stratified_covers),
        cmocka_unit_test(stratified_sequential_covers),
    };
    return cmocka_run_group_tests(tests, read_truth, NULL);
}
