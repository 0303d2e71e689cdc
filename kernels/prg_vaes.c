/* Four blocks a register, eight registers in flight, which hides the latency of a round. Compiled with -mvaes and
 * AVX-512; prg.c asks the machine first. Where the compiler does not target x86-64 nothing is usable. */
#include "prg_vaes.h"
#include "machine.h"

#include <string.h>

#if defined(__VAES__) && defined(__AVX512BW__)

#include <immintrin.h>

bool pq_vaes_usable(void)
{
    return pq_cpu_vaes();
}

static __m128i next_key(__m128i key, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xff);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8)); /* the sum of all words before, as in FIPS 197 */
    return _mm_xor_si128(key, assist);
}

#define EXPAND(i, constant) \
    r = next_key(r, _mm_aeskeygenassist_si128(r, constant)); \
    _mm_store_si128((__m128i *)k->round[i], r)

void pq_vaes_expand(struct pq_vaes_key *k, const uint8_t key[16])
{
    __m128i r = _mm_loadu_si128((const __m128i *)key);
    _mm_store_si128((__m128i *)k->round[0], r);
    EXPAND(1, 0x01);
    EXPAND(2, 0x02);
    EXPAND(3, 0x04);
    EXPAND(4, 0x08);
    EXPAND(5, 0x10);
    EXPAND(6, 0x20);
    EXPAND(7, 0x40);
    EXPAND(8, 0x80);
    EXPAND(9, 0x1b);
    EXPAND(10, 0x36);
}

enum { REGISTERS = 8, AT_ONCE = 4 * REGISTERS };

struct schedule { __m512i round[11], prefix, swap; };

static inline struct schedule schedule_of(const struct pq_vaes_key *k, const uint8_t prefix[8])
{
    struct schedule s;
    uint64_t low;
    memcpy(&low, prefix, 8);
    for (int i = 0; i < 11; i++)
        s.round[i] = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)k->round[i]));
    s.prefix = _mm512_set1_epi64((long long)low);
    s.swap = _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    return s;
}

/* Counters of four blocks from their indices. */
static inline __m512i counters(const struct schedule *s, __m256i index)
{
    const __m512i twice =
        _mm512_permutexvar_epi64(_mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0), _mm512_castsi256_si512(index));
    return _mm512_mask_mov_epi64(_mm512_shuffle_epi8(twice, s->swap), 0x55, s->prefix);
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

void pq_vaes_blocks(const struct pq_vaes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n, uint8_t *out)
{
    const struct schedule s = schedule_of(k, prefix);
    __m512i x[REGISTERS];
    size_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE) {
        for (int j = 0; j < REGISTERS; j++)
            x[j] = counters(&s, _mm256_loadu_si256((const __m256i *)(index + i + 4 * (size_t)j)));
        encrypt(&s, x);
        for (int j = 0; j < REGISTERS; j++)
            _mm512_storeu_si512(out + 16 * i + 64 * (size_t)j, x[j]);
    }
    if (i < n) { /* the rest through buffers of full size */
        uint64_t last[AT_ONCE] = { 0 };
        uint8_t block[16 * AT_ONCE];
        memcpy(last, index + i, (n - i) * sizeof *last);
        for (int j = 0; j < REGISTERS; j++)
            x[j] = counters(&s, _mm256_loadu_si256((const __m256i *)(last + 4 * j)));
        encrypt(&s, x);
        for (int j = 0; j < REGISTERS; j++)
            _mm512_storeu_si512(block + 64 * j, x[j]);
        memcpy(out + 16 * i, block, 16 * (n - i));
    }
}

