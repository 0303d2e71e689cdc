/* pqbert results merge OUT IN... [--force]: result files of many jobs into one. No MPI. */
#include "../results/record.h"
#include "commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "pqbert results merge OUT IN... [--force]";

static int mistake(const char *what, const char *which)
{
    struct pq_error err;
    pq_fail(&err, PQ_USER, "%s%s; use: %s", what, which, usage);
    fprintf(stderr, "pqbert results merge: %s\n", err.text);
    return PQ_USER;
}

static int merge(const char *const *path, size_t paths, bool force)
{
    struct pq_error err;
    const enum pq_status status = pq_results_merge(path[0], path + 1, paths - 1, force, &err);
    if (status != PQ_OK)
        fprintf(stderr, "pqbert results merge: %s\n", err.text);
    return (int)status;
}

int pq_cmd_merge(int argc, char **argv)
{
    const char **path = calloc((size_t)argc, sizeof *path);
    size_t paths = 0;
    bool force = false, help = false;
    const char *unknown = NULL;
    PQ_ASSERT(path);
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--force"))
            force = true;
        else if (!strcmp(argv[i], "--help"))
            help = true;
        else if (argv[i][0] == '-')
            unknown = argv[i];
        else
            path[paths++] = argv[i];
    int code = PQ_OK;
    if (help)
        printf("Usage: %s\n"
               "The rows of the files IN, which stay as they are, in the new file OUT. Refused: a point that is in two "
               "files, two models\nof one name; without --force also files of different programs or processors, and "
               "secure results with INSECURE-BENCH ones.\n", usage);
    else if (unknown)
        code = mistake("cannot understand ", unknown);
    else if (paths < 2)
        code = mistake(paths ? "IN is missing" : "OUT and IN are missing", "");
    else
        code = merge(path, paths, force);
    free(path);
    return code;
}
