#include "stoic/records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/records_file.h"

static stoic_status read_layers(stoic_records *records, stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row;
    TRY(stoic_sql_prepare(records->file->db, "SELECT name, weights FROM layers ORDER BY layer",
                          &statement, err));
    for (;;) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        stoic_records_layer *layers =
            realloc(records->layers, (records->n_layers + 1) * sizeof *layers);
        if (!layers) {
            status = stoic_fail_memory(err, "layers", records->n_layers * sizeof *layers);
            goto done;
        }
        records->layers = layers;
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        layers += records->n_layers;
        layers->name = strdup(name ? name : "");
        layers->weights = sqlite3_column_int64(statement, 1);
        if (!layers->name) {
            status = stoic_fail_memory(err, "a layer's name", 1);
            goto done;
        }
        records->n_layers++;
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_role role_by_name(const char *name) {
    for (int role = STOIC_ROLE_WEIGHT; name && role <= STOIC_ROLE_BN; role++) {
        if (!strcmp(name, stoic_role_name((stoic_role)role)))
            return (stoic_role)role;
    }
    return STOIC_ROLE_WEIGHT;
}

static stoic_status read_entries(stoic_records *records, stoic_error *err) {
    sqlite3_stmt *statement = NULL;
    stoic_status status;
    bool row;
    int64_t n;
    TRY(stoic_sql_integer(records->file->db, "SELECT count(*) FROM entries", 0, &n, err));
    records->entries = calloc((size_t)n + 1, sizeof *records->entries);
    if (!records->entries)
        return stoic_fail_memory(err, "store entries", (size_t)n * sizeof *records->entries);
    TRY(stoic_sql_prepare(records->file->db, "SELECT layer, role FROM entries ORDER BY entry",
                          &statement, err));
    while (records->n_entries < (size_t)n) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        int layer = sqlite3_column_int(statement, 0);
        if (layer < -1 || layer >= (int)records->n_layers) {
            status = stoic_fail(err, STOIC_ERR_FORMAT, records->file->path,
                                "store entry %zu belongs to layer %d, of which there is none",
                                records->n_entries, layer);
            goto done;
        }
        records->entries[records->n_entries].layer = layer;
        records->entries[records->n_entries].role =
            role_by_name((const char *)sqlite3_column_text(statement, 1));
        records->n_entries++;
    }
done:
    sqlite3_finalize(statement);
    return status;
}

stoic_status stoic_records_open(const char *path, stoic_records **out, stoic_error *err) {
    *out = NULL;
    stoic_records *records = calloc(1, sizeof *records);
    if (!records)
        return stoic_fail_memory(err, "a campaign's records", sizeof *records);
    stoic_status status;
    TRY(stoic_campaign_file_open(path, false, &records->file, err));
    TRY(read_layers(records, err));
    TRY(read_entries(records, err));
    stoic_error reason;
    const char *spec = stoic_facts_get(&records->file->facts, "store");
    if (stoic_layouts_parse(spec, NULL, (int)records->n_layers, &records->layouts, &reason) !=
        STOIC_OK) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "the fact store: %s", reason.message);
        goto done;
    }
    records->last = INT64_MAX;
    records->images = stoic_campaign_file_integer(records->file, "trial_images", 0);
    records->golden_accuracy = stoic_campaign_file_number(records->file, "golden_accuracy", NAN);
    if (records->images < 1) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "the fact trial_images is missing or 0");
        goto done;
    }
    if (stoic_campaign_is_stratified(records->file))
        TRY(stoic_allocation_read(records->file, NULL, &records->allocation, err));
    *out = records;
    records = NULL;
done:
    stoic_records_free(records);
    return status;
}

void stoic_records_free(stoic_records *records) {
    if (!records)
        return;
    for (size_t i = 0; i < records->n_layers; i++)
        free(records->layers[i].name);
    free(records->layers);
    free(records->entries);
    stoic_layouts_deinit(&records->layouts);
    stoic_allocation_free(records->allocation);
    stoic_campaign_file_close(records->file);
    free(records);
}

const char *stoic_records_info(const stoic_records *records, const char *key) {
    return stoic_facts_get(&records->file->facts, strcmp(key, "trials") ? key : "planned");
}

int stoic_records_layer_count(const stoic_records *records) {
    return (int)records->n_layers;
}

const char *stoic_records_layer_name(const stoic_records *records, int layer) {
    return layer >= 0 && (size_t)layer < records->n_layers ? records->layers[layer].name : NULL;
}

int64_t stoic_records_layer_weights(const stoic_records *records, int layer) {
    return layer >= 0 && (size_t)layer < records->n_layers ? records->layers[layer].weights : 0;
}

stoic_status stoic_records_summary(stoic_records *records, stoic_summary *out, stoic_error *err) {
    return stoic_estimate_summary(records->file, out, err);
}

void stoic_records_only(stoic_records *records, int64_t first, int64_t last) {
    records->first = first;
    records->last = last;
}

static stoic_status open_cursor(stoic_records *records, stoic_trial_cursor *out, stoic_error *err) {
    int64_t prefix = stoic_estimate_prefix(records->file);
    int64_t end = records->last == INT64_MAX ? INT64_MAX : records->last + 1;
    return stoic_trial_cursor_open(records, records->first,
                                   prefix >= 0 && prefix < end ? prefix : end, out, err);
}

stoic_status stoic_records_each(stoic_records *records,
                                bool (*row)(void *user, const stoic_record *record), void *user,
                                stoic_error *err) {
    stoic_trial_cursor cursor;
    stoic_status status = open_cursor(records, &cursor, err);
    if (status != STOIC_OK)
        return status;
    for (bool more = true; more;) {
        TRY(stoic_trial_cursor_next(&cursor, &more, err));
        stoic_record record;
        if (more)
            stoic_trial_cursor_record(&cursor, &record);
        more = more && row(user, &record);
    }
done:
    stoic_trial_cursor_close(&cursor);
    return status;
}

stoic_status stoic_records_each_site(stoic_records *records,
                                     bool (*row)(void *user, const stoic_site_record *site),
                                     void *user, stoic_error *err) {
    stoic_trial_cursor cursor;
    stoic_status status = open_cursor(records, &cursor, err);
    if (status != STOIC_OK)
        return status;
    int64_t crowds = 0;
    for (bool more = true; more;) {
        TRY(stoic_trial_cursor_next(&cursor, &more, err));
        crowds += more && cursor.list.left_out > 0;
        for (size_t i = 0; more && i < stoic_trial_cursor_told(&cursor); i++) {
            stoic_site_record site;
            stoic_trial_cursor_site(&cursor, i, &site);
            more = row(user, &site);
        }
    }
    if (crowds > 0)
        stoic_log(STOIC_LOG_WARNING,
                  "%s: without the sites of %lld trials, which have more than %d each; 'inject "
                  "--keep sites' keeps them, in a file of its own",
                  records->file->path, (long long)crowds, STOIC_MOST_SITES);
done:
    stoic_trial_cursor_close(&cursor);
    return status;
}
