/* A library for LD_PRELOAD with which tests see and disturb what a program does with files, and look at what it leaves
 * in memory. Without these variables it does nothing; with PQ_SHIM_RANK only in the rank of that number.
 *
 *   PQ_SHIM_LOG=FOLDER      appends the path of every file that is opened, as it was given, to FOLDER/RANK ("-" outside
 *                           MPI), behind "r " or, opened for writing, "w "
 *   PQ_SHIM_FAULT="CALL ACTION K NAME"   acts at the K-th (1 ...) CALL on files whose path contains NAME. CALL: open,
 *                           read, write, fsync, rename, size (ftruncate, fallocate). ACTION: ENOSPC, EIO, EROFS, EDQUOT,
 *                           with which this call and all later ones fail. half: half is written, which is no error. Once,
 *                           before the call: cut: the file becomes half as long; flip: its second half changes; swap:
 *                           NAME.other takes its name
 *   PQ_SHIM_FIRED=FILE      is made when that happens
 *   PQ_SHIM_SECRETS=FILE    when the program ends, looks through its memory for each line of FILE (hexadecimal) and for
 *                           what OpenSSL gave as private random bytes; appends "RANK given|key TIMES" to FILE.found
 *   PQ_SHIM_PLANT=1         leaves copies of those, to be found */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The function that would have been called without this library. */
#define REAL(name) static __typeof__(&name) real; if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

static const char *rank_text(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    return rank ? rank : "-";
}

/* The variable's value where this process is meant. */
static const char *setting(const char *name)
{
    const char *rank = getenv("PQ_SHIM_RANK");
    return rank && strcmp(rank, rank_text()) ? NULL : getenv(name);
}

/* Straight to the system: nothing of ours is intercepted. */
static void append(const char *path, const char *text)
{
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        syscall(SYS_write, fd, text, strlen(text));
        syscall(SYS_close, fd);
    }
}

/* ---- faults ---- */

struct fault { char call[16], action[16], name[256]; long at; };

static bool wanted(struct fault *f)
{
    const char *text = setting("PQ_SHIM_FAULT");
    return text && sscanf(text, "%15s %15s %ld %255s", f->call, f->action, &f->at, f->name) == 4;
}

static int error_of(const char *action)
{
    return !strcmp(action, "ENOSPC") ? ENOSPC : !strcmp(action, "EIO") ? EIO : !strcmp(action, "EROFS") ? EROFS :
           !strcmp(action, "EDQUOT") ? EDQUOT : 0;
}

static void fired(void)
{
    const char *path = getenv("PQ_SHIM_FIRED");
    if (path)
        append(path, "fired\n");
}

static void flip(const char *path)
{
    uint8_t data[4096];
    struct stat info;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0)
        abort();
    for (off_t at = info.st_size / 2; at < info.st_size; at += (off_t)sizeof data) {
        const long n = syscall(SYS_pread64, fd, data, sizeof data, at);
        for (long i = 0; i < n; i++)
            data[i] ^= 0xff;
        syscall(SYS_pwrite64, fd, data, n, at);
    }
    syscall(SYS_close, fd);
}

/* Before CALL on this path: the error with which it fails, 0 to go on, -1 to do half of it. */
static int disturb(const char *call, const char *path)
{
    static atomic_long calls;
    struct fault f;
    struct stat info;
    char other[512];
    if (!wanted(&f) || strcmp(call, f.call) || !strstr(path, f.name))
        return 0;
    const long now = ++calls;
    const int error = error_of(f.action);
    if (now < f.at || (now > f.at && !error))
        return 0;
    if (now == f.at)
        fired();
    if (!strcmp(f.action, "cut") && stat(path, &info) == 0)
        syscall(SYS_truncate, path, info.st_size / 2);
    if (!strcmp(f.action, "flip"))
        flip(path);
    if (!strcmp(f.action, "swap")) {
        snprintf(other, sizeof other, "%s.other", f.name);
        syscall(SYS_rename, other, path);
    }
    return !strcmp(f.action, "half") ? -1 : error;
}

static char *path_of(int fd, char *path, size_t room)
{
    char link[32];
    const int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, room - 1);
    path[n > 0 ? n : 0] = 0;
    errno = saved;
    return path;
}

static int disturb_fd(const char *call, int fd)
{
    char path[512];
    return disturb(call, path_of(fd, path, sizeof path));
}

#define STOP(error) do { if ((error) > 0) { errno = (error); return -1; } } while (0)
#define FAIL(call, fd) do { const int error_ = disturb_fd(call, fd); STOP(error_); } while (0)

