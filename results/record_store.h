/* What an open result file is in memory, and the tables of its fields. Shared by record*.c alone. */
#ifndef PQ_RECORD_STORE_H
#define PQ_RECORD_STORE_H

#include "record_evaluation.h"

#include <stdio.h>

enum { PQ_SCHEMA_VERSION = 5 };

/* The field lists of record.h as data: one entry per field, in order. */
enum pq_kind { PQ_KIND_text, PQ_KIND_u64, PQ_KIND_f64 };
struct pq_field {
    enum pq_kind kind;
    const char *name, *unit, *meaning;
    size_t offset; /* in the record */
};
struct pq_table {
    const char *name; /* of the dataset */
    const struct pq_field *field;
    size_t fields, row_bytes;
};
extern const struct pq_table pq_run_table, pq_op_table, pq_evaluation_table, pq_sentence_table;

/* Points are told apart by these fields; a row belongs to the point of another when all of them are equal. */
bool pq_field_is_point(const struct pq_field *field);
bool pq_rows_same_point(const struct pq_table *table, const void *a, const void *b);

/* Bytes behind the end of a text are the caller's left-overs, and do not go into the file. */
void pq_tidy_texts(const struct pq_table *table, void *row);

/* VALID, INVALID or UNCHECKED. */
bool pq_verdict_known(const char *verdict);

struct pq_results {
    char *path;
    int lock; /* descriptor of PATH.lock, or -1 when reading */
    struct pq_run_record *run;
    size_t runs;
    struct pq_op_record *op;
    size_t ops;
    struct pq_evaluation_record *evaluation;
    size_t evaluations;
    struct pq_sentence_record *sentence;
    size_t sentences;
    struct pq_environment *launch; /* [launches]; the first is /environment, the others hold what differed later */
    size_t launches;
};

/* One more launch: what of env the launches before have otherwise, or not at all; nothing where nothing differs. */
void pq_results_add_launch(struct pq_results *r, const struct pq_environment *env);

/* Whether /evaluations and /sentences say the same, and no sentence stands there twice. */
bool pq_evaluations_consistent(const struct pq_results *r);

/* The lock of r->path in r->lock. PQ_USER as pq_results_open says. Unlocking without a lock does nothing. */
PQ_MUST_USE enum pq_status pq_results_lock(struct pq_results *r, struct pq_error *err);
void pq_results_unlock(struct pq_results *r);

/* r into r->path and back. Saving: PQ_WORLD, the old file untouched. Loading into an empty r: PQ_USER, or PQ_WORLD
 * when the disk refuses; r is then to be closed only. */
PQ_MUST_USE enum pq_status pq_results_save(const struct pq_results *r, struct pq_error *err);
PQ_MUST_USE enum pq_status pq_results_load(struct pq_results *r, struct pq_error *err);

/* The HDF5 file as bytes in memory, malloc'ed, so that the disk's refusals are met by write() alone: HDF5 reports a
 * full disk late, at close or at exit. PQ_WORLD when HDF5 has no memory. */
PQ_MUST_USE enum pq_status pq_results_encode(const struct pq_results *r, void **image, size_t *bytes,
                                             struct pq_error *err);

/* Fills the empty r from such bytes. PQ_USER, and a line with r->path, when they are not a whole file of this
 * schema. */
PQ_MUST_USE enum pq_status pq_results_decode(struct pq_results *r, const void *image, size_t bytes,
                                             struct pq_error *err);

#endif
