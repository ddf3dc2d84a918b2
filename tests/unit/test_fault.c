#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fault_fixture.h"

/* Is the chi-square statistic of `counts` against equal expectations where it should be? Each
 * count is binomial with variance `variance`; the statistic has n-1 degrees of freedom. Fixed
 * seeds: the answer never changes. Too even is as wrong as too uneven. */
static bool looks_uniform(const int64_t *counts, int n, double variance) {
    double total = 0.0, statistic = 0.0;
    for (int i = 0; i < n; i++)
        total += (double)counts[i];
    double mean = total / n;
    for (int i = 0; i < n; i++)
        statistic += ((double)counts[i] - mean) * ((double)counts[i] - mean) / variance;
    statistic *= (double)(n - 1) / n;
    return fabs(statistic - (n - 1)) < 4.0 * sqrt(2.0 * (n - 1));
}

/* Of `trials` trials that choose k of n. */
static double subset_variance(double trials, double k, double n) {
    return trials * (k / n) * (1.0 - k / n);
}

static void flips_are_uniform(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    static const int numbers[] = {2, 10, 60, 100}; /* by rejection, and Floyd's way */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char spec[32];
        int64_t words[TINY_WEIGHTS] = {0}, bits[32] = {0}, pairs[2] = {0};
        const int n = numbers[i];
        stoic_hits hits = {0};
        snprintf(spec, sizeof spec, "flips:%d", n);
        stoic_fault *fault = make(weights, spec);
        for (int64_t trial = 0; trial < TRIALS; trial++) {
            bool first = false, last = false;
            draw(fault, trial, &hits);
            assert_int_equal(hits.count, n);
            for (size_t k = 0; k < hits.count; k++) {
                int64_t word = word_number(weights, &hits.items[k]);
                assert_int_equal(hits.items[k].action, STOIC_FLIP);
                assert_true(k == 0 || word_number(weights, &hits.items[k - 1]) < word);
                words[word]++;
                bits[hits.items[k].bit]++;
                first = first || word == 0;
                last = last || word == TINY_WEIGHTS - 1;
            }
            pairs[0] += first && last;
            pairs[1] += first;
        }
        assert_true(looks_uniform(words, TINY_WEIGHTS, subset_variance(TRIALS, n, TINY_WEIGHTS)));
        assert_true(looks_uniform(bits, 32, TRIALS * n * (1.0 / 32) * (31.0 / 32)));
        /* first and last word together: n(n-1) / W(W-1) */
        double both = (double)n * (n - 1) / ((double)TINY_WEIGHTS * (TINY_WEIGHTS - 1));
        assert_true(fabs((double)pairs[0] - TRIALS * both) < 5.0 * sqrt(TRIALS * both) + 2.0);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

/* The partner of the test above: samplers with small faults of their own must be caught. */
static void biased_samplers_are_caught(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    int64_t even[TINY_WEIGHTS] = {0}, late[TINY_WEIGHTS] = {0}, layered[TINY_WEIGHTS] = {0};
    int64_t regular[TINY_WEIGHTS] = {0};
    const double variance = subset_variance(DRAWS, 1, TINY_WEIGHTS);
    stoic_rng rng;
    stoic_rng_init(&rng, 1, 0, STOIC_STREAM_SITE);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t word = stoic_rng_below(&rng, TINY_WEIGHTS);
        even[word]++;
        /* one draw in 20 leaves out the last 20 words */
        late[i % 20 ? word : stoic_rng_below(&rng, TINY_WEIGHTS - 20)]++;
        /* layers equally often, not in proportion to their bits */
        static const uint64_t first[] = {0, 18, 82, TINY_WEIGHTS};
        uint64_t layer = stoic_rng_below(&rng, 3);
        layered[first[layer] + stoic_rng_below(&rng, first[layer + 1] - first[layer])]++;
        regular[i % TINY_WEIGHTS]++;
    }
    assert_true(looks_uniform(even, TINY_WEIGHTS, variance));
    assert_false(looks_uniform(late, TINY_WEIGHTS, variance));
    assert_false(looks_uniform(layered, TINY_WEIGHTS, variance));
    assert_false(looks_uniform(regular, TINY_WEIGHTS, variance));
}

