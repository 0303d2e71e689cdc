#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum pq_status pq_fail(struct pq_error *err, enum pq_status status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
        for (char *c = err->text; *c; c++) /* names and values from outside may hold anything; it stays one line */
            if ((unsigned char)*c < ' ' || *c == 127)
                *c = '?';
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
    /* Large arrays are read a little everywhere (weights, tables): 2 MiB pages spare most address translations. */
    const size_t large = (size_t)2 << 20, align = bytes >= 2 * large ? large : 64;
    const size_t rounded = (bytes + align - 1) / align * align;
    void *p = aligned_alloc(align, rounded ? rounded : align);
    if (!p) {
        fprintf(stderr, "pqbert: out of memory: %zu bytes were asked for (`pqbert cost` predicts the need)\n", bytes);
        fflush(NULL);
        _exit(PQ_WORLD); /* a launcher ends the other ranks when one goes without a farewell */
    }
    if (align == large)
        madvise(p, rounded, MADV_HUGEPAGE); /* advice only: refused where there are none */
    return p;
}
