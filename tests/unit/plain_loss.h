/*
 * The losses that networks are trained with, in double, with their gradients: `grad` gets
 * d loss / d z for every image and class. Labels run from 0 on.
 */
#ifndef STOIC_TEST_PLAIN_LOSS_H
#define STOIC_TEST_PLAIN_LOSS_H

#include <math.h>
#include <stdint.h>

/*
 * Cross-entropy on logits, the mean over the images of  - sum over k of t[k] log softmax(z)[k],
 * t[k] = (1 - smoothing) [k = label] + smoothing / classes, which is what PyTorch's
 * CrossEntropyLoss does with label_smoothing. d loss / d z = (softmax(z) - t) / images.
 */
static inline double plain_cross_entropy(const double *z, const int *labels, int64_t images,
                                         int64_t classes, double smoothing, double *grad) {
    double loss = 0;
    for (int64_t n = 0; n < images; n++, z += classes, grad += classes) {
        double greatest = z[0], sum = 0;
        for (int64_t k = 1; k < classes; k++)
            greatest = z[k] > greatest ? z[k] : greatest;
        for (int64_t k = 0; k < classes; k++)
            sum += exp(z[k] - greatest);
        for (int64_t k = 0; k < classes; k++) {
            double t = smoothing / (double)classes + (k == labels[n] ? 1 - smoothing : 0);
            loss -= t * (z[k] - greatest - log(sum)) / (double)images;
            grad[k] = (exp(z[k] - greatest) / sum - t) / (double)images;
        }
    }
    return loss;
}

/*
 * Binary cross-entropy on one-hot targets, the mean over images and classes of
 * - t log s - (1 - t) log(1 - s) with s = sigmoid(z), z the value before a final Sigmoid. For
 * t = 1 that is log(1 + exp(-z)), for t = 0 log(1 + exp(z)); the exponent is kept negative, so that
 * nothing overflows: log(1 + exp(a)) = max(a, 0) + log1p(exp(-|a|)).
 */
static inline double plain_binary_cross_entropy(const double *z, const int *labels, int64_t images,
                                                int64_t classes, double *grad) {
    double loss = 0, count = (double)(images * classes);
    for (int64_t i = 0; i < images * classes; i++) {
        double t = i % classes == labels[i / classes] ? 1 : 0, a = t > 0 ? -z[i] : z[i];
        loss += ((a > 0 ? a : 0) + log1p(exp(-fabs(a)))) / count;
        grad[i] = (1 / (1 + exp(-z[i])) - t) / count;
    }
    return loss;
}

#endif
