/*
 * Could the tests of the difference fail? The engine is compiled here once more with its rounding
 * bound set to nothing, and with the search for the order of sums open to view.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STOIC_DIFFERENCE_UNIT 0
#include "exec/chain.c"
#include "exec/difference.c"

#include "difference_rig.h"
#include "random_graph.h"

enum { IMAGES = 61 };

/* On networks whose classes are twins, a difference that trusts its last digits is caught. */
static void a_missing_bound_is_noticed(void **state) {
    (void)state;
    static const float change[] = {1e-7f, 3e-7f, 1e-6f, 1e-5f};
    int wrong = 0;
    int64_t decided = 0;
    for (int i = 0; i < 4; i++) {
        stoic_model *model = kit_twins(kit_zoo("lenet5"), change[i]);
        float *images = kit_images(model, IMAGES, 11);
        rig r = rig_create(model, images, IMAGES);
        stoic_rng rng = kit_rng(50);
        for (int k = 0; k < 200; k++) {
            stoic_edit edit = rig_flip(&r, 1, &rng);
            wrong += rig_disagree(&r, &edit, 1, NULL, 0, true);
        }
        decided += stoic_faulty_count(r.fast)->difference;
        rig_free(&r);
        free(images);
    }
    print_message("without a bound %d of %lld decisions are wrong\n", wrong, (long long)decided);
    assert_true(decided > 0);
    assert_true(wrong > 0);
}

/* So is one that believes a change in the first sums never reaches the classes. */
static void a_missing_reach_is_noticed(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 11);
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(52);
    stoic_edit small = kit_flip(model, kit_weight(model, 1, 1), 7, 21);
    assert_int_equal(rig_disagree(&r, &small, 1, NULL, 0, true), 0);
    assert_true(r.fast->difference.reached > 0);
    memset(r.fast->difference.reach, 0, 10 * sizeof(float));
    int wrong = 0;
    for (int k = 0; k < 100; k++) {
        stoic_edit edit = rig_flip(&r, 1, &rng);
        wrong += rig_disagree(&r, &edit, 1, NULL, 0, true);
    }
    print_message("without reach %d classes are wrong\n", wrong);
    assert_true(wrong > 0);
    rig_free(&r);
    free(images);
}

/* A worker that believes in a wrong order of sums is caught, in each layer. */
static void a_wrong_order_is_noticed(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 11);
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(51);
    for (int layer = 0; layer < 5; layer++) {
        stoic_chain *shape = &r.chains->layers[layer].shape, right = *shape;
        for (int kind = 0; kind < 2; kind++) {
            int wrong = 0;
            if (kind == 0)
                shape->bias_first = !right.bias_first;
            else
                shape->block = right.block == right.ic ? (right.ic + 1) / 2 : right.ic;
            /* one pixel's or row's channels in blocks are the same order as all of them */
            bool same = kind == 1 && right.kh * right.kw == 1;
            same = same || (kind == 1 && right.ic == 1);
            for (int k = 0; k < 20; k++) {
                stoic_edit edit = rig_flip(&r, layer, &rng);
                wrong += rig_disagree(&r, &edit, 1, NULL, 0, false);
            }
            print_message("layer %d, %s: %d images wrong\n", layer,
                          kind ? "other blocks" : "bias at the other end", wrong);
            assert_true(same ? wrong == 0 : wrong > 0);
            *shape = right;
        }
    }
    rig_free(&r);
    free(images);
}

/* And the search refuses it: with every order but the right one, no layer is known. */
static void the_search_refuses_wrong_orders(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    stoic_program *program = kit_compile(model, 0, false);
    stoic_session *session = kit_session(program);
    stoic_chains *chains = NULL;
    MUST(stoic_chains_create(program, &chains, err));
    for (int i = 0; i < program->n_steps; i++) {
        int layer = program->steps[i].layer;
        if (layer < 0)
            continue;
        stoic_chain *shape = &chains->layers[layer].shape, right = *shape;
        int64_t in = shape->ih * shape->iw * shape->channels;
        int64_t out = shape->oh * shape->ow * program->layers[layer].channels;
        trial t = {kit_floats(in * STOIC_LANES), kit_floats(out * STOIC_LANES),
                   kit_floats(in * STOIC_LANES), kit_floats(out * STOIC_LANES),
                   kit_floats(chains->layers[layer].taps)};
        stoic_rng rng = kit_rng((uint64_t)i);
        for (int64_t k = 0; k < in * STOIC_LANES; k++)
            t.images[k] = symmetric(&rng);
        MUST(stoic_layer_sums(session, &program->steps[i], t.images, t.sums, STOIC_LANES, err));
        stoic_lanes_pack(t.images, STOIC_LANES, in, t.lanes);
        assert_true(agrees(chains, session, layer, &t));
        shape->bias_first = !right.bias_first;
        assert_false(agrees(chains, session, layer, &t));
        *shape = right;
        if (right.kh * right.kw > 1 && right.ic > 1) {
            shape->block = right.block == right.ic ? 8 : right.ic;
            assert_false(agrees(chains, session, layer, &t));
            *shape = right;
        }
        t.sums[out * STOIC_LANES - 1] = nextafterf(t.sums[out * STOIC_LANES - 1], 1e9f);
        assert_false(agrees(chains, session, layer, &t)); /* one bit of one output */
        free(t.images);
        free(t.sums);
        free(t.lanes);
        free(t.chain);
        free(t.weights);
    }
    stoic_chains_free(chains);
    stoic_session_free(session);
    stoic_program_free(program);
    stoic_model_free(model);
}

int main(void) {
    /* without fused multiply-adds there are no chains to be wrong about */
    if (strcmp(stoic_dnn_isa(), "avx512") != 0 && strcmp(stoic_dnn_isa(), "avx2") != 0)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_bound_is_noticed),
        cmocka_unit_test(a_missing_reach_is_noticed),
        cmocka_unit_test(a_wrong_order_is_noticed),
        cmocka_unit_test(the_search_refuses_wrong_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
