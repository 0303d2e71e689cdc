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

/* The block is this text, then, where parts are open, their lines, then zero bytes. The digest counts its own 64 digits
 * as '0'. */
#define SEAL_TEXT "pqbert file\nkind %s\nversion %" PRIu32 "\nbytes %" PRIu64 "\nsha256 %s\n"
#define SEAL_SCAN "pqbert file\nkind %31s\nversion %9[0-9]\nbytes %18[0-9]\nsha256 %64[0-9a-f]\n"
#define OPEN_TEXT "open %" PRIu64 " %" PRIu64 "\n"
#define OPEN_SCAN "open %18[0-9] %18[0-9]\nopen %18[0-9] %18[0-9]\n"

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

enum pq_status pq_seal_write(int fd, const char *path, const struct pq_seal_kind *kind, const void *content,
                             size_t bytes, struct pq_error *err)
{
    char block[PQ_SEAL_BYTES] = { 0 }, digits[DIGITS + 1];
    uint64_t total = PQ_SEAL_BYTES + (uint64_t)bytes;
    PQ_ASSERT(!kind->parts);
    snprintf(block, sizeof block, SEAL_TEXT, kind->name, kind->version, total, no_digits);
    struct pq_sha256 *sha = pq_sha256_begin();
    pq_sha256_add(sha, block, sizeof block);
    pq_sha256_add(sha, content, bytes);
    finish_digits(sha, digits);
    snprintf(block, sizeof block, SEAL_TEXT, kind->name, kind->version, total, digits);
    if (write_all(fd, block, sizeof block) != 0 || write_all(fd, content, bytes) != 0 || fsync(fd) != 0)
        return pq_fail(err, PQ_WORLD, "%s: %" PRIu64 " bytes cannot be written: %s", path, total, strerror(errno));
    return PQ_OK;
}

/* Hashes the bytes [from, to) of the file. */
static int digest_range(struct pq_sha256 *sha, int fd, uint64_t from, uint64_t to)
{
    char *piece = pq_alloc(PIECE);
    ssize_t n = 1;
    for (; from < to && n > 0; from += (uint64_t)n) {
        n = read_at(fd, piece, to - from < PIECE ? to - from : PIECE, (off_t)from);
        if (n > 0)
            pq_sha256_add(sha, piece, (size_t)n);
    }
    free(piece);
    return n < 0 ? -1 : 0;
}

/* The digest of an open file of this length whose first bytes are `block`, its digits set to '0'. */
static int digest_file(int fd, const char block[PQ_SEAL_BYTES], uint64_t bytes,
                       const struct pq_seal_part part[PQ_SEAL_PARTS], char digits[DIGITS + 1])
{
    struct pq_sha256 *sha = pq_sha256_begin();
    uint64_t at = PQ_SEAL_BYTES;
    int failed = 0;
    pq_sha256_add(sha, block, PQ_SEAL_BYTES);
    for (int i = 0; i < PQ_SEAL_PARTS && !failed; at = part[i].at + part[i].bytes, i++)
        failed = digest_range(sha, fd, at, part[i].at);
    failed = failed || digest_range(sha, fd, at, bytes);
    finish_digits(sha, digits);
    return failed ? -1 : 0;
}

/* In order, behind the seal and inside the file. */
static int parts_fit(const struct pq_seal_part part[PQ_SEAL_PARTS], uint64_t bytes)
{
    uint64_t at = PQ_SEAL_BYTES;
    for (int i = 0; i < PQ_SEAL_PARTS; at = part[i].at + part[i].bytes, i++)
        if (part[i].at < at || part[i].at > bytes || part[i].bytes > bytes - part[i].at)
            return 0;
    return 1;
}

enum pq_status pq_seal_close(int fd, const char *path, const struct pq_seal_kind *kind,
                             const struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err)
{
    char block[PQ_SEAL_BYTES] = { 0 }, digits[DIGITS + 1];
    struct stat info;
    if (fstat(fd, &info) != 0)
        return pq_fail(err, PQ_WORLD, "%s: %s", path, strerror(errno));
    const uint64_t total = (uint64_t)info.st_size;
    PQ_ASSERT(kind->parts && parts_fit(part, total));
    int n = snprintf(block, sizeof block, SEAL_TEXT, kind->name, kind->version, total, no_digits);
    for (int i = 0; i < PQ_SEAL_PARTS; i++)
        n += snprintf(block + n, sizeof block - (size_t)n, OPEN_TEXT, part[i].at, part[i].bytes);
    int failed = digest_file(fd, block, total, part, digits);
    char *at = memmem(block, sizeof block, no_digits, DIGITS);
    PQ_ASSERT(at);
    memcpy(at, digits, DIGITS);
    if (failed || pwrite(fd, block, sizeof block, 0) != sizeof block || fsync(fd) != 0)
        return pq_fail(err, PQ_WORLD, "%s: cannot be sealed: %s", path, strerror(errno));
    return PQ_OK;
}

