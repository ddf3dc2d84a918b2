/*
 * Inception-v3 for CIFAR: torchvision's, its names included, without the auxiliary classifier, its
 * stem (five convolutions and two pools, 171,872 weights) replaced by one 3x3 convolution to 192
 * channels (5,184). With ten classes that makes the 21,604,928 weights that FORTUNE counts.
 */
#include <stdio.h>

#include "model/zoo/zoo_plan.h"

/* Branches of a block: all read `in`, and stand side by side behind it. */
typedef struct branches {
    stoic_zoo_value in, out[4];
    size_t n;
} branches;

static branches fork_at(const stoic_zoo_plan *p) {
    return (branches){.in = p->at};
}

static void end_branch(stoic_zoo_plan *p, branches *b) {
    b->out[b->n++] = p->at;
    p->at = b->in;
}

static void join(stoic_zoo_plan *p, const branches *b, const char *name) {
    stoic_zoo_concat(p, name, b->out, b->n);
}

/* What torchvision calls a BasicConv2d. */
static void unit(stoic_zoo_plan *p, const char *name, int64_t channels, stoic_zoo_window window) {
    char part[STOIC_ZOO_NAME];
    snprintf(part, sizeof part, "%s.conv", name);
    stoic_zoo_conv(p, part, channels, window, false);
    snprintf(part, sizeof part, "%s.bn", name);
    stoic_zoo_norm_with(p, part, 0.001);
    snprintf(part, sizeof part, "%s.relu", name);
    stoic_zoo_relu(p, part);
}

/* n x n, of stride 1 and as large as its input */
static stoic_zoo_window same(int64_t n) {
    return stoic_zoo_square(n, 1, n / 2);
}

static stoic_zoo_window row(int64_t n) {
    return (stoic_zoo_window){1, n, 1, 0, n / 2};
}

static stoic_zoo_window column(int64_t n) {
    return (stoic_zoo_window){n, 1, 1, n / 2, 0};
}

static void pool_branch(stoic_zoo_plan *p, branches *b, int64_t channels) {
    stoic_zoo_average_pool(p, "pool", same(3));
    unit(p, "branch_pool", channels, same(1));
    end_branch(p, b);
}

static void block_a(stoic_zoo_plan *p, const char *name, int64_t pool_channels) {
    stoic_zoo_within(p, "%s.", name);
    branches b = fork_at(p);
    unit(p, "branch1x1", 64, same(1));
    end_branch(p, &b);
    unit(p, "branch5x5_1", 48, same(1));
    unit(p, "branch5x5_2", 64, same(5));
    end_branch(p, &b);
    unit(p, "branch3x3dbl_1", 64, same(1));
    unit(p, "branch3x3dbl_2", 96, same(3));
    unit(p, "branch3x3dbl_3", 96, same(3));
    end_branch(p, &b);
    pool_branch(p, &b, pool_channels);
    join(p, &b, "concat");
}

static void block_b(stoic_zoo_plan *p, const char *name) {
    stoic_zoo_within(p, "%s.", name);
    branches b = fork_at(p);
    unit(p, "branch3x3", 384, stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    unit(p, "branch3x3dbl_1", 64, same(1));
    unit(p, "branch3x3dbl_2", 96, same(3));
    unit(p, "branch3x3dbl_3", 96, stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    stoic_zoo_max_pool(p, "pool", stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    join(p, &b, "concat");
}

static void block_c(stoic_zoo_plan *p, const char *name, int64_t inner) {
    stoic_zoo_within(p, "%s.", name);
    branches b = fork_at(p);
    unit(p, "branch1x1", 192, same(1));
    end_branch(p, &b);
    unit(p, "branch7x7_1", inner, same(1));
    unit(p, "branch7x7_2", inner, row(7));
    unit(p, "branch7x7_3", 192, column(7));
    end_branch(p, &b);
    unit(p, "branch7x7dbl_1", inner, same(1));
    unit(p, "branch7x7dbl_2", inner, column(7));
    unit(p, "branch7x7dbl_3", inner, row(7));
    unit(p, "branch7x7dbl_4", inner, column(7));
    unit(p, "branch7x7dbl_5", 192, row(7));
    end_branch(p, &b);
    pool_branch(p, &b, 192);
    join(p, &b, "concat");
}

static void block_d(stoic_zoo_plan *p, const char *name) {
    stoic_zoo_within(p, "%s.", name);
    branches b = fork_at(p);
    unit(p, "branch3x3_1", 192, same(1));
    unit(p, "branch3x3_2", 320, stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    unit(p, "branch7x7x3_1", 192, same(1));
    unit(p, "branch7x7x3_2", 192, row(7));
    unit(p, "branch7x7x3_3", 192, column(7));
    unit(p, "branch7x7x3_4", 192, stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    stoic_zoo_max_pool(p, "pool", stoic_zoo_square(3, 2, 0));
    end_branch(p, &b);
    join(p, &b, "concat");
}

/* A row and a column of three, side by side. */
static void split(stoic_zoo_plan *p, const char *row_name, const char *column_name,
                  const char *name) {
    branches b = fork_at(p);
    unit(p, row_name, 384, row(3));
    end_branch(p, &b);
    unit(p, column_name, 384, column(3));
    end_branch(p, &b);
    join(p, &b, name);
}

static void block_e(stoic_zoo_plan *p, const char *name) {
    stoic_zoo_within(p, "%s.", name);
    branches b = fork_at(p);
    unit(p, "branch1x1", 320, same(1));
    end_branch(p, &b);
    unit(p, "branch3x3_1", 384, same(1));
    split(p, "branch3x3_2a", "branch3x3_2b", "branch3x3");
    end_branch(p, &b);
    unit(p, "branch3x3dbl_1", 448, same(1));
    unit(p, "branch3x3dbl_2", 384, same(3));
    split(p, "branch3x3dbl_3a", "branch3x3dbl_3b", "branch3x3dbl");
    end_branch(p, &b);
    pool_branch(p, &b, 192);
    join(p, &b, "concat");
}

static void write(stoic_zoo_plan *p) {
    stoic_zoo_input(p);
    unit(p, "Conv2d_1a_3x3", 192, same(3));
    block_a(p, "Mixed_5b", 32);
    block_a(p, "Mixed_5c", 64);
    block_a(p, "Mixed_5d", 64);
    block_b(p, "Mixed_6a");
    block_c(p, "Mixed_6b", 128);
    block_c(p, "Mixed_6c", 160);
    block_c(p, "Mixed_6d", 160);
    block_c(p, "Mixed_6e", 192);
    block_d(p, "Mixed_7a");
    block_e(p, "Mixed_7b");
    block_e(p, "Mixed_7c");
    stoic_zoo_within(p, "%s", "");
    stoic_zoo_global_pool(p, "avgpool");
    stoic_zoo_dropout(p, "dropout", 0.5);
    stoic_zoo_gemm(p, "fc", p->order->classes);
}

static const stoic_zoo_entry entries[] = {
    {"inception-cifar", "Inception-v3 with a 3x3 stem", NULL, 3, 32, 10, 0, {0}},
};

/* Torchvision truncates at ±2, twenty deviations away: nothing to see. */
const stoic_zoo_family stoic_zoo_family_inception = {
    .entries = entries,
    .n_entries = sizeof entries / sizeof *entries,
    .conv = {.gain = 0.1, .fan = STOIC_ZOO_FAN_ONE, .normal = true},
    .gemm = {.gain = 0.1, .fan = STOIC_ZOO_FAN_ONE, .normal = true},
    .write = write,
};
