/* BERT, written once (protocols.md section 4): embedding, `layers` encoder layers, pooler, classifier, over the
 * operations of engine.h. */
#ifndef PQ_ENCODER_H
#define PQ_ENCODER_H

#include "engine.h"

/* Runs a whole inference on the engine. e->op starts at 0; the caller has prepared inputs, seeds and material. */
void pq_encoder_run(struct pq_engine *e);

/* Softmax over len of scores u, codes in Z_2^4 or, for the tree, in Z_2^5: probabilities as RSS (section 4 step 3). */
struct pq_rss pq_softmax(struct pq_engine *e, struct pq_add u, uint32_t layer);

/* Maximum over len of such codes; o is u opened. tree: ceil(log2 len) - 1 rounds here; count: 1 round, Z_2^4 alone. */
struct pq_add pq_maximum(struct pq_engine *e, struct pq_opened o, struct pq_add u);

/* LayerNorm of h in Z_2^8: the next linear layer's input (gathered RSS codes) and the next residual (section 4 step 5).
 */
void pq_layernorm(struct pq_engine *e, struct pq_add h, uint32_t layer, unsigned which, struct pq_rss *code,
                  struct pq_add *residual);

/* What follows a truncated value: its table to 4-bit codes (content int8_t [channels][2^bits]), and reshare, by the
 * plan's kind of tables. */
struct pq_rss pq_activate(struct pq_engine *e, struct pq_add v, const int8_t *content, size_t channels);

#endif
