/* Rotation with AVX2, for machines without table_vbmi.c's byte permutations, for longer strings and for narrower entries
 * than it takes, and wrap tables. A string is rotated by whole 32-byte vectors (one pass of conditional selects for each
 * bit of that number), then by 32-bit parts (a permutation of the parts of a vector, and a select of those that come
 * from the next one), then by bits: every part is shifted, and the part behind it lends it the rest. Permutations,
 * selects and shift counts take their orders from registers: no address or branch depends on the offset. Compiled with
 * -mavx2; table.c asks the machine first. */
#include "table_variants.h"

#if defined(__AVX2__)

#include <immintrin.h>

/* Rotation by less than a vector: where the parts come from, and which of them from the next vector; and the bits of a
 * part that leave it. */
struct turn { __m256i parts, from_next; __m128i down, up; };

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store(void *p, __m256i x)
{
    _mm256_storeu_si256(p, x);
}

static inline struct turn turn_of(uint32_t bits)
{
    const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), by = _mm256_set1_epi32((int)(bits / 32 % 8));
    const __m256i parts = _mm256_add_epi32(place, by);
    return (struct turn){ .parts = parts, .from_next = _mm256_cmpgt_epi32(parts, _mm256_set1_epi32(7)),
                          .down = _mm_cvtsi32_si128((int)(bits % 32)), .up = _mm_cvtsi32_si128((int)(32 - bits % 32)) };
}

/* Parts, and those behind them, to bits; a shift by 32 gives zeros. */
static inline __m256i shifted(__m256i x, __m256i behind, const struct turn *t)
{
    return _mm256_or_si256(_mm256_srl_epi32(x, t->down), _mm256_sll_epi32(behind, t->up));
}

/* Strings of 8 bytes, four at once. */
static void rotate_8(uint64_t *dst, const uint64_t *src, size_t rows, uint32_t bits)
{
    const __m128i down = _mm_cvtsi32_si128((int)bits), up = _mm_cvtsi32_si128((int)(64 - bits));
    for (size_t i = 0; i < rows; i += 4) {
        const __m256i x = load(src + i);
        store(dst + i, _mm256_or_si256(_mm256_srl_epi64(x, down), _mm256_sll_epi64(x, up)));
    }
}

/* Strings of 16 bytes, two at once: the order of bytes wraps inside each. */
static void rotate_16(uint64_t *dst, const uint64_t *src, size_t rows, uint32_t bits)
{
    const struct turn t = turn_of(bits);
    const __m256i place = _mm256_setr_epi64x(0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x0706050403020100,
                                             0x0f0e0d0c0b0a0908);
    const __m256i first = _mm256_add_epi8(place, _mm256_set1_epi8((char)(bits / 32 % 4 * 4)));
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(4));
    size_t i = 0;
    for (; i + 2 <= rows; i += 2) {
        const __m256i x = load(src + 2 * i);
        store(dst + 2 * i, shifted(_mm256_shuffle_epi8(x, first), _mm256_shuffle_epi8(x, second), &t));
    }
    if (i < rows) {
        const __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const void *)(src + 2 * i)));
        const __m256i turned = shifted(_mm256_shuffle_epi8(x, first), _mm256_shuffle_epi8(x, second), &t);
        _mm_storeu_si128((void *)(dst + 2 * i), _mm256_castsi256_si128(turned));
    }
}

/* A string of 32 bytes. Most tables have this size, so that the number of bits never leaves vectors. */
static inline __m256i turned_32(__m256i x, uint32_t bits)
{
    const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), all = _mm256_set1_epi32((int)bits);
    const __m256i first = _mm256_add_epi32(place, _mm256_srli_epi32(all, 5)); /* taken mod 8 */
    const __m256i second = _mm256_add_epi32(first, _mm256_set1_epi32(1));
    const __m256i down = _mm256_and_si256(all, _mm256_set1_epi32(31)), up = _mm256_sub_epi32(_mm256_set1_epi32(32), down);
    return _mm256_or_si256(_mm256_srlv_epi32(_mm256_permutevar8x32_epi32(x, first), down),
                           _mm256_sllv_epi32(_mm256_permutevar8x32_epi32(x, second), up));
}

/* All ones if 2^stage vectors are among those that `bits` bits rotate by. */
static inline __m256i wanted(uint32_t bits, unsigned stage)
{
    return _mm256_set1_epi32(-(int32_t)(bits >> (8 + stage) & 1));
}

/* The last step, of n >= 2 vectors. `order`: a vector's parts in their new order; `here`: with those of the next one
 * in place of those that left. */
