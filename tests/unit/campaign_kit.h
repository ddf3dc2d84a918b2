/*
 * A campaign without a network, for tests: what happens in trial t on image i is a hash of both,
 * the sites of t are another. Everything that the runner does can then be checked by brute force.
 */
#ifndef STOIC_TESTS_CAMPAIGN_KIT_H
#define STOIC_TESTS_CAMPAIGN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "campaign/campaign_file.h"
#include "campaign/moments.h"
#include "campaign/runner.h"
#include "campaign/schedule.h"
#include "stoic/records.h"

enum { KIT_IMAGES = 100, KIT_LAYERS = 3, KIT_BITS = 32, KIT_WORDS = 40 };

typedef struct kit {
    char path[128];
    stoic_run_options run;
    stoic_site_source source;
    bool all;           /* every member of the counts is measured */
    bool ordered;       /* sites as an exhaustive campaign has them */
    int critical_share; /* of 1000 */
    int64_t fail_at;    /* trial that fails; -1: none */
    int nap;            /* microseconds a trial */
    /* From trial `spoil_at` on (-1: never) memory is not what it was: that of the worker that gets
     * there, or, shared, everybody's. Results are wrong then, and checks say so. */
    int64_t spoil_at;
    bool spoil_shared;
    atomic_bool spoiled;
    int check_load; /* microseconds of work a check */
} kit;

static uint32_t kit_hash(uint64_t a, uint64_t b) {
    uint32_t counter[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, 77}, key[2] = {1, 2};
    uint32_t out[4];
    stoic_philox(counter, key, out);
    return out[0];
}

typedef struct kit_state {
    kit *of;
    int64_t first, count;
    bool spoiled;
} kit_state;

static inline stoic_status kit_open(void *user, int worker, void **state, stoic_error *err) {
    (void)worker;
    (void)err;
    kit_state *s = calloc(1, sizeof *s);
    s->of = user;
    *state = s;
    return STOIC_OK;
}

static inline void kit_close(void *state) {
    free(state);
}

static inline stoic_status kit_block(void *state, int64_t first, int64_t count, stoic_error *err) {
    (void)err;
    kit_state *s = state;
    s->first = first;
    s->count = count;
    return STOIC_OK;
}

/* bit 0 critical, bit 1 correct, bit 2 nan */
static inline unsigned kit_outcome(const kit *k, int64_t trial, int64_t image) {
    uint32_t h = kit_hash((uint64_t)trial, (uint64_t)image);
    bool critical = (int)(h % 1000) < k->critical_share;
    return (unsigned)critical | (unsigned)(!critical && h >> 20 & 7) << 1 |
           (unsigned)(critical && h >> 24 & 1) << 2;
}

static inline stoic_status kit_trial(void *state, int64_t trial, const int32_t *images,
                                     int64_t n_images, stoic_counts *counts, uint8_t *outcome,
                                     stoic_error *err) {
    kit_state *s = state;
    if (trial == s->of->fail_at) {
        if (err) {
            err->code = STOIC_ERR_BACKEND;
            snprintf(err->message, sizeof err->message, "the fake engine broke");
        }
        return STOIC_ERR_BACKEND;
    }
    int64_t n = n_images > 0 ? n_images : s->count;
    *counts = (stoic_counts){.images = n,
                             .masked = -1,
                             .tolerable = -1,
                             .due = -1,
                             .sdc5 = -1,
                             .sdc10 = -1,
                             .sdc20 = -1};
    for (int64_t i = 0; i < n; i++) {
        unsigned o = kit_outcome(s->of, trial, s->first + (n_images > 0 ? images[i] : i));
        counts->critical += o & 1;
        counts->correct += o >> 1 & 1;
        counts->nan += o >> 2 & 1;
        if (outcome)
            outcome[i] = (uint8_t)o;
    }
    if (s->of->all) {
        counts->due = 0;
        counts->tolerable = (n - counts->critical) / 3;
        counts->masked = n - counts->critical - counts->tolerable;
        counts->sdc5 = counts->critical / 2;
        counts->sdc10 = counts->critical;
        counts->sdc20 = counts->nan;
    }
    if (s->of->spoil_at >= 0 && trial >= s->of->spoil_at) {
        s->spoiled = s->spoiled || !s->of->spoil_shared;
        atomic_store(&s->of->spoiled, true);
    }
    if (s->spoiled || (s->of->spoil_shared && atomic_load(&s->of->spoiled)))
        counts->critical = n - counts->critical;
    if (s->of->nap > 0)
        usleep((useconds_t)s->of->nap);
    return STOIC_OK;
}

