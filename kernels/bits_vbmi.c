/* Packing of values of up to 7 bits and of 12 bits (the high part of a reshared code) with AVX-512 and its byte
 * permutations (VBMI): 64 or 32 values at a time. Eight values of t bits are joined inside a 64-bit lane (pairs of bytes,
 * then of 16-bit, then of 32-bit parts), two values of 12 bits inside a 32-bit lane; then the lanes' bytes are moved
 * together. Compiled with -mavx512vbmi; bits.c asks the machine first. */
#include "bits_variants.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>
#include <string.h>

enum { AT_ONCE = 64, AT_ONCE_12 = 32 };

/* Bytes 8g .. 8g+t-1 of a register, for all g, as a permutation that lays them end to end; and the way back. Lane by
 * lane, what one writes too much the next one writes over. */
static __m512i ends_together(unsigned t)
{
    uint8_t from[64 + 8] = { 0 };
    for (unsigned g = 0; g < 8; g++) {
        const uint64_t lane = UINT64_C(0x0706050403020100) + g * UINT64_C(0x0808080808080808);
        memcpy(from + g * t, &lane, 8);
    }
    return _mm512_loadu_si512(from);
}

static __m512i apart_again(unsigned t) /* bytes t .. 7 of a lane are whatever follows */
{
    uint64_t from[8];
    for (unsigned g = 0; g < 8; g++)
        from[g] = UINT64_C(0x0706050403020100) + g * t * UINT64_C(0x0101010101010101);
    return _mm512_loadu_si512(from);
}

static size_t pack_12(uint8_t *dst, const uint16_t *s, size_t n)
{
    uint8_t from[64 + 4] = { 0 };
    for (unsigned g = 0; g < 16; g++) {
        const uint32_t lane = 0x03020100u + g * 0x04040404u;
        memcpy(from + 3 * g, &lane, 4);
    }
    const __m512i order = _mm512_loadu_si512(from);
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
    uint32_t from[16]; /* values 2g and 2g + 1 begin in bytes 3g and 3g + 1 */
    for (unsigned g = 0; g < 16; g++)
        from[g] = 0x02010100u + g * 0x03030303u;
    const __m512i order = _mm512_loadu_si512(from);
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
    if (t == 12)
        return unpack_12(dst, src, n);
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
