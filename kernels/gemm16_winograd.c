/* The product mod 2^16 by AVX2 with half of the multiplications (S. Winograd, A New Algorithm for Inner Product, IEEE
 * Transactions on Computers C-17, 1968). For two neighbours k, k' of the depth
 *
 *   l r + l' r'  =  (l + r') (l' + r)  -  l l'  -  r r'
 *
 * where the last two are sums over the depth that belong to a row and to a column: they are made when the operands are
 * packed. Everything wraps mod 2^16, so the result is exact: bit for bit the definition's.
 *
 * Why it pays: for 32 multiply-adds the classical way takes two vpmaddwd and two additions, this one one vpmaddwd and
 * three additions. Processors with four vector units multiply in two of them and add in all, and additions that are
 * queued for the multiplying units keep the classical loop from using what is there: on a Zen 3 core it reaches 24
 * multiply-adds a cycle, this one 30.
 *
 * Layout: that of gemm16_pack.h, with an even number of pairs. The neighbours are an element of an even pair and the
 * one at the same place in the odd pair after it; two pairs are a "quad". Panels and blocks are followed by the sums of
 * their rows' and columns' products, 32 bits each, for each part of at most MOST quads:
 *
 *   left    [n/8]  ( [quad][even, odd][8 rows][2]       [part][8 rows] )
 *   right   [m/16] ( [quad][even, odd][16 columns][2]   [part][16 columns] ) */
#if defined(__x86_64__)

#include "gemm16_pack.h"
#include "gemm16_variants.h"

#include <immintrin.h>
#include <string.h>

enum {
    MOST = 96,        /* quads: 12 KiB of a block of the right operand, for the L1 cache */
    ROW_GROUP = 128,  /* rows whose part of the left operand (96 KiB) lies in the L2 cache until all columns are done */
    LEFT_QUAD = 64,   /* bytes of a quad in a panel, and in a block */
    RIGHT_QUAD = 128,
    ROW_SUMS = 32,    /* bytes of a part's sums */
    COL_SUMS = 64
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Parts are equally long, but for the last. */
struct parts { size_t quads, count, each; };

static struct parts parts_of(size_t depth)
{
    struct parts p = { .quads = pq_gemm16_ceil(depth, 4) };
    p.count = pq_gemm16_ceil(p.quads, MOST);
    p.each = p.count ? pq_gemm16_ceil(p.quads, p.count) : 0;
    return p;
}

static size_t panel_bytes(struct parts p)
{
    return p.quads * LEFT_QUAD + pq_gemm16_ceil(p.count * ROW_SUMS, 64) * 64;
}

static size_t block_bytes(struct parts p)
{
    return p.quads * RIGHT_QUAD + p.count * COL_SUMS;
}

size_t pq_gemm16_winograd_left_bytes(size_t n, size_t depth)
{
    return pq_gemm16_ceil(n, PQ_PANEL_ROWS) * panel_bytes(parts_of(depth));
}

size_t pq_gemm16_winograd_right_bytes(size_t depth, size_t m)
{
    return pq_gemm16_ceil(m, PQ_BLOCK_COLS) * block_bytes(parts_of(depth));
}

/* Fills up the last quad of a packed panel or block, whose pairs are `bytes` long, and appends the sums of products of
 * its parts: one number for every 4 bytes of a pair. */
static void complete(char *packed, struct parts p, size_t depth, size_t bytes)
{
    char *sums = packed + 2 * p.quads * bytes;
    if (pq_gemm16_ceil(depth, 2) % 2)
        memset(sums - bytes, 0, bytes);
    for (size_t q = 0; q < p.quads; q += p.each, sums += bytes)
        for (size_t v = 0; v < bytes; v += 32) {
            const char *at = packed + 2 * q * bytes + v;
            __m256i sum = _mm256_setzero_si256();
            for (size_t k = 0; k < least(p.quads - q, p.each); k++, at += 2 * bytes)
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_load_si256((const void *)at),
                                                              _mm256_load_si256((const void *)(at + bytes))));
            _mm256_store_si256((void *)(sums + v), sum);
        }
}

void pq_gemm16_winograd_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                                  size_t col_stride)
{
    const struct parts p = parts_of(depth);
    char *panel = dst;
    for (size_t i = 0; i < n; i += PQ_PANEL_ROWS, panel += panel_bytes(p)) {
        pq_gemm16_left_pack(panel, src + i * row_stride, least(n - i, PQ_PANEL_ROWS), depth, row_stride, col_stride);
        complete(panel, p, depth, LEFT_QUAD / 2);
    }
}

