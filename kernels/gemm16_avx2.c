/* The product mod 2^16 by AVX2: vpmaddwd multiplies pairs and adds the two products, an addition collects them.
 * Layout: gemm16_pack.h, each 16-column vector in two halves of 8. */
#if defined(__x86_64__)

#include "gemm16_pack.h"
#include "gemm16_variants.h"

#include <immintrin.h>
#include <string.h>

enum { ROWS = 4 };

/* 4 rows x 16 columns in 8 accumulators; with vectors, pair and scratch that is all 16 registers hold.
 * l: the first of the rows in its panel; r: the block; t: result [4][16], the sums mod 2^32. What lies `ahead` bytes
 * after l is fetched meanwhile. */
static void tile_4x16(uint32_t *t, const char *l, const char *r, size_t pairs, size_t ahead)
{
    __m256i c[ROWS][2];
    for (int i = 0; i < ROWS; i++)
        c[i][0] = c[i][1] = _mm256_setzero_si256();
    for (size_t p = 0; p < pairs; p++, l += 32, r += 64) {
        _mm_prefetch((const char *)((uintptr_t)l + ahead), _MM_HINT_T0); /* perhaps past the end: no pointer */
        __m256i b0 = _mm256_load_si256((const __m256i *)r), b1 = _mm256_load_si256((const __m256i *)(r + 32));
        for (int i = 0; i < ROWS; i++) {
            int32_t pair;
            memcpy(&pair, l + 4 * i, sizeof pair);
            __m256i a = _mm256_set1_epi32(pair);
            c[i][0] = _mm256_add_epi32(c[i][0], _mm256_madd_epi16(a, b0));
            c[i][1] = _mm256_add_epi32(c[i][1], _mm256_madd_epi16(a, b1));
        }
    }
    for (int i = 0; i < ROWS; i++) {
        _mm256_store_si256((__m256i *)(t + 16 * i), c[i][0]);
        _mm256_store_si256((__m256i *)(t + 16 * i + 8), c[i][1]);
    }
}

/* Blocks: one vector of the right operand over PAIRS pairs (16 KiB) stays in L1 while ROW_GROUP rows of the left one
 * (256 KiB) pass by; those stay in L2 until all columns are done. */
void pq_gemm16_avx2_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                             size_t depth, size_t m, size_t z_stride)
{
    enum { PAIRS = 256, ROW_GROUP = 256 };
    (void)n;
    size_t panel = pq_gemm16_panel_bytes(depth), block = pq_gemm16_block_bytes(depth);
    size_t all_pairs = pq_gemm16_ceil(depth, 2);
    _Alignas(32) uint32_t t[ROWS * PQ_BLOCK_COLS];
    for (size_t p = 0; p < all_pairs; p += PAIRS)
        for (size_t g = i0; g < i1; g += ROW_GROUP)
            for (size_t j = 0; j < m; j += PQ_BLOCK_COLS) {
                const char *r = (const char *)right + j / PQ_BLOCK_COLS * block + p * 64;
                size_t cols = pq_gemm16_least(m - j, PQ_BLOCK_COLS);
                for (size_t i = g; i < pq_gemm16_least(i1, g + ROW_GROUP); i += ROWS) {
                    const char *l = (const char *)left + i / PQ_PANEL_ROWS * panel + p * 32 + i % PQ_PANEL_ROWS * 4;
                    tile_4x16(t, l, r, pq_gemm16_least(all_pairs - p, PAIRS), panel);
                    for (size_t a = 0; a < pq_gemm16_least(i1 - i, ROWS); a++)
                        for (size_t b = 0; b < cols; b++)
                            z[(i + a) * z_stride + j + b] = (uint16_t)(z[(i + a) * z_stride + j + b] + t[a * 16 + b]);
                }
            }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
