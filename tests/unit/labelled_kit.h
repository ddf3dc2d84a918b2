/* Images that a network itself has labelled: without faults it gets all of them right. */
#ifndef STOIC_TEST_LABELLED_KIT_H
#define STOIC_TEST_LABELLED_KIT_H

#include "data_kit.h"
#include "exec_kit.h"

/* `count` images of one channel, side x side, each pixel from -reach to reach. */
static inline stoic_dataset *kit_labelled(const stoic_model *model, int count, int side,
                                          float reach) {
    const size_t size = (size_t)(count * side * side) * sizeof(float);
    int64_t classes = stoic_model_classes(model);
    float *x = malloc(size);
    int64_t *labels = calloc((size_t)count, sizeof *labels);
    char header[160];
    stoic_rng rng = kit_rng(6);
    assert_non_null(x);
    assert_non_null(labels);
    for (int i = 0; i < count * side * side; i++)
        x[i] = kit_uniform(&rng, -reach, reach);
    float *y = kit_run(model, 0, false, x, count);
    for (int i = 0; i < count; i++)
        labels[i] = stoic_top1(y + i * classes, classes, NULL);
    stoic_dataset_options options = stoic_dataset_options_default();
    snprintf(header, sizeof header,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 1, %d, %d), }\n", count, side,
             side);
    save_npy("x.npy", header, x, size);
    snprintf(header, sizeof header, "{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }\n",
             count);
    save_npy("y.npy", header, labels, (size_t)count * sizeof *labels);
    free(y);
    free(labels);
    free(x);
    return open_ok(spec_of("npy:%s/x.npy,%s/y.npy"), &options);
}

#endif
