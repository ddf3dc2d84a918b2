#include "launcher.h"

#include <stdlib.h>
#include <string.h>

#include "verb.h"

/* What launchers put into the environment; the first that is there counts, because mpirun may
 * itself have been started by srun. */
static const struct {
    const char *name, *ranks, *rank;
} launchers[] = {{"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                 {"mpiexec", "PMI_SIZE", "PMI_RANK"},
                 {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};

static int number(const char *name, int missing) {
    const char *text = getenv(name);
    char *end;
    if (!text || !*text)
        return missing;
    long value = strtol(text, &end, 10);
    return *end || value < 0 || value > INT32_MAX ? missing : (int)value;
}

/* -1: none. */
static int found(void) {
    for (int i = 0; i < (int)(sizeof launchers / sizeof *launchers); i++) {
        if (number(launchers[i].ranks, 0) > 0)
            return i;
    }
    return -1;
}

const char *cli_launcher_name(void) {
    int i = found();
    return i < 0 ? NULL : launchers[i].name;
}

int cli_launcher_ranks(void) {
    int i = found();
    return i < 0 ? 1 : number(launchers[i].ranks, 1);
}

int cli_launcher_rank(void) {
    int i = found();
    return i < 0 ? 0 : number(launchers[i].rank, 0);
}

const char *cli_launcher_mpi(void) {
#ifdef CLI_MPI
    return cli_mpi_version();
#else
    return "none";
#endif
}

stoic_status cli_launcher_refuse(const char *verb, stoic_error *err) {
    return cli_fail(err, STOIC_ERR_UNSUPPORTED, "",
                    "%s has started %d processes, and each would do all of it: %s runs in one "
                    "(where each has work of its own, unset %s)",
                    cli_launcher_name(), cli_launcher_ranks(), verb, launchers[found()].ranks);
}

/* Several processes that cannot hear each other. One of them says so. */
static stoic_status refuse(cli_job *job, const char *why, const char *instead, stoic_error *err) {
    job->silent = cli_launcher_rank() > 0;
    if (job->silent)
        return STOIC_OK;
    return cli_fail(err, STOIC_ERR_UNSUPPORTED, "",
                    "%s has started %d processes, but %s; start one, %sor divide the work by "
                    "--shard",
                    cli_launcher_name(), cli_launcher_ranks(), why, instead);
}

#ifdef CLI_MPI
static stoic_status join(cli_job *job, bool apart, stoic_error *err) {
    stoic_transport transport;
    /* Without a process manager MPI_Init would not know of the others, or end the process. */
    if (!strcmp(cli_launcher_name(), "srun") && !getenv("PMIX_RANK"))
        return apart ? STOIC_OK
                     : refuse(job, "without MPI", "use mpirun, or srun --mpi=pmix, ", err);
    stoic_status status = cli_mpi_join(&transport, err);
    if (status != STOIC_OK)
        return status;
    if (transport.ranks == 1)
        return apart ? STOIC_OK : refuse(job, "this program's MPI sees one", "", err);
    status = stoic_cluster_create(&transport, &job->cluster, err);
    job->silent = transport.rank > 0;
    if (job->silent)
        stoic_log_set(NULL, NULL);
    return status;
}
#else
static stoic_status join(cli_job *job, bool apart, stoic_error *err) {
    return apart ? STOIC_OK : refuse(job, "this program was built without MPI", "", err);
}
#endif

stoic_status cli_job_join(cli_job *job, bool apart, stoic_error *err) {
    *job = (cli_job){.cluster = NULL};
    return cli_launcher_ranks() > 1 ? join(job, apart, err) : STOIC_OK;
}

stoic_status cli_job_leave(cli_job *job, stoic_status status, const stoic_error *err) {
    if (!job->cluster)
        return status;
    /* Once mpirun has asked them to end, ranks have a second, and some may be gone. */
    double patience = status == STOIC_ERR_INTERRUPTED ? 0.0 : 1e9;
    bool together = stoic_cluster_finish(job->cluster, status, err, patience);
    stoic_cluster_free(job->cluster);
    job->cluster = NULL;
#ifdef CLI_MPI
    cli_mpi_leave(together);
#endif
    (void)together;
    return job->silent ? STOIC_OK : status;
}
