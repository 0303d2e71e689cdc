/* The report behind `pqbert kernels`: is every kernel variant right, and how fast is it on this machine? */
#ifndef PQ_BENCH_H
#define PQ_BENCH_H

#include "status.h"

#include <stdbool.h>
#include <stdio.h>

/* First compares every usable variant of gemm16.h with the reference over awkward sizes, and signs16.h where it is P0's
 * choice: one line each, VALID or INVALID. Then times the valid ones on one core, on the shapes of BERT-base: G
 * multiply-adds per second (median and quartiles of 11 samples) beside the peak; over 85 million weights, more than the
 * caches hold, also the bytes read per second beside the bandwidth; both limits measured right before and right after.
 * One to two minutes and 600 MB.
 *
 * Returns PQ_OK, or PQ_INVALID when a variant differs from the reference or, with check, when the variant that
 * pq_gemm16_pick chooses is slower than "ref" or "blas" on any shape, or signs16.h slower than that variant. */
PQ_MUST_USE int pq_kernels_bench(FILE *out, bool check);

/* What that check asks of each shape: is `rate`, multiply-adds per second, at least other_rate? If not, or if either is no
 * number, a line that begins with SLOWER. */
PQ_MUST_USE bool pq_kernel_keeps_up(FILE *out, const char *name, double rate, const char *other, double other_rate,
                                    size_t n, size_t depth, size_t m);

#endif
