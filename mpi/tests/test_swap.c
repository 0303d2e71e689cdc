/* Rounds in pieces (swap.h) and openings that use them: through shared memory, over MPI and on an emulated network. Every
 * rank of P1 and P2 opens values that all know, in chains as reshare.c does it; lengths around the ends of pieces and
 * chunks. Run under mpirun -n 3, 6. */
#include "parties.h"

#include "../../kernels/bits.h"
#include "../../kernels/ring.h"
#include "../open.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 48 << 10, LONGEST = 3000001 };

struct setting { struct parties *p; const char *way; };

/* Hears messages whole, whatever pieces they came in, and values only after the message that opens them. */
struct listener { struct pq_ear ear; size_t messages, bytes, values, early; };

static void received(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    struct listener *x = (struct listener *)ear;
    (void)l, (void)from, (void)data;
    x->messages++;
    x->bytes += bytes;
}

static void opened(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits, size_t all)
{
    struct listener *x = (struct listener *)ear;
    (void)l, (void)value, (void)bits;
    x->values += n;
    x->early += x->values > x->messages * all;
}

static uint32_t share_of(enum pq_role role, size_t i, unsigned round)
{
    const uint64_t x = (i + 1) * UINT64_C(6364136223846793005) + (role + 7u * round) * UINT64_C(1442695040888963407);
    return (uint32_t)(x >> 32);
}

/* Own shares of one round, then what they open to. */
static void put(struct pq_opening *in, struct pq_opening *out, uint8_t *own, uint8_t *next, unsigned round)
{
    const enum pq_role role = out->swap.link->group->role;
    const size_t width = pq_ring_bytes(out->bits);
    for (size_t a = 0, b; (b = pq_opening_next(in, out, a)) > a; a = b)
        for (size_t i = a; i < b; i += PQ_CHUNK) {
            const size_t m = pq_chunk(b, i);
            if (in)
                pq_opening_add(in, i, own + i * pq_ring_bytes(in->bits), m);
            for (size_t k = i; k < i + m; k++)
                pq_ring_put(next, k, out->bits, share_of(role, k, round) & pq_ring_mask(out->bits));
            pq_opening_put(out, i, next + i * width, m);
        }
}

static void expect_opened(struct setting *s, const uint8_t *value, size_t n, unsigned bits, unsigned round)
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t p1 = share_of(PQ_P1, i, round), p2 = share_of(PQ_P2, i, round);
        wrong += pq_ring_get(value, i, bits) != ((bits == 1 ? p1 ^ p2 : p1 + p2) & pq_ring_mask(bits));
    }
    parties_check(s->p, !wrong, "%s: round %u of %zu values of %u bits: %zu are wrong", s->way, round, n, bits, wrong);
}

/* Three rounds of widths as those of a reshare; the next one is put while the one before is added. */
static void chain(struct setting *s, size_t n, const unsigned bits[3])
{
    struct pq_link *l = &s->p->link;
    struct pq_context c = { .link = l, .role = l->group->role };
    const struct pq_count before = l->tally.at[PQ_ONLINE][PQ_OP_INPUT], *after = &l->tally.at[PQ_ONLINE][PQ_OP_INPUT];
    uint8_t *value[3];
    struct pq_opening o[3];
    size_t bytes = 0;
    struct listener ear = { .ear = { received, opened } };
    l->ear = n % 2 ? &ear.ear : NULL; /* odd lengths are listened to */
    for (unsigned r = 0; r < 3; r++) {
        value[r] = pq_alloc(n * pq_ring_bytes(bits[r]) + 1);
        value[r][n * pq_ring_bytes(bits[r])] = 0x5a;
        o[r] = pq_opening_begin(&c, n, bits[r]);
        put(r ? &o[r - 1] : NULL, &o[r], r ? value[r - 1] : NULL, value[r], r);
        bytes += pq_bits_bytes(n, bits[r]);
    }
    for (size_t a = 0, b; (b = pq_opening_next(&o[2], NULL, a)) > a; a = b)
        for (size_t i = a; i < b; i += PQ_CHUNK)
            pq_opening_add(&o[2], i, value[2] + i * pq_ring_bytes(bits[2]), pq_chunk(b, i));
    for (unsigned r = 0; r < 3; r++) {
        expect_opened(s, value[r], n, bits[r], r);
        parties_check(s->p, value[r][n * pq_ring_bytes(bits[r])] == 0x5a, "%s: written behind the end", s->way);
        free(value[r]);
    }
    const size_t rounds = n ? 3 : 0;
    if (l->ear)
        parties_check(s->p, ear.messages == 3 && ear.bytes == bytes && ear.values == 3 * n && !ear.early,
                      "%s: %zu messages were heard of %zu values", s->way, ear.messages, n);
    l->ear = NULL;
    parties_check(s->p, after->bytes == before.bytes + bytes && after->messages == before.messages + rounds &&
                            after->rounds == before.rounds + rounds,
                  "%s: counts of %zu values", s->way, n);
}

