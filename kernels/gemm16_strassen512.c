/* One level of Strassen's algorithm over Winograd's inner product (gemm16_halves.h) by AVX-512 with VNNI.
 *
 * Where it pays: a processor that adds vectors in units of its own beside those that multiply (AMD's Zen: 256 bits in each
 * of four, the multiplier in two of them) takes three half cycles for 64 multiply-adds, four with vpdpwssd alone: a third
 * more. One that does both in the same units (Intel's) takes half as long again: gemm16_strassen.c is for those. */
#if defined(__x86_64__)

#include "gemm16_quads512.h"

#include "gemm16_halves.h"
#include "gemm16_variants.h"

static void make_sums(const struct lefts *l, size_t quads)
{
    (void)l; /* beside the tiles: by itself it is a matter of moving lines between caches, and took 5 % of 128 columns */
    (void)quads;
}

/* tile_full that makes a sum of left operands besides. a, b, d: bytes from the tile's left operand to the sum's and to its
 * place; its rows' sums of products gather in ymm31. */
#define SUM(op)                                                                                                     \
    "vmovdqa64 (%[l],%[a]), %%ymm28\n\tvmovdqa64 32(%[l],%[a]), %%ymm29\n\t"                                        \
    op " (%[l],%[b]), %%ymm28, %%ymm28\n\t" op " 32(%[l],%[b]), %%ymm29, %%ymm29\n\t"                               \
    "vmovdqa64 %%ymm28, (%[l],%[d])\n\tvmovdqa64 %%ymm29, 32(%[l],%[d])\n\tvpdpwssd %%ymm29, %%ymm28, %%ymm31\n\t"
#define TILE_AND_SUM(op)                                                                                            \
    __asm__ volatile(TILE_FULL("t1", SUM(op)) "vmovdqa64 %%ymm31, (%[l],%[d])\n\t"                                        \
                     QUAD_OUTPUTS                                                                                   \
                     : QUAD_INPUTS, [a] "r"(sum.a - l.quads), [b] "r"(sum.b - l.quads), [d] "r"(sum.to - l.quads)   \
                     : CLOBBERS)

static void tile_and_sum(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon,
                         struct sum sum)
{
    const size_t next = quads * PQ_RIGHT_QUAD + PQ_SUMS;
    if (sum.minus)
        TILE_AND_SUM("vpsubw");
    else
        TILE_AND_SUM("vpaddw");
}

void pq_gemm16_strassen512_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride)
{
    multiply_halved(left, right, z, i0, i1, n, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
