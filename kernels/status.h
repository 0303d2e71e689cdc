/* How a function says that it failed. Three kinds of failure, three treatments:
 *
 *   the user's mistake   PQ_USER    one line (what, why, what would work), exit 2, before work starts
 *   the world's failure  PQ_WORLD   one line (expected, found), the whole job ends, exit 1
 *   our bug              PQ_ASSERT  stays on in release builds
 *
 * Functions that can fail return enum pq_status and write that line into a struct pq_error; only the commands
 * in jobs/ print it. The text has no newline and needs no context to be understood. */
#ifndef PQ_STATUS_H
#define PQ_STATUS_H

#include <stddef.h>

enum pq_status { PQ_OK = 0, PQ_WORLD = 1, PQ_USER = 2, PQ_INVALID = 3 }; /* also the exit codes */

struct pq_error { char text[512]; };

#if defined(__GNUC__)
#define PQ_MUST_USE __attribute__((warn_unused_result))
#define PQ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PQ_NORETURN __attribute__((noreturn))
#else
#define PQ_MUST_USE
#define PQ_PRINTF(fmt, args)
#define PQ_NORETURN
#endif

/* Writes the line into *err (which may be NULL) and returns status: `return pq_fail(err, PQ_USER, "...", ...)`. Control
 * characters, which names and values from outside may hold, become question marks. */
enum pq_status pq_fail(struct pq_error *err, enum pq_status status, const char *fmt, ...) PQ_PRINTF(3, 4);

/* A broken promise inside the program: prints where, then aborts. Never for input or for the system's failures. */
void pq_bug(const char *condition, const char *file, int line) PQ_NORETURN;
#define PQ_ASSERT(c) ((c) ? (void)0 : pq_bug(#c, __FILE__, __LINE__))

/* malloc that cannot return NULL: memory that cost predicted and the machine does not have ends the process with
 * the number of bytes asked for. 64-byte aligned; release with free(). bytes == 0 gives a valid pointer. */
void *pq_alloc(size_t bytes);

#endif
