/* Four blocks a register, eight registers in flight, which hides the latency of a round. Compiled with -mvaes, AVX-512
 * and its byte permutations (VBMI); prg.c asks the machine first. */
#include "prg_variants.h"

#if defined(__VAES__) && defined(__AVX512VBMI__)

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

enum { REGISTERS = 8, AT_ONCE = 4 * REGISTERS };

struct schedule { __m512i round[11], prefix; };

static inline struct schedule schedule_of(const struct pq_aes_key *k, const uint8_t prefix[8])
{
    struct schedule s;
    uint64_t low;
    memcpy(&low, prefix, 8);
    for (int i = 0; i < 11; i++)
        s.round[i] = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)k->round[i]));
    s.prefix = _mm512_set1_epi64((long long)low);
    return s;
}

/* Number i of eight, high byte first, to the second half of block i: four blocks a register. */
#define HALF(i) 0, 0, 0, 0, 0, 0, 0, 0, 8 * (i) + 7, 8 * (i) + 6, 8 * (i) + 5, 8 * (i) + 4, 8 * (i) + 3, 8 * (i) + 2, \
                8 * (i) + 1, 8 * (i)
static const _Alignas(64) uint8_t to_blocks[2][64] = {
    { HALF(0), HALF(1), HALF(2), HALF(3) }, { HALF(4), HALF(5), HALF(6), HALF(7) }
};

/* Counters of eight blocks from their indices. */
static inline void counters(const struct schedule *s, __m512i index, __m512i x[2])
{
    for (int i = 0; i < 2; i++)
        x[i] = _mm512_mask_permutexvar_epi8(s->prefix, UINT64_C(0xff00ff00ff00ff00),
                                            _mm512_load_si512(to_blocks[i]), index);
}

static inline void encrypt(const struct schedule *s, __m512i x[REGISTERS])
{
    for (int i = 0; i < REGISTERS; i++)
        x[i] = _mm512_xor_si512(x[i], s->round[0]);
    for (int r = 1; r < 10; r++)
        for (int i = 0; i < REGISTERS; i++)
            x[i] = _mm512_aesenc_epi128(x[i], s->round[r]);
    for (int i = 0; i < REGISTERS; i++)
        x[i] = _mm512_aesenclast_epi128(x[i], s->round[10]);
}

void pq_vaes512_blocks(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n,
                       uint8_t *out)
{
    const struct schedule s = schedule_of(k, prefix);
    __m512i x[REGISTERS];
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE) {
        for (int j = 0; j < REGISTERS; j += 2)
            counters(&s, _mm512_loadu_si512(index + i + 4 * (size_t)j), x + j);
        encrypt(&s, x);
        for (int j = 0; j < REGISTERS; j++)
            _mm512_storeu_si512(out + 16 * i + 64 * (size_t)j, x[j]);
    }
    if (i < n) { /* the rest through buffers of full size */
        uint64_t last[AT_ONCE] = { 0 };
        uint8_t block[16 * AT_ONCE];
        memcpy(last, index + i, (n - i) * sizeof *last);
        for (int j = 0; j < REGISTERS; j += 2)
            counters(&s, _mm512_loadu_si512(last + 4 * j), x + j);
        encrypt(&s, x);
        for (int j = 0; j < REGISTERS; j++)
            _mm512_storeu_si512(block + 64 * j, x[j]);
        memcpy(out + 16 * i, block, 16 * (n - i));
    }
}

