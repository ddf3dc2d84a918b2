#include "campaign/campaign_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "campaign/schema.h"
#include "stoic/parse.h"

/* ---- opening ---- */

static stoic_status check_kind(stoic_campaign_file *file, stoic_error *err) {
    int64_t application, version, pages, code;
    stoic_status status;
    TRY(stoic_sql_integer(file->db, "SELECT count(*) FROM sqlite_master", 0, &pages, err));
    TRY(stoic_sql_integer(file->db, "PRAGMA application_id", 0, &application, err));
    TRY(stoic_sql_integer(file->db, "PRAGMA user_version", 0, &version, err));
    file->fresh = pages == 0 && application == 0 && version == 0;
    if (file->fresh && file->lock.path)
        return STOIC_OK;
    if (file->fresh)
        return stoic_fail(err, STOIC_ERR_FORMAT, file->path, "not a campaign file: it is empty");
    if (application != STOIC_CAMPAIGN_APPLICATION)
        return stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                          "not a campaign file: an SQLite file of another program "
                          "(application id %lld)",
                          (long long)application);
    if (version != STOIC_CAMPAIGN_VERSION)
        return stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                          "the campaign file has format %lld, this version reads format %d",
                          (long long)version, STOIC_CAMPAIGN_VERSION);
    TRY(stoic_sql_integer(file->db, stoic_campaign_schema_code, 0, &code, err));
    if (code > 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                          "not a plain campaign file: it has triggers, virtual tables, or a view "
                          "in the place of a table");
done:
    return status;
}

static stoic_status load_facts(stoic_campaign_file *file, stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row;
    TRY(stoic_sql_prepare(file->db, "SELECT key, value, identity FROM meta ORDER BY key",
                          &statement, err));
    for (;;) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        const char *value = (const char *)sqlite3_column_text(statement, 1);
        if (!key || !value) {
            status =
                stoic_fail(err, STOIC_ERR_FORMAT, file->path, "the table meta has an empty key");
            goto done;
        }
        TRY(stoic_facts_set(&file->facts, sqlite3_column_int(statement, 2) != 0, key, err, "%s",
                            value));
    }
done:
    sqlite3_finalize(statement);
    return status;
}

/* Percent-encodes what a file URI would take for syntax. */
static char *immutable_uri(const char *path) {
    char *uri = malloc(3 * strlen(path) + 32);
    if (!uri)
        return NULL;
    char *p = stpcpy(uri, "file:");
    for (; *path; path++)
        p += strchr("%?#", *path) ? sprintf(p, "%%%02x", (unsigned char)*path)
                                  : sprintf(p, "%c", *path);
    strcpy(p, "?immutable=1");
    return uri;
}

