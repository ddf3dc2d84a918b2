/* Joining shards: a union of rows, because a shard owns whole chunks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "campaign/allocation.h"
#include "campaign/campaign_file.h"
#include "campaign/estimate.h"
#include "campaign/schema.h"
#include "stoic/campaign.h"

static const char copy_sql[] =
    "INSERT INTO main.chunks SELECT * FROM part.chunks;"
    "INSERT INTO main.journal SELECT * FROM part.journal;"
    "INSERT INTO main.trials SELECT * FROM part.trials;"
    "INSERT INTO main.more SELECT * FROM part.more;"
    "INSERT INTO main.sites SELECT * FROM part.sites;"
    "INSERT INTO main.spans SELECT * FROM part.spans;"
    "INSERT INTO main.outcomes SELECT * FROM part.outcomes;"
    "INSERT INTO main.strata SELECT * FROM part.strata WHERE true" STOIC_STRATA_ADD_UP ";";

/* Tables that files of older versions lack. */
static const struct {
    const char *name, *copy;
} later_tables[] = {{"upsets", "INSERT INTO main.upsets SELECT * FROM part.upsets"},
                    {"crowds", "INSERT INTO main.crowds SELECT * FROM part.crowds"}};

static const char frame_sql[] = "INSERT INTO main.layers SELECT * FROM part.layers;"
                                "INSERT INTO main.entries SELECT * FROM part.entries;"
                                "INSERT INTO main.golden SELECT * FROM part.golden;";

static stoic_status attach(stoic_campaign_file *out, const char *path, stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    TRY(stoic_sql_prepare(out->db, "ATTACH ? AS part", &statement, err));
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    status = stoic_sql_run(statement, err);
done:
    sqlite3_finalize(statement);
    return status;
}

/* A chunk belongs to one shard, so it shows every overlap; with what is half done. */
static stoic_status refuse_overlap(stoic_campaign_file *out, const char *path, stoic_error *err) {
    int64_t chunk;
    stoic_status status;
    TRY(stoic_sql_integer(out->db,
                          "SELECT min(chunk) FROM (SELECT chunk FROM part.chunks UNION"
                          " SELECT chunk FROM part.journal) WHERE chunk IN (SELECT chunk FROM"
                          " main.chunks UNION SELECT chunk FROM main.journal)",
                          -1, &chunk, err));
    if (chunk >= 0)
        status = stoic_fail(err, STOIC_ERR_MISMATCH, path,
                            "holds trials that another file holds too, from trial %lld on",
                            (long long)(chunk * stoic_campaign_file_integer(out, "chunk", 0)));
done:
    return status;
}

/* The first file gives the frame; the others must be of the same campaign. */
static stoic_status begin_or_match(stoic_campaign_file *out, const stoic_campaign_file *part,
                                   stoic_error *err) {
    if (!out->fresh)
        return stoic_facts_match(&part->facts, &out->facts, true, part->path, err);
    if (stoic_facts_get(&part->facts, "margin"))
        return stoic_fail(err, STOIC_ERR_MISMATCH, part->path,
                          "stops at a margin: such a campaign has no shards to merge");
    if (stoic_campaign_is_stratified(part))
        return stoic_fail(err, STOIC_ERR_MISMATCH, part->path,
                          "is stratified: such a campaign has no shards to merge");
    stoic_campaign_setup setup = {.facts = &part->facts};
    return stoic_campaign_file_create(out, &setup, err);
}

static stoic_status copy_later_tables(stoic_campaign_file *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < sizeof later_tables / sizeof *later_tables; i++) {
        bool there;
        TRY(stoic_sql_has_table(out->db, "part", later_tables[i].name, &there, err));
        if (there)
            TRY(stoic_sql_exec(out->db, later_tables[i].copy, err));
    }
done:
    return status;
}

