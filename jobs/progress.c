#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const CLEAR_LINE = "\r\033[K";

struct pq_progress pq_progress_start(int on)
{
    return (struct pq_progress){ .on = on, .terminal = isatty(STDERR_FILENO) };
}

void pq_progress_note(struct pq_progress *p, const char *fmt, ...)
{
    va_list args;
    if (!p->on || !p->terminal) /* in a log only the lines that stay are worth a line */
        return;
    va_start(args, fmt);
    fputs(CLEAR_LINE, stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fflush(stderr);
}

void pq_progress_line(struct pq_progress *p, const char *fmt, ...)
{
    va_list args;
    if (!p->on)
        return;
    va_start(args, fmt);
    if (p->terminal)
        fputs(CLEAR_LINE, stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    fflush(stderr);
}
