/* signs16.h by AVX2's byte shuffle: 32 rows look up one byte of their sums at a time. */
#if defined(__x86_64__)

#include "signs16_layout.h"

#include <immintrin.h>

enum { ROWS = 32, PATTERNS = 16, TABLE = 2 * PATTERNS };

void pq_signs16_avx2_tables(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m)
{
    /* Bit b of the patterns 0 to 15, as signs; 0: not there. */
    static const _Alignas(32) int16_t signs[4][16] = {
        { -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1 },
        { -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1 },
        { -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1 },
        { -1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1 },
    };
    const __m256i low = _mm256_set1_epi16(255);
    for (size_t j = 0; j < m; j++, src++) {
        __m256i sum = _mm256_setzero_si256();
        for (size_t b = 0; b < there; b++)
            sum = _mm256_add_epi16(sum, _mm256_sign_epi16(_mm256_set1_epi16((short)src[b * stride]),
                                                          _mm256_load_si256((const void *)signs[b])));
        /* within halves: low bytes 0-7, high ones 0-7; low 8-15, high 8-15 */
        const __m256i bytes = _mm256_packus_epi16(_mm256_and_si256(sum, low), _mm256_srli_epi16(sum, 8));
        uint8_t *table = block + j / PQ_SIGNS_COLS * block_bytes + j % PQ_SIGNS_COLS * TABLE;
        _mm256_store_si256((void *)table, _mm256_permute4x64_epi64(bytes, 0xd8));
    }
}

static inline __m256i table_at(const uint8_t *table)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const void *)table));
}

/* Rows 0-7 and 16-23 of a column in a, the others in b: where interleaving low and high bytes puts them. */
struct column { __m256i a, b; };

static inline void add_looked_up(struct column *c, const uint8_t *table, __m256i wanted)
{
    const __m256i low = _mm256_shuffle_epi8(table_at(table), wanted);
    const __m256i high = _mm256_shuffle_epi8(table_at(table + PATTERNS), wanted);
    c->a = _mm256_add_epi16(c->a, _mm256_unpacklo_epi8(low, high));
    c->b = _mm256_add_epi16(c->b, _mm256_unpackhi_epi8(low, high));
}

/* Rows of four columns, four rows a register, from 16 rows of each column. */
static void put_rows(uint16_t (*z)[PQ_SIGNS_COLS], const __m256i column[PQ_SIGNS_COLS])
{
    for (size_t h = 0; h < 2; h++) { /* rows 0-3 and 8-11, then 4-7 and 12-15 */
        const __m256i x = h ? _mm256_unpackhi_epi16(column[0], column[1]) : _mm256_unpacklo_epi16(column[0], column[1]);
        const __m256i y = h ? _mm256_unpackhi_epi16(column[2], column[3]) : _mm256_unpacklo_epi16(column[2], column[3]);
        const __m256i first = _mm256_unpacklo_epi32(x, y), second = _mm256_unpackhi_epi32(x, y);
        _mm256_store_si256((void *)z[4 * h], _mm256_permute2x128_si256(first, second, 0x20));
        _mm256_store_si256((void *)z[4 * h + 8], _mm256_permute2x128_si256(first, second, 0x31));
    }
}

void pq_signs16_avx2_panel(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps)
{
    const __m256i four = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    struct column c0 = { zero, zero }, c1 = c0, c2 = c0, c3 = c0;
    for (size_t o = 0; o < steps; o++, panel += ROWS, block += 2 * PQ_SIGNS_COLS * TABLE) {
        const __m256i both = _mm256_load_si256((const void *)panel);
        for (size_t half = 0; half < 2; half++) {
            const __m256i wanted = _mm256_and_si256(half ? _mm256_srli_epi16(both, 4) : both, four);
            const uint8_t *table = block + half * PQ_SIGNS_COLS * TABLE;
            add_looked_up(&c0, table, wanted);
            add_looked_up(&c1, table + TABLE, wanted);
            add_looked_up(&c2, table + 2 * TABLE, wanted);
            add_looked_up(&c3, table + 3 * TABLE, wanted);
        }
    }
    const struct column *all[PQ_SIGNS_COLS] = { &c0, &c1, &c2, &c3 };
    for (size_t h = 0; h < 2; h++) { /* 16 rows each; the factors lie behind the panel's weights */
        const __m256i factor = _mm256_load_si256((const void *)(panel + 32 * h));
        __m256i column[PQ_SIGNS_COLS];
        for (size_t j = 0; j < PQ_SIGNS_COLS; j++) {
            const __m256i rows = h ? _mm256_permute2x128_si256(all[j]->a, all[j]->b, 0x31)
                                   : _mm256_permute2x128_si256(all[j]->a, all[j]->b, 0x20);
            column[j] = _mm256_mullo_epi16(rows, factor);
        }
        put_rows(z + 16 * h, column);
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
