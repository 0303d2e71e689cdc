#include "measurement.h"

#include "../kernels/secret.h"

#include <stdlib.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Bytes, messages and work add up over the ranks of a party; a time or a number of rounds is the largest. */
static void merge(struct pq_count *to, const struct pq_count *from)
{
    struct pq_count both = *to;
    pq_count_add(&both, from);
    both.rounds = larger(to->rounds, from->rounds);
    both.compute_ns = larger(to->compute_ns, from->compute_ns);
    both.wait_ns = larger(to->wait_ns, from->wait_ns);
    both.internal_ns = larger(to->internal_ns, from->internal_ns);
    *to = both;
}

/* All ranks were timed between the same two barriers. */
static void compare_clocks(const struct pq_report *all, size_t ranks, struct pq_measurement *m)
{
    uint64_t shortest = UINT64_MAX, longest = 0;
    for (size_t i = 0; i < ranks; i++) {
        m->clock_off_ns = larger(m->clock_off_ns, all[i].clock_off_ns);
        shortest = all[i].whole_ns < shortest ? all[i].whole_ns : shortest;
        longest = larger(longest, all[i].whole_ns);
    }
    if (longest - shortest > 500000000u + shortest / 100)
        m->clock_off_ns = larger(m->clock_off_ns, longest - shortest);
}

void pq_report_gather(const struct pq_report *mine, const struct pq_group *g, size_t ranks, struct pq_measurement *m)
{
    struct pq_report *all = pq_alloc((size_t)g->world_size * sizeof *all);
    pq_group_collect(g, mine, all, sizeof *mine);
    if (g->world_rank == 0)
        compare_clocks(all, (size_t)g->world_size, m);
    for (int rank = 0; rank < g->world_size && g->world_rank == 0; rank++) {
        const size_t role = (size_t)rank / g->ranks_max, j = (size_t)rank % g->ranks_max;
        m->peak_memory[role] += j < ranks ? all[rank].peak_memory : 0;
        if (j >= ranks)
            continue;
        m->setup_ns = larger(m->setup_ns, all[rank].setup_ns);
        m->offline_ns = larger(m->offline_ns, all[rank].offline_ns);
        m->cycle_ns = larger(m->cycle_ns, all[rank].cycle_ns);
        m->material_ns = larger(m->material_ns, all[rank].material_ns);
        if (role == PQ_P1)
            m->online_ns = larger(m->online_ns, all[rank].online_ns);
        for (int phase = 0; phase < PQ_PHASES; phase++)
            for (int o = 0; o < PQ_OPERATIONS; o++)
                merge(&m->party[role].at[phase][o], &all[rank].tally.at[phase][o]);
    }
    free(all);
}
