/* The product mod 2^16 by AMX, whose tiles multiply bytes: with x = xl + 256 xh and w = wl + 256 wh,
 *
 *   x*w = xl*wl + 256*(xl*wh + xh*wl)   mod 2^16
 *
 * three byte products of 16 x 64 by 64 x 16 for what vpdpwssd does in 512 instructions, in about a sixth of its time
 * (both measured: machine_peak.c). Sums wrap at 2^32, as they may: only 16 bits are wanted.
 *
 * Left operand, [n/16][depth/64][low, high][16 rows][64 bytes]: panels of 16 rows, cut into tiles of the low and of
 * the high bytes. Right operand, [m/16][depth/64][low, high][16][16 columns][4]: four neighbouring k of a column side
 * by side, as the instruction wants its second factor. What is missing at the edges is zero. */
#if defined(__x86_64__)

#include "gemm16_pack.h"
#include "gemm16_variants.h"

#include <immintrin.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64, TILE = TILE_ROWS * TILE_BYTES, STEP = 2 * TILE };

static size_t panel_bytes(size_t depth)
{
    return pq_gemm16_ceil(depth, TILE_BYTES) * STEP;
}

size_t pq_gemm16_amx_left_bytes(size_t n, size_t depth)
{
    return pq_gemm16_ceil(n, TILE_ROWS) * panel_bytes(depth);
}

size_t pq_gemm16_amx_right_bytes(size_t depth, size_t m)
{
    return pq_gemm16_ceil(m, TILE_ROWS) * panel_bytes(depth);
}

static __mmask16 first(size_t count)
{
    return (__mmask16)((1u << count) - 1);
}

static __mmask32 first32(size_t count)
{
    return (__mmask32)((UINT64_C(1) << count) - 1);
}

/* Four vectors k..k+3 of 16 elements each, of which `count` are there -> one vector of their low bytes and one of
 * their high bytes, the four of one element side by side. from[i*stride], rows i < depth only. */
static void interleave(__m512i *low, __m512i *high, const uint16_t *from, size_t stride, size_t depth, size_t count)
{
    const __m512i pairs = _mm512_set4_epi32(0x0f0d0e0c, 0x0b090a08, 0x07050604, 0x03010200);
    const __m512i low_half = _mm512_set1_epi32(0xffff);
    __m512i row[4];
    for (size_t i = 0; i < 4; i++)
        row[i] = i < depth ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(count), from + i * stride))
                           : _mm512_setzero_si512();
    /* [a.l a.h b.l b.h] -> [a.l b.l a.h b.h] */
    const __m512i ab = _mm512_shuffle_epi8(_mm512_or_si512(row[0], _mm512_slli_epi32(row[1], 16)), pairs);
    const __m512i cd = _mm512_shuffle_epi8(_mm512_or_si512(row[2], _mm512_slli_epi32(row[3], 16)), pairs);
    *low = _mm512_or_si512(_mm512_and_si512(ab, low_half), _mm512_slli_epi32(cd, 16));
    *high = _mm512_or_si512(_mm512_srli_epi32(ab, 16), _mm512_andnot_si512(low_half, cd));
}

void pq_gemm16_amx_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    char *to = dst;
    for (size_t j = 0; j < m; j += TILE_ROWS)
        for (size_t k = 0; k < depth; k += TILE_BYTES, to += STEP)
            for (size_t i = 0; i < TILE_BYTES; i += 4) {
                __m512i low = _mm512_setzero_si512(), high = low;
                if (k + i < depth)
                    interleave(&low, &high, src + (k + i) * row_stride + j, row_stride, pq_gemm16_least(depth - k - i, 4),
                               pq_gemm16_least(m - j, TILE_ROWS));
                _mm512_store_si512(to + i * 16, low);
                _mm512_store_si512(to + TILE + i * 16, high);
            }
}

