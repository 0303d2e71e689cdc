#include "placement.h"

#include "status.h"

#include <stdlib.h>
#include <string.h>

/* One hardware thread. sibling: its number among those of its core that anybody may use. */
struct unit { unsigned os, core, sibling, node; };

struct room {
    struct unit *unit; /* by sibling, then in hwloc's order, in which neighbours are near each other */
    size_t units;
    unsigned nodes, cores;
    bool whole_cores;  /* who takes one hardware thread takes its core */
    bool *used;        /* [units], or [cores] */
};

static unsigned core_of(hwloc_obj_t pu)
{
    hwloc_obj_t core = pu;
    while (core && core->type != HWLOC_OBJ_CORE)
        core = core->parent;
    return core ? core->logical_index : pu->logical_index; /* a machine that tells of no cores */
}

/* The number of the first NUMA node that holds the hardware thread; nodes without any (memory alone) count for
 * nothing. */
static unsigned node_of(hwloc_topology_t t, unsigned os)
{
    for (hwloc_obj_t n = NULL; (n = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, n));)
        if (hwloc_bitmap_isset(n->cpuset, os))
            return n->logical_index;
    return 0;
}

static int by_sibling(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    return x->sibling != y->sibling ? (x->sibling > y->sibling) - (x->sibling < y->sibling)
                                    : (x->core > y->core) - (x->core < y->core);
}

/* All hardware threads that some seat may use. */
static struct room survey(hwloc_topology_t t, const struct pq_seat *seat, size_t seats)
{
    const int all = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
    struct room r = { .unit = pq_alloc((size_t)all * sizeof *r.unit), .nodes = 1 };
    for (hwloc_obj_t pu = NULL; (pu = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_PU, pu));) {
        bool allowed = false;
        for (size_t s = 0; s < seats && !allowed; s++)
            allowed = hwloc_bitmap_isset(seat[s].allowed, pu->os_index);
        if (!allowed)
            continue;
        struct unit u = { .os = pu->os_index, .core = core_of(pu), .node = node_of(t, pu->os_index) };
        for (size_t i = 0; i < r.units; i++)
            u.sibling += r.unit[i].core == u.core;
        r.nodes = u.node >= r.nodes ? u.node + 1 : r.nodes;
        r.cores = u.core >= r.cores ? u.core + 1 : r.cores;
        r.unit[r.units++] = u;
    }
    qsort(r.unit, r.units, sizeof *r.unit, by_sibling);
    return r;
}

static bool *use_of(const struct room *r, size_t i)
{
    return &r->used[r->whole_cores ? r->unit[i].core : i];
}

static size_t uses(const struct room *r)
{
    return r->whole_cores ? r->cores : r->units;
}

/* A free unit of the node for the next thread of the seat; r->units: there is none. */
static size_t find(const struct room *r, const struct pq_seat *seat, unsigned node)
{
    size_t i = 0;
    while (i < r->units && (r->unit[i].node != node || *use_of(r, i) ||
                            !hwloc_bitmap_isset(seat->allowed, r->unit[i].os)))
        i++;
    return i;
}

static bool take(struct room *r, const struct pq_seat *seat, unsigned node, hwloc_bitmap_t place)
{
    const size_t i = find(r, seat, node);
    if (i == r->units)
        return false;
    *use_of(r, i) = true;
    hwloc_bitmap_zero(place);
    for (size_t k = 0; k < r->units; k++)
        if (k == i || (r->whole_cores && r->unit[k].core == r->unit[i].core &&
                       hwloc_bitmap_isset(seat->allowed, r->unit[k].os)))
            hwloc_bitmap_set(place, r->unit[k].os);
    return true;
}

/* What is free in the node for one or another of the seats; 0 where it is too little for all of them. */
static size_t room_in(const struct room *r, const struct pq_seat *seat, size_t seats, size_t threads, unsigned node)
{
    struct room copy = *r;
    size_t n = 0;
    copy.used = pq_alloc(uses(r) * sizeof *copy.used);
    memcpy(copy.used, r->used, uses(r) * sizeof *copy.used);
    for (size_t s = 0, i; s < seats; s++) {
        for (size_t t = 0; t < threads && (i = find(&copy, &seat[s], node)) < r->units; t++, n++)
            *use_of(&copy, i) = true;
    }
    const bool enough = n == seats * threads;
    for (size_t s = 0, i; s < seats && enough; s++)
        for (; (i = find(&copy, &seat[s], node)) < r->units; n++)
            *use_of(&copy, i) = true;
    free(copy.used);
    return enough ? n : 0;
}

