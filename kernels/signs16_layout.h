/* How the operands of signs16.h lie in memory. Private to signs16*.c.
 *
 *   left    [n/rows]  ( [depth/step] [rows] of step_bytes   [rows] factors )
 *           the lowest `group` bits of a row's bytes: weights k to k+group-1, then the next ones, to k+step-1
 *   right   [m/4] [depth/group] [4 columns] [2^group patterns], 16 bits each; "avx2": low bytes, then high bytes
 *
 * Bit b of a pattern is 1 where the weight of k+b is +1. Rows and depth that are not there: weights of -1, residues
 * of 0; columns that are not there: anything, nobody uses what comes of them. */
#ifndef PQ_SIGNS16_LAYOUT_H
#define PQ_SIGNS16_LAYOUT_H

#include "signs16.h"

#include <stdbool.h>

enum {
    PQ_SIGNS_COLS = 4,       /* of a block of the right operand */
    PQ_SIGNS_MOST_ROWS = 64  /* of a panel */
};

struct pq_signs16 {
    const char *name;
    bool (*usable)(void);
    size_t rows;             /* of a panel; threads split between panels */
    unsigned group;          /* weights that a look-up takes */
    unsigned step;           /* weights whose bits lie together */
    unsigned step_bytes;

    /* The tables of `there` (at most `group`) rows of residues, `stride` elements apart, for m columns, in the blocks from
     * `block` on, `block_bytes` apart. */
    void (*tables)(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m);

    /* z[rows][4] = a panel times a block, each row times its factor. */
    void (*panel)(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps);
};

/* signs16_avx2.c, signs16_avx512.c. */
void pq_signs16_avx2_tables(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m);
void pq_signs16_avx2_panel(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps);
void pq_signs16_avx512_tables(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride,
                              size_t m);
void pq_signs16_avx512_panel(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps);

#endif
