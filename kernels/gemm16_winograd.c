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

#include "gemm16_variants.h"
#include "gemm16_winograd.h"

#include <string.h>

/* rows whose part of the left operand (96 KiB) lies in the L2 cache until all columns are done */
enum { ROW_GROUP = 128 };

static size_t panels_of(size_t n)
{
    return pq_gemm16_ceil(n, PQ_PANEL_ROWS);
}

static size_t blocks_of(size_t m)
{
    return pq_gemm16_ceil(m, PQ_BLOCK_COLS);
}

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

/* z[rows][cols] += c[..][width], row by row. */
static void add_some(uint16_t *z, size_t z_stride, const __m256i c[8], size_t width, size_t rows, size_t cols)
{
    _Alignas(32) uint32_t t[64];
    for (size_t k = 0; k < 8; k++)
        _mm256_store_si256((void *)(t + 8 * k), c[k]);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            z[i * z_stride + j] = (uint16_t)(z[i * z_stride + j] + t[i * width + j]);
}

/* Up to 4 rows from row `i` of the panel on, times a block. */
static void multiply_rows(struct pq_operand l, size_t i, struct pq_operand r, uint16_t *z, size_t z_stride,
                          size_t quads, size_t rows, size_t cols, uintptr_t soon)
{
    __m256i c[8];
    pq_tile_begin(c, l.sums + i, r.sums);
    pq_tile_4x16(c, l.quads + 4 * i, r.quads, quads, soon);
    if (rows < 4 || cols < PQ_BLOCK_COLS) {
        add_some(z, z_stride, c, PQ_BLOCK_COLS, rows, cols);
        return;
    }
    for (size_t k = 0; k < 4; k++, z += z_stride)
        _mm256_storeu_si256((void *)z, _mm256_add_epi16(_mm256_loadu_si256((const void *)z),
                                                        pq_tile_narrow(c[2 * k], c[2 * k + 1])));
}

/* A panel times the first 8 columns of a block. */
static void multiply_narrow(struct pq_operand l, struct pq_operand r, uint16_t *z, size_t z_stride, size_t quads,
                            size_t rows, size_t cols, uintptr_t soon)
{
    const __m256i own = _mm256_load_si256((const void *)r.sums);
    __m256i c[8];
    for (size_t k = 0; k < 8; k++)
        c[k] = _mm256_sub_epi32(_mm256_set1_epi32((int)(0u - l.sums[k])), own);
    pq_tile_8x8(c, l.quads, r.quads, quads, soon);
    add_some(z, z_stride, c, 8, rows, cols);
}

/* The panels of rows [i0, i1) times one block. left: the part's first panel; z: the first row, the block's column. */
static void multiply_block(const char *left, size_t quads, struct pq_operand r, uint16_t *z, size_t i0, size_t i1,
                           size_t cols, size_t z_stride)
{
    const size_t panel = quads * PQ_LEFT_QUAD + PQ_SUMS;
    for (size_t i = i0; i < i1; i += PQ_PANEL_ROWS) {
        const struct pq_operand l = pq_operand_at(left + i / PQ_PANEL_ROWS * panel, quads, PQ_LEFT_QUAD);
        const size_t rows = pq_gemm16_least(i1 - i, PQ_PANEL_ROWS);
        const uintptr_t soon = (uintptr_t)l.quads + panel;
        if (cols <= PQ_BLOCK_COLS / 2)
            multiply_narrow(l, r, z + i * z_stride, z_stride, quads, rows, cols, soon);
        else
            for (size_t k = 0; k < rows; k += 4)
                multiply_rows(l, k, r, z + (i + k) * z_stride, z_stride, quads, pq_gemm16_least(rows - k, 4), cols,
                              soon + k / 4 * quads * PQ_LEFT_QUAD / 2);
    }
}

void pq_gemm16_winograd_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride)
{
    const struct pq_parts p = pq_parts_of(depth);
    for (size_t part = 0; part < p.count; part++) {
        const char *l = (const char *)left + pq_part_begin(p, part, 0, panels_of(n), PQ_LEFT_QUAD);
        for (size_t g = i0; g < i1; g += ROW_GROUP)
            for (size_t j = 0; j < m; j += PQ_BLOCK_COLS) {
                const struct pq_operand r = pq_part_at(right, p, part, j / PQ_BLOCK_COLS, blocks_of(m), PQ_RIGHT_QUAD);
                multiply_block(l, pq_part_quads(p, part), r, z + j, g, pq_gemm16_least(i1, g + ROW_GROUP),
                               pq_gemm16_least(m - j, PQ_BLOCK_COLS), z_stride);
            }
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
