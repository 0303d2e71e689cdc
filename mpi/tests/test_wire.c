/* The emulated network between real processes: ping-pong and transfers take what the model says, to 5 % in the fastest
 * tenth and never less (a busy machine makes some later, none earlier); ranks of a party share a link's rate; nothing
 * that is counted changes. Run under mpirun -n 3 or 6;
 * with `clocks` as argument (each party has another monotonic clock) only what one clock can time. */
#include "parties.h"

#include "../../kernels/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20, MOST = 101 };

struct bench {
    struct parties *p;
    struct pq_net net;
    size_t ranks;   /* that take part */
    uint8_t *out, *in; /* 64 MiB each */
};

/* What one rank does; returns after P1's part has an answer. bytes: what it moves. */
typedef void body(struct bench *b, size_t bytes);

/* P1 to P2, and one byte back. */
static void there_and_back(struct bench *b, size_t bytes)
{
    struct pq_link *l = &b->p->link;
    if (l->group->role == PQ_P1) {
        pq_link_send(l, PQ_P2, b->out, bytes);
        pq_link_receive(l, PQ_P2, b->in, 1);
    } else if (l->group->role == PQ_P2) {
        pq_link_receive(l, PQ_P1, b->in, bytes);
        pq_link_send(l, PQ_P1, b->out, 1);
    }
}

/* Both ways at once, and once more: the second can only start when the first has ended. */
static void two_exchanges(struct bench *b, size_t bytes)
{
    struct pq_link *l = &b->p->link;
    const enum pq_role role = l->group->role;
    for (int i = 0; i < 2 && role != PQ_P0; i++)
        pq_link_exchange(l, role == PQ_P1 ? PQ_P2 : PQ_P1, b->out, bytes / 2, b->in, bytes / 2);
}

