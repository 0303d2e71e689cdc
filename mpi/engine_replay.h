/* Engine `replay`: predicts the protocol's logits bit for bit, stochastic rounding included, from clear values and the
 * seeds. Verification only: it needs every seed and the secret model, so no party could run it. It works from the
 * definitions in engine.h and stream.h and shares no code with the parties, or it would repeat their mistakes.
 *
 * Of each value it tracks the clear value and P1's share, of the whole value (as G = 1: no result depends on G). The
 * share matters because a truncation rounds by it. Everything else follows: P2's share is clear - share, an opened
 * value is clear - offset, x2 = x - x0 - x1. Value and share of an operation's result are found independently of each
 * other, except where a truncation defines the value by the shares.
 *
 * Cost, for each inference: two products per linear layer in `preprocessed` (W'x for the value, w1*x2 for the share),
 * three in `published`; for each look-up one or two AES blocks. bert-base at 128 tokens takes about a second on one
 * core. Memory: 2 bytes per weight for each of the two (three) packed matrices, 340 (510) MB for bert-base, and about
 * 200 bytes per score and 1200 per token and hidden channel of a layer. Threads share elements; results do not depend
 * on them. */
#ifndef PQ_ENGINE_REPLAY_H
#define PQ_ENGINE_REPLAY_H

#include "engine.h"

#include "../kernels/gemm16.h"
#include "../kernels/prg.h"

struct pq_replay;

/* What was checked against its range, and how often it left it: linear accumulators, scores and contexts against the
 * 16 bits of their ring, sums over rows, residual sums, variances, normalised values and all truncations. Products are
 * found exactly where they could leave the ring, so a value that wraps all the way round is seen too. */
struct pq_replay_range { uint64_t values, wrapped; };

/* A set-up: shares of the weights as they are in the protocol's set-up number `setup_number`, packed for `gemm`.
 * Everything that is pointed to stays the caller's and must outlive the engine; model and embedding have the shape of
 * the plan. */
struct pq_replay *pq_replay_create(const struct pq_plan *plan, const struct pq_model *model,
                                   const struct pq_embedding *embedding, const struct pq_gemm16 *gemm,
                                   struct pq_prg *s01, struct pq_prg *s02, struct pq_prg *s12, uint32_t setup_number);

/* The inference with this number: token [batch*seq], each below vocab; logits [labels][batch], signed 16 bits. */
void pq_replay_run(struct pq_replay *replay, uint32_t inference, const uint32_t *token, int32_t *logits);

/* Bytes that create and run together will take, an upper bound; within a third for the named configurations. */
size_t pq_replay_memory(const struct pq_plan *plan);

/* [layers + 1][PQ_OPERATIONS], the last layer is the head; of the inference that ran last. */
const struct pq_replay_range *pq_replay_ranges(const struct pq_replay *replay);
size_t pq_replay_used(const struct pq_replay *replay); /* taken so far, buffers of one operation excepted */

void pq_replay_free(struct pq_replay *replay); /* NULL is fine */

/* The engine itself, to run single operations: set `op`, make values with arrays of your own (clear, and for a pq_add
 * its share reduced mod 2^bits; for a pq_rss x0, x1, x2), call engine->ops. Results live until ops->layer is called
 * twice. */
struct pq_engine *pq_replay_engine(struct pq_replay *replay);
void pq_replay_begin(struct pq_replay *replay, uint32_t inference);

#endif
