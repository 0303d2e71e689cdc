/* Opening an additive share under an offset: P1 and P2 learn delta = x - Delta mod 2^bits, where Delta = (s01's + s02's
 * PQ_S_MASK) mod 2^bits is known to P0 and to neither of them (protocols.md section 3). Three faces of one protocol:
 * what P0 deals, what P1 and P2 do, what it costs; the engines' tables of operations point at them. */
#ifndef PQ_OPEN_H
#define PQ_OPEN_H

#include "context.h"
#include "cost.h"
#include "swap.h"

/* P0: offset, ring_bytes(bits) each. Sends nothing: both halves of Delta follow from the seeds. */
struct pq_opened pq_open_deal(struct pq_engine *e, struct pq_add x);
/* P1, P2: delta. ceil(n*bits/8) bytes each way, 1 round. */
struct pq_opened pq_open_online(struct pq_engine *e, struct pq_add x);
struct pq_opened pq_open_cost(struct pq_engine *e, struct pq_add x);

/* The same with masks that the caller draws: opens share - mask, n elements of Z_2^bits, into delta (share may be
 * delta). 1 round. P1, P2. */
void pq_open_masked(struct pq_context *c, void *delta, const void *share, const void *mask, size_t n, unsigned bits);

/* The same in steps, for operations that do several things in one pass over memory: begin, put every chunk of the own
 * masked shares (pq_ring_bytes(bits) wide), then add the peer's to every chunk of them, which opens them.
 * Shares of one bit are added mod 2, that is, by exclusive or.
 * i: the chunk's first element, a multiple of PQ_CHUNK; chunks from any thread. P1, P2. ceil(n*bits/8) bytes each way, 1
 * round.
 *
 * A pass goes from stretch to stretch, so that a long message travels in pieces beside it (swap.h):
 *
 *     for (size_t a = 0, b; (b = pq_opening_next(in, out, a)) > a; a = b)
 *         for (size_t i = a; i < b; i += PQ_CHUNK)  // by all threads
 *             pq_opening_add(in, i, ...), pq_opening_put(out, i, ...)
 *
 * in: an opening that was put in the pass before; out: one that is put in this pass, of as many elements; either may be
 * NULL. The last call, which returns a, hands over what is left of out. */
struct pq_opening { struct pq_swap swap; size_t n; unsigned bits; };
struct pq_opening pq_opening_begin(struct pq_context *c, size_t n, unsigned bits);
size_t pq_opening_next(struct pq_opening *in, struct pq_opening *out, size_t a);
void pq_opening_put(const struct pq_opening *o, size_t i, const void *own, size_t m);
void pq_opening_add(const struct pq_opening *o, size_t i, void *own, size_t m);

/* row - x mod 2^4, row repeated over len. Local; P0 gets the difference of the offsets. */
struct pq_opened pq_difference_deal(struct pq_engine *e, struct pq_opened row, struct pq_opened x);
struct pq_opened pq_difference_online(struct pq_engine *e, struct pq_opened row, struct pq_opened x);
struct pq_opened pq_difference_cost(struct pq_engine *e, struct pq_opened row, struct pq_opened x);

#endif
