/* Feeds every file of the given folders, in order of their names, to a fuzz target: what the
 * fuzzer has found once is checked in every build, by any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    uint8_t *data = NULL;
    size_t size = 0;
    stoic_error err = {0};
    if (stoic_file_read(path, SIZE_MAX, &data, &size, &err) != STOIC_OK) {
        fprintf(stderr, "%s: %s\n", err.place, err.message);
        return 1;
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, long *count) {
    struct dirent **entries = NULL;
    int failed = 0, n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) {
        perror(folder);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            failed |= replay_file(path);
            ++*count;
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    long count = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay_folder(argv[i], &count);
    printf("%ld files replayed\n", count);
    return failed || count == 0;
}
