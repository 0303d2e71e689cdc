/* The engine `cost`: no values, only counts. Each protocol file declares what its operations send and compute through
 * these calls; a test demands that the link counts the same (protocols.md section 6). */
#ifndef PQ_COST_H
#define PQ_COST_H

#include "draws.h"
#include "material.h"

enum { PQ_SEED_BYTES = 16 }; /* AES-128 keys of pairs of parties */

struct pq_cost {
    struct pq_engine engine; /* first */
    enum pq_operation operation;
    struct pq_tally party[PQ_ROLES];  /* of one rank */
    struct pq_stage stage[PQ_ROLES];  /* count what P1 and P2 are sent */
    struct pq_room { uint64_t now, peak; } kept[2], brief[2]; /* bytes of values at P1 and P2, as in pq_context */
    unsigned generation, turn;
    uint64_t message_peak;            /* bytes of the longest exchange: P1 and P2 keep room for both messages */
    struct pq_draws draws[PQ_ROLES];  /* what P1 and P2 draw in bulk */
};

static inline struct pq_cost *pq_cost_of(struct pq_engine *e)
{
    return (struct pq_cost *)e;
}

static inline struct pq_count *pq_cost_at(struct pq_cost *c, enum pq_role role, enum pq_phase phase)
{
    return &c->party[role].at[phase][c->operation];
}

/* P1 and P2 exchange `bytes` each, online, in one round. Nothing where bytes is 0. */
static inline void pq_cost_exchange(struct pq_cost *c, size_t bytes)
{
    c->message_peak = bytes > c->message_peak ? bytes : c->message_peak;
    for (enum pq_role r = PQ_P1; r <= PQ_P2 && bytes; r++) {
        struct pq_count *n = pq_cost_at(c, r, PQ_ONLINE);
        n->bytes += bytes;
        n->bytes_to[r == PQ_P1 ? PQ_P2 : PQ_P1] += bytes;
        n->messages++;
        n->rounds++;
    }
}

/* One online message of `bytes` from one party to another that waits for no other one (pq_link_collect): no round. */
static inline void pq_cost_send_ahead(struct pq_cost *c, enum pq_role from, enum pq_role to, size_t bytes)
{
    if (!bytes)
        return;
    pq_cost_at(c, from, PQ_ONLINE)->bytes += bytes;
    pq_cost_at(c, from, PQ_ONLINE)->bytes_to[to] += bytes;
    pq_cost_at(c, from, PQ_ONLINE)->messages++;
}

/* One that the receiver waits for: a round. */
static inline void pq_cost_send(struct pq_cost *c, enum pq_role from, enum pq_role to, size_t bytes)
{
    pq_cost_send_ahead(c, from, to, bytes);
    pq_cost_at(c, to, PQ_ONLINE)->rounds += bytes != 0;
}

/* n numbers or tables of `each` bytes of material for a party. */
static inline void pq_cost_material(struct pq_cost *c, enum pq_role to, size_t n, size_t each)
{
    struct pq_stage *s = &c->stage[to];
    struct pq_count *p0 = pq_cost_at(c, PQ_P0, PQ_OFFLINE);
    const uint64_t bytes = s->bytes + s->used, messages = s->messages;
    pq_stage_count(s, n, each);
    p0->bytes += s->bytes + s->used - bytes;
    p0->bytes_to[to] += s->bytes + s->used - bytes;
    p0->messages += s->messages - messages;
}

/* Online a party reads n pieces of `each` bytes, of weight shares or of stored material, that lie side by side in
 * memory; of a table it needs one entry, so that at least one cache line comes, or the whole of it where it is smaller
 * (as its neighbours are needed too). */
static inline void pq_cost_read(struct pq_cost *c, enum pq_role role, size_t n, size_t each)
{
    pq_cost_at(c, role, PQ_ONLINE)->read_bytes += n * each;
}

static inline void pq_cost_read_tables(struct pq_cost *c, enum pq_role role, size_t n, size_t each)
{
    pq_cost_read(c, role, n, each < 64 ? each : 64);
    pq_cost_at(c, role, PQ_ONLINE)->lookups += n;
}

/* n numbers of `each` bytes that P0 deals: P2 is sent its half. */
static inline void pq_cost_deal(struct pq_cost *c, size_t n, size_t each)
{
    pq_cost_read(c, PQ_P2, n, each);
    pq_cost_material(c, PQ_P2, n, each);
}

/* Online draws of n elements of `width` bytes from number `first` on, in this operation: P1's alone (its halves of what
 * P0 deals), or both P1's and P2's (masks). */
static inline void pq_cost_draw_p1(struct pq_cost *c, unsigned stream, size_t width, size_t first, size_t n)
{
    pq_draws_plan(&c->draws[PQ_P1], c->engine.op, stream, width, first, n);
}

static inline void pq_cost_draw(struct pq_cost *c, unsigned stream, size_t width, size_t first, size_t n)
{
    pq_cost_draw_p1(c, stream, width, first, n);
    pq_draws_plan(&c->draws[PQ_P2], c->engine.op, stream, width, first, n);
}

static inline void pq_room_add(struct pq_room *r, size_t bytes)
{
    r->now += (bytes + 63) / 64 * 64;
    r->peak = r->now > r->peak ? r->now : r->peak;
}

/* Values in P1's and P2's memory that pq_context_alloc gives, and those that pq_context_keep does. */
static inline void pq_cost_hold(struct pq_cost *c, size_t bytes)
{
    pq_room_add(&c->brief[c->turn], bytes);
}

static inline void pq_cost_keep(struct pq_cost *c, size_t bytes)
{
    pq_room_add(&c->kept[c->generation], bytes);
}

/* Inside a party: this rank sends its `bytes` to each of the other ranks. */
static inline void pq_cost_gather(struct pq_cost *c, enum pq_role role, enum pq_phase phase, size_t bytes)
{
    size_t others = c->engine.plan.ranks - 1;
    if (!bytes)
        return;
    pq_cost_at(c, role, phase)->internal_bytes += others * bytes;
    pq_cost_at(c, role, phase)->internal_messages += others;
}

/* Inside a party: this rank sends each other rank its block of `vectors` vectors of n 32-bit numbers. */
static inline void pq_cost_reduce_blocks(struct pq_cost *c, enum pq_role role, enum pq_phase phase, size_t n,
                                         size_t vectors)
{
    const struct pq_plan *p = &c->engine.plan;
    for (size_t j = 0; j < p->ranks; j++) {
        size_t count = pq_split(n, p->ranks, j).count;
        if (j == c->engine.rank || !count)
            continue;
        pq_cost_at(c, role, phase)->internal_bytes += 4 * vectors * count;
        pq_cost_at(c, role, phase)->internal_messages++;
    }
}

#endif
