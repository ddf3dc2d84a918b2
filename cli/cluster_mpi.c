/*
 * Messages of a cluster by MPI. Sends do not wait: two ranks that send to each other at once would
 * wait for ever. Receiving looks, and sleeps in between, because MPI's own waiting takes a whole
 * processor.
 */
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "launcher.h"
#include "verb.h"

enum { TAG = 1 };

/* A message on its way. */
typedef struct parcel {
    MPI_Request request;
    struct parcel *next;
    char data[];
} parcel;

static struct {
    parcel *sent;
    void *received;
    size_t room;
    char host[MPI_MAX_PROCESSOR_NAME];
} post;

static stoic_status fail(stoic_error *err, const char *what, int code) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    MPI_Error_string(code, text, &length);
    return cli_fail(err, STOIC_ERR_IO, "MPI", "%s: %s", what, text);
}

/* Forgets the messages that have left; all of them if `wait`. */
static stoic_status collect(bool wait, stoic_error *err) {
    for (parcel **at = &post.sent; *at;) {
        parcel *p = *at;
        int done = 1, code = wait ? MPI_Wait(&p->request, MPI_STATUS_IGNORE)
                                  : MPI_Test(&p->request, &done, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS)
            return fail(err, "cannot send", code);
        if (done) {
            *at = p->next;
            free(p);
        } else {
            at = &p->next;
        }
    }
    return STOIC_OK;
}

static stoic_status send(void *user, int to, const void *data, size_t bytes, stoic_error *err) {
    (void)user;
    if (bytes > INT_MAX)
        return cli_fail(err, STOIC_ERR_UNSUPPORTED, "MPI", "a message of %zu bytes", bytes);
    stoic_status status = collect(false, err);
    if (status != STOIC_OK)
        return status;
    parcel *p = malloc(sizeof *p + bytes);
    if (!p)
        return cli_fail_memory(err);
    memcpy(p->data, data, bytes);
    int code = MPI_Isend(p->data, (int)bytes, MPI_BYTE, to, TAG, MPI_COMM_WORLD, &p->request);
    if (code != MPI_SUCCESS) {
        free(p);
        return fail(err, "cannot send", code);
    }
    p->next = post.sent;
    post.sent = p;
    return STOIC_OK;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits for a message; *there: one has come. */
static stoic_status look(double seconds, bool *there, MPI_Status *message, stoic_error *err) {
    struct timespec nap = {0, 200000}; /* longer and longer: a rank that waits costs little */
    double until = now() + seconds;
    for (;;) {
        int flag, code = MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &flag, message);
        if (code != MPI_SUCCESS)
            return fail(err, "cannot receive", code);
        *there = flag != 0;
        if (*there || now() >= until)
            return STOIC_OK;
        stoic_status status = collect(false, err);
        if (status != STOIC_OK)
            return status;
        nanosleep(&nap, NULL);
        nap.tv_nsec += nap.tv_nsec < 1600000 ? nap.tv_nsec : 0;
    }
}

static stoic_status receive(void *user, double seconds, int *from, const void **data, size_t *bytes,
                            stoic_error *err) {
    (void)user;
    MPI_Status message;
    bool there;
    int size;
    *from = -1;
    stoic_status status = look(seconds, &there, &message, err);
    if (status != STOIC_OK || !there)
        return status;
    MPI_Get_count(&message, MPI_BYTE, &size);
    if ((size_t)size > post.room) {
        void *room = realloc(post.received, (size_t)size);
        if (!room)
            return cli_fail_memory(err);
        post.received = room;
        post.room = (size_t)size;
    }
    int code = MPI_Recv(post.received, size, MPI_BYTE, message.MPI_SOURCE, TAG, MPI_COMM_WORLD,
                        MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS)
        return fail(err, "cannot receive", code);
    *from = message.MPI_SOURCE;
    *data = post.received;
    *bytes = (size_t)size;
    return STOIC_OK;
}

/* The ranks of this machine, and how much of the processors that this rank may use is its own: a
 * processor that k of them may use counts 1/k. */
static stoic_status count_neighbours(stoic_transport *out, stoic_error *err) {
    MPI_Comm machine;
    cpu_set_t ours, *all;
    int n, code = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL,
                                      &machine);
    if (code != MPI_SUCCESS)
        return fail(err, "cannot find the ranks of this machine", code);
    MPI_Comm_size(machine, &n);
    CPU_ZERO(&ours);
    sched_getaffinity(0, sizeof ours, &ours);
    all = calloc((size_t)n, sizeof *all);
    if (!all)
        return cli_fail_memory(err);
    MPI_Allgather(&ours, (int)sizeof ours, MPI_BYTE, all, (int)sizeof ours, MPI_BYTE, machine);
    MPI_Comm_free(&machine);
    double own = 0.0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int users = 0;
        for (int i = 0; i < n && CPU_ISSET(cpu, &ours); i++)
            users += CPU_ISSET(cpu, &all[i]) != 0;
        own += users ? 1.0 / users : 0.0;
    }
    free(all);
    out->neighbours = n;
    out->share = CPU_COUNT(&ours) ? own / CPU_COUNT(&ours) : 1.0 / n;
    return STOIC_OK;
}

stoic_status cli_mpi_join(stoic_transport *out, stoic_error *err) {
    int provided, length;
    *out = (stoic_transport){.host = post.host, .send = send, .receive = receive};
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    if (code != MPI_SUCCESS)
        return fail(err, "cannot start", code);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (provided < MPI_THREAD_SERIALIZED)
        return cli_fail(err, STOIC_ERR_UNSUPPORTED, "MPI", "it does not know of threads");
    MPI_Comm_rank(MPI_COMM_WORLD, &out->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &out->ranks);
    MPI_Get_processor_name(post.host, &length);
    return count_neighbours(out, err);
}

void cli_mpi_leave(bool together) {
    if (together && collect(true, NULL) == STOIC_OK)
        MPI_Finalize();
    free(post.received);
    post.received = NULL;
}

/* "Open MPI v4.1.4, package: ..." up to the comma. */
const char *cli_mpi_version(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0';
    return text;
}
