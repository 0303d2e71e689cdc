#include "norm.h"

#include "../kernels/bits.h"
#include "../kernels/share.h"
#include "open.h"
#include "deal.h"
#include "wrap.h"

#include <stdlib.h>
#include <string.h>

struct pq_dim pq_token_dim(const struct pq_engine *e, size_t tokens)
{
    const struct pq_block own = pq_split(tokens, e->plan.ranks, e->rank);
    return (struct pq_dim){ .groups = 1, .len = 1, .width = own.count, .first = own.first, .all = tokens, .unit = 1 };
}

enum { ROWS = 16 }; /* channels that a thread takes at a time */

/* Sum of both halves of masks: what P0 knows. */
static void draw_offsets(struct pq_context *c, size_t first, size_t n, size_t width, void *offset)
{
    uint8_t *half = pq_context_alloc(c, n * width);
    pq_context_fill(c, c->s01, PQ_S_MASK, width, first, n, offset);
    pq_context_fill(c, c->s02, PQ_S_MASK, width, first, n, half);
    pq_ring_add(offset, offset, half, n, (unsigned)(8 * width));
}

struct pq_lifted pq_lift_deal(struct pq_engine *e, struct pq_add h)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(h.dim), first = h.dim.first;
    struct pq_lifted y = { .dim = h.dim, .offset = pq_context_alloc(c, n), .flip = pq_context_alloc(c, n) };
    y.c0 = pq_context_alloc(c, 4 * n);
    y.c1 = pq_context_alloc(c, 4 * n);
    draw_offsets(c, first, n, 1, y.offset);
    pq_wrap_flips(c, first, n, y.flip);
    for (size_t i = 0; i < n; i++) {
        y.c0[i] = (uint32_t)y.offset[i] - 256u * y.flip[i] - 128u;
        y.c1[i] = 0u - 256u * (1u - 2u * y.flip[i]);
    }
    pq_wrap_deal(c, first, y.offset, y.flip, n, PQ_HIDDEN_BITS);
    pq_deal_numbers(c, PQ_S_C0, first, y.c0, n, 4);
    pq_deal_numbers(c, PQ_S_C1, first, y.c1, n, 4);
    return y;
}

struct pq_lifted pq_lift_online(struct pq_engine *e, struct pq_add h)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(h.dim), first = h.dim.first;
    struct pq_lifted y = { .dim = h.dim, .delta = pq_context_alloc(c, n), .rho = pq_context_alloc(c, n) };
    const uint8_t *share = h.share, shift = c->role == PQ_P1 ? 128 : 0;
    const uint8_t *mask = pq_context_take(c, PQ_S_MASK, 1, first, n);
    PQ_ASSERT(h.bits == PQ_HIDDEN_BITS);
    struct pq_opening deltas = pq_opening_begin(c, n, PQ_HIDDEN_BITS);
    for (size_t a = 0, b; (b = pq_opening_next(NULL, &deltas, a)) > a; a = b)
#pragma omp parallel for schedule(static) if (b - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < b; i += PQ_CHUNK) {
            const size_t m = pq_chunk(b, i);
            pq_share_fetch(mask, i + PQ_CHUNK, PQ_CHUNK);
            pq_share_shift(y.delta + i, share + i, shift, m);
            pq_ring_sub(y.delta + i, y.delta + i, mask + i, m, PQ_HIDDEN_BITS);
            pq_opening_put(&deltas, i, y.delta + i, m);
        }
    struct pq_opening rho = pq_wrap_open(c, first, &deltas, y.delta, y.rho);
    for (size_t a = 0, b; (b = pq_opening_next(&rho, NULL, a)) > a; a = b)
#pragma omp parallel for schedule(static) if (b - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < b; i += PQ_CHUNK)
            pq_opening_add(&rho, i, y.rho + i, pq_chunk(b, i));
    y.c0 = pq_deal_take(c, PQ_S_C0, first, n, 4);
    y.c1 = pq_deal_take(c, PQ_S_C1, first, n, 4);
    return y;
}

struct pq_lifted pq_lift_cost(struct pq_engine *e, struct pq_add h)
{
    struct pq_cost *c = pq_cost_of(e);
    const size_t n = pq_dim_count(h.dim);
    pq_cost_exchange(c, pq_bits_bytes(n, PQ_HIDDEN_BITS));
    pq_cost_draw(c, PQ_S_MASK, 1, h.dim.first, n);
    pq_wrap_cost(c, h.dim.first, n, PQ_HIDDEN_BITS);
    pq_cost_deal(c, n, 4);
    pq_cost_deal(c, n, 4);
    pq_cost_draw_p1(c, PQ_S_C0, 4, h.dim.first, n);
    pq_cost_draw_p1(c, PQ_S_C1, 4, h.dim.first, n);
    pq_cost_hold(c, 3 * n);
    return (struct pq_lifted){ .dim = h.dim };
}

