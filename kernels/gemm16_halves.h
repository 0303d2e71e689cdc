/* The product mod 2^16 by one level of Strassen's algorithm over the tiles of gemm16_quads.h: seven products of halves in
 * place of eight, each with half of the multiplications. Exact like everything in the ring: bit for bit the definition's.
 * gemm16_strassen.c has the algorithm, its sources and the table of its products, sums and halves, which are the same
 * here: neighbouring panels, two neighbouring parts of the depth, groups of 64 columns. Private to gemm16_strassen256.c
 * and gemm16_strassen512.c, which include gemm16_quads256.h or gemm16_quads512.h before.
 *
 * The left operand is packed as gemm16_winograd.c does. Its four sums are made in the cache, for PAIRS pairs of panels at
 * a time. The right operand, made when it is packed:
 *
 *   [two parts][group][product 0..6][2 blocks] ( [quad][even, odd][16 columns][2]   [16 columns] )
 *
 * then the columns that fill no group, as gemm16_winograd.c packs them. */
#ifndef PQ_GEMM16_HALVES_H
#define PQ_GEMM16_HALVES_H

#include "gemm16_quads.h"
#include "gemm16_variants.h"

#include <stdbool.h>

enum {
    GROUP = 64, /* columns */
    PRODUCTS = 7,
    SUMS = 4,
    BLOCKS = 2, /* of 16 columns in half a group */
    PAIRS = 4,  /* pairs of panels whose sums (97 KiB) lie in the L2 cache at a time */
    PART_BYTES = PQ_PART_QUADS * PQ_LEFT_QUAD
};

/* Columns that go by Strassen's algorithm: none where the depth does not come in pairs of equal parts. */
static size_t grouped(size_t depth, size_t m)
{
    const struct pq_parts p = pq_parts_of(depth);
    return depth && p.count % 2 == 0 && depth == 4 * p.count * p.each ? m / GROUP * GROUP : 0;
}

/* A part of a block, and the right operand of a group and two parts. */
static size_t block_bytes(struct pq_parts p)
{
    return pq_part_bytes(p.each, PQ_RIGHT_QUAD);
}

static size_t group_bytes(struct pq_parts p)
{
    return PRODUCTS * BLOCKS * block_bytes(p);
}

static size_t grouped_bytes(size_t depth, size_t m)
{
    const struct pq_parts p = pq_parts_of(depth);
    return p.count / 2 * (grouped(depth, m) / GROUP) * group_bytes(p);
}

/* What the including file defines: packs one block of each product, columns [0, 16) of both halves of a group, with its
 * sums of products. dst: the block of product 0, from which those of the others are BLOCKS blocks apart; src: the group's
 * first row and the block's first column. */
static void pack_block(char *dst, const uint16_t *src, struct pq_parts p, size_t row_stride);

/* See struct pq_gemm16. */
static void pack_right(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    const struct pq_parts p = pq_parts_of(depth);
    const size_t cols = grouped(depth, m);
    char *to = dst;
    for (size_t part = 0; cols && part < p.count; part += 2)
        for (size_t j = 0; j < cols; j += GROUP, to += group_bytes(p))
            for (size_t b = 0; b < BLOCKS; b++)
                pack_block(to + b * block_bytes(p), src + 4 * part * p.each * row_stride + j + b * PQ_BLOCK_COLS, p,
                           row_stride);
    pq_gemm16_winograd_right_pack(to, src + cols, depth, m - cols, row_stride);
}

/* to = a + b or a - b: a panel's part, followed by its rows' sums of products like every operand. */
struct sum { char *to; const char *a, *b; bool minus; };

/* The left operands of the seven products, of one pair of panels; and those of them that are sums, in an order in which
 * they can be made: S1, S2, S4, S3. */
struct lefts { struct pq_operand of[PRODUCTS]; struct sum sum[SUMS]; };

struct sums { _Alignas(64) char of[SUMS][PART_BYTES + PQ_SUMS]; };

