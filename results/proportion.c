#include "proportion.h"

#include "../kernels/status.h"

#include <math.h>

struct pq_proportion pq_proportion_of(uint64_t hits, uint64_t all)
{
    static const double z = 1.959963984540054; /* 97.5 % of the normal distribution are below */
    PQ_ASSERT(hits <= all);
    if (all == 0)
        return (struct pq_proportion){ 0, 0, 1 };
    const double n = (double)all, p = (double)hits / n, shrink = 1 / (1 + z * z / n);
    const double middle = shrink * (p + z * z / (2 * n));
    const double half = shrink * z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (struct pq_proportion){ p, hits == 0 ? 0 : middle - half, hits == all ? 1 : middle + half };
}
