#include "train/gradient.h"

#include <math.h>
#include <string.h>

static bool all_finite(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

static void judge(const stoic_gradient_batch *b, int shard) {
    int64_t first, count;
    float *gradient;
    const float *logits = stoic_tape_head(b->tape, shard, &gradient);
    stoic_tape_shard(b->tape, shard, &first, &count);
    for (int64_t i = 0; i < count; i++) {
        const float *z = logits + i * b->classes;
        float *g = gradient + i * b->classes;
        if (first + i < b->count && (!b->finite_only || all_finite(z, b->classes)))
            stoic_loss_image(b->loss, z, b->classes, b->labels[first + i], g);
        else
            memset(g, 0, (size_t)b->classes * sizeof *g);
    }
}

static void live(int member, void *user) {
    const stoic_gradient_batch *b = user;
    stoic_tape_pack(b->tape, member);
    stoic_tape_forward(b->tape, member, b->images, 0);
    for (int s = 0; s < stoic_tape_shards(b->tape); s++) {
        if (stoic_tape_owns(b->tape, member, s))
            judge(b, s);
    }
    stoic_tape_backward(b->tape, member);
    stoic_tape_collect(b->tape, member);
}

stoic_status stoic_gradient_run(const stoic_gradient_batch *batch, stoic_error *err) {
    stoic_gradient_batch b = *batch;
    stoic_team_run(b.team, live, &b);
    return stoic_tape_status(b.tape, err);
}
