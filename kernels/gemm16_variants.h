/* The functions behind the table in gemm16.c: members of struct pq_gemm16, one file per variant. Private to
 * gemm16_*.c. The x86 variants share the packing of gemm16_pack.h. */
#ifndef PQ_GEMM16_VARIANTS_H
#define PQ_GEMM16_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

/* gemm16_ref.c: both operands row-major, 16 bits. */
size_t pq_gemm16_ref_bytes(size_t rows, size_t cols);
void pq_gemm16_ref_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                             size_t col_stride);
void pq_gemm16_ref_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_ref_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                            size_t depth, size_t m, size_t z_stride);

/* gemm16_blas.c: left as above, right row-major doubles. */
size_t pq_gemm16_blas_right_bytes(size_t depth, size_t m);
void pq_gemm16_blas_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_blas_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                             size_t depth, size_t m, size_t z_stride);

#if defined(__x86_64__)
void pq_gemm16_avx2_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                             size_t depth, size_t m, size_t z_stride);

/* gemm16_winograd.c: the packing of gemm16_pack.h, with sums beside it. */
size_t pq_gemm16_winograd_left_bytes(size_t n, size_t depth);
void pq_gemm16_winograd_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                                  size_t col_stride);
size_t pq_gemm16_winograd_right_bytes(size_t depth, size_t m);
void pq_gemm16_winograd_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_winograd_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride);

/* gemm16_strassen256.c: left operand as winograd's; the right one with its sums, if it has columns enough. */
size_t pq_gemm16_strassen256_right_bytes(size_t depth, size_t m);
void pq_gemm16_strassen256_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_strassen256_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride);

/* gemm16_strassen512.c: operands as strassen256's. */
void pq_gemm16_strassen512_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_strassen512_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride);

void pq_gemm16_avx512bw_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride);
void pq_gemm16_avx512vnni_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                   size_t depth, size_t m, size_t z_stride);

/* gemm16_strassen.c: left operand as avx512vnni's; the right one with its sums beside it, if it has columns enough. */
size_t pq_gemm16_strassen_right_bytes(size_t depth, size_t m);
void pq_gemm16_strassen_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_strassen_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride);

/* gemm16_amx.c: both operands cut into tiles of their low and of their high bytes. */
size_t pq_gemm16_amx_left_bytes(size_t n, size_t depth);
void pq_gemm16_amx_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                             size_t col_stride);
size_t pq_gemm16_amx_right_bytes(size_t depth, size_t m);
void pq_gemm16_amx_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride);
void pq_gemm16_amx_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                            size_t depth, size_t m, size_t z_stride);
#endif

#endif
