/* Secret weights times a secret input (protocols.md section 3, both variants); weights.h says who multiplies what.
 *
 *   preprocessed  P0, offline: u = lambda * W' + bias, of which P2 gets u - r (2 bytes an output), r = s01's
 *                 PQ_S_PRODUCT. Online P1: x2*w1 + r, P2: x2*w0 + (u - r). No message, P0 idle.
 *   published     all online: P0 sends its part less r to P2 (2 bytes an output, one-way); each party two products.
 *
 * Multiply-adds per party: out*in*tokens, twice that in `published`. */
#ifndef PQ_LINEAR_H
#define PQ_LINEAR_H

#include "context.h"
#include "cost.h"

struct pq_add pq_linear_deal(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);
struct pq_add pq_linear_online(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);
struct pq_add pq_linear_cost(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);

/* What a product adds beside the parties' own terms, shared by linear layers and by attention (product.h), n elements
 * from `first` on. begin: P1 starts from r, P2 (preprocessed) from what was dealt, else zero. end (published): P0 sends
 * its part less r, P2 adds it. */
uint16_t *pq_product_begin(struct pq_context *c, size_t first, size_t n); /* what the terms are added to */
void pq_product_end(struct pq_context *c, uint16_t *z, size_t first, size_t n);
void pq_product_cost(struct pq_cost *c, size_t first, size_t n,
                     uint64_t multiply_adds); /* of one term; books all parties */

#endif
