/* A folder for campaign files: the caller's own, which stays, or a temporary one. */
#ifndef STOIC_STUDY_WORK_FOLDER_H
#define STOIC_STUDY_WORK_FOLDER_H

#include <stdbool.h>

#include "stoic/status.h"

typedef struct stoic_work_folder {
    char *path;
    bool temporary;
} stoic_work_folder;

/* `keep` is made if it is not there; NULL asks for a temporary one. */
stoic_status stoic_work_folder_open(const char *keep, stoic_work_folder *out,
                                    stoic_error *err) STOIC_MUST_CHECK;
/* The file for a store, or another name, and what hits it; the caller frees. NULL: no memory. Long
 * names are cut, and told apart by a digest. */
char *stoic_work_folder_file(const stoic_work_folder *folder, const char *name, const char *fault);
/* The file for a network, likewise. */
char *stoic_work_folder_model(const stoic_work_folder *folder, const char *name);
/* Removes a temporary folder and what is in it. */
void stoic_work_folder_close(stoic_work_folder *folder);

#endif
