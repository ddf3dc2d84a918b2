/* DenseNet-169 as torchvision has it, its names included: each layer adds 32 channels to all that
 * came before, each transition halves them. */
#include "model/zoo/zoo_plan.h"

enum { GROWTH = 32, BOTTLENECK = 4 * GROWTH, BLOCKS = 4 };

static void dense_layer(stoic_zoo_plan *p) {
    stoic_zoo_value parts[2] = {p->at};
    stoic_zoo_norm(p, "norm1");
    stoic_zoo_relu(p, "relu1");
    stoic_zoo_conv(p, "conv1", BOTTLENECK, stoic_zoo_square(1, 1, 0), false);
    stoic_zoo_norm(p, "norm2");
    stoic_zoo_relu(p, "relu2");
    stoic_zoo_conv(p, "conv2", GROWTH, stoic_zoo_square(3, 1, 1), false);
    parts[1] = p->at;
    stoic_zoo_concat(p, "concat", parts, 2);
}

static void transition(stoic_zoo_plan *p) {
    stoic_zoo_norm(p, "norm");
    stoic_zoo_relu(p, "relu");
    stoic_zoo_conv(p, "conv", p->at.channels / 2, stoic_zoo_square(1, 1, 0), false);
    stoic_zoo_average_pool(p, "pool", stoic_zoo_square(2, 2, 0));
}

static void write(stoic_zoo_plan *p) {
    static const int layers[BLOCKS] = {6, 12, 32, 32};
    stoic_zoo_input(p);
    stoic_zoo_within(p, "features.");
    stoic_zoo_conv(p, "conv0", 64, stoic_zoo_square(7, 2, 3), false);
    stoic_zoo_norm(p, "norm0");
    stoic_zoo_relu(p, "relu0");
    stoic_zoo_max_pool(p, "pool0", stoic_zoo_square(3, 2, 1));
    for (int block = 1; block <= BLOCKS; block++) {
        for (int i = 1; i <= layers[block - 1]; i++) {
            stoic_zoo_within(p, "features.denseblock%d.denselayer%d.", block, i);
            dense_layer(p);
        }
        if (block < BLOCKS) {
            stoic_zoo_within(p, "features.transition%d.", block);
            transition(p);
        }
    }
    stoic_zoo_within(p, "features.");
    stoic_zoo_norm(p, "norm5");
    stoic_zoo_relu(p, "relu5");
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_global_pool(p, "pool");
    stoic_zoo_gemm(p, "classifier", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"densenet169", "DenseNet-169", NULL, 3, 224, 1000, 0, {0}},
};

const stoic_zoo_family stoic_zoo_family_densenet = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = {.gain = 1.4142135623730951, .fan = STOIC_ZOO_FAN_IN, .normal = true},
    .gemm = {.gain = 1, .fan = STOIC_ZOO_FAN_IN, .zero_bias = true},
    .write = write,
};
