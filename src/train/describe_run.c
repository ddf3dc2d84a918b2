/* What a training run is, in words: for the checkpoint and for the model's metadata. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "base/text.h"
#include "stoic/version.h"
#include "train/trainer.h"

#define NAME(enumerator, name, summary) [enumerator] = name,
static const char *const optimisers[] = {STOIC_OPTIMISER_LIST(NAME)};
static const char *const losses[] = {STOIC_LOSS_LIST(NAME)};
#undef NAME

static void number(stoic_text *text, const char *what, double value) {
    stoic_text_puts(text, what);
    stoic_text_number(text, value, false);
}

/* "sgd lr 0.1 momentum 0.9 …": what somebody needs to do it again. */
static stoic_status write_recipe(const stoic_trainer *t, stoic_text *r, stoic_error *err) {
    const stoic_train_options *o = t->options;
    stoic_augment augment;
    char augmentation[STOIC_AUGMENT_TEXT];
    stoic_status status = STOIC_OK;
    TRY(stoic_augment_parse(o->augment ? o->augment : "none", &augment, err));
    TRY(stoic_augment_text(&augment, augmentation, err));
    stoic_text_printf(r, "stoic train --epochs %lld --batch %lld --optimiser %s",
                      (long long)o->epochs, (long long)o->batch, optimisers[o->optimiser]);
    number(r, " --lr ", o->lr);
    if (o->optimiser == STOIC_SGD)
        number(r, " --momentum ", o->momentum);
    if (o->nesterov)
        stoic_text_puts(r, " --nesterov");
    if (o->optimiser != STOIC_SGD) {
        number(r, " --beta1 ", o->beta1);
        number(r, " --beta2 ", o->beta2);
        number(r, " --epsilon ", o->epsilon);
    }
    number(r, " --weight-decay ", o->weight_decay);
    stoic_text_printf(r, " --schedule %s", o->schedule ? o->schedule : "none");
    if (o->warmup > 0)
        number(r, " --warmup ", o->warmup);
    stoic_text_printf(r, " --loss %s", losses[t->loss.kind]);
    if (o->label_smoothing > 0)
        number(r, " --label-smoothing ", o->label_smoothing);
    if (o->clip > 0)
        number(r, " --clip ", o->clip);
    if (stoic_hazards_of_maps(t->hazards))
        stoic_text_printf(r, " --norm-batches %lld", (long long)o->norm_batches);
    stoic_text_printf(r, " --augment %s --seed %llu", augmentation, (unsigned long long)o->seed);
    if (o->store && *o->store)
        stoic_text_printf(r, " --store %s", o->store);
    for (size_t i = 0; i < o->n_faults; i++)
        stoic_text_printf(r, " --fault %s", o->faults[i]);
    stoic_text_printf(r, " (%lld images, stoic %s)", (long long)stoic_dataset_count(t->data),
                      stoic_version());
    status = stoic_text_finish(r, err);
done:
    return status;
}

/* Of all labels and of a sample of the images: reading every file would cost an epoch. */
static stoic_status digest_data(const stoic_dataset *data, char text[STOIC_DIGEST_TEXT],
                                stoic_error *err) {
    enum { SAMPLE = 64 };
    stoic_status status = STOIC_OK;
    uint8_t sum[16];
    size_t size = (size_t)stoic_shape_count(stoic_dataset_shape(data)) * sizeof(float);
    int64_t n = stoic_dataset_count(data), every = n / SAMPLE + 1;
    float *image = malloc(size);
    stoic_digest *digest = stoic_digest_create();
    if (!image || !digest) {
        status = stoic_fail_memory(err, "a digest", size);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        int label = stoic_dataset_label(data, i);
        stoic_digest_add(digest, &label, sizeof label);
    }
    for (int64_t i = 0; i < n; i += every) {
        TRY(stoic_dataset_read(data, i, 1, image, NULL, err));
        stoic_digest_add(digest, image, size);
    }
done:
    if (digest)
        stoic_digest_finish(digest, sum);
    if (status == STOIC_OK)
        stoic_digest_spell(sum, text);
    free(image);
    return status;
}

stoic_status stoic_trainer_describe(stoic_trainer *t, const stoic_model *model, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_text recipe = {0}, identity = {0};
    uint8_t digest[16];
    char network[STOIC_DIGEST_TEXT], data[STOIC_DIGEST_TEXT], test[STOIC_DIGEST_TEXT] = "none";
    stoic_model_digest(model, digest);
    stoic_digest_spell(digest, network);
    TRY(digest_data(t->data, data, err));
    if (t->test)
        TRY(digest_data(t->test, test, err));
    TRY(write_recipe(t, &recipe, err));
    stoic_text_printf(&identity, "recipe: %s\nnetwork: %s\ntraining images: %s\n", recipe.data,
                      network, data);
    stoic_text_printf(&identity, "test images: %s\nfaults: %s\nversion: %s\n", test,
                      stoic_hazards_text(t->hazards), stoic_version());
    stoic_text_printf(&identity, "instruction set: %s, oneDNN %s\n", stoic_version_cpu(),
                      stoic_version_onednn());
    TRY(stoic_text_finish(&identity, err));
    t->recipe = recipe.data;
    t->identity = identity.data;
    return STOIC_OK;
done:
    stoic_text_deinit(&recipe);
    stoic_text_deinit(&identity);
    return status;
}
