/*
 * Campaigns with faults in computed values on small networks and random images, and everything a
 * reader can get of them as one text.
 */
#ifndef STOIC_TEST_TRANSIENT_RIG_H
#define STOIC_TEST_TRANSIENT_RIG_H

#include "data_kit.h"
#include "small_networks.h"
#include "stoic/campaign.h"
#include "stoic/records.h"

enum { RIG_IMAGES = 60 };

static stoic_dataset *rig_data;

static inline void rig_open(const stoic_model *model) {
    const stoic_shape *shape = stoic_model_input_shape(model);
    int64_t size = stoic_shape_count(shape), labels[RIG_IMAGES];
    float *images = kit_floats(RIG_IMAGES * size);
    stoic_rng rng = kit_rng(8);
    char header[128];
    for (int64_t i = 0; i < RIG_IMAGES * size; i++)
        images[i] = kit_uniform(&rng, -1, 1);
    for (int i = 0; i < RIG_IMAGES; i++)
        labels[i] = i % 4;
    snprintf(header, sizeof header,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d, %d)}\n", RIG_IMAGES,
             (int)shape->dim[1], (int)shape->dim[2], (int)shape->dim[3]);
    save_npy("i.npy", header, images, (size_t)(RIG_IMAGES * size) * sizeof *images);
    save_npy("l.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (60,)}\n", labels,
             sizeof labels);
    stoic_dataset_free(rig_data);
    rig_data = open_ok(spec_of("npy:%s/i.npy,%s/l.npy"), NULL);
    free(images);
}

/* One or two fault models, joined by " and ". */
static inline stoic_campaign_options rig_options(const char *faults, const char *list[2],
                                                 char text[256]) {
    stoic_campaign_options options = stoic_campaign_options_default();
    snprintf(text, 256, "%s", faults);
    char *second = strstr(text, " and ");
    list[0] = text;
    list[1] = second ? second + 5 : NULL;
    if (second)
        *second = 0;
    options.faults = list;
    options.n_faults = second ? 2 : 1;
    options.trials = 20;
    options.threads = 1;
    options.seed = 3;
    return options;
}

static inline bool rig_row(void *user, const stoic_record *r) {
    const int64_t *counts = &r->counts.images;
    fprintf(user, "%lld,%d,%lld,%d,%a,%a,%lld", (long long)r->trial, r->layer, (long long)r->index,
            r->bit, (double)r->before, (double)r->after, (long long)r->image);
    for (int i = 0; i < 10; i++)
        fprintf(user, ",%lld", (long long)counts[i]);
    fputc('\n', user);
    return true;
}

static inline bool rig_site(void *user, const stoic_site_record *s) {
    fprintf(user, "%lld,%s,%d,%s,%lld,%d,%lld,%lld,%a,%a\n", (long long)s->trial, s->kind, s->layer,
            s->tensor, (long long)s->index, s->bit, (long long)s->image, (long long)s->step,
            (double)s->before, (double)s->after);
    return true;
}

/* Records, sites, and the groups by layer. */
static inline char *rig_dump(const char *path) {
    char *text = NULL;
    size_t size = 0, n;
    stoic_records *records = NULL;
    stoic_group *groups = NULL;
    FILE *out = open_memstream(&text, &size);
    MUST(stoic_records_open(path, &records, err));
    MUST(stoic_records_each(records, rig_row, out, err));
    MUST(stoic_records_each_site(records, rig_site, out, err));
    MUST(stoic_records_groups(records, true, true, &groups, &n, err));
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%d,%d,%lld,%lld,%a,%a,%a\n", groups[i].layer, groups[i].bit,
                (long long)groups[i].trials, (long long)groups[i].totals.critical,
                groups[i].pvf.value, groups[i].pvf.low, groups[i].pvf.high);
    stoic_groups_free(groups);
    stoic_records_free(records);
    fclose(out);
    return text;
}

static inline stoic_summary rig_run(const stoic_model *model, const stoic_campaign_options *options,
                                    const char *path) {
    stoic_summary summary;
    stoic_error err = {0};
    remove(path);
    if (stoic_campaign_run(model, rig_data, options, path, &summary, &err) != STOIC_OK)
        fail_msg("%s: %s: %s", options->faults[0], err.place, err.message);
    const stoic_counts *c = &summary.totals;
    if (c->masked >= 0)
        assert_int_equal(c->masked + c->tolerable + c->critical + c->due, c->images);
    return summary;
}

static inline void rig_ignore(void *user, const char *line) {
    (void)user;
    (void)line;
}

static inline void rig_refuses(const stoic_model *model, const char *faults, const char *store,
                               const char *expected) {
    const char *list[2];
    char text[256], *path = in_home("no.db");
    stoic_summary summary;
    stoic_error err = {0};
    stoic_campaign_options options = rig_options(faults, list, text);
    options.store = store;
    if (stoic_campaign_run(model, rig_data, &options, path, &summary, &err) == STOIC_OK)
        fail_msg("%s was accepted", faults);
    if (!strstr(err.message, expected))
        fail_msg("%s: '%s' does not say '%s'", faults, err.message, expected);
}

/* The same campaign by every way there is: the full engine, more threads, no memory for golden
 * values, two shards, continued; and a trial told again. Returns how many images were critical. */
static inline int64_t rig_all_ways(const stoic_model *model, const char *faults, const char *store,
                                   int64_t images_per_trial) {
    static const char *const ways[] = {"full", "threads", "memory", "again", "merged"};
    const char *list[2];
    char text[256], *one = in_home("one.db"), *path = in_home("way.db");
    stoic_campaign_options options = rig_options(faults, list, text);
    options.store = store;
    options.images_per_trial = images_per_trial;
    options.trials = images_per_trial ? 130 : 20; /* so many that golden values are kept */
    stoic_summary summary = rig_run(model, &options, one);
    char *expected = rig_dump(one);
    for (int way = 0; way < 5; way++) {
        stoic_campaign_options now = options;
        now.engine = way == 0 ? STOIC_ENGINE_FULL : STOIC_ENGINE_AUTO;
        now.threads = way == 1 ? 3 : 1;
        now.memory = way == 2 ? 1 : 0;
        now.trials = way == 3 ? 7 : options.trials;
        now.shards = way == 4 ? 2 : 0;
        now.shard = way == 4 ? 1 : 0;
        rig_run(model, &now, path);
        if (way == 3) {
            now.trials = options.trials;
            MUST(stoic_campaign_run(model, rig_data, &now, path, &summary, err));
        }
        if (way == 4) {
            const char *parts[] = {path, in_home("part.db")};
            char *all = in_home("all.db");
            now.shard = 2;
            rig_run(model, &now, parts[1]);
            remove(all);
            MUST(stoic_campaign_merge(all, parts, 2, &summary, err));
            path = all;
        }
        char *found = rig_dump(path);
        if (strcmp(found, expected) != 0)
            fail_msg("%s, %s:\n%s\nis not\n%s", faults, ways[way], found, expected);
        free(found);
    }
    for (int64_t trial = 0; trial < 3; trial++) {
        bool identical = false;
        MUST(stoic_campaign_replay(model, rig_data, one, trial, rig_ignore, NULL, &identical, err));
        assert_true(identical);
    }
    free(expected);
    return summary.totals.critical;
}

#endif
