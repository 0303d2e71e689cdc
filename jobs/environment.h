/* What a result file records of where it was made (/environment, results/SCHEMA.md). */
#ifndef PQ_ENVIRONMENT_H
#define PQ_ENVIRONMENT_H

#include "../results/record.h"
#include "launch.h"

/* Called by every rank (hosts and cores are collected); filled in on rank 0. */
void pq_environment_describe(struct pq_environment *env, const struct pq_launch *l, int argc, char **argv);

#endif
