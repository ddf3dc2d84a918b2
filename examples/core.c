/* The minimal core on its own: a protected weight file, and images that are made up here.
 *   sh examples/build-core cc core
 *   stoic store MODEL.onnx --store affine:5,code=msb3 -o F.stw
 *   ./core F.stw
 * Prints the classes and outputs of some images. No library but libc and libm is needed, and
 * nothing is allocated: what does not fit into the two arrays is refused. */
#include <stdio.h>
#include <stoic/infer.h>
#include <string.h>

enum {
    FILE_BYTES = 1 << 22,
    RUN_BYTES = 1 << 23,
    IMAGES = 4,
    MOST_INPUT = 1 << 14,
    MOST_CLASSES = 64
};

static _Alignas(64) unsigned char file[FILE_BYTES], memory[RUN_BYTES];
static float images[IMAGES * MOST_INPUT], outputs[IMAGES * MOST_CLASSES];

/* Numbers between -1 and 1, the same everywhere. */
static void make_images(long n) {
    unsigned state = 1;
    for (long i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        images[i] = (float)(int)(state >> 8) / 8388608.0f - 1.0f;
    }
}

static int run_images(const char *path, stoic_activations activations, stoic_error *err) {
    stoic_run_facts facts;
    stoic_run *run = NULL;
    FILE *in = fopen(path, "rb");
    size_t size = in ? fread(file, 1, sizeof file, in) : 0;
    if (in)
        fclose(in);
    if (stoic_run_look(file, size, path, &facts, err))
        return 1;
    if (facts.input > MOST_INPUT || facts.classes > MOST_CLASSES)
        return 1;
    if (stoic_run_start(file, size, path, NULL, IMAGES, activations, memory, sizeof memory, &run,
                        err))
        return 1;
    make_images(IMAGES * facts.input);
    if (stoic_run_images(run, images, IMAGES, outputs, NULL, err))
        return 1;
    for (int i = 0; i < IMAGES; i++) {
        const float *row = outputs + i * facts.classes;
        int best = 0;
        for (int c = 1; c < facts.classes; c++)
            best = row[c] > row[best] ? c : best;
        printf("image %d: class %d, output %.3f\n", i, best, (double)row[best]);
    }
    for (int t = 0; t < facts.tensors; t++) {
        stoic_run_count told;
        stoic_run_counts(run, t, &told);
        if (told.corrected || told.detected)
            printf("%s: corrected %lld, detected %lld\n", told.name, (long long)told.corrected,
                   (long long)told.detected);
    }
    return 0;
}

int main(int argc, char **argv) {
    stoic_error err = {.message = "usage: core FILE.stw [int8]"};
    const bool int8 = argc == 3 && strcmp(argv[2], "int8") == 0;
    if ((argc == 2 || int8) &&
        run_images(argv[1], int8 ? STOIC_INT8_ACTIVATIONS : STOIC_FP32_ACTIVATIONS, &err) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", err.place, err.message);
    return 1;
}
