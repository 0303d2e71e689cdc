#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 1 << 26, DIMENSIONS = 8, PIECE = 1 << 16 };

struct dtype { const char *name; uint32_t bytes; float (*convert)(const uint8_t *value); /* NULL: not to float32 */ };
struct tensor { const char *name; const struct dtype *dtype; uint32_t rows, cols; uint64_t begin, end; };

struct pq_safetensors {
    char *path;
    int fd;
    json_t *header;        /* holds the names */
    struct tensor *tensor; /* [count], in the order of their places */
    size_t count;
    uint64_t start;        /* of the values in the file */
};

/* ---- dtypes ---- */

static uint64_t little_endian(const uint8_t *at, int bytes)
{
    uint64_t bits = 0;
    while (bytes-- > 0)
        bits = bits << 8 | at[bytes];
    return bits;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_f32(const uint8_t *at)
{
    return from_bits((uint32_t)little_endian(at, 4));
}

static float from_bf16(const uint8_t *at)
{
    return from_bits((uint32_t)little_endian(at, 2) << 16);
}

static float from_f16(const uint8_t *at)
{
    const uint32_t h = (uint32_t)little_endian(at, 2), exponent = h >> 10 & 31, fraction = h & 1023;
    float value = ldexpf((float)(exponent ? 1024 + fraction : fraction), (int)(exponent ? exponent : 1) - 25);
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    return h >> 15 ? -value : value;
}

static float from_f64(const uint8_t *at)
{
    const uint64_t bits = little_endian(at, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static const struct dtype dtypes[] = {
    { "F32", 4, from_f32 }, { "F16", 2, from_f16 }, { "BF16", 2, from_bf16 }, { "F64", 8, from_f64 },
    { "I64", 8, NULL }, { "I32", 4, NULL }, { "I16", 2, NULL }, { "I8", 1, NULL }, { "U64", 8, NULL },
    { "U32", 4, NULL }, { "U16", 2, NULL }, { "U8", 1, NULL }, { "BOOL", 1, NULL }, { "F8_E4M3", 1, NULL },
    { "F8_E5M2", 1, NULL },
};

static const struct dtype *dtype_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(name, dtypes[i].name))
            return &dtypes[i];
    return NULL;
}

static enum pq_status damaged(const struct pq_safetensors *f, const char *name, const char *what, struct pq_error *err)
{
    return pq_fail(err, PQ_USER, "%s: tensor '%.100s' %s; give the model.safetensors of a checkpoint, whole", f->path,
                   name, what);
}

/* All `bytes` bytes at `at`, or false. */
static bool read_at(int fd, uint64_t at, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));
        if (n <= 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* ---- the description ---- */

/* Number of elements of a shape, and rows and cols where it has one or two dimensions. */
static bool take_shape(const json_t *shape, struct tensor *t, uint64_t *elements)
{
    uint64_t size[DIMENSIONS] = { 0 };
    const size_t rank = json_array_size(shape);
    *elements = 1;
    if (!json_is_array(shape) || rank > DIMENSIONS)
        return false;
    for (size_t d = 0; d < rank; d++) {
        const json_t *value = json_array_get(shape, d);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return false;
        size[d] = (uint64_t)json_integer_value(value);
        if (__builtin_mul_overflow(*elements, size[d], elements))
            return false;
    }
    if ((rank == 1 || rank == 2) && size[0] <= UINT32_MAX && size[1] <= UINT32_MAX) {
        t->rows = (uint32_t)size[0];
        t->cols = rank == 2 ? (uint32_t)size[1] : 1;
    }
    return true;
}

static bool take_offset(const json_t *offsets, size_t which, uint64_t *offset)
{
    const json_t *value = json_array_get(offsets, which);
    *offset = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static enum pq_status take_tensor(struct pq_safetensors *f, const char *name, const json_t *entry,
                                  struct pq_error *err)
{
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    struct tensor *t = &f->tensor[f->count];
    uint64_t elements, bytes;
    *t = (struct tensor){ .name = name, .dtype = dtype_of(json_string_value(json_object_get(entry, "dtype"))) };
    if (!t->dtype)
        return damaged(f, name, "has no dtype that is known", err);
    if (!take_shape(shape, t, &elements) || __builtin_mul_overflow(elements, t->dtype->bytes, &bytes))
        return damaged(f, name, "has no shape, or an impossible one", err);
    if (json_array_size(offsets) != 2 || !take_offset(offsets, 0, &t->begin) || !take_offset(offsets, 1, &t->end)
        || t->end < t->begin)
        return damaged(f, name, "has no data_offsets, or impossible ones", err);
    if (t->end - t->begin != bytes)
        return damaged(f, name, "has data_offsets that do not agree with its shape and dtype", err);
    f->count++;
    return PQ_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static enum pq_status take_header(struct pq_safetensors *f, uint64_t data_bytes, struct pq_error *err)
{
    const char *name;
    json_t *entry;
    uint64_t end = 0;
    f->tensor = pq_alloc(json_object_size(f->header) * sizeof *f->tensor);
    json_object_foreach(f->header, name, entry) {
        const enum pq_status s = strcmp(name, "__metadata__") ? take_tensor(f, name, entry, err) : PQ_OK;
        if (s != PQ_OK)
            return s;
    }
    qsort(f->tensor, f->count, sizeof *f->tensor, by_place);
    for (size_t i = 0; i < f->count; end = f->tensor[i++].end)
        if (f->tensor[i].begin != end)
            return damaged(f, f->tensor[i].name, "overlaps another one, or leaves a hole behind it", err);
    if (end != data_bytes)
        return pq_fail(err, PQ_USER, "%s: has %" PRIu64 " bytes of values where its description says %" PRIu64 "; give "
                       "the model.safetensors of a checkpoint, whole", f->path, data_bytes, end);
    return PQ_OK;
}

static enum pq_status read_header(struct pq_safetensors *f, struct pq_error *err)
{
    static const char what_works[] = "give the model.safetensors of a checkpoint";
    struct stat info;
    uint8_t length[8];
    uint64_t bytes = 0;
    json_error_t where;
    if (fstat(f->fd, &info) || !S_ISREG(info.st_mode))
        return pq_fail(err, PQ_USER, "%s: is not a regular file; %s", f->path, what_works);
    const uint64_t size = (uint64_t)info.st_size;
    if (size < 8 || !read_at(f->fd, 0, length, 8))
        return pq_fail(err, PQ_USER, "%s: ends before the length of its description; %s", f->path, what_works);
    for (int i = 7; i >= 0; i--)
        bytes = bytes << 8 | length[i];
    if (bytes > size - 8 || bytes > HEADER_BYTES)
        return pq_fail(err, PQ_USER, "%s: does not start with the length of a description within the file, so it is no "
                       "safetensors file, or cut off; %s", f->path, what_works);
    char *text = pq_alloc(bytes);
    if (!read_at(f->fd, 8, text, bytes)) {
        free(text);
        return pq_fail(err, PQ_USER, "%s: cannot be read; %s", f->path, what_works);
    }
    f->header = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (!json_is_object(f->header))
        return pq_fail(err, PQ_USER, "%s: its description is not JSON, or not of tensors (byte %d); %s", f->path,
                       f->header ? 0 : where.position, what_works);
    f->start = 8 + bytes;
    return take_header(f, size - f->start, err);
}

enum pq_status pq_safetensors_open(const char *path, struct pq_safetensors **file, struct pq_error *err)
{
    *file = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pq_fail(err, PQ_USER, "%s: cannot be opened (%s); give the model.safetensors of a checkpoint", path,
                       strerror(errno));
    struct pq_safetensors *f = pq_alloc(sizeof *f);
    *f = (struct pq_safetensors){ .fd = fd, .path = pq_alloc(strlen(path) + 1) };
    strcpy(f->path, path);
    const enum pq_status s = read_header(f, err);
    if (s == PQ_OK)
        *file = f;
    else
        pq_safetensors_close(f);
    return s;
}

void pq_safetensors_close(struct pq_safetensors *f)
{
    if (!f)
        return;
    json_decref(f->header);
    close(f->fd);
    free(f->tensor);
    free(f->path);
    free(f);
}

/* ---- values ---- */

static const struct tensor *find(const struct pq_safetensors *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->tensor[i].name, name))
            return &f->tensor[i];
    return NULL;
}

bool pq_safetensors_find(const struct pq_safetensors *f, const char *name, uint32_t *rows, uint32_t *cols)
{
    const struct tensor *t = find(f, name);
    if (rows)
        *rows = t ? t->rows : 0;
    if (cols)
        *cols = t ? t->cols : 0;
    return t != NULL;
}

static enum pq_status read_values(const struct pq_safetensors *f, const struct tensor *t, size_t count, float *values,
                                  struct pq_error *err)
{
    const size_t each = t->dtype->bytes, most = PIECE / each;
    uint8_t piece[PIECE];
    for (size_t i = 0; i < count;) {
        const size_t n = count - i < most ? count - i : most;
        if (!read_at(f->fd, f->start + t->begin + i * each, piece, n * each))
            return damaged(f, t->name, "cannot be read", err);
        for (size_t k = 0; k < n; k++, i++) {
            values[i] = t->dtype->convert(piece + k * each);
            if (!isfinite(values[i]))
                return damaged(f, t->name, "has a value that is not finite", err);
        }
    }
    return PQ_OK;
}

enum pq_status pq_safetensors_read(const struct pq_safetensors *f, const char *name, uint32_t rows, uint32_t cols,
                                   float **values, struct pq_error *err)
{
    const struct tensor *t = find(f, name);
    *values = NULL;
    if (!t)
        return damaged(f, name, "is missing", err);
    if (t->rows != rows || t->cols != cols)
        return pq_fail(err, PQ_USER, "%s: tensor '%.100s' is %" PRIu32 " x %" PRIu32 ", but config.json says %" PRIu32
                       " x %" PRIu32 "; give files that belong together", f->path, name, t->rows, t->cols, rows, cols);
    if (!t->dtype->convert)
        return damaged(f, name, "is not of F32, F16, BF16 or F64", err);
    const size_t count = (size_t)rows * cols;
    float *read = pq_alloc(count * sizeof *read);
    const enum pq_status s = read_values(f, t, count, read, err);
    if (s == PQ_OK)
        *values = read;
    else
        free(read);
    return s;
}
