#include "seal.h"

#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The block is this text, then zero bytes. The digest counts its own 64 digits as '0'. */
#define SEAL_TEXT "pqbert file\nkind %s\nversion %" PRIu32 "\nbytes %" PRIu64 "\nsha256 %s\n"
#define SEAL_SCAN "pqbert file\nkind %31s\nversion %9[0-9]\nbytes %18[0-9]\nsha256 %64[0-9a-f]\n"

enum { DIGITS = 2 * PQ_SHA256_BYTES, PIECE = 1 << 20 };
static const char no_digits[] = "0000000000000000000000000000000000000000000000000000000000000000";
_Static_assert(sizeof no_digits == DIGITS + 1, "as many zeros as digits");

/* Like pread, but for all of it; less only at the end of the file, -1 on an error. */
static ssize_t read_at(int fd, void *to, size_t bytes, off_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread(fd, (char *)to + done, bytes - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static void finish_digits(struct pq_sha256 *sha, char digits[DIGITS + 1])
{
    uint8_t digest[PQ_SHA256_BYTES];
    pq_sha256_end(sha, digest);
    for (int i = 0; i < PQ_SHA256_BYTES; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
}

static int write_all(int fd, const void *from, size_t bytes)
{
    for (size_t done = 0; done < bytes; ) {
        ssize_t n = write(fd, (const char *)from + done, bytes - done);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

enum pq_status pq_seal_write(int fd, const char *path, const char *kind, uint32_t version, const void *content,
                             size_t bytes, struct pq_error *err)
{
    char block[PQ_SEAL_BYTES] = { 0 }, digits[DIGITS + 1];
    uint64_t total = PQ_SEAL_BYTES + (uint64_t)bytes;
    snprintf(block, sizeof block, SEAL_TEXT, kind, version, total, no_digits);
    struct pq_sha256 *sha = pq_sha256_begin();
    pq_sha256_add(sha, block, sizeof block);
    pq_sha256_add(sha, content, bytes);
    finish_digits(sha, digits);
    snprintf(block, sizeof block, SEAL_TEXT, kind, version, total, digits);
    if (write_all(fd, block, sizeof block) != 0 || write_all(fd, content, bytes) != 0 || fsync(fd) != 0)
        return pq_fail(err, PQ_WORLD, "%s: %" PRIu64 " bytes cannot be written: %s", path, total, strerror(errno));
    return PQ_OK;
}

/* The digest of an open file whose first bytes are `block`, its digits set to '0'. */
static int digest_file(int fd, const char block[PQ_SEAL_BYTES], char digits[DIGITS + 1])
{
    struct pq_sha256 *sha = pq_sha256_begin();
    char *piece = pq_alloc(PIECE);
    ssize_t n;
    pq_sha256_add(sha, block, PQ_SEAL_BYTES);
    for (off_t at = PQ_SEAL_BYTES; (n = read_at(fd, piece, PIECE, at)) > 0; at += n)
        pq_sha256_add(sha, piece, (size_t)n);
    free(piece);
    finish_digits(sha, digits);
    return n < 0 ? -1 : 0;
}

#define AGAIN "copy it again from where it was made, or make it again with `pqbert model synth`"

static enum pq_status check_block(const char *path, const char block[PQ_SEAL_BYTES], ssize_t got, const char *kind,
                                  uint32_t version, uint64_t size, char digits[DIGITS + 1], struct pq_error *err)
{
    static const char magic[] = "pqbert file\n";
    char is_kind[32], is_version[10], is_bytes[19];
    char text[PQ_SEAL_BYTES + 1];
    if (got == 0)
        return pq_fail(err, PQ_USER, "%s: is empty; " AGAIN, path);
    if (memcmp(block, magic, got < (ssize_t)sizeof magic - 1 ? (size_t)got : sizeof magic - 1) != 0)
        return pq_fail(err, PQ_USER, "%s: is not a pqbert file%s; give a file that `pqbert model synth` or an importer "
                       "made", path, got >= 4 && !memcmp(block, "\211HDF", 4) ? " (it is some other HDF5 file)" : "");
    if (got < PQ_SEAL_BYTES)
        return pq_fail(err, PQ_USER, "%s: is truncated: %zd bytes, less than its header; " AGAIN, path, got);
    memcpy(text, block, PQ_SEAL_BYTES);
    text[PQ_SEAL_BYTES] = '\0';
    if (sscanf(text, SEAL_SCAN, is_kind, is_version, is_bytes, digits) != 4 || strlen(digits) != DIGITS)
        return pq_fail(err, PQ_USER, "%s: is damaged: its header is not readable; " AGAIN, path);
    for (char *c = is_kind; *c; c++)
        if (*c < ' ' || *c > '~') /* the message must stay one readable line */
            *c = '?';
    if (strcmp(is_kind, kind) != 0)
        return pq_fail(err, PQ_USER, "%s: is a pqbert file of kind '%s', not '%s'; give the right file", path, is_kind,
                       kind);
    if (strtoul(is_version, NULL, 10) != version)
        return pq_fail(err, PQ_USER, "%s: has format version %s, this program reads version %" PRIu32 "; make the file "
                       "again with this program, or use the program that made it", path, is_version, version);
    uint64_t bytes = strtoull(is_bytes, NULL, 10);
    if (bytes != size)
        return pq_fail(err, PQ_USER, "%s: is %s: %" PRIu64 " bytes where its header says %" PRIu64 "; " AGAIN, path,
                       size < bytes ? "truncated" : "damaged", size, bytes);
    return PQ_OK;
}

static enum pq_status check_open_file(int fd, const char *path, const char *kind, uint32_t version, int private,
                                      struct pq_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return pq_fail(err, PQ_USER, "%s: is not a regular file; give a model's prefix", path);
    if (private && (info.st_mode & 077))
        return pq_fail(err, PQ_USER, "%s: holds the model owner's secrets and has mode %03o, open to group or others; "
                       "run: chmod 600 %s", path, (unsigned)(info.st_mode & 0777), path);
    char block[PQ_SEAL_BYTES] = { 0 }, expected[DIGITS + 1], found[DIGITS + 1];
    ssize_t got = read_at(fd, block, sizeof block, 0);
    if (got < 0)
        return pq_fail(err, PQ_USER, "%s: cannot be read: %s; copy the file to a sound disk", path, strerror(errno));
    enum pq_status status = check_block(path, block, got, kind, version, (uint64_t)info.st_size, expected, err);
    if (status != PQ_OK)
        return status;
    char *at = memmem(block, sizeof block, expected, DIGITS);
    PQ_ASSERT(at);
    memcpy(at, no_digits, DIGITS);
    if (digest_file(fd, block, found) != 0)
        return pq_fail(err, PQ_USER, "%s: cannot be read: %s; copy the file to a sound disk", path, strerror(errno));
    if (strcmp(found, expected) != 0)
        return pq_fail(err, PQ_USER, "%s: is damaged: its bytes do not have the SHA-256 that its header says; " AGAIN,
                       path);
    return PQ_OK;
}

enum pq_status pq_seal_check(const char *path, const char *kind, uint32_t version, int private, struct pq_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pq_fail(err, PQ_USER, "%s: cannot be opened: %s; give the prefix that `pqbert model synth --out PREFIX` "
                       "was given", path, strerror(errno));
    enum pq_status status = check_open_file(fd, path, kind, version, private, err);
    close(fd);
    return status;
}
