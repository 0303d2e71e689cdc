/* The layout that products by Winograd's inner product share (gemm16_winograd.c, gemm16_strassen256.c,
 * gemm16_strassen512.c). Private to them; for files compiled with -mavx2 or more. The tiles, which differ by the width of
 * vectors, are in gemm16_quads256.h and gemm16_quads512.h, what calls them in gemm16_quads.h.
 *
 * Layout: that of gemm16_pack.h, with an even number of pairs. The neighbours are an element of an even pair and the
 * one at the same place in the odd pair after it; two pairs are a "quad". The depth comes in parts of at most PQ_PART_QUADS
 * quads. A part of a panel or block is followed by the sums of its rows' or columns' products, 32 bits each:
 *
 *   left    [part][n/8]  ( [quad][even, odd][8 rows][2]       [8 rows], 32 bytes of nothing )
 *   right   [part][m/16] ( [quad][even, odd][16 columns][2]   [16 columns] )
 *
 * Parts outside: so the left operand is read from memory in one stream. */
#ifndef PQ_GEMM16_WINOGRAD_H
#define PQ_GEMM16_WINOGRAD_H

#include "gemm16_pack.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

enum {
    PQ_PART_QUADS = 96,    /* most of a part: 12 KiB of a block of the right operand, for the L1 cache */
    PQ_LEFT_QUAD = 64,     /* bytes of a quad in a panel, and in a block */
    PQ_RIGHT_QUAD = 128,
    PQ_SUMS = 64,          /* bytes behind them: sums of products */
    PQ_TILE_COLS = 32      /* a tile's result: 8 rows, so many numbers from one to the next */
};

/* Parts are equally long, but for the last. */
struct pq_parts { size_t quads, count, each; };

static inline struct pq_parts pq_parts_of(size_t depth)
{
    struct pq_parts p = { .quads = pq_gemm16_ceil(depth, 4) };
    p.count = pq_gemm16_ceil(p.quads, PQ_PART_QUADS);
    p.each = p.count ? pq_gemm16_ceil(p.quads, p.count) : 0;
    return p;
}

static inline size_t pq_part_quads(struct pq_parts p, size_t part)
{
    return part + 1 < p.count ? p.each : p.quads - part * p.each;
}

/* Bytes from a part of a panel or block to that of the next one: its quads and its sums. */
static inline size_t pq_part_bytes(size_t quads, size_t quad)
{
    return quads * quad + PQ_SUMS;
}

/* Bytes of `count` panels or blocks, all parts, whose quads have so many bytes. */
static inline size_t pq_parts_bytes(struct pq_parts p, size_t count, size_t quad)
{
    return count * (p.quads * quad + p.count * PQ_SUMS);
}

/* Fills up the last quad of a part of a panel or block that gemm16_pack.h packed with that depth, and appends the sums of
 * products: one number for every 4 bytes of a pair, which is half of a quad. */
void pq_part_complete(char *packed, size_t depth, size_t quad);

/* A part of a panel, or of a block, and its sums of products. */
struct pq_operand { const char *quads, *sums; };

/* Sum number i, 32 bits. */
static inline uint32_t pq_operand_sum(struct pq_operand o, size_t i)
{
    uint32_t sum;
    memcpy(&sum, o.sums + i * sizeof sum, sizeof sum);
    return sum;
}

/* What a tile fetches beside its work: from `at` on so many bytes for each quad, of which it asks for one line: 64 at most.
 * later: it is needed many tiles later, so it belongs into the second cache (heeded by tiles of full width). May be past the
 * end of memory, so `at` is no pointer. */
struct pq_fetch { uintptr_t at; size_t step; bool later; };

static inline struct pq_operand pq_operand_at(const char *at, size_t quads, size_t quad)
{
    return (struct pq_operand){ at, at + quads * quad };
}

/* Where part number `part` of panel or block number i of `count` begins. */
static inline size_t pq_part_begin(struct pq_parts p, size_t part, size_t i, size_t count, size_t quad)
{
    return part * count * pq_part_bytes(p.each, quad) + i * pq_part_bytes(pq_part_quads(p, part), quad);
}

static inline struct pq_operand pq_part_at(const char *packed, struct pq_parts p, size_t part, size_t i, size_t count,
                                           size_t quad)
{
    return pq_operand_at(packed + pq_part_begin(p, part, i, count, quad), pq_part_quads(p, part), quad);
}

#endif
