/* What all parties agree on before an inference: sizes, protocol, variants, and who owns which slice. All public. */
#ifndef PQ_PLAN_H
#define PQ_PLAN_H

#include "../model_io/shape.h"
#include "../model_io/softmax_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pq_protocol { PQ_PUBLISHED, PQ_PREPROCESSED };
enum pq_maximum { PQ_TREE, PQ_COUNT };
/* direct: a table delivers a 16-bit share at once (fewest rounds). compact: it delivers a 4-bit share that is lifted by
 * a wrap bit while it is reshared (a third of the material, two more rounds). */
enum pq_tables { PQ_DIRECT, PQ_COMPACT };

struct pq_plan {
    struct pq_shape shape;
    size_t seq, batch;
    enum pq_protocol protocol;
    enum pq_maximum maximum;
    enum pq_tables tables;
    size_t ranks; /* G, ranks per party */
    bool overlap; /* throughput: the next inference's material is dealt while this one is online (inference.h) */
    struct pq_softmax_widths softmax; /* for rows of seq scores */
};

/* A contiguous block of n things: rank j of G owns [first, first + count). The first n mod G ranks own one more, so
 * rank 0 never owns less than another. */
struct pq_block { size_t first, count; };
static inline struct pq_block pq_split(size_t n, size_t ranks, size_t j)
{
    size_t base = n / ranks, extra = n % ranks;
    struct pq_block b = { j * base + (j < extra ? j : extra), base + (j < extra) };
    return b;
}

/* Elements of a value, row-major [groups][len][width]: this rank's, and where they start in the whole value, whose
 * elements number the randomness. Activations are channel-major: groups 1, len = channels, width = tokens. Scores of
 * one (head, sequence) are a group: len = keys, width = queries. Reductions run over len. `channels` is the number of
 * tables along len when a table differs by channel: element e has channel (e / width) mod channels. */
struct pq_dim {
    size_t groups, len, width, first, all;
    size_t unit; /* channels that stay together on one rank: head_dim where heads are split, else 1 */
};
static inline size_t pq_dim_count(struct pq_dim d) { return d.groups * d.len * d.width; }

#endif
