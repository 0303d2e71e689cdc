#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* HDF5 loses memory of its own when a file is not as it should be. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)fuzz_u8(in) << 8 * i;
    return value;
}

void fuzz_bytes(struct fuzz_input *in, void *to, size_t bytes)
{
    const size_t have = bytes < in->left ? bytes : in->left;
    memset(to, 0, bytes);
    if (have)
        memcpy(to, in->at, have);
    in->at += have;
    in->left -= have;
}

bool fuzz_ok(enum pq_status status, const struct pq_error *err, const char *part)
{
    if (status == PQ_OK)
        return true;
    if (getenv("PQ_FUZZ_SHOW"))
        fprintf(stderr, "%d: %s\n", status, err->text);
    PQ_ASSERT(status == PQ_USER);
    PQ_ASSERT(strlen(err->text) > 10 && strstr(err->text, part));
    for (const char *c = err->text; *c; c++)
        PQ_ASSERT((unsigned char)*c >= ' ' && *c != 127);
    return false;
}

static char folder[64];

static void remove_folder(void)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/pq_fuzz_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        PQ_ASSERT(mkdtemp(folder));
        atexit(remove_folder);
    }
    return folder;
}

void fuzz_spill(const char *path, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PQ_ASSERT(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
}

uint8_t *fuzz_slurp(const char *path, size_t *bytes)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    PQ_ASSERT(fd >= 0 && fstat(fd, &info) == 0);
    uint8_t *data = pq_alloc((size_t)info.st_size);
    PQ_ASSERT(read(fd, data, (size_t)info.st_size) == info.st_size);
    close(fd);
    *bytes = (size_t)info.st_size;
    return data;
}
