#include "reshare.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"
#include "../kernels/share.h"
#include "local.h"
#include "open.h"
#include "deal.h"
#include "wrap.h"

#include <string.h>

struct pq_rss pq_reshare_deal(struct pq_engine *e, struct pq_add x)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim);
    struct pq_rss y = { .dim = x.dim, .op = e->op };
    y.x0 = pq_context_keep(c, 2 * n);
    y.x1 = pq_context_keep(c, 2 * n);
    pq_rss_masks(c, e->op, x.dim.first, n, y.x0, y.x1);
    return y;
}

/* The mask of a reshared value that this party knows, where it belongs. */
static uint16_t *own_mask(struct pq_context *c, struct pq_rss *y)
{
    uint16_t *mask = pq_context_take(c, PQ_S_MASK, 2, y->dim.first, pq_dim_count(y->dim));
    if (c->role == PQ_P1)
        y->x1 = mask;
    else
        y->x0 = mask;
    return mask;
}

struct pq_rss pq_reshare_online(struct pq_engine *e, struct pq_add x)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim);
    struct pq_rss y = { .dim = x.dim, .op = e->op, .x2 = pq_context_keep(c, 2 * n) };
    PQ_ASSERT(x.bits == PQ_LINEAR_BITS);
    pq_open_masked(c, y.x2, x.share, own_mask(c, &y), n, PQ_LINEAR_BITS);
    return y;
}

struct pq_rss pq_reshare_cost(struct pq_engine *e, struct pq_add x)
{
    const size_t n = pq_dim_count(x.dim);
    pq_cost_exchange(pq_cost_of(e), 2 * n);
    pq_cost_draw(pq_cost_of(e), PQ_S_MASK, 2, x.dim.first, n);
    pq_cost_keep(pq_cost_of(e), 2 * n);
    return (struct pq_rss){ .dim = x.dim };
}

struct pq_rss pq_reshare_code_deal(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim);
    const unsigned b = x.bits;
    struct pq_rss y = pq_reshare_deal(e, x);
    uint8_t *low = pq_context_alloc(c, n), *flip = pq_context_alloc(c, n);
    uint16_t *carry = pq_context_alloc(c, 2 * n), *sign = pq_context_alloc(c, 2 * n);
    (void)is_signed; /* P0's part does not depend on how x is read */

    pq_wrap_flips(c, x.dim.first, n, flip);
    pq_share_deal_code(low, carry, sign, y.x0, y.x1, flip, b, n);
    pq_wrap_deal(c, x.dim.first, low, flip, n, b);
    pq_deal_numbers(c, PQ_S_CARRY, x.dim.first, carry, n, 2);
    pq_deal_numbers(c, PQ_S_SIGN, x.dim.first, sign, n, 2);
    return y;
}

struct pq_rss pq_reshare_code_online(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), first = x.dim.first;
    const unsigned b = x.bits, high = PQ_LINEAR_BITS - b, width = pq_ring_bytes(high);
    const uint8_t shift = (uint8_t)(is_signed ? 1u << (b - 1) : 0), own_shift = c->role == PQ_P1 ? shift : 0;
    struct pq_rss y = { .dim = x.dim, .op = e->op, .x2 = pq_context_keep(c, 2 * n) };
    const uint16_t *mask = own_mask(c, &y);
    const uint8_t *code = x.share;
    uint8_t *delta = pq_context_alloc(c, n), *rho = pq_context_alloc(c, n), *g = pq_context_alloc(c, n * width);
    uint16_t *x2 = y.x2;

    struct pq_opening deltas = pq_opening_begin(c, n, b);
    for (size_t a = 0, z; (z = pq_opening_next(NULL, &deltas, a)) > a; a = z)
#pragma omp parallel for schedule(static) if (z - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < z; i += PQ_CHUNK) {
            pq_share_fetch(mask, 2 * (i + PQ_CHUNK), 2 * PQ_CHUNK);
            pq_share_hide_code(delta + i, code + i, mask + i, own_shift, b, pq_chunk(z, i));
            pq_opening_put(&deltas, i, delta + i, pq_chunk(z, i));
        }
    struct pq_opening bits = pq_wrap_open(c, first, &deltas, delta, rho);
    const uint16_t *carry = pq_deal_take(c, PQ_S_CARRY, first, n, 2);
    const uint16_t *sign = pq_deal_take(c, PQ_S_SIGN, first, n, 2);
    struct pq_opening highs = pq_opening_begin(c, n, high);
    for (size_t a = 0, z; (z = pq_opening_next(&bits, &highs, a)) > a; a = z)
#pragma omp parallel for schedule(static) if (z - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < z; i += PQ_CHUNK) {
            const size_t m = pq_chunk(z, i);
            pq_share_fetch(carry, 2 * (i + PQ_CHUNK), 2 * PQ_CHUNK);
            pq_share_fetch(sign, 2 * (i + PQ_CHUNK), 2 * PQ_CHUNK);
            pq_opening_add(&bits, i, rho + i, m);
            pq_share_carry(g + i * width, carry + i, sign + i, rho + i, high, m);
            pq_opening_put(&highs, i, g + i * width, m);
        }
    for (size_t a = 0, z; (z = pq_opening_next(&highs, NULL, a)) > a; a = z)
#pragma omp parallel for schedule(static) if (z - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < z; i += PQ_CHUNK) {
            const size_t m = pq_chunk(z, i);
            pq_opening_add(&highs, i, g + i * width, m);
            pq_share_assemble(x2 + i, delta + i, g + i * width, b, shift, m);
        }
    return y;
}

struct pq_rss pq_reshare_code_cost(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_cost *c = pq_cost_of(e);
    const size_t n = pq_dim_count(x.dim);
    const unsigned b = x.bits;
    (void)is_signed;
    pq_cost_exchange(c, pq_bits_bytes(n, b));
    pq_cost_exchange(c, pq_bits_bytes(n, PQ_LINEAR_BITS - b));
    pq_cost_draw(c, PQ_S_MASK, 2, x.dim.first, n);
    pq_wrap_cost(c, x.dim.first, n, b);
    pq_cost_draw_p1(c, PQ_S_CARRY, 2, x.dim.first, n);
    pq_cost_draw_p1(c, PQ_S_SIGN, 2, x.dim.first, n);
    pq_cost_deal(c, n, 2);
    pq_cost_deal(c, n, 2);
    pq_cost_keep(c, 2 * n);
    pq_cost_hold(c, (2 + pq_ring_bytes(PQ_LINEAR_BITS - b)) * n);
    return (struct pq_rss){ .dim = x.dim };
}
