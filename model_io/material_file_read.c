/* Reading a material file: the seal first (foreign, truncated, changed), then what the file says of itself, then that
 * against what its user wants; the marks last, once nobody else can set any. */
#include "attributes.h"
#include "material_store.h"
#include "quiet.h"

#include "../kernels/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum pq_status broken(const struct pq_material_file *f, const char *kind, const char *name, struct pq_error *err)
{
    return pq_fail(err, PQ_USER, "%s: %s %s is missing, or has not the type, size and place of FORMAT.md; %s", f->path,
                   kind, name, pq_material_seal.again);
}

static enum pq_status get_label(struct pq_material_file *f, hid_t file, struct pq_error *err)
{
    struct pq_material_label *l = &f->label;
    char format[32];
    uint32_t version;
    if (pq_attribute_get_text(file, "format", format, sizeof format) != PQ_ATTRIBUTE_RIGHT ||
        strcmp(format, pq_material_seal.name) != 0)
        return broken(f, "attribute", "format", err);
    if (pq_attribute_get(file, "version", H5T_STD_U32LE, H5T_NATIVE_UINT32, 1, &version) != PQ_ATTRIBUTE_RIGHT ||
        version != pq_material_seal.version)
        return broken(f, "attribute", "version", err);
    for (size_t i = 0; i < PQ_LABEL_FIELDS; i++) {
        const struct pq_label_field *field = &pq_label_field[i];
        char *value = (char *)l + field->offset;
        enum pq_attribute how;
        if (field->type == PQ_LABEL_STRING)
            how = pq_attribute_get_text(file, field->name, value, field->bytes);
        else if (field->type == PQ_LABEL_U32)
            how = pq_attribute_get(file, field->name, H5T_STD_U32LE, H5T_NATIVE_UINT32, 1, value);
        else
            how = pq_attribute_get(file, field->name, H5T_STD_U8LE, H5T_NATIVE_UINT8, field->bytes, value);
        if (how != PQ_ATTRIBUTE_RIGHT)
            return broken(f, "attribute", field->name, err);
    }
    for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
        if (pq_attribute_get(file, pq_shape_name[i], H5T_STD_U32LE, H5T_NATIVE_UINT32, 1,
                             pq_shape_value(&l->shape, i)) != PQ_ATTRIBUTE_RIGHT)
            return broken(f, "attribute", pq_shape_name[i], err);
    return PQ_OK;
}

/* A field as a message shows it. */
static void show(const struct pq_label_field *field, const struct pq_material_label *l, char text[PQ_LABEL_TEXT])
{
    const char *value = (const char *)l + field->offset;
    uint32_t number;
    if (field->type == PQ_LABEL_STRING) {
        snprintf(text, PQ_LABEL_TEXT, "%s", value);
        for (char *c = text; *c; c++) /* the message must stay one readable line */
            if (*c < ' ' || *c > '~')
                *c = '?';
    } else if (field->type == PQ_LABEL_U32) {
        memcpy(&number, value, sizeof number);
        snprintf(text, PQ_LABEL_TEXT, "%" PRIu32, number);
    } else {
        for (int i = 0; i < 4; i++)
            snprintf(text + 2 * i, 3, "%02x", (uint8_t)value[i]);
    }
}

static enum pq_status compare_label(const struct pq_material_file *f, const struct pq_material_label *wanted,
                                    struct pq_error *err)
{
    for (size_t i = 0; i < PQ_LABEL_FIELDS; i++) {
        const struct pq_label_field *field = &pq_label_field[i];
        const void *is = (const char *)&f->label + field->offset, *want = (const char *)wanted + field->offset;
        char is_text[PQ_LABEL_TEXT], want_text[PQ_LABEL_TEXT];
        if (!field->what || (field->type == PQ_LABEL_STRING ? !strcmp(is, want) : !memcmp(is, want, field->bytes)))
            continue;
        show(field, &f->label, is_text);
        show(field, wanted, want_text);
        return pq_fail(err, PQ_USER, "%s: was made for another %s: %s, not %s; make material for this with `pqbert "
                       "offline`, in another folder", f->path, field->what, is_text, want_text);
    }
    if (memcmp(&f->label.shape, &wanted->shape, sizeof wanted->shape)) /* of one model: a contradiction */
        return broken(f, "attribute", "layers or another size", err);
    return f->label.count ? PQ_OK : broken(f, "attribute", "count", err);
}

