/* AES on two blocks at once (VAES without AVX-512: AMD from Zen 3, Intel from Alder Lake on). Compiled with -mavx2
 * -maes -mvaes; prg.c asks the machine first. */
#if defined(__VAES__) && defined(__AVX2__)

#define BLOCKS pq_vaes256_blocks
#define RANGE pq_vaes256_range
#define ENTRIES pq_vaes256_entries
#include "prg_aes256.h"

static inline void encrypt(const struct pq_aes_key *k, __m256i x[REGISTERS])
{
    for (int r = 1; r < 10; r++)
        for (int i = 0; i < REGISTERS; i++)
            x[i] = _mm256_aesenc_epi128(x[i], round_key(k, r));
    for (int i = 0; i < REGISTERS; i++)
        x[i] = _mm256_aesenclast_epi128(x[i], round_key(k, 10));
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
