/* The result file on disk: who may write it, replacing it so that a killed run harms nothing, reading it whole. */
#include "record_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* No result file comes near: a million repetitions fit. Keeps a wrong name from filling the memory. */
static const off_t largest_file = (off_t)1 << 30;

static const unsigned char hdf5_signature[8] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };

/* The lock */

/* The lock file is removed at close, so another process may hold the lock of a file that has no name any more:
 * only a lock on the file now under that name counts. */
static bool still_named(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

static char *lock_path(const char *path)
{
    char *text = NULL;
    PQ_ASSERT(asprintf(&text, "%s.lock", path) >= 0);
    return text;
}

/* The half-written files of processes that were killed: whoever holds the lock is the only writer. */
static void remove_leftovers(const char *path)
{
    char *copy = strdup(path), *copy2 = strdup(path), *start = NULL;
    PQ_ASSERT(copy && copy2);
    PQ_ASSERT(asprintf(&start, "%s.tmp-", basename(copy2)) >= 0);
    DIR *folder = opendir(dirname(copy));
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (strncmp(entry->d_name, start, strlen(start)) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    free(start);
    free(copy2);
    free(copy);
}

enum pq_status pq_results_lock(struct pq_results *r, struct pq_error *err)
{
    char *path = lock_path(r->path);
    enum pq_status status = PQ_OK;
    while (status == PQ_OK && r->lock < 0) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            status = pq_fail(err, PQ_USER, "%s: cannot write there: %s; give a file in an existing folder that "
                             "may be written to", r->path, strerror(errno));
        } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            status = errno == EWOULDBLOCK
                ? pq_fail(err, PQ_USER, "%s: another process is writing it (it holds %s); wait for it, or write to "
                          "another file", r->path, path)
                : pq_fail(err, PQ_USER, "%s: this file system has no locks (%s); write to another one and copy the "
                          "file", r->path, strerror(errno));
            close(fd);
        } else if (still_named(fd, path)) {
            r->lock = fd;
            remove_leftovers(r->path);
        } else {
            close(fd);
        }
    }
    free(path);
    return status;
}

void pq_results_unlock(struct pq_results *r)
{
    if (r->lock < 0)
        return;
    char *path = lock_path(r->path);
    unlink(path); /* before the lock goes: see still_named */
    close(r->lock);
    free(path);
    r->lock = -1;
}

/* The file */

static enum pq_status write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return PQ_WORLD;
        data += n;
        bytes -= (size_t)n;
    }
    return PQ_OK;
}

/* A rename is durable once its folder is. Some file systems cannot flush a folder (EINVAL); nothing more can be
 * done there. */
static bool flush_folder(const char *path)
{
    char *copy = strdup(path);
    PQ_ASSERT(copy);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (fd >= 0)
        close(fd);
    free(copy);
    return ok;
}

enum pq_status pq_results_save(const struct pq_results *r, struct pq_error *err)
{
    void *image = NULL;
    size_t bytes = 0;
    enum pq_status status = pq_results_encode(r, &image, &bytes, err);
    if (status != PQ_OK)
        return status;

    char *beside = NULL;
    PQ_ASSERT(asprintf(&beside, "%s.tmp-%ld", r->path, (long)getpid()) >= 0);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_all(fd, image, bytes) == PQ_OK && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok && (rename(beside, r->path) != 0 || !flush_folder(r->path))) {
        ok = false;
        why = errno;
    }
    if (!ok) {
        unlink(beside);
        status = pq_fail(err, PQ_WORLD, "%s: cannot write %zu bytes: %s; what was written before is kept", r->path,
                         bytes, strerror(why));
    }
    free(beside);
    free(image);
    return status;
}

/* Reads the whole file into *image (malloc'ed). Looks at the first bytes before reading the rest. */
static enum pq_status read_image(const char *path, void **image, size_t *bytes, struct pq_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return pq_fail(err, PQ_USER, "%s: cannot be opened: %s; give a result file that sweep or run has written",
                       path, strerror(errno));
    struct stat info;
    unsigned char start[sizeof hdf5_signature];
    enum pq_status status = PQ_OK;
    if (fstat(fileno(f), &info) != 0 || !S_ISREG(info.st_mode) || fread(start, sizeof start, 1, f) != 1 ||
        memcmp(start, hdf5_signature, sizeof start) != 0)
        status = pq_fail(err, PQ_USER, "%s: is not an HDF5 file; give a result file that sweep or run has written",
                         path);
    else if (info.st_size > largest_file)
        status = pq_fail(err, PQ_USER, "%s: has %lld bytes, more than any result file; give a result file that sweep "
                         "or run has written", path, (long long)info.st_size);
    if (status == PQ_OK) {
        *bytes = (size_t)info.st_size;
        *image = pq_alloc(*bytes);
        rewind(f);
        if (fread(*image, 1, *bytes, f) != *bytes) {
            free(*image);
            *image = NULL;
            status = pq_fail(err, PQ_WORLD, "%s: cannot be read: %s", path, ferror(f) ? strerror(errno) : "too short");
        }
    }
    fclose(f);
    return status;
}

enum pq_status pq_results_load(struct pq_results *r, struct pq_error *err)
{
    void *image = NULL;
    size_t bytes = 0;
    enum pq_status status = read_image(r->path, &image, &bytes, err);
    if (status == PQ_OK)
        status = pq_results_decode(r, image, bytes, err);
    free(image);
    return status;
}
