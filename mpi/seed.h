/* Keys of pairs of parties. */
#ifndef PQ_SEED_H
#define PQ_SEED_H

#include <stdint.h>

/* 16 random bytes from the operating system when seed is NULL; else SHA-256(seed, name) cut to 16 bytes, for benchmarks
 * that must repeat (INSECURE-BENCH). Ends the process when the system has no randomness. */
void pq_seed_make(uint8_t key[16], const uint64_t *seed, const char *name);

#endif
