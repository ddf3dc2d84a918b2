/*
 * Encode and decode of whole stores against memcpy of the same weights, in turn, in one run.
 *
 *   bench/store [MODEL.onnx [REPEAT]]      (default: an untrained vgg11-cifar, 5 times)
 *
 * Per store: bits a weight; GB of float32 weights a second, encoded (stoic_store_create) and
 * decoded (stoic_store_decode); both as a share of memcpy. Medians of one thread's CPU time, the
 * kernel's part included, so that what else runs on the machine disturbs less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stoic/stoic.h"

static const char *const specs[] = {"fp32",
                                    "fp16",
                                    "bf16",
                                    "fp32,scale=max:1.9999,protect=exponent-msb",
                                    "fp16,scale=max:1.9999,protect=exponent-msb",
                                    "q2.5,scale=max:1.97",
                                    "int8",
                                    "affine:8",
                                    "affine:8,code=msb3",
                                    "affine:5,code=msb3",
                                    "affine:4,code=msb3",
                                    "affine:3,code=msb3",
                                    "affine:5",
                                    "affine:5,granularity=channel",
                                    "fp16,code=rep:6",
                                    "int8,code=tmr",
                                    "fp32,code=tmr",
                                    "fp32,code=secded39",
                                    "fp32,code=secded72",
                                    "fp16,code=secded72",
                                    "int8,code=secded72",
                                    "affine:5,code=secded72",
                                    "int8,code=zerospace64",
                                    "q2.5,code=parity64"};
enum { N_SPECS = sizeof specs / sizeof *specs, MOST = 64 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

static int fail(const stoic_error *err) {
    fprintf(stderr, "bench/store: %s\n", err->message);
    return 1;
}

/* One round of a store: its seconds to encode and to decode. */
static stoic_status measure(const stoic_model *model, const char *spec, float *out, double *encode,
                            double *decode, double *bits, stoic_error *err) {
    stoic_store *store = NULL;
    double start = now();
    stoic_status status = stoic_store_create(model, spec, &store, err);
    *encode = now() - start;
    if (status != STOIC_OK)
        return status;
    stoic_store_facts facts;
    stoic_store_describe(store, &facts);
    *bits = (double)facts.total_bits / (double)facts.weights;
    start = now();
    for (int i = 0; i < stoic_store_entry_count(store) && status == STOIC_OK; i++)
        status = stoic_store_decode(store, i, out, err);
    *decode = now() - start;
    stoic_store_free(store);
    return status;
}

int main(int argc, char **argv) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    int repeat = argc > 2 ? atoi(argv[2]) : 5;
    stoic_status status = argc > 1 ? stoic_model_read(argv[1], &model, &err)
                                   : stoic_zoo_build("vgg11-cifar", 0, &model, &err);
    if (status != STOIC_OK)
        return fail(&err);
    if (repeat < 1 || repeat > MOST)
        repeat = 5;
    size_t n = (size_t)stoic_model_parameters(model), largest = n * sizeof(float);
    float *from = malloc(largest), *to = malloc(largest);
    if (!from || !to)
        return 1;
    memset(from, 1, largest);
    memset(to, 1, largest);
    double gigabytes = 0, copies[MOST];
    stoic_store *plain = NULL;
    if (stoic_store_create(model, "fp32", &plain, &err) != STOIC_OK)
        return fail(&err);
    gigabytes = (double)stoic_store_total_bits(plain) / 8e9;
    printf("%.1f M weights, medians of %d, one thread\n", gigabytes * 250, repeat);
    printf("%-45s %7s %8s %8s %9s %9s\n", "store", "bits", "encode", "decode", "of memcpy",
           "of memcpy");
    for (int s = 0; s < N_SPECS; s++) {
        double encode[MOST], decode[MOST], bits = 0;
        for (int r = 0; r < repeat; r++) {
            double start = now();
            memcpy(to, from, (size_t)(gigabytes * 1e9));
            copies[r] = now() - start;
            if (measure(model, specs[s], to, &encode[r], &decode[r], &bits, &err) != STOIC_OK)
                return fail(&err);
        }
        double e = median(encode, repeat), d = median(decode, repeat), c = median(copies, repeat);
        printf("%-45s %7.3f %8.2f %8.2f %8.0f%% %8.0f%%\n", specs[s], bits, gigabytes / e,
               gigabytes / d, 100 * c / e, 100 * c / d);
        fflush(stdout);
    }
    stoic_store_free(plain);
    stoic_model_free(model);
    free(from);
    free(to);
    return 0;
}