struct pq_add pq_variance_deal(struct pq_engine *e, struct pq_lifted *h)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = h->dim, own = pq_token_dim(e, d.width);
    const size_t n = pq_dim_count(d), tokens = d.width;
    uint32_t *product = pq_context_alloc(c, 4 * n), *partial = pq_context_alloc(c, 4 * tokens);
    uint32_t *squares = pq_context_alloc(c, 4 * own.width), *sum_square = pq_context_alloc(c, 4 * own.width);

    memset(partial, 0, 4 * tokens);
    for (size_t k = 0; k < d.len; k++)
        for (size_t t = 0; t < tokens; t++) {
            const size_t i = k * tokens + t;
            product[i] = h->c0[i] * h->c1[i];
            partial[t] += h->c0[i] * h->c0[i];
        }
    pq_deal_numbers(c, PQ_S_C0C1, d.first, product, n, 4);
    pq_link_reduce_blocks(c->link, partial, tokens, 1, squares);
    pq_deal_numbers(c, PQ_S_SQUARES, own.first, squares, own.width, 4);

    /* Lambda hides H; the token's owner multiplies it with m later. */
    h->sum_offset = pq_context_alloc(c, 4 * own.width);
    draw_offsets(c, own.first, own.width, 4, h->sum_offset);
    for (size_t t = 0; t < own.width; t++)
        sum_square[t] = h->sum_offset[t] * h->sum_offset[t];
    pq_deal_numbers(c, PQ_S_SUM_SQUARE, own.first, sum_square, own.width, 4);
    return (struct pq_add){ .dim = own, .bits = 32 };
}

static struct pq_lift_view view_of(const struct pq_lifted *h)
{
    return (struct pq_lift_view){ h->delta, h->rho, h->c0, h->c1 };
}

struct pq_add pq_variance_online(struct pq_engine *e, struct pq_lifted *h)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = h->dim, own = pq_token_dim(e, d.width);
    const size_t tokens = d.width;
    const uint32_t channels = (uint32_t)(d.all / d.width), public_part = c->role == PQ_P1;
    uint32_t *partial = pq_context_alloc(c, 8 * tokens), *sums = pq_context_alloc(c, 8 * own.width);
    uint32_t *v = pq_context_alloc(c, 4 * own.width);

    const uint32_t *product = pq_deal_take(c, PQ_S_C0C1, d.first, pq_dim_count(d), 4);
    const uint32_t *c0_squares = pq_deal_take(c, PQ_S_SQUARES, own.first, own.width, 4);
    const uint32_t *sum_square = pq_deal_take(c, PQ_S_SUM_SQUARE, own.first, own.width, 4);
    memset(partial, 0, 8 * tokens);
    pq_share_moments(partial, partial + tokens, view_of(h), product, d.len, tokens, c->role == PQ_P1);
    pq_link_reduce_blocks(c->link, partial, tokens, 2, sums);
    const uint32_t *sum = sums, *squares = sums + own.width;

    h->sum_delta = pq_context_alloc(c, 4 * own.width);
    uint32_t *mask = pq_context_take(c, PQ_S_MASK, 4, own.first, own.width);
    h->sum_offset = mask; /* this party's half of Lambda */
    pq_open_masked(c, h->sum_delta, sum, mask, own.width, 32);
    for (size_t t = 0; t < own.width; t++) {
        const uint32_t eta = h->sum_delta[t];
        v[t] = channels * (squares[t] + c0_squares[t]) -
               (public_part * eta * eta + 2 * eta * mask[t] + sum_square[t]);
    }
    return (struct pq_add){ .dim = own, .bits = 32, .share = v };
}

struct pq_add pq_variance_cost(struct pq_engine *e, struct pq_lifted *h)
{
    struct pq_cost *c = pq_cost_of(e);
    const struct pq_dim own = pq_token_dim(e, h->dim.width);
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
        pq_cost_reduce_blocks(c, r, PQ_ONLINE, h->dim.width, 2);
    pq_cost_reduce_blocks(c, PQ_P0, PQ_OFFLINE, h->dim.width, 1);
    pq_cost_deal(c, pq_dim_count(h->dim), 4);
    pq_cost_deal(c, own.width, 4);
    pq_cost_deal(c, own.width, 4);
    pq_cost_draw_p1(c, PQ_S_C0C1, 4, h->dim.first, pq_dim_count(h->dim));
    pq_cost_draw_p1(c, PQ_S_SQUARES, 4, own.first, own.width);
    pq_cost_draw_p1(c, PQ_S_SUM_SQUARE, 4, own.first, own.width);
    pq_cost_draw(c, PQ_S_MASK, 4, own.first, own.width);
    pq_cost_exchange(c, 4 * own.width);
    return (struct pq_add){ .dim = own, .bits = 32 };
}

