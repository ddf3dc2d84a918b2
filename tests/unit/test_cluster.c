/* Campaigns by several ranks: the bytes of one process, whoever is slow, leaves or fails. */
#include "cluster_rig.h"

#include <math.h>

#include "campaign/wire.h"

static void rig_ok(rig *g) {
    stoic_error err = {0};
    if (rig_run(g, NULL, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
}

/* What a single process gets; the file is removed. */
static char *alone(const kit *k) {
    kit one = *k;
    stoic_error err = {0};
    one.source.user = one.run.worker.user = &one;
    one.run.sites = k->run.sites ? &one.source : NULL;
    one.nap = 0;
    if (kit_run(&one, NULL, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    char *text = kit_dump(one.path);
    kit_remove(one.path);
    return text;
}

static void assert_same_as(const kit *k, const char *expected) {
    char *text = kit_dump(k->path);
    assert_string_equal(text, expected);
    free(text);
    kit_remove(k->path);
}

static void test_same_bytes(void **state) {
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        kit k;
        kit_init(&k, "ranks");
        k.all = variant == 1;
        k.ordered = variant == 2;
        k.run.keep_images = variant == 3;
        k.run.design.images_per_trial = variant == 4 ? 1 : variant == 5 ? 7 : 0;
        char *expected = alone(&k);
        for (int ranks = 2; ranks <= RIG_RANKS; ranks++) {
            rig g;
            rig_init(&g, &k, ranks);
            for (int i = 0; i < ranks; i++)
                g.rank[i].kit.run.threads = 1 + (i + variant) % 2;
            g.rank[0].kit.nap = 500;
            rig_ok(&g);
            assert_true(g.bytes > 2000); /* the others took part */
            rig_deinit(&g);
            assert_same_as(&k, expected);
        }
        free(expected);
    }
}

/* Looks are taken at the same numbers of trials, and decide the same. */
static void test_margin(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "ranks-margin");
    k.run.trials = 5000;
    k.run.margin = 0.004;
    k.critical_share = 100;
    char *expected = alone(&k);
    rig g;
    stoic_summary summary;
    stoic_error err = {0};
    rig_init(&g, &k, 3);
    assert_int_equal(rig_run(&g, &summary, &err), STOIC_OK);
    assert_string_equal(summary.stopped, "margin");
    rig_deinit(&g);
    assert_same_as(&k, expected);
    free(expected);
}

/* Others do the work where rank 0 is slow: it then has a small share of the trials. */
static void test_slow_rank(void **state) {
    (void)state;
    kit k;
    rig g;
    kit_init(&k, "ranks-slow");
    char *expected = alone(&k);
    rig_init(&g, &k, 3);
    g.rank[0].kit.nap = 20000; /* 13 chunks x 4 blocks x 16 trials: 16.6 s by itself */
    double began = stoic_clock();
    rig_ok(&g);
    assert_true(stoic_clock() - began < 8.0);
    assert_true(g.bytes > 3000);
    rig_deinit(&g);
    assert_same_as(&k, expected);
    free(expected);
}

/* What a rank held that leaves is evaluated by others. */
static void test_rank_leaves(void **state) {
    (void)state;
    kit k;
    rig g;
    kit_init(&k, "ranks-leave");
    k.nap = 300;
    k.run.trials = 600;
    char *expected = alone(&k);
    rig_init(&g, &k, 3);
    g.rank[2].cancel_at = stoic_clock() + 0.1;
    rig_ok(&g);
    assert_int_equal(g.rank[2].status, STOIC_ERR_INTERRUPTED);
    assert_int_equal(g.rank[1].status, STOIC_OK);
    rig_deinit(&g);
    assert_same_as(&k, expected);
    free(expected);
}

static void test_rank_fails(void **state) {
    (void)state;
    kit k;
    rig g;
    stoic_error err = {0};
    kit_init(&k, "ranks-fail");
    k.run.trials = 2000;
    k.nap = 100;
    char *expected = alone(&k);
    rig_init(&g, &k, 3);
    g.rank[1].kit.fail_at = 40 * 16;
    g.rank[0].kit.nap = g.rank[2].kit.nap = 20000; /* so that rank 1 gets there */
    assert_int_equal(rig_run(&g, NULL, &err), STOIC_ERR_BACKEND);
    assert_string_equal(err.place, "rank 1 on here");
    assert_string_equal(err.message, "the fake engine broke");
    rig_deinit(&g);
    rig_init(&g, &k, 2); /* and the file goes on */
    g.rank[0].kit.nap = g.rank[1].kit.nap = 0;
    rig_ok(&g);
    rig_deinit(&g);
    assert_same_as(&k, expected);
    free(expected);
}

/* Memory of one rank changes: it sends nothing that it measured since its last check. */
static void test_memory_of_a_rank_changes(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        kit k;
        rig g;
        stoic_error err = {0};
        kit_init(&k, "ranks-spoiled");
        k.run.trials = 2000;
        k.nap = 100;
        k.spoil_shared = i & 1;
        k.check_load = i & 2 ? 500 : 0;
        char *expected = alone(&k);
        rig_init(&g, &k, 3);
        g.rank[1].kit.spoil_at = 40 * 16;
        g.rank[0].kit.nap = g.rank[2].kit.nap = 20000; /* so that rank 1 gets there */
        assert_int_equal(rig_run(&g, NULL, &err), STOIC_ERR_CORRUPT);
        assert_string_equal(err.place, "rank 1 on here");
        assert_string_equal(err.message, "the fake memory changed");
        rig_deinit(&g);
        kit_records_within(k.path, expected);
        rig_init(&g, &k, 2); /* and the file goes on */
        g.rank[0].kit.nap = g.rank[1].kit.nap = 0;
        rig_ok(&g);
        rig_deinit(&g);
        assert_same_as(&k, expected);
        free(expected);
    }
}

static void test_interrupted_and_continued(void **state) {
    (void)state;
    kit k;
    rig g;
    stoic_error err = {0};
    stoic_summary summary;
    kit_init(&k, "ranks-stop");
    k.run.trials = 2000;
    k.nap = 500;
    char *expected = alone(&k);
    rig_init(&g, &k, 3);
    g.rank[0].cancel_at = stoic_clock() + 0.1;
    assert_int_equal(rig_run(&g, &summary, &err), STOIC_ERR_INTERRUPTED);
    assert_int_equal(g.rank[1].status, STOIC_OK);
    rig_deinit(&g);
    rig_init(&g, &k, 2);
    g.rank[0].kit.nap = g.rank[1].kit.nap = 0;
    rig_ok(&g);
    rig_deinit(&g);
    assert_same_as(&k, expected);
    free(expected);
}

static void test_other_outputs(void **state) {
    (void)state;
    kit k;
    rig g;
    stoic_error err = {0};
    kit_init(&k, "ranks-other");
    k.run.trials = 2000;
    k.nap = 200;
    rig_init(&g, &k, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            stoic_facts_set(&g.rank[i].facts, true, "golden_digest", &err, "%d", i == 2), STOIC_OK);
    assert_int_equal(rig_run(&g, NULL, &err), STOIC_ERR_MISMATCH);
    assert_string_equal(err.message,
                        "rank 2 on here computes otherwise: golden_digest there is 1, here 0");
    rig_deinit(&g);
    kit_remove(k.path);
}

/* A unit comes back as it was sent; a message that was cut or changed is refused or is another
 * unit, and nothing is read behind its end. */
static void test_units_on_the_wire(void **state) {
    (void)state;
    kit k;
    stoic_error err = {0};
    kit_init(&k, "wire");
    k.run.keep_images = true;
    stoic_unit *sent, *got;
    stoic_piece piece = {.chunk = 3, .lo = 48, .hi = 64};
    assert_int_equal(stoic_unit_create(&k.run, &sent, &err), STOIC_OK);
    assert_int_equal(stoic_unit_create(&k.run, &got, &err), STOIC_OK);
    sent->piece = got->piece = &piece;
    sent->block = got->block = 3; /* 10 images */
    for (int t = 0; t < 16; t++) {
        sent->evaluated[t] = 10;
        sent->counts[t] = (stoic_counts){10, 9, t % 3, 0, -1, -1, 0, -1, -1, 4};
        for (int i = 0; i < 10; i++)
            sent->outcome[10 * t + i] = (uint8_t)((t + i) % 8);
    }
    stoic_upset upset = {50, 94, 7, 3, -1, -1, 2, 0, 1, 30, -0.0f, NAN};
    assert_int_equal(stoic_upset_list_add(&sent->upsets, &upset, &err), STOIC_OK);
    stoic_text text = {0};
    stoic_message message;
    stoic_wire_begin(&text, STOIC_MESSAGE_RESULTS);
    stoic_wire_put_unit(&text, sent);
    stoic_wire in = stoic_wire_read(text.data, text.length, &message);
    assert_int_equal(message, STOIC_MESSAGE_RESULTS);
    assert_int_equal(stoic_wire_unit(&in, &k.run.design, got, &err), STOIC_OK);
    assert_true(in.at == in.end);
    assert_memory_equal(got->counts, sent->counts, 16 * sizeof *sent->counts);
    assert_memory_equal(got->outcome, sent->outcome, 160);
    assert_int_equal(got->upsets.count, 1);
    assert_memory_equal(&got->upsets.items[0], &upset, sizeof upset);
    for (size_t n = 0; n < text.length; n++) { /* a copy of that size: a sanitizer sees more */
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, text.data, n);
        in = stoic_wire_read(cut, n, &message);
        assert_int_not_equal(stoic_wire_unit(&in, &k.run.design, got, &err), STOIC_OK);
        free(cut);
    }
    for (size_t n = 1; n < text.length; n++) {
        text.data[n] ^= (char)0x80;
        in = stoic_wire_read(text.data, text.length, &message);
        (void)!stoic_wire_unit(&in, &k.run.design, got, &err);
        text.data[n] ^= (char)0x80;
    }
    stoic_text_deinit(&text);
    stoic_unit_free_list(sent);
    stoic_unit_free_list(got);
}

