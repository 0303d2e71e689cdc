/* The tiles of gemm16_quads.h with 256-bit vectors, for AVX2. Private to gemm16_winograd.c and gemm16_strassen256.c.
 *
 * The loops over quads are assembler, because compilers spill accumulators or read operands twice. Registers: c0 to c7
 * accumulators, 8 to 11 the right operand's quad, the others a row's pairs and their sums with it. `i` runs from minus
 * half of the length of the left part up to 0, l and r point at the ends. What is needed soon is fetched evenly, lest the
 * machine's queue of misses fills up (a tenth of the time at 16 columns); and into the second cache what is further
 * ahead (another 7 % there on a Zen 4 core). */
#ifndef PQ_GEMM16_QUADS256_H
#define PQ_GEMM16_QUADS256_H

#include "gemm16_winograd.h"

enum { TILE_BLOCKS = 1 };

static size_t tile_ahead(size_t quads)
{
    return pq_part_bytes(quads, PQ_LEFT_QUAD); /* a panel: its rows go by twice */
}

#define FETCH_SOON "prefetcht0 (%[at])\n\tprefetcht1 4096(%[at])\n\t"
#define FETCH_LATER "prefetcht1 (%[at])\n\t"
#define TILE_LOOP(fetch, body) ".p2align 6\n1:\n\t" fetch "add %[step], %[at]\n\t" body "add $32, %[i]\n\tjnz 1b"

#define TILE_ROW_2(row, c0, c1) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm12\n\tvpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm14\n\t" \
    "vpaddw %%ymm10, %%ymm12, %%ymm13\n\tvpaddw %%ymm8, %%ymm14, %%ymm15\n\t" \
    "vpaddw %%ymm11, %%ymm12, %%ymm12\n\tvpaddw %%ymm9, %%ymm14, %%ymm14\n\t" \
    "vpmaddwd %%ymm13, %%ymm15, %%ymm13\n\tvpmaddwd %%ymm12, %%ymm14, %%ymm12\n\t" \
    "vpaddd %%ymm13, %[" #c0 "], %[" #c0 "]\n\tvpaddd %%ymm12, %[" #c1 "], %[" #c1 "]\n\t"

#define TILE_ROW_1(row, c, a, b) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm" #a "\n\t" \
    "vpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm" #b "\n\t" \
    "vpaddw %%ymm10, %%ymm" #a ", %%ymm" #a "\n\tvpaddw %%ymm8, %%ymm" #b ", %%ymm" #b "\n\t" \
    "vpmaddwd %%ymm" #a ", %%ymm" #b ", %%ymm" #a "\n\tvpaddd %%ymm" #a ", %[" #c "], %[" #c "]\n\t"

#define TILE_OPERANDS \
    : [i] "+&r"(i), [at] "+&r"(soon.at), [c0] "+x"(c[0]), [c1] "+x"(c[1]), [c2] "+x"(c[2]), [c3] "+x"(c[3]), \
      [c4] "+x"(c[4]), [c5] "+x"(c[5]), [c6] "+x"(c[6]), [c7] "+x"(c[7]) \
    : [l] "r"(l + quads * PQ_LEFT_QUAD), [r] "r"(r + quads * PQ_RIGHT_QUAD), [step] "r"(soon.step) \
    : "cc", "memory", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

#define TILE_4x16 \
    "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 32(%[r], %[i], 4), %%ymm9\n\t" \
    "vmovdqa 64(%[r], %[i], 4), %%ymm10\n\tvmovdqa 96(%[r], %[i], 4), %%ymm11\n\t" \
    TILE_ROW_2(0, c0, c1) TILE_ROW_2(1, c2, c3) TILE_ROW_2(2, c4, c5) TILE_ROW_2(3, c6, c7)

/* c[4][2] += 4 rows times 16 columns. l: the first row in its panel. */
static void loop_4x16(__m256i c[8], const char *l, const char *r, size_t quads, struct pq_fetch soon)
{
    size_t i = 0 - quads * PQ_LEFT_QUAD / 2;
    if (soon.later)
        __asm__ volatile(TILE_LOOP(FETCH_LATER, TILE_4x16) TILE_OPERANDS);
    else
        __asm__ volatile(TILE_LOOP(FETCH_SOON, TILE_4x16) TILE_OPERANDS);
}

/* c[8] += 8 rows times the first 8 columns of a block. */
static void loop_8x8(__m256i c[8], const char *l, const char *r, size_t quads, struct pq_fetch soon)
{
    size_t i = 0 - quads * PQ_LEFT_QUAD / 2;
    __asm__ volatile(
        TILE_LOOP(FETCH_SOON, "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 64(%[r], %[i], 4), %%ymm10\n\t"
             TILE_ROW_1(0, c0, 12, 13) TILE_ROW_1(1, c1, 14, 15) TILE_ROW_1(2, c2, 9, 11) TILE_ROW_1(3, c3, 12, 13)
             TILE_ROW_1(4, c4, 14, 15) TILE_ROW_1(5, c5, 9, 11) TILE_ROW_1(6, c6, 12, 13) TILE_ROW_1(7, c7, 14, 15))
        TILE_OPERANDS);
}

/* 16 numbers mod 2^32 -> mod 2^16, to t */
static void put_narrow(uint16_t *t, __m256i a, __m256i b)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    const __m256i both = _mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    _mm256_store_si256((void *)t, _mm256_permute4x64_epi64(both, 0xd8));
}

static void tile_block(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    const __m256i own[2] = { _mm256_load_si256((const void *)r.sums), _mm256_load_si256((const void *)(r.sums + 32)) };
    soon.step = (soon.step + 1) / 2; /* in two loops */
    for (size_t i = 0; i < PQ_PANEL_ROWS; i += 4, soon.at += quads * soon.step) {
        __m256i c[8];
        for (size_t k = 0; k < 8; k++)
            c[k] = _mm256_sub_epi32(_mm256_set1_epi32((int)(0u - pq_operand_sum(l, i + k / 2))), own[k % 2]);
        loop_4x16(c, l.quads + 4 * i, r.quads, quads, soon);
        for (size_t k = 0; k < 4; k++, t += PQ_TILE_COLS)
            put_narrow(t, c[2 * k], c[2 * k + 1]);
    }
}

static void tile_half(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    const __m256i own = _mm256_load_si256((const void *)r.sums);
    __m256i c[8];
    for (size_t k = 0; k < 8; k++)
        c[k] = _mm256_sub_epi32(_mm256_set1_epi32((int)(0u - pq_operand_sum(l, k))), own);
    loop_8x8(c, l.quads, r.quads, quads, soon);
    for (size_t k = 0; k < 8; k++, t += PQ_TILE_COLS)
        put_narrow(t, c[k], c[k]);
}

static void tile_full(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    tile_block(t, l, r, quads, soon);
}

#endif
