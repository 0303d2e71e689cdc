/* Tiles of 512-bit vectors for the AVX-512 variants of gemm16.h. Private: gemm16_avx512bw.c and
 * gemm16_tiles_vnni.h include it after defining what their instruction set calls a multiply-add:
 *
 *   MAC(b, a, c, t)         zmm c += pairs of zmm a times pairs of zmm b
 *   MAC_MEM(off, b, c, t)   zmm c += (the 32 bits at off(left), in all lanes) times pairs of zmm b
 *
 * both as assembler text, t being a scratch register. The loop over depth is written in assembler because compilers
 * cannot be trusted with it: GCC 12 copies every accumulator around vpdpwssd, which halves the rate.
 *
 * A tile is R rows x V vectors of 16 columns. Its R*V accumulators stay in registers for the whole loop; R*V >= 10
 * hides the latency (5 cycles, two per cycle). Per pair of k a tile loads V vectors of the right operand and R pairs
 * of the left one, so that 8 x 3 needs 11 loads for 24 multiply-adds where two loads a cycle are possible.
 *
 *   8 x 3, 8 x 2   one panel, many columns
 *   48 rows x 8    six panels, at most 16 columns: the memory that the weights come from limits it as well
 *   8 x 1          one panel, at most 16 columns: what is left of the rows */

#include "gemm16_asm512.h"
#include "gemm16_pack.h"

#include <immintrin.h>
#include <string.h>

#define FIRST_8 "0,1,2,3,4,5,6,7"
#define FIRST_16 FIRST_8 ",8,9,10,11,12,13,14,15"
#define FIRST_24 FIRST_16 ",16,17,18,19,20,21,22,23"

/* Assembler's own loop over a list of accumulators. */
#define ZERO(list) ".irp c," list "\n\tvpxord %%zmm\\c, %%zmm\\c, %%zmm\\c\n\t.endr\n\t"

/* Low halves of all 32-bit lanes of two neighbouring accumulators, side by side, to their 64 bytes of the result. */
#define PUT(c, d) "vpermt2w %%zmm" #d ", %%zmm31, %%zmm" #c "\n\tvmovdqa64 %%zmm" #c ", 32*" #c "(%[t])\n\t"
#define PUT_8 "vmovdqa64 %[even], %%zmm31\n\t" PUT(0, 1) PUT(2, 3) PUT(4, 5) PUT(6, 7)
#define PUT_16 PUT_8 PUT(8, 9) PUT(10, 11) PUT(12, 13) PUT(14, 15)
#define PUT_24 PUT_16 PUT(16, 17) PUT(18, 19) PUT(20, 21) PUT(22, 23)
static const _Alignas(64) uint16_t even_words[32] = {
    0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
    32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62,
};

#define PAIR(row, a) "vpbroadcastd 4*" #row "(%[l]), %%zmm" #a "\n\t"

/* One row of a wide tile: its pair in all lanes, times the vectors of the right operand in zmm24, 25, 26. */
#define ROW2(row, a, c0, c1) PAIR(row, a) MAC(24, a, c0, 30) MAC(25, a, c1, 31)
#define ROW3(row, a, c0, c1, c2) PAIR(row, a) MAC(24, a, c0, 29) MAC(25, a, c1, 30) MAC(26, a, c2, 31)

/* Two panels' pairs to a vector of 16 rows; a column's pair in all lanes times three of them, in zmm24, 25, 26. */
#define ROWS16(low, high, b)                                                                                        \
    "vmovdqa64 " low ", %%ymm" #b "\n\tvinserti64x4 $1, " high ", %%zmm" #b ", %%zmm" #b "\n\t"
#define COLUMN(column, a, c0, c1, c2)                                                                               \
    "vpbroadcastd 4*" #column "(%[r]), %%zmm" #a "\n\t" MAC(24, a, c0, 29) MAC(25, a, c1, 30) MAC(26, a, c2, 31)

/* 8 rows of one panel times the vector in zmm24; `left` is the panel's address as assembler text. */
#define PANEL1(left, c0, c1, c2, c3, c4, c5, c6, c7)                                                                \
    MAC_MEM("0" left, 24, c0, 28) MAC_MEM("4" left, 24, c1, 29) MAC_MEM("8" left, 24, c2, 30)                       \
    MAC_MEM("12" left, 24, c3, 31) MAC_MEM("16" left, 24, c4, 28) MAC_MEM("20" left, 24, c5, 29)                    \
    MAC_MEM("24" left, 24, c6, 30) MAC_MEM("28" left, 24, c7, 31)

