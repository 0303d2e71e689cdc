/* Binds ranks and their OpenMP threads to cores, as kernels/placement.h plans it: every rank learns what all ranks of
 * its host may use, makes the same plan and applies its part. Says in words what came of it. */
#ifndef PQ_BINDING_H
#define PQ_BINDING_H

#include "group.h"

#include <stdbool.h>

struct pq_binding;

/* Every rank of the launch, before anything is bound. bind false: nothing will be bound, only described. */
struct pq_binding *pq_binding_open(const struct pq_group *group, bool bind);
void pq_binding_close(struct pq_binding *b);

/* Cores that this host's ranks may use, all of them together. */
unsigned pq_binding_cores(const struct pq_binding *b);

/* Before a phase of points of `ranks` ranks per party with `threads` threads: binds this rank's threads, or gives them
 * back what the launcher gave. Where P0 shares the others' cores (PQ_PLACED_SHARING) they are held to them online
 * alone: offline it is P0 that works, and the others must get out of its way. Each rank by itself, outside parallel
 * regions; b NULL: nothing is done. */
void pq_binding_apply(struct pq_binding *b, size_t ranks, size_t threads, bool online);

/* What apply does for such points, in one line where nothing is bound, else with a line for each party; sets are the
 * system's numbers of hardware threads. malloc'ed text on world rank 0, NULL elsewhere. Every rank of the launch. */
char *pq_binding_describe(const struct pq_binding *b, size_t ranks, size_t threads);

#endif
