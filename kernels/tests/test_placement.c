/* Who gets which cores, on machines that do not exist: sets are compared exactly. */
#include "../placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 64 };

/* Hardware threads are numbered as Linux does: first one of each core, then the second ones. */
static const char *const two_sockets = "Package:2 NUMANode:1 Core:4 PU:1",
                        *const four_nodes = "Package:2 NUMANode:2 Core:4 PU:1",
                        *const small_nodes = "Package:1 NUMANode:4 Core:2 PU:1",
                        *const doubled = "Package:1 NUMANode:1 Core:4 PU:2(indexes=0,4,1,5,2,6,3,7)",
                        *const doubled_sockets =
                            "Package:2 NUMANode:1 Core:2 PU:2(indexes=0,4,1,5,2,6,3,7)",
                        *const two_cores = "Package:1 NUMANode:1 Core:2 PU:1";

static const char *const name[] = { [PQ_PLACED_CORES] = "cores", [PQ_PLACED_THREADS] = "hardware threads",
                                    [PQ_PLACED_SHARING] = "sharing", [PQ_PLACED_NOT] = "not" };

/* Plans for three parties of `ranks` ranks. allowed: one set for all, or one for each seat, separated by '/'; NULL: the
 * whole machine. expected: the kind, then each thread's set, ranks separated by '/' and threads by ' '. */
static void plan(const char *machine, const char *allowed, size_t ranks, size_t threads, const char *expected)
{
    hwloc_topology_t t;
    struct pq_seat seat[MOST];
    hwloc_bitmap_t set[MOST], place[MOST];
    const size_t seats = 3 * ranks;
    char found[2048], sets[512] = "", *rest = sets, *item = NULL;
    assert_true(seats <= MOST && seats * threads <= MOST);
    assert_int_equal(hwloc_topology_init(&t), 0);
    assert_int_equal(hwloc_topology_set_synthetic(t, machine), 0);
    assert_int_equal(hwloc_topology_load(t), 0);
    if (allowed)
        strcpy(sets, allowed);
    for (size_t s = 0; s < seats; s++) {
        if (allowed && (!item || rest))
            item = strsep(&rest, "/");
        set[s] = hwloc_bitmap_alloc();
        if (item)
            hwloc_bitmap_list_sscanf(set[s], item);
        else
            hwloc_bitmap_copy(set[s], hwloc_topology_get_allowed_cpuset(t));
        seat[s] = (struct pq_seat){ (unsigned)(s / ranks), s < ranks, set[s] };
    }
    for (size_t i = 0; i < seats * threads; i++)
        place[i] = hwloc_bitmap_alloc();
    int at = sprintf(found, "%s:", name[pq_placement_plan(t, seat, seats, threads, place)]);
    for (size_t i = 0; i < seats * threads; i++) {
        char text[64];
        hwloc_bitmap_list_snprintf(text, sizeof text, place[i]);
        at += sprintf(found + at, "%s%s", i && i % threads == 0 ? " / " : " ", text);
        hwloc_bitmap_free(place[i]);
    }
    for (size_t s = 0; s < seats; s++)
        hwloc_bitmap_free(set[s]);
    hwloc_topology_destroy(t);
    assert_string_equal(found, expected);
}

static void parties_spread_over_sockets(void **state)
{
    (void)state;
    plan(two_sockets, NULL, 1, 1, "cores: 0 / 4 / 1");
    plan(two_sockets, NULL, 1, 2, "cores: 0 1 / 4 5 / 2 3");
    plan(two_sockets, NULL, 2, 1, "cores: 0 / 1 / 4 / 5 / 2 / 3");
}

static void parties_stay_on_a_node(void **state)
{
    (void)state;
    plan(four_nodes, NULL, 1, 4, "cores: 0 1 2 3 / 4 5 6 7 / 8 9 10 11");
    plan(four_nodes, NULL, 2, 2, "cores: 0 1 / 2 3 / 4 5 / 6 7 / 8 9 / 10 11");
    plan(four_nodes, NULL, 4, 1, "cores: 0 / 1 / 2 / 3 / 4 / 5 / 6 / 7 / 8 / 9 / 10 / 11");
    /* Five ranks do not fit a node: four do, and the last one where there is most room. */
    plan(four_nodes, NULL, 5, 1, "cores: 0 / 1 / 2 / 3 / 4 / 8 / 9 / 10 / 11 / 12 / 5 / 6 / 7 / 13 / 14");
    plan(four_nodes, NULL, 1, 3, "cores: 0 1 2 / 4 5 6 / 8 9 10");
    /* A party whose ranks were given different nodes. */
    plan(four_nodes, "0-3/0-3/0-3/4-15/4-15/4-15", 2, 1, "cores: 0 / 1 / 2 / 4 / 8 / 9");
}

static void ranks_larger_than_a_node(void **state)
{
    (void)state;
    plan(small_nodes, NULL, 1, 3, "sharing: 0-7 0-7 0-7 / 0 1 2 / 4 5 6");
    plan(small_nodes, "0-5", 1, 2, "cores: 0 1 / 2 3 / 4 5");
    plan("Package:1 NUMANode:6 Core:2 PU:1", NULL, 1, 3, "cores: 0 1 2 / 4 5 6 / 8 9 10");
}

