/* Writing a model. HDF5 builds each file in memory (after a failed write to disk the library cannot even be left in
 * order), then it is sealed and written under a temporary name, and both are renamed: a reader sees a whole file or
 * none. */
#include "attributes.h"
#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct writer {
    const char *path;
    hid_t file;
    struct pq_sha256 *sha;
    struct pq_error *err;
};

static enum pq_status refuse(struct writer *w, const char *what)
{
    return pq_fail(w->err, PQ_WORLD, "%s: HDF5 cannot make %s; is the memory used up?", w->path, what);
}

/* Chunks of about 1 MiB of whole rows, each with its fletcher32; no time stamps: same model, same bytes. */
static hid_t dataset_properties(const struct pq_field *field, int rank, const hsize_t dims[2])
{
    hsize_t row = pq_field_stored(field) / field->rows, rows = (1 << 20) / row + !((1 << 20) / row);
    hsize_t chunk[2] = { rows < dims[0] ? rows : dims[0], dims[1] };
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    PQ_ASSERT(properties >= 0 && H5Pset_chunk(properties, rank, chunk) >= 0 && H5Pset_fletcher32(properties) >= 0
              && H5Pset_obj_track_times(properties, 0) >= 0);
    return properties;
}

static int put_dataset(hid_t file, const struct pq_field *field, const void *stored)
{
    hsize_t dims[2];
    int rank = pq_field_dims(field, dims);
    hid_t properties = dataset_properties(field, rank, dims);
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, dims, NULL);
    PQ_ASSERT(links >= 0 && space >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0);
    hid_t set = H5Dcreate2(file, field->path, pq_field_file_type(field), space, links, properties, H5P_DEFAULT);
    int failed = set < 0 || H5Dwrite(set, pq_field_memory_type(field), H5S_ALL, H5S_ALL, H5P_DEFAULT, stored) < 0;
    if (set >= 0)
        failed |= H5Dclose(set) < 0;
    H5Sclose(space);
    H5Pclose(links);
    H5Pclose(properties);
    return failed;
}

static enum pq_status write_field(void *user, const struct pq_field *field)
{
    struct writer *w = user;
    size_t outside = pq_field_outside(field);
    if (outside < (size_t)field->rows * field->cols)
        return pq_fail(w->err, PQ_USER, "%s: not written: value %zu of %s is %g; it must be %g %s %g", w->path, outside,
                       field->path, pq_field_value(field, outside), field->low,
                       field->type == PQ_FIELD_BITS ? "or" : "to", field->high);
    uint8_t *packed = NULL;
    if (field->type == PQ_FIELD_BITS) {
        packed = pq_alloc(pq_field_stored(field));
        pq_field_pack(field, packed);
    }
    const void *stored = packed ? packed : field->data;
    pq_sha256_add(w->sha, stored, pq_field_stored(field));
    int failed = put_dataset(w->file, field, stored);
    free(packed);
    return failed ? refuse(w, field->path) : PQ_OK;
}

static int put_digest(hid_t file, const char *name, const uint8_t digest[PQ_SHA256_BYTES])
{
    return pq_attribute_put(file, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, PQ_SHA256_BYTES, digest);
}

static int put_attributes(hid_t file, const struct pq_model_file_kind *kind, const struct pq_shape *shape)
{
    struct pq_shape copy = *shape;
    uint32_t version = PQ_MODEL_FILE_VERSION;
    int failed = pq_attribute_put_text(file, "format", kind->seal.name);
    failed |= pq_attribute_put(file, "version", H5T_STD_U32LE, H5T_NATIVE_UINT32, 0, &version);
    for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
        failed |= pq_attribute_put(file, pq_shape_name[i], H5T_STD_U32LE, H5T_NATIVE_UINT32, 0,
                                   pq_shape_value(&copy, i));
    return failed;
}

static enum pq_status fill_secret(struct writer *w, struct pq_model *model)
{
    pq_sha256_add_shape(w->sha, &model->shape);
    enum pq_status status = pq_model_fields(model, write_field, w);
    pq_sha256_end(w->sha, model->id);
    if (status != PQ_OK)
        return status;
    int failed = put_attributes(w->file, &pq_secret_file, &model->shape) | put_digest(w->file, "model_id", model->id);
    return failed ? refuse(w, "its attributes") : PQ_OK;
}

static enum pq_status fill_public(struct writer *w, struct pq_embedding *embedding)
{
    uint8_t content[PQ_SHA256_BYTES];
    pq_sha256_add_shape(w->sha, &embedding->shape);
    pq_sha256_add(w->sha, embedding->id, sizeof embedding->id);
    enum pq_status status = pq_embedding_fields(embedding, write_field, w);
    pq_sha256_end(w->sha, content);
    if (status != PQ_OK)
        return status;
    int failed = put_attributes(w->file, &pq_public_file, &embedding->shape)
               | put_digest(w->file, "model_id", embedding->id) | put_digest(w->file, "content_sha256", content);
    return failed ? refuse(w, "its attributes") : PQ_OK;
}

