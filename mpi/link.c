#include "link.h"

#include "../kernels/secret.h"
#include "link_account.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 30 };

const char *const pq_phase_name[PQ_PHASES] = { "setup", "offline", "online" };

void pq_link_open(struct pq_link *l, const struct pq_group *group, size_t ranks)
{
    memset(l, 0, sizeof *l);
    l->group = group;
    l->ranks = ranks;
}

void pq_link_emulate(struct pq_link *l, const struct pq_net *net)
{
    l->wire = pq_wire_open(l->group, l->ranks, net);
}

/* Nobody of ours starts anew before all have closed: what is still there was sent too much. */
static void refuse_leftovers(const struct pq_link *l)
{
    const struct pq_group *g = l->group;
    int there, got;
    MPI_Status status;
    PQ_MPI(g, "end", MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, g->protocol, &there, &status));
    if (!there)
        return;
    MPI_Get_count(&status, MPI_BYTE, &got);
    pq_group_die(g, "end", "expected no more messages, found one of %d bytes from P%zu rank %zu", got,
                 (size_t)status.MPI_SOURCE / g->ranks_max, (size_t)status.MPI_SOURCE % g->ranks_max);
}

void pq_link_close(struct pq_link *l)
{
    PQ_ASSERT(!l->gathering.requests);
    refuse_leftovers(l);
    pq_wire_close(l->wire);
    l->wire = NULL;
    for (int i = 0; i < PQ_SWAP_LANES; i++)
        pq_swap_lane_free(&l->lane[i]);
}

void pq_link_phase(struct pq_link *l, enum pq_phase phase, enum pq_operation operation)
{
    uint64_t t = pq_now_ns();
    if (l->running)
        pq_link_now(l)->compute_ns += t - l->since_ns - l->inside_ns;
    l->running = true;
    l->since_ns = t;
    l->inside_ns = 0;
    l->phase = phase;
    l->operation = operation;
}

void pq_link_pause(struct pq_link *l)
{
    pq_link_begin(l, l->operation);
    l->running = false;
}

void pq_link_begin(struct pq_link *l, enum pq_operation operation)
{
    pq_link_phase(l, l->phase, operation);
}

static int piece(size_t left)
{
    return left < PIECE ? (int)left : PIECE;
}

static void post_arrival(struct pq_link *l)
{
    struct pq_arrival *a = &l->arrival;
    PQ_MPI(l->group, pq_phase_name[l->phase],
           MPI_Irecv(a->next, piece(a->left), MPI_BYTE, pq_group_rank_of(l->group, a->from, l->group->rank), PQ_TAG_CROSS,
                     l->group->protocol, &a->request));
}

void pq_link_look(struct pq_link *l, bool wait)
{
    struct pq_arrival *a = &l->arrival;
    const char *phase = pq_phase_name[l->phase];
    while (a->left) {
        MPI_Status status;
        int done = 1, got;
        if (wait)
            pq_group_wait(l->group, phase, &a->request, 1, &status, 0);
        else
            PQ_MPI(l->group, phase, MPI_Test(&a->request, &done, &status));
        if (!done)
            return;
        MPI_Get_count(&status, MPI_BYTE, &got);
        pq_link_hear(l, a->from, a->next, (size_t)got);
        a->next += got;
        a->left -= (size_t)got;
        if (a->left)
            post_arrival(l);
    }
}

void pq_link_expect(struct pq_link *l, enum pq_role from, void *data, size_t bytes)
{
    PQ_ASSERT(!l->arrival.left && !l->wire);
    l->arrival = (struct pq_arrival){ .from = from, .next = data, .left = bytes };
    if (bytes)
        post_arrival(l);
}

void pq_link_arrived(struct pq_link *l)
{
    uint64_t start = pq_now_ns();
    pq_link_look(l, true);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
}

