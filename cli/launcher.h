/*
 * Several processes of one command, as mpirun or srun start them. With MPI (build option `mpi`) a
 * verb can make one job of them; without it they are refused, lest each does all of the work.
 */
#ifndef CLI_LAUNCHER_H
#define CLI_LAUNCHER_H

#include "stoic/cluster.h"

/* How many processes a launcher says it has started, and which of them this is; 1 and 0 without. */
int cli_launcher_ranks(void);
int cli_launcher_rank(void);
/* Its name; NULL without one. */
const char *cli_launcher_name(void);
/* The MPI of this build, "none" without. */
const char *cli_launcher_mpi(void);

/* Several processes of a verb that has no work to share out: the refusal of all but `inject`. */
stoic_status cli_launcher_refuse(const char *verb, stoic_error *err);

typedef struct cli_job {
    stoic_cluster *cluster; /* NULL: this process is alone */
    bool silent;            /* another process speaks for this one */
} cli_job;

/* Where a launcher has started several processes: joins them. `apart`: they do not share their
 * work, and may stay alone where there is no MPI. Without MPI rank 0 gets the refusal; the others
 * are silent, and have nothing to do. */
stoic_status cli_job_join(cli_job *job, bool apart, stoic_error *err);
/* At the end, however it went: the others are told, and rank 0 learns of their failures. Returns
 * what this process has to report. */
stoic_status cli_job_leave(cli_job *job, stoic_status status, const stoic_error *err);

/* The one file that knows MPI. */
stoic_status cli_mpi_join(stoic_transport *transport, stoic_error *err);
/* `together`: all ranks leave. */
void cli_mpi_leave(bool together);
const char *cli_mpi_version(void);

#endif
