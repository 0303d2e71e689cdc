/* One level of Strassen's algorithm over Winograd's inner product (gemm16_halves.h) by AVX2. */
#if defined(__x86_64__)

#include "gemm16_quads256.h"

#include "gemm16_halves.h"

size_t pq_gemm16_strassen256_right_bytes(size_t depth, size_t m)
{
    return grouped_bytes(depth, m) + pq_gemm16_winograd_right_bytes(depth, m - grouped(depth, m));
}

/* dst = a - b mod 2^16, elementwise; bytes: a multiple of 32 */
static void subtract(char *dst, const char *a, const char *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 32)
        _mm256_store_si256((void *)(dst + i), _mm256_sub_epi16(_mm256_load_si256((const void *)(a + i)),
                                                               _mm256_load_si256((const void *)(b + i))));
}

static void pack_block(char *dst, const uint16_t *src, struct pq_parts p, size_t row_stride)
{
    const size_t depth = 4 * p.each, bytes = p.each * PQ_RIGHT_QUAD, next = BLOCKS * block_bytes(p);
    const uint16_t *below = src + depth * row_stride;
    char *of[PRODUCTS];
    for (size_t k = 0; k < PRODUCTS; k++)
        of[k] = dst + k * next;
    pq_gemm16_right_pack(of[0], src, depth, PQ_BLOCK_COLS, row_stride);                  /* B11 */
    pq_gemm16_right_pack(of[6], src + PQ_TILE_COLS, depth, PQ_BLOCK_COLS, row_stride);   /* B12, till it is T3 */
    pq_gemm16_right_pack(of[1], below, depth, PQ_BLOCK_COLS, row_stride);                /* B21 */
    pq_gemm16_right_pack(of[5], below + PQ_TILE_COLS, depth, PQ_BLOCK_COLS, row_stride); /* B22 */
    subtract(of[3], of[6], of[0], bytes);                                                /* T1 */
    subtract(of[4], of[5], of[3], bytes);                                                /* T2 */
    subtract(of[2], of[4], of[1], bytes);                                                /* T4 */
    subtract(of[6], of[5], of[6], bytes);                                                /* T3 */
    for (size_t k = 0; k < PRODUCTS; k++)
        pq_part_complete(of[k], depth, PQ_RIGHT_QUAD);
}

void pq_gemm16_strassen256_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    pack_right(dst, src, depth, m, row_stride);
}

static __m256i load(const char *from)
{
    return _mm256_load_si256((const void *)from);
}

/* All four in one pass, which reads each quarter once: no register is left to make them beside the tiles. */
static void make_sums(const struct lefts *l, size_t quads)
{
    const char *a11 = l->of[0].quads, *a12 = l->of[1].quads, *a21 = l->sum[0].a, *a22 = l->of[2].quads;
    __m256i products[SUMS];
    for (size_t k = 0; k < SUMS; k++)
        products[k] = _mm256_setzero_si256();
    for (size_t at = 0; at < quads * PQ_LEFT_QUAD; at += PQ_LEFT_QUAD) {
        __m256i sum[SUMS][2]; /* of the quad's even and odd pair */
        for (size_t h = 0; h < 2; h++) {
            const size_t i = at + 32 * h;
            const __m256i x11 = load(a11 + i), x21 = load(a21 + i);
            sum[0][h] = _mm256_add_epi16(x21, load(a22 + i));
            sum[1][h] = _mm256_sub_epi16(sum[0][h], x11);
            sum[2][h] = _mm256_sub_epi16(load(a12 + i), sum[1][h]);
            sum[3][h] = _mm256_sub_epi16(x11, x21);
            for (size_t k = 0; k < SUMS; k++)
                _mm256_store_si256((void *)(l->sum[k].to + i), sum[k][h]);
        }
        for (size_t k = 0; k < SUMS; k++)
            products[k] = _mm256_add_epi32(products[k], _mm256_madd_epi16(sum[k][0], sum[k][1]));
    }
    for (size_t k = 0; k < SUMS; k++)
        _mm256_store_si256((void *)(l->sum[k].to + quads * PQ_LEFT_QUAD), products[k]);
}

static void tile_and_sum(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon,
                         struct sum sum)
{
    (void)sum; /* made already */
    tile_full(t, l, r, quads, soon);
}

void pq_gemm16_strassen256_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                    size_t depth, size_t m, size_t z_stride)
{
    multiply_halved(left, right, z, i0, i1, n, depth, m, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
