/* What a whole sweep will take, roughly: for the head of a batch job and its time limit. */
#ifndef PQ_EXPECT_H
#define PQ_EXPECT_H

#include "point.h"

struct pq_expectation {
    uint64_t repetitions;      /* of all points, warm-up included */
    double seconds;            /* the launch, set-up of each point, and every repetition with its verification */
    uint64_t memory[PQ_ROLES]; /* bytes of a party, all ranks, at the largest point */
};

/* Time on cores like those it is called on (it measures their peak and bandwidth, which takes a moment), parties on a
 * network of 10 Gbit/s. The counts are exact; the rates that turn them into time are those of this program on one
 * machine, so expect a factor of two either way, more where cores are shared or the network is slow. */
struct pq_expectation pq_expect(const struct pq_point *points, size_t count, const struct pq_options *o);

#endif
