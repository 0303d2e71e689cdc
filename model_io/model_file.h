/* What the writer and the reader of model files share (FORMAT.md). Internal to model_io. */
#ifndef PQ_MODEL_FILE_H
#define PQ_MODEL_FILE_H

#include "model_fields.h"
#include "quiet.h"
#include "seal.h"
#include "sha256.h"

#include <hdf5.h>

enum { PQ_MODEL_FILE_VERSION = 1 };

struct pq_model_file_kind {
    const char *suffix;       /* of PREFIX */
    struct pq_seal_kind seal; /* its name is the attribute `format`; secrets: mode 0600 */
};
extern const struct pq_model_file_kind pq_secret_file, pq_public_file;

/* malloc'ed PREFIX + suffix + tail. */
char *pq_model_file_path(const char *prefix, const struct pq_model_file_kind *kind, const char *tail);

/* Rank (1 or 2) and dims of the field's dataset; its type in the file and in memory. */
int pq_field_dims(const struct pq_field *field, hsize_t dims[2]);
hid_t pq_field_file_type(const struct pq_field *field);
hid_t pq_field_memory_type(const struct pq_field *field);

/* The checksum over content starts with the shape: 15 numbers of 4 bytes. The fields' stored bytes follow. */
void pq_sha256_add_shape(struct pq_sha256 *sha, const struct pq_shape *shape);

#endif
