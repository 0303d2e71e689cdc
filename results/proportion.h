/* How far a measured share may be from the true one. Used for accuracy: of so many sentences so many were right. */
#ifndef PQ_PROPORTION_H
#define PQ_PROPORTION_H

#include <stdint.h>

struct pq_proportion { double value, low, high; }; /* 0 to 1 */

/* The share hits / all with Wilson's interval, which holds the true share with probability 95 % when the sentences are
 * drawn independently: the shares p with |hits - all p| <= 1.96 sqrt(all p (1 - p)). It stays within 0 to 1, and says
 * something where all are right. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
 * all 0: value 0, and the interval is 0 to 1. */
struct pq_proportion pq_proportion_of(uint64_t hits, uint64_t all);

#endif
