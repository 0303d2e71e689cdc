/* Whether two sets of times differ by more than their spread. Shared by record_compare.c and its test. */
#ifndef PQ_SPREAD_H
#define PQ_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* b over a: the median of the ratios of all pairs (Hodges and Lehmann's estimate, on a logarithmic scale), and the
 * interval that holds the true ratio with probability 95 %, from the distribution of Mann and Whitney's U: no shape of
 * the spread is assumed, only that repetitions are independent and that both sets have the same shape. Exact up to 400
 * pairs, by the normal approximation beyond. known false: too few values (3 and 3, say) for any interval of 95 %. */
struct pq_ratio {
    double middle, low, high;
    bool known;
};

/* a [n], b [m], n, m >= 1, values >= 1. Time n * m * log(n * m), exact distribution n^2 * m^2. */
struct pq_ratio pq_spread_ratio(const uint64_t *a, size_t n, const uint64_t *b, size_t m);

/* How many of the smallest (and of the largest) of n * m pairwise ratios lie outside the 95 % interval; 0: no interval
 * excludes any, the numbers are too few. */
size_t pq_spread_outside(size_t n, size_t m);

#endif