static void many_stuck_bits_are_uniform(void **state) {
    (void)state;
    enum { TRIALS = 8000, BITS = 3 * 18 };
    static const int numbers[] = {5, 40};
    for (size_t i = 0; i < 2; i++) {
        char spec[64];
        int64_t counts[BITS] = {0};
        stoic_hits hits = {0};
        snprintf(spec, sizeof spec, "stuck1,n=%d,layer=0,bits=0-2", numbers[i]);
        stoic_fault *fault = make(weights, spec);
        for (int64_t trial = 0; trial < TRIALS; trial++) {
            draw(fault, trial, &hits);
            assert_int_equal(hits.count, numbers[i]);
            for (size_t k = 0; k < hits.count; k++) {
                assert_int_equal(hits.items[k].action, STOIC_SET_1);
                counts[3 * hits.items[k].word + hits.items[k].bit]++;
            }
        }
        assert_true(looks_uniform(counts, BITS, subset_variance(TRIALS, numbers[i], BITS)));
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

/* Every single-site model visits each site of its space exactly once. */
static void single_sites_are_drawn_without_replacement(void **state) {
    (void)state;
    static const char *const specs[] = {"flips:1", "stuck0",     "stuck1,bits=exponent,layer=3",
                                        "set:1",   "zero",       "mbu:3,distance=2",
                                        "random",  "exhaustive", "flips:1,layer=0,bits=sign+0-3"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        stoic_hits hits = {0};
        int seen[TINY_WEIGHTS][33] = {{0}};
        stoic_fault *fault = make(weights, specs[i]);
        bool random = stoic_fault_kind_of(fault) == STOIC_FAULT_RANDOM;
        int64_t n = random ? TINY_WEIGHTS : stoic_fault_max_trials(fault), in_order = 0, last = -1;
        for (int64_t trial = 0; trial < n; trial++) {
            draw(fault, trial, &hits);
            const stoic_hit *hit = &hits.items[0];
            int64_t word = word_number(weights, hit), key = word * 33 + hit->bit;
            assert_int_equal(seen[word][hit->bit + 1]++, 0);
            in_order += key > last;
            last = key;
        }
        assert_true(stoic_fault_is_ordered(fault) ? in_order == n
                                                  : in_order > n / 3 && in_order < n * 2 / 3);
        if (random) { /* and again, in another order */
            int64_t moved = 0;
            for (int64_t trial = 0; trial < n; trial++) {
                draw(fault, trial, &hits);
                int64_t word = word_number(weights, &hits.items[0]);
                draw(fault, trial + n, &hits);
                moved += word != word_number(weights, &hits.items[0]);
                assert_int_equal(seen[word_number(weights, &hits.items[0])][0]++, 1);
            }
            assert_true(moved > n / 2);
        }
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

static void exhaustive_goes_by_layer_index_bit(void **state) {
    (void)state;
    stoic_fault *fault = make(full, "exhaustive,layer=0+3,bits=30+0-1");
    static const int entries[] = {0, 1, 3, 4}, bits[] = {0, 1, 30};
    stoic_hits hits = {0};
    int64_t trial = 0;
    for (int e = 0; e < 4; e++) {
        for (int64_t word = 0; word < stoic_store_entry_at(full, entries[e])->words; word++) {
            for (int b = 0; b < 3; b++, trial++) {
                draw(fault, trial, &hits);
                assert_int_equal(hits.count, 1);
                assert_int_equal(hits.items[0].entry, entries[e]);
                assert_int_equal(hits.items[0].word, word);
                assert_int_equal(hits.items[0].bit, bits[b]);
            }
        }
    }
    assert_int_equal(trial, stoic_fault_trials(fault));
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
}

/* ---- bit error rates ---- */

/* Moments and per-bit counts of `trials` BER trials over the weights. */
typedef struct ber_counts {
    int64_t bit[32 * TINY_WEIGHTS];
    double mean, variance;
    int64_t neighbours; /* bits flipped together with the one before */
} ber_counts;

static void count_ber(const char *spec, int trials, ber_counts *out) {
    stoic_fault *fault = make(weights, spec);
    stoic_hits hits = {0};
    double sum = 0.0, squares = 0.0;
    memset(out, 0, sizeof *out);
    for (int64_t trial = 0; trial < trials; trial++) {
        int64_t last = -2;
        draw(fault, trial, &hits);
        for (size_t i = 0; i < hits.count; i++) {
            int64_t bit = 32 * word_number(weights, &hits.items[i]) + hits.items[i].bit;
            out->bit[bit]++;
            out->neighbours += bit == last + 1;
            last = bit;
        }
        sum += (double)hits.count;
        squares += (double)hits.count * (double)hits.count;
    }
    out->mean = sum / trials;
    out->variance = squares / trials - out->mean * out->mean;
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
}

static void ber_flips_bits_independently(void **state) {
    (void)state;
    enum { TRIALS = 20000, BITS = 32 * TINY_WEIGHTS };
    static const double rates[] = {0.01, 0.3};
    static ber_counts c;
    for (size_t i = 0; i < 2; i++) {
        char spec[32];
        const double p = rates[i], variance = BITS * p * (1 - p);
        snprintf(spec, sizeof spec, "ber:%g", p);
        count_ber(spec, TRIALS, &c);
        assert_true(fabs(c.mean - BITS * p) < 4.0 * sqrt(variance / TRIALS));
        assert_true(fabs(c.variance / variance - 1.0) < 4.0 * sqrt(2.0 / TRIALS));
        assert_true(looks_uniform(c.bit, BITS, TRIALS * p * (1 - p)));
        const double pairs = (double)TRIALS * (BITS - 1) * p * p;
        assert_true(fabs((double)c.neighbours - pairs) < 5.0 * sqrt(pairs) * (1.0 + 2.0 * p));
        /* the partner: the same data against a rate that is off by one part in fifty */
        const double off = 1.02 * p;
        assert_false(fabs(c.mean - BITS * off) < 4.0 * sqrt(variance / TRIALS));
    }
}

static void asymmetric_rates_follow_the_stored_bit(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    static ber_counts c;
    static const double rates[][2] = {{0.02, 0.005}, {0.001, 0.04}, {0.0, 0.03}};
    for (size_t i = 0; i < 3; i++) {
        char spec[48];
        double expected[2] = {0}, found[2] = {0}, cells[2] = {0};
        snprintf(spec, sizeof spec, "ber:%g:%g", rates[i][0], rates[i][1]);
        count_ber(spec, TRIALS, &c);
        for (int e = 0; e < 3; e++) {
            const stoic_store_entry *entry = stoic_store_entry_at(weights, e);
            for (int64_t b = 0; b < 32 * entry->words; b++) {
                int one = (int)(stored_bits(weights, e, b / 32) >> b % 32 & 1);
                cells[one]++;
                found[one] += (double)c.bit[entry->first_bit + b];
            }
        }
        for (int one = 0; one < 2; one++) {
            expected[one] = TRIALS * cells[one] * rates[i][one];
            assert_true(fabs(found[one] - expected[one]) <= 4.0 * sqrt(expected[one]));
        }
        /* partner: taken the wrong way round it would show */
        assert_false(fabs(found[0] - TRIALS * cells[0] * rates[i][1]) <=
                     4.0 * sqrt(TRIALS * cells[0] * rates[i][1]));
    }
}

static void extreme_rates(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        uint32_t and_not, or_with, flipped;
    } cases[] = {{"ber:0", 0, 0, 0},
                 {"ber:1", 0, 0, 0xffffffffu},
                 {"ber:1:0", 0, 0xffffffffu, 0},
                 {"ber:0:1", 0xffffffffu, 0, 0},
                 {"ber:1,bits=sign", 0, 0, 0x80000000u}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_fault *fault = make(weights, cases[i].spec);
        stoic_hits hits = {0};
        stoic_edit edits[TINY_WEIGHTS];
        size_t n = TINY_WEIGHTS, changed = 0;
        draw(fault, 3, &hits);
        assert_int_equal(stoic_store_apply(weights, hits.items, hits.count, edits, &n, NULL, NULL),
                         STOIC_OK);
        for (int e = 0; e < 3; e++) {
            for (int64_t w = 0; w < stoic_store_entry_at(weights, e)->words; w++) {
                uint32_t was = (uint32_t)stored_bits(weights, e, w), now = was;
                uint32_t want = ((was & ~cases[i].and_not) | cases[i].or_with) ^ cases[i].flipped;
                for (size_t k = 0; k < n; k++) {
                    if (edits[k].tensor == stoic_store_entry_at(weights, e)->tensor &&
                        edits[k].index == w)
                        memcpy(&now, &edits[k].value, sizeof now);
                }
                assert_int_equal(now, want);
                changed += want != was;
            }
        }
        assert_int_equal(n, changed);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

/* ---- what is the same, what is never hit ---- */

static const char *const every_model[] = {"flips:1",
                                          "flips:7",
                                          "flips:100",
                                          "ber:0.05",
                                          "ber:0.01:0.2",
                                          "stuck0",
                                          "stuck1,n=9",
                                          "set:0.5,n=3",
                                          "random",
                                          "random,n=80",
                                          "zero,n=5",
                                          "mbu:3",
                                          "mbu:2,n=70,distance=3"};

/* A trial is a function of seed and trial: not of the order of the draws, nor of the buffer. */
static void any_trial_can_be_drawn_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof every_model / sizeof *every_model; i++) {
        stoic_fault *fault = make(weights, every_model[i]), *other = NULL;
        stoic_hits reused = {0};
        int differs = 0;
        assert_int_equal(stoic_fault_create(weights, every_model[i], 8, &other, NULL), STOIC_OK);
        for (int64_t trial = 30; trial >= 0; trial--) {
            stoic_hits alone = {0};
            stoic_fault *again = make(weights, every_model[i]);
            draw(fault, trial, &reused);
            draw(again, trial, &alone);
            assert_int_equal(reused.count, alone.count);
            assert_true(alone.count == 0 ||
                        !memcmp(reused.items, alone.items, alone.count * sizeof *alone.items));
            draw(other, trial, &alone);
            differs += alone.count != reused.count ||
                       memcmp(reused.items, alone.items, alone.count * sizeof *alone.items);
            stoic_hits_deinit(&alone);
            stoic_fault_free(again);
        }
        assert_true(differs > 20); /* another seed, other sites */
        stoic_hits_deinit(&reused);
        stoic_fault_free(other);
        stoic_fault_free(fault);
    }
}

/* No model touches a protected bit or one outside the field, and each bit that may be hit is. */
static void protected_bits_are_never_hit(void **state) {
    (void)state;
    const uint32_t allowed = 0x00ff00ffu & ~0x00010001u;
    stoic_store *store = NULL;
    assert_int_equal(stoic_store_create(model, "fp32,include=weight+bias,protect=16+0+exponent-msb",
                                        &store, NULL),
                     STOIC_OK);
    for (size_t i = 0; i < sizeof every_model / sizeof *every_model; i++) {
        char spec[96];
        uint32_t changed = 0;
        stoic_hits hits = {0};
        snprintf(spec, sizeof spec, "%s,bits=0-7+16-23", every_model[i]);
        stoic_fault *fault = make(store, spec);
        for (int64_t trial = 0; trial < 400; trial++) {
            int64_t most = stoic_fault_max_trials(fault);
            if (most >= 0 && trial >= most)
                break;
            stoic_edit edits[TINY_WEIGHTS + 5];
            size_t n = TINY_WEIGHTS + 5;
            draw(fault, trial, &hits);
            assert_int_equal(
                stoic_store_apply(store, hits.items, hits.count, edits, &n, NULL, NULL), STOIC_OK);
            for (size_t k = 0; k < n; k++) {
                int e = 0;
                uint32_t now;
                while (stoic_store_entry_at(store, e)->tensor != edits[k].tensor)
                    e++;
                memcpy(&now, &edits[k].value, sizeof now);
                changed |= now ^ (uint32_t)stored_bits(store, e, edits[k].index);
            }
        }
        assert_int_equal(changed & ~allowed, 0);
        assert_int_equal(changed, allowed);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
    stoic_store_free(store);
}

static void layers_and_tensors_are_respected(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        unsigned entries; /* bit e: entry e may be hit, and is */
    } cases[] = {{"flips:3,layer=conv1", 0x003},
                 {"flips:3,layer=0-1", 0x007},
                 {"ber:0.2,layer=head,tensor=bias", 0x010},
                 {"ber:0.2,tensor=bn", 0x1e0},
                 {"zero,n=2,layer=3+fc1", 0x01c},
                 {"flips:60", 0x1ff}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_fault *fault = make(full, cases[i].spec);
        stoic_hits hits = {0};
        unsigned entries = 0;
        for (int64_t trial = 0; trial < 300; trial++) {
            draw(fault, trial, &hits);
            for (size_t k = 0; k < hits.count; k++)
                entries |= 1u << hits.items[k].entry;
        }
        assert_int_equal(entries, cases[i].entries);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

/* ---- replacements and bursts ---- */

static void words_are_replaced(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        uint32_t mask, value;
    } cases[] = {{"zero,n=100", 0xffffffffu, 0},
                 {"zero,n=4,bits=sign", 0x80000000u, 0},
                 {"set:1.5,n=3", 0xffffffffu, 0x3fc00000u},
                 {"set:-0", 0xffffffffu, 0x80000000u},
                 {"set:nan", 0xffffffffu, 0x7fc00000u},
                 {"set:-inf,n=7", 0xffffffffu, 0xff800000u},
                 {"set:inf,bits=exponent", 0x7f800000u, 0x7f800000u},
                 {"set:1e-45", 0xffffffffu, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_fault *fault = make(weights, cases[i].spec);
        stoic_hits hits = {0};
        for (int64_t trial = 0; trial < 50; trial++) {
            draw(fault, trial, &hits);
            for (size_t k = 0; k < hits.count; k++) {
                const stoic_hit *hit = &hits.items[k];
                uint64_t stored = stored_bits(weights, hit->entry, hit->word);
                assert_int_equal(hit->action, STOIC_SET_WORD);
                assert_int_equal(hit->bit, -1);
                assert_int_equal(hit->pattern,
                                 (stored & ~(uint64_t)cases[i].mask) | cases[i].value);
            }
        }
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

static void random_patterns_are_uniform(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    int64_t ones[32] = {0}, top[256] = {0};
    stoic_fault *fault = make(weights, "random,n=2");
    stoic_hits hits = {0};
    for (int64_t trial = 0; trial < TRIALS; trial++) {
        draw(fault, trial, &hits);
        assert_int_equal(hits.count, 2);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(hits.items[k].pattern >> 32, 0);
            for (int bit = 0; bit < 32; bit++)
                ones[bit] += hits.items[k].pattern >> bit & 1;
            top[hits.items[k].pattern >> 24]++;
        }
    }
    for (int bit = 0; bit < 32; bit++)
        assert_true(llabs(ones[bit] - TRIALS) < 4.0 * sqrt(TRIALS / 2.0));
    assert_true(looks_uniform(top, 256, subset_variance(2 * TRIALS, 1, 256)));
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
}

/* A forced bit that has the value already is a site that changes nothing. */
static void stuck_bits_that_agree_stay_in_the_sites(void **state) {
    (void)state;
    for (int value = 0; value < 2; value++) {
        stoic_fault *fault = make(weights, value ? "stuck1" : "stuck0");
        stoic_hits hits = {0};
        int64_t agreed = 0, n = stoic_fault_max_trials(fault), equal = 0;
        for (int64_t trial = 0; trial < n; trial++) {
            stoic_edit edit;
            size_t edits = 1;
            draw(fault, trial, &hits);
            assert_int_equal(hits.count, 1);
            const stoic_hit *hit = &hits.items[0];
            int bit = (int)(stored_bits(weights, hit->entry, hit->word) >> hit->bit & 1);
            agreed += bit == value;
            assert_int_equal(stoic_store_apply(weights, hit, 1, &edit, &edits, NULL, NULL),
                             STOIC_OK);
            assert_int_equal(edits, bit != value);
            equal += !edits;
        }
        assert_int_equal(agreed, equal);
        assert_true(agreed > n / 4 && agreed < n * 3 / 4);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

static void bursts_lie_in_one_word(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int n, run, distance, starts, first;
    } cases[] = {{"mbu:4,n=3", 3, 4, 1, 29, 0},
                 {"mbu:2,n=90,distance=8", 90, 2, 8, 24, 0},
                 {"mbu:3,n=2,distance=2,bits=exponent", 2, 3, 2, 4, 23},
                 {"mbu:32,n=2", 2, 32, 1, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum { TRIALS = 4000 };
        stoic_fault *fault = make(weights, cases[i].spec);
        stoic_hits hits = {0};
        int64_t starts[32] = {0}, words[TINY_WEIGHTS] = {0};
        const int n = cases[i].n, run = cases[i].run;
        for (int64_t trial = 0; trial < TRIALS; trial++) {
            draw(fault, trial, &hits);
            assert_int_equal(hits.count, n * run);
            for (int k = 0; k < n * run; k++) {
                const stoic_hit *hit = &hits.items[k], *head = &hits.items[k - k % run];
                assert_true(hit->entry == head->entry && hit->word == head->word);
                assert_int_equal(hit->bit, head->bit + k % run * cases[i].distance);
                if (k % run)
                    continue;
                starts[hit->bit - cases[i].first]++;
                words[word_number(weights, hit)]++;
                assert_true(k == 0 || hits.items[k - 1].entry != hit->entry ||
                            hits.items[k - 1].word != hit->word);
            }
        }
        const double share = 1.0 / cases[i].starts;
        assert_true(cases[i].starts == 1 ||
                    looks_uniform(starts, cases[i].starts, TRIALS * n * share * (1 - share)));
        assert_true(looks_uniform(words, TINY_WEIGHTS, subset_variance(TRIALS, n, TINY_WEIGHTS)));
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flips_are_uniform),
        cmocka_unit_test(biased_samplers_are_caught),
        cmocka_unit_test(many_stuck_bits_are_uniform),
        cmocka_unit_test(single_sites_are_drawn_without_replacement),
        cmocka_unit_test(exhaustive_goes_by_layer_index_bit),
        cmocka_unit_test(ber_flips_bits_independently),
        cmocka_unit_test(asymmetric_rates_follow_the_stored_bit),
        cmocka_unit_test(extreme_rates),
        cmocka_unit_test(any_trial_can_be_drawn_alone),
        cmocka_unit_test(protected_bits_are_never_hit),
        cmocka_unit_test(layers_and_tensors_are_respected),
        cmocka_unit_test(words_are_replaced),
        cmocka_unit_test(random_patterns_are_uniform),
        cmocka_unit_test(stuck_bits_that_agree_stay_in_the_sites),
        cmocka_unit_test(bursts_lie_in_one_word),
    };
    return cmocka_run_group_tests(tests, make_stores, free_stores);
}
