/* Products by Winograd's inner product (gemm16_winograd.c says how) over tiles of 8 rows, which a file includes before this
 * header, from gemm16_quads256.h or gemm16_quads512.h, according to the vectors that it is compiled for:
 *
 *   TILE_BLOCKS                      blocks of columns that the widest tile has: 1 or 2
 *   tile_ahead(quads)                so many bytes ahead the left operand is best fetched, when it comes from memory
 *   tile_full(t, l, r, quads, soon)  a panel times so many neighbouring blocks, r being the first of them
 *   tile_block(...)                  a panel times one block
 *   tile_half(...)                   a panel times the first 8 columns of a block
 *
 * l, r: a part of `quads` quads of both operands. The result goes to t, 8 rows of PQ_TILE_COLS numbers, 32-byte aligned. */
#ifndef PQ_GEMM16_QUADS_H
#define PQ_GEMM16_QUADS_H

#include "gemm16_winograd.h"

static size_t panels_of(size_t n)
{
    return pq_gemm16_ceil(n, PQ_PANEL_ROWS);
}

static size_t blocks_of(size_t m)
{
    return pq_gemm16_ceil(m, PQ_BLOCK_COLS);
}

/* z[rows][cols] += a tile's result */
static void add_tile(uint16_t *z, size_t z_stride, const uint16_t *t, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++, z += z_stride, t += PQ_TILE_COLS) {
        size_t j = 0;
        for (; j + 16 <= cols; j += 16)
            _mm256_storeu_si256((void *)(z + j), _mm256_add_epi16(_mm256_loadu_si256((const void *)(z + j)),
                                                                  _mm256_load_si256((const void *)(t + j))));
        for (; j + 8 <= cols; j += 8)
            _mm_storeu_si128((void *)(z + j), _mm_add_epi16(_mm_loadu_si128((const void *)(z + j)),
                                                            _mm_load_si128((const void *)(t + j))));
        for (; j < cols; j++)
            z[j] = (uint16_t)(z[j] + t[j]);
    }
}

/* The panels of rows [i0, i1) times at most TILE_BLOCKS blocks, which hold cols columns. left: the part's first panel; z:
 * the first row, the first block's column. */
static void multiply_panels(const char *left, size_t quads, struct pq_operand r, uint16_t *z, size_t i0, size_t i1,
                            size_t cols, size_t z_stride)
{
    const size_t panel = pq_part_bytes(quads, PQ_LEFT_QUAD);
    _Alignas(64) uint16_t t[PQ_PANEL_ROWS * PQ_TILE_COLS];
    for (size_t i = i0; i < i1; i += PQ_PANEL_ROWS) {
        const struct pq_operand l = pq_operand_at(left + i / PQ_PANEL_ROWS * panel, quads, PQ_LEFT_QUAD);
        const size_t rows = pq_gemm16_least(i1 - i, PQ_PANEL_ROWS);
        pq_gemm16_fetch(z + i * z_stride, z_stride, rows, cols);
        (cols > PQ_BLOCK_COLS ? tile_full : cols > PQ_BLOCK_COLS / 2 ? tile_block : tile_half)
            (t, l, r, quads, (struct pq_fetch){ (uintptr_t)l.quads + tile_ahead(quads), PQ_LEFT_QUAD, false });
        add_tile(z + i * z_stride, z_stride, t, rows, cols);
    }
}

/* See struct pq_gemm16; operands as gemm16_winograd.c packs them. */
static void multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n, size_t depth,
                     size_t m, size_t z_stride)
{
    enum { ROWS = 128 /* whose part of the left operand, 96 KiB, lies in the L2 cache until all columns are done */ };
    const struct pq_parts p = pq_parts_of(depth);
    for (size_t part = 0; part < p.count; part++) {
        const char *l = (const char *)left + pq_part_begin(p, part, 0, panels_of(n), PQ_LEFT_QUAD);
        for (size_t i = i0; i < i1; i += ROWS)
            for (size_t j = 0, cols; j < m; j += cols) {
                const struct pq_operand r = pq_part_at(right, p, part, j / PQ_BLOCK_COLS, blocks_of(m), PQ_RIGHT_QUAD);
                cols = pq_gemm16_least(m - j, TILE_BLOCKS * PQ_BLOCK_COLS);
                multiply_panels(l, pq_part_quads(p, part), r, z + j, i, pq_gemm16_least(i1, i + ROWS), cols, z_stride);
            }
    }
    _mm256_zeroupper(); /* the tiles are assembler: not every compiler knows that upper halves are in use */
}

#endif
