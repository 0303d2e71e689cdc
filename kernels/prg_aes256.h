/* AES-128 with registers of two blocks, for machines with AVX2. Private: prg_aesni.c and prg_vaes256.c include it after
 * they defined BLOCKS, RANGE and ENTRIES, the names of the three functions of prg_variants.h, and define encrypt() as
 * their instructions do it. 16 blocks are made at a time. */
#include "prg_variants.h"

#include <immintrin.h>
#include <string.h>

enum { REGISTERS = 8, AT_ONCE = 2 * REGISTERS };

/* The rounds, from begun counters to blocks. Keys are read from memory, which costs nothing beside the rounds, and 16
 * registers could not hold them all together with the blocks. */
static inline void encrypt(const struct pq_aes_key *k, __m256i x[REGISTERS]);

static inline __m256i round_key(const struct pq_aes_key *k, int i)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)k->round[i]));
}

/* What a block is before the first round, but for its index: the prefix, and the first round key. */
static inline __m256i start_of(const struct pq_aes_key *k, const uint8_t prefix[8])
{
    uint64_t low;
    memcpy(&low, prefix, 8);
    return _mm256_xor_si256(round_key(k, 0), _mm256_set_epi64x(0, (long long)low, 0, (long long)low));
}

/* Counters of four blocks, begun, from their indices: those of numbers 0 and 2 go to one register, 1 and 3 to another,
 * so that no index changes sides. */
static inline void counters(__m256i start, __m256i index, __m256i x[2])
{
    const __m256i even = _mm256_set_epi64x(0x0001020304050607, -1, 0x0001020304050607, -1);
    const __m256i odd = _mm256_set_epi64x(0x08090a0b0c0d0e0f, -1, 0x08090a0b0c0d0e0f, -1);
    x[0] = _mm256_xor_si256(start, _mm256_shuffle_epi8(index, even));
    x[1] = _mm256_xor_si256(start, _mm256_shuffle_epi8(index, odd));
}

/* The first n of 16 blocks. */
static inline void put_blocks(uint8_t *out, const __m256i x[REGISTERS], size_t n)
{
    if (n >= AT_ONCE) {
        for (size_t j = 0; j < REGISTERS; j++)
            _mm256_storeu_si256((__m256i *)(out + 32 * j), x[j]);
    } else {
        uint8_t block[16 * AT_ONCE];
        for (size_t j = 0; j < REGISTERS; j++)
            _mm256_storeu_si256((__m256i *)(block + 32 * j), x[j]);
        memcpy(out, block, 16 * n);
    }
}

void BLOCKS(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n, uint8_t *out)
{
    const __m256i start = start_of(k, prefix);
    for (size_t i = 0; i < n; i += AT_ONCE) {
        __m256i x[REGISTERS];
        uint64_t few[AT_ONCE];
        const uint64_t *from = index + i;
        if (n - i < AT_ONCE) { /* the last ones through a buffer of full size */
            memset(few, 0, sizeof few);
            memcpy(few, from, (n - i) * sizeof *few);
            from = few;
        }
        for (int j = 0; j < REGISTERS; j += 2) {
            const __m256i four = _mm256_loadu_si256((const __m256i *)(from + 2 * j));
            counters(start, _mm256_permute4x64_epi64(four, 0xd8), x + j); /* 0, 2, 1, 3 */
        }
        encrypt(k, x);
        put_blocks(out + 16 * i, x, n - i);
    }
}

void RANGE(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out)
{
    const __m256i start = start_of(k, prefix);
    __m256i index = _mm256_add_epi64(_mm256_set1_epi64x((long long)first), _mm256_set_epi64x(3, 1, 2, 0));
    for (size_t i = 0; i < n; i += AT_ONCE) {
        __m256i x[REGISTERS];
        for (int j = 0; j < REGISTERS; j += 2) {
            counters(start, index, x + j);
            index = _mm256_add_epi64(index, _mm256_set1_epi64x(4));
        }
        encrypt(k, x);
        put_blocks(out + 16 * i, x, n - i);
    }
}

/* Two bytes of each of 16 blocks, to 16-bit lane i those of block i that lane i of `both` names. Blocks i and i + 8 are
 * in register i, as lanes i and i + 8 are in one half of a vector. */
static inline __m256i take_pairs(const __m256i x[REGISTERS], __m256i both)
{
    __m256i one[REGISTERS], two[4], four[2];
    for (int i = 0; i < REGISTERS; i++)
        one[i] = _mm256_shuffle_epi8(x[i], both);
    for (int i = 0; i < 4; i++)
        two[i] = _mm256_blend_epi16(one[2 * i], one[2 * i + 1], 0xaa);
    for (int i = 0; i < 2; i++)
        four[i] = _mm256_blend_epi32(two[2 * i], two[2 * i + 1], 0xaa);
    return _mm256_blend_epi32(four[0], four[1], 0xcc);
}

