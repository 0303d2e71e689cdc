#include "material_store.h"

#include "../kernels/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const struct pq_seal_kind pq_material_seal = {
    .name = "material", .version = 1, .secrets = "a party's secrets", .parts = true,
    .give = "give the folder that `pqbert offline --material DIR` filled, whose sets hold one file for each rank",
    .again = "remove its set and make another with `pqbert offline`",
};

#define AT(field) offsetof(struct pq_material_label, field), sizeof ((struct pq_material_label *)NULL)->field
const struct pq_label_field pq_label_field[PQ_LABEL_FIELDS] = {
    { "program", PQ_LABEL_STRING, AT(program), "version of the program" },
    { "model_id", PQ_LABEL_BYTES, AT(model_id), "model, whose checksum begins with" },
    { "protocol", PQ_LABEL_STRING, AT(protocol), "protocol" },
    { "maximum", PQ_LABEL_STRING, AT(maximum), "maximum" },
    { "tables", PQ_LABEL_STRING, AT(tables), "tables" },
    { "seq", PQ_LABEL_U32, AT(seq), "length" },
    { "batch", PQ_LABEL_U32, AT(batch), "batch" },
    { "ranks", PQ_LABEL_U32, AT(ranks), "ranks per party" },
    { "party", PQ_LABEL_U32, AT(party), "party" },
    { "rank", PQ_LABEL_U32, AT(rank), "rank" },
    { "mode", PQ_LABEL_STRING, AT(mode), NULL },
    { "count", PQ_LABEL_U32, AT(count), NULL },
    { "set_id", PQ_LABEL_BYTES, AT(set_id), NULL },
};

struct pq_material_dataset pq_material_dataset_used(const struct pq_material_label *l)
{
    return (struct pq_material_dataset){ "used", 1, { l->count, 1 } };
}

struct pq_material_dataset pq_material_dataset_digest(const struct pq_material_label *l)
{
    return (struct pq_material_dataset){ "digest", 2, { l->count, PQ_SHA256_BYTES } };
}

struct pq_material_dataset pq_material_dataset_keys(void)
{
    return (struct pq_material_dataset){ "keys", 2, { PQ_MATERIAL_KEYS, PQ_KEY_BYTES } };
}

struct pq_material_dataset pq_material_dataset_material(const struct pq_material_label *l, uint64_t bytes)
{
    return (struct pq_material_dataset){ "material", 2, { l->count, bytes } };
}

hid_t pq_material_access(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    PQ_ASSERT(access >= 0 && H5Pset_file_locking(access, 0, 1) >= 0);
    return access;
}

enum pq_status pq_material_lock(int fd, const char *path, struct pq_error *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return PQ_OK;
    if (errno == EWOULDBLOCK)
        return pq_fail(err, PQ_USER, "%s: another job has it open; wait until it ends, or make another set with "
                       "`pqbert offline`", path);
    return pq_fail(err, PQ_USER, "%s: this file system has no locks (%s), without which material might be used twice; "
                   "keep it on another one", path, strerror(errno));
}

/* The system takes 2 GiB at a time at most. */
enum { PIECE = 1 << 30 };

const char *pq_material_read_at(int fd, void *to, uint64_t bytes, uint64_t at)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = pread(fd, (char *)to + done, bytes - done < PIECE ? bytes - done : PIECE, (off_t)(at + done));
        if (n == 0)
            return "the file has become shorter";
        if (n < 0 && errno != EINTR)
            return strerror(errno);
        done += n > 0 ? (uint64_t)n : 0;
    }
    return NULL;
}

const char *pq_material_write_at(int fd, const void *from, uint64_t bytes, uint64_t at)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = pwrite(fd, (const char *)from + done, bytes - done < PIECE ? bytes - done : PIECE,
                           (off_t)(at + done));
        if (n < 0 && errno != EINTR)
            return strerror(errno);
        done += n > 0 ? (uint64_t)n : 0;
    }
    return NULL;
}

const struct pq_material_label *pq_material_file_label(const struct pq_material_file *f)
{
    return &f->label;
}

const uint8_t *pq_material_file_used(const struct pq_material_file *f)
{
    return f->used;
}

uint64_t pq_material_file_size(const struct pq_material_file *f)
{
    struct stat info;
    return fstat(f->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
}

void pq_material_file_close(struct pq_material_file *f)
{
    if (!f)
        return;
    if (f->final)
        unlink(f->path); /* while it is locked: nobody else's */
    if (f->fd >= 0)
        close(f->fd);
    pq_wipe(f->keys, sizeof f->keys);
    free(f->path);
    free(f->final);
    free(f->used);
    free(f->digest);
    free(f);
}
