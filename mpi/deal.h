/* Numbers that P0 deals offline, and how P1 and P2 come by their halves: P1's half comes from s01, P2 is sent the rest.
 * (Tables: tables.h.) */
#ifndef PQ_DEAL_H
#define PQ_DEAL_H

#include "context.h"

/* P0: n numbers of `width` (2 or 4) bytes; P2 gets x - P1's half of the stream. */
void pq_deal_numbers(struct pq_context *c, unsigned stream, size_t first, const void *x, size_t n, size_t width);

/* P1: its halves, drawn (the cost face lists them with pq_cost_draw_p1); P2: from the material. The caller may use the
 * array for its result. */
void *pq_deal_take(struct pq_context *c, unsigned stream, size_t first, size_t n, size_t width);

#endif
