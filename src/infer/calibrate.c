/* The ranges of activations, found by running a file on images, and written into it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "infer/infer_inside.h"

enum { AT_ONCE = 32, ALIGN = 64 };

/* Runs the images, by the loops that every machine has, so that the ranges and with them the file
 * are the same on all of its kind; ranges of the inputs of products. */
static stoic_status observe(stoic_infer *infer, const stoic_dataset *data, int64_t images,
                            stoic_range *seen, stoic_error *err) {
    const stoic_run_facts *f = &infer->facts;
    stoic_run *run = NULL;
    stoic_status status = STOIC_OK;
    int labels[AT_ONCE];
    uint64_t bytes;
    void *memory = NULL;
    float *x = calloc(AT_ONCE, (size_t)f->input * sizeof *x);
    float *y = calloc(AT_ONCE, (size_t)f->classes * sizeof *y);
    TRY(stoic_run_memory(infer->bytes, infer->size, infer->path, AT_ONCE, STOIC_FP32_ACTIVATIONS,
                         &bytes, err));
    if (bytes < SIZE_MAX / 2)
        memory = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
    if (!x || !y || !memory) {
        status = stoic_fail_memory(err, "a run", bytes);
        goto done;
    }
    TRY(stoic_run_start(infer->bytes, infer->size, infer->path, NULL, AT_ONCE,
                        STOIC_FP32_ACTIVATIONS, memory, bytes, &run, err));
    run->seen = seen;
    for (int64_t i = 0; i < images; i += AT_ONCE) {
        const int n = images - i < AT_ONCE ? (int)(images - i) : AT_ONCE;
        TRY(stoic_dataset_read(data, i, n, x, labels, err));
        TRY(stoic_run_images(run, x, n, y, NULL, err));
    }
done:
    free(memory);
    free(x);
    free(y);
    return status;
}

/* 256 steps over a range and zero; zero has a code. */
static bool set_range(stoic_stw_node *node, const stoic_range *seen) {
    const double low = seen->low < 0 ? (double)seen->low : 0;
    const double high = seen->high > 0 ? (double)seen->high : 0;
    const double step = (high - low) / 255;
    if (!seen->finite || step > 1.0 / (double)STOIC_STW_LEAST_STEP)
        return false;
    node->step = step < (double)STOIC_STW_LEAST_STEP ? 1.0f : (float)step; /* all zero, or nearly */
    node->zero_code = (uint32_t)rint(-low / (double)node->step);
    return true;
}

stoic_status stoic_infer_set_ranges(uint8_t *bytes, const stoic_stw *file, const char *name,
                                    const stoic_range *seen, stoic_error *err) {
    stoic_stw_header *head = (void *)bytes;
    stoic_stw_node *nodes = (void *)(bytes + head->nodes_at);
    for (uint32_t i = 0; i < head->n_nodes; i++) {
        const bool product = nodes[i].op == STOIC_STW_CONV || nodes[i].op == STOIC_STW_GEMM;
        if (product && !set_range(&nodes[i], &seen[i]))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "activations in front of '%s' are not finite",
                              file->texts + file->tensors[nodes[i].tensor[0]].name_text);
    }
    head->version = STOIC_STW_CALIBRATED;
    head->checksum =
        stoic_stw_checksum(bytes + STOIC_STW_CHECKED, head->words_at - STOIC_STW_CHECKED);
    return STOIC_OK;
}

stoic_status stoic_infer_calibrate(const char *path, const stoic_dataset *data, int64_t images,
                                   stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_infer *infer = NULL;
    stoic_range *seen = NULL;
    TRY(stoic_infer_open(path, &infer, err));
    TRY(stoic_run_integers_check(&infer->file, path, false, err));
    if (images > stoic_dataset_count(data))
        images = stoic_dataset_count(data);
    if (images < 1 || stoic_shape_count(stoic_dataset_shape(data)) != infer->facts.input) {
        status = stoic_fail(err, STOIC_ERR_SHAPE, path,
                            "no images to calibrate with, or not those of the network's input");
        goto done;
    }
    const uint32_t nodes = infer->file.head->n_nodes;
    seen = calloc(nodes, sizeof *seen);
    if (!seen) {
        status = stoic_fail_memory(err, "ranges", nodes * sizeof *seen);
        goto done;
    }
    for (uint32_t i = 0; i < nodes; i++)
        seen[i].finite = true; /* and zero is among them */
    TRY(observe(infer, data, images, seen, err));
    TRY(stoic_infer_set_ranges(infer->bytes, &infer->file, path, seen, err));
    status = stoic_file_write(path, infer->bytes, infer->size, err);
done:
    free(seen);
    stoic_infer_free(infer);
    return status;
}
