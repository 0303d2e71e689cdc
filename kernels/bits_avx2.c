/* Packing of values of up to 7 bits and of 12 bits with AVX2, for machines without bits_vbmi.c's byte permutations: 16
 * to 64 values at a time. Values are joined by multiplications (pairs of bytes, then of 16-bit parts) and a shift (the
 * two halves of a 64-bit lane); then the bytes of each 128-bit half are moved together. On the way back every value's
 * two bytes are fetched, multiplied to its place and cut out. Halves are loaded and stored by themselves, 16 bytes
 * where fewer are meant, so the last groups, whose bytes would end beyond the array, are left. 1 and 4 bits have
 * shorter ways and exact accesses. Compiled with -mavx2; bits.c asks the machine first. */
#include "bits_variants.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

enum { AT_ONCE = 32, AT_ONCE_4 = 64, AT_ONCE_12 = 16 };

/* Orders of the 16 bytes of a half, for t = 1 .. 7. Packing: bytes 8g .. 8g+t-1 together, for both g. Unpacking: the
 * two bytes that hold value 2g, for all g; and 2g+1. SCALE: times this, an even value ends at the top of 16 bits, and
 * an odd one begins at bit 8. For 12 bits: bytes 4g .. 4g+2 together; two bytes for every value. 128 stands for a byte
 * of zeros. Constants, because making one takes longer than using it on a chunk. */
#define TOGETHER(t, i) ((i) < 2 * (t) ? (i) / (t) * 8 + (i) % (t) : 128)
#define EVEN(t, i) ((i) / 2 * 2 * (t) / 8 + (i) % 2)
#define ODD(t, i) (((i) / 2 * 2 + 1) * (t) / 8 + (i) % 2)
#define SCALE_EVEN(t, i) (1 << (16 - (t) - 2 * (i) * (t) % 8))
#define SCALE_ODD(t, i) (1 << (8 - (2 * (i) + 1) * (t) % 8))
#define TOGETHER_12(t, i) ((i) < 12 ? (i) / 3 * 4 + (i) % 3 : 128)
#define APART_12(t, i) ((i) / 2 * 12 / 8 + (i) % 2)
#define EIGHT(f, t) { PQ_FOUR(f, t, 0), PQ_FOUR(f, t, 4) }
#define SIXTEEN(f, t) { PQ_SIXTEEN(f, t, 0) }
#define WIDTHS(row, f) { { 0 }, row(f, 1), row(f, 2), row(f, 3), row(f, 4), row(f, 5), row(f, 6), row(f, 7) }

static const uint8_t together[8][16] = WIDTHS(SIXTEEN, TOGETHER);
static const uint8_t even_bytes[8][16] = WIDTHS(SIXTEEN, EVEN), odd_bytes[8][16] = WIDTHS(SIXTEEN, ODD);
static const uint16_t even_scale[8][8] = WIDTHS(EIGHT, SCALE_EVEN), odd_scale[8][8] = WIDTHS(EIGHT, SCALE_ODD);
static const uint8_t together_12[16] = SIXTEEN(TOGETHER_12, 12), apart_12[16] = SIXTEEN(APART_12, 12);

/* 16 bytes, in both halves. */
static inline __m256i twice(const void *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(p));
}

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store(void *p, __m256i x)
{
    _mm256_storeu_si256(p, x);
}

/* The halves come from, and go to, places `apart` bytes from each other. */
static inline __m256i load_halves(const uint8_t *src, size_t apart)
{
    const __m128i low = _mm_loadu_si128((const void *)src), high = _mm_loadu_si128((const void *)(src + apart));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

static inline void store_halves(uint8_t *dst, size_t apart, __m256i x)
{
    _mm_storeu_si128((void *)dst, _mm256_castsi256_si128(x));
    _mm_storeu_si128((void *)(dst + apart), _mm256_extracti128_si256(x, 1));
}

/* How many of n values are in groups whose last access, 16 bytes from the middle of the group's on, ends in the array.
 */
static size_t whole(size_t n, unsigned t, size_t at_once)
{
    const size_t bytes = (n * t + 7) / 8, group = at_once * t / 8;
    size_t groups = n / at_once;
    while (groups && (groups - 1) * group + group / 2 + 16 > bytes)
        groups--;
    return groups * at_once;
}

static size_t pack_1(uint8_t *dst, const uint8_t *s, size_t n)
{
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE, dst += 4) {
        const int bits = _mm256_movemask_epi8(_mm256_slli_epi16(load(s + i), 7));
        memcpy(dst, &bits, 4);
    }
    return i;
}

static size_t unpack_1(uint8_t *d, const uint8_t *src, size_t n)
{
    const __m256i bytes = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE, src += 4) {
        int bits;
        memcpy(&bits, src, 4);
        const __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), bytes), bit);
        store(d + i, _mm256_min_epu8(x, _mm256_set1_epi8(1)));
    }
    return i;
}

