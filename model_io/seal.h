/* The first 512 bytes of a file of ours (FORMAT.md, "Seal"): what it is, its length, and a SHA-256 over it. Checked
 * before HDF5 sees the file, so that a damaged file is named as such and never parsed. */
#ifndef PQ_SEAL_H
#define PQ_SEAL_H

#include "../kernels/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PQ_SEAL_BYTES = 512, PQ_SEAL_PARTS = 2 };

struct pq_seal_kind {
    const char *name; /* at most 31 letters */
    uint32_t version;
    const char *secrets;      /* whose: group and others may then neither read nor write the file. NULL: none */
    const char *give, *again; /* ends of messages: what should be given, how to get the file again */
    int parts;                /* the file has PQ_SEAL_PARTS open parts; 0: all of it is sealed */
};

/* An open part, which the SHA-256 leaves out: it changes, or is too long to be read at every start. It may be empty. */
struct pq_seal_part { uint64_t at, bytes; };

/* Writes seal and content to the empty file fd, and has them flushed to disk. path names it in messages. PQ_WORLD when
 * the system refuses. For kinds that are sealed as a whole. */
PQ_MUST_USE enum pq_status pq_seal_write(int fd, const char *path, const struct pq_seal_kind *kind,
                                         const void *content, size_t bytes, struct pq_error *err);

/* For kinds with open parts (in order, inside the file): seals the file as it stands behind its first 512 bytes, which
 * are written, and flushes. Reads what is sealed. */
PQ_MUST_USE enum pq_status pq_seal_close(int fd, const char *path, const struct pq_seal_kind *kind,
                                         const struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err);

/* PQ_USER when the file is foreign, of another kind or version, truncated, too long, or changed in any sealed byte;
 * also when it cannot be read, or holds secrets and group or others may read or write it. Reads what is sealed once.
 * part: gets the open parts of kinds that have them, in order, inside the file; else NULL. fd: NULL, or gets the file,
 * opened for reading and writing. */
PQ_MUST_USE enum pq_status pq_seal_check(const char *path, const struct pq_seal_kind *kind,
                                         struct pq_seal_part part[PQ_SEAL_PARTS], int *fd, struct pq_error *err);

#endif
