#include "open.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"
#include "../kernels/share.h"

#include <string.h>

static enum pq_role peer_of(const struct pq_link *l)
{
    return l->group->role == PQ_P1 ? PQ_P2 : PQ_P1;
}

struct pq_opening pq_opening_begin(struct pq_context *c, size_t n, unsigned bits)
{
    return (struct pq_opening){ .n = n, .bits = bits,
                                .swap = pq_swap_begin(c->link, peer_of(c->link), pq_bits_bytes(n, bits),
                                                      pq_bits_bytes(PQ_CHUNK, bits)) };
}

/* Elements up to the end of the piece that element a lies in. */
static size_t piece_end(const struct pq_opening *o, size_t a)
{
    const size_t each = o->swap.piece / pq_bits_bytes(PQ_CHUNK, o->bits) * PQ_CHUNK;
    return o->swap.piece == o->swap.bytes || o->n - a <= each - a % each ? o->n : a - a % each + each;
}

size_t pq_opening_next(struct pq_opening *in, struct pq_opening *out, size_t a)
{
    size_t b = SIZE_MAX;
    if (out) {
        pq_swap_give(&out->swap, pq_bits_bytes(a, out->bits));
        b = piece_end(out, a);
    }
    if (in) {
        const size_t end = piece_end(in, a);
        b = end < b ? end : b;
        pq_swap_come(&in->swap, pq_bits_bytes(b, in->bits));
    }
    return b;
}

void pq_opening_put(const struct pq_opening *o, size_t i, const void *own, size_t m)
{
    pq_bits_pack(o->swap.out + pq_bits_bytes(i, o->bits), own, m, o->bits);
}

void pq_opening_add(const struct pq_opening *o, size_t i, void *own, size_t m)
{
    _Alignas(4) uint8_t other[4 * PQ_CHUNK];
    pq_share_fetch(o->swap.in, pq_bits_bytes(i + PQ_CHUNK, o->bits), pq_bits_bytes(PQ_CHUNK, o->bits));
    pq_bits_unpack(other, o->swap.in + pq_bits_bytes(i, o->bits), m, o->bits);
    pq_ring_add(own, own, other, m, o->bits);
    pq_link_opened(o->swap.link, own, m, o->bits, o->n);
}

void pq_open_masked(struct pq_context *c, void *delta, const void *share, const void *mask, size_t n, unsigned bits)
{
    const size_t width = pq_ring_bytes(bits);
    struct pq_opening o = pq_opening_begin(c, n, bits);

    for (size_t a = 0, b; (b = pq_opening_next(NULL, &o, a)) > a; a = b)
#pragma omp parallel for schedule(static) if (b - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < b; i += PQ_CHUNK) {
            const size_t m = pq_chunk(b, i);
            uint8_t *d = (uint8_t *)delta + i * width;
            pq_share_fetch(mask, (i + PQ_CHUNK) * width, PQ_CHUNK * width);
            pq_ring_sub(d, (const uint8_t *)share + i * width, (const uint8_t *)mask + i * width, m, bits);
            pq_opening_put(&o, i, d, m);
        }
    for (size_t a = 0, b; (b = pq_opening_next(&o, NULL, a)) > a; a = b)
#pragma omp parallel for schedule(static) if (b - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < b; i += PQ_CHUNK)
            pq_opening_add(&o, i, (uint8_t *)delta + i * width, pq_chunk(b, i));
}

struct pq_opened pq_open_online(struct pq_engine *e, struct pq_add x)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), width = pq_ring_bytes(x.bits);
    struct pq_opened o = { .dim = x.dim, .bits = x.bits, .delta = pq_context_alloc(c, n * width) };
    pq_open_masked(c, o.delta, x.share, pq_context_take(c, PQ_S_MASK, width, x.dim.first, n), n, x.bits);
    return o;
}

struct pq_opened pq_open_deal(struct pq_engine *e, struct pq_add x)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), width = pq_ring_bytes(x.bits);
    struct pq_opened o = { .dim = x.dim, .bits = x.bits, .offset = pq_context_alloc(c, n * width) };

#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK) {
        const size_t m = pq_chunk(n, i);
        _Alignas(4) uint8_t half[4 * PQ_CHUNK];
        uint8_t *d = (uint8_t *)o.offset + i * width;
        pq_context_fill(c, c->s01, PQ_S_MASK, width, x.dim.first + i, m, d);
        pq_context_fill(c, c->s02, PQ_S_MASK, width, x.dim.first + i, m, half);
        pq_ring_add(d, d, half, m, x.bits);
    }
    return o;
}

struct pq_opened pq_open_cost(struct pq_engine *e, struct pq_add x)
{
    const size_t n = pq_dim_count(x.dim), width = pq_ring_bytes(x.bits);
    pq_cost_exchange(pq_cost_of(e), pq_bits_bytes(n, x.bits));
    pq_cost_draw(pq_cost_of(e), PQ_S_MASK, width, x.dim.first, n);
    pq_cost_hold(pq_cost_of(e), n * width);
    return (struct pq_opened){ .dim = x.dim, .bits = x.bits };
}

/* dst[g][l][w] = row[g][w] - x[g][l][w] mod 2^4, for values in a ring of 4 to 8 bits. */
static void row_minus(uint8_t *dst, const uint8_t *row, const uint8_t *x, struct pq_dim d)
{
#pragma omp parallel for schedule(static) if (pq_dim_count(d) > 8 * PQ_CHUNK)
    for (size_t gl = 0; gl < d.groups * d.len; gl++)
        pq_ring_sub(dst + gl * d.width, row + gl / d.len * d.width, x + gl * d.width, d.width, PQ_CODE_BITS);
}

struct pq_opened pq_difference_online(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    struct pq_opened o = { .dim = x.dim, .bits = PQ_CODE_BITS };
    o.delta = pq_context_alloc(pq_context_of(e), pq_dim_count(x.dim));
    row_minus(o.delta, row.delta, x.delta, x.dim);
    return o;
}

struct pq_opened pq_difference_deal(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    struct pq_opened o = { .dim = x.dim, .bits = PQ_CODE_BITS };
    o.offset = pq_context_alloc(pq_context_of(e), pq_dim_count(x.dim));
    row_minus(o.offset, row.offset, x.offset, x.dim);
    return o;
}

struct pq_opened pq_difference_cost(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    (void)row;
    pq_cost_hold(pq_cost_of(e), pq_dim_count(x.dim));
    return (struct pq_opened){ .dim = x.dim, .bits = PQ_CODE_BITS };
}
