/* A peer that sends too little or too much: one case a launch, since each must end the job. test_peer.sh has the list,
 * starts them and looks at what was said. Run under mpirun -n 6. */
#include "parties.h"

#include "../swap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL = 12, FAR = 8 << 20 /* more than shared memory and eager messages take */ };

struct peer {
    struct parties p;
    long off; /* what the faulty rank sends beyond what the others expect; negative: too little */
    uint8_t *data;
};

static size_t size(const struct peer *t, enum pq_role role, size_t rank, size_t usual)
{
    const struct pq_group *g = &t->p.group;
    return g->role == role && g->rank == rank ? (size_t)((long)usual + t->off) : usual;
}

/* P1's and P2's ranks swap; P1's second one is wrong. Near: through shared memory. */
static void swap(struct peer *t, size_t usual)
{
    const enum pq_role role = t->p.group.role;
    if (role == PQ_P0)
        return;
    const size_t n = size(t, PQ_P1, 1, usual);
    const enum pq_role other = role == PQ_P1 ? PQ_P2 : PQ_P1;
    struct pq_swap s = pq_swap_begin(&t->p.link, other, n, 1);
    memset(s.out, 7, n);
    pq_swap_give(&s, n);
    pq_swap_come(&s, n);
}

static void swap_near(struct peer *t)
{
    swap(t, USUAL);
}

static void swap_far(struct peer *t)
{
    swap(t, FAR);
}

static void exchange(struct peer *t)
{
    const enum pq_role role = t->p.group.role;
    if (role == PQ_P1)
        pq_link_exchange(&t->p.link, PQ_P2, t->data, size(t, PQ_P1, 1, USUAL), t->data + FAR, USUAL);
    else if (role == PQ_P2)
        pq_link_exchange(&t->p.link, PQ_P1, t->data, USUAL, t->data + FAR, USUAL);
}

static void one_way(struct peer *t)
{
    const enum pq_role role = t->p.group.role;
    if (role == PQ_P0)
        pq_link_send(&t->p.link, PQ_P2, t->data, size(t, PQ_P0, 1, USUAL));
    else if (role == PQ_P2)
        pq_link_collect(&t->p.link, PQ_P0, t->data, USUAL);
}

static void material(struct peer *t)
{
    struct pq_material m = { 0 };
    const enum pq_role role = t->p.group.role;
    if (role == PQ_P0) {
        MPI_Request q = pq_link_post(&t->p.link, PQ_P2, t->data, size(t, PQ_P0, 1, USUAL));
        pq_link_sent(&t->p.link, &q, 1);
    } else if (role == PQ_P2) {
        pq_material_receive(&m, &t->p.link, USUAL);
        pq_material_free(&m);
    }
}

static void gather(struct peer *t)
{
    size_t blocks[2] = { USUAL, USUAL };
    blocks[t->p.group.rank] = size(t, PQ_P2, 1, USUAL);
    if (t->p.group.role == PQ_P2)
        pq_link_gather(&t->p.link, t->data, blocks);
}

/* 2 * USUAL numbers between two ranks, or some more. */
static void reduce(struct peer *t)
{
    const size_t n = size(t, PQ_P1, 0, USUAL) + USUAL;
    if (t->p.group.role == PQ_P1)
        pq_link_reduce_blocks(&t->p.link, (uint32_t *)t->data, n, 3, (uint32_t *)(t->data + FAR));
}

static void control(struct peer *t)
{
    const struct pq_group *g = &t->p.group;
    if (g->role == PQ_P1 && g->rank == 0)
        pq_group_send(g, 0, t->data, size(t, PQ_P1, 0, USUAL));
    else if (g->world_rank == 0)
        pq_group_receive(g, pq_group_rank_of(g, PQ_P1, 0), t->data, USUAL);
}

/* A whole message more than expected. */
static void one_more(struct peer *t)
{
    const struct pq_group *g = &t->p.group;
    if (g->role == PQ_P0 && g->rank == 1)
        pq_link_send(&t->p.link, PQ_P1, t->data, USUAL);
    pq_group_barrier(g);
}

static const struct { const char *name; void (*run)(struct peer *); } cases[] = {
    { "swap_near", swap_near }, { "swap_far", swap_far }, { "exchange", exchange }, { "one_way", one_way },
    { "material", material },   { "gather", gather },     { "reduce", reduce },     { "control", control },
    { "one_more", one_more },
};

/* test_peer CASE OFF, or `all` of them but the last; code 0 where the others did not notice. */
int main(int argc, char **argv)
{
    struct peer t = { .off = argc > 2 ? atol(argv[2]) : 0 };
    parties_start(&t.p, &argc, &argv);
    pq_link_open(&t.p.link, &t.p.group, t.p.group.ranks_max);
    pq_link_phase(&t.p.link, PQ_ONLINE, PQ_OP_INPUT);
    t.data = pq_alloc(2 * FAR);
    memset(t.data, 1, 2 * FAR);
    enum { CASES = sizeof cases / sizeof *cases };
    const bool all = argc > 1 && !strcmp(argv[1], "all");
    bool known = all;
    for (size_t i = 0; i < CASES; i++)
        if (all ? i + 1 < CASES : argc > 1 && !strcmp(argv[1], cases[i].name)) {
            known = true;
            cases[i].run(&t);
        }
    parties_check(&t.p, known, "there is no such case");
    pq_group_barrier(&t.p.group);
    pq_link_close(&t.p.link);
    pq_group_barrier(&t.p.group);
    free(t.data);
    return parties_finish(&t.p);
}
