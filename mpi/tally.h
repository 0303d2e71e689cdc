/* Counts per phase and operation: what the link measures and what the cost engine predicts, in the same form, so that
 * the two can be compared field by field. */
#ifndef PQ_TALLY_H
#define PQ_TALLY_H

#include "engine.h"
#include "group.h"

enum pq_phase { PQ_SETUP, PQ_OFFLINE, PQ_ONLINE, PQ_PHASES };
extern const char *const pq_phase_name[PQ_PHASES];

/* Bytes and messages are counted once, at the sender. A round is one exchange between P1 and P2, or one hand-over that
 * the receiver has to wait for before it can go on: one link of the chain that latency is paid for. What P0 sends P2
 * online in `published` waits for nobody's message, so it is no round. */
struct pq_count {
    uint64_t bytes, messages, rounds;
    uint64_t bytes_to[PQ_ROLES]; /* bytes, by the party they go to */
    uint64_t internal_bytes, internal_messages; /* inside the party */
    uint64_t multiply_adds, lookups, read_bytes; /* predicted only; read_bytes: pq_cost_read */
    uint64_t compute_ns, wait_ns, internal_ns; /* measured only */
};

struct pq_tally { struct pq_count at[PQ_PHASES][PQ_OPERATIONS]; };

static inline void pq_count_add(struct pq_count *to, const struct pq_count *from)
{
    to->bytes += from->bytes;
    to->messages += from->messages;
    to->rounds += from->rounds;
    for (int r = 0; r < PQ_ROLES; r++)
        to->bytes_to[r] += from->bytes_to[r];
    to->internal_bytes += from->internal_bytes;
    to->internal_messages += from->internal_messages;
    to->multiply_adds += from->multiply_adds;
    to->lookups += from->lookups;
    to->read_bytes += from->read_bytes;
    to->compute_ns += from->compute_ns;
    to->wait_ns += from->wait_ns;
    to->internal_ns += from->internal_ns;
}

/* The same traffic: what must agree between a measured and a predicted count. */
static inline bool pq_count_agrees(const struct pq_count *a, const struct pq_count *b)
{
    bool same = a->bytes == b->bytes && a->messages == b->messages && a->rounds == b->rounds &&
                a->internal_bytes == b->internal_bytes && a->internal_messages == b->internal_messages;
    for (int r = 0; r < PQ_ROLES; r++)
        same = same && a->bytes_to[r] == b->bytes_to[r];
    return same;
}

static inline struct pq_count pq_tally_phase(const struct pq_tally *t, enum pq_phase phase)
{
    struct pq_count sum = { 0 };
    for (int o = 0; o < PQ_OPERATIONS; o++)
        pq_count_add(&sum, &t->at[phase][o]);
    return sum;
}

/* Rounds of a phase: per operation those of the party that waits most often, P1 or P2, added up. (P2 waits for the
 * input, P1 for the logits, both for each other's openings.) */
static inline uint64_t pq_tally_rounds(const struct pq_tally party[PQ_ROLES], enum pq_phase phase)
{
    uint64_t sum = 0;
    for (int o = 0; o < PQ_OPERATIONS; o++) {
        const uint64_t a = party[PQ_P1].at[phase][o].rounds, b = party[PQ_P2].at[phase][o].rounds;
        sum += a > b ? a : b;
    }
    return sum;
}

#endif