struct pq_add pq_normalise_deal(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = h.dim, own = r.dim;
    const size_t n = pq_dim_count(d), tokens = d.width;
    uint32_t *m = pq_context_alloc(c, 4 * tokens), *sum_m = pq_context_alloc(c, 4 * own.width);
    uint32_t *c0m = pq_context_alloc(c, 4 * n), *c1m = pq_context_alloc(c, 4 * n);

    draw_offsets(c, 0, tokens, 4, m); /* every rank needs m of every token */
    for (size_t k = 0; k < d.len; k++)
        for (size_t t = 0; t < tokens; t++) {
            c0m[k * tokens + t] = h.c0[k * tokens + t] * m[t];
            c1m[k * tokens + t] = h.c1[k * tokens + t] * m[t];
        }
    for (size_t t = 0; t < own.width; t++)
        sum_m[t] = h.sum_offset[t] * m[own.first + t];
    pq_deal_numbers(c, PQ_S_C0M, d.first, c0m, n, 4);
    pq_deal_numbers(c, PQ_S_C1M, d.first, c1m, n, 4);
    pq_deal_numbers(c, PQ_S_SUM_M, own.first, sum_m, own.width, 4);
    return (struct pq_add){ .dim = d, .bits = 32 };
}

/* Inside the party: what the owners of tokens know, for all tokens. pair[2*t] = mu, pair[2*t+1] = share of H*r. */
static void gather_tokens(struct pq_context *c, struct pq_dim own, uint32_t *pair)
{
    const size_t ranks = c->engine.plan.ranks;
    size_t *blocks = pq_context_alloc(c, ranks * sizeof *blocks);
    for (size_t j = 0; j < ranks; j++)
        blocks[j] = 8 * pq_split(own.all, ranks, j).count;
    pq_link_gather(c->link, pair, blocks);
}

struct pq_add pq_normalise_online(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = h.dim, own = r.dim;
    const size_t n = pq_dim_count(d), tokens = d.width;
    const uint32_t channels = (uint32_t)(d.all / d.width), public_part = c->role == PQ_P1;
    uint32_t *mu = pq_context_alloc(c, 4 * own.width);
    uint32_t *pair = pq_context_alloc(c, 8 * tokens), *y = pq_context_alloc(c, 4 * n);
    uint32_t *factor = pq_context_alloc(c, 4 * tokens), *hr = pq_context_alloc(c, 4 * tokens);

    const uint32_t *c0m = pq_deal_take(c, PQ_S_C0M, d.first, n, 4);
    const uint32_t *c1m = pq_deal_take(c, PQ_S_C1M, d.first, n, 4);
    const uint32_t *sum_m = pq_deal_take(c, PQ_S_SUM_M, own.first, own.width, 4);
    const uint32_t *m = pq_context_take(c, PQ_S_MASK, 4, 0, tokens);
    pq_open_masked(c, mu, r.share, m + own.first, own.width, 32);
    for (size_t t = 0; t < own.width; t++) {
        const uint32_t eta = h.sum_delta[t], half = h.sum_offset[t];
        pair[2 * (own.first + t)] = mu[t];
        pair[2 * (own.first + t) + 1] = public_part * eta * mu[t] + eta * m[own.first + t] + mu[t] * half + sum_m[t];
    }
    gather_tokens(c, own, pair);
    for (size_t t = 0; t < tokens; t++) {
        factor[t] = pair[2 * t];
        hr[t] = pair[2 * t + 1];
    }
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t k = 0; k < d.len; k += ROWS) {
        const size_t rows = d.len - k < ROWS ? d.len - k : ROWS, at = k * tokens;
        const struct pq_lift_view part = { h.delta + at, h.rho + at, h.c0 + at, h.c1 + at };
        pq_share_normalise(y + at, part, c0m + at, c1m + at, factor, m, hr, rows, tokens, channels, c->role == PQ_P1);
    }
    return (struct pq_add){ .dim = d, .bits = 32, .share = y };
}

struct pq_add pq_normalise_cost(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    struct pq_cost *c = pq_cost_of(e);
    const size_t n = pq_dim_count(h.dim), own = r.dim.width;
    pq_cost_deal(c, n, 4);
    pq_cost_deal(c, n, 4);
    pq_cost_deal(c, own, 4);
    pq_cost_draw_p1(c, PQ_S_C0M, 4, h.dim.first, n);
    pq_cost_draw_p1(c, PQ_S_C1M, 4, h.dim.first, n);
    pq_cost_draw_p1(c, PQ_S_SUM_M, 4, r.dim.first, own);
    pq_cost_draw(c, PQ_S_MASK, 4, 0, h.dim.width);
    pq_cost_exchange(c, 4 * own);
    for (enum pq_role p = PQ_P1; p <= PQ_P2; p++)
        pq_cost_gather(c, p, PQ_ONLINE, 8 * own);
    pq_cost_hold(c, 4 * n);
    return (struct pq_add){ .dim = h.dim, .bits = 32 };
}