static inline __attribute__((always_inline)) void turn_vectors(uint64_t *dst, const uint64_t *x, size_t n,
                                                               const struct turn *t)
{
    const __m256i order_0 = _mm256_permutevar8x32_epi32(load(x), t->parts);
    __m256i order = _mm256_permutevar8x32_epi32(load(x + 4), t->parts);
    const __m256i here_0 = _mm256_blendv_epi8(order_0, order, t->from_next);
    __m256i here = here_0;
    for (size_t i = 0; i < n; i++) {
        __m256i next = here_0;
        if (i + 1 < n) {
            const __m256i after = i + 2 < n ? _mm256_permutevar8x32_epi32(load(x + 4 * (i + 2)), t->parts) : order_0;
            next = _mm256_blendv_epi8(order, after, t->from_next);
            order = after;
        }
        const __m256i behind = _mm256_alignr_epi8(_mm256_permute2x128_si256(here, next, 0x21), here, 4);
        store(dst + 4 * i, shifted(here, behind, t));
        here = next;
    }
}

/* Strings of n vectors, up to 16: a constant, so that they stay in registers (the longest nearly). */
static inline __attribute__((always_inline)) void rotate_few(uint64_t *dst, const uint64_t *src, size_t rows, size_t n,
                                                             uint32_t bits)
{
    const struct turn t = turn_of(bits);
    for (size_t r = 0; r < rows; r++, dst += 4 * n, src += 4 * n) {
        __m256i x[16], y[16];
        for (size_t i = 0; i < n; i++)
            x[i] = load(src + 4 * i);
        for (unsigned stage = 0; n >> stage > 1; stage++) {
            for (size_t i = 0; i < n; i++)
                y[i] = _mm256_blendv_epi8(x[i], x[(i + ((size_t)1 << stage)) % n], wanted(bits, stage));
            for (size_t i = 0; i < n; i++)
                x[i] = y[i];
        }
        turn_vectors(dst, (const uint64_t *)x, n, &t);
    }
}

/* One string of n vectors, a power of two. */
static void rotate_many(uint64_t *dst, const uint64_t *src, size_t n, uint32_t bits)
{
    uint64_t spare[PQ_TABLE_WORDS];
    const struct turn t = turn_of(bits);
    const uint64_t *from = src;
    uint64_t *to = __builtin_ctzll(n) % 2 ? spare : dst; /* so that the last pass writes into spare */
    for (unsigned stage = 0; n >> stage > 1; stage++) {
        const size_t step = (size_t)1 << stage;
        const __m256i turned = wanted(bits, stage);
        for (size_t i = 0; i < n; i++)
            store(to + 4 * i, _mm256_blendv_epi8(load(from + 4 * i), load(from + 4 * ((i + step) & (n - 1))), turned));
        from = to;
        to = to == dst ? spare : dst;
    }
    turn_vectors(to, from, n, &t);
}

void pq_table_rotate_avx2(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits)
{
    switch (words) {
    case 1: rotate_8(dst, src, rows, bits); break;
    case 2: rotate_16(dst, src, rows, bits); break;
    case 4:
        for (size_t i = 0; i < rows; i++)
            store(dst + 4 * i, turned_32(load(src + 4 * i), bits));
        break;
    case 8: rotate_few(dst, src, rows, 2, bits); break;
    case 16: rotate_few(dst, src, rows, 4, bits); break;
    case 32: rotate_few(dst, src, rows, 8, bits); break;
    case 64: rotate_few(dst, src, rows, 16, bits); break;
    default:
        for (size_t i = 0; i < rows; i++)
            rotate_many(dst + i * words, src + i * words, words / 4, bits);
    }
}

void pq_table_rotate_each_avx2(uint64_t *dst, const uint64_t *src, size_t words, const uint32_t *bits, size_t n)
{
    if (words == 4)
        for (size_t i = 0; i < n; i++)
            store(dst + 4 * i, turned_32(load(src), bits[i]));
    else if (words == 8)
        for (size_t i = 0; i < n; i++)
            rotate_few(dst + 8 * i, src, 1, 2, bits[i]);
    else
        for (size_t i = 0; i < n; i++)
            pq_table_rotate_avx2(dst + i * words, src, 1, words, bits[i]);
}

void pq_table_wrap_avx2(uint8_t *dst, const uint8_t *offset, const uint8_t *flip, size_t n)
{
    const __m256i first = _mm256_setr_epi64x(256, 256 - 64, 256 - 128, 256 - 192), zero = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i++) {
        /* zeros in each word; 64 and more: all */
        const __m256i below = _mm256_sub_epi64(first, _mm256_set1_epi64x(offset[i]));
        const __m256i zeros = _mm256_andnot_si256(_mm256_cmpgt_epi64(zero, below), below);
        const __m256i ones = _mm256_sllv_epi64(_mm256_set1_epi8(-1), zeros);
        store(dst + 32 * i, _mm256_xor_si256(ones, _mm256_set1_epi64x(-(int64_t)(flip[i] & 1))));
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
