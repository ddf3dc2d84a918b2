/*
 * How much one coordinator sustains: rank 0 of a real MPI job hands out the units of a campaign and
 * writes its file, the other ranks run threads that sleep instead of evaluating. Messages, waiting
 * and the file are those of `stoic inject`.
 *   mpirun -n 3 bench-cluster [--trials N] [--chunk N] [--block N] [--images N] [--threads N]
 *                             [--microseconds N] [--all 1] [--file F]
 * --threads: workers a rank; --microseconds: how long a unit takes; --all: every outcome is
 * counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "campaign/cluster_state.h"
#include "campaign/follower.h"
#include "campaign/runner.h"
#include "launcher.h"

typedef struct settings {
    int64_t trials, chunk, block, images, threads, microseconds, all;
    const char *file;
} settings;

/* What passes through rank 0, and the processor time of its two threads. */
static struct {
    stoic_transport real;
    int64_t received, messages, sent;
    double dispatcher, committer;
    double working; /* from the first result on */
} count;

static double thread_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static stoic_status count_send(void *user, int to, const void *data, size_t bytes,
                               stoic_error *err) {
    count.sent += (int64_t)bytes;
    return count.real.send(user, to, data, bytes, err);
}

static stoic_status count_receive(void *user, double seconds, int *from, const void **data,
                                  size_t *bytes, stoic_error *err) {
    stoic_status status = count.real.receive(user, seconds, from, data, bytes, err);
    if (status == STOIC_OK && *from > 0) {
        if (count.messages++ == 0)
            count.working = stoic_clock();
        count.received += (int64_t)*bytes;
    }
    count.dispatcher = thread_seconds();
    return status;
}

/* ---- workers that only take time ---- */

static stoic_status open_worker(void *user, int worker, void **state, stoic_error *err) {
    (void)worker;
    (void)err;
    *state = user;
    return STOIC_OK;
}

static void close_worker(void *state) {
    (void)state;
}

static stoic_status take_block(void *state, int64_t first, int64_t n, stoic_error *err) {
    const settings *set = state;
    (void)first;
    (void)n;
    (void)err;
    if (set->microseconds > 0)
        usleep((useconds_t)set->microseconds);
    return STOIC_OK;
}

static stoic_status run_trial(void *state, int64_t trial, const int32_t *images, int64_t n,
                              stoic_counts *counts, uint8_t *outcome, stoic_error *err) {
    const settings *set = state;
    (void)images;
    (void)n;
    (void)outcome;
    (void)err;
    int64_t unmeasured = set->all ? 0 : -1;
    *counts = (stoic_counts){.images = set->block,
                             .correct = trial % 7,
                             .critical = trial % 3,
                             .masked = unmeasured,
                             .tolerable = unmeasured,
                             .sdc5 = unmeasured,
                             .sdc10 = unmeasured,
                             .sdc20 = unmeasured};
    return STOIC_OK;
}

/* One flipped bit anywhere, as `flips:1` draws it. */
static stoic_status draw(void *user, int64_t trial, stoic_site_list *sites, stoic_error *err) {
    (void)user;
    stoic_rng rng;
    stoic_rng_init(&rng, 1, (uint64_t)trial, STOIC_STREAM_IMAGE);
    stoic_status status = stoic_site_list_resize(sites, 1, err);
    if (status != STOIC_OK)
        return status;
    int64_t word = (int64_t)stoic_rng_below(&rng, 60000);
    sites->items[0] = (stoic_site){.bit = (int32_t)stoic_rng_below(&rng, 32),
                                   .action = STOIC_FLIP,
                                   .word = word,
                                   .index = word,
                                   .before = 1.0f,
                                   .after = -1.0f};
    return STOIC_OK;
}

/* ---- the two sides ---- */

static void note_committer(void *user, const stoic_campaign_progress *progress) {
    (void)user;
    (void)progress;
    count.committer = thread_seconds();
}

static stoic_status create(stoic_campaign_file *file, const settings *set, stoic_error *err) {
    static const stoic_file_layer layer = {"fc", "Gemm", 60000, 60000};
    static const stoic_file_entry entry = {
        .name = "w", .shape = "60000", .words = 60000, .word_bits = 32};
    stoic_facts facts = {0};
    stoic_status status =
        stoic_facts_set(&facts, true, "trial_images", err, "%lld", (long long)set->images);
    stoic_campaign_setup setup = {
        .facts = &facts, .layers = &layer, .n_layers = 1, .entries = &entry, .n_entries = 1};
    if (status == STOIC_OK)
        status = stoic_campaign_file_create(file, &setup, err);
    stoic_facts_deinit(&facts);
    return status;
}

