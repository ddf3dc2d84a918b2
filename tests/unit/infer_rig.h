/* Protected weight files of models, in memory, and runs of them. */
#ifndef STOIC_TEST_INFER_RIG_H
#define STOIC_TEST_INFER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/pool.h"
#include "infer/infer_inside.h"
#include "rounding_bound.h"
#include "runtime/walk.h"
#include "small_networks.h"
#include "stoic/infer.h"
#include "store/bulk.h"
#include "store/stw_sheet.h"

extern const stoic_run_loops stoic_run_loops_portable;
extern const stoic_byte_kernels stoic_byte_kernels_portable;
#ifdef __x86_64__
extern const stoic_run_loops stoic_run_loops_avx2, stoic_run_loops_avx512;
extern const stoic_byte_kernels stoic_byte_kernels_avx2, stoic_byte_kernels_vbmi;
#endif

/* A file in memory, and the network that it must compute. */
typedef struct stw_file {
    stoic_store *store;
    stoic_model *golden;
    uint8_t *bytes;
    size_t size;
    stoic_run_facts facts;
} stw_file;

static inline stoic_status stw_write(const stoic_store *store, uint8_t **bytes, size_t *size,
                                     stoic_error *err) {
    char path[] = "/tmp/stoic-stw-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    stoic_status status = stoic_store_write(store, path, err);
    if (status == STOIC_OK)
        status = stoic_file_read(path, SIZE_MAX / 2, bytes, size, err);
    remove(path);
    return status;
}

static inline stw_file stw_make(const stoic_model *model, const char *spec) {
    stw_file f = {0};
    MUST(stoic_store_create(model, spec, &f.store, err));
    MUST(stoic_store_golden(f.store, &f.golden, err));
    MUST(stw_write(f.store, &f.bytes, &f.size, err));
    uint8_t *same = NULL; /* without a file */
    size_t size;
    MUST(stoic_store_write_memory(f.store, &same, &size, err));
    assert_int_equal(size, f.size);
    assert_memory_equal(same, f.bytes, size);
    free(same);
    MUST(stoic_run_look(f.bytes, f.size, "file", &f.facts, err));
    return f;
}

/* Does the core run this model? What it does not is refused as unsupported. */
static inline bool stw_runs(const stoic_model *model, const char *spec) {
    stoic_store *store = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    stoic_error told = {0};
    MUST(stoic_store_create(model, spec, &store, err));
    stoic_status status = stw_write(store, &bytes, &size, &told);
    free(bytes);
    stoic_store_free(store);
    assert_true(status == STOIC_OK || status == STOIC_ERR_UNSUPPORTED);
    return status == STOIC_OK;
}

static inline void stw_free(stw_file *f) {
    stoic_store_free(f->store);
    stoic_model_free(f->golden);
    free(f->bytes);
}

enum { STW_SETS = 5 };

/* The sets there are: the plain definitions, then those this processor has. */
static inline int stw_sets(stoic_run_set sets[STW_SETS]) {
    const stoic_store_kernels *words[3] = {0};
    int n = stoic_store_kernels_all(words) + 1;
    sets[0] = (stoic_run_set){words[0], &stoic_byte_kernels_portable, &stoic_run_loops_plain};
    sets[1] = (stoic_run_set){words[0], &stoic_byte_kernels_portable, &stoic_run_loops_portable};
#ifdef __x86_64__
    sets[2] = (stoic_run_set){words[1], &stoic_byte_kernels_avx2, &stoic_run_loops_avx2};
    sets[3] = (stoic_run_set){words[2], &stoic_byte_kernels_avx2, &stoic_run_loops_avx512};
    sets[4] = (stoic_run_set){words[2], &stoic_byte_kernels_vbmi, &stoic_run_loops_avx512};
    n += stoic_cpu_permutes_bytes();
#endif
    return n;
}

/* A started run in memory of its own. */
typedef struct stw_run {
    stoic_run *run;
    void *memory;
    uint64_t bytes;
} stw_run;

static inline stw_run stw_start_as(const stw_file *f, const stoic_run_set *set, int batch,
                                   stoic_activations as) {
    stw_run r = {0};
    MUST(stoic_run_memory(f->bytes, f->size, "file", batch, as, &r.bytes, err));
    r.memory = aligned_alloc(64, r.bytes);
    assert_non_null(r.memory);
    memset(r.memory, 0xff, r.bytes); /* NaN: nothing may be read before it is written */
    if (set)
        MUST(stoic_run_start_with(set, f->bytes, f->size, "file", NULL, batch, as, r.memory,
                                  r.bytes, &r.run, err));
    else
        MUST(stoic_run_start(f->bytes, f->size, "file", NULL, batch, as, r.memory, r.bytes, &r.run,
                             err));
    return r;
}

static inline stw_run stw_start(const stw_file *f, const stoic_run_set *set, int batch) {
    return stw_start_as(f, set, batch, STOIC_FP32_ACTIVATIONS);
}

/* Writes the ranges of some images into a file. */
static inline void stw_calibrate(stw_file *f, const float *images, int n) {
    stw_run r = stw_start(f, NULL, n);
    stoic_range *seen = calloc(r.run->file.head->n_nodes, sizeof *seen);
    float *out = kit_floats(n * f->facts.classes);
    assert_non_null(seen);
    for (uint32_t i = 0; i < r.run->file.head->n_nodes; i++)
        seen[i].finite = true;
    r.run->seen = seen;
    MUST(stoic_run_images(r.run, images, n, out, NULL, err));
    MUST(stoic_infer_set_ranges(f->bytes, &r.run->file, "file", seen, err));
    MUST(stoic_run_look(f->bytes, f->size, "file", &f->facts, err));
    assert_true(f->facts.calibrated);
    free(seen);
    free(out);
    free(r.memory);
}

/* n images in pieces of `batch`. */
static inline float *stw_outputs_as(const stw_file *f, const stoic_run_set *set, int batch,
                                    stoic_activations as, const float *images, int n) {
    stw_run r = stw_start_as(f, set, batch, as);
    float *out = kit_floats(n * f->facts.classes);
    for (int i = 0; i < n; i += batch) {
        int m = n - i < batch ? n - i : batch;
        MUST(stoic_run_images(r.run, images + i * f->facts.input, m, out + i * f->facts.classes,
                              NULL, err));
    }
    free(r.memory);
    return out;
}

static inline float *stw_outputs(const stw_file *f, const stoic_run_set *set, int batch,
                                 const float *images, int n) {
    return stw_outputs_as(f, set, batch, STOIC_FP32_ACTIVATIONS, images, n);
}

/* Words corrected and found wrong in the last pass. */
static inline stoic_reading stw_told(const stw_file *f, const stw_run *r) {
    stoic_reading all = {0};
    for (int i = 0; i < f->facts.tensors; i++) {
        stoic_run_count told;
        stoic_run_counts(r->run, i, &told);
        all.corrected += told.corrected;
        all.detected += told.detected;
    }
    return all;
}

#endif
