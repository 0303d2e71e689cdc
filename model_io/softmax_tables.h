/* Integer tables of softmax for rows of a given length (protocols.md section 4 step 3). They follow from exp_scale
 * (secret, per layer) and the row length (public) alone, so they are made when needed rather than stored. */
#ifndef PQ_SOFTMAX_TABLES_H
#define PQ_SOFTMAX_TABLES_H

#include <stdint.h>

/* Widths for rows of `row` scores; public. */
struct pq_softmax_widths {
    uint32_t exp_max;    /* E(0): 255, or 127 for rows over 257 so that a row's sum stays below 2^16 */
    uint32_t sum_bits;   /* the sum of a row is below 2^sum_bits */
    uint32_t sum_trunc;  /* bits of the sum that index the row table: 8 to rows of 32, 12 beyond, at most sum_bits */
    uint32_t code_bits;  /* logarithmic code of the sum: 5 to rows of 64, 4 beyond */
    uint32_t prob_bits;  /* fixed point of probabilities: 8 to rows of 64, 11 beyond; p = 1 is 2^prob_bits - 1 */
    uint32_t context_top;/* |sum p v| < 2^(context_top-1): prob_bits + 5 */
};
struct pq_softmax_widths pq_softmax_widths(uint32_t row);

/* exp_table[d], d = 0..15: round(exp_max * exp(-exp_scale * d)). */
void pq_softmax_exp(const struct pq_softmax_widths *w, double exp_scale, uint16_t exp_table[16]);

/* code_table[v], v < 2^sum_trunc: code of a sum about v * 2^(sum_bits - sum_trunc). The codes are spaced evenly in
 * log(sum) from exp_max to exp_max * row. Index 0 stands for 2^sum_trunc (a truncation that rounded up). */
void pq_softmax_code(const struct pq_softmax_widths *w, uint32_t row, uint8_t *code_table);

/* division[d << code_bits | code] = round(2^prob_bits * E(d) / sum of that code), at most 2^prob_bits - 1. */
void pq_softmax_division(const struct pq_softmax_widths *w, uint32_t row, const uint16_t exp_table[16],
                         uint16_t *division);

#endif