/* Two bits of two layers, and nothing laid out. */
static stoic_allocation *lay_nothing(void) {
    stoic_cell *cells = calloc(4, sizeof *cells);
    int *stratum = calloc(4, sizeof *stratum);
    stoic_allocation *a;
    for (int c = 0; c < 4; c++) {
        cells[c] = (stoic_cell){c / 2, c % 2, 100};
        stratum[c] = -1;
    }
    assert_int_equal(stoic_allocation_new(cells, stratum, 4, &a, NULL), STOIC_OK);
    return a;
}

static stoic_status receive_stages(const stoic_text *text, size_t length, stoic_allocation *a) {
    stoic_message message;
    char *copy = malloc(length + 1); /* of that size: a sanitizer sees more */
    memcpy(copy, text->data, length);
    stoic_wire in = stoic_wire_read(copy, length, &message);
    stoic_status status = stoic_wire_stages(&in, a, NULL);
    free(copy);
    return status;
}

/* Stages come in parts, the strata with the first behind the pilot; what was cut is refused, and
 * what makes no sense: a stage twice, more trials than faults. */
static void test_stages_on_the_wire(void **state) {
    (void)state;
    static const int64_t pilot[] = {3, 4}, later[] = {5, 0, 9}, most[] = {201, 0};
    static const int strata[] = {0, 2, 1, 2};
    stoic_allocation *sent = lay_nothing(), *got = lay_nothing();
    stoic_text text = {0};
    bool sound;
    assert_int_equal(stoic_allocation_take_stage(sent, true, most, &sound, NULL), STOIC_OK);
    assert_false(sound);
    assert_int_equal(stoic_allocation_take_stage(sent, true, pilot, &sound, NULL), STOIC_OK);
    assert_true(sound);
    stoic_wire_begin(&text, STOIC_MESSAGE_STAGES);
    stoic_wire_put_stages(&text, sent, 0);
    assert_int_equal(receive_stages(&text, text.length, got), STOIC_OK);
    assert_int_not_equal(receive_stages(&text, text.length, got), STOIC_OK);
    memcpy(sent->stratum, strata, sizeof strata);
    assert_int_equal(stoic_allocation_take_strata(sent, &sound, NULL), STOIC_OK);
    assert_true(sound);
    for (int i = 0; i < 2; i++)
        assert_int_equal(stoic_allocation_take_stage(sent, false, later, &sound, NULL), STOIC_OK);
    stoic_wire_begin(&text, STOIC_MESSAGE_STAGES);
    stoic_wire_put_stages(&text, sent, 1);
    for (size_t n = 1; n < text.length; n++) {
        stoic_allocation *other = lay_nothing();
        assert_int_equal(stoic_allocation_add_stage(other, true, pilot, NULL), STOIC_OK);
        assert_int_not_equal(receive_stages(&text, n, other), STOIC_OK);
        stoic_allocation_free(other);
    }
    assert_int_equal(receive_stages(&text, text.length, got), STOIC_OK);
    assert_int_equal(got->end, 7 + 2 * 14);
    for (int64_t t = 0; t < got->end; t++)
        assert_int_equal(stoic_allocation_group(got, t, NULL),
                         stoic_allocation_group(sent, t, NULL));
    stoic_text_deinit(&text);
    stoic_allocation_free(sent);
    stoic_allocation_free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),         cmocka_unit_test(test_margin),
        cmocka_unit_test(test_slow_rank),          cmocka_unit_test(test_rank_leaves),
        cmocka_unit_test(test_rank_fails),         cmocka_unit_test(test_interrupted_and_continued),
        cmocka_unit_test(test_other_outputs),      cmocka_unit_test(test_units_on_the_wire),
        cmocka_unit_test(test_stages_on_the_wire), cmocka_unit_test(test_memory_of_a_rank_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