static inline stoic_status kit_checked(const kit *k, bool spoiled, stoic_error *err) {
    for (double end = stoic_thread_clock() + 1e-6 * k->check_load; stoic_thread_clock() < end;)
        ;
    if (!spoiled)
        return STOIC_OK;
    err->code = STOIC_ERR_CORRUPT;
    err->place[0] = 0;
    snprintf(err->message, sizeof err->message, "the fake memory changed");
    return STOIC_ERR_CORRUPT;
}

static inline stoic_status kit_check_own(void *state, stoic_error *err) {
    kit_state *s = state;
    return kit_checked(s->of, s->spoiled, err);
}

static inline stoic_status kit_check_shared(void *user, stoic_error *err) {
    kit *k = user;
    return kit_checked(k, k->spoil_shared && atomic_load(&k->spoiled), err);
}

/* Ordered: entry, word, bit of the trial. Otherwise 0 to 3 sites, by hash. */
static inline stoic_status kit_draw(void *user, int64_t trial, stoic_site_list *sites,
                                    stoic_error *err) {
    kit *k = user;
    size_t n = k->ordered ? 1 : kit_hash((uint64_t)trial, 1000000) % 4;
    stoic_status status = stoic_site_list_resize(sites, n, err);
    for (size_t i = 0; i < n && status == STOIC_OK; i++) {
        uint64_t h = k->ordered ? (uint64_t)trial : kit_hash((uint64_t)trial, 2000000 + i);
        stoic_site *site = &sites->items[i];
        memset(site, 0, sizeof *site);
        int64_t word = (int64_t)(h / KIT_BITS);
        site->entry =
            (int32_t)(k->ordered ? word / KIT_WORDS % KIT_LAYERS : (int64_t)(h >> 20) % KIT_LAYERS);
        site->layer = site->entry;
        site->bit = (int32_t)(h % KIT_BITS);
        site->word = site->index = k->ordered ? word : word % KIT_WORDS;
        site->action = k->ordered || h >> 30 ? STOIC_FLIP : STOIC_SET_1;
        float before = (float)((double)(h % 97) / 97.0 - 0.5);
        if (k->ordered)
            before = (float)word / 64.0f;
        uint32_t bits;
        memcpy(&bits, &before, 4);
        site->stored = bits;
        bits ^= (uint32_t)1 << site->bit;
        site->before = before;
        memcpy(&site->after, &bits, 4);
    }
    return status;
}

static inline void kit_init(kit *k, const char *name) {
    memset(k, 0, sizeof *k);
    snprintf(k->path, sizeof k->path, "campaign-%ld-%s.db", (long)getpid(), name);
    unlink(k->path);
    k->critical_share = 30;
    k->fail_at = k->spoil_at = -1;
    k->source = (stoic_site_source){k, kit_draw, true};
    k->run = (stoic_run_options){
        .worker = {k, kit_open, kit_close, kit_block, kit_trial, NULL, kit_check_own,
                   kit_check_shared},
        .sites = &k->source,
        .design = {.chunk = 16, .block = 30, .images = KIT_IMAGES, .images_per_trial = 0},
        .seed = 5,
        .trials = 200,
        .limit = -1,
        .confidence = 0.95,
        .threads = 1};
}

static inline void kit_remove(const char *path) {
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-lock"};
    char name[512];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static inline stoic_status kit_create(kit *k, stoic_campaign_file *file, stoic_error *err) {
    stoic_facts facts = {0};
    stoic_file_layer layers[KIT_LAYERS];
    stoic_file_entry entries[KIT_LAYERS];
    static const char *const names[] = {"conv1", "conv2", "fc"};
    for (int i = 0; i < KIT_LAYERS; i++) {
        layers[i] = (stoic_file_layer){names[i], "Conv", KIT_WORDS, 1000};
        entries[i] = (stoic_file_entry){i, STOIC_ROLE_WEIGHT, "w", "40", KIT_WORDS, 0, 32};
    }
    int64_t used = k->run.design.images_per_trial ? k->run.design.images_per_trial : KIT_IMAGES;
    stoic_status status = stoic_facts_set(&facts, true, "seed", err, "%d", (int)k->run.seed);
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"images", KIT_IMAGES},         {"trial_images", used},
                   {"chunk", k->run.design.chunk}, {"block", k->run.design.block},
                   {"limit", k->run.limit},        {"fault_space", k->run.limit}};
    for (int i = 0; i < 6 && status == STOIC_OK; i++)
        status = stoic_facts_set(&facts, i < 4, numbers[i].key, err, "%lld",
                                 (long long)numbers[i].value);
    if (status == STOIC_OK)
        status = stoic_facts_set(&facts, false, "golden_accuracy", err, "0.75");
    if (status == STOIC_OK)
        status = stoic_facts_set(&facts, false, "confidence", err, "%.17g", k->run.confidence);
    stoic_campaign_setup setup = {.facts = &facts,
                                  .layers = layers,
                                  .n_layers = KIT_LAYERS,
                                  .entries = entries,
                                  .n_entries = KIT_LAYERS};
    if (status == STOIC_OK)
        status = stoic_campaign_file_create(file, &setup, err);
    stoic_facts_deinit(&facts);
    return status;
}

