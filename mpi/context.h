/* The state of the two engines that run the protocol: `dealer` (P0 offline) and `party` (P1, P2; P0 online in
 * `published`). The protocol files (open, lookup, reshare, linear, product, norm) work on it; the engine's table of
 * operations points into them. */
#ifndef PQ_CONTEXT_H
#define PQ_CONTEXT_H

#include "../kernels/gemm16.h"
#include "../kernels/prg.h"
#include "arena.h"
#include "draws.h"
#include "engine.h"
#include "link.h"
#include "material.h"
#include "stream.h"
#include "weights.h"

struct pq_context {
    struct pq_engine engine; /* first: operations get a pointer to it */
    enum pq_role role;
    struct pq_link *link;
    struct pq_prg *s01, *s02, *s12; /* NULL where this party does not know the seed */
    uint32_t inference;             /* addresses all randomness of this inference */
    struct pq_arena kept[2], brief[2]; /* of even and of odd layers; of this and of the last part, in turns */
    unsigned generation, turn;
    const struct pq_gemm16 *gemm;
    const struct pq_weights *weights;
    struct pq_stage stage[PQ_ROLES]; /* dealer: to P1 and P2 */
    struct pq_material material;     /* P1, P2 */
    struct pq_draws draws;       /* P1, P2 */
    const struct pq_embedding *embedding; /* P1 */
    const uint32_t *token;                /* P1: [batch][seq] */
    int32_t *logits;                      /* P1: [labels][batch], filled by reveal */
};

static inline struct pq_context *pq_context_of(struct pq_engine *e)
{
    return (struct pq_context *)e;
}

/* Memory until the end of the next part of the encoder (ops->begin). Two small pieces of memory serve in turns: 128
 * tokens of BERT-base would otherwise write 26 MB of values that no cache holds, which took 5 % of the online time. */
static inline void *pq_context_alloc(struct pq_context *c, size_t bytes)
{
    return pq_arena_alloc(&c->brief[c->turn], bytes);
}

/* Memory until the end of the next layer: RSS values and residuals. */
static inline void *pq_context_keep(struct pq_context *c, size_t bytes)
{
    return pq_arena_alloc(&c->kept[c->generation], bytes);
}

static inline struct pq_stage *pq_stage_of(struct pq_context *c, enum pq_role to)
{
    return &c->stage[to];
}

/* Address of this operation's stream. */
static inline struct pq_address pq_context_at(const struct pq_context *c, unsigned stream)
{
    return (struct pq_address){ c->inference, c->engine.op, stream };
}

/* P1, P2 online: elements of the seed shared with P0 that the offline phase drew; the cost face of the operation listed
 * them. */
static inline void *pq_context_take(struct pq_context *c, unsigned stream, size_t width, size_t first, size_t n)
{
    return pq_draws_take(&c->draws, c->engine.op, stream, width, first, n);
}

/* Elements are handled in chunks of this many, the unit of OpenMP's split; a multiple of 64, so that packed chunks of
 * any width start at a byte, and small enough that a chunk's buffers stay in the nearest cache. */
enum { PQ_CHUNK = 1024 };
static inline size_t pq_chunk(size_t n, size_t i0)
{
    return n - i0 < PQ_CHUNK ? n - i0 : PQ_CHUNK;
}

/* PRG elements [first, first + n) of `bytes` bytes each. */
static inline void pq_context_fill(const struct pq_context *c, struct pq_prg *prg, unsigned stream, size_t bytes,
                                   size_t first, size_t n, void *out)
{
    pq_prg_fill(prg, pq_context_at(c, stream), (uint64_t)first * bytes, n * bytes, out);
}

#endif
