/* Gradients of the loss with respect to the weights as they are now, over all images. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "study/attack_inside.h"
#include "train/gradient.h"

enum { BATCH = 64 };

typedef struct batches {
    stoic_attack_run *run;
    stoic_tape *tape;
    int *entry_of;   /* parameter of the tape -> entry, -1 */
    int64_t *usable; /* images whose outputs are finite: a NaN would spoil the sum over the batch,
                        and such an image is lost already */
    int64_t n_usable, batch;
    float *images;
    int *labels;
    stoic_loss loss;
} batches;

static void find_usable(batches *b) {
    const stoic_golden_outputs *g = stoic_engine_outputs(b->run->engine);
    for (int64_t i = 0; i < b->run->result->images; i++) {
        bool finite = true;
        for (int64_t k = 0; k < g->classes; k++)
            finite = finite && isfinite(g->values[i * g->classes + k]);
        if (finite)
            b->usable[b->n_usable++] = i;
    }
}

static stoic_status create(batches *b, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_attack_run *run = b->run;
    int64_t size = stoic_shape_count(stoic_dataset_shape(run->data));
    b->batch = b->n_usable < BATCH ? b->n_usable : BATCH;
    b->loss = (stoic_loss){stoic_loss_choose(run->current, STOIC_LOSS_AUTO), 0, b->n_usable};
    b->images = malloc((size_t)(b->batch * size) * sizeof *b->images);
    b->labels = malloc((size_t)b->batch * sizeof *b->labels);
    if (!b->images || !b->labels)
        return stoic_fail_memory(err, "a batch", (unsigned long long)(b->batch * size) * 4);
    stoic_tape_options options = {.batch = b->batch, .inference = true};
    TRY(stoic_tape_create(run->current, &options, run->team, &b->tape, err));
    int params = stoic_tape_param_count(b->tape);
    b->entry_of = malloc(((size_t)params + 1) * sizeof *b->entry_of);
    if (!b->entry_of)
        return stoic_fail_memory(err, "a batch", (size_t)params * sizeof *b->entry_of);
    for (int i = 0; i < params; i++) {
        b->entry_of[i] = -1;
        for (int e = 0; e < stoic_store_entry_count(run->store); e++) {
            if (stoic_store_entry_at(run->store, e)->tensor ==
                stoic_tape_param_at(b->tape, i)->tensor)
                b->entry_of[i] = e;
        }
    }
done:
    return status;
}

/* Images from `first` of the usable ones on; a last, smaller batch is filled up. */
static stoic_status read_batch(batches *b, int64_t first, int64_t *count, stoic_error *err) {
    int64_t size = stoic_shape_count(stoic_dataset_shape(b->run->data));
    *count = b->n_usable - first < b->batch ? b->n_usable - first : b->batch;
    for (int64_t i = 0; i < b->batch; i++) {
        int64_t image = b->usable[first + (i < *count ? i : 0)];
        stoic_status status =
            stoic_dataset_read(b->run->data, image, 1, b->images + i * size, b->labels + i, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

static void add_up(const batches *b) {
    for (int i = 0; i < stoic_tape_param_count(b->tape); i++) {
        const stoic_tape_param *p = stoic_tape_param_at(b->tape, i);
        for (int64_t k = 0; b->entry_of[i] >= 0 && k < p->count; k++) {
            if (isfinite(p->gradient[k]))
                b->run->gradients[b->entry_of[i]][k] += p->gradient[k];
        }
    }
}

static stoic_status allocate(stoic_attack_run *run, stoic_error *err) {
    int entries = stoic_store_entry_count(run->store);
    if (!run->gradients)
        run->gradients = calloc((size_t)entries + 1, sizeof *run->gradients);
    for (int e = 0; run->gradients && e < entries; e++) {
        size_t bytes = (size_t)stoic_store_entry_at(run->store, e)->weights * sizeof(float);
        if (!run->gradients[e])
            run->gradients[e] = malloc(bytes + 1);
        if (!run->gradients[e])
            return stoic_fail_memory(err, "gradients", bytes);
        memset(run->gradients[e], 0, bytes);
    }
    return run->gradients ? STOIC_OK : stoic_fail_memory(err, "gradients", (unsigned)entries);
}

void stoic_attack_gradient_free(stoic_attack_run *run) {
    for (int e = 0; run->gradients && e < stoic_store_entry_count(run->store); e++)
        free(run->gradients[e]);
    free(run->gradients);
}

stoic_status stoic_attack_gradient(stoic_attack_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    batches b = {.run = run};
    TRY(allocate(run, err));
    b.usable = malloc((size_t)run->result->images * sizeof *b.usable);
    if (!b.usable)
        return stoic_fail_memory(err, "a batch", (size_t)run->result->images * 8);
    find_usable(&b);
    if (b.n_usable == 0)
        goto done;
    TRY(create(&b, err));
    for (int64_t first = 0; first < b.n_usable; first += b.batch) {
        stoic_gradient_batch batch = {.team = run->team,
                                      .tape = b.tape,
                                      .loss = &b.loss,
                                      .classes = stoic_model_classes(run->current),
                                      .images = b.images,
                                      .labels = b.labels,
                                      .finite_only = true};
        if (stoic_stop_asked(run->options->cancel))
            break;
        TRY(read_batch(&b, first, &batch.count, err));
        TRY(stoic_gradient_run(&batch, err));
        add_up(&b);
    }
done:
    stoic_tape_free(b.tape);
    free(b.entry_of);
    free(b.usable);
    free(b.images);
    free(b.labels);
    return status;
}
