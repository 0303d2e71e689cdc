/* pqbert kernels [--check]: are the matrix kernels right, and how fast are they here? */
#include "../kernels/bench.h"
#include "commands.h"
#include "options.h"

#include <stdio.h>

int pq_cmd_kernels(int argc, char **argv)
{
    struct pq_options o;
    struct pq_error err;
    bool help;
    enum pq_status s = pq_options_parse(PQ_CMD_KERNELS, argc, argv, &o, &help, &err);
    if (s != PQ_OK)
        fprintf(stderr, "pqbert: %s\n", err.text);
    if (s == PQ_OK && help)
        pq_options_help(PQ_CMD_KERNELS, argv[0]);
    return s != PQ_OK || help ? (int)s : pq_kernels_bench(stdout, o.check);
}
