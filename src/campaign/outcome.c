#include "campaign/outcome.h"

#include <math.h>
#include <string.h>

#include "stoic/session.h"

void stoic_tallying_begin(stoic_tallying *t, const stoic_golden_outputs *golden, int64_t first,
                          int64_t count, const int32_t *images, int64_t n_images, bool all,
                          stoic_counts *counts, uint8_t *outcome) {
    *t = (stoic_tallying){golden, first, all, counts, outcome, images, images ? n_images : count};
    *counts = (stoic_counts){.images = t->n};
    for (int64_t k = 0; k < t->n; k++) {
        int64_t i = first + (images ? images[k] : k);
        if (golden->alarm[i]) {
            counts->due++;
            if (outcome)
                outcome[k] = 0;
            continue;
        }
        counts->correct += golden->hits[i];
        counts->nan += golden->nan[i];
        if (outcome)
            outcome[k] = (uint8_t)(golden->hits[i] << 1 | golden->nan[i] << 2);
    }
    counts->masked = t->n - counts->due;
    if (!all)
        counts->masked = counts->tolerable = counts->sdc5 = counts->sdc10 = counts->sdc20 = -1;
}

void stoic_tallying_again(stoic_tallying *t, const stoic_golden_outputs *golden, int64_t first,
                          bool all, const stoic_counts *begun, stoic_counts *counts) {
    *t = (stoic_tallying){golden, first, all, counts, NULL, NULL, begun->images};
    *counts = *begun;
}

void stoic_tallying_due(stoic_tallying *t) {
    t->counts->due = t->n;
    t->counts->correct = t->counts->nan = 0;
    if (t->all)
        t->counts->masked = 0;
    if (t->outcome)
        memset(t->outcome, 0, (size_t)t->n);
}

static int64_t slot(const stoic_tallying *t, int image) {
    if (!t->images)
        return image;
    int64_t low = 0, high = t->n - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (t->images[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool critical(const stoic_tallying *t, int64_t i, int top1, bool nan) {
    if (nan && t->golden->nan_rule == STOIC_NAN_STRICT && !t->golden->nan[i])
        return true;
    return top1 != t->golden->top1[i];
}

/* The image as stoic_tallying_begin() counted it, taken back. */
static void take_back(stoic_tallying *t, int64_t i) {
    if (t->golden->alarm[i]) {
        t->counts->due--;
        t->counts->masked += t->all;
        return;
    }
    t->counts->correct -= t->golden->hits[i];
    t->counts->nan -= t->golden->nan[i];
}

static void count(stoic_tallying *t, int image, int top1, bool nan) {
    int64_t i = t->first + image;
    bool correct =
        top1 == t->golden->labels[i] && !(nan && t->golden->nan_rule == STOIC_NAN_STRICT);
    bool wrong = critical(t, i, top1, nan);
    take_back(t, i);
    t->counts->correct += correct;
    t->counts->nan += nan;
    t->counts->critical += wrong;
    if (t->outcome)
        t->outcome[slot(t, image)] = (uint8_t)(wrong | correct << 1 | nan << 2);
}

void stoic_tallying_top1(void *tallying, int image, int top1) {
    count(tallying, image, top1, false);
}

static bool identical(const float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    }
    return true;
}

/* Is `top1` outside the five largest golden outputs (ties: the lower index is larger)? */
static bool outside_top5(const float *golden, int64_t classes, int top1) {
    int above = 0;
    for (int64_t i = 0; i < classes; i++)
        above += golden[i] > golden[top1] || (golden[i] == golden[top1] && i < top1);
    return above >= 5;
}

static bool moved(float golden, float now, double share) {
    return !(fabs((double)now - (double)golden) <= share * fabs((double)golden));
}

static void count_due(stoic_tallying *t, int image) {
    take_back(t, t->first + image);
    t->counts->due++;
    t->counts->masked -= t->all;
    if (t->outcome)
        t->outcome[slot(t, image)] = 0;
}

void stoic_tallying_output(void *tallying, int image, const float *output, bool alarm) {
    stoic_tallying *t = tallying;
    int64_t i = t->first + image, classes = t->golden->classes;
    const float *golden = t->golden->values + i * classes;
    bool nan;
    if (alarm) {
        count_due(t, image);
        return;
    }
    int top1 = stoic_top1(output, classes, &nan);
    count(t, image, top1, nan);
    if (!t->all || identical(output, golden, classes))
        return;
    t->counts->masked--;
    if (!critical(t, i, top1, nan))
        t->counts->tolerable++;
    t->counts->sdc5 += outside_top5(golden, classes, top1);
    int best = t->golden->top1[i];
    t->counts->sdc10 += moved(golden[best], output[best], 0.1);
    t->counts->sdc20 += moved(golden[best], output[best], 0.2);
}
