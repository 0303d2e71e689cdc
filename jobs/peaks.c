#include "peaks.h"

#include "../kernels/machine.h"

#include <stdlib.h>

/* One thread of each measuring rank's team, or a rank that does not measure. All threads of a team call it. */
static void start_together(void *group)
{
#pragma omp barrier
#pragma omp master
    pq_group_barrier(group);
#pragma omp barrier
}

static struct pq_peaks measure(struct pq_group *group, unsigned sharing, size_t threads)
{
    double macs = 0, bandwidth = 0;
#pragma omp parallel num_threads((int)threads) reduction(+ : macs, bandwidth)
    {
        start_together(group);
        macs += pq_machine_peak_macs(true);
        bandwidth += pq_machine_read_bandwidth(sharing, start_together, group);
    }
    return (struct pq_peaks){ macs / (double)threads, bandwidth / (double)threads };
}

/* The lower of two measured values; 0: not measured. */
static double lower(double a, double b)
{
    return b == 0 || (a > 0 && a < b) ? a : b;
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

/* One round: at world rank 0 what the slowest rank found. */
static struct pq_peaks measure_round(const struct pq_launch *l, size_t ranks, size_t threads)
{
    struct pq_group group = l->group; /* the barrier's argument goes through a pointer that is not const */
    const size_t cores = 2 * ranks * threads / (size_t)group.hosts;
    struct pq_peaks mine = { 0 }, least = { 0 }, *all = pq_alloc((size_t)group.world_size * sizeof *all);
    if (group.role != PQ_P0 && group.rank < ranks) {
        pq_binding_apply(l->binding, ranks, threads, true);
        mine = measure(&group, cores ? (unsigned)cores : 1, threads);
    } else { /* both of measure's */
        pq_group_barrier(&group);
        pq_group_barrier(&group);
    }
    pq_group_collect(&group, &mine, all, sizeof mine);
    for (int i = 0; group.world_rank == 0 && i < group.world_size; i++)
        if (all[i].macs > 0)
            least = (struct pq_peaks){ lower(all[i].macs, least.macs), lower(all[i].bandwidth, least.bandwidth) };
    free(all);
    return least;
}

/* Something else that runs for a moment slows a core down, and a slow core would make the floor too high, which flatters:
 * of a few rounds the best counts. (Seen with one round, on a machine with other users: half of the peak.) */
struct pq_peaks pq_peaks_measure(const struct pq_launch *l, size_t ranks, size_t threads)
{
    enum { ROUNDS = 3 };
    struct pq_peaks best = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        const struct pq_peaks found = measure_round(l, ranks, threads);
        best = (struct pq_peaks){ higher(best.macs, found.macs), higher(best.bandwidth, found.bandwidth) };
    }
    return best;
}
