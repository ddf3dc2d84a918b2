/* LeNet-5 as studies of fault injection use it: 20 and 50 channels, 120 and 84 features. */
#include "model/zoo/zoo_plan.h"

enum { ACTIVATION, POOLING, SIGMOID }; /* choices */

static void activation(stoic_zoo_plan *p, const char *name) {
    if (p->order->choice[ACTIVATION])
        stoic_zoo_sigmoid(p, name);
    else
        stoic_zoo_relu(p, name);
}

static void pooling(stoic_zoo_plan *p, const char *name) {
    if (p->order->choice[POOLING])
        stoic_zoo_average_pool(p, name, stoic_zoo_square(2, 2, 0));
    else
        stoic_zoo_max_pool(p, name, stoic_zoo_square(2, 2, 0));
}

static void write(stoic_zoo_plan *p) {
    stoic_zoo_input(p);
    stoic_zoo_conv(p, "conv1", 20, stoic_zoo_square(5, 1, 0), true);
    activation(p, "act1");
    pooling(p, "pool1");
    stoic_zoo_conv(p, "conv2", 50, stoic_zoo_square(5, 1, 0), true);
    activation(p, "act2");
    pooling(p, "pool2");
    stoic_zoo_flatten(p, "flatten");
    stoic_zoo_gemm(p, "fc1", 120);
    activation(p, "act3");
    stoic_zoo_gemm(p, "fc2", 84);
    activation(p, "act4");
    stoic_zoo_gemm(p, "fc3", p->order->classes);
    if (p->order->choice[SIGMOID])
        stoic_zoo_sigmoid(p, "output");
}

static const stoic_zoo_entry entries[] = {
    {"lenet5", "LeNet-5 with ReLU, max pooling and a final Sigmoid", NULL, 1, 28, 10, 0, {0, 0, 1}},
    {"lenet5-avgpool", "short for lenet5,pooling=average", "lenet5", 1, 28, 10, 0, {0, 1, 1}},
    {"lenet5-sigmoid", "short for lenet5,activation=sigmoid", "lenet5", 1, 28, 10, 0, {1, 0, 1}},
};

const stoic_zoo_family stoic_zoo_family_lenet5 = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .choices = {{"activation", {"relu", "sigmoid"}},
                {"pooling", {"max", "average"}},
                {"sigmoid", {"off", "on"}}},
    .conv = STOIC_ZOO_DRAW_PYTORCH,
    .gemm = STOIC_ZOO_DRAW_PYTORCH,
    .write = write,
};
