/* The two maxima's own look-ups (protocols.md section 3, maximum of a row); encoder.c strings them together.
 *
 * halves: one level of the tree. For codes in Z_2^4 a two-input table of 256 4-bit entries per pair (published), 128
 * bytes. For codes in Z_2^5 (ours) max(a, b) = b + max(a - b, 0): both openings give that of the difference, whose
 * table of 32 8-bit entries takes 32 bytes. The fifth bit costs 64 - 32 bytes in the clamping table that makes the
 * codes and a quarter more in each opening; without a clamping table there is nothing to make it.
 * count_at_least: a table of 16 entries with 15 outputs (one per threshold -7..7), summed over the row on the way. A
 * lane of 8 bits (rows up to 255) or 16, 16 lanes: material 256 or 512 bytes a score. */
#ifndef PQ_MAXIMUM_H
#define PQ_MAXIMUM_H

#include "context.h"
#include "cost.h"

/* Sizes of the results, for engines that hold nothing else: [groups][ceil(len/2)][width] and [groups][15][width]. */
struct pq_dim pq_halves_dim(struct pq_dim x);
struct pq_dim pq_count_dim(struct pq_dim u);

struct pq_add pq_halves_deal(struct pq_engine *e, struct pq_opened x, struct pq_add xs);
struct pq_add pq_halves_online(struct pq_engine *e, struct pq_opened x, struct pq_add xs);
struct pq_add pq_halves_cost(struct pq_engine *e, struct pq_opened x, struct pq_add xs);

struct pq_add pq_count_deal(struct pq_engine *e, struct pq_opened u, unsigned bits);
struct pq_add pq_count_online(struct pq_engine *e, struct pq_opened u, unsigned bits);
struct pq_add pq_count_cost(struct pq_engine *e, struct pq_opened u, unsigned bits);

#endif