static size_t pack_4(uint8_t *dst, const uint8_t *s, size_t n)
{
    const __m256i low = _mm256_set1_epi8(15), pairs = _mm256_set1_epi16(1 | 16 << 8);
    size_t i = 0;
    for (; i + AT_ONCE_4 <= n; i += AT_ONCE_4, dst += 32) {
        const __m256i a = _mm256_maddubs_epi16(_mm256_and_si256(load(s + i), low), pairs);
        const __m256i b = _mm256_maddubs_epi16(_mm256_and_si256(load(s + i + 32), low), pairs);
        store(dst, _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8));
    }
    return i;
}

static size_t unpack_4(uint8_t *d, const uint8_t *src, size_t n)
{
    const __m256i low = _mm256_set1_epi8(15);
    size_t i = 0;
    for (; i + AT_ONCE_4 <= n; i += AT_ONCE_4, src += 32) {
        const __m256i x = _mm256_permute4x64_epi64(load(src), 0xd8);
        const __m256i even = _mm256_and_si256(x, low), odd = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
        store(d + i, _mm256_unpacklo_epi8(even, odd));
        store(d + i + 32, _mm256_unpackhi_epi8(even, odd));
    }
    return i;
}

static size_t pack_12(uint8_t *dst, const uint16_t *s, size_t n)
{
    const __m256i order = twice(together_12), low = _mm256_set1_epi16(0xfff);
    const __m256i pairs = _mm256_set1_epi32(1 | 1 << 12 << 16);
    const size_t all = whole(n, 12, AT_ONCE_12);
    for (size_t i = 0; i < all; i += AT_ONCE_12, dst += 24) {
        const __m256i two = _mm256_madd_epi16(_mm256_and_si256(load(s + i), low), pairs);
        store_halves(dst, 12, _mm256_shuffle_epi8(two, order));
    }
    return all;
}

static size_t unpack_12(uint16_t *d, const uint8_t *src, size_t n)
{
    const __m256i order = twice(apart_12), scale = _mm256_set1_epi32(16 | 1 << 16); /* to the top of 16 bits */
    const size_t all = whole(n, 12, AT_ONCE_12);
    for (size_t i = 0; i < all; i += AT_ONCE_12, src += 24) {
        const __m256i x = _mm256_shuffle_epi8(load_halves(src, 12), order);
        store(d + i, _mm256_srli_epi16(_mm256_mullo_epi16(x, scale), 4));
    }
    return all;
}

size_t pq_bits_pack_avx2(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    switch (t) {
    case 1: return pack_1(dst, src, n);
    case 4: return pack_4(dst, src, n);
    case 12: return pack_12(dst, src, n);
    default: break;
    }
    const __m256i mask = _mm256_set1_epi8((char)((1 << t) - 1)), order = twice(together[t]);
    const __m256i pairs = _mm256_set1_epi16((short)(1 | 1 << t << 8)); /* bytes 1, 2^t: unsigned, at most 128 */
    const __m256i fours = _mm256_set1_epi32(1 | 1 << 2 * t << 16);
    const __m256i up = _mm256_set1_epi64x(32 - 4 * t); /* of the lower four values, to where the upper four begin */
    const __m128i down = _mm_cvtsi32_si128((int)(32 - 4 * t));
    const uint8_t *s = src;
    const size_t all = whole(n, t, AT_ONCE);
    for (size_t i = 0; i < all; i += AT_ONCE, dst += 4 * t) {
        const __m256i two = _mm256_maddubs_epi16(pairs, _mm256_and_si256(load(s + i), mask));
        const __m256i four = _mm256_madd_epi16(two, fours);
        const __m256i eight = _mm256_srl_epi64(_mm256_sllv_epi32(four, up), down);
        store_halves(dst, 2 * t, _mm256_shuffle_epi8(eight, order));
    }
    return all;
}

size_t pq_bits_unpack_avx2(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    switch (t) {
    case 1: return unpack_1(dst, src, n);
    case 4: return unpack_4(dst, src, n);
    case 12: return unpack_12(dst, src, n);
    default: break;
    }
    const __m256i even_order = twice(even_bytes[t]), odd_order = twice(odd_bytes[t]);
    const __m256i even_by = twice(even_scale[t]), odd_by = twice(odd_scale[t]);
    const __m256i odd_mask = _mm256_set1_epi16((short)(((1 << t) - 1) << 8));
    const __m128i down = _mm_cvtsi32_si128((int)(16 - t));
    uint8_t *d = dst;
    const size_t all = whole(n, t, AT_ONCE);
    for (size_t i = 0; i < all; i += AT_ONCE, src += 4 * t) {
        const __m256i x = load_halves(src, 2 * t);
        const __m256i even = _mm256_mullo_epi16(_mm256_shuffle_epi8(x, even_order), even_by);
        const __m256i odd = _mm256_mullo_epi16(_mm256_shuffle_epi8(x, odd_order), odd_by);
        store(d + i, _mm256_or_si256(_mm256_srl_epi16(even, down), _mm256_and_si256(odd, odd_mask)));
    }
    return all;
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
