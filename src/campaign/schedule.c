#include "campaign/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "campaign/moments.h"
#include "campaign/packed_counts.h"

static void free_piece(stoic_piece *piece) {
    if (!piece)
        return;
    free(piece->counts);
    free(piece->done);
    free(piece);
}

static stoic_status create_piece(const stoic_schedule *schedule, int64_t chunk, int64_t lo,
                                 int64_t hi, stoic_piece **out, stoic_error *err) {
    stoic_piece *piece = calloc(1, sizeof *piece);
    if (piece) {
        piece->counts = calloc((size_t)(hi - lo), sizeof *piece->counts);
        piece->done = calloc((size_t)schedule->blocks, 1);
    }
    if (!piece || !piece->counts || !piece->done) {
        free_piece(piece);
        *out = NULL;
        return stoic_fail_memory(err, "a chunk of trials",
                                 (unsigned long long)(hi - lo) * sizeof(stoic_counts));
    }
    piece->chunk = chunk;
    piece->lo = lo;
    piece->hi = hi;
    piece->left = schedule->blocks;
    *out = piece;
    return STOIC_OK;
}

static void link_piece(stoic_piece **list, stoic_piece *piece) {
    piece->previous = NULL;
    piece->next = *list;
    if (*list)
        (*list)->previous = piece;
    *list = piece;
}

static void unlink_piece(stoic_piece **list, stoic_piece *piece) {
    if (piece->previous)
        piece->previous->next = piece->next;
    else
        *list = piece->next;
    if (piece->next)
        piece->next->previous = piece->previous;
    piece->next = piece->previous = NULL;
}

static bool owns(const stoic_schedule *schedule, int64_t chunk) {
    return schedule->shards <= 1 || chunk % schedule->shards == schedule->shard - 1;
}

/* Trials of the chunk that this campaign wants. */
static int64_t wanted(const stoic_schedule *schedule, int64_t chunk) {
    int64_t rest = schedule->planned - chunk * schedule->design.chunk;
    return rest < schedule->design.chunk ? rest : schedule->design.chunk;
}

/* ---- what the file holds ---- */

static stoic_status read_chunks(stoic_schedule *schedule, stoic_campaign_file *file,
                                stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row;
    TRY(stoic_sql_prepare(file->db, "SELECT chunk, trials FROM chunks", &statement, err));
    for (;;) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        int64_t chunk = sqlite3_column_int64(statement, 0);
        int64_t trials = sqlite3_column_int64(statement, 1);
        if (chunk < 0 || trials < 0 || trials > schedule->design.chunk) {
            status = stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                                "chunk %lld claims to hold %lld trials of %lld", (long long)chunk,
                                (long long)trials, (long long)schedule->design.chunk);
            goto done;
        }
        if (chunk < schedule->chunks)
            schedule->done[chunk] = schedule->claimed[chunk] = (int32_t)trials;
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static stoic_status read_journal_row(stoic_schedule *schedule, stoic_campaign_file *file,
                                     sqlite3_stmt *row, stoic_piece **piece, stoic_error *err) {
    int64_t chunk = sqlite3_column_int64(row, 0), block = sqlite3_column_int64(row, 1);
    int64_t lo = sqlite3_column_int64(row, 2), trials = sqlite3_column_int64(row, 3);
    const stoic_design *design = &schedule->design;
    if (chunk < 0 || chunk >= schedule->chunks || lo >= schedule->planned)
        return STOIC_OK; /* of a time when more trials were asked for */
    if (block < 0 || block >= schedule->blocks || trials < 1 || trials > design->chunk ||
        lo != chunk * design->chunk + schedule->done[chunk] ||
        trials > design->chunk - schedule->done[chunk])
        return stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                          "journal row of chunk %lld, block %lld does not fit the campaign",
                          (long long)chunk, (long long)block);
    stoic_status status = STOIC_OK;
    stoic_counts *counts = calloc((size_t)trials, sizeof *counts);
    if (!counts)
        return stoic_fail_memory(err, "a journal row", (size_t)trials * sizeof *counts);
    if (!*piece || (*piece)->chunk != chunk) {
        TRY(create_piece(schedule, chunk, lo, lo + trials, piece, err));
        link_piece(&schedule->waiting, *piece);
        schedule->claimed[chunk] += (int32_t)trials;
    }
    if ((*piece)->hi != lo + trials || (*piece)->done[block] ||
        !stoic_counts_unpack(sqlite3_column_blob(row, 4), (size_t)sqlite3_column_bytes(row, 4),
                             counts, trials)) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                            "journal row of chunk %lld, block %lld is damaged", (long long)chunk,
                            (long long)block);
        goto done;
    }
    for (int64_t t = 0; t < trials; t++)
        stoic_counts_add(&(*piece)->counts[t], &counts[t]);
    (*piece)->done[block] = 1;
    (*piece)->left--;
    schedule->work_done += trials;