static void transfer(struct pq_link *l, enum pq_role peer, const void *out, size_t out_bytes, void *in,
                     size_t in_bytes, uint64_t rounds)
{
    const struct pq_group *g = l->group;
    const char *phase = pq_phase_name[l->phase];
    const int other = pq_group_rank_of(g, peer, g->rank);
    uint64_t start = pq_now_ns();

    pq_link_look(l, false);
    for (size_t o = 0, i = 0; o < out_bytes || i < in_bytes;) {
        const int co = piece(out_bytes - o), ci = piece(in_bytes - i);
        MPI_Request q[2] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL };
        MPI_Status status[2];
        if (co) /* first of all: posting a receive may copy what is there already */
            pq_wire_depart(l->wire, phase, peer, (size_t)co);
        if (ci) {
            PQ_MPI(g, phase, MPI_Irecv((char *)in + i, ci, MPI_BYTE, other, PQ_TAG_CROSS, g->protocol, &q[0]));
            pq_wire_expect(l->wire, phase, peer);
        }
        if (co)
            PQ_MPI(g, phase, MPI_Isend((const char *)out + o, co, MPI_BYTE, other, PQ_TAG_CROSS, g->protocol, &q[1]));
        if (ci)
            pq_wire_await(l->wire, phase, peer);
        pq_group_wait(g, phase, q, 2, status, 0);
        if (ci)
            pq_group_expect(g, phase, &status[0], (size_t)ci);
        pq_wire_hold(l->wire);
        pq_link_now(l)->messages += co > 0;
        o += (size_t)co;
        i += (size_t)ci;
    }
    pq_link_count(l, peer, out_bytes, 0, rounds);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
    pq_link_hear(l, peer, in, in_bytes);
}

void pq_link_exchange(struct pq_link *l, enum pq_role peer, const void *out, size_t out_bytes, void *in,
                      size_t in_bytes)
{
    transfer(l, peer, out, out_bytes, in, in_bytes, in_bytes > 0);
}

void pq_link_send(struct pq_link *l, enum pq_role to, const void *data, size_t bytes)
{
    pq_link_exchange(l, to, data, bytes, NULL, 0);
}

void pq_link_receive(struct pq_link *l, enum pq_role from, void *data, size_t bytes)
{
    pq_link_exchange(l, from, NULL, 0, data, bytes);
}

void pq_link_collect(struct pq_link *l, enum pq_role from, void *data, size_t bytes)
{
    transfer(l, from, NULL, 0, data, bytes, 0);
}

void pq_link_book(struct pq_link *l, enum pq_role to, size_t bytes)
{
    pq_link_count(l, to, bytes, 0, 0);
}

MPI_Request pq_link_post(struct pq_link *l, enum pq_role to, const void *data, size_t bytes)
{
    const struct pq_group *g = l->group;
    MPI_Request q;
    PQ_ASSERT(bytes <= PIECE);
    uint64_t start = pq_now_ns();
    pq_wire_depart(l->wire, pq_phase_name[l->phase], to, bytes);
    PQ_MPI(g, pq_phase_name[l->phase], MPI_Isend(data, (int)bytes, MPI_BYTE, pq_group_rank_of(g, to, g->rank),
                                                 PQ_TAG_CROSS, g->protocol, &q));
    pq_link_now(l)->messages++;
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
    return q;
}

void pq_link_sent(struct pq_link *l, MPI_Request *request, int count)
{
    uint64_t start = pq_now_ns();
    pq_group_wait(l->group, pq_phase_name[l->phase], request, count, NULL, 0);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
}

size_t pq_link_take(struct pq_link *l, enum pq_role from, void *data, size_t room)
{
    const struct pq_group *g = l->group;
    const char *phase = pq_phase_name[l->phase];
    MPI_Request q;
    MPI_Status status;
    int got;
    uint64_t start = pq_now_ns();
    PQ_MPI(g, phase, MPI_Irecv(data, piece(room), MPI_BYTE, pq_group_rank_of(g, from, g->rank), PQ_TAG_CROSS,
                               g->protocol, &q));
    pq_wire_expect(l->wire, phase, from);
    pq_wire_await(l->wire, phase, from);
    pq_group_wait(g, phase, &q, 1, &status, 0);
    MPI_Get_count(&status, MPI_BYTE, &got);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
    pq_link_hear(l, from, data, (size_t)got);
    return (size_t)got;
}

void pq_link_taken(struct pq_link *l)
{
    uint64_t start = pq_now_ns();
    pq_wire_hold(l->wire);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
}
