/* Randomness that P1 and P2 draw in bulk: masks of openings, their halves of numbers that P0 deals. Which elements an
 * inference draws follows from the plan, so the cost engine writes the list, the offline phase draws it all (while P0
 * deals), and online each operation takes what is next: reading it costs half of making it. Entries of tables are not
 * in the list: an inference reads one entry of each table, which is cheaper to make on the fly than to store them all.
 */
#ifndef PQ_DRAWS_H
#define PQ_DRAWS_H

#include "../kernels/prg.h"

#include <stddef.h>
#include <stdint.h>

/* n elements of `width` bytes from number `first` on, of stream `stream` of operation `op`, from the seed shared with
 * P0. */
struct pq_draw { uint32_t op, stream; size_t width, first, n, offset; };

struct pq_draws {
    struct pq_draw *list;
    size_t count, capacity, bytes; /* bytes: of the drawn elements, each draw at a multiple of 64 */
    size_t next;                   /* the draw that comes next online */
    uint8_t *base;                 /* NULL until drawn */
};

/* Cost engine: adds to the list. */
void pq_draws_plan(struct pq_draws *d, uint32_t op, uint32_t stream, size_t width, size_t first, size_t n);

/* Offline: draws everything for this inference. */
void pq_draws_make(struct pq_draws *d, struct pq_prg *prg, uint32_t inference);

/* Online: the next draw, which must be this one (asserted). The caller may change it in place; it is used once. */
void *pq_draws_take(struct pq_draws *d, uint32_t op, uint32_t stream, size_t width, size_t first, size_t n);

void pq_draws_free(struct pq_draws *d);

#endif
