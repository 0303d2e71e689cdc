/* From an additive share to RSS: x0 from s02, x1 from s01, and P1 and P2 open x2 = x - x0 - x1 (protocols.md section
 * 3). P0 sends and receives nothing. */
#ifndef PQ_RESHARE_H
#define PQ_RESHARE_H

#include "context.h"
#include "cost.h"

/* x in Z_2^16. 2 bytes an element each way, 1 round; no material. */
struct pq_rss pq_reshare_deal(struct pq_engine *e, struct pq_add x);
struct pq_rss pq_reshare_online(struct pq_engine *e, struct pq_add x);
struct pq_rss pq_reshare_cost(struct pq_engine *e, struct pq_add x);

/* x in Z_2^b, b = 4 or 8, lifted by a wrap bit on the way; engine.h, reshare_code, says how. b + 1 + (16-b) bits an
 * element each way, 3 rounds; material 2^b bits and 4 bytes an element (6 bytes for b = 4, where a table to 16 bits
 * takes 32). The low b bits of x2 are public from the first opening on, so only the upper ones travel in the last. */
struct pq_rss pq_reshare_code_deal(struct pq_engine *e, struct pq_add x, bool is_signed);
struct pq_rss pq_reshare_code_online(struct pq_engine *e, struct pq_add x, bool is_signed);
struct pq_rss pq_reshare_code_cost(struct pq_engine *e, struct pq_add x, bool is_signed);

#endif
