/* One level of Strassen's algorithm (gemm16_halves.h) by AVX2, and the packing of the right operand for all vectors. */
#if defined(__x86_64__)

#include "gemm16_quads256.h"

#include "gemm16_halves.h"
#include "gemm16_variants.h"

size_t pq_gemm16_strassen256_right_bytes(size_t depth, size_t m)
{
    return grouped_bytes(depth, m) + pq_gemm16_winograd_right_bytes(depth, m - grouped(depth, m));
}

/* dst = a - b mod 2^16, elementwise; bytes: a multiple of 32 */
static void subtract(char *dst, const char *a, const char *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 32)
        _mm256_store_si256((void *)(dst + i), _mm256_sub_epi16(_mm256_load_si256((const void *)(a + i)),
                                                               _mm256_load_si256((const void *)(b + i))));
}

/* One block of each product: columns [0, 16) of each half of the group; src: rows of both parts, from there on. */
static void pack_block(char *dst, const uint16_t *src, struct pq_parts p, size_t row_stride)
{
    const size_t depth = 4 * p.each, bytes = p.each * PQ_RIGHT_QUAD, next = BLOCKS * block_bytes(p);
    const uint16_t *below = src + depth * row_stride;
    char *of[PRODUCTS];
    for (size_t k = 0; k < PRODUCTS; k++)
        of[k] = dst + k * next;
    pq_gemm16_right_pack(of[0], src, depth, PQ_BLOCK_COLS, row_stride);               /* B11 */
    pq_gemm16_right_pack(of[6], src + PQ_TILE_COLS, depth, PQ_BLOCK_COLS, row_stride);   /* B12, till it is T3 */
    pq_gemm16_right_pack(of[1], below, depth, PQ_BLOCK_COLS, row_stride);             /* B21 */
    pq_gemm16_right_pack(of[5], below + PQ_TILE_COLS, depth, PQ_BLOCK_COLS, row_stride); /* B22 */
    subtract(of[3], of[6], of[0], bytes);                                             /* T1 */
    subtract(of[4], of[5], of[3], bytes);                                             /* T2 */
    subtract(of[2], of[4], of[1], bytes);                                             /* T4 */
    subtract(of[6], of[5], of[6], bytes);                                             /* T3 */
    for (size_t k = 0; k < PRODUCTS; k++)
        pq_part_complete(of[k], depth, PQ_RIGHT_QUAD);
}

void pq_gemm16_strassen256_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    const struct pq_parts p = pq_parts_of(depth);
    const size_t cols = grouped(depth, m);
    char *to = dst;
    for (size_t part = 0; cols && part < p.count; part += 2)
        for (size_t j = 0; j < cols; j += GROUP, to += group_bytes(p))
            for (size_t b = 0; b < BLOCKS; b++)
                pack_block(to + b * block_bytes(p), src + 4 * part * p.each * row_stride + j + b * PQ_BLOCK_COLS, p, row_stride);
    pq_gemm16_winograd_right_pack(to, src + cols, depth, m - cols, row_stride);
}

void pq_gemm16_strassen256_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride)
{
    multiply_halved(left, right, z, i0, i1, n, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
