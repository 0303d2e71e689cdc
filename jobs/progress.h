/* Progress of long work on standard error: a line that rewrites itself on a terminal, plain lines in a log. */
#ifndef PQ_PROGRESS_H
#define PQ_PROGRESS_H

#include "../kernels/status.h"

struct pq_progress { int on, terminal; };

/* `on`: this process reports (one rank does). */
struct pq_progress pq_progress_start(int on);
/* What is being done now; replaces the line before. */
void pq_progress_note(struct pq_progress *p, const char *fmt, ...) PQ_PRINTF(2, 3);
/* A line that stays. */
void pq_progress_line(struct pq_progress *p, const char *fmt, ...) PQ_PRINTF(2, 3);

#endif