/* One step (64 k) of a panel whose rows are contiguous along k; `rows` and `depth` of them are there. */
static void left_by_rows(char *to, const uint16_t *src, size_t rows, size_t depth, size_t row_stride)
{
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t k = 0; k < TILE_BYTES; k += 32) {
            const __m512i v = r < rows && k < depth
                                  ? _mm512_maskz_loadu_epi16(first32(pq_gemm16_least(depth - k, 32)), src + r * row_stride + k)
                                  : _mm512_setzero_si512();
            _mm256_store_si256((__m256i *)(to + r * TILE_BYTES + k), _mm512_cvtepi16_epi8(v));
            _mm256_store_si256((__m256i *)(to + TILE + r * TILE_BYTES + k),
                               _mm512_cvtepi16_epi8(_mm512_srli_epi16(v, 8)));
        }
}

/* The same where columns are contiguous along the rows. */
static void left_by_cols(char *to, const uint16_t *src, size_t rows, size_t depth, size_t col_stride)
{
    const __m512i row_starts = _mm512_setr_epi32(0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224,
                                                 240);
    for (size_t k = 0; k < TILE_BYTES; k += 4) {
        __m512i low = _mm512_setzero_si512(), high = low;
        if (k < depth)
            interleave(&low, &high, src + k * col_stride, col_stride, pq_gemm16_least(depth - k, 4), rows);
        _mm512_i32scatter_epi32(to + k, row_starts, low, 4);
        _mm512_i32scatter_epi32(to + TILE + k, row_starts, high, 4);
    }
}

static void left_plain(char *to, const uint16_t *src, size_t rows, size_t depth, size_t row_stride, size_t col_stride)
{
    memset(to, 0, STEP);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < pq_gemm16_least(depth, TILE_BYTES); k++) {
            const uint16_t v = src[r * row_stride + k * col_stride];
            to[r * TILE_BYTES + k] = (char)v;
            to[TILE + r * TILE_BYTES + k] = (char)(v >> 8);
        }
}

void pq_gemm16_amx_left_pack(void *dst, const uint16_t *src, size_t n, size_t depth, size_t row_stride,
                             size_t col_stride)
{
    char *to = dst;
    for (size_t i = 0; i < n; i += TILE_ROWS)
        for (size_t k = 0; k < depth; k += TILE_BYTES, to += STEP) {
            const uint16_t *from = src + i * row_stride + k * col_stride;
            const size_t rows = pq_gemm16_least(n - i, TILE_ROWS), left = depth - k;
            if (col_stride == 1)
                left_by_rows(to, from, rows, left, row_stride);
            else if (row_stride == 1)
                left_by_cols(to, from, rows, left, col_stride);
            else
                left_plain(to, from, rows, left, row_stride, col_stride);
        }
}

/* z[16][16] += low + 256*high, what of it there is */
static void add_tile(uint16_t *z, size_t z_stride, const int32_t *low, const int32_t *high, size_t rows, size_t cols)
{
    const __mmask16 there = first(cols);
    for (size_t r = 0; r < rows; r++) {
        const __m512i sum = _mm512_add_epi32(_mm512_load_si512(low + 16 * r),
                                             _mm512_slli_epi32(_mm512_load_si512(high + 16 * r), 8));
        const __m256i old = _mm256_maskz_loadu_epi16(there, z + r * z_stride);
        _mm256_mask_storeu_epi16(z + r * z_stride, there, _mm256_add_epi16(old, _mm512_cvtepi32_epi16(sum)));
    }
}

/* One panel by two column blocks: tiles 0, 1 and 2, 3 are the sums; 4, 5 the panel's low and high bytes; 6, 7 those of
 * a block, one after the other. Meanwhile `lines` cache lines of what comes next are fetched at every step. */
