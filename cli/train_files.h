/* What a training leaves behind, and what it shows. */
#ifndef CLI_TRAIN_FILES_H
#define CLI_TRAIN_FILES_H

#include "stoic/train.h"
#include "verb.h"

/* Paths; NULL: not written. */
typedef struct cli_train_files {
    const char *last;
    char *best, *csv, *svg, *checkpoint;
} cli_train_files;

/* How the files are called: `best` and `checkpoint` as given, "none" for none, NULL for a name
 * made from `last`. Nothing is made up beside a device. */
stoic_status cli_train_files_name(const char *last, const char *best, bool tested,
                                  const char *checkpoint, cli_train_files *out, stoic_error *err);
void cli_train_files_deinit(cli_train_files *files);
/* Before hours of training: can they be written, and are they different files? */
stoic_status cli_train_files_check(const cli_train_files *files, stoic_error *err);
/* None of them is a file that the call or one of the `specs` reads. */
stoic_status cli_train_files_keep(const cli_train_files *files, const cli_call *call,
                                  const char *const *specs, size_t n, stoic_error *err);

/* The curves as CSV. */
stoic_status cli_curves_write(const char *path, const stoic_epoch *epochs, int64_t n,
                              stoic_error *err);

typedef struct cli_train_result {
    const char *model, *data, *test; /* specs; test NULL: none */
    int64_t images, test_images;
    const stoic_preprocessing *preprocessing;
    const cli_train_files *files;
    const stoic_training *training;
    bool pictured; /* the picture of the curves is there */
    double seconds;
} cli_train_result;

/* Writes to standard output. */
stoic_status cli_train_result_write(const cli_train_result *result, int format, stoic_error *err);

#endif
