/* Look-ups in secretly rotated tables at opened indices (protocols.md section 3). P0 deals, for every element, a table
 * T(i + Delta) of which one party's half comes from a seed and the other's half is sent (tables.h); online each reads
 * its half at delta. No online traffic of their own: the opening was paid for before. */
#ifndef PQ_LOOKUP_H
#define PQ_LOOKUP_H

#include "context.h"
#include "cost.h"

/* One input, one or two outputs. Material: 2^index_bits * entry_bits per element and output. Memory for outputs:
 * ring_bytes(out_bits) each. */
void pq_read_deal(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                  struct pq_add *out);
void pq_read_online(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                    struct pq_add *out);
void pq_read_cost(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                  struct pq_add *out);

/* Two inputs with dual offsets, the second one per row. Material: 2^(index_bits+index2_bits) * entry_bits per element.
 */
struct pq_add pq_read_pair_deal(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                const struct pq_table *t);
struct pq_add pq_read_pair_online(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                  const struct pq_table *t);
struct pq_add pq_read_pair_cost(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                const struct pq_table *t);

#endif
