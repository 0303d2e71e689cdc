/* What P0 sends P2 offline, and how P1 and P2 come by their halves: tables (look-ups, wrap bits) and numbers. P1's half
 * of everything comes from s01; P2 gets the rest. */
#ifndef PQ_DEAL_H
#define PQ_DEAL_H

#include "context.h"

/* P0: n tables of `each` bytes with w-bit entries, numbered from `first` on. make writes table i (0 <= i < n) as it is
 * to be read at its opened index, max(8, each) bytes; it runs on any thread. P2 gets table - P1's half of stream
 * PQ_S_TABLE + output. */
void pq_deal_tables(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each, unsigned w,
                    void (*make)(uint64_t *table, size_t i, const void *user), const void *user);

/* P0: n numbers of `width` (2 or 4) bytes; P2 gets x - P1's half of the stream. */
void pq_deal_numbers(struct pq_context *c, unsigned stream, size_t first, const void *x, size_t n, size_t width);

/* P1: its halves, drawn (the cost face lists them with pq_cost_draw_p1); P2: from the material. The caller may use the
 * array for its result. */
void *pq_deal_take(struct pq_context *c, unsigned stream, size_t first, size_t n, size_t width);

#endif
