/* Packing of values of up to 7 bits with AVX-512 and its byte permutations (VBMI): 64 values at a time. Eight values of
 * t bits are joined inside a 64-bit lane (pairs of bytes, then of 16-bit, then of 32-bit parts), then the lanes' t
 * bytes are moved together. Compiled with -mavx512vbmi; bits.c asks the machine first. */
#include "bits_variants.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>

enum { AT_ONCE = 64 };

/* Bytes 8g .. 8g+t-1 of a register, for all g, as a permutation that lays them end to end; and the way back. */
static __m512i ends_together(unsigned t)
{
    uint8_t from[64];
    for (unsigned i = 0; i < 64; i++)
        from[i] = (uint8_t)(i < 8 * t ? i / t * 8 + i % t : 0);
    return _mm512_loadu_si512(from);
}

static __m512i apart_again(unsigned t)
{
    uint8_t from[64];
    for (unsigned i = 0; i < 64; i++)
        from[i] = (uint8_t)(i / 8 * t + (i % 8 < t ? i % 8 : 0));
    return _mm512_loadu_si512(from);
}

size_t pq_bits_pack_vbmi(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    const __m512i mask = _mm512_set1_epi8((char)((1 << t) - 1));
    const __m512i pairs = _mm512_set1_epi16((short)(1 | 1 << t << 8)); /* bytes 1, 2^t: unsigned, at most 128 */
    const __m512i fours = _mm512_set1_epi32(1 | 1 << 2 * t << 16);
    const __m512i low = _mm512_set1_epi64((INT64_C(1) << 4 * t) - 1), order = ends_together(t);
    const __m128i shift = _mm_cvtsi32_si128((int)(32 - 4 * t));
    const __mmask64 kept = ((UINT64_C(1) << 4 * t) << 4 * t) - 1; /* 8t bytes */
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE, dst += 8 * t) {
        const __m512i x = _mm512_and_si512(_mm512_loadu_si512(s + i), mask);
        const __m512i two = _mm512_maddubs_epi16(pairs, x), four = _mm512_madd_epi16(two, fours);
        const __m512i eight = _mm512_or_si512(_mm512_and_si512(four, low),
                                              _mm512_andnot_si512(low, _mm512_srl_epi64(four, shift)));
        _mm512_mask_storeu_epi8(dst, kept, _mm512_permutexvar_epi8(order, eight));
    }
    return i;
}

size_t pq_bits_unpack_vbmi(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    const __m512i mask = _mm512_set1_epi8((char)((1 << t) - 1)), order = apart_again(t);
    const __mmask64 there = ((UINT64_C(1) << 4 * t) << 4 * t) - 1;
    uint64_t starts = 0;
    for (unsigned k = 0; k < 8; k++)
        starts |= (uint64_t)(k * t) << 8 * k;
    const __m512i at = _mm512_set1_epi64((int64_t)starts);
    uint8_t *d = dst;
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE, src += 8 * t) {
        const __m512i x = _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8(there, src));
        _mm512_storeu_si512(d + i, _mm512_and_si512(_mm512_multishift_epi64_epi8(at, x), mask));
    }
    return i;
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