/* Also the including file's: it makes the sums of a pair of panels at once, before its products, or one beside each
 * of the first SUMS tiles of each pair, those of the first group's products 0 to 3. */
static void make_sums(const struct lefts *l, size_t quads);
static void tile_and_sum(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon,
                         struct sum sum);

/* a: the quarters A11, A12, A21, A22 */
static struct lefts lefts_of(struct sums *s, const struct pq_operand a[4], size_t quads)
{
    struct pq_operand of[SUMS];
    for (size_t k = 0; k < SUMS; k++)
        of[k] = pq_operand_at(s->of[k], quads, PQ_LEFT_QUAD);
    return (struct lefts){ { a[0], a[1], a[3], of[0], of[1], of[2], of[3] },
                           { { s->of[0], a[2].quads, a[3].quads, false },
                             { s->of[1], s->of[0], a[0].quads, true },
                             { s->of[2], a[1].quads, s->of[1], true },
                             { s->of[3], a[0].quads, a[2].quads, true } } };
}

/* The seven products of up to PAIRS pairs of panels: 8 rows and half a group's columns. */
struct results { _Alignas(64) uint16_t of[PAIRS][PRODUCTS][PQ_PANEL_ROWS][PQ_TILE_COLS]; };

/* The panels that come next, PAIRS pairs of them, are fetched beside all tiles of these, so that memory is asked evenly:
 * first those of one part, then of the other. Into the second cache: in the nearest they would push the right operand
 * out. */
struct ahead { uintptr_t part[2]; size_t bytes, each, done; }; /* bytes: of a part; each: of a tile */

static struct pq_fetch fetch_next(struct ahead *a, size_t quads)
{
    const size_t at = a->done;
    a->done += a->each;
    return (struct pq_fetch){ at < a->bytes ? a->part[0] + at : a->part[1] + at - a->bytes, a->each / quads, true };
}

/* One product of all pairs, times as many blocks as a tile has, from number b of the half group on: they stay in the L1
 * cache. */
static void multiply_blocks(struct results *t, size_t product, size_t b, const struct lefts *l, size_t pairs,
                            struct pq_operand r, size_t quads, struct ahead *next, bool first_group)
{
    for (size_t i = 0; i < pairs; i++) {
        uint16_t *to = (uint16_t *)t->of[i][product] + b * PQ_BLOCK_COLS;
        const struct pq_fetch soon = fetch_next(next, quads);
        if (first_group && b == 0 && product < SUMS)
            tile_and_sum(to, l[i].of[product], r, quads, soon, l[i].sum[product]);
        else
            tile_full(to, l[i].of[product], r, quads, soon);
    }
}

static void add_to(uint16_t *z, __m256i more)
{
    _mm256_storeu_si256((void *)z, _mm256_add_epi16(_mm256_loadu_si256((const void *)z), more));
}

/* The four quarters of a pair's result, from its seven products, added to z; rows: those that there are, of
 * which it takes 16. */
static void add_up(uint16_t *z, size_t z_stride, uint16_t (*t)[PQ_PANEL_ROWS][PQ_TILE_COLS], size_t rows)
{
    for (size_t i = 0; i < pq_gemm16_least(rows, PQ_PANEL_ROWS); i++)
        for (size_t j = 0; j < PQ_TILE_COLS; j += 16) {
            __m256i p[PRODUCTS];
            for (size_t k = 0; k < PRODUCTS; k++)
                p[k] = _mm256_load_si256((const void *)(t[k][i] + j));
            const __m256i u = _mm256_add_epi16(p[0], p[4]), v = _mm256_add_epi16(u, p[6]);
            uint16_t *to = z + i * z_stride + j;
            add_to(to, _mm256_add_epi16(p[0], p[1]));
            add_to(to + PQ_TILE_COLS, _mm256_add_epi16(_mm256_add_epi16(u, p[3]), p[5]));
            if (i + PQ_PANEL_ROWS < rows) {
                to += PQ_PANEL_ROWS * z_stride;
                add_to(to, _mm256_sub_epi16(v, p[2]));
                add_to(to + PQ_TILE_COLS, _mm256_add_epi16(v, p[3]));
            }
        }
}

