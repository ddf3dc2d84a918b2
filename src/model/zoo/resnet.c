/*
 * Residual networks for ImageNet as torchvision has them, its names included: the stride of a
 * bottleneck sits in its 3x3 convolution. resnet18-cifar has a 3x3 stem of stride 1 before the
 * same max pool: the network whose public weights reach the accuracy that FORTUNE prints. It has
 * 11,164,352 weights in convolutions and the classifier; the paper's 8,373,952 fit no ResNet-18.
 */
#include "model/zoo/zoo_plan.h"

enum { RESNET18, RESNET50, RESNET18_CIFAR }; /* variants */

/* A convolution and its normalisation, "conv1" and "bn1". */
static void conv_bn(stoic_zoo_plan *p, const char *conv, const char *bn, int64_t channels,
                    stoic_zoo_window window) {
    stoic_zoo_conv(p, conv, channels, window, false);
    stoic_zoo_norm(p, bn);
}

static void basic(stoic_zoo_plan *p, int64_t channels, int64_t stride) {
    conv_bn(p, "conv1", "bn1", channels, stoic_zoo_square(3, stride, 1));
    stoic_zoo_relu(p, "relu1");
    conv_bn(p, "conv2", "bn2", channels, stoic_zoo_square(3, 1, 1));
}

static void bottleneck(stoic_zoo_plan *p, int64_t channels, int64_t stride) {
    conv_bn(p, "conv1", "bn1", channels / 4, stoic_zoo_square(1, 1, 0));
    stoic_zoo_relu(p, "relu1");
    conv_bn(p, "conv2", "bn2", channels / 4, stoic_zoo_square(3, stride, 1));
    stoic_zoo_relu(p, "relu2");
    conv_bn(p, "conv3", "bn3", channels, stoic_zoo_square(1, 1, 0));
}

static void block(stoic_zoo_plan *p, int64_t channels, int64_t stride) {
    stoic_zoo_value shortcut = p->at;
    if (p->order->entry->variant == RESNET50)
        bottleneck(p, channels, stride);
    else
        basic(p, channels, stride);
    if (stride != 1 || shortcut.channels != channels) {
        stoic_zoo_value end = p->at;
        p->at = shortcut;
        conv_bn(p, "downsample.0", "downsample.1", channels, stoic_zoo_square(1, stride, 0));
        shortcut = p->at;
        p->at = end;
    }
    stoic_zoo_add(p, "add", &shortcut);
    stoic_zoo_relu(p, "relu");
}

static void write(stoic_zoo_plan *p) {
    static const int depths[][4] = {
        [RESNET18] = {2, 2, 2, 2}, [RESNET50] = {3, 4, 6, 3}, [RESNET18_CIFAR] = {2, 2, 2, 2}};
    int variant = p->order->entry->variant;
    int64_t width = variant == RESNET50 ? 256 : 64;
    stoic_zoo_input(p);
    conv_bn(p, "conv1", "bn1", 64,
            variant == RESNET18_CIFAR ? stoic_zoo_square(3, 1, 1) : stoic_zoo_square(7, 2, 3));
    stoic_zoo_relu(p, "relu");
    stoic_zoo_max_pool(p, "maxpool", stoic_zoo_square(3, 2, 1));
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < depths[variant][stage]; i++) {
            stoic_zoo_within(p, "layer%d.%d.", stage + 1, i);
            block(p, width << stage, stage > 0 && i == 0 ? 2 : 1);
        }
    }
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_global_pool(p, "avgpool");
    stoic_zoo_gemm(p, "fc", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"resnet18", "ResNet-18", NULL, 3, 224, 1000, RESNET18, {0}},
    {"resnet50", "ResNet-50", NULL, 3, 224, 1000, RESNET50, {0}},
    {"resnet18-cifar", "ResNet-18 with a 3x3 stem", NULL, 3, 32, 10, RESNET18_CIFAR, {0}},
};

const stoic_zoo_family stoic_zoo_family_resnet = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = {.gain = 1.4142135623730951, .fan = STOIC_ZOO_FAN_OUT, .normal = true},
    .gemm = STOIC_ZOO_DRAW_PYTORCH,
    .write = write,
};
