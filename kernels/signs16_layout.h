/* How the operands of signs16.h lie in memory. Private to signs16*.c.
 *
 *   left    [n/32]  ( [depth/8] [32 rows] bytes   [32 rows] factors )    low four bits: weights k to k+3, then k+4 to k+7
 *   right   [m/4] [depth/4] [4 columns] [low bytes, high bytes] [16 patterns]
 *
 * Bit b of a pattern is 1 where the weight of k+b is +1. Rows, columns and depth that are not there: weights of -1,
 * residues of 0. */
#ifndef PQ_SIGNS16_LAYOUT_H
#define PQ_SIGNS16_LAYOUT_H

#include "signs16.h"

enum {
    PQ_SIGNS_PANEL = 32,                         /* rows; threads split between panels */
    PQ_SIGNS_COLS = 4,                           /* of a block of the right operand */
    PQ_SIGNS_PATTERNS = 16,
    PQ_SIGNS_TABLE = 2 * PQ_SIGNS_PATTERNS,      /* bytes: of a group of four k and one column */
    PQ_SIGNS_GROUP = PQ_SIGNS_COLS * PQ_SIGNS_TABLE
};

static inline size_t pq_signs_octets(size_t depth)
{
    return (depth + 7) / 8;
}

static inline size_t pq_signs_panel_bytes(size_t depth)
{
    return (pq_signs_octets(depth) + 2) * PQ_SIGNS_PANEL;
}

static inline size_t pq_signs_block_bytes(size_t depth)
{
    return 2 * pq_signs_octets(depth) * PQ_SIGNS_GROUP;
}

/* signs16_avx2.c. The tables of `there` (at most four) rows of residues, `stride` elements apart, for all m columns, in
 * the blocks from `block` on, `block_bytes` apart; and a panel times a block, each row times its factor. */
void pq_signs16_avx2_tables(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m);
void pq_signs16_avx2_panel(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t octets);

#endif