/* Creates or continues, as stoic_campaign_run() does. */
static inline stoic_status kit_run(kit *k, stoic_summary *summary, stoic_error *err) {
    stoic_campaign_file *file;
    stoic_summary unused;
    stoic_status status = stoic_campaign_file_open(k->path, true, &file, err);
    if (status == STOIC_OK && file->fresh)
        status = kit_create(k, file, err);
    if (status == STOIC_OK)
        status = stoic_campaign_execute(file, &k->run, summary ? summary : &unused, err);
    stoic_campaign_file_close(file);
    return status;
}

typedef struct kit_text {
    char *data;
    size_t size;
    FILE *stream;
} kit_text;

static inline void kit_print_counts(FILE *out, const stoic_counts *c) {
    const int64_t *fields = &c->images;
    for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
        fprintf(out, ",%lld", (long long)fields[i]);
}

static inline bool kit_print_row(void *user, const stoic_record *r) {
    FILE *out = user;
    fprintf(out, "%lld,%d,%lld,%d,%a,%a,%lld,%a,%a", (long long)r->trial, r->layer,
            (long long)r->index, r->bit, (double)r->before, (double)r->after, (long long)r->image,
            r->accuracy, r->drop);
    kit_print_counts(out, &r->counts);
    fputc('\n', out);
    return true;
}

static inline bool kit_print_site(void *user, const stoic_site_record *s) {
    fprintf(user, "%lld,%s,%d,%s,%lld,%lld,%d,%s,%lld,%a,%a\n", (long long)s->trial, s->kind,
            s->layer, s->tensor, (long long)s->word, (long long)s->index, s->bit, s->role,
            (long long)s->image, (double)s->before, (double)s->after);
    return true;
}

static inline void kit_print_groups(FILE *out, stoic_records *records, bool layer, bool bit) {
    stoic_group *groups;
    size_t n;
    stoic_error err;
    assert_int_equal(stoic_records_groups(records, layer, bit, &groups, &n, &err), STOIC_OK);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%d,%d,%lld,%a,%a,%a,%a", groups[i].layer, groups[i].bit,
                (long long)groups[i].trials, groups[i].accuracy.low, groups[i].critical_rate.value,
                groups[i].critical_rate.low, groups[i].critical_rate.high);
        kit_print_counts(out, &groups[i].totals);
        fputc('\n', out);
    }
    stoic_groups_free(groups);
}

/* Everything a reader can get: rows, sites, groups. */
static inline char *kit_dump(const char *path) {
    stoic_error err = {0};
    stoic_records *records;
    kit_text text;
    text.stream = open_memstream(&text.data, &text.size);
    if (stoic_records_open(path, &records, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    assert_int_equal(stoic_records_each(records, kit_print_row, text.stream, &err), STOIC_OK);
    assert_int_equal(stoic_records_each_site(records, kit_print_site, text.stream, &err), STOIC_OK);
    for (int by = 0; by < 4; by++)
        kit_print_groups(text.stream, records, by & 1, by >> 1);
    stoic_records_free(records);
    fclose(text.stream);
    return text.data;
}

/* Every record in the file is one of `expected`, a dump of another. Returns how many there are. */
static inline int kit_records_within(const char *path, const char *expected) {
    char *rest;
    int n = 0;
    stoic_error err;
    stoic_records *records;
    kit_text text;
    text.stream = open_memstream(&text.data, &text.size);
    assert_int_equal(stoic_records_open(path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_each(records, kit_print_row, text.stream, &err), STOIC_OK);
    stoic_records_free(records);
    fclose(text.stream);
    rest = text.data;
    for (char *line; (line = strsep(&rest, "\n")) && *line; n++) {
        const char *at = strstr(expected, line);
        if (!at || (at != expected && at[-1] != '\n') || at[strlen(line)] != '\n')
            fail_msg("%s: '%s' is no record of the undisturbed campaign", path, line);
    }
    free(text.data);
    return n;
}

#endif
