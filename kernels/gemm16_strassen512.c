/* One level of Strassen's algorithm over Winograd's inner product (gemm16_halves.h) by AVX-512 with VNNI.
 *
 * Where it pays: a processor that adds vectors in units of its own beside those that multiply (AMD's Zen: 256 bits in each
 * of four, the multiplier in two of them) takes three half cycles for 64 multiply-adds, four with vpdpwssd alone: a third
 * more. One that does both in the same units (Intel's) takes half as long again: gemm16_strassen.c is for those. */
#if defined(__x86_64__)

#include "gemm16_quads512.h"

#include "gemm16_halves.h"
#include "gemm16_variants.h"

void pq_gemm16_strassen512_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride)
{
    multiply_halved(left, right, z, i0, i1, n, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
