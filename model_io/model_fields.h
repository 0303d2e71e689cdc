/* What a model is made of, listed once: the order, names, types and ranges of everything in the two files (FORMAT.md).
 * Writing, reading, checking and the checksums walk this list. Internal to model_io. */
#ifndef PQ_MODEL_FIELDS_H
#define PQ_MODEL_FIELDS_H

#include "model.h"

enum pq_field_type { PQ_FIELD_I8, PQ_FIELD_U8, PQ_FIELD_U16, PQ_FIELD_U32, PQ_FIELD_F32, PQ_FIELD_F64, PQ_FIELD_BITS };

/* One dataset: in memory rows * cols values of the type (PQ_FIELD_BITS: int8_t -1 or +1); in the file [rows][cols],
 * or [rows] when vector is set; PQ_FIELD_BITS is packed to [rows][(cols + 7) / 8] bytes. */
struct pq_field {
    char path[48];
    enum pq_field_type type;
    uint32_t rows, cols;
    int vector;
    void *data;       /* NULL in a model that is laid out but not allocated */
    double low, high; /* every value must lie within; finite, so that not-a-number and infinity do not */
};

/* Returns PQ_OK to go on; anything else ends the walk. */
typedef enum pq_status pq_field_visit(void *user, const struct pq_field *field);

enum pq_status pq_model_fields(struct pq_model *model, pq_field_visit *visit, void *user);
enum pq_status pq_embedding_fields(struct pq_embedding *embedding, pq_field_visit *visit, void *user);

/* Sizes filled in, arrays of linear layers, norms and contexts still NULL. pq_model_free releases it. */
void pq_model_lay_out(struct pq_model *model, const struct pq_shape *shape);

/* Bytes of the field in memory, and in the file. */
size_t pq_field_memory(const struct pq_field *field);
size_t pq_field_stored(const struct pq_field *field);

/* 8 signs to a byte, bit i of a byte for column 8*byte + i, set for +1; rows start on a byte, unused bits are 0. */
void pq_field_pack(const struct pq_field *field, uint8_t *packed);
void pq_field_unpack(const struct pq_field *field, const uint8_t *packed);

/* Index of the first value outside low..high, or rows * cols when all are inside. */
size_t pq_field_outside(const struct pq_field *field);
/* The value at that index, for messages. */
double pq_field_value(const struct pq_field *field, size_t index);

#endif
