/* What the products by Winograd's inner product share (gemm16_winograd.c, gemm16_strassen256.c): layout and tiles. Private
 * to them; for files compiled with -mavx2.
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

enum {
    PQ_PART_QUADS = 96,    /* most of a part: 12 KiB of a block of the right operand, for the L1 cache */
    PQ_LEFT_QUAD = 64,     /* bytes of a quad in a panel, and in a block */
    PQ_RIGHT_QUAD = 128,
    PQ_SUMS = 64           /* bytes behind them: sums of products */
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

/* Bytes of `count` panels or blocks, all parts, whose quads have so many bytes. */
static inline size_t pq_parts_bytes(struct pq_parts p, size_t count, size_t quad)
{
    return count * (p.quads * quad + p.count * PQ_SUMS);
}

/* Fills up the last quad of a part of a panel or block that gemm16_pack.h packed with that depth, and appends the sums of
 * products: one number for every 4 bytes of a pair, which is half of a quad. */
void pq_part_complete(char *packed, size_t depth, size_t quad);

/* A part of a panel, or of a block, and its sums of products. */
struct pq_operand { const char *quads; const uint32_t *sums; };

static inline struct pq_operand pq_operand_at(const char *at, size_t quads, size_t quad)
{
    return (struct pq_operand){ at, (const void *)(at + quads * quad) };
}

/* Where part number `part` of panel or block number i of `count` begins. */
static inline size_t pq_part_begin(struct pq_parts p, size_t part, size_t i, size_t count, size_t quad)
{
    return part * count * (p.each * quad + PQ_SUMS) + i * (pq_part_quads(p, part) * quad + PQ_SUMS);
}

static inline struct pq_operand pq_part_at(const char *packed, struct pq_parts p, size_t part, size_t i, size_t count,
                                           size_t quad)
{
    return pq_operand_at(packed + pq_part_begin(p, part, i, count, quad), pq_part_quads(p, part), quad);
}

/* The loops over quads are assembler, because compilers spill accumulators or read operands twice. Registers: c0 to c7
 * accumulators, 8 to 11 the right operand's quad, the others a row's pairs and their sums with it. `i` runs from minus
 * half of the length of the left part up to 0, l and r point at the ends. What is needed `soon` is fetched meanwhile, as
 * many bytes a quad as `step` says: evenly, lest the machine's queue of misses fills up (a tenth of the time at 16
 * columns). It may lie past the end of memory, so it is no pointer. */
#define PQ_TILE_LOOP(step, body) \
    ".p2align 6\n1:\n\t" \
    "prefetcht0 (%[soon], %[i], " #step " / 32)\n\t" body \
    "add $32, %[i]\n\tjnz 1b"

#define PQ_TILE_ROW_2(row, c0, c1) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm12\n\tvpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm14\n\t" \
    "vpaddw %%ymm10, %%ymm12, %%ymm13\n\tvpaddw %%ymm8, %%ymm14, %%ymm15\n\t" \
    "vpaddw %%ymm11, %%ymm12, %%ymm12\n\tvpaddw %%ymm9, %%ymm14, %%ymm14\n\t" \
    "vpmaddwd %%ymm13, %%ymm15, %%ymm13\n\tvpmaddwd %%ymm12, %%ymm14, %%ymm12\n\t" \
    "vpaddd %%ymm13, %[" #c0 "], %[" #c0 "]\n\tvpaddd %%ymm12, %[" #c1 "], %[" #c1 "]\n\t"

#define PQ_TILE_ROW_1(row, c, a, b) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm" #a "\n\tvpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm" #b "\n\t" \
    "vpaddw %%ymm10, %%ymm" #a ", %%ymm" #a "\n\tvpaddw %%ymm8, %%ymm" #b ", %%ymm" #b "\n\t" \
    "vpmaddwd %%ymm" #a ", %%ymm" #b ", %%ymm" #a "\n\tvpaddd %%ymm" #a ", %[" #c "], %[" #c "]\n\t"

#define PQ_TILE_OPERANDS \
    : [i] "+&r"(i), [c0] "+x"(c[0]), [c1] "+x"(c[1]), [c2] "+x"(c[2]), [c3] "+x"(c[3]), [c4] "+x"(c[4]), \
      [c5] "+x"(c[5]), [c6] "+x"(c[6]), [c7] "+x"(c[7]) \
    : [l] "r"(l + quads * PQ_LEFT_QUAD), [r] "r"(r + quads * PQ_RIGHT_QUAD), [soon] "r"(soon) \
    : "cc", "memory", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* c[4][2] += 4 rows times 16 columns. l: the first row in its panel. */
static inline void pq_tile_4x16(__m256i c[8], const char *l, const char *r, size_t quads, uintptr_t soon)
{
    size_t i = 0 - quads * PQ_LEFT_QUAD / 2;
    soon += quads * PQ_LEFT_QUAD / 2;
    __asm__ volatile(
        PQ_TILE_LOOP(32, "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 32(%[r], %[i], 4), %%ymm9\n\t"
             "vmovdqa 64(%[r], %[i], 4), %%ymm10\n\tvmovdqa 96(%[r], %[i], 4), %%ymm11\n\t"
             PQ_TILE_ROW_2(0, c0, c1) PQ_TILE_ROW_2(1, c2, c3) PQ_TILE_ROW_2(2, c4, c5) PQ_TILE_ROW_2(3, c6, c7))
        PQ_TILE_OPERANDS);
}

/* c[8] += 8 rows times the first 8 columns of a block. */
static inline void pq_tile_8x8(__m256i c[8], const char *l, const char *r, size_t quads, uintptr_t soon)
{
    size_t i = 0 - quads * PQ_LEFT_QUAD / 2;
    soon += quads * PQ_LEFT_QUAD;
    __asm__ volatile(
        PQ_TILE_LOOP(64, "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 64(%[r], %[i], 4), %%ymm10\n\t"
             PQ_TILE_ROW_1(0, c0, 12, 13) PQ_TILE_ROW_1(1, c1, 14, 15) PQ_TILE_ROW_1(2, c2, 9, 11) PQ_TILE_ROW_1(3, c3, 12, 13)
             PQ_TILE_ROW_1(4, c4, 14, 15) PQ_TILE_ROW_1(5, c5, 9, 11) PQ_TILE_ROW_1(6, c6, 12, 13) PQ_TILE_ROW_1(7, c7, 14, 15))
        PQ_TILE_OPERANDS);
}

/* The start of a tile's sums: minus the products of the elements of four rows, from number i of the panel on, and of
 * 16 columns among themselves. */
static inline void pq_tile_begin(__m256i c[8], const uint32_t *row_sums, const uint32_t *col_sums)
{
    const __m256i own[2] = { _mm256_load_si256((const void *)col_sums), _mm256_load_si256((const void *)(col_sums + 8)) };
    for (size_t k = 0; k < 8; k++)
        c[k] = _mm256_sub_epi32(_mm256_set1_epi32((int)(0u - row_sums[k / 2])), own[k % 2]);
}

/* 16 numbers mod 2^32 -> mod 2^16 */
static inline __m256i pq_tile_narrow(__m256i a, __m256i b)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low)), 0xd8);
}

#endif