void pq_vaes_range(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out)
{
    const struct schedule s = schedule_of(k, prefix);
    __m512i x[REGISTERS];
    __m256i index = _mm256_add_epi64(_mm256_set1_epi64x((long long)first), _mm256_set_epi64x(3, 2, 1, 0));
    for (size_t i = 0; i < n; i += AT_ONCE) {
        for (int j = 0; j < REGISTERS; j++) {
            x[j] = counters(&s, index);
            index = _mm256_add_epi64(index, _mm256_set1_epi64x(4));
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

/* One entry of each of 32 blocks: block 4j + i is lane i of x[j]. */
static inline void take_entries(const __m512i x[REGISTERS], __m512i at, unsigned w, unsigned mask, void *out)
{
    const __m512i byte = _mm512_and_si512(_mm512_srli_epi16(at, 3), _mm512_set1_epi16(15));
    const __m512i spread = _mm512_set_epi64(0x0303030303030303, 0x0303030303030303, 0x0202020202020202,
                                            0x0202020202020202, 0x0101010101010101, 0x0101010101010101, 0, 0);
    uint32_t where[REGISTERS]; /* of each register's four blocks, the byte */
    _mm256_storeu_si256((__m256i *)where, _mm512_cvtepi16_epi8(byte));
    __m512i found = _mm512_setzero_si512(); /* lane i: the entries of block i, 4 + i, ... one after the other */
    for (int j = 0; j < REGISTERS; j++) {
        __m512i from = _mm512_shuffle_epi8(_mm512_set1_epi32((int)where[j]), spread);
        if (w == 16) /* bytes b, b + 1 */
            found = _mm512_mask_shuffle_epi8(found, 0x0003000300030003u * (UINT64_C(1) << (2 * j)), x[j],
                                             _mm512_or_si512(from, _mm512_set1_epi16(0x0100)));
        else
            found = _mm512_mask_shuffle_epi8(found, 0x0001000100010001u * (UINT64_C(1) << j), x[j], from);
    }
    const __m128i a = _mm512_castsi512_si128(found), b = _mm512_extracti32x4_epi32(found, 1),
                  c = _mm512_extracti32x4_epi32(found, 2), d = _mm512_extracti32x4_epi32(found, 3);
    if (w == 16) {
        const __m128i ab_lo = _mm_unpacklo_epi16(a, b), ab_hi = _mm_unpackhi_epi16(a, b);
        const __m128i cd_lo = _mm_unpacklo_epi16(c, d), cd_hi = _mm_unpackhi_epi16(c, d);
        const __m128i keep = _mm_set1_epi16((short)mask);
        __m128i *to = out;
        _mm_storeu_si128(to, _mm_and_si128(_mm_unpacklo_epi32(ab_lo, cd_lo), keep));
        _mm_storeu_si128(to + 1, _mm_and_si128(_mm_unpackhi_epi32(ab_lo, cd_lo), keep));
        _mm_storeu_si128(to + 2, _mm_and_si128(_mm_unpacklo_epi32(ab_hi, cd_hi), keep));
        _mm_storeu_si128(to + 3, _mm_and_si128(_mm_unpackhi_epi32(ab_hi, cd_hi), keep));
        return;
    }
    const __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    const __m256i all = _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd));
    const __m512i shifted = _mm512_srlv_epi16(_mm512_cvtepu8_epi16(all), _mm512_and_si512(at, _mm512_set1_epi16(7)));
    _mm256_storeu_si256((__m256i *)out,
                        _mm512_cvtepi16_epi8(_mm512_and_si512(shifted, _mm512_set1_epi16((short)mask))));
}

void pq_vaes_entries(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
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
        __m256i low[REGISTERS / 2]; /* the low 32 bits of each entry's place */
        for (size_t j = 0; j < REGISTERS; j += 2) {
            const __m512i start = _mm512_add_epi64(
                eight, _mm512_set1_epi64((long long)(first_bit + (i + 4 * j) * step_bits)));
            const __m512i wanted = _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)(from + 4 * j)));
            const __m512i bit = _mm512_add_epi64(start, _mm512_sll_epi64(wanted, shift));
            const __m512i block = _mm512_srli_epi64(bit, 7);
            low[j / 2] = _mm512_cvtepi64_epi32(bit);
            x[j] = counters(&s, _mm512_castsi512_si256(block));
            x[j + 1] = counters(&s, _mm512_extracti64x4_epi64(block, 1));
        }
        encrypt(&s, x);
        const __m256i at0 = _mm512_cvtepi32_epi16(_mm512_inserti64x4(_mm512_castsi256_si512(low[0]), low[1], 1));
        const __m256i at1 = _mm512_cvtepi32_epi16(_mm512_inserti64x4(_mm512_castsi256_si512(low[2]), low[3], 1));
        take_entries(x, _mm512_inserti64x4(_mm512_castsi256_si512(at0), at1, 1), w, mask,
                     full ? (uint8_t *)out + i * width : rest);
        if (!full)
            memcpy((uint8_t *)out + i * width, rest, (n - i) * width);
    }
}

#define CLEAR(n) "vpxorq %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

void pq_vaes_forget(void)
{
    __asm__ volatile("vzeroall\n\t" CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21) CLEAR(22) CLEAR(23)
                     CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28) CLEAR(29) CLEAR(30) CLEAR(31)
                     ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                     "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21",
                     "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

#else

bool pq_vaes_usable(void)
{
    return false;
}

void pq_vaes_forget(void)
{
}

void pq_vaes_expand(struct pq_vaes_key *k, const uint8_t key[16])
{
    (void)k, (void)key;
}

void pq_vaes_blocks(const struct pq_vaes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n, uint8_t *out)
{
    (void)k, (void)prefix, (void)index, (void)n, (void)out;
}

void pq_vaes_range(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out)
{
    (void)k, (void)prefix, (void)first, (void)n, (void)out;
}

void pq_vaes_entries(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                     const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out)
{
    (void)k, (void)prefix, (void)first_bit, (void)step_bits, (void)index, (void)n, (void)w, (void)mask, (void)out;
}

#endif
