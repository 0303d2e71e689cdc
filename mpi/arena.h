/* Memory of an engine's values: a bump allocator over blocks that grow with the need and are kept. The values of one
 * layer are dropped together, so nothing is freed one by one.
 *
 * An engine keeps arenas in pairs. ops->layer(l) resets arena[l % 2] and allocates from it until the next call, so the
 * values of layer l-1 stay valid during layer l, and after two layers no memory is asked from the system any more. The
 * engines that run the protocol have a second pair for what lives shorter (context.h).
 *
 *     struct pq_arena arena[2] = { { 0 }, { 0 } };     all zero is an empty arena
 *     ...
 *     pq_arena_reset(&e->arena[l % 2]);                in ops->layer
 *     int32_t *clear = pq_arena_alloc(&e->arena[e->layer % 2], n * sizeof *clear);
 *
 * For one thread: operations allocate before they start a team. Memory that the machine does not have ends the process
 * (pq_alloc). Contents are whatever was there before. */
#ifndef PQ_ARENA_H
#define PQ_ARENA_H

#include <stddef.h>

struct pq_arena_block;

struct pq_arena {
    struct pq_arena_block *first, *current; /* blocks in the order they are filled; those after current are empty */
    size_t used, peak;                      /* bytes given out since the last reset, and the most there ever were */
    size_t reserved;                        /* bytes of all blocks */
};

/* 64-byte aligned, uninitialised, valid until the next reset. bytes == 0 gives a valid pointer. */
void *pq_arena_alloc(struct pq_arena *a, size_t bytes);

/* Drops all values, keeps the memory. */
void pq_arena_reset(struct pq_arena *a);

/* Gives the memory back and leaves an empty arena. */
void pq_arena_free(struct pq_arena *a);

/* The most bytes that were ever in use at once, each allocation rounded up to 64. It depends on the allocations alone,
 * so it can be predicted; the blocks may reserve more (a->reserved), of which what was never used is never touched. */
size_t pq_arena_peak(const struct pq_arena *a);

#endif
