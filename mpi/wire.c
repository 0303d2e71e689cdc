#include "wire.h"

#include "../kernels/machine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/* Tags of the protocol's and of the control communicator; link_account.h and group.c have the others. */
enum { TAG_DUE = 4, TAG_CLOCK = 5 };

enum {
    STAMPS = 1024,      /* times on their way: the pieces of two openings of 24 MiB, and the material's three messages */
    SAMPLES = 20,       /* round trips per measurement of clocks; the fastest counts */
    SLACK_NS = 1000,    /* of the kernel's timers: 50 us by default */
    SPIN_NS = 100000,   /* a sleeper wakes up to so much late (measured: 30 to 50 us on a virtual machine) */
    SHORT_NAP_NS = 20000, LONG_NAP_NS = 1000000
};

struct pq_wire {
    const struct pq_group *group;
    struct pq_net net;     /* with this host's part of the rate */
    uint64_t delay_ns;     /* one way */
    MPI_Comm party_here;   /* this party's ranks on this host, and what they share: */
    MPI_Win window;
    _Atomic uint64_t *free_at; /* [PQ_ROLES] when the link to that party has served what it was given, on our clock */
    int64_t ahead_ns[PQ_ROLES]; /* our clock minus that of our partner there */
    MPI_Request expecting;
    uint64_t announced;         /* what it brings, on the sender's clock */
    uint64_t latest;            /* when all that was awaited is due */
    uint64_t due[STAMPS];
    MPI_Request sending[STAMPS];
    size_t next;
    bool works; /* its rank is below G */
    int slack_ns; /* of timers, as it was before */
};

/* Our clock minus the partner's, from the fastest of several round trips; 0 where that cannot be told from the same
 * clock. The party of the lower number asks. */
static int64_t clock_ahead(const struct pq_group *g, enum pq_role peer)
{
    const int other = pq_group_rank_of(g, peer, g->rank);
    const bool asks = g->role < peer;
    uint64_t best = UINT64_MAX;
    int64_t ahead = 0;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t mine = pq_now_ns(), theirs;
        if (asks)
            PQ_MPI(g, "clocks", MPI_Send(&mine, 8, MPI_BYTE, other, TAG_CLOCK, g->control));
        PQ_MPI(g, "clocks", MPI_Recv(&theirs, 8, MPI_BYTE, other, TAG_CLOCK, g->control, MPI_STATUS_IGNORE));
        const uint64_t after = pq_now_ns();
        if (!asks)
            PQ_MPI(g, "clocks", MPI_Send(&after, 8, MPI_BYTE, other, TAG_CLOCK, g->control));
        else if (after - mine < best) {
            best = after - mine;
            ahead = (int64_t)(mine + best / 2 - theirs);
        }
    }
    if (asks) {
        const uint64_t size = (uint64_t)(ahead < 0 ? -ahead : ahead);
        ahead = size > best / 2 + 1 ? ahead : 0;
        PQ_MPI(g, "clocks", MPI_Send(&ahead, 8, MPI_BYTE, other, TAG_CLOCK, g->control));
        return ahead;
    }
    PQ_MPI(g, "clocks", MPI_Recv(&ahead, 8, MPI_BYTE, other, TAG_CLOCK, g->control, MPI_STATUS_IGNORE));
    return -ahead;
}

static void measure_clocks(struct pq_wire *w)
{
    for (enum pq_role r = PQ_P0; r < PQ_ROLES && w->works; r++)
        if (r != w->group->role)
            w->ahead_ns[r] = clock_ahead(w->group, r);
}

