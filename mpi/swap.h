/* One round between P1 and P2 with a message of one size both ways, which both write and read piece by piece: a piece
 * leaves as soon as it is written, while the next one is computed, and a piece that has come is used while the next is on
 * its way. So a long message hides behind the computing before and after it. Where both are on one host (near.h) there is
 * nothing to hide: the message lies in shared memory, in one piece, and is handed over when all of it is written.
 *
 * Two swaps may be in the making: the second begins, and is given, while the first comes. Both parties make the same calls
 * in the same order; one thread. Ranks of P1 and P2 call it, online; openings (open.h) are its only use in programs. Cost:
 * `bytes` each way, counted when the swap begins as one message and, unless it is empty, one round, whatever the pieces.
 * Errors: a message of another length, or a lost peer, ends the job with rank and phase. */
#ifndef PQ_SWAP_H
#define PQ_SWAP_H

#include "link.h"

struct pq_swap {
    struct pq_link *link;
    enum pq_role peer;
    uint8_t *out;            /* where to write the own message */
    const uint8_t *in;       /* where the peer's comes; near: NULL until all is given */
    size_t bytes, piece;     /* of the message; of a piece, but for the last: a multiple of unit, or everything */
    size_t given, come;
    struct pq_swap_lane *lane; /* over MPI; NULL: near */
};

/* Pieces end at multiples of `unit` bytes, which is at most some KiB. */
struct pq_swap pq_swap_begin(struct pq_link *l, enum pq_role peer, size_t bytes, size_t unit);

/* The first `upto` bytes are written and stay as they are until the peer's message has come: whole pieces leave, with the
 * last byte the rest. Near, with the last byte: waits for the peer to have written all. */
void pq_swap_give(struct pq_swap *s, size_t upto);

/* Waits until the first `upto` bytes of the peer's message are in place; with the last byte also until the own message has
 * left. Everything is given before anything comes. The message stays until the next swap but one begins (near: until the
 * next one is given). */
void pq_swap_come(struct pq_swap *s, size_t upto);

#endif
