/* Rotation of strings of up to 64 bytes with the byte permutations of AVX-512 (VBMI): a byte moves to any place in one
 * instruction, so that a table is rotated in a few, whatever its entries' width. Nibbles take a second permutation and
 * a shift, which is kept or dropped by a mask: no address or branch depends on the offset. Compiled with -mavx512vbmi;
 * table.c asks the machine first. */
#include "table_variants.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>

/* Index of the byte that goes to each of 64 places, in strings of `size` bytes (a power of two) that lie end to end,
 * all rotated towards lower addresses by `by` bytes. */
static __m512i moved(__m512i place, size_t size, size_t by)
{
    const __m512i within = _mm512_set1_epi8((char)(size - 1));
    const __m512i from = _mm512_and_si512(_mm512_add_epi8(place, _mm512_set1_epi8((char)by)), within);
    return _mm512_or_si512(from, _mm512_andnot_si512(within, place));
}

static inline void rotate(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits)
{
    static const _Alignas(64) uint8_t places[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
    };
    const size_t size = 8 * words, bytes = rows * size;
    const __m512i place = _mm512_load_si512((const void *)places);
    const __m512i first = moved(place, size, bits / 8), second = moved(place, size, bits / 8 + 1);
    const __m512i low = _mm512_set1_epi8(15);
    const __mmask64 odd = 0 - (__mmask64)(bits / 4 & 1);
    for (size_t i = 0; i < bytes; i += 64) {
        const __mmask64 some = bytes - i < 64 ? (UINT64_C(1) << (bytes - i)) - 1 : ~UINT64_C(0);
        const __m512i x = _mm512_maskz_loadu_epi8(some, (const uint8_t *)src + i);
        const __m512i a = _mm512_permutexvar_epi8(first, x), b = _mm512_permutexvar_epi8(second, x);
        const __m512i half = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(a, 4), low),
                                             _mm512_slli_epi16(_mm512_and_si512(b, low), 4));
        _mm512_mask_storeu_epi8((uint8_t *)dst + i, some, _mm512_mask_blend_epi8(odd, a, half));
    }
}

void pq_table_rotate_vbmi(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits)
{
    rotate(dst, src, rows, words, bits);
}

void pq_table_rotate_each_vbmi(uint64_t *dst, const uint64_t *src, size_t words, const uint32_t *bits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rotate(dst + i * words, src, 1, words, bits[i]);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