void pq_gemm16_winograd_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    const struct parts p = parts_of(depth);
    char *block = dst;
    for (size_t j = 0; j < m; j += PQ_BLOCK_COLS, block += block_bytes(p)) {
        pq_gemm16_right_pack(block, src + j, depth, least(m - j, PQ_BLOCK_COLS), row_stride);
        complete(block, p, depth, RIGHT_QUAD / 2);
    }
}

/* The loops over quads are assembler, because compilers spill accumulators or read operands twice. Registers: c0 to c7
 * accumulators, 8 to 11 the right operand's quad, the others a row's pairs and their sums with it. `i` runs from minus
 * half of the length of the left part up to 0, l and r point at the ends. What is needed `soon` is fetched meanwhile, as
 * many bytes a quad as `step` says: evenly, lest the machine's queue of misses fills up (a tenth of the time at 16
 * columns). It may lie past the end of memory, so it is no pointer. */
#define LOOP(step, body) \
    ".p2align 6\n1:\n\t" \
    "prefetcht0 (%[soon], %[i], " #step " / 32)\n\t" body \
    "add $32, %[i]\n\tjnz 1b"

#define ROW_2(row, c0, c1) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm12\n\tvpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm14\n\t" \
    "vpaddw %%ymm10, %%ymm12, %%ymm13\n\tvpaddw %%ymm8, %%ymm14, %%ymm15\n\t" \
    "vpaddw %%ymm11, %%ymm12, %%ymm12\n\tvpaddw %%ymm9, %%ymm14, %%ymm14\n\t" \
    "vpmaddwd %%ymm13, %%ymm15, %%ymm13\n\tvpmaddwd %%ymm12, %%ymm14, %%ymm12\n\t" \
    "vpaddd %%ymm13, %[" #c0 "], %[" #c0 "]\n\tvpaddd %%ymm12, %[" #c1 "], %[" #c1 "]\n\t"

#define ROW_1(row, c, a, b) \
    "vpbroadcastd 4*" #row "(%[l], %[i], 2), %%ymm" #a "\n\tvpbroadcastd 32+4*" #row "(%[l], %[i], 2), %%ymm" #b "\n\t" \
    "vpaddw %%ymm10, %%ymm" #a ", %%ymm" #a "\n\tvpaddw %%ymm8, %%ymm" #b ", %%ymm" #b "\n\t" \
    "vpmaddwd %%ymm" #a ", %%ymm" #b ", %%ymm" #a "\n\tvpaddd %%ymm" #a ", %[" #c "], %[" #c "]\n\t"

#define OPERANDS \
    : [i] "+r"(i), [c0] "+x"(c[0]), [c1] "+x"(c[1]), [c2] "+x"(c[2]), [c3] "+x"(c[3]), [c4] "+x"(c[4]), \
      [c5] "+x"(c[5]), [c6] "+x"(c[6]), [c7] "+x"(c[7]) \
    : [l] "r"(l + quads * LEFT_QUAD), [r] "r"(r + quads * RIGHT_QUAD), [soon] "r"(soon) \
    : "cc", "memory", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* c[4][2] += 4 rows times 16 columns. l: the first row in its panel. */
static inline void tile_4x16(__m256i c[8], const char *l, const char *r, size_t quads, uintptr_t soon)
{
    size_t i = 0 - quads * LEFT_QUAD / 2;
    soon += quads * LEFT_QUAD / 2;
    __asm__ volatile(
        LOOP(32, "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 32(%[r], %[i], 4), %%ymm9\n\t"
             "vmovdqa 64(%[r], %[i], 4), %%ymm10\n\tvmovdqa 96(%[r], %[i], 4), %%ymm11\n\t"
             ROW_2(0, c0, c1) ROW_2(1, c2, c3) ROW_2(2, c4, c5) ROW_2(3, c6, c7))
        OPERANDS);
}

/* c[8] += 8 rows times the first 8 columns of a block. */
static inline void tile_8x8(__m256i c[8], const char *l, const char *r, size_t quads, uintptr_t soon)
{
    size_t i = 0 - quads * LEFT_QUAD / 2;
    soon += quads * LEFT_QUAD;
    __asm__ volatile(
        LOOP(64, "vmovdqa (%[r], %[i], 4), %%ymm8\n\tvmovdqa 64(%[r], %[i], 4), %%ymm10\n\t"
             ROW_1(0, c0, 12, 13) ROW_1(1, c1, 14, 15) ROW_1(2, c2, 9, 11) ROW_1(3, c3, 12, 13)
             ROW_1(4, c4, 14, 15) ROW_1(5, c5, 9, 11) ROW_1(6, c6, 12, 13) ROW_1(7, c7, 14, 15))
        OPERANDS);
}

