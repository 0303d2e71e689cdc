/* Linear layers in integers: 4-bit codes of the input, whole weights, so that their product comes close to the real
 * one. An input channel has a gain of its own, which the weights take back: where weights have one bit, and so no size
 * of their own, gains carry it from channel to channel. */
#ifndef PQ_QUANTISE_H
#define PQ_QUANTISE_H

#include "checkpoint.h"

#include <stdbool.h>

/* code = clamp(round(x * gain[c] + zero[c]), -8, 7) for input channel c. The constant that zero brings into the sums
 * goes into their bias. */
struct pq_codes { double *gain, *zero; };

/* Gains and zeros for the input x [d->in][columns], from ranges that lose least and, of some 20 ways to share precision
 * between input and weights, the one with the smallest error of the product, on a sample. uniform: one gain for all and
 * zero 0, as the embedding needs. codes' arrays [d->in] are the caller's. */
void pq_quantise_input(const struct pq_dense *d, const float *x, size_t columns, uint32_t weight_bits, bool uniform,
                       const struct pq_codes *codes);

/* Weights of l, [out][in], and their real scale: row o is about scale[o] * weight[o][.] * gain[.]. 1 bit: signs, and
 * the mean of |row|. More: the scale that loses least. step[o] > 0: scale[o] is at least that, or, with `whole`, a
 * multiple of it (what one unit of the accumulator stands for, when its multiplier is 1). */
void pq_quantise_weights(const struct pq_dense *d, const struct pq_codes *codes, const double *step, bool whole,
                         uint32_t weight_bits, struct pq_linear *l);

/* The range [*low, *high] of values that 16 codes cover with the least squared error. Never empty. */
void pq_code_range(const float *x, size_t count, double *low, double *high);

#endif