static void tell(const settings *set, int ranks, int64_t units, double seconds) {
    double workers = (double)(ranks - 1) * (double)set->threads;
    double n = (double)units, trials = (double)set->trials;
    printf("workers %.0f  units %lld  seconds %.2f  units/s %.0f  trials/s %.0f\n", workers,
           (long long)units, seconds, n / seconds, trials / seconds);
    printf("to rank 0: %.1f bytes/trial, %.1f bytes/unit, %.2f units/message; from it %.1f "
           "bytes/unit\n",
           (double)count.received / trials, (double)count.received / n, n / (double)count.messages,
           (double)count.sent / n);
    printf("processor time of rank 0: dispatcher %.2f us/unit, committer %.2f us/unit\n",
           1e6 * count.dispatcher / n, 1e6 * count.committer / n);
    if (set->microseconds > 0)
        printf("workers busy: %.4f\n", n * 1e-6 * (double)set->microseconds / (workers * seconds));
}

static stoic_status coordinate(const settings *set, stoic_run_options *run, int ranks,
                               stoic_error *err) {
    stoic_campaign_file *file = NULL;
    stoic_summary summary;
    int64_t blocks = (set->images + set->block - 1) / set->block;
    int64_t units = (set->trials + set->chunk - 1) / set->chunk * blocks;
    unlink(set->file);
    stoic_status status = stoic_campaign_file_open(set->file, true, &file, err);
    if (status == STOIC_OK)
        status = create(file, set, err);
    if (status == STOIC_OK)
        status = stoic_campaign_execute(file, run, &summary, err);
    double seconds = stoic_clock() - count.working;
    stoic_campaign_file_close(file);
    if (status == STOIC_OK)
        tell(set, ranks, units, seconds);
    unlink(set->file);
    return status;
}

static int parse(int argc, char **argv, settings *set) {
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"--trials", &set->trials},   {"--chunk", &set->chunk},
                   {"--block", &set->block},     {"--images", &set->images},
                   {"--threads", &set->threads}, {"--microseconds", &set->microseconds},
                   {"--all", &set->all}};
    for (int i = 1; i + 1 < argc; i += 2) {
        bool known = !strcmp(argv[i], "--file");
        if (known)
            set->file = argv[i + 1];
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (!strcmp(argv[i], numbers[k].name)) {
                *numbers[k].value = atoll(argv[i + 1]);
                known = true;
            }
        }
        if (!known)
            return i;
    }
    return argc % 2 ? 0 : argc - 1;
}

int main(int argc, char **argv) {
    settings set = {.trials = 200000,
                    .chunk = 16,
                    .block = 512,
                    .images = 10240,
                    .threads = 1,
                    .file = "bench-cluster.db"};
    stoic_error err = {0};
    stoic_transport counted;
    stoic_cluster *cluster = NULL;
    int wrong = parse(argc, argv, &set);
    if (wrong || set.images % set.block) {
        fprintf(stderr, "bench-cluster: %s\n",
                wrong ? argv[wrong] : "--images must be a multiple of --block");
        return 2;
    }
    stoic_status status = cli_mpi_join(&count.real, &err);
    counted = count.real;
    counted.send = count_send;
    counted.receive = count_receive;
    if (status == STOIC_OK)
        status = stoic_cluster_create(&counted, &cluster, &err);
    stoic_site_source source = {NULL, draw, true};
    stoic_run_options run = {
        .worker = {&set, open_worker, close_worker, take_block, run_trial, NULL},
        .sites = &source,
        .design = {.chunk = set.chunk, .block = set.block, .images = set.images},
        .trials = set.trials,
        .limit = -1,
        .confidence = 0.95,
        .progress = note_committer,
        .threads = counted.rank ? (int)set.threads : -1,
        .cluster = cluster};
    if (status == STOIC_OK)
        status = counted.rank ? stoic_follower_run(&run, &err)
                              : coordinate(&set, &run, counted.ranks, &err);
    if (status != STOIC_OK)
        fprintf(stderr, "bench-cluster: %s: %s\n", err.place, err.message);
    if (cluster)
        cli_mpi_leave(stoic_cluster_finish(cluster, status, &err, 60.0));
    stoic_cluster_free(cluster);
    return status != STOIC_OK;
}
