/* MobileNetV2 (width 1) as torchvision has it, its names included: inverted residuals with ReLU6
 * in between and none behind. */
#include <stdio.h>

#include "model/zoo/zoo_plan.h"

static void bn_relu6(stoic_zoo_plan *p, const char *bn, const char *relu6) {
    stoic_zoo_norm(p, bn);
    stoic_zoo_relu6(p, relu6);
}

/* 1x1 to `expand` times the channels, 3x3 one channel at a time, 1x1 to `channels`. */
static void inverted_residual(stoic_zoo_plan *p, int64_t expand, int64_t channels, int64_t stride) {
    stoic_zoo_value shortcut = p->at;
    if (expand == 1) {
        stoic_zoo_depthwise(p, "0.0", stoic_zoo_square(3, stride, 1));
        bn_relu6(p, "0.1", "0.2");
        stoic_zoo_conv(p, "1", channels, stoic_zoo_square(1, 1, 0), false);
        stoic_zoo_norm(p, "2");
    } else {
        stoic_zoo_conv(p, "0.0", expand * shortcut.channels, stoic_zoo_square(1, 1, 0), false);
        bn_relu6(p, "0.1", "0.2");
        stoic_zoo_depthwise(p, "1.0", stoic_zoo_square(3, stride, 1));
        bn_relu6(p, "1.1", "1.2");
        stoic_zoo_conv(p, "2", channels, stoic_zoo_square(1, 1, 0), false);
        stoic_zoo_norm(p, "3");
    }
    if (stride == 1 && shortcut.channels == channels)
        stoic_zoo_add(p, "add", &shortcut);
}

static void write(stoic_zoo_plan *p) {
    static const struct {
        int64_t expand, channels, times, stride;
    } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int next = 1;
    stoic_zoo_input(p);
    stoic_zoo_within(p, "features.0.");
    stoic_zoo_conv(p, "0", 32, stoic_zoo_square(3, 2, 1), false);
    bn_relu6(p, "1", "2");
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        for (int64_t i = 0; i < stages[s].times; i++) {
            stoic_zoo_within(p, "features.%d.conv.", next++);
            inverted_residual(p, stages[s].expand, stages[s].channels,
                              i == 0 ? stages[s].stride : 1);
        }
    }
    stoic_zoo_within(p, "features.%d.", next);
    stoic_zoo_conv(p, "0", 1280, stoic_zoo_square(1, 1, 0), false);
    bn_relu6(p, "1", "2");
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_global_pool(p, "pool");
    stoic_zoo_dropout(p, "classifier.0", 0.2);
    stoic_zoo_gemm(p, "classifier.1", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"mobilenetv2", "MobileNetV2", NULL, 3, 224, 1000, 0, {0}},
};

const stoic_zoo_family stoic_zoo_family_mobilenet = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = {.gain = 1.4142135623730951, .fan = STOIC_ZOO_FAN_OUT, .normal = true},
    .gemm = {.gain = 0.01, .fan = STOIC_ZOO_FAN_ONE, .normal = true, .zero_bias = true},
    .write = write,
};
