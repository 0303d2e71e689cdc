/* What the cores of a point can do, measured while all of them are busy: the denominators of floor_ns (interface.md,
 * The result file). Online P1 and P2 work at the same time, and ranks of one host share its memory and its clock: a
 * core that measures alone on an idle host finds what no rank gets (40 GB/s against 23 with two cores, and 5 % more
 * multiply-adds, on the machine this was written on). */
#ifndef PQ_PEAKS_H
#define PQ_PEAKS_H

#include "launch.h"

struct pq_peaks { double macs, bandwidth; }; /* of one core: multiply-adds and bytes read from memory, per second */

/* Every rank of the launch, between phases. The cores of P1's and P2's first `ranks` ranks, `threads` of each, bound as
 * for their online phase, measure at the same time; P0, which may share their cores, and the other ranks sleep. World
 * rank 0 gets the slowest rank's mean, since the slowest decides when a point ends, and of three rounds the best;
 * elsewhere 0. One to two seconds, four with the largest buffers: 64 MiB to 1 GiB a core (machine.h). */
struct pq_peaks pq_peaks_measure(const struct pq_launch *l, size_t ranks, size_t threads);

#endif
