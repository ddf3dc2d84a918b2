#include "train/loss.h"

#include <math.h>

#include "base/fail.h"
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

stoic_status stoic_loss_check_data(const stoic_model *model, const stoic_dataset *data,
                                   const char *what, stoic_error *err) {
    int64_t classes = stoic_model_classes(model);
    int64_t size = stoic_shape_count(stoic_model_input_shape(model));
    if (stoic_shape_count(stoic_dataset_shape(data)) != size)
        return stoic_fail(err, STOIC_ERR_SHAPE, what,
                          "images have %lld elements, the network takes %lld",
                          (long long)stoic_shape_count(stoic_dataset_shape(data)), (long long)size);
    for (int64_t i = 0; i < stoic_dataset_count(data); i++) {
        int label = stoic_dataset_label(data, i);
        if (label < 0 || label >= classes)
            return stoic_fail(err, STOIC_ERR_MISMATCH, what,
                              "image %lld has label %d, the network %lld outputs", (long long)i,
                              label, (long long)classes);
    }
    return STOIC_OK;
}

stoic_loss_kind stoic_loss_choose(const stoic_model *model, stoic_loss_kind asked) {
    int node = model->values[model->output].producer;
    bool sigmoid = node >= 0 && model->nodes[node].op == &stoic_op_sigmoid;
    if (asked != STOIC_LOSS_AUTO)
        return asked;
    return sigmoid ? STOIC_LOSS_BCE : STOIC_LOSS_CE;
}
