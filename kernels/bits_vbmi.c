/* Packing of values of up to 7 bits and of 12 bits (the high part of a reshared code) with AVX-512 and its byte
 * permutations (VBMI): 64 or 32 values at a time. Eight values of t bits are joined inside a 64-bit lane (pairs of
 * bytes, then of 16-bit, then of 32-bit parts), two values of 12 bits inside a 32-bit lane; then the lanes' bytes are
 * moved together. Compiled with -mavx512vbmi; bits.c asks the machine first. */
#include "bits_variants.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>

enum { AT_ONCE = 64, AT_ONCE_12 = 32 };

/* Permutations of the bytes of a register, for t = 1 .. 7: bytes 8g .. 8g+t-1, for all g, laid end to end; and the way
 * back, where bytes t .. 7 of a lane are whatever follows. For 12 bits: bytes 4g .. 4g+2 together; and two bytes for
 * every value, those of 2g and 2g+1 from 3g and 3g+1 on. Constants, because making one takes longer than using it on a
 * chunk. */
#define TOGETHER(t, i) (((i) < 8 * (t) ? (i) / (t) * 8 + (i) % (t) : 0) & 63)
#define APART(t, i) ((i) / 8 * (t) + (i) % 8)
#define TOGETHER_12(t, i) ((i) < 48 ? (i) / 3 * 4 + (i) % 3 : 0)
#define APART_12(t, i) ((i) / 4 * 3 + ((i) % 4 + 1) / 2)
#define BYTES(f, t) { PQ_SIXTEEN(f, t, 0), PQ_SIXTEEN(f, t, 16), PQ_SIXTEEN(f, t, 32), PQ_SIXTEEN(f, t, 48) }
#define WIDTHS(f) \
    { { 0 }, BYTES(f, 1), BYTES(f, 2), BYTES(f, 3), BYTES(f, 4), BYTES(f, 5), BYTES(f, 6), BYTES(f, 7) }

static const uint8_t together[8][64] = WIDTHS(TOGETHER), apart[8][64] = WIDTHS(APART);
static const uint8_t together_12[64] = BYTES(TOGETHER_12, 12), apart_12[64] = BYTES(APART_12, 12);

static size_t pack_12(uint8_t *dst, const uint16_t *s, size_t n)
{
    const __m512i order = _mm512_loadu_si512(together_12);
    const __m512i low = _mm512_set1_epi32(0xfff), high = _mm512_set1_epi32(0xfff000);
    size_t i = 0;
    for (; i + AT_ONCE_12 <= n; i += AT_ONCE_12, dst += 48) {
        const __m512i x = _mm512_loadu_si512(s + i);
        const __m512i two = _mm512_or_si512(_mm512_and_si512(x, low), _mm512_and_si512(_mm512_srli_epi32(x, 4), high));
        _mm512_mask_storeu_epi8(dst, (UINT64_C(1) << 48) - 1, _mm512_permutexvar_epi8(order, two));
    }
    return i;
}

static size_t unpack_12(uint16_t *d, const uint8_t *src, size_t n)
{
    const __m512i order = _mm512_loadu_si512(apart_12);
    const __m512i shift = _mm512_set1_epi32(4 << 16), mask = _mm512_set1_epi16(0xfff);
    size_t i = 0;
    for (; i + AT_ONCE_12 <= n; i += AT_ONCE_12, src += 48) {
        const __m512i x = _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8((UINT64_C(1) << 48) - 1, src));
        _mm512_storeu_si512(d + i, _mm512_and_si512(_mm512_srlv_epi16(x, shift), mask));
    }
    return i;
}

size_t pq_bits_pack_vbmi(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    if (t == 12)
        return pack_12(dst, src, n);
    const __m512i mask = _mm512_set1_epi8((char)((1 << t) - 1));
    const __m512i pairs = _mm512_set1_epi16((short)(1 | 1 << t << 8)); /* bytes 1, 2^t: unsigned, at most 128 */
    const __m512i fours = _mm512_set1_epi32(1 | 1 << 2 * t << 16);
    const __m512i low = _mm512_set1_epi64((INT64_C(1) << 4 * t) - 1), order = _mm512_loadu_si512(together[t]);
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
    if (t == 12)
        return unpack_12(dst, src, n);
    const __m512i mask = _mm512_set1_epi8((char)((1 << t) - 1)), order = _mm512_loadu_si512(apart[t]);
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