done:
    free(counts);
    return status;
}

/* Last chunk first, so that the list of waiting pieces begins with the first one. */
static stoic_status read_journal(stoic_schedule *schedule, stoic_campaign_file *file,
                                 stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    stoic_piece *piece = NULL;
    bool row;
    TRY(stoic_sql_prepare(file->db,
                          "SELECT chunk, block, first, trials, counts FROM journal"
                          " ORDER BY chunk DESC, block",
                          &statement, err));
    for (;;) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        TRY(read_journal_row(schedule, file, statement, &piece, err));
        if (piece && piece->left == 0) {
            status =
                stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                           "the journal holds all blocks of chunk %lld, its trials are missing",
                           (long long)piece->chunk);
            goto done;
        }
    }
done:
    sqlite3_finalize(statement);
    return status;
}

stoic_status stoic_schedule_init(stoic_schedule *schedule, stoic_campaign_file *file,
                                 const stoic_design *design, int shard, int shards, int64_t planned,
                                 stoic_error *err) {
    memset(schedule, 0, sizeof *schedule);
    schedule->design = *design;
    schedule->shard = shard;
    schedule->shards = shards;
    schedule->planned = schedule->limit = planned;
    schedule->blocks = (design->images + design->block - 1) / design->block;
    schedule->chunks = (planned + design->chunk - 1) / design->chunk;
    schedule->done = calloc((size_t)schedule->chunks + 1, sizeof *schedule->done);
    schedule->claimed = calloc((size_t)schedule->chunks + 1, sizeof *schedule->claimed);
    stoic_status status = STOIC_OK;
    if (!schedule->done || !schedule->claimed)
        return stoic_fail_memory(err, "the list of chunks", 8 * (size_t)schedule->chunks);
    TRY(read_chunks(schedule, file, err));
    for (int64_t c = 0; c < schedule->chunks; c++) {
        int64_t done = schedule->done[c], want = owns(schedule, c) ? wanted(schedule, c) : 0;
        schedule->trials_total += want > done ? want : done;
        schedule->trials_done += done;
    }
    schedule->work_total = schedule->trials_total * schedule->blocks;
    schedule->work_done = schedule->trials_done * schedule->blocks;
    status = read_journal(schedule, file, err);
done:
    return status;
}

void stoic_schedule_deinit(stoic_schedule *schedule) {
    stoic_piece **lists[] = {&schedule->waiting, &schedule->current, &schedule->open};
    for (int i = 0; i < 3; i++) {
        while (*lists[i]) {
            stoic_piece *piece = *lists[i];
            unlink_piece(lists[i], piece);
            free_piece(piece);
        }
    }
    free(schedule->done);
    free(schedule->claimed);
    memset(schedule, 0, sizeof *schedule);
}

/* ---- handing out ---- */

/* Nothing of the piece is in the journal: what is cut off follows when it is closed. */
static void shorten(stoic_schedule *schedule, stoic_piece *piece) {
    if (!schedule->cut || piece->hi <= schedule->limit || piece->left < schedule->blocks)
        return;
    schedule->claimed[piece->chunk] -= (int32_t)(piece->hi - schedule->limit);
    piece->hi = schedule->limit;
}