/* A part of a panel, or of a block, and its sums of products. */
struct operand { const char *quads; const uint32_t *sums; };

/* 16 numbers mod 2^32 -> mod 2^16 */
static inline __m256i narrow(__m256i a, __m256i b)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low)), 0xd8);
}

/* z[rows][cols] += c[..][width], row by row. */
static void add_some(uint16_t *z, size_t z_stride, const __m256i c[8], size_t width, size_t rows, size_t cols)
{
    _Alignas(32) uint32_t t[64];
    for (size_t k = 0; k < 8; k++)
        _mm256_store_si256((void *)(t + 8 * k), c[k]);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            z[i * z_stride + j] = (uint16_t)(z[i * z_stride + j] + t[i * width + j]);
}

/* Up to 4 rows from row `i` of the panel on. */
static void multiply_rows(struct operand l, size_t i, struct operand r, uint16_t *z, size_t z_stride, size_t quads,
                          size_t rows, size_t cols, uintptr_t soon)
{
    const __m256i own[2] = { _mm256_load_si256((const void *)r.sums), _mm256_load_si256((const void *)(r.sums + 8)) };
    __m256i c[8];
    for (size_t k = 0; k < 8; k++)
        c[k] = _mm256_sub_epi32(_mm256_set1_epi32(-(int)l.sums[i + k / 2]), own[k % 2]);
    tile_4x16(c, l.quads + 4 * i, r.quads, quads, soon);
    if (rows < 4 || cols < PQ_BLOCK_COLS) {
        add_some(z, z_stride, c, PQ_BLOCK_COLS, rows, cols);
        return;
    }
    for (size_t k = 0; k < 4; k++, z += z_stride)
        _mm256_storeu_si256((void *)z, _mm256_add_epi16(_mm256_loadu_si256((const void *)z), narrow(c[2 * k], c[2 * k + 1])));
}

/* A panel times the first 8 columns of a block. */
static void multiply_narrow(struct operand l, struct operand r, uint16_t *z, size_t z_stride, size_t quads, size_t rows,
                            size_t cols, uintptr_t soon)
{
    const __m256i own = _mm256_load_si256((const void *)r.sums);
    __m256i c[8];
    for (size_t k = 0; k < 8; k++)
        c[k] = _mm256_sub_epi32(_mm256_set1_epi32(-(int)l.sums[k]), own);
    tile_8x8(c, l.quads, r.quads, quads, soon);
    add_some(z, z_stride, c, 8, rows, cols);
}

void pq_gemm16_winograd_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride)
{
    const struct parts p = parts_of(depth);
    const size_t panel = panel_bytes(p), block = block_bytes(p);
    (void)n;
    for (size_t part = 0; part < p.count; part++) {
        const size_t q = part * p.each, quads = least(p.quads - q, p.each);
        for (size_t g = i0; g < i1; g += ROW_GROUP)
            for (size_t j = 0; j < m; j += PQ_BLOCK_COLS) {
                const char *b = (const char *)right + j / PQ_BLOCK_COLS * block;
                const struct operand r = { b + q * RIGHT_QUAD,
                                           (const void *)(b + p.quads * RIGHT_QUAD + part * COL_SUMS) };
                const size_t cols = least(m - j, PQ_BLOCK_COLS);
                for (size_t i = g; i < least(i1, g + ROW_GROUP); i += PQ_PANEL_ROWS) {
                    const char *a = (const char *)left + i / PQ_PANEL_ROWS * panel;
                    const struct operand l = { a + q * LEFT_QUAD,
                                               (const void *)(a + p.quads * LEFT_QUAD + part * ROW_SUMS) };
                    const uintptr_t soon = (uintptr_t)l.quads + panel;
                    uint16_t *to = z + i * z_stride + j;
                    if (cols <= PQ_BLOCK_COLS / 2) {
                        multiply_narrow(l, r, to, z_stride, quads, least(i1 - i, PQ_PANEL_ROWS), cols, soon);
                        continue;
                    }
                    for (size_t k = 0; k < least(i1 - i, PQ_PANEL_ROWS); k += 4)
                        multiply_rows(l, k, r, to + k * z_stride, z_stride, quads, least(i1 - i - k, 4), cols,
                                      soon + k * quads * LEFT_QUAD / PQ_PANEL_ROWS);
                }
            }
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
