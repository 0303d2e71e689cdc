/* The first 512 bytes of a model file (FORMAT.md, "Seal"): what it is, its length, and a SHA-256 over every byte of
 * it. Checked before HDF5 sees the file, so that a damaged file is named as such and never parsed. */
#ifndef PQ_SEAL_H
#define PQ_SEAL_H

#include "../kernels/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PQ_SEAL_BYTES = 512 };

/* Writes seal and content to the empty file fd, and has them flushed to disk. path names it in messages; kind: at
 * most 31 letters. PQ_WORLD when the system refuses. */
PQ_MUST_USE enum pq_status pq_seal_write(int fd, const char *path, const char *kind, uint32_t version,
                                         const void *content, size_t bytes, struct pq_error *err);

/* PQ_USER when the file is foreign, of another kind or version, truncated, too long, or changed in any byte; also
 * when it cannot be read, or (private) when group or others may read or write it. Reads the file once. */
PQ_MUST_USE enum pq_status pq_seal_check(const char *path, const char *kind, uint32_t version, int private,
                                         struct pq_error *err);

#endif