static int try_open(stoic_campaign_file *file, const char *name, int flags) {
    int code = sqlite3_open_v2(name, &file->db, flags | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) {
        /* What SQLite advises for files from strangers. */
        sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_busy_timeout(file->db, 10000);
        code = sqlite3_exec(file->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    return code;
}

/* A reader recovers what a killed writer left: read-only where that is enough, else as a writer
 * would, else (in a folder that cannot be written, without a log) the bare file. */
static stoic_status open_for_reading(stoic_campaign_file *file, stoic_error *err) {
    if (access(file->path, R_OK) != 0)
        return stoic_fail_errno(err, file->path, "cannot open");
    int code = try_open(file, file->path, SQLITE_OPEN_READONLY);
    int kind = code & 0xff;
    if (kind == SQLITE_READONLY || kind == SQLITE_CANTOPEN) {
        sqlite3_close(file->db);
        code = try_open(file, file->path, SQLITE_OPEN_READWRITE);
        kind = code & 0xff;
    }
    if (kind == SQLITE_READONLY || kind == SQLITE_CANTOPEN) {
        char *uri = immutable_uri(file->path);
        if (!uri)
            return stoic_fail_memory(err, "a file name", strlen(file->path));
        sqlite3_close(file->db);
        code = try_open(file, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
        free(uri);
    }
    if (code != SQLITE_OK)
        return stoic_sql_fail(file->db, "cannot open", err);
    return STOIC_OK;
}

static stoic_status open_for_writing(stoic_campaign_file *file, stoic_error *err) {
    stoic_status status;
    TRY(stoic_writer_lock_take(&file->lock, file->path, err));
    file->created = access(file->path, F_OK) != 0;
    if (try_open(file, file->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) != SQLITE_OK)
        return stoic_sql_fail(file->db, "cannot open", err);
    if (sqlite3_db_readonly(file->db, "main") == 1)
        return stoic_fail(err, STOIC_ERR_IO, file->path, "the file is not writable");
done:
    return status;
}

/* A foreign file must not be touched: its journal mode is changed only once it is known as ours.
 * Where WAL is not to be had (some network file systems) the rollback journal stays. */
static stoic_status prepare_for_writing(stoic_campaign_file *file, stoic_error *err) {
    return stoic_sql_exec(file->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", err);
}

/* SQLite would wait at a pipe for ever, and does not name a folder. */
static stoic_status check_regular(const char *path, stoic_error *err) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return stoic_fail(err, STOIC_ERR_FORMAT, path, "not a campaign file: %s",
                          S_ISDIR(info.st_mode) ? "a folder" : "a pipe or a device");
    return STOIC_OK;
}

stoic_status stoic_campaign_file_open(const char *path, bool write, stoic_campaign_file **out,
                                      stoic_error *err) {
    *out = NULL;
    if (check_regular(path, err) != STOIC_OK)
        return STOIC_ERR_FORMAT;
    stoic_campaign_file *file = calloc(1, sizeof *file);
    if (!file)
        return stoic_fail_memory(err, "a campaign file", sizeof *file);
    file->lock.fd = -1;
    stoic_status status = STOIC_OK;
    /* SQLite keeps what is called :memory: nowhere. */
    if (asprintf(&file->path, "%s%s", *path == ':' ? "./" : "", path) < 0) {
        file->path = NULL;
        status = stoic_fail_memory(err, "a file name", strlen(path));
        goto done;
    }
    TRY(write ? open_for_writing(file, err) : open_for_reading(file, err));
    TRY(check_kind(file, err));
    if (write)
        TRY(prepare_for_writing(file, err));
    if (!file->fresh)
        TRY(load_facts(file, err));
    *out = file;
    file = NULL;
done:
    stoic_campaign_file_close(file);
    return status;
}

void stoic_campaign_file_close(stoic_campaign_file *file) {
    if (!file)
        return;
    /* Back to one plain file, unless a reader is at it or the disk is full: then the log stays
     * beside it, which is as good for everybody who opens it. */
    if (file->db && file->lock.fd >= 0 && !file->fresh)
        sqlite3_exec(file->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_close(file->db);
    if (file->lock.fd >= 0 && file->fresh && file->created)
        unlink(file->path); /* nothing came of it */
    stoic_writer_lock_drop(&file->lock);
    stoic_facts_deinit(&file->facts);
    free(file->path);
    free(file);
}

/* ---- creating ---- */

static stoic_status write_fact(stoic_campaign_file *file, const stoic_fact *fact,
                               stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    TRY(stoic_sql_prepare(file->db, "INSERT OR REPLACE INTO meta VALUES(?, ?, ?)", &statement,
                          err));
    sqlite3_bind_text(statement, 1, fact->key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, fact->value, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, fact->identity);
    TRY(stoic_sql_run(statement, err));
    status = stoic_facts_set(&file->facts, fact->identity, fact->key, err, "%s", fact->value);
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_status write_layers(sqlite3 *db, const stoic_campaign_setup *setup, stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    TRY(stoic_sql_prepare(db, "INSERT INTO layers VALUES(?, ?, ?, ?, ?)", &statement, err));
    for (size_t i = 0; i < setup->n_layers; i++) {
        const stoic_file_layer *layer = &setup->layers[i];
        sqlite3_bind_int64(statement, 1, (int64_t)i);
        sqlite3_bind_text(statement, 2, layer->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, layer->op, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, layer->weights);
        sqlite3_bind_int64(statement, 5, layer->macs);
        TRY(stoic_sql_run(statement, err));
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_status write_entries(sqlite3 *db, const stoic_campaign_setup *setup,
                                  stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    TRY(stoic_sql_prepare(db, "INSERT INTO entries VALUES(?, ?, ?, ?, ?, ?, ?, ?)", &statement,
                          err));
    for (size_t i = 0; i < setup->n_entries; i++) {
        const stoic_file_entry *entry = &setup->entries[i];
        sqlite3_bind_int64(statement, 1, (int64_t)i);
        sqlite3_bind_int(statement, 2, entry->layer);
        sqlite3_bind_text(statement, 3, stoic_role_name(entry->role), -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, entry->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, entry->shape, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, entry->words);
        sqlite3_bind_int(statement, 7, entry->word_bits);
        sqlite3_bind_int64(statement, 8, entry->first_bit);
        TRY(stoic_sql_run(statement, err));
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_status write_golden(sqlite3 *db, const stoic_campaign_setup *setup, stoic_error *err) {
    if (!setup->top1)
        return STOIC_OK;
    size_t n = (size_t)setup->images;
    sqlite3_stmt *statement = NULL;
    stoic_status status;
    uint8_t *blob = calloc(n + 1, 3);
    if (!blob)
        return stoic_fail_memory(err, "the golden outcome", 3 * n);
    uint8_t *bitmap = blob + 2 * n;
    for (size_t i = 0; i < n; i++) {
        blob[2 * i] = (uint8_t)setup->top1[i];
        blob[2 * i + 1] = (uint8_t)(setup->top1[i] >> 8);
        bitmap[i / 8] |= (uint8_t)((setup->hits[i] != 0) << i % 8);
    }
    TRY(stoic_sql_prepare(db, "INSERT INTO golden VALUES(0, ?, ?, ?)", &statement, err));
    sqlite3_bind_int64(statement, 1, setup->images);
    sqlite3_bind_blob64(statement, 2, blob, 2 * n, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 3, bitmap, (n + 7) / 8, SQLITE_STATIC);
    status = stoic_sql_run(statement, err);
done:
    sqlite3_finalize(statement);
    free(blob);
    return status;
}

stoic_status stoic_campaign_file_create(stoic_campaign_file *file,
                                        const stoic_campaign_setup *setup, stoic_error *err) {
    stoic_status status;
    char pragmas[128];
    TRY(stoic_sql_exec(file->db, "BEGIN IMMEDIATE", err));
    TRY(stoic_sql_exec(file->db, stoic_campaign_schema, err));
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STOIC_CAMPAIGN_APPLICATION, STOIC_CAMPAIGN_VERSION);
    TRY(stoic_sql_exec(file->db, pragmas, err));
    for (size_t i = 0; i < setup->facts->count; i++)
        TRY(write_fact(file, &setup->facts->items[i], err));
    TRY(write_layers(file->db, setup, err));
    TRY(write_entries(file->db, setup, err));
    TRY(write_golden(file->db, setup, err));
    TRY(stoic_sql_exec(file->db, "COMMIT", err));
    file->fresh = false;
done:
    if (status != STOIC_OK)
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- facts ---- */

stoic_status stoic_campaign_file_set(stoic_campaign_file *file, const char *key, stoic_error *err,
                                     const char *fmt, ...) {
    char value[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    const char *old = stoic_facts_get(&file->facts, key);
    if (old && !strcmp(old, value))
        return STOIC_OK;
    char copy[64];
    snprintf(copy, sizeof copy, "%s", key);
    stoic_fact fact = {copy, value, false};
    return write_fact(file, &fact, err);
}

double stoic_campaign_file_number(const stoic_campaign_file *file, const char *key,
                                  double missing) {
    const char *text = stoic_facts_get(&file->facts, key);
    double value;
    if (!text || stoic_parse_number(text, key, &value, NULL) != STOIC_OK)
        return missing;
    return value;
}

int64_t stoic_campaign_file_integer(const stoic_campaign_file *file, const char *key,
                                    int64_t missing) {
    return stoic_facts_integer(&file->facts, key, missing);
}
