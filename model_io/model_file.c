#include "model_file.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checksums are over little-endian bytes, as in memory");

#define GIVE "give the prefix that `pqbert model synth --out PREFIX` was given"
#define AGAIN "copy it again from where it was made, or make it again with `pqbert model synth`"
#define SECRETS "the model owner's secrets"

const struct pq_model_file_kind pq_secret_file = {
    ".secret.h5", { "model-secret", PQ_MODEL_FILE_VERSION, SECRETS, GIVE, AGAIN, 0 }
};
const struct pq_model_file_kind pq_public_file = {
    ".public.h5", { "model-public", PQ_MODEL_FILE_VERSION, NULL, GIVE, AGAIN, 0 }
};

char *pq_model_file_path(const char *prefix, const struct pq_model_file_kind *kind, const char *tail)
{
    size_t bytes = strlen(prefix) + strlen(kind->suffix) + strlen(tail) + 1;
    char *path = pq_alloc(bytes);
    snprintf(path, bytes, "%s%s%s", prefix, kind->suffix, tail);
    return path;
}

int pq_field_dims(const struct pq_field *field, hsize_t dims[2])
{
    dims[0] = field->rows;
    dims[1] = field->type == PQ_FIELD_BITS ? (field->cols + 7) / 8 : field->cols;
    return field->vector ? 1 : 2;
}

hid_t pq_field_file_type(const struct pq_field *field)
{
    switch (field->type) {
    case PQ_FIELD_I8: return H5T_STD_I8LE;
    case PQ_FIELD_U16: return H5T_STD_U16LE;
    case PQ_FIELD_U32: return H5T_STD_U32LE;
    case PQ_FIELD_F32: return H5T_IEEE_F32LE;
    case PQ_FIELD_F64: return H5T_IEEE_F64LE;
    default: return H5T_STD_U8LE;
    }
}

hid_t pq_field_memory_type(const struct pq_field *field)
{
    switch (field->type) {
    case PQ_FIELD_I8: return H5T_NATIVE_INT8;
    case PQ_FIELD_U16: return H5T_NATIVE_UINT16;
    case PQ_FIELD_U32: return H5T_NATIVE_UINT32;
    case PQ_FIELD_F32: return H5T_NATIVE_FLOAT;
    case PQ_FIELD_F64: return H5T_NATIVE_DOUBLE;
    default: return H5T_NATIVE_UINT8;
    }
}

void pq_sha256_add_shape(struct pq_sha256 *sha, const struct pq_shape *shape)
{
    struct pq_shape copy = *shape;
    for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
        pq_sha256_add(sha, pq_shape_value(&copy, i), sizeof(uint32_t));
}