/* P1 gives one piece and goes on only when P2 says that it has come: it must not wait for the rest. */
static void first_piece_alone(struct setting *s)
{
    struct pq_link *l = &s->p->link;
    const struct pq_group *g = l->group;
    const enum pq_role peer = g->role == PQ_P1 ? PQ_P2 : PQ_P1;
    const int partner = pq_group_rank_of(g, peer, g->rank);
    struct pq_swap w = pq_swap_begin(l, peer, 2 * PIECE + 3, 1);
    uint8_t word = 0;
    memset(w.out, (int)g->role, w.bytes);
    if (g->role == PQ_P1) {
        pq_swap_give(&w, PIECE + 1);
        parties_check(s->p, w.given == PIECE, "%s: %zu bytes were given", s->way, w.given);
        pq_group_receive(g, partner, &word, 1);
        parties_check(s->p, word == 1, "%s: another word", s->way);
    }
    pq_swap_give(&w, w.bytes);
    pq_swap_come(&w, 1);
    parties_check(s->p, w.come == PIECE && w.in[PIECE - 1] == peer, "%s: %zu bytes have come", s->way, w.come);
    if (g->role == PQ_P2) {
        word = 1;
        pq_group_send(g, partner, &word, 1);
    }
    pq_swap_come(&w, w.bytes);
    parties_check(s->p, w.come == w.bytes && w.in[w.bytes - 1] == peer, "%s: not all has come", s->way);
}

static void all_lengths(struct setting *s, bool in_pieces)
{
    /* The longest takes turns between shared memory and MPI: 8 bits each are more than shared memory has room for. */
    static const size_t lengths[] = { 0, 1, 7, 1023, 1024, 1025, PIECE / 2, 65536, 65537,
                                      8 * PIECE + 1024, 3 * 8 * PIECE + 1, LONGEST };
    static const unsigned widths[][3] = { { 4, 1, 12 }, { 8, 1, 8 }, { 6, 6, 5 }, { 16, 32, 1 }, { 1, 1, 1 } };
    const enum pq_role role = s->p->group.role;
    pq_link_phase(&s->p->link, PQ_ONLINE, PQ_OP_INPUT);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths && role != PQ_P0; i++)
        for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
            if (lengths[i] <= 65537 || widths[k][1] == 1) /* the longest are long enough */
                chain(s, lengths[i], widths[k]);
    if (in_pieces && role != PQ_P0)
        first_piece_alone(s);
}

int main(int argc, char **argv)
{
    struct parties p;
    struct pq_net net;
    struct pq_error err;
    parties_start(&p, &argc, &argv);
    struct pq_near *near = p.group.near;
    parties_check(&p, near || p.group.role == PQ_P0, "no shared memory on one host");

    pq_link_open(&p.link, &p.group, p.group.ranks_max);
    all_lengths(&(struct setting){ &p, "near" }, false);
    pq_link_close(&p.link);

    p.group.near = NULL; /* as on two hosts */
    pq_link_open(&p.link, &p.group, p.group.ranks_max);
    all_lengths(&(struct setting){ &p, "over MPI" }, true);
    pq_link_close(&p.link);
    p.group.near = near;

    if (pq_net_parse("10Gbit:0.1ms", &net, &err) != PQ_OK)
        abort();
    pq_link_open(&p.link, &p.group, p.group.ranks_max);
    pq_link_emulate(&p.link, &net);
    all_lengths(&(struct setting){ &p, "emulated" }, true);
    pq_link_close(&p.link);
    return parties_finish(&p);
}
