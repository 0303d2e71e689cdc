/* The packed layout that the x86 variants of gemm16.h share, and the functions that fill it. Private to gemm16_*.c.
 *
 * Left operand, [n/8][depth/2][8][2]: panels of 8 rows; within one, for each pair of neighbouring k, the two
 * elements of every row side by side. One row's pair is 32 bits: what an instruction broadcasts to all lanes.
 * Right operand, [m/16][depth/2][16][2]: blocks of 16 columns; the pairs of all 16 fill one 64-byte vector.
 * The multiply-add of a pair (vpmaddwd, vpdpwssd) adds two products into the 32-bit lane of its column.
 *
 * Missing rows, columns and the odd last k are zero, so tiles never ask where the matrix ends until they store.
 * Products are exact mod 2^16 although the instructions read residues as signed numbers and wrap at 2^32: every
 * such reading differs by a multiple of 2^16. */
#ifndef PQ_GEMM16_PACK_H
#define PQ_GEMM16_PACK_H

#include "gemm16.h"

enum { PQ_PANEL_ROWS = 8, PQ_BLOCK_COLS = 16 };

static inline size_t pq_gemm16_ceil(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t pq_gemm16_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes from one panel of the left operand to the next, and from one block of the right operand to the next. */
static inline size_t pq_gemm16_panel_bytes(size_t depth)
{
    return pq_gemm16_ceil(depth, 2) * PQ_PANEL_ROWS * 2 * sizeof(uint16_t);
}

static inline size_t pq_gemm16_block_bytes(size_t depth)
{
    return pq_gemm16_ceil(depth, 2) * PQ_BLOCK_COLS * 2 * sizeof(uint16_t);
}

/* The part of z that a tile will add to is asked for before the tile is computed, lest it wait for it at the end. */
static inline void pq_gemm16_fetch(const uint16_t *z, size_t z_stride, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j += 32)
            __builtin_prefetch(z + i * z_stride + j, 1);
}

/* The members of struct pq_gemm16, for this layout. Fast when rows or columns of src are contiguous. */
size_t pq_gemm16_left_bytes(size_t n, size_t depth);
void pq_gemm16_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride, size_t col_stride);
size_t pq_gemm16_right_bytes(size_t depth, size_t m);
void pq_gemm16_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);

#endif