/* The end of the loop over pairs of k. */
#define NEXT "add $32, %[l]\n\tadd $64, %[r]\n\tdec %[p]\n\tjnz 1b\n\t"

/* The tiles. l: left panel, r: right block, both at the first pair of k; pairs >= 1 of them; step: bytes to the next
 * block (to the next panel where a tile has several); ahead: bytes from l to what is fetched beside the work.
 * The result goes to t, row after row, 16 * V elements each; but 8 x 3 gives [8][32] for its first two vectors, then
 * [8][16] for the third, because rows of 48 elements would straddle the 64-byte stores that they are read back from. */
static void tile_8x3(uint16_t *t, const char *l, const char *r, size_t pairs, size_t step, size_t ahead)
{
    __asm__ volatile(ZERO(FIRST_24)
                     LOOP
                     LOAD("(%[r])", 24) LOAD("(%[r],%[s])", 25) LOAD("(%[r],%[s],2)", 26)
                     "prefetcht0 (%[l],%[f])\n\t"
                     ROW3(0, 27, 0, 1, 16) ROW3(1, 28, 2, 3, 17) ROW3(2, 27, 4, 5, 18) ROW3(3, 28, 6, 7, 19)
                     ROW3(4, 27, 8, 9, 20) ROW3(5, 28, 10, 11, 21) ROW3(6, 27, 12, 13, 22) ROW3(7, 28, 14, 15, 23)
                     NEXT
                     PUT_24
                     : [l] "+r"(l), [r] "+r"(r), [p] "+r"(pairs)
                     : [t] "r"(t), [even] "m"(even_words), [s] "r"(step), [f] "r"(ahead)
                     : CLOBBERS);
}

static void tile_8x2(uint16_t *t, const char *l, const char *r, size_t pairs, size_t step, size_t ahead)
{
    __asm__ volatile(ZERO(FIRST_16)
                     LOOP
                     LOAD("(%[r])", 24) LOAD("(%[r],%[s])", 25)
                     "prefetcht0 (%[l],%[f])\n\t"
                     ROW2(0, 26, 0, 1) ROW2(1, 27, 2, 3) ROW2(2, 28, 4, 5) ROW2(3, 29, 6, 7)
                     ROW2(4, 26, 8, 9) ROW2(5, 27, 10, 11) ROW2(6, 28, 12, 13) ROW2(7, 29, 14, 15)
                     NEXT
                     PUT_16
                     : [l] "+r"(l), [r] "+r"(r), [p] "+r"(pairs)
                     : [t] "r"(t), [even] "m"(even_words), [s] "r"(step), [f] "r"(ahead)
                     : CLOBBERS);
}

/* 48 rows of six panels, two panels in a vector, times 8 columns: in this tile a lane is a row, and it is the columns'
 * pairs that are broadcast. 14 loads for 24 multiply-adds, where columns in lanes would need one for each. fetch: the
 * address of what is needed next; fetch_step bytes of it a pair of k are fetched, 192 at most. The result is
 * [8 columns][32] for the first 32 rows, then [8][16] for the last 16. */
static void tile_48x8(uint16_t *t, const char *l, const char *r, size_t pairs, size_t step, uintptr_t fetch,
                      size_t fetch_step)
{
    __asm__ volatile(ZERO(FIRST_24)
                     LOOP
                     ROWS16("(%[l])", "(%[l],%[s])", 24) ROWS16("(%[l],%[s],2)", "(%[l],%[s3])", 25)
                     ROWS16("(%[l],%[s],4)", "(%[l],%[s5])", 26)
                     COLUMN(0, 27, 0, 1, 16) COLUMN(1, 28, 2, 3, 17) "prefetcht0 (%[f])\n\t"
                     COLUMN(2, 27, 4, 5, 18) COLUMN(3, 28, 6, 7, 19) "prefetcht0 64(%[f])\n\t"
                     COLUMN(4, 27, 8, 9, 20) COLUMN(5, 28, 10, 11, 21) "prefetcht0 128(%[f])\n\t"
                     COLUMN(6, 27, 12, 13, 22) COLUMN(7, 28, 14, 15, 23)
                     "add %[fs], %[f]\n\t"
                     NEXT
                     PUT_24
                     : [l] "+r"(l), [r] "+r"(r), [p] "+r"(pairs), [f] "+r"(fetch)
                     : [t] "r"(t), [even] "m"(even_words), [s] "r"(step), [s3] "r"(3 * step), [s5] "r"(5 * step),
                       [fs] "r"(fetch_step)
                     : CLOBBERS);
}