/* The node with the most room that has enough for all these seats; r->nodes: none. */
static unsigned roomiest(const struct room *r, const struct pq_seat *seat, size_t seats, size_t threads)
{
    unsigned best = r->nodes;
    size_t most = 0;
    for (unsigned node = 0; node < r->nodes; node++) {
        const size_t room = room_in(r, seat, seats, threads, node);
        best = room > most ? node : best;
        most = room > most ? room : most;
    }
    return best;
}

/* From the node on, and from those after it when it is full. */
static bool take_all(struct room *r, const struct pq_seat *seat, size_t threads, unsigned node, hwloc_bitmap_t *place)
{
    size_t n = 0;
    for (unsigned i = 0; i < r->nodes; i++)
        while (n < threads && take(r, seat, (node + i) % r->nodes, place[n]))
            n++;
    return n == threads;
}

static bool seat_party(struct room *r, const struct pq_seat *seat, size_t seats, size_t threads, hwloc_bitmap_t *place)
{
    const unsigned together = roomiest(r, seat, seats, threads);
    unsigned node = together;
    for (size_t s = 0; s < seats; s++) {
        if (together == r->nodes && (node == r->nodes || !room_in(r, &seat[s], 1, threads, node)))
            node = roomiest(r, &seat[s], 1, threads); /* each where there is room, near the one before if possible */
        if (!take_all(r, &seat[s], threads, node < r->nodes ? node : roomiest(r, &seat[s], 1, 1), place + s * threads))
            return false;
    }
    return true;
}

/* Places of all seats, or of those that may not share. */
static bool seat_all(const struct room *surveyed, bool whole_cores, bool sharing, const struct pq_seat *seat,
                     size_t seats, size_t threads, hwloc_bitmap_t *place)
{
    struct room r = *surveyed;
    bool fits = true;
    r.whole_cores = whole_cores;
    r.used = pq_alloc(uses(&r) * sizeof *r.used);
    memset(r.used, 0, uses(&r) * sizeof *r.used);
    for (size_t s = 0, n; s < seats && fits; s += n) {
        for (n = 1; s + n < seats && seat[s + n].party == seat[s].party; n++)
            ;
        if (!sharing || !seat[s].may_share)
            fits = seat_party(&r, &seat[s], n, threads, place + s * threads);
        else
            for (size_t i = s * threads; i < (s + n) * threads; i++)
                hwloc_bitmap_copy(place[i], seat[i / threads].allowed);
    }
    free(r.used);
    return fits;
}

enum pq_placed pq_placement_plan(hwloc_topology_t topology, const struct pq_seat *seat, size_t seats, size_t threads,
                                 hwloc_bitmap_t *place)
{
    const struct room r = survey(topology, seat, seats);
    enum pq_placed placed = PQ_PLACED_NOT;
    if (seat_all(&r, true, false, seat, seats, threads, place))
        placed = PQ_PLACED_CORES;
    else if (seat_all(&r, false, false, seat, seats, threads, place))
        placed = PQ_PLACED_THREADS;
    else if (seat_all(&r, true, true, seat, seats, threads, place) ||
             seat_all(&r, false, true, seat, seats, threads, place))
        placed = PQ_PLACED_SHARING;
    for (size_t i = 0; i < seats * threads && placed == PQ_PLACED_NOT; i++)
        hwloc_bitmap_copy(place[i], seat[i / threads].allowed);
    free(r.unit);
    return placed;
}

unsigned pq_placement_cores(hwloc_topology_t topology, hwloc_const_bitmap_t set)
{
    unsigned cores = 0;
    hwloc_obj_t before = NULL;
    for (hwloc_obj_t pu = NULL; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu));) {
        if (!hwloc_bitmap_isset(set, pu->os_index))
            continue;
        cores += !before || core_of(before) != core_of(pu);
        before = pu;
    }
    return cores;
}