/* The queues of this party's links, one set per host, and this host's part of the rate. */
static void share_links(struct pq_wire *w, size_t ranks)
{
    const struct pq_group *g = w->group;
    MPI_Comm host;
    MPI_Aint bytes;
    int first, unit, works = w->works, working;
    void *base;
    PQ_MPI(g, "network", MPI_Comm_split_type(g->control, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    PQ_MPI(g, "network", MPI_Comm_split(host, (int)g->role, g->world_rank, &w->party_here));
    MPI_Comm_free(&host);
    MPI_Comm_rank(w->party_here, &first);
    PQ_MPI(g, "network", MPI_Win_allocate_shared(first == 0 ? PQ_ROLES * sizeof *w->free_at : 0, 1, MPI_INFO_NULL,
                                                 w->party_here, &base, &w->window));
    PQ_MPI(g, "network", MPI_Win_shared_query(w->window, 0, &bytes, &unit, &base));
    w->free_at = base;
    for (int r = 0; r < PQ_ROLES && first == 0; r++)
        atomic_init(&w->free_at[r], 0);
    PQ_MPI(g, "network", MPI_Allreduce(&works, &working, 1, MPI_INT, MPI_SUM, w->party_here)); /* a barrier, too */
    if (working)
        w->net.bits_per_second = w->net.bits_per_second * (uint64_t)working / ranks;
}

struct pq_wire *pq_wire_open(const struct pq_group *group, size_t ranks, const struct pq_net *net)
{
    if (!pq_net_emulates(net))
        return NULL;
    struct pq_wire *w = pq_alloc(sizeof *w);
    memset(w, 0, sizeof *w);
    w->group = group;
    w->net = *net;
    w->delay_ns = net->round_trip_ns / 2;
    w->works = group->rank < ranks;
    w->expecting = MPI_REQUEST_NULL;
    for (int i = 0; i < STAMPS; i++)
        w->sending[i] = MPI_REQUEST_NULL;
    w->slack_ns = prctl(PR_GET_TIMERSLACK);
    prctl(PR_SET_TIMERSLACK, SLACK_NS);
    pq_group_barrier(group); /* what follows waits without sleeping */
    share_links(w, ranks);
    measure_clocks(w);
    return w;
}

void pq_wire_close(struct pq_wire *w)
{
    if (!w)
        return;
    pq_group_wait(w->group, "network", w->sending, STAMPS, NULL, 1);
    pq_group_barrier(w->group);
    MPI_Win_free(&w->window);
    MPI_Comm_free(&w->party_here);
    prctl(PR_SET_TIMERSLACK, w->slack_ns);
    free(w);
}

void pq_wire_set_clocks(struct pq_wire *w)
{
    if (w && w->group->hosts > 1)
        measure_clocks(w);
}

/* First come, first served: the message waits until the link has served all before it. */
static uint64_t reserve(struct pq_wire *w, enum pq_role to, size_t bytes)
{
    const uint64_t now = pq_now_ns(), busy = pq_net_busy_ns(&w->net, bytes);
    uint64_t before = atomic_load(&w->free_at[to]), after;
    do
        after = (before > now ? before : now) + busy;
    while (!atomic_compare_exchange_weak(&w->free_at[to], &before, after));
    return after + w->delay_ns;
}

void pq_wire_depart(struct pq_wire *w, const char *phase, enum pq_role to, size_t bytes)
{
    if (!w)
        return;
    const size_t slot = w->next++ % STAMPS;
    pq_group_wait(w->group, phase, &w->sending[slot], 1, NULL, 0);
    w->due[slot] = reserve(w, to, bytes);
    PQ_MPI(w->group, phase, MPI_Isend(&w->due[slot], 8, MPI_BYTE, pq_group_rank_of(w->group, to, w->group->rank),
                                      TAG_DUE, w->group->protocol, &w->sending[slot]));
}

void pq_wire_expect(struct pq_wire *w, const char *phase, enum pq_role from)
{
    if (!w)
        return;
    PQ_ASSERT(w->expecting == MPI_REQUEST_NULL);
    PQ_MPI(w->group, phase, MPI_Irecv(&w->announced, 8, MPI_BYTE, pq_group_rank_of(w->group, from, w->group->rank),
                                      TAG_DUE, w->group->protocol, &w->expecting));
}

void pq_wire_await(struct pq_wire *w, const char *phase, enum pq_role from)
{
    if (!w)
        return;
    const uint64_t nap = w->delay_ns / 2 < LONG_NAP_NS ? w->delay_ns / 2 : LONG_NAP_NS;
    int here = 0;
    while (!here && nap >= SHORT_NAP_NS) {
        PQ_MPI(w->group, phase, MPI_Test(&w->expecting, &here, MPI_STATUS_IGNORE));
        if (!here)
            nanosleep(&(struct timespec){ 0, (long)nap }, NULL);
    }
    pq_group_wait(w->group, phase, &w->expecting, 1, NULL, 0);
    const uint64_t due = w->announced + (uint64_t)w->ahead_ns[from];
    w->latest = due > w->latest ? due : w->latest;
}

void pq_wire_hold(struct pq_wire *w)
{
    if (!w)
        return;
    const uint64_t until = w->latest;
    if (until > pq_now_ns() + SPIN_NS) {
        const uint64_t wake = until - SPIN_NS;
        const struct timespec t = { (time_t)(wake / 1000000000), (long)(wake % 1000000000) };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) /* a signal: sleep on */
            ;
    }
    while (pq_now_ns() < until)
        ;
}