static void cores_before_hyper_threads(void **state)
{
    (void)state;
    plan(doubled, NULL, 1, 1, "cores: 0,4 / 1,5 / 2,6");
    plan(doubled, NULL, 1, 2, "hardware threads: 0 1 / 2 3 / 4 5");
    plan(doubled, NULL, 2, 1, "hardware threads: 0 / 1 / 2 / 3 / 4 / 5");
    plan(doubled, NULL, 1, 3, "sharing: 0-7 0-7 0-7 / 0 1 2 / 3 4 5");
    plan(doubled, NULL, 1, 5, "not: 0-7 0-7 0-7 0-7 0-7 / 0-7 0-7 0-7 0-7 0-7 / 0-7 0-7 0-7 0-7 0-7");
    plan(doubled_sockets, NULL, 1, 1, "cores: 0,4 / 2,6 / 1,5");
    plan(doubled_sockets, NULL, 1, 2, "hardware threads: 0 1 / 2 3 / 4 5");
    plan(doubled_sockets, NULL, 1, 4, "sharing: 0-7 0-7 0-7 0-7 / 0 1 4 5 / 2 3 6 7");
}

static void keeps_within_what_it_was_given(void **state)
{
    (void)state;
    plan(two_sockets, "2,3,5,7", 1, 1, "cores: 2 / 5 / 3");
    plan(two_sockets, "6", 1, 1, "not: 6 / 6 / 6");
    plan(doubled, "0-3", 1, 1, "cores: 0 / 1 / 2");       /* one hardware thread of each core */
    plan(doubled, "1,5,3", 1, 1, "hardware threads: 1 / 3 / 5");
    plan(doubled, "1,5,2,6,3,7", 1, 1, "cores: 1,5 / 2,6 / 3,7");
}

static void own_sets_stay_own(void **state)
{
    (void)state;
    plan(two_sockets, "0-1/4-5/6-7", 1, 2, "cores: 0 1 / 4 5 / 6 7");
    plan(two_sockets, "0-1/4-5/6-7", 1, 1, "cores: 0 / 4 / 6");
    plan(two_sockets, "0-1/4-5/6-7", 1, 3, "not: 0-1 0-1 0-1 / 4-5 4-5 4-5 / 6-7 6-7 6-7");
    plan(doubled, "0/4/1,5", 1, 1, "hardware threads: 0 / 4 / 1");
    plan(doubled, "0,4/1,5/2,6", 1, 2, "hardware threads: 0 4 / 1 5 / 2 6");
    /* As a launcher does that deals ranks out to sockets. */
    plan(two_sockets, "0-3/4-7/0-3/4-7/0-3/4-7", 2, 1, "cores: 0 / 4 / 1 / 5 / 2 / 6");
    plan(two_sockets, "0-3/4-7/0-3", 1, 2, "cores: 0 1 / 4 5 / 2 3");
}

static void more_ranks_than_cores(void **state)
{
    (void)state;
    plan(two_cores, NULL, 1, 1, "sharing: 0-1 / 0 / 1");
    plan(two_cores, NULL, 1, 2, "not: 0-1 0-1 / 0-1 0-1 / 0-1 0-1");
    plan(two_cores, NULL, 4, 1, "not: 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1 / 0-1");
    plan(two_sockets, NULL, 1, 4, "sharing: 0-7 0-7 0-7 0-7 / 0 1 2 3 / 4 5 6 7");
    plan(two_sockets, NULL, 3, 1, "sharing: 0-7 / 0-7 / 0-7 / 0 / 1 / 2 / 4 / 5 / 6");
}

static void counts_cores(void **state)
{
    static const struct { const char *set; unsigned cores; } cases[] = {
        { "", 0 }, { "0", 1 }, { "0,4", 1 }, { "0,1", 2 }, { "4-7", 4 }, { "0-7", 4 }, { "2,5,6", 2 }
    };
    hwloc_topology_t t;
    (void)state;
    assert_int_equal(hwloc_topology_init(&t), 0);
    assert_int_equal(hwloc_topology_set_synthetic(t, doubled), 0);
    assert_int_equal(hwloc_topology_load(t), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hwloc_bitmap_t set = hwloc_bitmap_alloc();
        hwloc_bitmap_list_sscanf(set, cases[i].set);
        assert_int_equal(pq_placement_cores(t, set), cases[i].cores);
        hwloc_bitmap_free(set);
    }
    hwloc_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parties_spread_over_sockets), cmocka_unit_test(parties_stay_on_a_node),
        cmocka_unit_test(ranks_larger_than_a_node), cmocka_unit_test(cores_before_hyper_threads),
        cmocka_unit_test(keeps_within_what_it_was_given), cmocka_unit_test(own_sets_stay_own),
        cmocka_unit_test(more_ranks_than_cores), cmocka_unit_test(counts_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
