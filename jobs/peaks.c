#include "peaks.h"

#include "../kernels/machine.h"

#include <omp.h>
#include <stdlib.h>

/* One thread of each measuring rank's team, or a rank that does not measure. All threads of a team call it. */
static void start_together(void *group)
{
#pragma omp barrier
#pragma omp master
    pq_group_barrier(group);
#pragma omp barrier
}

/* What disturbs a core for a moment can only slow it down, and a slow core would make a floor too high: the best round of
 * a few counts. (One round in ten found half of the peak on a machine that others use too.) */
enum { ROUNDS = 3 };

static double more(double a, double b)
{
    return a > b ? a : b;
}

static struct pq_peaks measure(struct pq_group *group, unsigned sharing, size_t threads)
{
    struct pq_peaks best = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        double macs = 0, bandwidth = 0;
#pragma omp parallel num_threads((int)threads) reduction(+ : macs, bandwidth)
        {
            start_together(group);
            macs += pq_machine_peak_macs(true);
            bandwidth += pq_machine_read_bandwidth(sharing, start_together, group);
        }
        best.macs = more(best.macs, macs / (double)threads);
        best.bandwidth = more(best.bandwidth, bandwidth / (double)threads);
    }
    return best;
}

struct pq_peaks pq_peaks_measure(const struct pq_launch *l, size_t ranks, size_t threads)
{
    struct pq_group group = l->group; /* the barrier's argument goes through a pointer that is not const */
    const size_t cores = 2 * ranks * threads / (size_t)group.hosts;
    struct pq_peaks mine = { 0 }, least = { 0 }, *all = pq_alloc((size_t)group.world_size * sizeof *all);
    if (group.role != PQ_P0 && group.rank < ranks) {
        pq_binding_apply(l->binding, ranks, threads, true);
        mine = measure(&group, cores ? (unsigned)cores : 1, threads);
    } else {
        for (int barrier = 0; barrier < 2 * ROUNDS; barrier++)
            pq_group_barrier(&group);
    }
    pq_group_collect(&group, &mine, all, sizeof mine);
    for (int i = 0; group.world_rank == 0 && i < group.world_size; i++)
        if (all[i].macs > 0 && (least.macs == 0 || all[i].macs < least.macs))
            least.macs = all[i].macs;
    for (int i = 0; group.world_rank == 0 && i < group.world_size; i++)
        if (all[i].bandwidth > 0 && (least.bandwidth == 0 || all[i].bandwidth < least.bandwidth))
            least.bandwidth = all[i].bandwidth;
    free(all);
    return least;
}
