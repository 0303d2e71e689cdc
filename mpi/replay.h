/* Inside of engine `replay` (engine_replay.h), shared by its files. */
#ifndef PQ_REPLAY_H
#define PQ_REPLAY_H

#include "arena.h"
#include "clear.h"
#include "engine_replay.h"
#include "stream.h"

/* Left operands of one linear layer: the weights without their multipliers (NULL where their sums could exceed 16
 * bits), w1 and, in `published`, W' - w0. */
struct pq_replay_weights { void *clear, *w1, *rest; };

struct pq_replay {
    struct pq_engine engine; /* first: operations are given a pointer to it */
    const struct pq_embedding *embedding;
    const struct pq_gemm16 *gemm;
    struct pq_prg *s01, *s02, *s12;
    struct pq_replay_weights *weights; /* [4 * layers + 2] */
    size_t weight_bytes;
    uint32_t inference, layer;
    enum pq_operation operation;
    struct pq_arena arena[2];
    struct pq_replay_range *range; /* [layers + 1][PQ_OPERATIONS] */
    const uint32_t *token;
    int32_t *logits;
};

static inline struct pq_replay *pq_replay_of(struct pq_engine *e)
{
    return (struct pq_replay *)e;
}

/* Arrays of the present layer, uninitialised. */
void *pq_replay_array(struct pq_engine *e, size_t count, size_t element_bytes);
struct pq_add pq_replay_value(struct pq_engine *e, struct pq_dim dim, unsigned bits); /* clear and share */

/* `values` were checked against their range, `wrapped` left it. */
void pq_replay_count(struct pq_engine *e, uint64_t values, uint64_t wrapped);

/* Elements 0 .. count-1 of `width` bits (1, 8, 16, 32) of the present operation's stream. */
void pq_replay_stream(struct pq_engine *e, struct pq_prg *prg, unsigned stream, unsigned width, size_t count,
                      uint32_t *out);
/* The same, in an array of its own, in the layer's memory. */
uint32_t *pq_replay_drawn(struct pq_engine *e, struct pq_prg *prg, unsigned stream, unsigned width, size_t count);

/* Weights (replay_linear.c). */
void pq_replay_pack(struct pq_replay *r, uint32_t setup_number);
void pq_replay_unpack(struct pq_replay *r);

/* The operations, by file: replay_linear.c, ... */
struct pq_add pq_replay_linear(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);
struct pq_add pq_replay_scores(struct pq_engine *e, struct pq_rss qkv);
struct pq_add pq_replay_context(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);
/* ... replay_tables.c, ... */
struct pq_opened pq_replay_open(struct pq_engine *e, struct pq_add x);
struct pq_opened pq_replay_difference(struct pq_engine *e, struct pq_opened row, struct pq_opened x);
void pq_replay_read(struct pq_engine *e, struct pq_opened x, const struct pq_table *table, bool is_signed,
                    struct pq_add *out);
struct pq_add pq_replay_read_pair(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                  const struct pq_table *table);
struct pq_add pq_replay_halves(struct pq_engine *e, struct pq_opened x, struct pq_add xs);
struct pq_add pq_replay_count_at_least(struct pq_engine *e, struct pq_opened u, unsigned bits);
/* ... replay_norm.c. */
struct pq_lifted pq_replay_lift(struct pq_engine *e, struct pq_add h);
struct pq_add pq_replay_variance(struct pq_engine *e, struct pq_lifted *h);
struct pq_add pq_replay_normalise(struct pq_engine *e, struct pq_lifted h, struct pq_add r);

#endif
