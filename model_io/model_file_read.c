/* Reading a model: the seal first (foreign, truncated, changed), then what the file says against its own shape, then
 * every value against its range. */
#include "../kernels/secret.h"
#include "attributes.h"
#include "model_file.h"
#include "vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    const struct pq_model_file_kind *kind;
    hid_t file;
    struct pq_shape shape;
    uint8_t id[PQ_SHA256_BYTES];
    struct pq_sha256 *sha;
    struct pq_error *err;
};

#define AGAIN "make the file again with `pqbert model synth` or its importer"

static enum pq_status found(struct reader *r, const char *name, enum pq_attribute how)
{
    if (how == PQ_ATTRIBUTE_ABSENT)
        return pq_fail(r->err, PQ_USER, "%s: has no attribute %s; " AGAIN, r->path, name);
    if (how == PQ_ATTRIBUTE_OTHER)
        return pq_fail(r->err, PQ_USER, "%s: attribute %s has not the type and size of FORMAT.md; " AGAIN, r->path,
                       name);
    return PQ_OK;
}

static enum pq_status get_number(struct reader *r, const char *name, uint32_t *value)
{
    return found(r, name, pq_attribute_get(r->file, name, H5T_STD_U32LE, H5T_NATIVE_UINT32, 1, value));
}

static enum pq_status get_digest(struct reader *r, const char *name, uint8_t digest[PQ_SHA256_BYTES])
{
    return found(r, name,
                 pq_attribute_get(r->file, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, PQ_SHA256_BYTES, digest));
}

static enum pq_status check_format(struct reader *r)
{
    char text[32] = "";
    uint32_t version;
    enum pq_status status = found(r, "format", pq_attribute_get_text(r->file, "format", text, sizeof text));
    if (status == PQ_OK)
        status = get_number(r, "version", &version);
    if (status != PQ_OK)
        return status;
    if (strcmp(text, r->kind->seal.name) != 0 || version != PQ_MODEL_FILE_VERSION)
        return pq_fail(r->err, PQ_USER, "%s: its attributes say another format or version than its header; " AGAIN,
                       r->path);
    return PQ_OK;
}

/* Leaves r->file open when it returns PQ_OK. */
static enum pq_status open_file(struct reader *r)
{
    enum pq_status status = pq_seal_check(r->path, &r->kind->seal, NULL, NULL, r->err);
    if (status != PQ_OK)
        return status;
    r->file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (r->file < 0)
        return pq_fail(r->err, PQ_USER, "%s: is whole, but HDF5 cannot open it; on a file system without locks set "
                       "HDF5_USE_FILE_LOCKING=FALSE, otherwise " AGAIN, r->path);
    status = check_format(r);
    for (size_t i = 0; i < PQ_SHAPE_FIELDS && status == PQ_OK; i++)
        status = get_number(r, pq_shape_name[i], pq_shape_value(&r->shape, i));
    if (status == PQ_OK)
        status = get_digest(r, "model_id", r->id);
    struct pq_error why;
    if (status == PQ_OK && pq_shape_check(&r->shape, &why) != PQ_OK)
        status = pq_fail(r->err, PQ_USER, "%s: %.300s", r->path, why.text);
    if (status != PQ_OK)
        H5Fclose(r->file);
    return status;
}

static enum pq_status check_dataset(struct reader *r, hid_t set, const struct pq_field *field)
{
    hsize_t want[2], is[2] = { 0, 0 };
    int rank = pq_field_dims(field, want), is_rank = -1, right_type = 0;
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    if (space >= 0 && type >= 0) {
        is_rank = H5Sget_simple_extent_ndims(space);
        if (is_rank == rank)
            H5Sget_simple_extent_dims(space, is, NULL);
        right_type = H5Tequal(type, pq_field_file_type(field)) > 0;
    }
    H5Tclose(type);
    H5Sclose(space);
    if (is_rank != rank || is[0] != want[0] || (rank == 2 && is[1] != want[1]))
        return pq_fail(r->err, PQ_USER, "%s: dataset %s is not of the size that the shape says (%llu x %llu); " AGAIN,
                       r->path, field->path, (unsigned long long)want[0], rank == 2 ? (unsigned long long)want[1] : 1);
    if (!right_type)
        return pq_fail(r->err, PQ_USER, "%s: dataset %s has not the type of FORMAT.md; " AGAIN, r->path, field->path);
    if (H5Dget_storage_size(set) < pq_field_stored(field)) /* a small file must not ask for much memory */
        return pq_fail(r->err, PQ_USER, "%s: dataset %s lacks values, or is compressed; " AGAIN, r->path, field->path);
    return PQ_OK;
}

