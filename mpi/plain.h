/* Inside of engine `plain` (engine_plain.h), shared by its two files. */
#ifndef PQ_PLAIN_H
#define PQ_PLAIN_H

#include "arena.h"
#include "clear.h"
#include "engine_plain.h"

struct pq_plain {
    struct pq_engine engine; /* first: operations are given a pointer to it */
    const struct pq_embedding *embedding;
    struct pq_observer observer;
    struct pq_arena arena[2];
    uint32_t layer;
    enum pq_operation operation;
    enum pq_linear_id latest; /* linear layer: tells a layer's first LayerNorm from its second */
    const uint32_t *token;
    int32_t *logits;
};

static inline struct pq_plain *pq_plain_of(struct pq_engine *e)
{
    return (struct pq_plain *)e;
}

/* A value of the present layer, its clear array uninitialised. */
struct pq_add pq_plain_value(struct pq_engine *e, struct pq_dim dim, unsigned bits);

/* Does v fit 2^top, and what it rounds to when only t bits are kept fit 2^t? */
bool pq_plain_fits(int64_t v, unsigned top, unsigned t, bool is_signed);
void pq_plain_range(struct pq_engine *e, const char *what, uint64_t values, uint64_t wrapped);
void pq_plain_codes(struct pq_engine *e, const char *what, const int32_t *code, size_t count);

/* The operations with products in them (plain_products.c). */
struct pq_add pq_plain_linear(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id);
struct pq_add pq_plain_scores(struct pq_engine *e, struct pq_rss qkv);
struct pq_add pq_plain_context(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p);
struct pq_add pq_plain_variance(struct pq_engine *e, struct pq_lifted *h);
struct pq_add pq_plain_normalise(struct pq_engine *e, struct pq_lifted h, struct pq_add r);

#endif
