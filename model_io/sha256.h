/* SHA-256 of bytes handed over piece by piece. Internal to model_io. A library that cannot hash is a broken
 * installation, which ends the process. */
#ifndef PQ_SHA256_H
#define PQ_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { PQ_SHA256_BYTES = 32 };

struct pq_sha256;

struct pq_sha256 *pq_sha256_begin(void);
void pq_sha256_add(struct pq_sha256 *sha, const void *data, size_t bytes);
/* Gives the digest and releases sha. digest may be NULL. */
void pq_sha256_end(struct pq_sha256 *sha, uint8_t digest[PQ_SHA256_BYTES]);

#endif