void pq_vaes512_range(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out)
{
    const struct schedule s = schedule_of(k, prefix);
    __m512i x[REGISTERS];
    __m512i index = _mm512_add_epi64(_mm512_set1_epi64((long long)first), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    for (size_t i = 0; i < n; i += AT_ONCE) {
        for (int j = 0; j < REGISTERS; j += 2) {
            counters(&s, index, x + j);
            index = _mm512_add_epi64(index, _mm512_set1_epi64(8));
        }
        encrypt(&s, x);
        if (n - i >= AT_ONCE) {
            for (int j = 0; j < REGISTERS; j++)
                _mm512_storeu_si512(out + 16 * i + 64 * (size_t)j, x[j]);
        } else {
            uint8_t block[16 * AT_ONCE];
            for (int j = 0; j < REGISTERS; j++)
                _mm512_storeu_si512(block + 64 * j, x[j]);
            memcpy(out + 16 * i, block, 16 * (n - i));
        }
    }
}

/* One entry of each of 32 blocks, four a register: of block i, from bit `bit` [i] mod 128 on. A pair of registers is
 * 128 bytes to choose from, which gives the entries of eight blocks; each pair puts its own into place. */
static inline void take_entries(const __m512i x[REGISTERS], __m256i bit, unsigned w, unsigned mask, void *out)
{
    const __m256i start = _mm256_set1_epi64x(0x7060504030201000);
    const __m256i byte = _mm256_and_si256(_mm256_srli_epi16(bit, 3), _mm256_set1_epi8(15));
    const __m256i at = _mm256_or_si256(byte, start);
    __m512i found = _mm512_setzero_si512();
    if (w == 16) {
        const __m512i first = _mm512_cvtepu8_epi16(at); /* bytes b, b + 1; b is even */
        const __m512i both = _mm512_or_si512(first, _mm512_slli_epi16(_mm512_or_si512(first, _mm512_set1_epi16(1)), 8));
        for (int p = 0; p < REGISTERS / 2; p++)
            found = _mm512_or_si512(found, _mm512_maskz_permutex2var_epi8(UINT64_C(0xffff) << 16 * p, x[2 * p], both,
                                                                          x[2 * p + 1]));
        _mm512_storeu_si512(out, _mm512_and_si512(found, _mm512_set1_epi16((short)mask)));
        return;
    }
    for (int p = 0; p < REGISTERS / 2; p++)
        found = _mm512_or_si512(found, _mm512_maskz_permutex2var_epi8(UINT64_C(0xff) << 8 * p, x[2 * p],
                                                                      _mm512_castsi256_si512(at), x[2 * p + 1]));
    const __m512i wide = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(found));
    const __m512i shift = _mm512_cvtepu8_epi16(_mm256_and_si256(bit, _mm256_set1_epi8(7)));
    const __m512i shifted = _mm512_and_si512(_mm512_srlv_epi16(wide, shift), _mm512_set1_epi16((short)mask));
    _mm256_storeu_si256((__m256i *)out, _mm512_cvtepi16_epi8(shifted));
}

void pq_vaes512_entries(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                        const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out)
{
    const struct schedule s = schedule_of(k, prefix);
    const unsigned log_w = (unsigned)__builtin_ctz(w), width = w == 16 ? 2 : 1;
    const __m512i count = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i shift = _mm_cvtsi32_si128((int)log_w);
    const __m512i eight = _mm512_mullo_epi64(count, _mm512_set1_epi64((long long)step_bits));
    uint16_t few[AT_ONCE];
    uint8_t rest[2 * AT_ONCE];

    for (size_t i = 0; i < n; i += AT_ONCE) {
        const bool full = n - i >= AT_ONCE;
        const uint16_t *from = index + i;
        if (!full) { /* the last ones through buffers of full size */
            memset(few, 0, sizeof few);
            memcpy(few, from, (n - i) * sizeof *few);
            from = few;
        }
        __m512i x[REGISTERS];
        __m128i low[REGISTERS / 2]; /* the low eight bits of each entry's place */
        for (size_t j = 0; j < REGISTERS; j += 2) {
            const __m512i start = _mm512_add_epi64(
                eight, _mm512_set1_epi64((long long)(first_bit + (i + 4 * j) * step_bits)));
            const __m512i wanted = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)(from + 4 * j)));
            const __m512i bit = _mm512_add_epi64(start, _mm512_sll_epi64(wanted, shift));
            low[j / 2] = _mm512_cvtepi64_epi8(bit);
            counters(&s, _mm512_srli_epi64(bit, 7), x + j);
        }
        encrypt(&s, x);
        take_entries(x, _mm256_set_m128i(_mm_unpacklo_epi64(low[2], low[3]), _mm_unpacklo_epi64(low[0], low[1])), w,
                     mask, full ? (uint8_t *)out + i * width : rest);
        if (!full)
            memcpy((uint8_t *)out + i * width, rest, (n - i) * width);
    }
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
