#include "waiting.h"

#include "../kernels/machine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Processes of the launch on this host; 0: not known. */
static uint64_t processes_here(void)
{
    static const char *const names[] = {
        "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_TASKS_PER_NODE" /* "4(x2)": of the first host */
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *said = getenv(names[i]);
        if (said)
            return strtoull(said, NULL, 10);
    }
    return 0;
}

void pq_waiting_settle(enum pq_command command, int argc, char **argv)
{
    struct pq_options o;
    struct pq_error err;
    bool help;
    uint64_t threads = 1;
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") ||
        pq_options_parse(command, argc, argv, &o, &help, &err) != PQ_OK || help)
        return; /* mistakes are told later, by one rank */
    for (size_t i = 0; i < o.threads.count; i++)
        threads = o.threads.value[i] > threads ? o.threads.value[i] : threads;
    if (threads == 1 || processes_here() * threads <= pq_machine_hardware_threads())
        return;
    char **whole = pq_alloc(((size_t)argc + 2) * sizeof *whole);
    whole[0] = "pqbert";
    memcpy(whole + 1, argv, ((size_t)argc + 1) * sizeof *whole); /* with the NULL at its end */
    setenv("OMP_WAIT_POLICY", "passive", 1);
    execv("/proc/self/exe", whole);
    free(whole);
}
