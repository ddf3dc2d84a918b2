/* Any bytes at all: the ONNX reader answers with a model or with a message. A model that it
 * accepts survives a round trip through the writer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "model/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the writer gives for `model` reads back as the same model. */
static void round_trip(const stoic_model *model) {
    char path[64];
    uint8_t *bytes = NULL, before[16], after[16];
    size_t size = 0;
    stoic_model *again = NULL;
    stoic_error err = {0};
    snprintf(path, sizeof path, "/dev/shm/stoic-fuzz-%ld.onnx", (long)getpid());
    stoic_status status = stoic_model_write(model, path, &err);
    if (status == STOIC_OK)
        status = stoic_file_read(path, SIZE_MAX, &bytes, &size, &err);
    if (status == STOIC_OK)
        status = stoic_model_parse(bytes, size, NULL, &again, &err);
    if (status != STOIC_OK) {
        fprintf(stderr, "round trip: %s: %s\n", err.place, err.message);
        abort();
    }
    stoic_model_digest(model, before);
    stoic_model_digest(again, after);
    if (memcmp(before, after, sizeof before) != 0) {
        fprintf(stderr, "round trip: another model\n");
        abort();
    }
    stoic_model_free(again);
    free(bytes);
    remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    stoic_status status = stoic_model_parse(data, size, NULL, &model, &err);
    if (status == STOIC_OK)
        round_trip(model);
    else if (err.code != status || !*err.message)
        abort();
    stoic_model_free(model);
    return 0;
}
