/* The wrap bit of an opened value (protocols.md section 3, pure lift). x in Z_2^b, b = 4 or 8, opened as delta =
 * x - offset, is delta + offset - 2^b * w as an integer, w = [delta + offset >= 2^b]. P0 deals, XOR-shared, the table
 * of [i + offset >= 2^b] xor r for all i; opening it at delta gives rho = w xor r, hence w = r + rho (1 - 2r), linear
 * in what P0 knows. r is s01's PQ_S_FLIP bit xor s02's. The halves of the tables of b = 8 are dealt as those of
 * look-ups are (tables.h); for b = 4, P1's half is PQ_S_TABLE's 16 bits an element and P2 is sent the rest. */
#ifndef PQ_WRAP_H
#define PQ_WRAP_H

#include "context.h"
#include "cost.h"
#include "open.h"

/* P0: r of n elements from number `first` on, one byte each. */
void pq_wrap_flips(struct pq_context *c, size_t first, size_t n, uint8_t *flip);

/* P0: the tables of elements with these offsets (mod 2^b) and flips, 2^b/8 bytes each, into the material. */
void pq_wrap_deal(struct pq_context *c, size_t first, const uint8_t *offset, const uint8_t *flip, size_t n, unsigned b);

/* P1, P2: adds up the opening of deltas that has been put (own: this party's part; afterwards the deltas) and puts that of
 * their rho, one byte each, which the caller adds, chunk by chunk. 1 bit each way an element, 1 round. */
struct pq_opening pq_wrap_open(struct pq_context *c, size_t first, struct pq_opening *deltas, uint8_t *own, uint8_t *rho);

/* Both, and the material: 2^b/8 bytes an element. */
void pq_wrap_cost(struct pq_cost *c, size_t first, size_t n, unsigned b);

#endif
