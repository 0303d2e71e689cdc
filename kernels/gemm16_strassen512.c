/* One level of Strassen's algorithm over Winograd's inner product (gemm16_halves.h) by AVX-512 with VNNI.
 *
 * Where it pays: a processor that adds vectors in units of its own beside those that multiply (AMD's Zen: 256 bits in each
 * of four, the multiplier in two of them) takes three half cycles for 64 multiply-adds, four with vpdpwssd alone: a third
 * more, as measured on Zen 4. One that does both in the same units (Intel's) takes half as long again, by the same
 * reckoning: gemm16_strassen.c is for those. */
#if defined(__x86_64__)

#include "gemm16_quads512.h"

#include "gemm16_halves.h"

/* Two neighbouring rows of 16 columns as pairs. */
static __m512i row_pairs(const uint16_t *src, size_t row_stride)
{
    const __m512i even = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)src));
    const __m512i odd = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(src + row_stride)));
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

static void pack_block(char *dst, const uint16_t *src, struct pq_parts p, size_t row_stride)
{
    const size_t next = BLOCKS * block_bytes(p), below = 4 * p.each * row_stride;
    __m512i products[PRODUCTS];
    for (size_t k = 0; k < PRODUCTS; k++)
        products[k] = _mm512_setzero_si512();
    for (size_t q = 0; q < p.each; q++, src += 4 * row_stride, dst += PQ_RIGHT_QUAD) {
        __m512i v[2][PRODUCTS]; /* of the quad's even and odd pair */
        for (size_t h = 0; h < 2; h++) {
            const uint16_t *at = src + 2 * h * row_stride;
            const __m512i b11 = row_pairs(at, row_stride), b12 = row_pairs(at + PQ_TILE_COLS, row_stride);
            v[h][0] = b11;
            v[h][1] = row_pairs(at + below, row_stride);                /* B21 */
            v[h][5] = row_pairs(at + below + PQ_TILE_COLS, row_stride); /* B22 */
            v[h][3] = _mm512_sub_epi16(b12, b11);                       /* T1 */
            v[h][4] = _mm512_sub_epi16(v[h][5], v[h][3]);               /* T2 */
            v[h][2] = _mm512_sub_epi16(v[h][4], v[h][1]);               /* T4 */
            v[h][6] = _mm512_sub_epi16(v[h][5], b12);                   /* T3 */
            for (size_t k = 0; k < PRODUCTS; k++)
                _mm512_store_si512((void *)(dst + k * next + h * PQ_RIGHT_QUAD / 2), v[h][k]);
        }
        for (size_t k = 0; k < PRODUCTS; k++)
            products[k] = _mm512_dpwssd_epi32(products[k], v[0][k], v[1][k]);
    }
    for (size_t k = 0; k < PRODUCTS; k++)
        _mm512_store_si512((void *)(dst + k * next), products[k]);
}

void pq_gemm16_strassen512_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    pack_right(dst, src, depth, m, row_stride);
}

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
    __asm__ volatile(TILE_FULL("t1", SUM(op)) "vmovdqa64 %%ymm31, (%[l],%[d])\n\t"                                  \
                     QUAD_OUTPUTS : QUAD_INPUTS, [a] "r"(a), [b] "r"(b), [d] "r"(d) : CLOBBERS)

static void tile_and_sum(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon,
                         struct sum sum)
{
    const size_t next = pq_part_bytes(quads, PQ_RIGHT_QUAD);
    const uintptr_t at = (uintptr_t)l.quads, a = (uintptr_t)sum.a - at, b = (uintptr_t)sum.b - at,
                    d = (uintptr_t)sum.to - at;
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
