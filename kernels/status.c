#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum pq_status pq_fail(struct pq_error *err, enum pq_status status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
    }
    return status;
}

void pq_bug(const char *condition, const char *file, int line)
{
    fprintf(stderr, "pqbert: internal error: %s does not hold (%s:%d)\n", condition, file, line);
    abort();
}

void *pq_alloc(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, rounded ? rounded : 64);
    if (!p) {
        fprintf(stderr, "pqbert: out of memory: %zu bytes were asked for (`pqbert cost` predicts the need)\n", bytes);
        abort();
    }
    return p;
}
