/* Shares of the weights: made once per set-up, used by every inference after it, packed for the matrix kernel.
 *
 * W'[o][i] = multiplier[o] * weight[o][i] mod 2^16, of which a rank holds the rows it owns. In `preprocessed` w2 = 0:
 * P1 holds w1 (from s01), P2 holds w0 = W' - w1. In `published` w1 is from s01, w0 from s02, and P0 sends w2 = W' - w0
 * - w1 to P1 and P2 (protocols.md section 3, secret weights). What each party packs, and what it multiplies with:
 *
 *              left[0]    left[1]    product online
 *   P0 prep.   W'         -          (offline) lambda * W'; or W as bits, and the multipliers
 *   P1 prep.   w1         -          x2 * w1
 *   P2 prep.   w0         -          x2 * w0
 *   P0 publ.   w0 + w1    w0         x0 * (w0+w1) + x1 * w0
 *   P1 publ.   w1 + w2    w1         x1 * (w1+w2) + x2 * w1
 *   P2 publ.   w2 + w0    w2         x2 * (w2+w0) + x0 * w2
 *
 * The share of element (o, i) of linear layer number l is element o*in + i of stream PQ_S_W at address
 * (set-up number, l); l = 4*layer + id, then pooler and classifier. */
#ifndef PQ_WEIGHTS_H
#define PQ_WEIGHTS_H

#include "../kernels/gemm16.h"
#include "../kernels/prg.h"
#include "../kernels/signs16.h"
#include "link.h"
#include "plan.h"

/* A deep operand is packed in slices of its depth, one after the other, each packed by itself: a slice of the input
 * then stays in the L2 cache from its packing to its last use (linear.c; 3072 in one piece took 5 % longer). */
struct pq_packed {
    size_t out_all, in, slice, slice_bytes; /* depth of each slice but the last; bytes from one to the next */
    struct pq_block rows;
    const struct pq_signs16 *signs; /* left[0] holds +-1 and multipliers, packed for it: P0 where it pays. Or NULL */
    char *left[2];
};

static inline size_t pq_slice_count(const struct pq_packed *p)
{
    return (p->in + p->slice - 1) / p->slice;
}

/* Depth of the slice that begins at input k, and where it lies packed. */
static inline size_t pq_slice_depth(const struct pq_packed *p, size_t k)
{
    return p->in - k < p->slice ? p->in - k : p->slice;
}

static inline void *pq_slice_left(const struct pq_packed *p, int which, size_t k)
{
    return p->left[which] + k / p->slice * p->slice_bytes;
}

struct pq_weights {
    size_t count;              /* linear layers: 4 * layers + 2 */
    struct pq_packed *linear;
    char *packed;              /* all operands in the order in which they are multiplied: one array, hence large pages, */
    size_t bytes;              /* and what a kernel fetches behind one is the next */
};

/* Number of a linear layer, its sizes, and the block of its rows that rank j of G owns. */
size_t pq_weights_number(const struct pq_shape *s, uint32_t layer, enum pq_linear_id id);
void pq_weights_sizes(const struct pq_shape *s, size_t number, size_t *out, size_t *in);
struct pq_block pq_weights_rows(const struct pq_shape *s, size_t number, size_t ranks, size_t j);

/* Depth of a slice of a layer with `in` inputs: all of it up to 768; equal parts beyond, in multiples of 8. */
size_t pq_weights_slice(size_t in);

/* All parties, set-up phase. P0 gives the model (others NULL); seeds that a party does not know are NULL. Bytes sent:
 * 2 per weight to P2, in `published` 2 per weight to P1 as well. */
void pq_weights_share(struct pq_weights *w, struct pq_link *link, const struct pq_plan *plan,
                      const struct pq_gemm16 *gemm, const struct pq_model *model, struct pq_prg *s01,
                      struct pq_prg *s02, uint32_t setup_number);
void pq_weights_free(struct pq_weights *w);

#endif
