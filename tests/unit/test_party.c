/* Runs that walk together: the same bits and the same counts as one alone, whatever their number.
 */
#include "base/team.h"
#include "infer_rig.h"

enum { MOST_MEMBERS = 5 };

static void meet(void *team) {
    stoic_team_meet(team);
}

/* A run and those that help it. */
typedef struct party {
    stoic_run *runs[MOST_MEMBERS];
    void *memory[MOST_MEMBERS];
    bool due[MOST_MEMBERS];
    int members, n;
    stoic_team *team;
    const float *images;
    float *outputs;
} party;

static party gather(const stw_file *f, const stoic_run_set *set, int members, int batch,
                    stoic_activations as) {
    party p = {.members = members};
    const stw_run first = stw_start_as(f, set, batch, as);
    p.runs[0] = first.run;
    p.memory[0] = first.memory;
    MUST(stoic_team_create(members, &p.team, err));
    const uint64_t bytes = stoic_run_helper_memory(first.run);
    for (int i = 0; i < members; i++) {
        if (i > 0) {
            p.memory[i] = aligned_alloc(64, bytes);
            assert_non_null(p.memory[i]);
            memset(p.memory[i], 0xff, bytes);
            p.runs[i] = stoic_run_start_helper(first.run, p.memory[i]);
        }
        stoic_run_join(p.runs[i], &(stoic_run_party){first.run, i, members, meet, p.team});
    }
    return p;
}

static void leave(party *p) {
    stoic_team_free(p->team);
    for (int i = 0; i < p->members; i++)
        free(p->memory[i]);
}

static void walk(int member, void *user) {
    party *p = user;
    if (member > 0)
        stoic_run_help(p->runs[member], p->images, p->n, &p->due[member]);
    else
        MUST(stoic_run_images(p->runs[0], p->images, p->n, p->outputs, &p->due[0], err));
}

static stoic_reading told_of(const stw_file *f, const party *p) {
    stoic_reading all = {0};
    for (int i = 0; i < p->members; i++) {
        const stoic_reading told = stw_told(f, &(stw_run){.run = p->runs[i]});
        all.corrected += told.corrected;
        all.detected += told.detected;
    }
    return all;
}

/* Some images, each number of members, each set. */
static void compare(const stw_file *f, stoic_activations as, const float *images, int n,
                    const char *what) {
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    const size_t bytes = (size_t)(n * f->facts.classes) * sizeof(float);
    float *out = kit_floats(n * f->facts.classes), *alone = kit_floats(n * f->facts.classes);
    for (int s = 0; s < n_sets; s++) {
        stw_run one = stw_start_as(f, &sets[s], n, as);
        bool due = false;
        MUST(stoic_run_images(one.run, images, n, alone, &due, err));
        const stoic_reading wanted = stw_told(f, &one);
        for (int members = 1; members <= MOST_MEMBERS; members += 1 + (members > 1)) {
            party p = gather(f, &sets[s], members, n, as);
            p.images = images;
            p.n = n;
            p.outputs = out;
            memset(out, 0xff, bytes);
            stoic_team_run(p.team, walk, &p);
            const stoic_reading told = told_of(f, &p);
            bool lost = false;
            for (int i = 0; i < members; i++)
                lost = lost || p.due[i];
            if (memcmp(out, alone, bytes) != 0)
                fail_msg("%s, set %d, %d members: other bits", what, s, members);
            if (told.corrected != wanted.corrected || told.detected != wanted.detected)
                fail_msg("%s, set %d, %d members: corrected %d, detected %d instead of %d, %d",
                         what, s, members, (int)told.corrected, (int)told.detected,
                         (int)wanted.corrected, (int)wanted.detected);
            assert_true(lost == due);
            leave(&p);
        }
        free(one.memory);
    }
    free(out);
    free(alone);
}

/* Flips about one bit of `rare` of each tensor that the store holds. */
static void strike(stw_file *f, int rare) {
    const stoic_stw_header *h = (const void *)f->bytes;
    const stoic_stw_tensor *t = (const void *)(f->bytes + h->tensors_at);
    stoic_rng rng = kit_rng(8);
    for (uint32_t i = 0; i < h->n_tensors; i++) {
        for (uint64_t bit = 0; t[i].packed && bit < t[i].stored_bits; bit++) {
            if (kit_below(&rng, rare) == 0)
                f->bytes[t[i].at + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static const char *const specs[] = {"fp32",
                                    "affine:8",
                                    "affine:5,code=msb3",
                                    "affine:8,code=msb3",
                                    "int8,code=tmr",
                                    "affine:5,code=secded72,due=report",
                                    "affine:5,code=secded72,due=zero",
                                    "int8,code=secded72,granularity=channel",
                                    "int8,code=zerospace64",
                                    "q2.5,scale=max:1.97,code=parity64",
                                    "affine:5,code=msb3,include=weight+bias+bn"};
enum { SPECS = sizeof specs / sizeof *specs };

static void check(const stoic_model *model) {
    for (int i = 0; i < SPECS; i++) {
        stw_file f = stw_make(model, specs[i]);
        float *images = kit_images(model, 3, 5);
        const bool integers = strncmp(specs[i], "fp", 2) != 0;
        if (integers)
            stw_calibrate(&f, images, 3);
        if (integers)
            strike(&f, 300);
        compare(&f, STOIC_FP32_ACTIVATIONS, images, 1, specs[i]);
        compare(&f, STOIC_FP32_ACTIVATIONS, images, 3, specs[i]);
        if (integers) {
            compare(&f, STOIC_INT8_ACTIVATIONS, images, 1, specs[i]);
            compare(&f, STOIC_INT8_ACTIVATIONS, images, 3, specs[i]);
        }
        free(images);
        stw_free(&f);
    }
}

static void test_networks(void **state) {
    (void)state;
    stoic_model *models[] = {kit_random_norms(small_resnet(), 4), small_gated()};
    for (int i = 0; i < 2; i++) {
        check(models[i]);
        stoic_model_free(models[i]);
    }
}

/* Layers wide enough to be divided many ways, and a large matrix. */
static void test_wide(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(3);
    graph g = small_start(&rng, 16, 6, 6);
    small_conv(&g, 70, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_conv(&g, 48, 3, 2, 1, true);
    small_flatten(&g);
    graph_product(&g, 131);
    graph_simple(&g, &stoic_op_relu);
    graph_product(&g, 10);
    stoic_model *model = small_finish(&g);
    check(model);
    stoic_model_free(model);
}

/* Groups, dilation, rows that belong to inputs, whatever a graph can be. */
static void test_random(void **state) {
    (void)state;
    int ran = 0;
    for (uint64_t seed = 0; seed < 150; seed++) {
        stoic_model *model = graph_random(seed);
        if (!model)
            continue;
        if (stw_runs(model, "int8")) {
            stw_file f = stw_make(model, seed % 2 ? "int8,code=secded72" : "affine:6,code=msb3");
            float *images = kit_images(model, 2, seed);
            char what[32];
            snprintf(what, sizeof what, "random graph %d", (int)seed);
            stw_calibrate(&f, images, 2);
            compare(&f, STOIC_FP32_ACTIVATIONS, images, 1 + (int)(seed % 2), what);
            compare(&f, STOIC_INT8_ACTIVATIONS, images, 1 + (int)(seed % 2), what);
            free(images);
            stw_free(&f);
            ran++;
        }
        stoic_model_free(model);
    }
    assert_true(ran >= 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
