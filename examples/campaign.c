/* A fault campaign with libstoic: one stored bit of the first layer flipped, 100 times over.
 *   cc campaign.c -o campaign $(pkg-config --cflags --libs stoic)
 *   ./campaign models/lenet5-fashion-mnist.onnx fashion-mnist flips.db
 * Run it again and it finds all its trials in flips.db. */
#include <stdio.h>
#include <stoic/stoic.h>

/* Called for every trial of a campaign file, in order. */
static bool keep_worst(void *user, const stoic_record *record) {
    stoic_record *worst = user;
    if (worst->trial < 0 || record->drop > worst->drop)
        *worst = *record;
    return true;
}

int main(int argc, char **argv) {
    stoic_model *model = NULL;
    stoic_dataset *data = NULL;
    stoic_records *records = NULL;
    stoic_error err = {.message = "usage: campaign MODEL.onnx DATA RUN.db"};
    bool failed = true;
    if (argc != 4)
        goto done;

    /* The network, and the first 1,000 images, prepared as the model says. */
    if (stoic_model_read(argv[1], &model, &err))
        goto done;
    stoic_dataset_options images = stoic_dataset_options_default();
    images.model = model;
    images.count = 1000;
    if (stoic_dataset_open(argv[2], &images, &data, &err))
        goto done;

    /* The campaign. Seed 0, the default, draws the same faults whatever the machine. */
    stoic_campaign_options options = stoic_campaign_options_default();
    options.faults = (const char *[]){"flips:1,layer=0"};
    options.n_faults = 1;
    options.trials = 100;
    stoic_summary sum;
    if (stoic_campaign_run(model, data, &options, argv[3], &sum, &err))
        goto done;
    printf("accuracy %.4f without faults, %.4f [%.4f, %.4f] with one\n", sum.golden_accuracy,
           sum.accuracy.value, sum.accuracy.low, sum.accuracy.high);

    /* Its records: what was hit, and what happened. */
    stoic_record worst = {.trial = -1};
    if (stoic_records_open(argv[3], &records, &err) ||
        stoic_records_each(records, keep_worst, &worst, &err))
        goto done;
    printf("worst: trial %d, bit %d of weight %d, %g became %g, accuracy %.4f\n", (int)worst.trial,
           worst.bit, (int)worst.index, (double)worst.before, (double)worst.after, worst.accuracy);
    failed = false;
done:
    if (failed)
        fprintf(stderr, "campaign: %s %s\n", err.place, err.message);
    stoic_records_free(records);
    stoic_dataset_free(data);
    stoic_model_free(model);
    return failed;
}
