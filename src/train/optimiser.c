#include "train/optimiser.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "exec/gradient_kernels.h"
#include "stoic/parse.h"

int stoic_optimiser_states(const stoic_train_options *options) {
    if (options->optimiser != STOIC_SGD)
        return 2;
    return options->momentum > 0 ? 1 : 0;
}

/* x^n by repeated squaring: no libm. */
static double power(double x, int64_t n) {
    double result = 1;
    for (; n > 0; n >>= 1, x *= x) {
        if (n & 1)
            result *= x;
    }
    return result;
}

static void sgd(const stoic_train_options *o, double lr, double factor, int64_t n, float *w,
                const float *g, float *m) {
    const stoic_sgd sgd = {.lr = (float)lr,
                           .momentum = (float)o->momentum,
                           .decay = (float)o->weight_decay,
                           .factor = (float)factor,
                           .nesterov = o->nesterov};
    stoic_gradient_kernels_get()->sgd(&sgd, w, g, m, n);
}

static void adam(const stoic_train_options *o, double lr, double factor, int64_t step, int64_t n,
                 float *w, const float *g, float *m, float *v) {
    bool decoupled = o->optimiser == STOIC_ADAMW;
    const stoic_adam adam = {.beta1 = (float)o->beta1,
                             .beta2 = (float)o->beta2,
                             .epsilon = (float)o->epsilon,
                             .decay = decoupled ? 0 : (float)o->weight_decay,
                             .factor = (float)factor,
                             .keep = decoupled ? (float)(1 - lr * o->weight_decay) : 1,
                             .rate = (float)(lr / (1 - power(o->beta1, step + 1))),
                             .correct = (float)(1 / sqrt(1 - power(o->beta2, step + 1)))};
    stoic_gradient_kernels_get()->adam(&adam, w, g, m, v, n);
}

void stoic_optimiser_update(const stoic_train_options *options, double lr, double factor,
                            int64_t step, int64_t n, float *w, const float *g, float *m, float *v) {
    if (options->optimiser == STOIC_SGD)
        sgd(options, lr, factor, n, w, g, m);
    else
        adam(options, lr, factor, step, n, w, g, m, v);
}

/* ---- schedules ---- */

static stoic_status parse_step(const char *text, stoic_lr *lr, stoic_error *err) {
    char epochs[32];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof epochs)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--schedule",
                          "expected step:EPOCHS:FACTOR, found 'step:%s'", text);
    snprintf(epochs, sizeof epochs, "%.*s", (int)(colon - text), text);
    stoic_status status = STOIC_OK;
    TRY(stoic_parse_count(epochs, "--schedule step:EPOCHS", 1, 1000000, &lr->every, err));
    TRY(stoic_parse_number(colon + 1, "--schedule step:EPOCHS:FACTOR", &lr->factor, err));
    if (!(lr->factor > 0 && lr->factor <= 1))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--schedule",
                            "expected a factor above 0 and at most 1, found '%s'", colon + 1);
done:
    return status;
}

static stoic_status parse_schedule(const char *text, stoic_lr *lr, stoic_error *err) {
    if (!text || strcmp(text, "none") == 0)
        return STOIC_OK;
    if (strncmp(text, "cosine", 6) == 0 && (!text[6] || text[6] == ':')) {
        lr->kind = STOIC_LR_COSINE;
        if (!text[6])
            return STOIC_OK;
        stoic_status status =
            stoic_parse_number(text + 7, "--schedule cosine:MIN", &lr->minimum, err);
        if (status == STOIC_OK && !(lr->minimum >= 0 && lr->minimum <= lr->base))
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "--schedule",
                                "cosine:MIN needs a minimum from 0 to the learning rate %g, found "
                                "'%s'",
                                lr->base, text + 7);
        return status;
    }
    if (strncmp(text, "step:", 5) == 0) {
        lr->kind = STOIC_LR_STEP;
        return parse_step(text + 5, lr, err);
    }
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "--schedule",
                      "unknown schedule '%s', expected none, cosine[:MIN] or step:EPOCHS:FACTOR",
                      text);
}

stoic_status stoic_lr_create(const stoic_train_options *options, int64_t batches, stoic_lr *out,
                             stoic_error *err) {
    *out = (stoic_lr){.base = options->lr,
                      .warmup = options->warmup,
                      .epochs = options->epochs,
                      .batches = batches};
    return parse_schedule(options->schedule, out, err);
}

double stoic_lr_at(const stoic_lr *lr, int64_t step) {
    double rate = lr->base, epoch = (double)step / (double)lr->batches;
    if (epoch < lr->warmup)
        return rate * ((double)(step + 1) / (double)lr->batches) / lr->warmup < rate
                   ? rate * ((double)(step + 1) / (double)lr->batches) / lr->warmup
                   : rate;
    if (lr->kind == STOIC_LR_STEP)
        return rate * power(lr->factor, step / lr->batches / lr->every);
    if (lr->kind == STOIC_LR_COSINE) {
        /* from the end of the warm-up, so that the curve has no step */
        double left = (double)lr->epochs - lr->warmup;
        double done = left > 0 ? (epoch - lr->warmup) / left : 1;
        return lr->minimum +
               (rate - lr->minimum) * 0.5 * (1 + stoic_cos_turns_portable(0.5 * done));
    }
    return rate;
}
