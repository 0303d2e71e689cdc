/* The product mod 2^16 by OpenBLAS, the yardstick that every tuned variant has to beat: residues become doubles,
 * dgemm sums them exactly (a sum of `depth` products stays below 2^32 * depth < 2^53), and the sum is reduced.
 *
 * The left operand stays 16 bits wide when packed (row-major) and is converted in pieces that fit the L2 cache;
 * doubles of all weights of BERT-base would take 680 MB per share. */
#include "gemm16_variants.h"
#include "status.h"

#include <cblas.h>
#include <pthread.h>
#include <stdlib.h>

enum { ROWS = 64, DEPTH = 768 }; /* one converted piece of the left operand: 384 KiB */

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* OpenBLAS's own threads would compete with the OpenMP team that splits the rows. */
static void one_thread(void)
{
    openblas_set_num_threads(1);
}

size_t pq_gemm16_blas_right_bytes(size_t depth, size_t m)
{
    return depth * m * sizeof(double);
}

void pq_gemm16_blas_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    double *to = dst;
    for (size_t k = 0; k < depth; k++)
        for (size_t j = 0; j < m; j++)
            to[k * m + j] = src[k * row_stride + j];
}

/* z[i][j] += sum[i][j] mod 2^16; sum holds whole numbers in [0, 2^53), so the conversions are exact. */
static void reduce(uint16_t *z, const double *sum, size_t rows, size_t m, size_t z_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < m; j++)
            z[i * z_stride + j] = (uint16_t)(z[i * z_stride + j] + (uint64_t)(int64_t)sum[i * m + j]);
}

void pq_gemm16_blas_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                             size_t depth, size_t m, size_t z_stride)
{
    (void)n;
    if (depth == 0 || m == 0)
        return;
    pthread_once(&once, one_thread);
    const uint16_t *l = left;
    const double *r = right;
    double *piece = pq_alloc(ROWS * DEPTH * sizeof *piece), *sum = pq_alloc(ROWS * m * sizeof *sum);
    PQ_ASSERT(depth < (size_t)1 << 21);
    for (size_t i = i0; i < i1; i += ROWS) {
        size_t rows = i1 - i < ROWS ? i1 - i : ROWS;
        for (size_t k = 0; k < depth; k += DEPTH) {
            size_t part = depth - k < DEPTH ? depth - k : DEPTH;
            for (size_t a = 0; a < rows; a++)
                for (size_t b = 0; b < part; b++)
                    piece[a * part + b] = l[(i + a) * depth + k + b];
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, (blasint)m, (blasint)part, 1.0,
                        piece, (blasint)part, r + k * m, (blasint)m, k ? 1.0 : 0.0, sum, (blasint)m);
        }
        reduce(z + i * z_stride, sum, rows, m, z_stride);
    }
    free(piece);
    free(sum);
}
