/* See gemm16_pack.h. Packing costs one read and one write of the operand: SSE2, part of every x86-64, is enough.
 * Attention packs both operands of small products, so the two layouts that occur there (contiguous rows, contiguous
 * columns) have their own loops; any other stride takes the plain one, which also does every ragged edge. */
#include "gemm16_pack.h"

#include <string.h>

size_t pq_gemm16_left_bytes(size_t n, size_t depth)
{
    return pq_gemm16_ceil(n, PQ_PANEL_ROWS) * pq_gemm16_panel_bytes(depth);
}

size_t pq_gemm16_right_bytes(size_t depth, size_t m)
{
    return pq_gemm16_ceil(m, PQ_BLOCK_COLS) * pq_gemm16_block_bytes(depth);
}

/* Pairs [first, ceil(depth/2)) of one panel with `rows` real rows. */
static void left_plain(uint16_t *panel, const uint16_t *src, size_t rows, size_t depth, size_t first,
                       size_t row_stride, size_t col_stride)
{
    for (size_t p = first; 2 * p < depth; p++)
        for (size_t r = 0; r < PQ_PANEL_ROWS; r++)
            for (size_t k = 2 * p; k < 2 * p + 2; k++)
                panel[p * 16 + 2 * r + k % 2] = r < rows && k < depth ? src[r * row_stride + k * col_stride] : 0;
}

/* Pairs [first, ceil(depth/2)) of one block with `cols` real columns. */
static void right_plain(uint16_t *block, const uint16_t *src, size_t cols, size_t depth, size_t first,
                        size_t row_stride)
{
    for (size_t p = first; 2 * p < depth; p++)
        for (size_t j = 0; j < PQ_BLOCK_COLS; j++)
            for (size_t k = 2 * p; k < 2 * p + 2; k++)
                block[p * 32 + 2 * j + k % 2] = j < cols && k < depth ? src[k * row_stride + j] : 0;
}

#if defined(__x86_64__)
#include <emmintrin.h>

static __m128i load(const uint16_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static void store(uint16_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

/* Four rows of four pairs -> four pairs of four rows; a pair of the panel is 16 elements long. */
static void transpose(uint16_t *panel, __m128i a, __m128i b, __m128i c, __m128i d)
{
    __m128i ab_lo = _mm_unpacklo_epi32(a, b), ab_hi = _mm_unpackhi_epi32(a, b);
    __m128i cd_lo = _mm_unpacklo_epi32(c, d), cd_hi = _mm_unpackhi_epi32(c, d);
    store(panel, _mm_unpacklo_epi64(ab_lo, cd_lo));
    store(panel + 16, _mm_unpackhi_epi64(ab_lo, cd_lo));
    store(panel + 32, _mm_unpacklo_epi64(ab_hi, cd_hi));
    store(panel + 48, _mm_unpackhi_epi64(ab_hi, cd_hi));
}

/* A full panel whose rows are contiguous along k. Returns the number of pairs done. */
static size_t left_by_rows(uint16_t *panel, const uint16_t *src, size_t depth, size_t stride)
{
    size_t p = 0;
    for (; 2 * p + 8 <= depth; p += 4)
        for (size_t r = 0; r < PQ_PANEL_ROWS; r += 4) {
            const uint16_t *s = src + r * stride + 2 * p;
            transpose(panel + p * 16 + 2 * r, load(s), load(s + stride), load(s + 2 * stride), load(s + 3 * stride));
        }
    return p;
}

/* A full panel whose columns are contiguous along the rows i. Returns the number of pairs done. */
static size_t left_by_cols(uint16_t *panel, const uint16_t *src, size_t depth, size_t stride)
{
    for (size_t p = 0; p < depth / 2; p++) {
        __m128i even = load(src + 2 * p * stride), odd = load(src + (2 * p + 1) * stride);
        store(panel + p * 16, _mm_unpacklo_epi16(even, odd));
        store(panel + p * 16 + 8, _mm_unpackhi_epi16(even, odd));
    }
    return depth / 2;
}

/* The first or second half (8 columns) of a block, all 8 columns real. */
static void right_half(uint16_t *block, const uint16_t *src, size_t depth, size_t stride)
{
    for (size_t p = 0; p < depth / 2; p++) {
        __m128i even = load(src + 2 * p * stride), odd = load(src + (2 * p + 1) * stride);
        store(block + p * 32, _mm_unpacklo_epi16(even, odd));
        store(block + p * 32 + 8, _mm_unpackhi_epi16(even, odd));
    }
}

static void zero_half(uint16_t *block, size_t depth)
{
    for (size_t p = 0; p < depth / 2; p++)
        memset(block + p * 32, 0, 16 * sizeof *block);
}

/* A block with 8 or 16 real columns, columns apart by `stride`. Returns the number of pairs done. */
static size_t right_by_halves(uint16_t *block, const uint16_t *src, size_t cols, size_t depth, size_t stride)
{
    right_half(block, src, depth, stride);
    if (cols == PQ_BLOCK_COLS)
        right_half(block + 16, src + 8, depth, stride);
    else
        zero_half(block + 16, depth);
    return depth / 2;
}
#endif

void pq_gemm16_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride, size_t col_stride)
{
    for (size_t i = 0; i < n; i += PQ_PANEL_ROWS) {
        uint16_t *panel = (uint16_t *)((char *)dst + i / PQ_PANEL_ROWS * pq_gemm16_panel_bytes(depth));
        const uint16_t *from = src + i * row_stride;
        size_t rows = n - i < PQ_PANEL_ROWS ? n - i : PQ_PANEL_ROWS, done = 0;
#if defined(__x86_64__)
        if (rows == PQ_PANEL_ROWS && col_stride == 1)
            done = left_by_rows(panel, from, depth, row_stride);
        else if (rows == PQ_PANEL_ROWS && row_stride == 1)
            done = left_by_cols(panel, from, depth, col_stride);
#endif
        left_plain(panel, from, rows, depth, done, row_stride, col_stride);
    }
}

void pq_gemm16_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    for (size_t j = 0; j < m; j += PQ_BLOCK_COLS) {
        uint16_t *block = (uint16_t *)((char *)dst + j / PQ_BLOCK_COLS * pq_gemm16_block_bytes(depth));
        size_t cols = m - j < PQ_BLOCK_COLS ? m - j : PQ_BLOCK_COLS, done = 0;
#if defined(__x86_64__)
        if (cols % 8 == 0)
            done = right_by_halves(block, src + j, cols, depth, row_stride);
#endif
        right_plain(block, src + j, cols, depth, done, row_stride);
    }
}
