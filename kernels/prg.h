/* Addressed randomness (protocols.md section 1): AES-128 in counter mode, where the counter block is an address. Any
 * rank makes just the slice it needs, in any order and from any thread, and all get the same values.
 *
 *   block(inference, op, stream, index) = AES_key( inference | op << 8 + stream | index )    (4 + 4 + 8 bytes)
 *
 * inference and op word little-endian, index big-endian. The blocks of one (inference, op, stream) in order of index
 * form its stream of bytes. Elements of w bits stand in it one after the other, little-endian; 4-bit elements low
 * nibble first, bits lowest first. An address is used for one purpose, once per run: see stream.h for who uses which.
 */
#ifndef PQ_PRG_H
#define PQ_PRG_H

#include <stddef.h>
#include <stdint.h>

struct pq_prg; /* one key, with its expanded form for each thread */

struct pq_address { uint32_t inference, op, stream; }; /* op < 2^24, stream < 2^8 */

/* For tests: called with every range of bits of a stream that is drawn, by the thread that draws it. */
struct pq_prg_watch {
    void (*drawn)(struct pq_prg_watch *watch, struct pq_address at, uint64_t first_bit, uint64_t bits);
};

/* By the fastest way that this machine has. */
struct pq_prg *pq_prg_create(const uint8_t key[16]);

/* For tests: by OpenSSL alone, which defines it ("openssl"), or by "aesni", "vaes256" or "vaes512". NULL: unknown, or
 * this machine cannot run it. */
struct pq_prg *pq_prg_create_forced(const uint8_t key[16], const char *variant);

void pq_prg_free(struct pq_prg *prg); /* wipes the key; NULL is fine */
void pq_prg_set_watch(struct pq_prg *prg, struct pq_prg_watch *watch); /* NULL, as created: nobody watches */

/* Bytes [first, first+bytes) of the stream. Callable from inside an OpenMP team. */
void pq_prg_fill(struct pq_prg *prg, struct pq_address at, uint64_t first, size_t bytes, void *out);

/* Scattered entries of w = 1, 4, 8, 16 or 32 bits, which lie at multiples of w: out[i] = the w bits from bit
 * first_bit + i*step_bits + index[i]*w of the stream on, reduced by mask, as uint8_t (w <= 8), uint16_t or uint32_t.
 * One block an entry. Callable from inside an OpenMP team. */
void pq_prg_entries(struct pq_prg *prg, struct pq_address at, uint64_t first_bit, uint64_t step_bits,
                    const uint16_t *index, size_t n, unsigned w, uint32_t mask, void *out);

/* The 16-byte blocks with the given indices of the stream, out[16*n]. Callable from inside an OpenMP team. */
void pq_prg_blocks(struct pq_prg *prg, struct pq_address at, const uint64_t *index, size_t n, uint8_t *out);

#endif
