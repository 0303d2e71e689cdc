/* Products of 1-bit weights and residues modulo 2^16: P0's offline product of its weights and a mask (protocols.md
 * section 3, `preprocessed`).
 *
 *   Z[i][j] += f[i] * sum over k of s[i][k] * R[k][j]   mod 2^16,    i < n, k < depth, j < m,   s[i][k] = -1 or +1
 *
 * Four or five neighbouring weights of a row are one of 16 or 32 patterns. For every group of so many rows of R and every
 * column the sums that they may select are made once; a row of s then takes one look-up and one addition for the whole
 * group. The tables lie in registers while they are read (one shuffle reads them for 32 rows), so that no address depends
 * on the weights, which are P0's secret. A weight is about one bit in memory, where the products of gemm16.h read 16.
 *
 * P0 alone, offline. No communication, no errors at run time. Equal to pq_gemm16_ref on W'[i][k] = f[i] * s[i][k],
 * bit for bit, on every size. */
#ifndef PQ_SIGNS16_H
#define PQ_SIGNS16_H

#include <stddef.h>
#include <stdint.h>

/* A variant: "plain" (C alone, which defines the product, and is slower than those of gemm16.h), "avx2", "avx512". */
struct pq_signs16;

/* The best that this machine can run, or the one called `forced` if that is not NULL: NULL if it is unknown, or this
 * machine cannot run it. To be asked once, not for each product: in a virtual machine the processor's answer takes as
 * long as a small product (15 us). */
const struct pq_signs16 *pq_signs16_pick(const char *forced);

/* The packed left operand: one bit a weight ("avx512": 16 bits for 15), rows filled up to a multiple of 32 (64), the
 * depth to one of 8 (15), and 16 bits a row for the factors. Weight (i, k) is src[i*row_stride + k]. dst is 64-byte
 * aligned. */
size_t pq_signs16_left_bytes(const struct pq_signs16 *v, size_t n, size_t depth);
void pq_signs16_left_pack(const struct pq_signs16 *v, void *dst, const int8_t *src, const uint16_t *factor, size_t n,
                          size_t depth, size_t row_stride);

/* Element (k, j) of R is r[k*r_stride + j], of Z z[i*z_stride + j]. Split over the calling thread's OpenMP team; the same
 * result for every thread count. scratch: pq_signs16_scratch_bytes, 64-byte aligned, holds sums of R afterwards.
 * Work: n*depth*m multiply-adds. */
size_t pq_signs16_scratch_bytes(const struct pq_signs16 *v, size_t depth);
void pq_signs16_run(const struct pq_signs16 *v, const void *left, const uint16_t *r, size_t r_stride, uint16_t *z,
                    size_t n, size_t depth, size_t m, size_t z_stride, void *scratch);

#endif
