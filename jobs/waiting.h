/* How OpenMP threads wait that have nothing to do. By default GCC's spin for milliseconds, which is right while each
 * has a core, and keeps others from working where cores are shared: 12 ranks of 2 threads on 2 cores are 25 times
 * slower that way (measured, bert-mini). What they do is read from the environment before main starts and cannot be
 * changed later. */
#ifndef PQ_WAITING_H
#define PQ_WAITING_H

#include "options.h"

/* Before MPI starts. Where the launcher put more threads on this host (processes times the largest --threads) than it
 * has hardware threads open to us, and the user has said nothing (OMP_WAIT_POLICY, GOMP_SPINCOUNT), sets
 * OMP_WAIT_POLICY=passive and starts the program anew in the same process. Else, and where that fails, returns. argv:
 * the command's; argv[0] is its name. */
void pq_waiting_settle(enum pq_command command, int argc, char **argv);

#endif
