/* The product mod 2^16 by AVX2 with half of the multiplications (S. Winograd, A New Algorithm for Inner Product, IEEE
 * Transactions on Computers C-17, 1968). For two neighbours k, k' of the depth
 *
 *   l r + l' r'  =  (l + r') (l' + r)  -  l l'  -  r r'
 *
 * where the last two are sums over the depth that belong to a row and to a column: they are made when the operands are
 * packed. Everything wraps mod 2^16, so the result is exact: bit for bit the definition's.
 *
 * Why it pays: for 32 multiply-adds the classical way takes two vpmaddwd and two additions, this one one vpmaddwd and
 * three additions. Processors with four vector units multiply in two of them and add in all, and additions that are
 * queued for the multiplying units keep the classical loop from using what is there: on a Zen 3 core whole
 * products reach 24 multiply-adds a cycle that way and 28 this way. */
#if defined(__x86_64__)

#include "gemm16_quads256.h"

#include "gemm16_quads.h"
#include "gemm16_variants.h"

#include <string.h>

size_t pq_gemm16_winograd_left_bytes(size_t n, size_t depth)
{
    return pq_parts_bytes(pq_parts_of(depth), panels_of(n), PQ_LEFT_QUAD);
}

size_t pq_gemm16_winograd_right_bytes(size_t depth, size_t m)
{
    return pq_parts_bytes(pq_parts_of(depth), blocks_of(m), PQ_RIGHT_QUAD);
}

void pq_part_complete(char *packed, size_t depth, size_t quad)
{
    const size_t quads = pq_gemm16_ceil(depth, 4), pair = quad / 2;
    char *sums = packed + quads * quad;
    if (pq_gemm16_ceil(depth, 2) % 2)
        memset(sums - pair, 0, pair);
    for (size_t v = 0; v < pair; v += 32) {
        const char *at = packed + v;
        __m256i sum = _mm256_setzero_si256();
        for (size_t k = 0; k < quads; k++, at += quad)
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_load_si256((const void *)at),
                                                          _mm256_load_si256((const void *)(at + pair))));
        _mm256_store_si256((void *)(sums + v), sum);
    }
}

void pq_gemm16_winograd_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                                  size_t col_stride)
{
    const struct pq_parts p = pq_parts_of(depth);
    for (size_t part = 0; part < p.count; part++) {
        const size_t k = 4 * part * p.each, deep = pq_gemm16_least(depth - k, 4 * p.each);
        for (size_t i = 0; i < n; i += PQ_PANEL_ROWS) {
            char *panel = (char *)dst + pq_part_begin(p, part, i / PQ_PANEL_ROWS, panels_of(n), PQ_LEFT_QUAD);
            const size_t rows = pq_gemm16_least(n - i, PQ_PANEL_ROWS);
            pq_gemm16_left_pack(panel, src + i * row_stride + k * col_stride, rows, deep, row_stride, col_stride);
            pq_part_complete(panel, deep, PQ_LEFT_QUAD);
        }
    }
}

void pq_gemm16_winograd_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    const struct pq_parts p = pq_parts_of(depth);
    for (size_t part = 0; part < p.count; part++) {
        const size_t k = 4 * part * p.each, deep = pq_gemm16_least(depth - k, 4 * p.each);
        for (size_t j = 0; j < m; j += PQ_BLOCK_COLS) {
            char *block = (char *)dst + pq_part_begin(p, part, j / PQ_BLOCK_COLS, blocks_of(m), PQ_RIGHT_QUAD);
            pq_gemm16_right_pack(block, src + k * row_stride + j, deep, pq_gemm16_least(m - j, PQ_BLOCK_COLS), row_stride);
            pq_part_complete(block, deep, PQ_RIGHT_QUAD);
        }
    }
}

void pq_gemm16_winograd_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride)
{
    multiply(left, right, z, i0, i1, n, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
