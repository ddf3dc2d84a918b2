/* The channels that a campaign or a list names, in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_rows.h"
#include "base/fail.h"
#include "model/graph.h"
#include "model/layer_list.h"
#include "stoic/parse.h"
#include "stoic/sensitivity.h"

enum { LAYER, CHANNEL };
static const stoic_csv_form form = {
    .noun = "list of channels",
    .example = "layer,channel",
    .columns = {"layer", "channel"},
    .required = 2,
    .others = true,
};

static stoic_status of_campaign(const char *path, const stoic_model *model,
                                stoic_channel **channels, size_t *n, stoic_error *err) {
    stoic_sensitivity_row *rows = NULL;
    size_t ranked = 0;
    stoic_status status =
        stoic_sensitivity_measure(path, model, STOIC_BY_CHANNEL, &rows, &ranked, err);
    if (status != STOIC_OK)
        return status;
    *channels = calloc(ranked + 1, sizeof **channels);
    for (size_t i = 0; *channels && i < ranked; i++) {
        if (rows[i].layer >= 0) /* batch normalisation is no layer */
            (*channels)[(*n)++] = (stoic_channel){rows[i].layer, rows[i].channel};
    }
    free(rows);
    return *channels ? STOIC_OK : stoic_fail_memory(err, "channels", ranked * sizeof **channels);
}

static stoic_status read_channel(const stoic_csv *csv, const stoic_model *model, char **fields,
                                 stoic_channel *out, stoic_error *err) {
    const char *layer = fields[csv->at[LAYER]], *channel = fields[csv->at[CHANNEL]];
    stoic_error reason;
    if (stoic_layer_find(model, layer, &out->layer, &reason) != STOIC_OK)
        return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: %s", (long long)csv->line,
                          reason.message);
    const int64_t most = stoic_tensor_shape(stoic_model_layer(model, out->layer).weights)
                             ->dim[stoic_model_channel_axis(model, out->layer)];
    char what[96];
    snprintf(what, sizeof what,
             "channel: expected 0 to %lld, as 'analyze sensitivity --by channel' writes",
             (long long)most - 1);
    if (strspn(channel, "0123456789") != strlen(channel) ||
        stoic_parse_count(channel, "", 0, most - 1, &out->channel, NULL) != STOIC_OK)
        return stoic_csv_fail(csv, err, what, channel);
    return STOIC_OK;
}

static stoic_status of_list(const char *path, const stoic_model *model, stoic_channel **channels,
                            size_t *n, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_csv csv;
    uint8_t digest[16];
    char *fields[STOIC_CSV_FIELDS];
    size_t room = 0;
    TRY(stoic_csv_open(&form, path, &csv, digest, err));
    for (;;) {
        int count = 0;
        TRY(stoic_csv_next(&csv, fields, &count, err));
        if (!count)
            break;
        if (*n == room) {
            room = room ? 2 * room : 64;
            stoic_channel *wide = realloc(*channels, room * sizeof *wide);
            if (!wide) {
                status = stoic_fail_memory(err, "channels", room * sizeof *wide);
                goto done;
            }
            *channels = wide;
        }
        if (!*fields[csv.at[LAYER]]) /* batch normalisation is no layer */
            continue;
        TRY(read_channel(&csv, model, fields, &(*channels)[*n], err));
        ++*n;
    }
    if (!*n)
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "the list names no channel of a layer");
done:
    stoic_csv_close(&csv);
    return status;
}

/* A file that cannot be read is left to who opens it. */
static bool is_database(const char *path) {
    static const char magic[] = "SQLite format 3";
    char start[sizeof magic] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(start, 1, sizeof start, file) : sizeof start;
    if (!file)
        return true;
    fclose(file);
    return got < sizeof start ? got == 0 : memcmp(start, magic, sizeof magic) == 0;
}

stoic_status stoic_sensitivity_channels(const char *source, const stoic_model *model,
                                        stoic_channel **channels, size_t *n, stoic_error *err) {
    *channels = NULL;
    *n = 0;
    stoic_status status = is_database(source) ? of_campaign(source, model, channels, n, err)
                                              : of_list(source, model, channels, n, err);
    if (status != STOIC_OK) {
        free(*channels);
        *channels = NULL;
        *n = 0;
    }
    return status;
}
