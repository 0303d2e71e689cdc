/* Token files: P1's input. Plain text, one token id per word, white space between, '#' starts a comment. */
#ifndef PQ_TOKENS_H
#define PQ_TOKENS_H

#include "shape.h"

#include <stddef.h>
#include <stdint.h>

/* Reads at most max_seq ids, each below vocab. *token is malloc'ed. PQ_USER with file, line and reason otherwise
 * (no such file, not a number, outside the vocabulary, too many, none). */
PQ_MUST_USE enum pq_status pq_tokens_read(const char *path, const struct pq_shape *shape, uint32_t **token,
                                          size_t *count, struct pq_error *err);

/* The same `count` ids for the same seed, uniform below vocab. For benchmarks and calibration. */
void pq_tokens_random(uint64_t seed, const struct pq_shape *shape, uint32_t *token, size_t count);

#endif