/* Exactly one of model and embedding. *image is malloc'ed: the HDF5 file as it stands after the seal. */
static enum pq_status build(const char *path, struct pq_model *model, struct pq_embedding *embedding, void **image,
                            size_t *bytes, struct pq_error *err)
{
    struct writer w = { .path = path, .err = err };
    hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    PQ_ASSERT(creation >= 0 && H5Pset_userblock(creation, PQ_SEAL_BYTES) >= 0);
    PQ_ASSERT(access >= 0 && H5Pset_fapl_core(access, 16 << 20, 0) >= 0); /* in memory, nothing written at the end */
    w.file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    if (w.file < 0)
        return refuse(&w, "its first bytes");
    w.sha = pq_sha256_begin();
    enum pq_status status = model ? fill_secret(&w, model) : fill_public(&w, embedding);
    if (status == PQ_OK) {
        ssize_t size = H5Fflush(w.file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(w.file, NULL, 0);
        *bytes = size > 0 ? (size_t)size : 0;
        *image = pq_alloc(*bytes);
        if (size <= 0 || H5Fget_file_image(w.file, *image, *bytes) != size) /* it comes without the user block */
            status = refuse(&w, "its last bytes");
    }
    H5Fclose(w.file);
    return status;
}

/* An empty file of our own that nobody else may open if private. */
static enum pq_status create_empty(const char *path, int private, int *fd, struct pq_error *err)
{
    unlink(path); /* left by a killed process of the same number */
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, private ? 0600 : 0644);
    if (*fd >= 0)
        return PQ_OK;
    int full = errno == ENOSPC || errno == EDQUOT || errno == EIO;
    return pq_fail(err, full ? PQ_WORLD : PQ_USER, "%s: cannot be created: %s; give a prefix in a folder that exists "
                   "and may be written to", path, strerror(errno));
}

static enum pq_status write_file(const char *path, const struct pq_model_file_kind *kind, struct pq_model *model,
                                 struct pq_embedding *embedding, struct pq_error *err)
{
    int fd;
    void *image = NULL;
    size_t bytes = 0;
    enum pq_status status = create_empty(path, kind->seal.secrets != NULL, &fd, err);
    if (status != PQ_OK)
        return status;
    status = build(path, model, embedding, &image, &bytes, err);
    if (status == PQ_OK)
        status = pq_seal_write(fd, path, &kind->seal, image, bytes, err);
    free(image);
    if (close(fd) != 0 && status == PQ_OK)
        status = pq_fail(err, PQ_WORLD, "%s: cannot be written: %s", path, strerror(errno));
    return status;
}

enum pq_status pq_model_write(const char *prefix, struct pq_model *model, struct pq_embedding *embedding,
                              struct pq_error *err)
{
    PQ_ASSERT(memcmp(&model->shape, &embedding->shape, sizeof model->shape) == 0);
    PQ_ASSERT(pq_shape_check(&model->shape, NULL) == PQ_OK);
    const struct pq_model_file_kind *const kind[2] = { &pq_secret_file, &pq_public_file };
    char tail[32], *final[2], *temporary[2];
    snprintf(tail, sizeof tail, ".tmp%ld", (long)getpid());
    for (int i = 0; i < 2; i++) {
        final[i] = pq_model_file_path(prefix, kind[i], "");
        temporary[i] = pq_model_file_path(prefix, kind[i], tail);
    }

    struct pq_hdf5_quiet saved = pq_hdf5_quiet_begin();
    enum pq_status status = write_file(temporary[0], kind[0], model, NULL, err);
    memcpy(embedding->id, model->id, sizeof embedding->id);
    if (status == PQ_OK)
        status = write_file(temporary[1], kind[1], NULL, embedding, err);
    pq_hdf5_quiet_end(saved);

    for (int i = 0; i < 2; i++) {
        if (status == PQ_OK && rename(temporary[i], final[i]) != 0)
            status = pq_fail(err, PQ_WORLD, "%s: cannot be put in place: %s", final[i], strerror(errno));
        if (status != PQ_OK)
            unlink(temporary[i]);
        free(final[i]);
        free(temporary[i]);
    }
    return status;
}

enum pq_status pq_model_writable(const char *prefix, struct pq_error *err)
{
    char tail[32];
    snprintf(tail, sizeof tail, ".tmp%ld", (long)getpid());
    char *path = pq_model_file_path(prefix, &pq_secret_file, tail);
    int fd;
    enum pq_status status = create_empty(path, 1, &fd, err);
    if (status == PQ_OK) {
        close(fd);
        unlink(path);
    }
    free(path);
    return status;
}
