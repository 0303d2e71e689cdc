#include "binding.h"

#include "../kernels/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pq_binding {
    const struct pq_group *group;
    hwloc_topology_t topology;
    bool wanted, possible, bound; /* by the user; by the system; done at present */
    size_t seats, mine;        /* ranks of this host, in world order; which is this one */
    struct seat_owner { enum pq_role role; size_t rank; } *owner;
    hwloc_bitmap_t *allowed;   /* [seats] as the launcher left it */
};

/* What this process may use: the union over its threads, since OpenMP may have bound the calling one. */
static hwloc_bitmap_t allowed_here(hwloc_topology_t t)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (hwloc_get_cpubind(t, set, HWLOC_CPUBIND_PROCESS))
        hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(t));
    return set;
}

/* Everybody's role, rank and set on this host. */
static void exchange(struct pq_binding *b, hwloc_const_bitmap_t mine)
{
    const struct pq_group *g = b->group;
    MPI_Comm host;
    int here, rank, words = hwloc_bitmap_nr_ulongs(mine), most;
    PQ_MPI(g, "binding", MPI_Comm_split_type(g->control, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    MPI_Comm_size(host, &here);
    MPI_Comm_rank(host, &rank);
    PQ_MPI(g, "binding", MPI_Allreduce(&words, &most, 1, MPI_INT, MPI_MAX, host));

    const size_t row = (size_t)most + 2;
    unsigned long *own = pq_alloc(row * sizeof *own), *all = pq_alloc(row * (size_t)here * sizeof *all);
    own[0] = (unsigned long)g->role;
    own[1] = (unsigned long)g->rank;
    hwloc_bitmap_to_ulongs(mine, (unsigned)most, own + 2);
    PQ_MPI(g, "binding", MPI_Allgather(own, (int)row, MPI_UNSIGNED_LONG, all, (int)row, MPI_UNSIGNED_LONG, host));
    MPI_Comm_free(&host);

    b->seats = (size_t)here;
    b->mine = (size_t)rank;
    b->owner = pq_alloc(b->seats * sizeof *b->owner);
    b->allowed = pq_alloc(b->seats * sizeof *b->allowed);
    for (size_t s = 0; s < b->seats; s++) {
        b->owner[s] = (struct seat_owner){ (enum pq_role)all[s * row], all[s * row + 1] };
        b->allowed[s] = hwloc_bitmap_alloc();
        hwloc_bitmap_from_ulongs(b->allowed[s], (unsigned)most, all + s * row + 2);
    }
    free(own);
    free(all);
}

struct pq_binding *pq_binding_open(const struct pq_group *group, bool bind)
{
    struct pq_binding *b = pq_alloc(sizeof *b);
    memset(b, 0, sizeof *b);
    b->group = group;
    b->wanted = bind;
    if (hwloc_topology_init(&b->topology) || hwloc_topology_load(b->topology))
        pq_group_die(group, "binding", "hwloc cannot read this machine's topology");
    hwloc_bitmap_t mine = allowed_here(b->topology);
    b->possible = !hwloc_set_cpubind(b->topology, mine, HWLOC_CPUBIND_THREAD); /* it stays where it was */
    exchange(b, mine);
    hwloc_bitmap_free(mine);
    return b;
}

void pq_binding_close(struct pq_binding *b)
{
    if (!b)
        return;
    for (size_t s = 0; s < b->seats; s++)
        hwloc_bitmap_free(b->allowed[s]);
    hwloc_topology_destroy(b->topology);
    free(b->allowed);
    free(b->owner);
    free(b);
}

unsigned pq_binding_cores(const struct pq_binding *b)
{
    hwloc_bitmap_t all = hwloc_bitmap_alloc();
    for (size_t s = 0; s < b->seats; s++)
        hwloc_bitmap_or(all, all, b->allowed[s]);
    const unsigned cores = pq_placement_cores(b->topology, all);
    hwloc_bitmap_free(all);
    return cores;
}

/* The plan for this host's working ranks. place [threads]: this rank's part; its whole set where it does not work. */
static enum pq_placed plan(const struct pq_binding *b, size_t ranks, size_t threads, hwloc_bitmap_t *place)
{
    struct pq_seat *seat = pq_alloc(b->seats * sizeof *seat);
    hwloc_bitmap_t *all = pq_alloc(b->seats * threads * sizeof *all);
    size_t n = 0, mine = b->seats;
    for (size_t s = 0; s < b->seats; s++) {
        if (b->owner[s].rank >= ranks)
            continue;
        mine = s == b->mine ? n : mine;
        seat[n++] = (struct pq_seat){ b->owner[s].role, b->owner[s].role == PQ_P0, b->allowed[s] };
    }
    for (size_t i = 0; i < n * threads; i++)
        all[i] = hwloc_bitmap_alloc();
    const enum pq_placed placed = pq_placement_plan(b->topology, seat, n, threads, all);
    for (size_t t = 0; t < threads; t++)
        hwloc_bitmap_copy(place[t], mine < b->seats ? all[mine * threads + t] : b->allowed[b->mine]);
    for (size_t i = 0; i < n * threads; i++)
        hwloc_bitmap_free(all[i]);
    free(all);
    free(seat);
    return placed;
}

static hwloc_bitmap_t *new_sets(size_t n)
{
    hwloc_bitmap_t *set = pq_alloc(n * sizeof *set);
    for (size_t i = 0; i < n; i++)
        set[i] = hwloc_bitmap_alloc();
    return set;
}

static void free_sets(hwloc_bitmap_t *set, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hwloc_bitmap_free(set[i]);
    free(set);
}

void pq_binding_apply(struct pq_binding *b, size_t ranks, size_t threads, bool online)
{
    if (!b || !b->wanted || !b->possible)
        return;
    hwloc_bitmap_t *place = new_sets(threads);
    enum pq_placed placed = plan(b, ranks, threads, place);
    for (size_t t = 0; t < threads && placed == PQ_PLACED_SHARING && !online; t++)
        hwloc_bitmap_copy(place[t], b->allowed[b->mine]);
    if (placed == PQ_PLACED_SHARING && !online)
        placed = PQ_PLACED_NOT;
    const size_t team = b->group->rank < ranks ? threads : 1; /* a rank that sleeps needs no threads */
    int refused = 0;
    if (placed != PQ_PLACED_NOT || b->bound) {
#pragma omp parallel for schedule(static, 1) num_threads((int)team) reduction(+ : refused)
        for (size_t t = 0; t < team; t++)
            refused += hwloc_set_cpubind(b->topology, place[t], HWLOC_CPUBIND_THREAD) != 0;
    }
    if (refused)
        pq_group_die(b->group, "binding", "the system refuses a binding that it accepted before; use --bind none");
    b->bound = placed != PQ_PLACED_NOT;
    free_sets(place, threads);
}

struct entry { char host[64], cores[128], why[192]; int placed; };

/* Of a host where not every thread has its own: what there is too little of. */
static void explain(const struct pq_binding *b, size_t ranks, size_t threads, struct entry *e)
{
    size_t working = 0, narrow = b->seats;
    for (size_t s = 0; s < b->seats; s++) {
        if (b->owner[s].rank >= ranks)
            continue;
        working++;
        if ((size_t)hwloc_bitmap_weight(b->allowed[s]) < threads && narrow == b->seats)
            narrow = s;
    }
    if (narrow < b->seats && pq_binding_cores(b) >= working * threads)
        snprintf(e->why, sizeof e->why, "the launcher gave P%d rank %zu %u core%s for %zu threads",
                 (int)b->owner[narrow].role, b->owner[narrow].rank,
                 pq_placement_cores(b->topology, b->allowed[narrow]),
                 pq_placement_cores(b->topology, b->allowed[narrow]) == 1 ? "" : "s", threads);
    else
        snprintf(e->why, sizeof e->why, "%zu threads on %u core%s", working * threads, pq_binding_cores(b),
                 pq_binding_cores(b) == 1 ? "" : "s");
}

static struct entry entry_of(const struct pq_binding *b, size_t ranks, size_t threads)
{
    struct entry e = { .host = "?" };
    hwloc_bitmap_t *place = new_sets(threads), all = hwloc_bitmap_alloc();
    gethostname(e.host, sizeof e.host - 1);
    e.placed = (int)plan(b, ranks, threads, place);
    for (size_t t = 0; t < threads; t++)
        hwloc_bitmap_or(all, all, place[t]);
    hwloc_bitmap_list_snprintf(e.cores, sizeof e.cores, all);
    if (e.placed >= PQ_PLACED_SHARING)
        explain(b, ranks, threads, &e);
    hwloc_bitmap_free(all);
    free_sets(place, threads);
    return e;
}

/* One line per party: each rank's hardware threads, the host where it changes. */
static void write_sets(FILE *to, const struct pq_group *g, const struct entry *all, size_t ranks)
{
    for (int role = 0; role < PQ_ROLES; role++) {
        const char *host = "";
        fprintf(to, "\n  P%d", role);
        for (size_t j = 0; j < ranks; j++) {
            const struct entry *e = &all[pq_group_rank_of(g, (enum pq_role)role, j)];
            fprintf(to, "%s", j ? " |" : "");
            if (strcmp(host, e->host))
                fprintf(to, " %s", host = e->host);
            fprintf(to, " %s", e->cores);
        }
    }
}

char *pq_binding_describe(const struct pq_binding *b, size_t ranks, size_t threads)
{
    static const char *const way[] = {
        [PQ_PLACED_CORES] = "a core for each thread", [PQ_PLACED_THREADS] = "a hardware thread for each thread",
        [PQ_PLACED_SHARING] = "cores online for P1 and P2, which P0 shares", [PQ_PLACED_NOT] = "nothing is bound"
    };
    const struct pq_group *g = b->group;
    struct entry mine = entry_of(b, ranks, threads), *all = pq_alloc((size_t)g->world_size * sizeof *all), *worst = all;
    char *text = NULL;
    size_t size;
    pq_group_collect(g, &mine, all, sizeof mine);
    if (g->world_rank == 0) {
        FILE *to = open_memstream(&text, &size);
        PQ_ASSERT(to);
        for (int r = 0; r < PQ_ROLES; r++)
            for (size_t j = 0; j < ranks; j++) {
                struct entry *e = &all[pq_group_rank_of(g, (enum pq_role)r, j)];
                worst = e->placed > worst->placed ? e : worst;
            }
        fprintf(to, "G=%zu threads=%zu: %s", ranks, threads,
                !b->wanted     ? "left to the launcher"
                : !b->possible ? "nothing is bound: the system does not do it"
                               : way[worst->placed]);
        if (worst->placed >= PQ_PLACED_SHARING)
            fprintf(to, "; oversubscribed: %s on host %s", worst->why, worst->host);
        if (b->wanted && b->possible && worst->placed != PQ_PLACED_NOT)
            write_sets(to, g, all, ranks);
        fclose(to);
    }
    free(all);
    return text;
}
