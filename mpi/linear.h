/* Secret weights times a secret input (protocols.md section 3, both variants); weights.h says who multiplies what.
 *
 *   preprocessed  P0, offline: u = lambda * W' + bias, of which P2 gets u - r (2 bytes an output), r = s01's PQ_S_PRODUCT.
 *                 Online P1: x2*w1 + r, P2: x2*w0 + (u - r). No message, P0 idle.
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

/* What a product adds beside the parties' own terms, shared by linear layers and by attention (product.h): P1's r in z;
 * P0's z (published, online) less r sent to P2, or (offline) dealt; P2's part added to z. n elements from `first` on. */
void pq_product_mask(struct pq_context *c, uint16_t *z, size_t first, size_t n);    /* P1: z = r */
void pq_product_hand_over(struct pq_context *c, uint16_t *z, size_t first, size_t n); /* P0 online: sends z - r */
void pq_product_take_over(struct pq_context *c, uint16_t *z, size_t n);               /* P2: z += what came or was dealt */
void pq_product_cost(struct pq_cost *c, size_t n, uint64_t multiply_adds); /* of one term; books all parties */

#endif
