/*
 * VGG-11 as torchvision has it, its names included, but for the adaptive pooling in front of the
 * classifier, which at 224 pixels does nothing: with another size the first matrix of the
 * classifier is another.
 *
 * vgg11-cifar: FORTUNE counts 28,133,056 weights, which are those of 32 x 32 images, of which the
 * five pools leave one pixel: a classifier of 512, 4096, 4096 and 10. The public weights that reach
 * the accuracy it prints have batch normalisation.
 */
#include <stdio.h>

#include "model/zoo/zoo_plan.h"

enum { NORM, POOL = 0 };

static void write(stoic_zoo_plan *p) {
    static const int64_t layers[] = {64,  POOL, 128,  POOL, 256, 256, POOL,
                                     512, 512,  POOL, 512,  512, POOL};
    char name[16];
    int next = 0; /* torchvision numbers all modules */
#define NEXT (snprintf(name, sizeof name, "%d", next++), name)
    stoic_zoo_input(p);
    stoic_zoo_within(p, "features.");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        if (layers[i] == POOL) {
            stoic_zoo_max_pool(p, NEXT, stoic_zoo_square(2, 2, 0));
            continue;
        }
        stoic_zoo_conv(p, NEXT, layers[i], stoic_zoo_square(3, 1, 1), true);
        if (p->order->choice[NORM])
            stoic_zoo_norm(p, NEXT);
        stoic_zoo_relu(p, NEXT);
    }
#undef NEXT
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_flatten(p, "flatten");
    stoic_zoo_within(p, "classifier.");
    stoic_zoo_gemm(p, "0", 4096);
    stoic_zoo_relu(p, "1");
    stoic_zoo_dropout(p, "2", 0.5);
    stoic_zoo_gemm(p, "3", 4096);
    stoic_zoo_relu(p, "4");
    stoic_zoo_dropout(p, "5", 0.5);
    stoic_zoo_gemm(p, "6", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"vgg11", "VGG-11", NULL, 3, 224, 1000, 0, {0}},
    {"vgg11-cifar", "VGG-11 for CIFAR with batch normalisation", NULL, 3, 32, 10, 0, {1}},
};

const stoic_zoo_family stoic_zoo_family_vgg = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .choices = {{"norm", {"off", "on"}}},
    .conv = {.gain = 1.4142135623730951,
             .fan = STOIC_ZOO_FAN_OUT,
             .normal = true,
             .zero_bias = true},
    .gemm = {.gain = 0.01, .fan = STOIC_ZOO_FAN_ONE, .normal = true, .zero_bias = true},
    .write = write,
};
