/* Which cores the ranks on one host and their threads get: a plan, made without touching anything, so that every rank
 * makes the same one and invented machines can be planned for. mpi/binding.h collects what it needs and applies it.
 *
 * Each rank keeps within the set that scheduler or launcher gave it; where sets overlap, what they have in common is
 * split. A party's ranks stay together on a NUMA node where they fit, on the one with the most room, so that parties
 * spread over nodes; else each rank on a node; else it takes what there is. A rank's threads get neighbouring cores.
 * Tried in this order:
 *
 *   PQ_PLACED_CORES    every thread has a core of its own
 *   PQ_PLACED_THREADS  every thread has a hardware thread of its own; a core is doubled only when all have one
 *   PQ_PLACED_SHARING  oversubscribed, but not where it counts: the ranks that may share run anywhere in their set,
 *                      all others as above (P0's share: it idles while P1 and P2 are online, or runs ahead of them; of
 *                      three ranks on two cores this takes a tenth off the online time)
 *   PQ_PLACED_NOT      oversubscribed: whom to bind where would be a guess, so nobody is bound */
#ifndef PQ_PLACEMENT_H
#define PQ_PLACEMENT_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>

enum pq_placed { PQ_PLACED_CORES, PQ_PLACED_THREADS, PQ_PLACED_SHARING, PQ_PLACED_NOT };

/* One rank of the host. */
struct pq_seat {
    unsigned party;            /* seats of one party stand next to each other */
    bool may_share;
    hwloc_const_bitmap_t allowed; /* hardware threads it may use, the system's numbers */
};

/* place [seats][threads]: allocated bitmaps, which get the hardware threads of each thread (of a whole core: all that
 * the rank may use of it); with PQ_PLACED_NOT each the rank's whole set. Cost: seats * threads * hardware threads. */
enum pq_placed pq_placement_plan(hwloc_topology_t topology, const struct pq_seat *seat, size_t seats, size_t threads,
                                 hwloc_bitmap_t *place);

/* Cores of which `set` holds at least one hardware thread. */
unsigned pq_placement_cores(hwloc_topology_t topology, hwloc_const_bitmap_t set);

#endif
