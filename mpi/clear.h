/* Small things that both engines on clear values need (plain and replay): they own all ranks' elements, and look tables
 * up by their content. */
#ifndef PQ_CLEAR_H
#define PQ_CLEAR_H

#include "engine.h"

#include "../kernels/ring.h"

/* A value that is held whole: rank 0 of 1. */
static inline struct pq_dim pq_clear_dim(size_t groups, size_t len, size_t width)
{
    return (struct pq_dim){ .groups = groups, .len = len, .width = width, .all = groups * len * width, .unit = 1 };
}

/* How a clear array holds the residue of a ring: as the signed value, or as 0 .. 2^bits - 1. An unsigned value of 32
 * bits is held by the int32_t of the same residue; cast to uint32_t to read it. */
static inline int32_t pq_clear_value(uint32_t residue, unsigned bits, bool is_signed)
{
    return is_signed || bits >= 32 ? pq_ring_signed(residue, bits) : (int32_t)(residue & pq_ring_mask(bits));
}

/* Entry `index` of output o of the table of element e of a value of width `width`, mod 2^out_bits. */
static inline uint32_t pq_clear_entry(const struct pq_table *t, unsigned o, size_t e, size_t width, uint32_t index)
{
    size_t at = ((e / width) % t->channels << (t->index_bits + t->index2_bits)) + index;
    const void *content = t->content[o];
    uint32_t v = t->content_bytes[o] == 1   ? (uint32_t)((const int8_t *)content)[at]
                 : t->content_bytes[o] == 2 ? ((const uint16_t *)content)[at]
                                            : ((const uint32_t *)content)[at];
    return v & pq_ring_mask(t->out_bits[o]);
}

/* Element of the [groups][1][width] row value that belongs to element e of a [groups][len][width] value. */
static inline size_t pq_clear_row(struct pq_dim d, size_t e)
{
    return e / (d.len * d.width) * d.width + e % d.width;
}

/* Codes and residuals of a batch of sequences, [hidden][batch*seq] with token b*seq + i in column b*seq + i. */
void pq_clear_embed(const struct pq_embedding *embedding, const uint32_t *token, size_t batch, size_t seq,
                    int32_t *code, int32_t *residual);

/* sums[o][j] = sum over i of weight[o][i] * code[i][j], exact: at most 4096 * 128 * 8 in size. Threads share rows. */
void pq_clear_sums(const struct pq_linear *l, const int32_t *code, size_t tokens, int32_t *sums);

#endif