ssize_t write(int fd, const void *data, size_t n)
{
    REAL(write);
    const int how = disturb_fd("write", fd);
    STOP(how);
    return real(fd, data, how < 0 ? (n + 1) / 2 : n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    REAL(pwrite);
    const int how = disturb_fd("write", fd);
    STOP(how);
    return real(fd, data, how < 0 ? (n + 1) / 2 : n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    REAL(pwrite64);
    const int how = disturb_fd("write", fd);
    STOP(how);
    return real(fd, data, how < 0 ? (n + 1) / 2 : n, at);
}

ssize_t read(int fd, void *data, size_t n)
{
    REAL(read);
    FAIL("read", fd);
    return real(fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    REAL(pread);
    FAIL("read", fd);
    return real(fd, data, n, at);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t at)
{
    REAL(pread64);
    FAIL("read", fd);
    return real(fd, data, n, at);
}

int fsync(int fd)
{
    REAL(fsync);
    FAIL("fsync", fd);
    return real(fd);
}

int ftruncate(int fd, off_t length)
{
    REAL(ftruncate);
    FAIL("size", fd);
    return real(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    REAL(ftruncate64);
    FAIL("size", fd);
    return real(fd, length);
}

int fallocate(int fd, int mode, off_t from, off_t length)
{
    REAL(fallocate);
    FAIL("size", fd);
    return real(fd, mode, from, length);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    const int how = disturb("rename", to);
    STOP(how);
    return real(from, to);
}

/* ---- which files are opened ---- */

static int opened_in(int folder_fd, const char *path, bool writes)
{
    const char *folder = setting("PQ_SHIM_LOG");
    const int saved = errno;
    char log[512], line[1600], place[512] = "";
    if (folder) {
        if (folder_fd != AT_FDCWD && *path != '/')
            strcat(path_of(folder_fd, place, sizeof place - 1), "/");
        snprintf(log, sizeof log, "%s/%s", folder, rank_text());
        snprintf(line, sizeof line, "%c %s%s\n", writes ? 'w' : 'r', place, path);
        append(log, line);
    }
    errno = saved;
    return disturb("open", path);
}

static int opened(const char *path, bool writes)
{
    return opened_in(AT_FDCWD, path, writes);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list args; \
        va_start(args, flags); \
        const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0; \
        va_end(args); \
        const int how = opened(path, (flags & O_ACCMODE) != O_RDONLY); \
        STOP(how); \
        return real(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list args; \
        va_start(args, flags); \
        const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0; \
        va_end(args); \
        const int how = opened_in(folder, path, (flags & O_ACCMODE) != O_RDONLY); \
        STOP(how); \
        return real(folder, path, flags, mode); \
    }
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) \
    { \
        REAL(name); \
        const int how = opened(path, strpbrk(mode, "wa+") != NULL); \
        if (how > 0) { \
            errno = how; \
            return NULL; \
        } \
        return real(path, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)

/* ---- what is left in memory ---- */

/* Kept with other bits, so as not to be found here. */
enum { SECRETS = 64, SECRET_BYTES = 256, BITS = 0x5a };
static struct secret { uint8_t byte[SECRET_BYTES]; size_t n; bool random; } secret[SECRETS];
static atomic_int secrets;

static void remember(const uint8_t *data, size_t n, bool random)
{
    const int i = secrets++;
    if (i >= SECRETS || n > SECRET_BYTES)
        abort();
    for (size_t k = 0; k < n; k++)
        secret[i].byte[k] = data[k] ^ BITS;
    secret[i].n = n;
    secret[i].random = random;
}

static void plant(const uint8_t *data, size_t n)
{
    static uint8_t *volatile planted; /* read by nobody, but not to be left out */
    planted = malloc(n + 16);
    memcpy(planted + 16, data, n);
}

int RAND_priv_bytes(unsigned char *data, int n);
int RAND_priv_bytes(unsigned char *data, int n)
{
    REAL(RAND_priv_bytes);
    const int right = real(data, n);
    if (right == 1 && n >= 16 && setting("PQ_SHIM_SECRETS"))
        remember(data, (size_t)n, true);
    if (right == 1 && setting("PQ_SHIM_PLANT"))
        plant(data, (size_t)n);
    return right;
}

static unsigned from_hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void read_secrets(const char *path)
{
    static char text[8192];
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? syscall(SYS_read, fd, text, sizeof text - 1) : 0;
    syscall(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        uint8_t data[SECRET_BYTES];
        const size_t bytes = strlen(line) / 2;
        for (size_t k = 0; k < bytes && k < sizeof data; k++)
            data[k] = (uint8_t)(from_hex(line[2 * k]) << 4 | from_hex(line[2 * k + 1]));
        remember(data, bytes, false);
        memset(data, 0, sizeof data);
        __asm__ volatile("" ::: "memory");
    }
}

static size_t count(const struct secret *s, const uint8_t *from, size_t bytes)
{
    size_t found = 0;
    const uint8_t first = s->byte[0] ^ BITS;
    for (const uint8_t *p = from; bytes >= s->n && (p = memchr(p, first, (size_t)(from + bytes - p) - s->n + 1)); p++) {
        size_t k = 1;
        while (k < s->n && p[k] == (s->byte[k] ^ BITS))
            k++;
        found += k == s->n;
        if ((size_t)(from + bytes - p) <= s->n)
            break;
    }
    return found;
}

static void look_through(const char *out)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t found[SECRETS] = { 0 };
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char access[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, access) != 3 || access[0] != 'r' || access[1] != 'w' ||
            strstr(line, "/dev/"))
            continue;
        for (int i = 0; i < secrets; i++)
            found[i] += count(&secret[i], (const uint8_t *)from, to - from);
    }
    if (maps)
        fclose(maps);
    for (int i = 0; i < secrets; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s.found", out);
        snprintf(line, sizeof line, "%s %s %zu\n", rank_text(), secret[i].random ? "key" : "given", found[i]);
        append(name, line);
    }
}

__attribute__((constructor)) static void begin(void)
{
    if (setting("PQ_SHIM_SECRETS"))
        read_secrets(setting("PQ_SHIM_SECRETS"));
}

__attribute__((destructor)) static void end(void)
{
    if (setting("PQ_SHIM_SECRETS"))
        look_through(setting("PQ_SHIM_SECRETS"));
}
