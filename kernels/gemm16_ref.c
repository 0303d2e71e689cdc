/* The definition of the product mod 2^16, in plain C, and the variant "ref" made of it: the packed operands are
 * plain row-major copies. Every other variant must equal this file bit for bit; it is not tuned and not to be. */
#include "gemm16.h"
#include "gemm16_variants.h"

void pq_gemm16_ref(uint16_t *z, size_t z_stride, const uint16_t *l, size_t l_row, size_t l_col, const uint16_t *r,
                   size_t r_row, size_t n, size_t depth, size_t m)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < depth; k++) {
            /* 32 bits unsigned: two uint16_t would be multiplied as int, which overflows */
            uint32_t a = l[i * l_row + k * l_col];
            for (size_t j = 0; j < m; j++)
                z[i * z_stride + j] = (uint16_t)(z[i * z_stride + j] + a * r[k * r_row + j]);
        }
}

size_t pq_gemm16_ref_bytes(size_t rows, size_t cols)
{
    return rows * cols * sizeof(uint16_t);
}

void pq_gemm16_ref_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                             size_t col_stride)
{
    uint16_t *to = dst;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < depth; k++)
            to[i * depth + k] = src[i * row_stride + k * col_stride];
}

void pq_gemm16_ref_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    uint16_t *to = dst;
    for (size_t k = 0; k < depth; k++)
        for (size_t j = 0; j < m; j++)
            to[k * m + j] = src[k * row_stride + j];
}

void pq_gemm16_ref_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                            size_t depth, size_t m, size_t z_stride)
{
    (void)n;
    pq_gemm16_ref(z + i0 * z_stride, z_stride, (const uint16_t *)left + i0 * depth, depth, 1, right, m, i1 - i0,
                  depth, m);
}
