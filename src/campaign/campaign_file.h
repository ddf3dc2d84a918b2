/*
 * The campaign file: one SQLite database (docs/formats.md). Opening, locking, creating, facts.
 *
 * One process writes (campaign/writer_lock.h). While it is written the file is in WAL mode, so that
 * others can read it at any time; a SIGKILL loses what was not committed, nothing else.
 */
#ifndef STOIC_CAMPAIGN_CAMPAIGN_FILE_H
#define STOIC_CAMPAIGN_CAMPAIGN_FILE_H

#include "campaign/facts.h"
#include "campaign/sql.h"
#include "campaign/writer_lock.h"
#include "stoic/store.h"

enum { STOIC_CAMPAIGN_APPLICATION = 0x53544f43, STOIC_CAMPAIGN_VERSION = 1 };

typedef struct stoic_campaign_file {
    sqlite3 *db;
    char *path;
    stoic_writer_lock lock; /* its path is NULL: opened for reading */
    bool created;           /* there was no file before */
    bool fresh;             /* empty: stoic_campaign_file_create() comes next */
    stoic_facts facts;      /* what the table meta says */
} stoic_campaign_file;

/* A tensor in the store, as the file keeps it. */
typedef struct stoic_file_entry {
    int layer;
    stoic_role role;
    const char *name, *shape;
    int64_t words, first_bit;
    int word_bits;
} stoic_file_entry;

typedef struct stoic_file_layer {
    const char *name, *op;
    int64_t weights, macs;
} stoic_file_layer;

/* Everything that is written once. */
typedef struct stoic_campaign_setup {
    const stoic_facts *facts;
    const stoic_file_layer *layers;
    size_t n_layers;
    const stoic_file_entry *entries;
    size_t n_entries;
    int64_t images;
    const uint16_t *top1; /* golden, one an image; NULL: none */
    const uint8_t *hits;
} stoic_campaign_setup;

/* For writing: takes the lock, and `fresh` tells a new or empty file. For reading: the file must
 * be a campaign file. STOIC_ERR_FORMAT: foreign, or newer; STOIC_ERR_IO: locked (says by whom),
 * missing, unwritable. */
stoic_status stoic_campaign_file_open(const char *path, bool write, stoic_campaign_file **out,
                                      stoic_error *err) STOIC_MUST_CHECK;
void stoic_campaign_file_close(stoic_campaign_file *file);

/* Writes tables, facts and golden outcome in one transaction. */
stoic_status stoic_campaign_file_create(stoic_campaign_file *file,
                                        const stoic_campaign_setup *setup,
                                        stoic_error *err) STOIC_MUST_CHECK;

/* Changes a fact that is not part of the identity, in the file and in memory. */
stoic_status stoic_campaign_file_set(stoic_campaign_file *file, const char *key, stoic_error *err,
                                     const char *fmt, ...) STOIC_PRINTF(4, 5);
/* A fact as a number; `missing` where it is absent. */
double stoic_campaign_file_number(const stoic_campaign_file *file, const char *key, double missing);
int64_t stoic_campaign_file_integer(const stoic_campaign_file *file, const char *key,
                                    int64_t missing);

#endif
