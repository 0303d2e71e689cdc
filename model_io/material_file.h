/* Offline material on disk: what one rank of a party needs of `count` inferences, dealt by one job and used by others,
 * each entry once (FORMAT.md, Material files). A set has one file per rank; each process opens only its own. Called by
 * mpi/stock.c.
 *
 *   writing    create, put ... put, [put_keys], seal, publish, close    nothing has the file's name before publish
 *   reading    open, used, {mark, read} ..., close
 *
 * A file under its name is whole. HDF5 lays it out and reads the description; the material itself goes to and from its
 * place in the file directly, without a copy, so that reading an entry costs what the disk takes. A lock held from
 * create or open to close keeps every other process out. */
#ifndef PQ_MATERIAL_FILE_H
#define PQ_MATERIAL_FILE_H

#include "shape.h"

#include <stdbool.h>

enum { PQ_LABEL_TEXT = 64, PQ_MATERIAL_KEYS = 2, PQ_KEY_BYTES = 16 };

/* What a file is and is for. The order in which operations consume material is the program's own, so material is for
 * the very version that made it. */
struct pq_material_label {
    char program[PQ_LABEL_TEXT], protocol[PQ_LABEL_TEXT], maximum[PQ_LABEL_TEXT], tables[PQ_LABEL_TEXT];
    char mode[PQ_LABEL_TEXT];    /* secure or INSECURE-BENCH */
    uint8_t model_id[32];
    struct pq_shape shape;
    uint32_t seq, batch, ranks;  /* ranks: G */
    uint32_t party, rank;        /* whose file */
    uint32_t count;              /* entries */
    uint8_t set_id[16];          /* random, common to the files of a set */
};

struct pq_material_file;

/* Makes PATH.part (mode 0600, in a folder that exists), lays it out for count entries of `bytes` bytes, and reserves
 * its space where the file system can. bytes 0: entries are only counted. keys: there is room for keys.
 * PQ_USER: PATH exists already, another job is writing it, the folder cannot be written to. PQ_WORLD: no space. *out is
 * NULL on failure, and nothing is left. */
PQ_MUST_USE enum pq_status pq_material_file_create(const char *path, const struct pq_material_label *label,
                                                   uint64_t bytes, bool keys, struct pq_material_file **out,
                                                   struct pq_error *err);
/* PQ_WORLD when the disk refuses. */
PQ_MUST_USE enum pq_status pq_material_file_put(struct pq_material_file *f, uint32_t entry, const void *data,
                                                struct pq_error *err);
PQ_MUST_USE enum pq_status pq_material_file_put_keys(struct pq_material_file *f,
                                                     uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES],
                                                     struct pq_error *err);
/* Flushes to disk, and seals: every entry was put. */
PQ_MUST_USE enum pq_status pq_material_file_seal(struct pq_material_file *f, struct pq_error *err);
/* Gives it its name. */
PQ_MUST_USE enum pq_status pq_material_file_publish(struct pq_material_file *f, struct pq_error *err);
/* Removes it, whether it has its name or not: a set of which another file could not be written is none. */
void pq_material_file_withdraw(struct pq_material_file *f);

/* PQ_USER: the file is missing, open to group or others, foreign, damaged or truncated (entries: see check), in use by
 * another process, or for something else than `wanted` (all of it but mode, count and set_id) or entries of another
 * size; keys: it must hold some. */
PQ_MUST_USE enum pq_status pq_material_file_open(const char *path, const struct pq_material_label *wanted,
                                                 uint64_t bytes, bool keys, struct pq_material_file **out,
                                                 struct pq_error *err);
const struct pq_material_label *pq_material_file_label(const struct pq_material_file *f);
void pq_material_file_keys(const struct pq_material_file *f, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES]);

/* [count], non-zero where the entry is marked as used. */
const uint8_t *pq_material_file_used(const struct pq_material_file *f);
/* Marks an unused entry (PQ_ASSERT), on the disk when this returns. PQ_WORLD when the disk refuses. */
PQ_MUST_USE enum pq_status pq_material_file_mark(struct pq_material_file *f, uint32_t entry, struct pq_error *err);

/* Reads an entry and compares its SHA-256. PQ_USER when it is damaged. */
PQ_MUST_USE enum pq_status pq_material_file_check(const struct pq_material_file *f, uint32_t entry,
                                                  struct pq_error *err);
/* data [bytes]; not compared again. The entry must be marked (PQ_ASSERT). PQ_WORLD when the disk refuses. */
PQ_MUST_USE enum pq_status pq_material_file_read(const struct pq_material_file *f, uint32_t entry, void *data,
                                                 struct pq_error *err);

/* Bytes of the whole file. */
uint64_t pq_material_file_size(const struct pq_material_file *f);

/* Gives up the lock; removes a file that was not published. f may be NULL. */
void pq_material_file_close(struct pq_material_file *f);

#endif