static stoic_status add_part(stoic_campaign_file *out, const char *path, stoic_error *err) {
    stoic_campaign_file *part = NULL;
    stoic_status status;
    bool attached = false, first = out->fresh;
    TRY(stoic_campaign_file_open(path, false, &part, err));
    TRY(begin_or_match(out, part, err));
    int64_t planned = stoic_campaign_file_integer(part, "planned", 0);
    if (planned > stoic_campaign_file_integer(out, "planned", 0))
        TRY(stoic_campaign_file_set(out, "planned", err, "%lld", (long long)planned));
    TRY(attach(out, path, err));
    attached = true;
    TRY(stoic_sql_exec(out->db, "BEGIN", err));
    if (first)
        TRY(stoic_sql_exec(out->db, frame_sql, err));
    TRY(refuse_overlap(out, path, err));
    TRY(stoic_sql_exec(out->db, copy_sql, err));
    TRY(copy_later_tables(out, err));
    status = stoic_sql_exec(out->db, "COMMIT", err);
done:
    if (status != STOIC_OK)
        sqlite3_exec(out->db, "ROLLBACK", NULL, NULL, NULL);
    if (attached)
        sqlite3_exec(out->db, "DETACH part", NULL, NULL, NULL);
    stoic_campaign_file_close(part);
    return status;
}

/* Trials below `planned` that no file had: the first few ranges are told. */
static stoic_status list_gaps(stoic_campaign_file *out, const char *path, int64_t planned,
                              bool *gaps, stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row = true;
    int told = 0;
    int64_t next = 0, first, size = stoic_campaign_file_integer(out, "chunk", 1);
    *gaps = false;
    TRY(stoic_sql_prepare(out->db, "SELECT chunk, trials FROM chunks ORDER BY chunk", &statement,
                          err));
    while (row) {
        TRY(stoic_sql_step(statement, &row, err));
        int64_t chunk = row ? sqlite3_column_int64(statement, 0) : 0;
        int64_t trials = row ? sqlite3_column_int64(statement, 1) : 0;
        if (size < 1 || chunk < 0 || trials < 0 || trials > size || chunk > INT64_MAX / 2 / size) {
            status = stoic_fail(err, STOIC_ERR_FORMAT, path,
                                "chunk %lld claims to hold %lld trials of %lld", (long long)chunk,
                                (long long)trials, (long long)size);
            goto done;
        }
        first = row ? chunk * size : planned;
        if (first > next) {
            *gaps = true;
            if (++told <= 8)
                stoic_log(STOIC_LOG_WARNING, "%s: trials %lld-%lld are missing", path,
                          (long long)next, (long long)first - 1);
        }
        if (row)
            next = first + trials;
    }
    if (told > 8)
        stoic_log(STOIC_LOG_WARNING, "%s: %d more ranges of trials are missing", path, told - 8);
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_status finish(stoic_campaign_file *out, const char *path, stoic_summary *summary,
                           stoic_error *err) {
    stoic_status status;
    bool gaps;
    int64_t planned = stoic_campaign_file_integer(out, "planned", 0);
    TRY(list_gaps(out, path, planned, &gaps, err));
    const char *stopped =
        stoic_campaign_file_integer(out, "limit", -1) == planned ? "exhausted" : "trials";
    TRY(stoic_campaign_file_set(out, "shard", err, "all"));
    TRY(stoic_campaign_file_set(out, "stopped", err, "%s", gaps ? "shard" : stopped));
    status = stoic_estimate_summary(out, summary, err);
done:
    return status;
}

stoic_status stoic_campaign_merge(const char *path, const char *const *paths, size_t n,
                                  stoic_summary *summary, stoic_error *err) {
    stoic_campaign_file *out = NULL;
    stoic_status status;
    char *temporary = NULL;
    if (n == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "merge: expected at least one campaign file");
    if (access(path, F_OK) == 0)
        return stoic_fail(err, STOIC_ERR_IO, path, "exists already; merge writes a new file");
    if (asprintf(&temporary, "%s.partial", path) < 0)
        return stoic_fail_memory(err, "a file name", strlen(path));
    unlink(temporary); /* of a merge that was killed */
    TRY(stoic_campaign_file_open(temporary, true, &out, err));
    for (size_t i = 0; i < n; i++)
        TRY(add_part(out, paths[i], err));
    status = finish(out, path, summary, err);
done:
    stoic_campaign_file_close(out);
    if (status == STOIC_OK && rename(temporary, path) != 0)
        status = stoic_fail_errno(err, path, "cannot rename the finished file");
    if (status != STOIC_OK)
        unlink(temporary);
    free(temporary);
    return status;
}
