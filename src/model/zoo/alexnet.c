/*
 * AlexNet as torchvision has it, its names included, but for the adaptive pooling in front of the
 * classifier, which at 224 pixels does nothing: with another size the first matrix of the
 * classifier is another.
 *
 * alexnet-mnist: FORTUNE counts 58,289,504 weights, which are those of the channels of Krizhevsky
 * et al. (96, 256, 384, 384, 256, without groups), one input channel, 6 x 6 pixels before a
 * classifier of 4096, 4096 and 10.
 */
#include "model/zoo/zoo_plan.h"

enum { TORCHVISION, ORIGINAL }; /* variants */

static void write(stoic_zoo_plan *p) {
    static const int64_t widths[][5] = {
        [TORCHVISION] = {64, 192, 384, 256, 256}, [ORIGINAL] = {96, 256, 384, 384, 256}};
    const int64_t *width = widths[p->order->entry->variant];
    stoic_zoo_input(p);
    stoic_zoo_within(p, "features.");
    stoic_zoo_conv(p, "0", width[0], stoic_zoo_square(11, 4, 2), true);
    stoic_zoo_relu(p, "1");
    stoic_zoo_max_pool(p, "2", stoic_zoo_square(3, 2, 0));
    stoic_zoo_conv(p, "3", width[1], stoic_zoo_square(5, 1, 2), true);
    stoic_zoo_relu(p, "4");
    stoic_zoo_max_pool(p, "5", stoic_zoo_square(3, 2, 0));
    stoic_zoo_conv(p, "6", width[2], stoic_zoo_square(3, 1, 1), true);
    stoic_zoo_relu(p, "7");
    stoic_zoo_conv(p, "8", width[3], stoic_zoo_square(3, 1, 1), true);
    stoic_zoo_relu(p, "9");
    stoic_zoo_conv(p, "10", width[4], stoic_zoo_square(3, 1, 1), true);
    stoic_zoo_relu(p, "11");
    stoic_zoo_max_pool(p, "12", stoic_zoo_square(3, 2, 0));
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_flatten(p, "flatten");
    stoic_zoo_within(p, "classifier.");
    stoic_zoo_dropout(p, "0", 0.5);
    stoic_zoo_gemm(p, "1", 4096);
    stoic_zoo_relu(p, "2");
    stoic_zoo_dropout(p, "3", 0.5);
    stoic_zoo_gemm(p, "4", 4096);
    stoic_zoo_relu(p, "5");
    stoic_zoo_gemm(p, "6", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"alexnet", "AlexNet", NULL, 3, 224, 1000, TORCHVISION, {0}},
    {"alexnet-mnist", "AlexNet with the channels of 2012", NULL, 1, 224, 10, ORIGINAL, {0}},
};

const stoic_zoo_family stoic_zoo_family_alexnet = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = STOIC_ZOO_DRAW_PYTORCH,
    .gemm = STOIC_ZOO_DRAW_PYTORCH,
    .write = write,
};
