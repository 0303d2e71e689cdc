/* Look-ups in secretly rotated tables at opened indices (protocols.md section 3). P0 deals, for every element, a table
 * T(i + Delta) of which P1's half comes from s01 and P2's half is sent; online each reads its half at delta. No online
 * traffic of their own: the opening was paid for before. Element e's table is element number e of the value, and entry
 * i of it is number e*2^index_bits + i of its stream, each entry_bits(out_bits) wide.
 *
 * P1 makes only the entries it reads (one AES block each) and stores nothing; P2 stores everything. */
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
