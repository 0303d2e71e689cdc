/* What the files of the link (link.h) share, and nobody else uses: where it books what it does, and its tags. */
#ifndef PQ_LINK_ACCOUNT_H
#define PQ_LINK_ACCOUNT_H

#include "../kernels/machine.h"
#include "link.h"

enum { PQ_TAG_CROSS = 1, PQ_TAG_INSIDE = 2 }; /* of the protocol's communicator; wire.c and group.c have others */

/* What is booked under the current phase and operation. */
static inline struct pq_count *pq_link_now(struct pq_link *l)
{
    return &l->tally.at[l->phase][l->operation];
}

/* Time since `start`, which is not computing. */
static inline void pq_link_spent(struct pq_link *l, uint64_t start, uint64_t *account)
{
    const uint64_t spent = pq_now_ns() - start;
    *account += spent;
    l->inside_ns += spent;
}

/* What this rank sends, and the rounds that it waits for. */
static inline void pq_link_count(struct pq_link *l, enum pq_role to, size_t bytes, size_t messages, size_t rounds)
{
    pq_link_now(l)->messages += messages;
    pq_link_now(l)->bytes += bytes;
    pq_link_now(l)->bytes_to[to] += bytes;
    pq_link_now(l)->rounds += rounds;
}

/* Tells a test's ear about a whole message. */
static inline void pq_link_hear(struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    if (l->ear && bytes)
        l->ear->received(l->ear, l, from, data, bytes);
}

/* Takes what has come of an expected arrival; wait: until all has. */
void pq_link_look(struct pq_link *l, bool wait);

#endif
