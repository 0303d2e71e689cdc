/* Matrix products modulo 2^16, the arithmetic of every linear layer and of attention (protocols.md section 2).
 *
 *   Z[i][j] += sum over k of L[i][k] * R[k][j]   mod 2^16,    i < n, k < depth, j < m
 *
 * L is the "left" operand (weights: rows are output channels), R the "right" one (activations: columns are tokens).
 * All matrices hold residues mod 2^16; wrapping is part of the definition, so every variant equals pq_gemm16_ref
 * bit for bit on every size. Operands are packed first, into the layout a variant likes: weights once, when their
 * share is made; activations once per product, then read by all threads.
 *
 * Not tied to a party: P1 and P2 call it online, P0 offline, the verifier in replay. No communication.
 * Errors: none at run time; wrong sizes are bugs. Work: n*depth*m multiply-adds. */
#ifndef PQ_GEMM16_H
#define PQ_GEMM16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pq_gemm16 {
    const char *name; /* "ref", "blas", "avx2", "winograd", "strassen256", "avx512bw", "avx512vnni", "strassen",
                       * "strassen512", "amx" */
    bool (*usable)(void); /* CPU and operating system both support it */
    bool (*suits)(void);  /* is it faster here than those before it? NULL: yes, wherever it can be used */

    /* Bytes of a packed left operand of n rows, and packing. Element (i,k) is src[i*row_stride + k*col_stride].
     * dst is 64-byte aligned. Packed rows come in panels of row_block rows, so that a thread or a caller can
     * address rows [i0, n) of it when i0 is a multiple of row_block. */
    size_t row_block;
    size_t (*left_bytes)(size_t n, size_t depth);
    void (*left_pack)(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride, size_t col_stride);

    /* The same for the right operand: element (k,j) is src[k*row_stride + j] (columns are contiguous). */
    size_t (*right_bytes)(size_t depth, size_t m);
    void (*right_pack)(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);

    /* Z[i][j] at z[i*z_stride + j]. rows [i0, i1) only, i0 a multiple of row_block: this is how threads split.
     * Single-threaded. */
    void (*multiply)(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n, size_t depth,
                     size_t m, size_t z_stride);

    bool signs; /* beside this variant P0 multiplies 1-bit weights by signs16.h: faster where it was measured (bench.h) */
};

/* The definition, in plain C on unpacked operands: L[i][k] at l[i*l_row + k*l_col], R[k][j] at r[k*r_row + j]. */
void pq_gemm16_ref(uint16_t *z, size_t z_stride, const uint16_t *l, size_t l_row, size_t l_col, const uint16_t *r,
                   size_t r_row, size_t n, size_t depth, size_t m);

/* All variants that were built, the reference first, the best of those that suit the machine last; terminated by
 * name == NULL. */
const struct pq_gemm16 *pq_gemm16_variants(void);

/* The last variant that is usable and suits the machine, or the usable one called `forced` if that is not NULL.
 * NULL if it is unknown or this machine cannot run it: the caller reports the user's mistake. */
const struct pq_gemm16 *pq_gemm16_pick(const char *forced);

/* multiply over all n rows, split over the calling thread's OpenMP team (omp_get_max_threads()); same result for
 * every thread count. Stays on one thread when there is too little work to share. */
void pq_gemm16_run(const struct pq_gemm16 *g, const void *left, const void *right, uint16_t *z, size_t n,
                   size_t depth, size_t m, size_t z_stride);

#endif