static enum pq_status check_block(const char *path, const char block[PQ_SEAL_BYTES], ssize_t got,
                                  const struct pq_seal_kind *kind, uint64_t size, char digits[DIGITS + 1],
                                  struct pq_error *err)
{
    static const char magic[] = "pqbert file\n";
    char is_kind[32], is_version[10], is_bytes[19];
    char text[PQ_SEAL_BYTES + 1];
    if (got == 0)
        return pq_fail(err, PQ_USER, "%s: is empty; %s", path, kind->again);
    if (memcmp(block, magic, got < (ssize_t)sizeof magic - 1 ? (size_t)got : sizeof magic - 1) != 0)
        return pq_fail(err, PQ_USER, "%s: is not a pqbert file%s; %s", path,
                       got >= 4 && !memcmp(block, "\211HDF", 4) ? " (it is some other HDF5 file)" : "", kind->give);
    if (got < PQ_SEAL_BYTES)
        return pq_fail(err, PQ_USER, "%s: is truncated: %zd bytes, less than its header; %s", path, got, kind->again);
    memcpy(text, block, PQ_SEAL_BYTES);
    text[PQ_SEAL_BYTES] = '\0';
    if (sscanf(text, SEAL_SCAN, is_kind, is_version, is_bytes, digits) != 4 || strlen(digits) != DIGITS)
        return pq_fail(err, PQ_USER, "%s: is damaged: its header is not readable; %s", path, kind->again);
    for (char *c = is_kind; *c; c++)
        if (*c < ' ' || *c > '~') /* the message must stay one readable line */
            *c = '?';
    if (strcmp(is_kind, kind->name) != 0)
        return pq_fail(err, PQ_USER, "%s: is a pqbert file of kind '%s', not '%s'; give the right file", path, is_kind,
                       kind->name);
    if (strtoul(is_version, NULL, 10) != kind->version)
        return pq_fail(err, PQ_USER, "%s: has format version %s, this program reads version %" PRIu32 "; make the file "
                       "again with this program, or use the program that made it", path, is_version, kind->version);
    uint64_t bytes = strtoull(is_bytes, NULL, 10);
    if (bytes != size)
        return pq_fail(err, PQ_USER, "%s: is %s: %" PRIu64 " bytes where its header says %" PRIu64 "; %s", path,
                       size < bytes ? "truncated" : "damaged", size, bytes, kind->again);
    return PQ_OK;
}

/* From the lines behind the digits. */
static enum pq_status read_parts(const char *path, const char block[PQ_SEAL_BYTES], const char *digits,
                                      const struct pq_seal_kind *kind, uint64_t size,
                                      struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err)
{
    char number[2 * PQ_SEAL_PARTS][19], text[PQ_SEAL_BYTES + 1];
    memcpy(text, block, PQ_SEAL_BYTES);
    text[PQ_SEAL_BYTES] = '\0';
    const char *lines = strstr(text, digits) + DIGITS + 1;
    if (sscanf(lines, OPEN_SCAN, number[0], number[1], number[2], number[3]) == 2 * PQ_SEAL_PARTS) {
        for (int i = 0; i < PQ_SEAL_PARTS; i++)
            part[i] = (struct pq_seal_part){ strtoull(number[2 * i], NULL, 10), strtoull(number[2 * i + 1], NULL, 10) };
        if (parts_fit(part, size))
            return PQ_OK;
    }
    return pq_fail(err, PQ_USER, "%s: is damaged: its header is not readable; %s", path, kind->again);
}

static enum pq_status check_open_file(int fd, const char *path, const struct pq_seal_kind *kind,
                                      struct pq_seal_part part[PQ_SEAL_PARTS], struct pq_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return pq_fail(err, PQ_USER, "%s: is not a regular file; %s", path, kind->give);
    if (kind->secrets && (info.st_mode & 077))
        return pq_fail(err, PQ_USER, "%s: holds %s and has mode %03o, open to group or others; run: chmod 600 %s", path,
                       kind->secrets, (unsigned)(info.st_mode & 0777), path);
    char block[PQ_SEAL_BYTES] = { 0 }, expected[DIGITS + 1], found[DIGITS + 1];
    const uint64_t size = (uint64_t)info.st_size;
    ssize_t got = read_at(fd, block, sizeof block, 0);
    if (got < 0)
        return pq_fail(err, PQ_USER, "%s: cannot be read: %s; copy the file to a sound disk", path, strerror(errno));
    enum pq_status status = check_block(path, block, got, kind, size, expected, err);
    for (int i = 0; i < PQ_SEAL_PARTS; i++)
        part[i] = (struct pq_seal_part){ size, 0 };
    if (status == PQ_OK && kind->parts)
        status = read_parts(path, block, expected, kind, size, part, err);
    if (status != PQ_OK)
        return status;
    char *at = memmem(block, sizeof block, expected, DIGITS);
    PQ_ASSERT(at);
    memcpy(at, no_digits, DIGITS);
    if (digest_file(fd, block, size, part, found) != 0)
        return pq_fail(err, PQ_USER, "%s: cannot be read: %s; copy the file to a sound disk", path, strerror(errno));
    if (strcmp(found, expected) != 0)
        return pq_fail(err, PQ_USER, "%s: is damaged: its bytes do not have the SHA-256 that its header says; %s", path,
                       kind->again);
    return PQ_OK;
}

enum pq_status pq_seal_check(const char *path, const struct pq_seal_kind *kind, struct pq_seal_part part[PQ_SEAL_PARTS],
                             int *fd, struct pq_error *err)
{
    struct pq_seal_part none[PQ_SEAL_PARTS];
    int file = open(path, (fd ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return pq_fail(err, PQ_USER, "%s: cannot be opened: %s; %s", path, strerror(errno), kind->give);
    enum pq_status status = check_open_file(file, path, kind, part ? part : none, err);
    if (fd && status == PQ_OK)
        *fd = file;
    else
        close(file);
    return status;
}
