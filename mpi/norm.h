/* LayerNorm's own operations (protocols.md section 4 step 5); encoder.c strings them together. engine.h gives the
 * formulas.
 *
 * Here h is never opened in the large ring: its lift is delta + c0 + rho*c1 with delta and rho public and c0, c1 known
 * to P0, so sums of squares and products with r are linear in numbers that P0 deals. Against opening h under a 32-bit
 * mask this saves 8 bytes an element online.
 *
 * n channels over G ranks, T tokens; "own tokens" are this rank's block of T. Costs, P1 and P2 each, per rank:
 *
 *   lift       8 + 1 bits an element, 2 rounds; material 32 + 8 bytes an element
 *   variance   4 bytes an own token, 1 round; material 4 bytes an element, 8 an own token; inside the party 8 a token
 *   normalise  4 bytes an own token, 1 round; material 8 bytes an element, 4 an own token; inside the party 8 a token
 */
#ifndef PQ_NORM_H
#define PQ_NORM_H

#include "context.h"
#include "cost.h"

/* Sizes of a per-token value: the tokens this rank owns. */
struct pq_dim pq_token_dim(const struct pq_engine *e, size_t tokens);

struct pq_lifted pq_lift_deal(struct pq_engine *e, struct pq_add h);
struct pq_lifted pq_lift_online(struct pq_engine *e, struct pq_add h);
struct pq_lifted pq_lift_cost(struct pq_engine *e, struct pq_add h);

struct pq_add pq_variance_deal(struct pq_engine *e, struct pq_lifted *h);
struct pq_add pq_variance_online(struct pq_engine *e, struct pq_lifted *h);
struct pq_add pq_variance_cost(struct pq_engine *e, struct pq_lifted *h);

struct pq_add pq_normalise_deal(struct pq_engine *e, struct pq_lifted h, struct pq_add r);
struct pq_add pq_normalise_online(struct pq_engine *e, struct pq_lifted h, struct pq_add r);
struct pq_add pq_normalise_cost(struct pq_engine *e, struct pq_lifted h, struct pq_add r);

#endif
