/* Writing a material file: HDF5 lays out a file without values, then each value is written in its place, and at the end
 * the file is sealed and gets its name. Space is reserved before anything is dealt: after a failed write to disk HDF5
 * cannot even be left in order, and hours of dealing would be lost. */
#include "attributes.h"
#include "material_store.h"
#include "quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LAYOUT_BYTES = 1 << 16 }; /* more than the description takes */

/* A dataset of bytes in one piece, whose place in the file is fixed when it is made; nothing is written to it. */
static int put_dataset(hid_t file, struct pq_material_dataset d, uint64_t *at)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(d.rank, d.dims, NULL);
    PQ_ASSERT(properties >= 0 && space >= 0 && H5Pset_layout(properties, H5D_CONTIGUOUS) >= 0 &&
              H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
              H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) >= 0 && H5Pset_obj_track_times(properties, 0) >= 0);
    hid_t set = H5Dcreate2(file, d.name, H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    haddr_t place = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    H5Pclose(properties);
    *at = place;
    return place == HADDR_UNDEF;
}

static int put_label(hid_t file, const struct pq_material_label *l)
{
    struct pq_shape shape = l->shape;
    uint32_t version = pq_material_seal.version;
    int failed = pq_attribute_put_text(file, "format", pq_material_seal.name) |
                 pq_attribute_put(file, "version", H5T_STD_U32LE, H5T_NATIVE_UINT32, 0, &version);
    for (size_t i = 0; i < PQ_LABEL_FIELDS; i++) {
        const struct pq_label_field *field = &pq_label_field[i];
        const void *value = (const char *)l + field->offset;
        if (field->type == PQ_LABEL_STRING)
            failed |= pq_attribute_put_text(file, field->name, value);
        else if (field->type == PQ_LABEL_U32)
            failed |= pq_attribute_put(file, field->name, H5T_STD_U32LE, H5T_NATIVE_UINT32, 0, value);
        else
            failed |= pq_attribute_put(file, field->name, H5T_STD_U8LE, H5T_NATIVE_UINT8, field->bytes, value);
    }
    for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
        failed |= pq_attribute_put(file, pq_shape_name[i], H5T_STD_U32LE, H5T_NATIVE_UINT32, 0,
                                   pq_shape_value(&shape, i));
    return failed;
}

