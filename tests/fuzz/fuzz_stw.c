/* Any bytes at all as a protected weight file: refused with a message, or run. A checksum that does
 * not fit is mended first, or hardly anything would get past it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_FLOATS = 4096, MOST_BYTES = 1 << 22, MOST_WORK = 1 << 20 };

static void mend(uint8_t *bytes, size_t size) {
    stoic_stw_header *h = (void *)bytes;
    if (size < sizeof *h || h->words_at < STOIC_STW_CHECKED || h->words_at > size)
        return;
    h->file_bytes = size;
    h->checksum = stoic_stw_checksum(bytes + STOIC_STW_CHECKED, h->words_at - STOIC_STW_CHECKED);
}

/* Multiply-adds of a run, roughly: hostile files ask for more than a fuzzer has time for. */
static uint64_t work_of(const stoic_run *run) {
    uint64_t work = 0;
    for (uint32_t i = 0; i < run->file.head->n_nodes; i++) {
        const stoic_stw_node *n = &run->file.nodes[i];
        const uint64_t out = stoic_stw_elements(&run->file.values[n->out]);
        const uint64_t taps = (uint64_t)n->kernel[0] * n->kernel[1];
        const uint64_t in = run->file.values[n->in[0]].channels;
        work += out < MOST_WORK && taps < MOST_WORK ? out * (taps + 1) * in : MOST_WORK;
    }
    return work;
}

static void run_it(const uint8_t *bytes, size_t size, const stoic_run_facts *facts,
                   stoic_activations as, uint64_t need) {
    stoic_run *run = NULL;
    void *memory = aligned_alloc(64, need);
    float *images = calloc((size_t)facts->input, sizeof *images);
    float *outputs = calloc((size_t)facts->classes, sizeof *outputs);
    if (!memory || !images || !outputs)
        abort();
    if (stoic_run_start(bytes, size, "fuzz", NULL, 1, as, memory, need, &run, NULL) != STOIC_OK)
        abort();
    if (work_of(run) < MOST_WORK && stoic_run_images(run, images, 1, outputs, NULL, NULL))
        abort();
    free(memory);
    free(images);
    free(outputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoic_run_facts facts;
    stoic_error err = {0};
    uint64_t need;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    stoic_status status = stoic_run_look(bytes, size, "fuzz", &facts, &err);
    if (status != STOIC_OK && (err.code != status || !*err.message))
        abort();
    mend(bytes, size);
    if (stoic_run_look(bytes, size, "fuzz", &facts, NULL) == STOIC_OK &&
        facts.input < MOST_FLOATS && facts.classes < MOST_FLOATS) {
        for (int as = STOIC_FP32_ACTIVATIONS; as <= STOIC_INT8_ACTIVATIONS; as++) {
            if (stoic_run_memory(bytes, size, "fuzz", 1, (stoic_activations)as, &need, NULL) ==
                    STOIC_OK &&
                need < MOST_BYTES)
                run_it(bytes, size, &facts, (stoic_activations)as, need);
        }
    }
    free(bytes);
    return 0;
}
