/* Operations without communication on what a party holds: truncation, sums, the first tokens (protocols.md section 3,
 * truncation share-wise), and the gather of a party's blocks, which stays inside the party. */
#ifndef PQ_LOCAL_H
#define PQ_LOCAL_H

#include "context.h"
#include "cost.h"

/* P1, P2. Additive shares; the dealer has nothing to do for them and only passes the sizes on. */
struct pq_add pq_truncate_online(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed);
struct pq_add pq_truncate_shape(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed);
struct pq_add pq_truncate_cost(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed);
struct pq_add pq_add_online(struct pq_engine *e, struct pq_add a, struct pq_add b);
struct pq_add pq_add_shape(struct pq_engine *e, struct pq_add a, struct pq_add b);
struct pq_add pq_add_cost(struct pq_engine *e, struct pq_add a, struct pq_add b);
struct pq_add pq_row_sum_online(struct pq_engine *e, struct pq_add x, bool is_signed);
struct pq_add pq_row_sum_shape(struct pq_engine *e, struct pq_add x, bool is_signed);
struct pq_add pq_row_sum_cost(struct pq_engine *e, struct pq_add x, bool is_signed);

/* RSS values. gather: P1 and P2 pass x2 inside the party (2 bytes an element to each other rank); masks of channels
 * they do not own they draw again, where the protocol needs them (P0, and everyone in `published`). */
struct pq_rss pq_gather_run(struct pq_engine *e, struct pq_rss x);
struct pq_rss pq_gather_cost(struct pq_engine *e, struct pq_rss x);
struct pq_rss pq_first_tokens_run(struct pq_engine *e, struct pq_rss x);
struct pq_rss pq_first_tokens_cost(struct pq_engine *e, struct pq_rss x);

/* Masks x0 (s02) and x1 (s01) of elements [first, first+n) that operation `op` drew; NULL for one that is not wanted.
 */
void pq_rss_masks(struct pq_context *c, uint32_t op, size_t first, size_t n, uint16_t *x0, uint16_t *x1);

#endif
