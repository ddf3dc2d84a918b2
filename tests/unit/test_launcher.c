/* Several processes of a build without MPI: cli/launcher.c is compiled once more, without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "launcher.h"

static const char *const names[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "PMI_RANK",
    "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"};

static void launched(const char *size, const char *rank, const char *ranks, const char *number) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    if (size)
        setenv(size, ranks, 1);
    if (rank)
        setenv(rank, number, 1);
}

static void test_alone(void **state) {
    (void)state;
    cli_job job;
    stoic_error err = {0};
    launched(NULL, NULL, NULL, NULL);
    assert_int_equal(cli_launcher_ranks(), 1);
    assert_null(cli_launcher_name());
    assert_int_equal(cli_job_join(&job, false, &err), STOIC_OK);
    launched("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "1", "0");
    assert_int_equal(cli_job_join(&job, false, &err), STOIC_OK);
    launched("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "two", "x");
    assert_int_equal(cli_job_join(&job, false, &err), STOIC_OK);
    assert_false(job.silent);
}

/* Rank 0 refuses, the others have nothing to say or do. */
static void test_many(void **state) {
    (void)state;
    cli_job job;
    stoic_error err = {0};
    assert_string_equal(cli_launcher_mpi(), "none");
    for (size_t i = 0; i < sizeof names / sizeof *names; i += 2) {
        launched(names[i], names[i + 1], "3", "0");
        assert_int_equal(cli_job_join(&job, false, &err), STOIC_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "has started 3 processes, but this program was built "
                                            "without MPI; start one, or divide the work by "
                                            "--shard"));
        assert_int_equal(cli_job_join(&job, true, &err), STOIC_OK); /* each has a shard */
        assert_false(job.silent);
        launched(names[i], names[i + 1], "3", "2");
        assert_int_equal(cli_job_join(&job, false, &err), STOIC_OK);
        assert_true(job.silent);
        assert_null(job.cluster);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alone), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