/* As material: P0 to P2 in pieces of 4 MiB that are not waited for; then P2 tells P1. */
static void posted(struct bench *b, size_t bytes)
{
    enum { PIECE = 4 * MIB };
    struct pq_link *l = &b->p->link;
    MPI_Request q[16];
    size_t got = 0;
    const int pieces = (int)(bytes / PIECE);
    if (l->group->role == PQ_P0) {
        for (int i = 0; i < pieces; i++)
            q[i] = pq_link_post(l, PQ_P2, b->out + (size_t)i * PIECE, PIECE);
        pq_link_sent(l, q, pieces);
    } else if (l->group->role == PQ_P2) {
        while (got < bytes)
            got += pq_link_take(l, PQ_P0, b->in + got, bytes - got);
        pq_link_taken(l);
        pq_link_send(l, PQ_P1, b->out, 1);
    } else {
        pq_link_receive(l, PQ_P2, b->in, 1);
    }
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Over all ranks, which sleep until the last has come: those that idle must not take the others' cores. */
static uint64_t over_all(const struct pq_group *g, uint64_t mine, MPI_Op op)
{
    uint64_t all;
    MPI_Request q;
    MPI_Iallreduce(&mine, &all, 1, MPI_UINT64_T, op, g->control, &q);
    pq_group_wait(g, "test", &q, 1, NULL, 1);
    return all;
}

/* Times `times` runs with the first `active` ranks of each party, from the first of `starter`'s ranks to the last of
 * P1's (on one host all clocks are one): in ascending order, the same at every rank. */
static void measure(struct bench *b, body *run, enum pq_role starter, size_t bytes, size_t active, int times,
                    uint64_t ns[MOST])
{
    const struct pq_group *g = &b->p->group;
    const bool works = g->rank < active;
    for (int i = 0; i < times; i++) {
        uint64_t end = 0;
        memset(b->in, 0, bytes);
        pq_group_barrier(g);
        MPI_Barrier(g->control);
        const uint64_t start = works && g->role == starter ? pq_now_ns() : UINT64_MAX;
        if (works)
            run(b, bytes);
        if (works && g->role == PQ_P1)
            end = pq_now_ns();
        ns[i] = over_all(g, end, MPI_MAX) - over_all(g, start, MPI_MIN);
    }
    qsort(ns, (size_t)times, sizeof *ns, ascending);
}

/* Compares them with what the network should take; again on a machine that is too busy to be on time. */
static void expect(struct bench *b, const char *what, body *run, enum pq_role starter, size_t bytes, size_t active,
                   int times, uint64_t model)
{
    enum { ATTEMPTS = 5 };
    const double wanted = (double)model;
    double tenth = 0;
    uint64_t ns[MOST], soonest = UINT64_MAX;
    for (int i = 0; i < ATTEMPTS && (i == 0 || tenth > 1.05 * wanted); i++) {
        measure(b, run, starter, bytes, active, times, ns);
        tenth = (double)ns[times / 10];
        soonest = ns[0] < soonest ? ns[0] : soonest;
    }
    if (b->p->group.world_rank != 0)
        return;
    printf("%-9s %-30s %9.3f ms, model %9.3f (%+.2f %%)\n", b->net.name, what, tenth / 1e6, wanted / 1e6,
           100 * (tenth / wanted - 1));
    parties_check(b->p, tenth <= 1.05 * wanted, "%s, %s: %.3f ms, the model says %.3f", b->net.name, what, tenth / 1e6,
                  wanted / 1e6);
    parties_check(b->p, soonest >= model, "%s, %s: %.6f ms, earlier than a real link: %.6f", b->net.name, what,
                  (double)soonest / 1e6, wanted / 1e6);
}

/* What was sent arrived. */
static void compare(struct bench *b, size_t bytes)
{
    const struct pq_group *g = &b->p->group;
    memset(b->in, 0, bytes);
    if (g->rank < b->ranks)
        there_and_back(b, bytes);
    if (g->role == PQ_P2 && g->rank < b->ranks)
        parties_check(b->p, !memcmp(b->in, b->out, bytes), "%s: what arrived is not what was sent", b->net.name);
}

static void emulate(struct bench *b, const char *name)
{
    struct pq_error err;
    if (pq_net_parse(name, &b->net, &err) != PQ_OK)
        abort();
    pq_link_open(&b->p->link, &b->p->group, b->ranks);
    pq_link_emulate(&b->p->link, &b->net);
    pq_link_phase(&b->p->link, PQ_ONLINE, PQ_OP_INPUT);
}

static void one_network(struct bench *b, const char *name, int trips, size_t large)
{
    emulate(b, name);
    const uint64_t trip = b->net.round_trip_ns, small = 2 * pq_net_busy_ns(&b->net, 1);
    const uint64_t all = pq_net_busy_ns(&b->net, large), most = pq_net_busy_ns(&b->net, 64 * MIB);
    compare(b, 3 * MIB + 5);
    expect(b, "ping-pong of 1 byte", there_and_back, PQ_P1, 1, 1, trips, trip + small);
    expect(b, "64 MiB", there_and_back, PQ_P1, 64 * MIB, 1, 3, most + trip);
    expect(b, "exchanges, both ways at once", two_exchanges, PQ_P1, large, 1, 3, all + trip);
    expect(b, "posted in pieces", posted, PQ_P0, large, 1, 3, all + trip);
    if (b->ranks > 1) {
        /* the queues are as long as all messages together */
        expect(b, "all ranks of a party at once", there_and_back, PQ_P1, large / b->ranks, b->ranks, 3, all + trip);
        expect(b, "all ranks, posted", posted, PQ_P0, large / b->ranks, b->ranks, 3, all + trip);
    }
    pq_link_close(&b->p->link);
}

/* Rank 0 of P1 starts and stops the watch. The clocks must differ, or the test shows nothing. */
static void other_clocks(struct bench *b, const char *name)
{
    const struct pq_group *g = &b->p->group;
    const uint64_t mine = pq_now_ns(), far = 10000000000u;
    uint64_t first = mine;
    pq_group_broadcast(g, 0, &first, sizeof first);
    parties_check(b->p, g->role == PQ_P0 || mine > first + far || first > mine + far, "the clocks do not differ");
    emulate(b, name);
    const uint64_t trip = b->net.round_trip_ns;
    expect(b, "ping-pong of 1 byte", there_and_back, PQ_P1, 1, 1, 11, trip + 2 * pq_net_busy_ns(&b->net, 1));
    expect(b, "4 MiB", there_and_back, PQ_P1, 4 * MIB, 1, 11, trip + pq_net_busy_ns(&b->net, 4 * MIB));
    pq_link_close(&b->p->link);
}

/* The same traffic with and without a network counts the same: its own messages are no traffic. */
static void counts_stay(struct bench *b)
{
    struct pq_count count[2];
    for (int i = 0; i < 2; i++) {
        emulate(b, i ? "1000Gbit:10us" : "none");
        parties_check(b->p, !b->p->link.wire == !i, "--net none emulates, or another does not");
        if (b->p->group.rank < b->ranks) {
            there_and_back(b, 100);
            two_exchanges(b, 6000);
            posted(b, 8 * MIB);
        }
        count[i] = b->p->link.tally.at[PQ_ONLINE][PQ_OP_INPUT];
        pq_link_close(&b->p->link);
    }
    parties_check(b->p, pq_count_agrees(&count[0], &count[1]), "an emulated network changes counts");
    parties_check(b->p, count[0].messages > 0 || b->p->group.rank >= b->ranks, "nothing was counted");
}

int main(int argc, char **argv)
{
    struct parties p;
    parties_start(&p, &argc, &argv);
    struct bench b = { .p = &p, .ranks = p.group.ranks_max, .out = pq_alloc(64 * MIB), .in = pq_alloc(64 * MIB) };
    for (size_t i = 0; i < 64 * MIB; i++)
        b.out[i] = (uint8_t)(i * 2654435761u >> 24);
    if (argc > 1 && !strcmp(argv[1], "clocks")) {
        other_clocks(&b, "lan");
        other_clocks(&b, "wan");
        free(b.out);
        free(b.in);
        return parties_finish(&p);
    }
    one_network(&b, "lan", MOST, 64 * MIB);
    one_network(&b, "wan", 11, 16 * MIB);
    one_network(&b, "2Gbit:3ms", 51, 32 * MIB);
    counts_stay(&b);
    if (p.group.ranks_max > 1) { /* a point that leaves ranks out: those that work have all of the rate */
        b.ranks = 1;
        one_network(&b, "3Gbit:1ms", 51, 32 * MIB);
        counts_stay(&b);
    }
    free(b.out);
    free(b.in);
    return parties_finish(&p);
}
