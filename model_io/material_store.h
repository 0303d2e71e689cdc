/* What the writer and the reader of material files share. Internal to model_io. */
#ifndef PQ_MATERIAL_STORE_H
#define PQ_MATERIAL_STORE_H

#include "material_file.h"
#include "seal.h"
#include "sha256.h"

#include <hdf5.h>
#include <stddef.h>

extern const struct pq_seal_kind pq_material_seal;

struct pq_material_file {
    char *path;                      /* as it is called now */
    char *final;                     /* writing: its name when it is whole; NULL once it has it */
    int fd;                          /* holds the lock */
    struct pq_material_label label;
    uint64_t bytes;                  /* of an entry */
    uint64_t used_at, digest_at, keys_at, material_at; /* places in the file; 0: it has none */
    uint8_t *used;                   /* [count] */
    uint8_t (*digest)[PQ_SHA256_BYTES]; /* [count], where bytes > 0 */
    uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES];
};

/* The label's attributes in the file, in this order: its model_id and set_id are arrays of bytes, the rest numbers and
 * texts. `compared`: what a file must have as its user wants it; `what` names it in messages. */
enum pq_label_type { PQ_LABEL_U32, PQ_LABEL_STRING, PQ_LABEL_BYTES };
struct pq_label_field { const char *name; enum pq_label_type type; size_t offset, bytes; const char *what; };
enum { PQ_LABEL_FIELDS = 13 };
extern const struct pq_label_field pq_label_field[PQ_LABEL_FIELDS];

/* Datasets of bytes: /used [count], /digest [count][32], /keys [2][16], /material [count][bytes]. */
struct pq_material_dataset { const char *name; int rank; hsize_t dims[2]; };
struct pq_material_dataset pq_material_dataset_used(const struct pq_material_label *l);
struct pq_material_dataset pq_material_dataset_digest(const struct pq_material_label *l);
struct pq_material_dataset pq_material_dataset_keys(void);
struct pq_material_dataset pq_material_dataset_material(const struct pq_material_label *l, uint64_t bytes);

/* Opens a file with HDF5; without its locks, which would meet ours. */
hid_t pq_material_access(void);

/* Takes the lock. PQ_USER when another process has it, or there are no locks. */
PQ_MUST_USE enum pq_status pq_material_lock(int fd, const char *path, struct pq_error *err);

/* An entry's place in the file. */
static inline uint64_t pq_material_entry_at(const struct pq_material_file *f, uint32_t entry)
{
    return f->material_at + (uint64_t)entry * f->bytes;
}

/* All of it, or a text that says why not (short: the file ends). */
const char *pq_material_read_at(int fd, void *to, uint64_t bytes, uint64_t at);
const char *pq_material_write_at(int fd, const void *from, uint64_t bytes, uint64_t at);

#endif
