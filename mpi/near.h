/* Exchanges between two processes on one host: each side writes its message where the other one reads it, in a window
 * of shared memory (MPI-3), so that nothing is copied and no system call made. P1's rank j and P2's rank j have one
 * where they are on the same host; swap.h uses it for rounds, and MPI for everything else. What lies in the window are the
 * messages of one pair, masked as on any wire. */
#ifndef PQ_NEAR_H
#define PQ_NEAR_H

#include "group.h"

struct pq_near;

/* For ranks of P1 and P2; every rank of the launch calls it. NULL where the partner is on another host or the system
 * gives no shared memory. */
struct pq_near *pq_near_open(const struct pq_group *g);
void pq_near_close(struct pq_near *n); /* NULL is fine */

/* Bytes of the longest message. */
size_t pq_near_room(void);

/* Where to write the next message; free to write until the next swap. */
void *pq_near_next(struct pq_near *n);

/* Hands over the `bytes` bytes that were written and waits for the partner's message: both sides call it the same
 * number of times. Returns the partner's message, which stays until the next swap, and its size in *theirs. */
const void *pq_near_swap(struct pq_near *n, size_t bytes, size_t *theirs);

#endif
