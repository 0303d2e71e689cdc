/* AES on one block at a time, all else with AVX2 (AMD before Zen 3, Intel from Haswell on); and what variants share,
 * the expanded key. Compiled with -mavx2 -maes; prg.c asks the machine first. */
#if defined(__AES__) && defined(__AVX2__)

#define BLOCKS pq_aesni_blocks
#define RANGE pq_aesni_range
#define ENTRIES pq_aesni_entries
#include "prg_aes256.h"

/* Four registers at a time, as eight halves in flight. */
static inline void encrypt(const struct pq_aes_key *k, __m256i x[REGISTERS])
{
    const __m128i *key = (const __m128i *)k->round;
    __m128i half[REGISTERS];
    for (int first = 0; first < REGISTERS; first += 4) {
        for (int i = 0; i < 4; i++) {
            half[2 * i] = _mm256_castsi256_si128(x[first + i]);
            half[2 * i + 1] = _mm256_extracti128_si256(x[first + i], 1);
        }
        for (int r = 1; r < 10; r++)
            for (int i = 0; i < REGISTERS; i++)
                half[i] = _mm_aesenc_si128(half[i], key[r]);
        for (int i = 0; i < REGISTERS; i++)
            half[i] = _mm_aesenclast_si128(half[i], key[10]);
        for (int i = 0; i < 4; i++)
            x[first + i] = _mm256_set_m128i(half[2 * i + 1], half[2 * i]);
    }
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

void pq_aes_expand(struct pq_aes_key *k, const uint8_t key[16])
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

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
