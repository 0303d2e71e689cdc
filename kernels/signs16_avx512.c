/* signs16.h by AVX-512's permutation of words: 32 rows look up their sums at a time. Its index is five bits of a word, and
 * heeds no others: a row's next pattern is a shift away. Two vectors of rows share each table that is read. */
#if defined(__x86_64__)

#include "signs16_layout.h"

#include <immintrin.h>

enum { TABLE = 64, GROUPS = 3 /* of a step */ };

void pq_signs16_avx512_tables(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m)
{
    /* Bit b of the patterns 0 to 31. */
    static const __mmask32 plus[5] = { 0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000 };
    for (size_t j = 0; j < m; j++, src++) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t b = 0; b < there; b++) {
            const __m512i x = _mm512_set1_epi16((short)src[b * stride]);
            sum = _mm512_mask_add_epi16(_mm512_sub_epi16(sum, x), plus[b], sum, x);
        }
        _mm512_store_si512((void *)(block + j / PQ_SIGNS_COLS * block_bytes + j % PQ_SIGNS_COLS * TABLE), sum);
    }
}

/* Four columns of 32 rows to rows of four. */
static void put_rows(uint16_t (*z)[PQ_SIGNS_COLS], const __m512i column[PQ_SIGNS_COLS])
{
    for (size_t h = 0; h < 2; h++) { /* within each 8 rows: the first four, then the others */
        const __m512i x = h ? _mm512_unpackhi_epi16(column[0], column[1]) : _mm512_unpacklo_epi16(column[0], column[1]);
        const __m512i y = h ? _mm512_unpackhi_epi16(column[2], column[3]) : _mm512_unpacklo_epi16(column[2], column[3]);
        const __m512i first = _mm512_unpacklo_epi32(x, y), second = _mm512_unpackhi_epi32(x, y);
        _mm_store_si128((void *)z[4 * h], _mm512_extracti32x4_epi32(first, 0));
        _mm_store_si128((void *)z[4 * h + 2], _mm512_extracti32x4_epi32(second, 0));
        _mm_store_si128((void *)z[4 * h + 8], _mm512_extracti32x4_epi32(first, 1));
        _mm_store_si128((void *)z[4 * h + 10], _mm512_extracti32x4_epi32(second, 1));
        _mm_store_si128((void *)z[4 * h + 16], _mm512_extracti32x4_epi32(first, 2));
        _mm_store_si128((void *)z[4 * h + 18], _mm512_extracti32x4_epi32(second, 2));
        _mm_store_si128((void *)z[4 * h + 24], _mm512_extracti32x4_epi32(first, 3));
        _mm_store_si128((void *)z[4 * h + 26], _mm512_extracti32x4_epi32(second, 3));
    }
}

void pq_signs16_avx512_panel(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps)
{
    __m512i sum[2][PQ_SIGNS_COLS];
    for (size_t j = 0; j < 2 * PQ_SIGNS_COLS; j++)
        sum[j / PQ_SIGNS_COLS][j % PQ_SIGNS_COLS] = _mm512_setzero_si512();
    for (size_t s = 0; s < steps; s++, panel += 2 * TABLE) {
        __m512i wanted[2] = { _mm512_load_si512((const void *)panel), _mm512_load_si512((const void *)(panel + TABLE)) };
        for (size_t g = 0; g < GROUPS; g++, block += PQ_SIGNS_COLS * TABLE) {
            for (size_t j = 0; j < PQ_SIGNS_COLS; j++) {
                const __m512i table = _mm512_load_si512((const void *)(block + j * TABLE));
                sum[0][j] = _mm512_add_epi16(sum[0][j], _mm512_permutexvar_epi16(wanted[0], table));
                sum[1][j] = _mm512_add_epi16(sum[1][j], _mm512_permutexvar_epi16(wanted[1], table));
            }
            wanted[0] = _mm512_srli_epi16(wanted[0], 5);
            wanted[1] = _mm512_srli_epi16(wanted[1], 5);
        }
    }
    for (size_t v = 0; v < 2; v++) { /* the factors lie behind the panel's weights */
        const __m512i factor = _mm512_load_si512((const void *)(panel + v * TABLE));
        for (size_t j = 0; j < PQ_SIGNS_COLS; j++)
            sum[v][j] = _mm512_mullo_epi16(sum[v][j], factor);
        put_rows(z + 32 * v, sum[v]);
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
