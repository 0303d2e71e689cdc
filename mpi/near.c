#include "near.h"

#include "../kernels/secret.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* One side of the window. Two slots in turn: a side that has published turn t has read everything of turn t - 1, so the
 * partner, having seen t, may write turn t + 1 over it. */
enum { SLOT_BYTES = 2 << 20, LINE = 64 };
struct side {
    _Alignas(LINE) _Atomic uint64_t turn;
    uint64_t bytes[2]; /* of the messages in the slots */
    _Alignas(LINE) uint8_t slot[2][SLOT_BYTES];
};

struct pq_near { MPI_Comm pair; MPI_Win window; struct side *mine, *theirs; uint64_t turn; };

size_t pq_near_room(void)
{
    return SLOT_BYTES;
}

/* MPI promises no alignment; both processes map whole pages, so they round up to the same place. */
static struct side *align(void *p)
{
    return (struct side *)(((uintptr_t)p + LINE - 1) / LINE * LINE);
}

static bool share_window(struct pq_near *n)
{
    int rank, unit;
    MPI_Aint bytes;
    void *mine, *theirs;
    MPI_Comm_rank(n->pair, &rank);
    if (MPI_Win_allocate_shared(sizeof(struct side) + LINE, 1, MPI_INFO_NULL, n->pair, &mine, &n->window) !=
        MPI_SUCCESS)
        return false;
    if (MPI_Win_shared_query(n->window, 1 - rank, &bytes, &unit, &theirs) != MPI_SUCCESS)
        return false;
    n->mine = align(mine);
    n->theirs = align(theirs);
    return true;
}

struct pq_near *pq_near_open(const struct pq_group *g)
{
    MPI_Comm pair, host;
    int size = 0, usable, both;
    PQ_MPI(g, "start", MPI_Comm_split(g->control, g->role == PQ_P0 ? MPI_UNDEFINED : (int)g->rank, 0, &pair));
    if (pair == MPI_COMM_NULL)
        return NULL;
    PQ_MPI(g, "start", MPI_Comm_split_type(pair, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    MPI_Comm_size(host, &size);
    MPI_Comm_free(&host);
    struct pq_near *n = pq_alloc(sizeof *n);
    *n = (struct pq_near){ .pair = pair, .window = MPI_WIN_NULL };
    usable = size == 2 && share_window(n);
    if (usable) {
        atomic_init(&n->mine->turn, 0);
        MPI_Win_fence(0, n->window);
    }
    PQ_MPI(g, "start", MPI_Allreduce(&usable, &both, 1, MPI_INT, MPI_MIN, pair));
    if (both)
        return n;
    pq_near_close(n);
    return NULL;
}

void pq_near_close(struct pq_near *n)
{
    if (!n)
        return;
    if (n->mine)
        pq_wipe(n->mine->slot, sizeof n->mine->slot);
    if (n->window != MPI_WIN_NULL)
        MPI_Win_free(&n->window);
    MPI_Comm_free(&n->pair);
    free(n);
}

void *pq_near_next(struct pq_near *n)
{
    return n->mine->slot[(n->turn + 1) % 2];
}

const void *pq_near_swap(struct pq_near *n, size_t bytes, size_t *theirs)
{
    enum { LOOKS = 64 }; /* about as long as asking MPI once */
    struct pq_patience p = pq_patience_start(0);
    const uint64_t turn = ++n->turn;
    n->mine->bytes[turn % 2] = bytes;
    atomic_store_explicit(&n->mine->turn, turn, memory_order_release);
    for (;;) {
        for (int i = 0; i < LOOKS; i++)
            if (atomic_load_explicit(&n->theirs->turn, memory_order_acquire) >= turn) {
                *theirs = n->theirs->bytes[turn % 2];
                return n->theirs->slot[turn % 2];
            }
        pq_patience_wait(&p);
    }
}
