/* The link inside a party (link.h): each rank's part to all ranks, and sums over them. */
#include "../kernels/secret.h"
#include "link_account.h"

#include <stdlib.h>
#include <string.h>

static size_t begin_of(const struct pq_gathering *w, size_t j)
{
    return j ? w->ends[j - 1] : 0;
}

void pq_link_gather_begin(struct pq_link *l, void *whole, const size_t *block_bytes)
{
    const struct pq_group *g = l->group;
    const char *phase = pq_phase_name[l->phase];
    struct pq_gathering *w = &l->gathering;
    const size_t ranks = l->ranks, own = block_bytes[g->rank];
    PQ_ASSERT(!w->requests);
    if (ranks == 1)
        return;
    const uint64_t start = pq_now_ns();
    size_t at = 0;
    *w = (struct pq_gathering){ .requests = pq_alloc(2 * ranks * sizeof *w->requests),
                                .ends = pq_alloc(ranks * sizeof *w->ends) };
    for (size_t j = 0; j < 2 * ranks; j++)
        w->requests[j] = MPI_REQUEST_NULL;
    for (size_t j = 0; j < ranks; j++) {
        PQ_ASSERT(block_bytes[j] <= INT32_MAX);
        if (j != g->rank && block_bytes[j])
            PQ_MPI(g, phase, MPI_Irecv((char *)whole + at, (int)block_bytes[j], MPI_BYTE,
                                       pq_group_rank_of(g, g->role, j), PQ_TAG_INSIDE, g->protocol, &w->requests[j]));
        w->ends[j] = at += block_bytes[j];
    }
    w->own = begin_of(w, g->rank);
    for (size_t j = 0; j < ranks && own; j++)
        if (j != g->rank) {
            PQ_MPI(g, phase, MPI_Isend((char *)whole + w->own, (int)own, MPI_BYTE, pq_group_rank_of(g, g->role, j),
                                       PQ_TAG_INSIDE, g->protocol, &w->requests[ranks + j]));
            pq_link_now(l)->internal_bytes += own;
            pq_link_now(l)->internal_messages++;
        }
    pq_link_spent(l, start, &pq_link_now(l)->internal_ns);
}

void pq_link_gathered(struct pq_link *l, size_t from, size_t to)
{
    const struct pq_gathering *w = &l->gathering;
    const char *phase = pq_phase_name[l->phase];
    if (!w->requests)
        return;
    const uint64_t start = pq_now_ns();
    for (size_t j = 0; j < l->ranks; j++) {
        MPI_Status status;
        if (w->requests[j] == MPI_REQUEST_NULL || begin_of(w, j) >= to || w->ends[j] <= from)
            continue;
        pq_group_wait(l->group, phase, &w->requests[j], 1, &status, 0);
        pq_group_expect(l->group, phase, &status, w->ends[j] - begin_of(w, j));
    }
    pq_link_spent(l, start, &pq_link_now(l)->internal_ns);
}

void pq_link_gather_end(struct pq_link *l)
{
    struct pq_gathering *w = &l->gathering;
    if (!w->requests)
        return;
    pq_link_gathered(l, 0, w->ends[l->ranks - 1]);
    const uint64_t start = pq_now_ns();
    pq_group_wait(l->group, pq_phase_name[l->phase], w->requests + l->ranks, (int)l->ranks, NULL, 0);
    free(w->requests);
    free(w->ends);
    *w = (struct pq_gathering){ 0 };
    pq_link_spent(l, start, &pq_link_now(l)->internal_ns);
}

void pq_link_gather(struct pq_link *l, void *whole, const size_t *block_bytes)
{
    pq_link_gather_begin(l, whole, block_bytes);
    pq_link_gather_end(l);
}

void pq_link_reduce_blocks(struct pq_link *l, const uint32_t *mine, size_t n, size_t vectors, uint32_t *out)
{
    const struct pq_group *g = l->group;
    const char *phase = pq_phase_name[l->phase];
    const struct pq_block own = pq_split(n, l->ranks, g->rank);
    for (size_t v = 0; v < vectors; v++)
        memcpy(out + v * own.count, mine + v * n + own.first, own.count * 4);
    if (l->ranks == 1)
        return;

    uint64_t start = pq_now_ns();
    MPI_Request *q = pq_alloc(2 * l->ranks * sizeof *q);
    MPI_Status *status = pq_alloc(2 * l->ranks * sizeof *status);
    uint32_t *in = pq_alloc(l->ranks * vectors * own.count * 4), *packed = pq_alloc(vectors * n * 4);
    int count = 0, receives;
    for (size_t j = 0; j < l->ranks && own.count; j++)
        if (j != g->rank)
            PQ_MPI(g, phase, MPI_Irecv(in + j * vectors * own.count, (int)(vectors * own.count * 4), MPI_BYTE,
                                       pq_group_rank_of(g, g->role, j), PQ_TAG_INSIDE, g->protocol, &q[count++]));
    receives = count;
    size_t at = 0;
    for (size_t j = 0; j < l->ranks; j++) {
        const struct pq_block b = pq_split(n, l->ranks, j);
        if (j == g->rank || !b.count)
            continue;
        for (size_t v = 0; v < vectors; v++)
            memcpy(packed + at + v * b.count, mine + v * n + b.first, b.count * 4);
        PQ_MPI(g, phase, MPI_Isend(packed + at, (int)(vectors * b.count * 4), MPI_BYTE,
                                   pq_group_rank_of(g, g->role, j), PQ_TAG_INSIDE, g->protocol, &q[count++]));
        pq_link_now(l)->internal_bytes += vectors * b.count * 4;
        pq_link_now(l)->internal_messages++;
        at += vectors * b.count;
    }
    pq_group_wait(g, phase, q, count, status, 0);
    for (int i = 0; i < receives; i++)
        pq_group_expect(g, phase, &status[i], vectors * own.count * 4);
    for (size_t j = 0; j < l->ranks; j++)
        for (size_t i = 0; j != g->rank && i < vectors * own.count; i++)
            out[i] += in[j * vectors * own.count + i];
    pq_free_secret(packed, vectors * n * 4);
    pq_free_secret(in, l->ranks * vectors * own.count * 4);
    free(status);
    free(q);
    pq_link_spent(l, start, &pq_link_now(l)->internal_ns);
}
