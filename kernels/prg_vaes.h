/* AES-128 in wide registers, behind prg.h alone: the same blocks as OpenSSL's, about three times as many a second. */
#ifndef PQ_PRG_VAES_H
#define PQ_PRG_VAES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pq_vaes_key { _Alignas(64) uint8_t round[11][16]; };

/* CPU (VAES, AVX-512 with VBMI) and operating system both support it. */
bool pq_vaes_usable(void);
void pq_vaes_expand(struct pq_vaes_key *k, const uint8_t key[16]);

/* Blocks with counter prefix (8 bytes) | index (big-endian): n scattered ones, or n from `first` on. out[16*n]. */
void pq_vaes_blocks(const struct pq_vaes_key *k, const uint8_t prefix[8], const uint64_t *index, size_t n,
                    uint8_t *out);
void pq_vaes_range(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first, size_t n, uint8_t *out);

/* Entries of w = 1, 4, 8 (out: bytes) or 16 bits (out: 16-bit numbers) out of scattered blocks, each reduced by mask:
 * out[i] = the w bits of the stream from bit first_bit + i*step_bits + index[i]*w on. Entries lie at multiples of w. */
void pq_vaes_entries(const struct pq_vaes_key *k, const uint8_t prefix[8], uint64_t first_bit, uint64_t step_bits,
                     const uint16_t *index, size_t n, unsigned w, unsigned mask, void *out);

/* Clears the vector registers of this thread, which hold round keys until others need them, and are written to the
 * stack wherever the dynamic linker resolves a function. */
void pq_vaes_forget(void);

#endif
