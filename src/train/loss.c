#include "train/loss.h"

#include <math.h>

#include "base/rng.h"

static double target(const stoic_loss *loss, int64_t classes, bool hot) {
    return (hot ? 1 - loss->smoothing : 0) + loss->smoothing / (double)classes;
}

/* -Σ t log softmax(z); gradient softmax(z) - t. */
static double cross_entropy(const stoic_loss *loss, const float *z, int64_t classes, int label,
                            float *gradient) {
    double top = (double)z[0], sum = 0, total = 0, scale = 1 / (double)loss->batch;
    for (int64_t k = 1; k < classes; k++)
        top = (double)z[k] > top || z[k] != z[k] ? (double)z[k] : top;
    for (int64_t k = 0; k < classes; k++)
        sum += stoic_exp_portable((double)z[k] - top);
    double log_sum = stoic_log_portable(sum);
    for (int64_t k = 0; k < classes; k++) {
        double t = target(loss, classes, k == label), d = (double)z[k] - top;
        if (t > 0)
            total -= t * (d - log_sum);
        gradient[k] = (float)(scale * (stoic_exp_portable(d) / sum - t));
    }
    return total * scale;
}

/* Σ max(z, 0) - z t + log(1 + e^-|z|); gradient sigmoid(z) - t. */
static double binary_cross_entropy(const stoic_loss *loss, const float *z, int64_t classes,
                                   int label, float *gradient) {
    double total = 0, scale = 1 / (double)(loss->batch * classes);
    for (int64_t k = 0; k < classes; k++) {
        double x = (double)z[k], t = target(loss, classes, k == label);
        double e = stoic_exp_portable(-fabs(x));
        total += (x > 0 || x != x ? x : 0) - x * t + stoic_log_portable(1 + e);
        gradient[k] = (float)(scale * ((x < 0 ? e : 1) / (1 + e) - t));
    }
    return total * scale;
}

double stoic_loss_image(const stoic_loss *loss, const float *logits, int64_t classes, int label,
                        float *gradient) {
    return loss->kind == STOIC_LOSS_BCE
               ? binary_cross_entropy(loss, logits, classes, label, gradient)
               : cross_entropy(loss, logits, classes, label, gradient);
}
