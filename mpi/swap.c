#include "swap.h"

#include "../kernels/secret.h"
#include "link_account.h"
#include "near.h"

#include <stdlib.h>

/* Pieces: below the 64 KiB up to which Open MPI sends over TCP without asking the receiver first, so that a piece needs
 * nobody's attention while both compute. */
enum { PIECE = 48 << 10 };

static size_t pieces_of(const struct pq_swap *s)
{
    return s->bytes ? (s->bytes + s->piece - 1) / s->piece : 0;
}

static size_t piece_at(const struct pq_swap *s, size_t at)
{
    return s->bytes - at < s->piece ? s->bytes - at : s->piece;
}

static void free_buffer(struct pq_buffer *b)
{
    pq_free_secret(b->data, b->room);
    *b = (struct pq_buffer){ 0 };
}

/* What was in a buffer is lost where it must grow. */
static void make_room(struct pq_buffer *b, size_t bytes)
{
    if (b->room >= bytes)
        return;
    free_buffer(b);
    *b = (struct pq_buffer){ .data = pq_alloc(bytes), .room = bytes };
}

void pq_swap_lane_free(struct pq_swap_lane *lane)
{
    PQ_ASSERT(!lane->busy);
    free_buffer(&lane->out);
    free_buffer(&lane->in);
    free(lane->requests);
    *lane = (struct pq_swap_lane){ 0 };
}

/* The receives of all pieces come first, then the sends of all. */
static void post_receives(struct pq_swap *s)
{
    const struct pq_group *g = s->link->group;
    const size_t pieces = pieces_of(s);
    struct pq_swap_lane *lane = s->lane;
    if (lane->room < 2 * pieces) {
        free(lane->requests);
        lane->requests = pq_alloc(2 * pieces * sizeof *lane->requests);
        lane->room = 2 * pieces;
    }
    for (size_t i = 0; i < pieces; i++) {
        PQ_MPI(g, pq_phase_name[s->link->phase],
               MPI_Irecv(lane->in.data + i * s->piece, (int)piece_at(s, i * s->piece), MPI_BYTE,
                         pq_group_rank_of(g, s->peer, g->rank), PQ_TAG_CROSS, g->protocol, &lane->requests[i]));
        lane->requests[pieces + i] = MPI_REQUEST_NULL;
    }
    lane->busy = pieces > 0;
}

struct pq_swap pq_swap_begin(struct pq_link *l, enum pq_role peer, size_t bytes, size_t unit)
{
    struct pq_swap s = { .link = l, .peer = peer, .bytes = bytes, .piece = bytes };
    PQ_ASSERT(unit && unit <= PIECE && peer != PQ_P0);
    const uint64_t start = pq_now_ns();
    pq_link_look(l, false);
    if (l->group->near && !l->wire && bytes <= pq_near_room()) {
        s.out = pq_near_next(l->group->near);
    } else {
        s.lane = &l->lane[l->swaps++ % PQ_SWAP_LANES];
        PQ_ASSERT(!s.lane->busy);
        make_room(&s.lane->out, bytes);
        make_room(&s.lane->in, bytes);
        s.out = s.lane->out.data;
        s.in = s.lane->in.data;
        s.piece = bytes <= PIECE ? bytes : PIECE / unit * unit;
        post_receives(&s);
    }
    pq_link_count(l, peer, bytes, bytes > 0, bytes > 0);
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
    return s;
}

static void swap_near(struct pq_swap *s)
{
    const struct pq_group *g = s->link->group;
    size_t found;
    pq_link_look(s->link, false);
    s->in = pq_near_swap(g->near, s->bytes, &found);
    if (found != s->bytes)
        pq_group_die(g, pq_phase_name[s->link->phase], "expected a message of %zu bytes from P%d rank %zu, found %zu",
                     s->bytes, (int)s->peer, g->rank, found);
    pq_link_hear(s->link, s->peer, s->in, s->bytes);
    s->given = s->come = s->bytes;
}

void pq_swap_give(struct pq_swap *s, size_t upto)
{
    struct pq_link *l = s->link;
    const struct pq_group *g = l->group;
    const char *phase = pq_phase_name[l->phase];
    PQ_ASSERT(upto <= s->bytes);
    if (s->given == s->bytes || (upto < s->bytes && upto < s->given + s->piece))
        return;
    const uint64_t start = pq_now_ns();
    if (!s->lane)
        swap_near(s); /* gives everything */
    while (s->given < s->bytes && (upto == s->bytes || upto >= s->given + s->piece)) {
        const size_t some = piece_at(s, s->given);
        pq_wire_depart(l->wire, phase, s->peer, some);
        PQ_MPI(g, phase, MPI_Isend(s->out + s->given, (int)some, MPI_BYTE, pq_group_rank_of(g, s->peer, g->rank),
                                   PQ_TAG_CROSS, g->protocol,
                                   &s->lane->requests[pieces_of(s) + s->given / s->piece]));
        s->given += some;
    }
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
}

/* The next piece of the peer's message. */
static void take_piece(struct pq_swap *s)
{
    struct pq_link *l = s->link;
    const char *phase = pq_phase_name[l->phase];
    const size_t some = piece_at(s, s->come);
    MPI_Status status;
    pq_wire_expect(l->wire, phase, s->peer);
    pq_wire_await(l->wire, phase, s->peer);
    pq_group_wait(l->group, phase, &s->lane->requests[s->come / s->piece], 1, &status, 0);
    pq_group_expect(l->group, phase, &status, some);
    pq_wire_hold(l->wire);
    s->come += some;
}

void pq_swap_come(struct pq_swap *s, size_t upto)
{
    struct pq_link *l = s->link;
    PQ_ASSERT(s->given == s->bytes && upto <= s->bytes);
    if (s->come >= upto)
        return;
    const uint64_t start = pq_now_ns();
    pq_link_look(l, false);
    if (l->ear) /* hears a message whole, before what it opens */
        upto = s->bytes;
    while (s->come < upto)
        take_piece(s);
    if (s->come == s->bytes) {
        const size_t pieces = pieces_of(s);
        pq_group_wait(l->group, pq_phase_name[l->phase], s->lane->requests + pieces, (int)pieces, NULL, 0);
        s->lane->busy = false;
        pq_link_hear(l, s->peer, s->in, s->bytes);
    }
    pq_link_spent(l, start, &pq_link_now(l)->wait_ns);
}