/* The place of a dataset of exactly this type and size; its values too, if wanted. */
static enum pq_status get_dataset(const struct pq_material_file *f, hid_t file, struct pq_material_dataset d,
                                  uint64_t *at, void *values, struct pq_error *err)
{
    hsize_t dims[2] = { 0, 1 };
    hid_t set = H5Dopen2(file, d.name, H5P_DEFAULT);
    if (set < 0)
        return broken(f, "dataset", d.name, err);
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    bool right = space >= 0 && type >= 0 && H5Tequal(type, H5T_STD_U8LE) > 0 &&
                 H5Sget_simple_extent_ndims(space) == d.rank;
    right = right && H5Sget_simple_extent_dims(space, dims, NULL) >= 0 && dims[0] == d.dims[0] && dims[1] == d.dims[1];
    haddr_t place = right ? H5Dget_offset(set) : HADDR_UNDEF;
    right = right && place != HADDR_UNDEF &&
            (!values || H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    *at = place;
    return right ? PQ_OK : broken(f, "dataset", d.name, err);
}

static enum pq_status get_datasets(struct pq_material_file *f, hid_t file, bool keys,
                                   const struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err)
{
    const struct pq_material_label *l = &f->label;
    enum pq_status s = get_dataset(f, file, pq_material_dataset_used(l), &f->used_at, NULL, err);
    if (s == PQ_OK && (part[0].at != f->used_at || part[0].bytes != l->count))
        s = broken(f, "dataset", "used", err);
    if (s == PQ_OK && keys)
        s = get_dataset(f, file, pq_material_dataset_keys(), &f->keys_at, f->keys, err);
    if (s != PQ_OK || !f->bytes)
        return s;
    s = get_dataset(f, file, pq_material_dataset_material(l, f->bytes), &f->material_at, NULL, err);
    if (s == PQ_OK && (part[1].at != f->material_at || part[1].bytes != l->count * f->bytes))
        s = broken(f, "dataset", "material", err);
    if (s == PQ_OK) {
        f->digest = pq_alloc(l->count * sizeof *f->digest);
        s = get_dataset(f, file, pq_material_dataset_digest(l), &f->digest_at, f->digest, err);
    }
    return s;
}

static enum pq_status get_description(struct pq_material_file *f, const struct pq_material_label *wanted, bool keys,
                                      const struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err)
{
    hid_t access = pq_material_access(), file = H5Fopen(f->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (file < 0)
        return pq_fail(err, PQ_USER, "%s: is whole, but HDF5 cannot open it; unset HDF5_USE_FILE_LOCKING, otherwise %s",
                       f->path, pq_material_seal.again);
    enum pq_status status = get_label(f, file, err);
    if (status == PQ_OK)
        status = compare_label(f, wanted, err);
    if (status == PQ_OK)
        status = get_datasets(f, file, keys, part, err);
    H5Fclose(file);
    return status;
}

enum pq_status pq_material_file_open(const char *path, const struct pq_material_label *wanted, uint64_t bytes,
                                     bool keys, struct pq_material_file **out, struct pq_error *err)
{
    struct pq_material_file *f = pq_alloc(sizeof *f);
    struct pq_seal_part part[PQ_SEAL_PARTS];
    *out = NULL;
    *f = (struct pq_material_file){ .fd = -1, .bytes = bytes, .path = strdup(path) };
    PQ_ASSERT(f->path);
    enum pq_status status = pq_seal_check(path, &pq_material_seal, part, &f->fd, err);
    if (status == PQ_OK)
        status = pq_material_lock(f->fd, path, err);
    if (status == PQ_OK) {
        struct pq_hdf5_quiet saved = pq_hdf5_quiet_begin();
        status = get_description(f, wanted, keys, part, err);
        pq_hdf5_quiet_end(saved);
    }
    if (status == PQ_OK) {
        f->used = pq_alloc(f->label.count);
        const char *why = pq_material_read_at(f->fd, f->used, f->label.count, f->used_at);
        if (why)
            status = pq_fail(err, PQ_WORLD, "%s: cannot be read: %s", path, why);
    }
    if (status == PQ_OK)
        *out = f;
    else
        pq_material_file_close(f);
    return status;
}

void pq_material_file_keys(const struct pq_material_file *f, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES])
{
    PQ_ASSERT(f->keys_at && !f->final);
    memcpy(keys, f->keys, sizeof f->keys);
}

/* A mark in a file that has lost its name marks nothing: the file now under that name would be used once more. */
static bool still_named(const struct pq_material_file *f)
{
    struct stat open, named;
    return fstat(f->fd, &open) == 0 && stat(f->path, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

/* One byte, all of whose bits change: no other value counts as unused, so that no lost bit makes an entry new. */
enum pq_status pq_material_file_mark(struct pq_material_file *f, uint32_t entry, struct pq_error *err)
{
    static const uint8_t mark = 0xff;
    PQ_ASSERT(!f->final && entry < f->label.count && !f->used[entry]);
    f->used[entry] = mark;
    const char *why = pq_material_write_at(f->fd, &mark, 1, f->used_at + entry);
    if (!why && fsync(f->fd) != 0)
        why = strerror(errno);
    if (!why && !still_named(f))
        why = "the file was removed or replaced while it was in use";
    return why ? pq_fail(err, PQ_WORLD, "%s: entry %" PRIu32 " cannot be marked as used: %s", f->path, entry, why)
               : PQ_OK;
}

enum pq_status pq_material_file_check(const struct pq_material_file *f, uint32_t entry, struct pq_error *err)
{
    enum { PIECE = 1 << 20 };
    PQ_ASSERT(!f->final && entry < f->label.count);
    if (!f->bytes)
        return PQ_OK;
    uint8_t *piece = pq_alloc(PIECE), digest[PQ_SHA256_BYTES];
    struct pq_sha256 *sha = pq_sha256_begin();
    const char *why = NULL;
    for (uint64_t at = 0; at < f->bytes && !why; at += PIECE) {
        const uint64_t n = f->bytes - at < PIECE ? f->bytes - at : PIECE;
        why = pq_material_read_at(f->fd, piece, n, pq_material_entry_at(f, entry) + at);
        pq_sha256_add(sha, piece, n);
    }
    pq_sha256_end(sha, digest);
    pq_free_secret(piece, PIECE);
    if (why)
        return pq_fail(err, PQ_USER, "%s: entry %" PRIu32 " cannot be read: %s; %s", f->path, entry, why,
                       pq_material_seal.again);
    if (memcmp(digest, f->digest[entry], sizeof digest))
        return pq_fail(err, PQ_USER, "%s: entry %" PRIu32 " is damaged: its bytes do not have the SHA-256 that was "
                       "written with them; %s", f->path, entry, pq_material_seal.again);
    return PQ_OK;
}

enum pq_status pq_material_file_read(const struct pq_material_file *f, uint32_t entry, void *data,
                                     struct pq_error *err)
{
    PQ_ASSERT(!f->final && entry < f->label.count && f->used[entry]);
    const char *why = f->bytes ? pq_material_read_at(f->fd, data, f->bytes, pq_material_entry_at(f, entry)) : NULL;
    return why ? pq_fail(err, PQ_WORLD, "%s: entry %" PRIu32 " cannot be read: %s", f->path, entry, why) : PQ_OK;
}
