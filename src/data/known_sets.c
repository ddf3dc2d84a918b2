#include "data/known_sets.h"

#include <string.h>

#include "stoic/dataset.h"

static const char *const clothes[] = {"t-shirt/top", "trouser", "pullover", "dress", "coat",
                                      "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const things[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                     "dog",      "frog",       "horse", "ship", "truck"};

#define IDX_FILES                                                                                  \
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "                \
    "t10k-labels-idx1-ubyte (gzipped or not)"

/* X(name, classes, channels, mean, std, class names, how to get it) */
#define KNOWN_SETS(X)                                                                              \
    X("fashion-mnist", 10, 1, "0.2860", "0.3530", clothes,                                         \
      "apt-get install dataset-fashion-mnist, or put " IDX_FILES " into ")                         \
    X("mnist", 10, 1, "0.1307", "0.3081", digits, "put " IDX_FILES " into ")                       \
    X("cifar10", 10, 3, "0.4914,0.4822,0.4465", "0.2470,0.2435,0.2616", things,                    \
      "put data_batch_1.bin to data_batch_5.bin and test_batch.bin of the binary "                 \
      "version, or class folders of images below train and test, into ")                           \
    X("cifar100", 100, 3, "0.5071,0.4865,0.4409", "0.2673,0.2564,0.2762", NULL,                    \
      "put train.bin and test.bin of the binary version, or class folders of images "              \
      "below train and test, into ")

#define KNOWN_SET(...) {__VA_ARGS__},
static const stoic_known_set sets[] = {KNOWN_SETS(KNOWN_SET)};
#define KNOWN_NAME(name, ...) name,
const char *const stoic_known_set_names[] = {KNOWN_SETS(KNOWN_NAME) NULL};

const stoic_known_set *stoic_known_set_find(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strlen(sets[i].name) == length && !strncmp(sets[i].name, name, length))
            return &sets[i];
    }
    return NULL;
}

const char *stoic_dataset_known(size_t i) {
    for (size_t k = 0; k < i; k++) {
        if (!stoic_known_set_names[k])
            return NULL;
    }
    return stoic_known_set_names[i];
}