static void tile_8x1(uint16_t *t, const char *l, const char *r, size_t pairs)
{
    __asm__ volatile(ZERO(FIRST_8)
                     LOOP
                     LOAD("(%[r])", 24)
                     PANEL1("(%[l])", 0, 1, 2, 3, 4, 5, 6, 7)
                     NEXT
                     PUT_8
                     : [l] "+r"(l), [r] "+r"(r), [p] "+r"(pairs)
                     : [t] "r"(t), [even] "m"(even_words)
                     : CLOBBERS);
}

/* z[i][j] += t[i][j] for the rows x cols that exist, cols <= 16; a row of t has 16 elements. */
static void add_16(uint16_t *z, size_t z_stride, const uint16_t *t, size_t rows, size_t cols)
{
    __mmask16 some = (__mmask16)(0xffffu >> (16 - cols));
    for (size_t i = 0; i < rows; i++) {
        uint16_t *to = z + i * z_stride;
        __m256i more = _mm256_load_si256((const void *)(t + 16 * i));
        _mm256_mask_storeu_epi16(to, some, _mm256_add_epi16(_mm256_maskz_loadu_epi16(some, to), more));
    }
}

/* The same for cols <= 32, a row of t having 32 elements. */
static void add_32(uint16_t *z, size_t z_stride, const uint16_t *t, size_t rows, size_t cols)
{
    __mmask32 some = (__mmask32)(0xffffffffu >> (32 - cols));
    for (size_t i = 0; i < rows; i++) {
        uint16_t *to = z + i * z_stride;
        __m512i more = _mm512_load_si512((const void *)(t + 32 * i));
        _mm512_mask_storeu_epi16(to, some, _mm512_add_epi16(_mm512_maskz_loadu_epi16(some, to), more));
    }
}

/* z[i][j] += what tile_48x8 gives, for its 48 rows and the cols <= 8 columns that exist: blocks of 8 x 8 are transposed
 * by dealing their rows out three times, as one does cards: that moves the three bits of a row's number to where those
 * of the column's number were. */
static void add_transposed(uint16_t *z, size_t z_stride, const uint16_t *t, size_t cols)
{
    const __mmask8 some = (__mmask8)(0xffu >> (8 - cols));
    for (size_t block = 0; block < 6; block++) {
        const uint16_t *from = block < 4 ? t + 8 * block : t + 8 * 32 + 8 * (block - 4);
        __m128i v[8], dealt[8];
        for (size_t i = 0; i < 8; i++)
            v[i] = _mm_load_si128((const void *)(from + i * (block < 4 ? 32 : 16)));
        for (int turn = 0; turn < 3; turn++) {
            for (size_t i = 0; i < 4; i++) {
                dealt[2 * i] = _mm_unpacklo_epi16(v[i], v[i + 4]);
                dealt[2 * i + 1] = _mm_unpackhi_epi16(v[i], v[i + 4]);
            }
            memcpy(v, dealt, sizeof v);
        }
        for (size_t i = 0; i < 8; i++) {
            uint16_t *to = z + (8 * block + i) * z_stride;
            _mm_mask_storeu_epi16(to, some, _mm_add_epi16(_mm_maskz_loadu_epi16(some, to), v[i]));
        }
    }
}

/* At most 16 columns: each weight is read once from memory, for 16 multiply-adds. A block of 48 rows passes for the
 * first 8 columns, then from the cache for the others, while the next block is fetched from its first byte to its last:
 * one stream, which is what memory is fastest at. What lies behind the last block may well be what comes next: it is
 * asked for too (an address, no pointer). */
