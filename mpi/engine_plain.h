/* Engine `plain`: the integer model on clear values, with truncations rounded to the nearest. It is what the model
 * means: accuracy is measured with it, calibration listens to it, and operations are tested against it. One process, G
 * = 1, no randomness and no communication; threads share rows and elements, the result does not depend on their number.
 *
 * Where a value must fit its ring, plain counts and reports (observe.h) and then wraps exactly as the ring does. A
 * value counts as wrapped when it, or what it is rounded to, leaves the range that its truncation uses. `range` names,
 * in the order they come: "qkv", "scores", "context", "attention_out", "attention_hidden" (residual sum h in 8 bits),
 * "attention_variance", "attention_norm" (normalised value outside +-2^25), "ffn1", "ffn2", "ffn_hidden",
 * "ffn_variance", "ffn_norm", then "pooler" and "classifier" as layer shape.layers. `codes` names: "input" (layer 0),
 * "qkv", "scores" (when they are clamped), "context", "attention_norm", "gelu", "ffn_norm", "pooler".
 *
 * Cost: out*in*tokens multiply-adds a linear layer on 16-bit integers, exact 32-bit sums; bert-base at 128 tokens takes
 * about a second on one core. Memory: about 60 bytes per score and 360 per token and hidden channel of a layer. */
#ifndef PQ_ENGINE_PLAIN_H
#define PQ_ENGINE_PLAIN_H

#include "engine.h"

#include "../model_io/observe.h"

struct pq_plain;

/* plan: seq, batch, softmax and the choices of maximum and tables are used (they do not change the result); its shape
 * must be the model's. model and embedding stay the caller's and must outlive the engine; an observer may change the
 * model while the engine runs. observer may be NULL, and is copied. */
struct pq_plain *pq_plain_create(const struct pq_plan *plan, const struct pq_model *model,
                                 const struct pq_embedding *embedding, const struct pq_observer *observer);

/* One inference: token [batch*seq], each below vocab; logits [labels][batch], signed 16 bits. */
void pq_plain_run(struct pq_plain *plain, const uint32_t *token, int32_t *logits);

void pq_plain_free(struct pq_plain *plain); /* NULL is fine */

/* The three above for one batch of sequences of one length. observer may be NULL. */
void pq_plain_infer(const struct pq_model *model, const struct pq_embedding *embedding,
                    const struct pq_observer *observer, const uint32_t *token, size_t seq, size_t batch,
                    int32_t *logits);

/* The engine itself, to run single operations. Results live until ops->layer is called twice. */
struct pq_engine *pq_plain_engine(struct pq_plain *plain);

#endif