static stoic_status begin_piece(stoic_schedule *schedule, stoic_error *err) {
    stoic_piece *piece = schedule->waiting;
    if (piece && piece->lo < schedule->limit) {
        unlink_piece(&schedule->waiting, piece);
        shorten(schedule, piece);
        link_piece(&schedule->current, piece);
        return STOIC_OK;
    }
    for (; schedule->cursor < schedule->chunks; schedule->cursor++) {
        int64_t chunk = schedule->cursor;
        int64_t lo = chunk * schedule->design.chunk + schedule->done[chunk];
        int64_t hi = chunk * schedule->design.chunk + wanted(schedule, chunk);
        if (!owns(schedule, chunk) || lo >= hi || schedule->claimed[chunk] > schedule->done[chunk])
            continue; /* an open piece: the rest of its chunk follows when it is closed */
        if (lo >= schedule->limit)
            return STOIC_OK;
        stoic_status status = create_piece(schedule, chunk, lo, hi, &piece, err);
        if (status != STOIC_OK)
            return status;
        schedule->claimed[chunk] += (int32_t)(hi - lo);
        shorten(schedule, piece);
        link_piece(&schedule->current, piece);
        schedule->cursor++;
        return STOIC_OK;
    }
    return STOIC_OK;
}

stoic_status stoic_schedule_next(stoic_schedule *schedule, stoic_piece **piece, int64_t *block,
                                 stoic_error *err) {
    *piece = NULL;
    for (;;) {
        stoic_piece *current = schedule->current;
        if (!current) {
            stoic_status status = begin_piece(schedule, err);
            if (status != STOIC_OK || !schedule->current)
                return status;
            continue;
        }
        while (current->next_block < schedule->blocks && current->done[current->next_block])
            current->next_block++;
        if (current->next_block < schedule->blocks) {
            *piece = current;
            *block = current->next_block++;
            current->done[*block] = 1;
            return STOIC_OK;
        }
        unlink_piece(&schedule->current, current);
        link_piece(&schedule->open, current);
    }
}

bool stoic_schedule_finished(const stoic_schedule *schedule) {
    return !schedule->waiting && !schedule->current && !schedule->open &&
           schedule->cursor >= schedule->chunks;
}

stoic_status stoic_schedule_close(stoic_schedule *schedule, stoic_piece *piece, stoic_error *err) {
    int64_t chunk = piece->chunk;
    schedule->done[chunk] += (int32_t)(piece->hi - piece->lo);
    schedule->trials_done += piece->hi - piece->lo;
    unlink_piece(piece == schedule->current ? &schedule->current : &schedule->open, piece);
    int64_t lo = piece->hi, hi = chunk * schedule->design.chunk + wanted(schedule, chunk);
    free_piece(piece);
    if (lo >= hi)
        return STOIC_OK;
    stoic_status status = create_piece(schedule, chunk, lo, hi, &piece, err);
    if (status == STOIC_OK) {
        schedule->claimed[chunk] += (int32_t)(hi - lo);
        link_piece(&schedule->waiting, piece);
    }
    return status;
}

int64_t stoic_schedule_prefix(stoic_schedule *schedule) {
    while (schedule->prefix_chunk < schedule->chunks &&
           schedule->done[schedule->prefix_chunk] >= schedule->design.chunk)
        schedule->prefix_chunk++;
    int64_t prefix = schedule->prefix_chunk * schedule->design.chunk;
    if (schedule->prefix_chunk < schedule->chunks)
        prefix += schedule->done[schedule->prefix_chunk];
    return prefix;
}

int64_t stoic_schedule_block(const stoic_design *design, int64_t block, int64_t *first) {
    *first = block * design->block;
    int64_t rest = design->images - *first;
    return rest < design->block ? rest : design->block;
}

/* Floyd: for j = n-k … n-1 take a random i <= j, or j itself where i was taken before. */
void stoic_pick_images(uint64_t seed, int64_t trial, int64_t images, int64_t count, uint8_t *bitmap,
                       int64_t *out) {
    stoic_rng rng;
    stoic_rng_init(&rng, seed, (uint64_t)trial, STOIC_STREAM_IMAGE);
    if (count == 1) {
        out[0] = (int64_t)stoic_rng_below(&rng, (uint64_t)images);
        return;
    }
    for (int64_t j = images - count; j < images; j++) {
        int64_t i = (int64_t)stoic_rng_below(&rng, (uint64_t)j + 1);
        if (bitmap[i / 8] >> i % 8 & 1)
            i = j;
        bitmap[i / 8] |= (uint8_t)(1 << i % 8);
    }
    int64_t n = 0;
    for (int64_t byte = 0; n < count; byte++) {
        for (unsigned bits = bitmap[byte]; bits; bits &= bits - 1)
            out[n++] = 8 * byte + __builtin_ctz(bits);
        bitmap[byte] = 0;
    }
}