static void multiply_narrow(const char *left, const char *right, uint16_t *z, size_t rows, size_t depth, size_t m,
                            size_t z_stride)
{
    enum { ROWS = 48, COLS = 8 };
    size_t panel = pq_gemm16_panel_bytes(depth), pairs = pq_gemm16_ceil(depth, 2), i = 0;
    const size_t block = ROWS / PQ_PANEL_ROWS * panel, passes = pq_gemm16_ceil(m, COLS), part = block / passes;
    _Alignas(64) uint16_t t[ROWS * COLS];
    for (; i + ROWS <= rows; i += ROWS)
        for (size_t pass = 0; pass < passes; pass++) {
            const char *l = left + i / PQ_PANEL_ROWS * panel;
            const size_t j = pass * COLS;
            tile_48x8(t, l, right + 4 * j, pairs, panel, (uintptr_t)l + block + pass * part, part / pairs);
            add_transposed(z + i * z_stride + j, z_stride, t, pq_gemm16_least(m - j, COLS));
        }
    for (; i < rows; i += PQ_PANEL_ROWS) {
        tile_8x1(t, left + i / PQ_PANEL_ROWS * panel, right, pairs);
        add_16(z + i * z_stride, z_stride, t, pq_gemm16_least(rows - i, PQ_PANEL_ROWS), m);
    }
}

/* More than 16 columns. Blocks, from the innermost: 2 or 3 vectors of the right operand over PAIRS pairs (24 KiB)
 * stay in the L1 cache while ROWS rows of the left operand (64 KiB) pass by; those stay in L2, with their part of z,
 * until all columns are done, so that weights are read from memory once. Beside each tile the next panel is fetched. */
static void multiply_wide(const char *left, const char *right, uint16_t *z, size_t rows, size_t depth, size_t m,
                          size_t z_stride)
{
    enum { PAIRS = 128, ROWS = 128 };
    size_t panel = pq_gemm16_panel_bytes(depth), block = pq_gemm16_block_bytes(depth);
    size_t all_pairs = pq_gemm16_ceil(depth, 2), vectors = pq_gemm16_ceil(m, PQ_BLOCK_COLS);
    _Alignas(64) uint16_t t[8 * 48];
    for (size_t p = 0; p < all_pairs; p += PAIRS)
        for (size_t i0 = 0; i0 < rows; i0 += ROWS)
            for (size_t v = 0; v < vectors;) {
                /* 3 at a time, but never 1 at the end: 8 accumulators would not hide the latency */
                size_t wide = vectors - v == 2 || vectors - v == 4 ? 2 : 3, j = v * PQ_BLOCK_COLS;
                size_t cols = pq_gemm16_least(m - j, wide * PQ_BLOCK_COLS);
                for (size_t i = i0; i < pq_gemm16_least(rows, i0 + ROWS); i += PQ_PANEL_ROWS) {
                    const char *l = left + i / PQ_PANEL_ROWS * panel + p * 32, *r = right + v * block + p * 64;
                    size_t some = pq_gemm16_least(rows - i, PQ_PANEL_ROWS);
                    uint16_t *to = z + i * z_stride + j;
                    pq_gemm16_fetch(to, z_stride, some, cols);
                    (wide == 3 ? tile_8x3 : tile_8x2)(t, l, r, pq_gemm16_least(all_pairs - p, PAIRS), block, panel);
                    add_32(to, z_stride, t, some, pq_gemm16_least(cols, 32));
                    if (cols > 32)
                        add_16(to + 32, z_stride, t + 8 * 32, some, cols - 32);
                }
                v += wide;
            }
}

static void multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t depth, size_t m,
                     size_t z_stride)
{
    const char *l = (const char *)left + i0 / PQ_PANEL_ROWS * pq_gemm16_panel_bytes(depth);
    if (depth == 0 || i0 >= i1)
        return;
    if (m > PQ_BLOCK_COLS)
        multiply_wide(l, right, z + i0 * z_stride, i1 - i0, depth, m, z_stride);
    else if (m > 0)
        multiply_narrow(l, right, z + i0 * z_stride, i1 - i0, depth, m, z_stride);
    _mm256_zeroupper(); /* the tiles are assembler: not every compiler knows that upper halves are in use */
}
