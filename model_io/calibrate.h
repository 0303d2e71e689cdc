/* How real numbers become a model's integers: codes, accumulators of linear layers, tables. Shared by what makes
 * models: synthetic ones (synth.h) and those imported from a checkpoint (import.h). */
#ifndef PQ_CALIBRATE_H
#define PQ_CALIBRATE_H

#include "model.h"

#include <stdbool.h>

/* The nearest integer within [low, high], and the nearest 4-bit code. */
int8_t pq_round_within(double value, double low, double high);
int8_t pq_code_of(double value);
/* The signed value of table index i of `bits` bits. */
double pq_index_value(uint32_t i, uint32_t bits);

double pq_gelu(double x); /* x times the normal distribution's integral up to x */

/* What is known of a channel's sums: mean, variance, and the largest distance from the mean. Of fewer than
 * PQ_FEW_TOKENS tokens the mean is taken for 0: the head sees few, which say nothing about a channel. */
enum { PQ_FEW_TOKENS = 4 };
struct pq_channel { double mean, variance, reach; };
struct pq_channel pq_channel_measure(const int32_t *sums, size_t tokens);

/* Multiplier and bias of output channel o. The multiplier is the one that is `wanted`, or as much of it as keeps the
 * sums within `room` of their mean, an integer from 1 to 1024; accumulators get the mean `shift`. Units: of the
 * accumulator, 2^16 to the ring. */
void pq_channel_set(struct pq_linear *l, uint32_t o, const struct pq_channel *c, double wanted, double room,
                    double shift);

/* The variance that an index stands for; index 0: half a unit, the middle of what is left. */
double pq_variance_of(const struct pq_shape *s, uint32_t index);

/* The tables of a LayerNorm, from its gamma and beta. Index v of rsqrt stands for variance[v] (n^2 * variance in hidden
 * codes), and the normalised values that it makes are `reach` times as large as they should be. In the tables of
 * channel c they are taken for reach_of[c] times as large: those tables hold codes y / code_step[c] + code_zero[c], and
 * residuals y * one[c] within [low[c], high[c]]. */
struct pq_norm_units {
    double reach;
    const double *variance;                                              /* [2^var_trunc] */
    const double *reach_of, *one, *code_step, *code_zero, *low, *high; /* [hidden] */
};
void pq_norm_fill(struct pq_norm *n, const struct pq_shape *s, const struct pq_norm_units *units);

/* Row of a context table of `bits` bits: averaged codes of V, divided by step, plus shift. */
void pq_context_fill(int8_t *row, uint32_t bits, double step, double shift);

#endif
