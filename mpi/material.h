/* Offline material on its way from P0 to P1 and P2, and in their memory: one run of bytes per inference and rank, in
 * the order in which the operations consume it. P0 fills staging buffers and sends each when it is full, while it fills
 * the next; the receiver takes it straight into place. Each operation's part starts at a multiple of 64 bytes. */
#ifndef PQ_MATERIAL_H
#define PQ_MATERIAL_H

#include "../kernels/secret.h"
#include "link.h"

enum { PQ_STAGE_BYTES = 4 << 20, PQ_STAGE_BUFFERS = 3 };

/* How an operation of n tables (or numbers) of `each` bytes is cut into reservations: this many at a time. */
static inline size_t pq_stage_chunk(size_t each)
{
    const size_t n = ((size_t)1 << 20) / each, unit = each % 64 ? 64 : 1; /* no padding but after the last */
    return n < unit ? unit : n / unit * unit;
}

struct pq_stage {
    struct pq_link *link; /* NULL: count only (the cost engine) */
    enum pq_role to;
    uint8_t *buffer[PQ_STAGE_BUFFERS];
    MPI_Request request[PQ_STAGE_BUFFERS];
    int current;
    size_t used;
    uint64_t bytes, messages;
};

/* P0. link == NULL counts what the same calls would send. */
void pq_stage_open(struct pq_stage *s, struct pq_link *link, enum pq_role to);
/* Space for the next `bytes` (rounded up to 64, the rest is padding); at most PQ_STAGE_BYTES. NULL when counting. */
uint8_t *pq_stage_reserve(struct pq_stage *s, size_t bytes);
/* The same for a whole operation, counting only. */
void pq_stage_count(struct pq_stage *s, size_t n, size_t each);
/* Sends what is left and waits until all is sent. */
void pq_stage_flush(struct pq_stage *s);
void pq_stage_close(struct pq_stage *s);

/* A party's material of one inference. */
struct pq_material { uint8_t *base; size_t bytes, capacity, cursor; };

/* Makes room for `bytes` bytes at m->base, of which the first will be consumed next; memory is kept from one inference
 * to the next. The caller fills it. */
void pq_material_make_room(struct pq_material *m, size_t bytes);
/* Receives `bytes` bytes (predicted by cost, so known beforehand). */
void pq_material_receive(struct pq_material *m, struct pq_link *link, size_t bytes);
/* The same without waiting: it arrives while the caller uses the link for other things, all by pq_link_arrived. */
void pq_material_expect(struct pq_material *m, struct pq_link *link, size_t bytes);
/* The next n tables or numbers of `each` bytes: consumed once, so the caller may use the place for its result. */
void *pq_material_take(struct pq_material *m, size_t n, size_t each);
/* All was consumed, nothing is left: asserted. */
void pq_material_done(const struct pq_material *m);
void pq_material_free(struct pq_material *m);

#endif