/* The low byte of every lane, 16 bytes. */
static inline __m128i narrow(__m256i lanes)
{
    return _mm_packus_epi16(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
}

/* The 16 entries of w bits out of their blocks. at: the bit that each begins at, times 32: the number of its byte within
 * the block fills the low half of the lane's high byte then, and what is above says nothing. */
static inline void take_entries(const __m256i x[REGISTERS], __m256i at, unsigned w, __m256i reduce, void *out)
{
    const __m256i high_bytes = _mm256_set_epi64x(0x0f0f0d0d0b0b0909, 0x0707050503030101, 0x0f0f0d0d0b0b0909,
                                                 0x0707050503030101);
    const __m256i byte = _mm256_and_si256(_mm256_shuffle_epi8(at, high_bytes), _mm256_set1_epi8(15));
    /* the second byte of an entry of 16 bits; one of another entry, for mask to drop, where entries are smaller */
    __m256i found = take_pairs(x, _mm256_or_si256(byte, _mm256_set1_epi16(0x0100)));
    if (w < 8) { /* times 2^(7-s), and back by 7, is a shift by s, which differs from lane to lane */
        const __m256i power = _mm256_set_epi64x(0x0102040810204080, 0, 0x0102040810204080, 0);
        const __m256i shift = _mm256_and_si256(_mm256_srli_epi16(at, 5), _mm256_set1_epi16(7));
        const __m256i by = _mm256_shuffle_epi8(power, _mm256_or_si256(shift, _mm256_set1_epi16(8)));
        found = _mm256_srli_epi16(_mm256_mullo_epi16(found, by), 7);
    }
    found = _mm256_and_si256(found, reduce);
    if (w == 16)
        _mm256_storeu_si256((__m256i *)out, found);
    else
        _mm_storeu_si128((__m128i *)out, narrow(found));
}

/* The first n of 16 indices, through a buffer of full size where there are fewer. */
static inline __m256i some_of(const uint16_t *index, size_t n)
{
    _Alignas(32) uint16_t few[AT_ONCE] = { 0 };
    if (n >= AT_ONCE)
        return _mm256_loadu_si256((const __m256i *)index);
    memcpy(few, index, n * sizeof *few);
    return _mm256_load_si256((const __m256i *)few);
}

void ENTRIES(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
             const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out)
{
    const int log_w = __builtin_ctz(w);
    const size_t width = w == 16 ? 2 : 1;
    const __m256i start = start_of(k, prefix), zero = _mm256_setzero_si256();
    const __m256i reduce = _mm256_set1_epi16((short)mask);
    /* The bits where tables begin: of entries 2j, 2j+1, 2j+8 and 2j+9; and of all 16, times 32 and mod 2^16, which is
     * enough to know the place within a block. */
    __m256i table[4], place = _mm256_set_epi16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (int j = 0; j < 4; j++)
        table[j] = _mm256_add_epi64(
            _mm256_set_epi64x((long long)(9 * step_bits), (long long)(8 * step_bits), (long long)step_bits, 0),
            _mm256_set1_epi64x((long long)(first_bit + 2 * (uint64_t)j * step_bits)));
    place = _mm256_mullo_epi16(place, _mm256_set1_epi16((short)(32 * step_bits)));
    place = _mm256_add_epi16(place, _mm256_set1_epi16((short)(32 * first_bit)));

    for (size_t i = 0; i < n; i += AT_ONCE) {
        const bool full = n - i >= AT_ONCE;
        uint8_t *const to = (uint8_t *)out + i * width, rest[2 * AT_ONCE];
        const __m256i some = some_of(index + i, n - i);
        __m256i x[REGISTERS];
        for (int j = 0; j < 4; j++) { /* block i to register i % 8, as take_pairs wants them */
            const __m256i half = j < 2 ? _mm256_unpacklo_epi16(some, zero) : _mm256_unpackhi_epi16(some, zero);
            const __m256i shifted = _mm256_sll_epi32(half, _mm_cvtsi32_si128(log_w));
            const __m256i four = j % 2 ? _mm256_unpackhi_epi32(shifted, zero) : _mm256_unpacklo_epi32(shifted, zero);
            counters(start, _mm256_srli_epi64(_mm256_add_epi64(four, table[j]), 7), x + 2 * j);
            table[j] = _mm256_add_epi64(table[j], _mm256_set1_epi64x((long long)(AT_ONCE * step_bits)));
        }
        const __m256i at = _mm256_add_epi16(_mm256_sll_epi16(some, _mm_cvtsi32_si128(log_w + 5)), place);
        place = _mm256_add_epi16(place, _mm256_set1_epi16((short)(AT_ONCE * 32 * step_bits)));
        encrypt(k, x);
        take_entries(x, at, w, reduce, full ? to : rest);
        if (!full)
            memcpy(to, rest, (n - i) * width);
    }
}
