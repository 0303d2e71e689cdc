/* Secret times secret, per head and sequence (protocols.md section 3): scores K^T Q and context V P.
 *
 *   preprocessed  P0 deals lambda_x * lambda_y - r to P2 (2 bytes an output). P1: x2 (y2 + y1) + x1 y2 + r,
 *                 P2: x2 y0 + x0 y2 + what was dealt. No message.
 *   published     replicated: z_i = x_i (y_i + y_(i+1)) + x_(i+1) y_i at each party, P0's part less r sent to P2.
 *
 * Each party's two terms are one product of twice the depth. */
#ifndef PQ_PRODUCT_H
#define PQ_PRODUCT_H

#include "context.h"
#include "cost.h"

struct pq_add pq_scores_deal(struct pq_engine *e, struct pq_rss qkv);
struct pq_add pq_scores_online(struct pq_engine *e, struct pq_rss qkv);
struct pq_add pq_scores_cost(struct pq_engine *e, struct pq_rss qkv);
struct pq_add pq_context_deal(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);
struct pq_add pq_context_online(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);
struct pq_add pq_context_cost(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);

#endif
