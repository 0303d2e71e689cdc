/* Where values enter and leave: P1's embedding and P1's logits (protocols.md section 4, Embedding). */
#ifndef PQ_INPUT_H
#define PQ_INPUT_H

#include "context.h"
#include "cost.h"

/* P1 sends x2 = code - x1 of this rank's hidden channels to P2 (2 bytes an element, 1 round); x1 comes from s01, x0 =
 * 0, so P0 receives nothing. P2's share of the residual comes from s12 and nothing is sent for it. */
void pq_embed_deal(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual);
void pq_embed_online(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual);
void pq_embed_cost(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual);

/* P2 sends its share of the logits to P1 (2 bytes each, 1 round); P1's ranks gather them. Nobody else learns them. */
void pq_reveal_deal(struct pq_engine *e, struct pq_add logits);
void pq_reveal_online(struct pq_engine *e, struct pq_add logits);
void pq_reveal_cost(struct pq_engine *e, struct pq_add logits);

#endif