static void panel_by_two(int32_t *t, const char *l, const char *r0, const char *r1, size_t steps, const char *next,
                         size_t lines)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t s = 0; s < steps; s++, l += STEP, r0 += STEP, r1 += STEP) {
        for (size_t i = 0; i < lines; i++, next += 64)
            _mm_prefetch(next, _MM_HINT_T1);
        _tile_loadd(4, l, TILE_BYTES);
        _tile_loadd(5, l + TILE, TILE_BYTES);
        _tile_stream_loadd(6, r0, TILE_BYTES);
        _tile_dpbuud(0, 4, 6);
        _tile_dpbuud(1, 5, 6);
        _tile_stream_loadd(7, r0 + TILE, TILE_BYTES);
        _tile_dpbuud(1, 4, 7);
        _tile_stream_loadd(6, r1, TILE_BYTES);
        _tile_dpbuud(2, 4, 6);
        _tile_dpbuud(3, 5, 6);
        _tile_stream_loadd(7, r1 + TILE, TILE_BYTES);
        _tile_dpbuud(3, 4, 7);
    }
    _tile_stored(0, t, TILE_BYTES);
    _tile_stored(1, t + 256, TILE_BYTES);
    _tile_stored(2, t + 512, TILE_BYTES);
    _tile_stored(3, t + 768, TILE_BYTES);
}

static void panel_by_one(int32_t *t, const char *l, const char *r, size_t steps, const char *next, size_t lines)
{
    _tile_zero(0);
    _tile_zero(1);
    for (size_t s = 0; s < steps; s++, l += STEP, r += STEP) {
        for (size_t i = 0; i < lines; i++, next += 64)
            _mm_prefetch(next, _MM_HINT_T1);
        _tile_loadd(4, l, TILE_BYTES);
        _tile_loadd(5, l + TILE, TILE_BYTES);
        _tile_stream_loadd(6, r, TILE_BYTES);
        _tile_dpbuud(0, 4, 6);
        _tile_stream_loadd(7, r + TILE, TILE_BYTES);
        _tile_dpbuud(1, 5, 6);
        _tile_dpbuud(1, 4, 7);
    }
    _tile_stored(0, t, TILE_BYTES);
    _tile_stored(1, t + 256, TILE_BYTES);
}

/* A panel comes from memory once, stays in the nearest caches while all column blocks pass, and while they do the next
 * one is fetched, a part of it at every step. */
void pq_gemm16_amx_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                            size_t depth, size_t m, size_t z_stride)
{
    static const struct { /* eight tiles of 16 rows of 64 bytes (the CPU's format of LDTILECFG) */
        uint8_t palette, start, zero[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = { 1, 0, { 0 }, { 64, 64, 64, 64, 64, 64, 64, 64 }, { 16, 16, 16, 16, 16, 16, 16, 16 } };
    _Alignas(64) int32_t t[4 * 256];
    const size_t panel = panel_bytes(depth), steps = panel / STEP, passes = pq_gemm16_ceil(m, 2 * TILE_ROWS);
    (void)n;
    if (i0 >= i1 || !m || !depth)
        return;
    _tile_loadconfig(&tiles);
    const size_t lines = pq_gemm16_ceil(STEP / 64, passes);
    for (size_t i = i0; i < i1; i += TILE_ROWS) {
        const char *l = (const char *)left + i / TILE_ROWS * panel, *next = (const char *)((uintptr_t)l + panel);
        const size_t rows = pq_gemm16_least(i1 - i, TILE_ROWS);
        for (size_t j = 0; j < m; j += 2 * TILE_ROWS, next = (const char *)((uintptr_t)next + steps * lines * 64)) {
            const char *r = (const char *)right + j / TILE_ROWS * panel;
            uint16_t *to = z + i * z_stride + j;
            for (size_t q = 0; q < rows; q++) /* needed when the sums are there */
                _mm_prefetch((const char *)(to + q * z_stride), _MM_HINT_T0);
            if (m - j > TILE_ROWS) {
                panel_by_two(t, l, r, r + panel, steps, next, lines);
                add_tile(to + TILE_ROWS, z_stride, t + 512, t + 768, rows, pq_gemm16_least(m - j - TILE_ROWS, TILE_ROWS));
            } else {
                panel_by_one(t, l, r, steps, next, lines);
            }
            add_tile(to, z_stride, t, t + 256, rows, pq_gemm16_least(m - j, TILE_ROWS));
        }
    }
    _tile_release();
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