static enum pq_status open_dataset(struct reader *r, const struct pq_field *field, hid_t *set)
{
    *set = H5Dopen2(r->file, field->path, H5P_DEFAULT);
    if (*set < 0)
        return pq_fail(r->err, PQ_USER, "%s: has no dataset %s; " AGAIN, r->path, field->path);
    enum pq_status status = check_dataset(r, *set, field);
    if (status != PQ_OK)
        H5Dclose(*set);
    return status;
}

/* First walk: sizes and types only, before memory is taken on the word of the shape. */
static enum pq_status check_field(void *user, const struct pq_field *field)
{
    hid_t set;
    enum pq_status status = open_dataset(user, field, &set);
    if (status == PQ_OK)
        H5Dclose(set);
    return status;
}

static int unused_bits(const struct pq_field *field, const uint8_t *packed)
{
    size_t bytes = (field->cols + 7) / 8, used = field->cols % 8;
    for (uint32_t row = 0; row < field->rows && used; row++)
        if (packed[row * bytes + bytes - 1] >> used)
            return 1;
    return 0;
}

/* Second walk: the values. */
static enum pq_status read_field(void *user, const struct pq_field *field)
{
    struct reader *r = user;
    hid_t set;
    enum pq_status status = open_dataset(r, field, &set);
    if (status != PQ_OK)
        return status;
    uint8_t *packed = field->type == PQ_FIELD_BITS ? pq_alloc(pq_field_stored(field)) : NULL;
    void *stored = packed ? packed : field->data;
    if (H5Dread(set, pq_field_memory_type(field), H5S_ALL, H5S_ALL, H5P_DEFAULT, stored) < 0)
        status = pq_fail(r->err, PQ_USER, "%s: dataset %s cannot be read; " AGAIN, r->path, field->path);
    else
        pq_sha256_add(r->sha, stored, pq_field_stored(field));
    H5Dclose(set);
    if (status == PQ_OK && packed) {
        pq_field_unpack(field, packed);
        if (unused_bits(field, packed))
            status = pq_fail(r->err, PQ_USER, "%s: dataset %s has bits set beyond the end of a row; " AGAIN, r->path,
                             field->path);
    }
    pq_free_whole_secret(packed);
    if (status != PQ_OK)
        return status;
    size_t outside = pq_field_outside(field);
    if (outside < (size_t)field->rows * field->cols)
        return pq_fail(r->err, PQ_USER, "%s: value %zu of dataset %s is %g, outside %g to %g; " AGAIN, r->path, outside,
                       field->path, pq_field_value(field, outside), field->low, field->high);
    return PQ_OK;
}

static enum pq_status compare_digest(struct reader *r, const char *name, const uint8_t digest[PQ_SHA256_BYTES],
                                     const uint8_t expected[PQ_SHA256_BYTES])
{
    if (memcmp(digest, expected, PQ_SHA256_BYTES) != 0)
        return pq_fail(r->err, PQ_USER, "%s: attribute %s is not the SHA-256 of the content; " AGAIN, r->path, name);
    return PQ_OK;
}

static enum pq_status read_secret(struct reader *r, struct pq_model *model)
{
    pq_model_lay_out(model, &r->shape);
    enum pq_status status = pq_model_fields(model, check_field, r);
    pq_model_free(model);
    if (status != PQ_OK)
        return status;
    pq_model_create(model, &r->shape);
    r->sha = pq_sha256_begin();
    pq_sha256_add_shape(r->sha, &r->shape);
    status = pq_model_fields(model, read_field, r);
    pq_sha256_end(r->sha, model->id);
    if (status == PQ_OK)
        status = compare_digest(r, "model_id", model->id, r->id);
    if (status != PQ_OK)
        pq_model_free(model);
    return status;
}

