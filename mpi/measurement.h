/* What a repetition took, from all ranks to the one that records it. */
#ifndef PQ_MEASUREMENT_H
#define PQ_MEASUREMENT_H

#include "group.h"
#include "tally.h"

enum pq_verdict { PQ_VALID, PQ_WRONG, PQ_UNCHECKED };

/* Of one repetition; complete on world rank 0 only. Counts and times are per party: bytes and messages summed over its
 * ranks, rounds and times of its slowest rank. */
struct pq_measurement {
    uint64_t setup_ns, offline_ns, online_ns, verify_ns; /* offline: slowest rank; online: P1, slowest rank */
    uint64_t cycle_ns; /* overlapping: from the start of this inference's online phase until the next one's could start.
                          Else 0 */
    uint64_t material_ns; /* marking and reading an entry of a stock, or writing it; slowest rank */
    struct pq_tally party[PQ_ROLES];
    uint64_t peak_memory[PQ_ROLES];
    enum pq_verdict verdict;
    uint64_t clock_off_ns; /* 0: clocks agree about how long this repetition took. Else by how much they do not: one
                              rank's (kernels/machine.h), or two ranks' by over half a second and 1 %. Its times are
                              then doubtful: a clock was stepped, or a machine suspended */
    uint64_t range_wrapped; /* values that left a declared range, as replay saw them; pq_replay_ranges says where */
};

/* One rank's part of it. */
struct pq_report {
    uint64_t setup_ns, offline_ns, online_ns, cycle_ns, material_ns, peak_memory;
    uint64_t whole_ns, clock_off_ns; /* from barrier to barrier, by this rank's clock, and whether its clocks agree */
    struct pq_tally tally;
};

/* Collects every rank's report on world rank 0, which fills m; the first `ranks` ranks of each party take part. Every
 * rank calls it. No protocol traffic. */
void pq_report_gather(const struct pq_report *mine, const struct pq_group *g, size_t ranks, struct pq_measurement *m);

#endif
