/* The ways to make blocks of prg.h by the processor's own AES instructions: the same blocks as OpenSSL's, several times
 * as many a second. The table is in prg.c, one file per variant. Behind prg.h and secret.h alone. */
#ifndef PQ_PRG_VARIANTS_H
#define PQ_PRG_VARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pq_aes_key { _Alignas(64) uint8_t round[11][16]; };

struct pq_aes {
    const char *name; /* "aesni", "vaes256", "vaes512" */
    bool (*usable)(void); /* CPU and operating system both support it */

    void (*expand)(struct pq_aes_key *k, const uint8_t key[16]);

    /* Blocks with counter prefix (8 bytes) | index (big-endian): n scattered ones, or n from `first` on. out[16*n]. */
    void (*blocks)(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n, uint8_t *out);
    void (*range)(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out);

    /* Entries of w = 1, 4, 8 (out: bytes) or 16 bits (out: 16-bit numbers) out of scattered blocks, each reduced by
     * mask, which is below 2^w: out[i] = the w bits of the stream from bit first_bit + i*step_bits + index[i]*w on.
     * Entries lie at multiples of w. */
    void (*entries)(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                    const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out);
};

/* The best usable variant, or the one called `forced` if that is not NULL. NULL: unknown, or this machine cannot run it
 * (any, if nothing is forced). */
const struct pq_aes *pq_aes_pick(const char *forced);

#if defined(__x86_64__)
/* prg_aesni.c: what all variants share, and its own. */
void pq_aes_expand(struct pq_aes_key *k, const uint8_t key[16]);

void pq_aesni_blocks(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n,
                     uint8_t *out);
void pq_aesni_range(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out);
void pq_aesni_entries(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                      const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out);

void pq_vaes256_blocks(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n,
                       uint8_t *out);
void pq_vaes256_range(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out);
void pq_vaes256_entries(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                        const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out);

void pq_vaes512_blocks(const struct pq_aes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n,
                       uint8_t *out);
void pq_vaes512_range(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out);
void pq_vaes512_entries(const struct pq_aes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                        const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out);
#endif

#endif