/* Bytes of the words' text, or 0 for a model without; its type and rank are checked with all others. */
static enum pq_status get_vocab_bytes(struct reader *r, uint32_t *bytes)
{
    hsize_t is[H5S_MAX_RANK] = { 0 };
    *bytes = 0;
    if (H5Lexists(r->file, "vocab", H5P_DEFAULT) == 0)
        return PQ_OK;
    hid_t set = H5Dopen2(r->file, "vocab", H5P_DEFAULT), space = H5Dget_space(set);
    if (space >= 0)
        H5Sget_simple_extent_dims(space, is, NULL);
    H5Sclose(space);
    H5Dclose(set);
    if (is[0] < 1 || is[0] > PQ_VOCABULARY_BYTES)
        return pq_fail(r->err, PQ_USER, "%s: dataset vocab is no text of 1 to %d bytes; " AGAIN, r->path,
                       PQ_VOCABULARY_BYTES);
    *bytes = (uint32_t)is[0];
    return PQ_OK;
}

static enum pq_status check_vocab(struct reader *r, const struct pq_embedding *e)
{
    char source[512];
    struct pq_vocabulary *v;
    snprintf(source, sizeof source, "%.400s: dataset vocab", r->path);
    enum pq_status status = pq_vocabulary_create(e->vocab, e->vocab_bytes, &r->shape, source, &v, r->err);
    if (status == PQ_OK)
        pq_vocabulary_free(v);
    return status;
}

static enum pq_status read_public(struct reader *r, struct pq_embedding *embedding)
{
    uint8_t content[PQ_SHA256_BYTES], expected[PQ_SHA256_BYTES];
    uint32_t vocab_bytes;
    enum pq_status status = get_vocab_bytes(r, &vocab_bytes);
    if (status != PQ_OK)
        return status;
    *embedding = (struct pq_embedding){ .shape = r->shape, .vocab_bytes = vocab_bytes };
    status = pq_embedding_fields(embedding, check_field, r);
    if (status == PQ_OK)
        status = get_digest(r, "content_sha256", expected);
    if (status != PQ_OK)
        return status;
    pq_embedding_create(embedding, &r->shape);
    if (vocab_bytes)
        embedding->vocab = pq_alloc(vocab_bytes);
    embedding->vocab_bytes = vocab_bytes;
    memcpy(embedding->id, r->id, sizeof embedding->id);
    r->sha = pq_sha256_begin();
    pq_sha256_add_shape(r->sha, &r->shape);
    pq_sha256_add(r->sha, r->id, sizeof r->id);
    status = pq_embedding_fields(embedding, read_field, r);
    pq_sha256_end(r->sha, content);
    if (status == PQ_OK)
        status = compare_digest(r, "content_sha256", content, expected);
    if (status == PQ_OK && vocab_bytes)
        status = check_vocab(r, embedding);
    if (status != PQ_OK)
        pq_embedding_free(embedding);
    return status;
}

/* Opens the file, reads into whichever of model, embedding is given (or neither: the shape alone), closes it. */
static enum pq_status read_file(const char *prefix, struct reader *r, struct pq_model *model,
                                struct pq_embedding *embedding)
{
    char *path = pq_model_file_path(prefix, r->kind, "");
    r->path = path;
    struct pq_hdf5_quiet saved = pq_hdf5_quiet_begin();
    enum pq_status status = open_file(r);
    if (status == PQ_OK) {
        status = model ? read_secret(r, model) : embedding ? read_public(r, embedding) : PQ_OK;
        H5Fclose(r->file);
    }
    pq_hdf5_quiet_end(saved);
    free(path);
    return status;
}

enum pq_status pq_model_read_secret(const char *prefix, struct pq_model *model, struct pq_error *err)
{
    struct reader r = { .kind = &pq_secret_file, .err = err };
    memset(model, 0, sizeof *model);
    return read_file(prefix, &r, model, NULL);
}

enum pq_status pq_model_read_public(const char *prefix, struct pq_embedding *embedding, struct pq_error *err)
{
    struct reader r = { .kind = &pq_public_file, .err = err };
    memset(embedding, 0, sizeof *embedding);
    return read_file(prefix, &r, NULL, embedding);
}

enum pq_status pq_model_read_shape(const char *prefix, struct pq_shape *shape, uint8_t id[32], struct pq_error *err)
{
    struct reader r = { .kind = &pq_public_file, .err = err };
    enum pq_status status = read_file(prefix, &r, NULL, NULL);
    if (status == PQ_OK) {
        *shape = r.shape;
        memcpy(id, r.id, sizeof r.id);
    }
    return status;
}
