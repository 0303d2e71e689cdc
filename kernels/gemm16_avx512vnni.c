/* The product mod 2^16 by vpdpwssd. Tiles and blocking: gemm16_tiles512.h. */
#if defined(__x86_64__)

#include "gemm16_tiles_vnni.h"
#include "gemm16_variants.h"

void pq_gemm16_avx512vnni_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                   size_t depth, size_t m, size_t z_stride)
{
    (void)n;
    multiply(left, right, z, i0, i1, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