/* Two parts of up to PAIRS pairs of panels, times all groups. left: the first panel of both parts; z: its first row. */
static void multiply_pairs(const char *const left[2], const char *right, uint16_t *z, size_t rows, struct pq_parts p,
                           size_t groups, size_t z_stride, struct ahead next)
{
    static const _Alignas(64) char none[PART_BYTES + PQ_SUMS]; /* the lower panel where rows end with the upper */
    struct sums sums[PAIRS];
    struct lefts l[PAIRS];
    struct results t;
    const size_t panel = pq_part_bytes(p.each, PQ_LEFT_QUAD);
    const size_t panels = panels_of(rows), pairs = pq_gemm16_ceil(panels, 2);
    for (size_t i = 0; i < pairs; i++) {
        const struct pq_operand nothing = { none, none + PART_BYTES };
        struct pq_operand a[4] = { nothing, nothing, nothing, nothing };
        for (size_t k = 0; k < 4 && 2 * i + k / 2 < panels; k++)
            a[k] = pq_operand_at(left[k % 2] + (2 * i + k / 2) * panel, p.each, PQ_LEFT_QUAD);
        l[i] = lefts_of(&sums[i], a, p.each);
        make_sums(&l[i], p.each);
    }
    next.each = (2 * next.bytes / (groups * PRODUCTS * (BLOCKS / TILE_BLOCKS) * pairs) / p.each + 1) * p.each;
    for (size_t g = 0; g < groups; g++, z += GROUP) {
        for (size_t k = 0; k < PRODUCTS; k++)
            for (size_t b = 0; b < BLOCKS; b += TILE_BLOCKS, right += TILE_BLOCKS * block_bytes(p))
                multiply_blocks(&t, k, b, l, pairs, pq_operand_at(right, p.each, PQ_RIGHT_QUAD), p.each, &next,
                                g == 0);
        for (size_t i = 0; i < pairs; i++)
            add_up(z + 2 * i * PQ_PANEL_ROWS * z_stride, z_stride, t.of[i], rows - 2 * i * PQ_PANEL_ROWS);
    }
}

/* See struct pq_gemm16; the left operand as gemm16_winograd.c packs it. */
static void multiply_halved(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n, size_t depth,
                            size_t m, size_t z_stride)
{
    enum { ROWS = 2 * PAIRS * PQ_PANEL_ROWS };
    const struct pq_parts p = pq_parts_of(depth);
    const size_t cols = grouped(depth, m), panels = panels_of(n);
    const char *r = right;
    for (size_t part = 0; cols && part < p.count; part += 2, r += cols / GROUP * group_bytes(p))
        for (size_t i = i0; i < i1; i += ROWS) {
            /* After the last rows those of the next two parts; after these what lies behind the operand: often the next
             * slice of a deep one (weights.h). Parts are equally long here. */
            const bool last = i1 - i <= ROWS;
            const size_t panel = pq_part_bytes(p.each, PQ_LEFT_QUAD), at = i / PQ_PANEL_ROWS;
            const size_t soon = last ? 2 * panels + i0 / PQ_PANEL_ROWS : at + 2 * PAIRS;
            const char *l[2];
            struct ahead next = { .bytes = 2 * PAIRS * panel };
            for (size_t k = 0; k < 2; k++) {
                l[k] = (const char *)left + ((part + k) * panels + at) * panel;
                next.part[k] = (uintptr_t)left + ((part + k) * panels + soon) * panel;
            }
            multiply_pairs(l, r, z + i * z_stride, pq_gemm16_least(i1 - i, ROWS), p, cols / GROUP, z_stride, next);
        }
    multiply(left, (const char *)right + grouped_bytes(depth, m), z + cols, i0, i1, n, depth, m - cols, z_stride);
}

#endif
