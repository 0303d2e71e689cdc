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

#else

bool pq_vaes_usable(void)
{
    return false;
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

#endif