/* The marks before the material, as the seal wants its open parts. */
static enum pq_status lay_out(struct pq_material_file *f, bool keys, struct pq_error *err)
{
    const struct pq_material_label *l = &f->label;
    hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = pq_material_access();
    PQ_ASSERT(creation >= 0 && H5Pset_userblock(creation, PQ_SEAL_BYTES) >= 0);
    hid_t file = H5Fcreate(f->path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    int failed = file < 0 || put_label(file, l);
    failed = failed || (keys && put_dataset(file, pq_material_dataset_keys(), &f->keys_at));
    failed = failed || (f->bytes && put_dataset(file, pq_material_dataset_digest(l), &f->digest_at));
    failed = failed || put_dataset(file, pq_material_dataset_used(l), &f->used_at);
    failed = failed || (f->bytes && put_dataset(file, pq_material_dataset_material(l, f->bytes), &f->material_at));
    failed |= file >= 0 && H5Fclose(file) < 0;
    return failed ? pq_fail(err, PQ_WORLD, "%s: HDF5 cannot lay it out; is the disk full?", f->path) : PQ_OK;
}

static enum pq_status no_space(const struct pq_material_file *f, uint64_t needed, const char *why,
                               struct pq_error *err)
{
    return pq_fail(err, PQ_WORLD, "%s: %" PRIu64 " bytes for %" PRIu32 " inferences do not fit (%s); make fewer, or "
                   "make room", f->path, needed, f->label.count, why);
}

/* What is free now. Other ranks may want it as well: reserve settles that where the file system can reserve. */
static enum pq_status check_space(const struct pq_material_file *f, struct pq_error *err)
{
    const uint64_t needed = LAYOUT_BYTES + (uint64_t)f->label.count * (f->bytes + PQ_SHA256_BYTES + 1);
    struct statvfs disk;
    struct rlimit limit;
    char why[64];
    if (fstatvfs(f->fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < needed) {
        snprintf(why, sizeof why, "%" PRIu64 " are free", (uint64_t)disk.f_bavail * disk.f_frsize);
        return no_space(f, needed, why, err);
    }
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < needed)
        return no_space(f, needed, "ulimit -f allows less", err);
    return PQ_OK;
}

static enum pq_status reserve(const struct pq_material_file *f, struct pq_error *err)
{
    const uint64_t size = pq_material_file_size(f);
    if (fallocate(f->fd, 0, 0, (off_t)size) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return PQ_OK;
    return no_space(f, size, strerror(errno), err);
}

/* An empty file of ours; what a killed process left is used again. */
static enum pq_status create_part(struct pq_material_file *f, struct pq_error *err)
{
    struct stat info;
    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0)
        return pq_fail(err, errno == ENOSPC || errno == EDQUOT || errno == EIO ? PQ_WORLD : PQ_USER,
                       "%s: cannot be created: %s; give a folder that may be written to", f->path, strerror(errno));
    enum pq_status status = pq_material_lock(f->fd, f->path, err);
    if (status != PQ_OK) { /* another's: not to be removed */
        free(f->final);
        f->final = NULL;
    } else if (lstat(f->final, &info) == 0) {
        status = pq_fail(err, PQ_USER, "%s: exists already, and material is never overwritten; give another folder, or "
                         "remove the set when it is used up", f->final);
    } else if (fchmod(f->fd, 0600) != 0 || ftruncate(f->fd, 0) != 0) {
        status = pq_fail(err, PQ_WORLD, "%s: %s", f->path, strerror(errno));
    }
    return status;
}

enum pq_status pq_material_file_create(const char *path, const struct pq_material_label *label, uint64_t bytes,
                                       bool keys, struct pq_material_file **out, struct pq_error *err)
{
    struct pq_material_file *f = pq_alloc(sizeof *f);
    *out = NULL;
    *f = (struct pq_material_file){ .fd = -1, .label = *label, .bytes = bytes, .final = strdup(path) };
    PQ_ASSERT(label->count > 0 && f->final && asprintf(&f->path, "%s.part", path) > 0);
    f->used = memset(pq_alloc(label->count), 0, label->count);
    f->digest = bytes ? pq_alloc(label->count * sizeof *f->digest) : NULL;
    enum pq_status status = create_part(f, err);
    if (status == PQ_OK)
        status = check_space(f, err);
    if (status == PQ_OK) {
        struct pq_hdf5_quiet saved = pq_hdf5_quiet_begin();
        status = lay_out(f, keys, err);
        pq_hdf5_quiet_end(saved);
    }
    if (status == PQ_OK)
        status = reserve(f, err);
    if (status == PQ_OK)
        *out = f;
    else
        pq_material_file_close(f);
    return status;
}

static enum pq_status put(struct pq_material_file *f, const void *from, uint64_t bytes, uint64_t at,
                          struct pq_error *err)
{
    const char *why = bytes ? pq_material_write_at(f->fd, from, bytes, at) : NULL;
    return why ? pq_fail(err, PQ_WORLD, "%s: %" PRIu64 " bytes cannot be written: %s", f->path, bytes, why) : PQ_OK;
}

enum pq_status pq_material_file_put(struct pq_material_file *f, uint32_t entry, const void *data, struct pq_error *err)
{
    PQ_ASSERT(f->final && entry < f->label.count);
    if (!f->bytes)
        return PQ_OK;
    struct pq_sha256 *sha = pq_sha256_begin();
    pq_sha256_add(sha, data, f->bytes);
    pq_sha256_end(sha, f->digest[entry]);
    return put(f, data, f->bytes, pq_material_entry_at(f, entry), err);
}

enum pq_status pq_material_file_put_keys(struct pq_material_file *f, uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES],
                                         struct pq_error *err)
{
    PQ_ASSERT(f->final && f->keys_at);
    return put(f, keys, sizeof f->keys, f->keys_at, err);
}

enum pq_status pq_material_file_seal(struct pq_material_file *f, struct pq_error *err)
{
    const uint32_t count = f->label.count;
    const struct pq_seal_part part[PQ_SEAL_PARTS] = {
        { f->used_at, count }, { f->bytes ? f->material_at : f->used_at + count, count * f->bytes }
    };
    enum pq_status status = put(f, f->used, count, f->used_at, err);
    if (status == PQ_OK && f->bytes)
        status = put(f, f->digest, count * sizeof *f->digest, f->digest_at, err);
    if (status == PQ_OK)
        status = pq_seal_close(f->fd, f->path, &pq_material_seal, part, err);
    return status;
}

void pq_material_file_withdraw(struct pq_material_file *f)
{
    unlink(f->path); /* the lock is still ours: nobody else's file */
    free(f->final);
    f->final = NULL;
}

enum pq_status pq_material_file_publish(struct pq_material_file *f, struct pq_error *err)
{
    char *slash = strrchr(f->final, '/');
    if (rename(f->path, f->final) != 0)
        return pq_fail(err, PQ_WORLD, "%s: cannot be put in place: %s", f->final, strerror(errno));
    free(f->path);
    f->path = f->final;
    f->final = NULL;

    /* A name is on the disk once its folder is; a file system that cannot flush folders (EINVAL) does it itself. */
    char *folder = slash ? strndup(f->path, (size_t)(slash - f->path) + 1) : strdup(".");
    PQ_ASSERT(folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool flushed = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (fd >= 0)
        close(fd);
    free(folder);
    return flushed ? PQ_OK : pq_fail(err, PQ_WORLD, "%s: its folder cannot be flushed: %s", f->path, strerror(errno));
}
