/* The residual networks for CIFAR of He et al. (2016), 6 n + 2 layers, with convolutions in the
 * shortcuts that change shape. */
#include "model/zoo/zoo_plan.h"

/* Two 3x3 convolutions around a shortcut, a 1x1 convolution where the shape changes. */
static void block(stoic_zoo_plan *p, int64_t channels, int64_t stride) {
    stoic_zoo_value shortcut = p->at;
    stoic_zoo_conv(p, "conv1", channels, stoic_zoo_square(3, stride, 1), false);
    stoic_zoo_norm(p, "bn1");
    stoic_zoo_relu(p, "relu1");
    stoic_zoo_conv(p, "conv2", channels, stoic_zoo_square(3, 1, 1), false);
    stoic_zoo_norm(p, "bn2");
    if (stride != 1 || shortcut.channels != channels) {
        stoic_zoo_value end = p->at;
        p->at = shortcut;
        stoic_zoo_conv(p, "shortcut.conv", channels, stoic_zoo_square(1, stride, 0), false);
        stoic_zoo_norm(p, "shortcut.bn");
        shortcut = p->at;
        p->at = end;
    }
    stoic_zoo_add(p, "add", &shortcut);
    stoic_zoo_relu(p, "relu2");
}

static void write(stoic_zoo_plan *p) {
    int blocks = (p->order->entry->variant - 2) / 6;
    stoic_zoo_input(p);
    stoic_zoo_conv(p, "conv1", 16, stoic_zoo_square(3, 1, 1), false);
    stoic_zoo_norm(p, "bn1");
    stoic_zoo_relu(p, "relu1");
    for (int stage = 1; stage <= 3; stage++) {
        for (int i = 0; i < blocks; i++) {
            stoic_zoo_within(p, "layer%d.%d.", stage, i);
            block(p, 16 << (stage - 1), stage > 1 && i == 0 ? 2 : 1);
        }
    }
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_global_pool(p, "pool");
    stoic_zoo_gemm(p, "output", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"resnet20", "ResNet-20 for CIFAR", NULL, 3, 32, 10, 20, {0}},
    {"resnet32", "ResNet-32 for CIFAR", NULL, 3, 32, 10, 32, {0}},
    {"resnet44", "ResNet-44 for CIFAR", NULL, 3, 32, 10, 44, {0}},
    {"resnet56", "ResNet-56 for CIFAR", NULL, 3, 32, 10, 56, {0}},
};

/* Torchvision has none of these; they are drawn as its residual networks are. */
const stoic_zoo_family stoic_zoo_family_resnet_cifar = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = {.gain = 1.4142135623730951, .fan = STOIC_ZOO_FAN_OUT, .normal = true},
    .gemm = STOIC_ZOO_DRAW_PYTORCH,
    .write = write,
};
