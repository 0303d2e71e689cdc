#include "local.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"

#include <string.h>

struct pq_add pq_truncate_shape(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    (void)e, (void)top, (void)is_signed;
    return (struct pq_add){ .dim = z.dim, .bits = t };
}

struct pq_add pq_truncate_online(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(z.dim), from = pq_ring_bytes(z.bits), to = pq_ring_bytes(t);
    struct pq_add y = pq_truncate_shape(e, z, top, t, is_signed);
    y.share = pq_context_alloc(c, n * to);
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK)
        pq_share_truncate((uint8_t *)y.share + i * to, (const uint8_t *)z.share + i * from, pq_chunk(n, i), z.bits, top,
                          t, c->role == PQ_P1);
    return y;
}

struct pq_add pq_truncate_cost(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    pq_cost_hold(pq_cost_of(e), pq_dim_count(z.dim) * pq_ring_bytes(t));
    return pq_truncate_shape(e, z, top, t, is_signed);
}

struct pq_add pq_add_shape(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    (void)e;
    PQ_ASSERT(a.bits == b.bits && pq_dim_count(a.dim) == pq_dim_count(b.dim) && a.dim.first == b.dim.first);
    return (struct pq_add){ .dim = a.dim, .bits = a.bits };
}

struct pq_add pq_add_online(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    const size_t n = pq_dim_count(a.dim);
    struct pq_add y = pq_add_shape(e, a, b);
    y.share = pq_context_alloc(pq_context_of(e), n * pq_ring_bytes(a.bits));
    pq_ring_add(y.share, a.share, b.share, n, a.bits);
    return y;
}

struct pq_add pq_add_cost(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    pq_cost_hold(pq_cost_of(e), pq_dim_count(a.dim) * pq_ring_bytes(a.bits));
    return pq_add_shape(e, a, b);
}

struct pq_add pq_row_sum_shape(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_dim r = x.dim;
    (void)e, (void)is_signed;
    r.len = 1;
    r.first = x.dim.first / x.dim.len;
    r.all = x.dim.all / x.dim.len;
    return (struct pq_add){ .dim = r, .bits = x.bits };
}

struct pq_add pq_row_sum_online(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add y = pq_row_sum_shape(e, x, is_signed);
    const struct pq_dim d = x.dim;
    const size_t bytes = pq_ring_bytes(x.bits), row = d.width * bytes;
    y.share = pq_context_alloc(pq_context_of(e), d.groups * row);
#pragma omp parallel for schedule(static) if (pq_dim_count(d) > 8 * PQ_CHUNK)
    for (size_t g = 0; g < d.groups; g++) {
        uint8_t *sum = (uint8_t *)y.share + g * row;
        const uint8_t *from = (const uint8_t *)x.share + g * d.len * row;
        memcpy(sum, from, row);
        for (size_t l = 1; l < d.len; l++)
            pq_ring_add(sum, sum, from + l * row, d.width, x.bits);
    }
    return y;
}

struct pq_add pq_row_sum_cost(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add y = pq_row_sum_shape(e, x, is_signed);
    pq_cost_hold(pq_cost_of(e), pq_dim_count(y.dim) * pq_ring_bytes(x.bits));
    return y;
}

void pq_rss_masks(struct pq_context *c, uint32_t op, size_t first, size_t n, uint16_t *x0, uint16_t *x1)
{
    const struct pq_address at = { c->inference, op, PQ_S_MASK };
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK) {
        if (x0)
            pq_prg_fill(c->s02, at, 2 * (first + i), 2 * pq_chunk(n, i), x0 + i);
        if (x1)
            pq_prg_fill(c->s01, at, 2 * (first + i), 2 * pq_chunk(n, i), x1 + i);
    }
}

/* Elements of a whole value that rank j holds. */
static size_t block_of(const struct pq_plan *p, struct pq_dim d, size_t j)
{
    return pq_split(d.all / d.width / d.unit, p->ranks, j).count * d.unit * d.width;
}

static struct pq_dim gathered_dim(struct pq_dim d)
{
    return (
        struct pq_dim){ .groups = 1, .len = d.all / d.width, .width = d.width, .first = 0, .all = d.all, .unit = 1 };
}

struct pq_rss pq_gather_run(struct pq_engine *e, struct pq_rss x)
{
    struct pq_context *c = pq_context_of(e);
    struct pq_rss y = { .dim = gathered_dim(x.dim), .op = x.op, .x0_zero = x.x0_zero };
    const size_t n = x.dim.all, ranks = e->plan.ranks;
    const bool masks = e->plan.protocol == PQ_PUBLISHED || c->role == PQ_P0;
    if (ranks == 1) {
        y.x0 = x.x0;
        y.x1 = x.x1;
        y.x2 = x.x2;
        return y;
    }
    if (c->role != PQ_P0) {
        size_t *blocks = pq_context_alloc(c, ranks * sizeof *blocks);
        for (size_t j = 0; j < ranks; j++)
            blocks[j] = 2 * block_of(&e->plan, x.dim, j);
        y.x2 = pq_context_keep(c, 2 * n);
        memcpy((uint16_t *)y.x2 + x.dim.first, x.x2, 2 * pq_dim_count(x.dim));
        pq_link_gather_begin(c->link, y.x2, blocks); /* pq_linear_online and pq_first_tokens_run wait for it */
    }
    if (masks && c->role != PQ_P1)
        y.x0 = pq_context_keep(c, 2 * n);
    if (masks && c->role != PQ_P2)
        y.x1 = pq_context_keep(c, 2 * n);
    pq_rss_masks(c, x.op, 0, n, x.x0_zero ? NULL : y.x0, y.x1);
    if (y.x0 && x.x0_zero)
        memset(y.x0, 0, 2 * n);
    return y;
}

struct pq_rss pq_gather_cost(struct pq_engine *e, struct pq_rss x)
{
    struct pq_cost *c = pq_cost_of(e);
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
        pq_cost_gather(c, r, PQ_ONLINE, 2 * pq_dim_count(x.dim));
    if (e->plan.ranks > 1)
        pq_cost_keep(c, (e->plan.protocol == PQ_PUBLISHED ? 4 : 2) * x.dim.all);
    return (struct pq_rss){ .dim = gathered_dim(x.dim) };
}

static struct pq_dim first_dim(const struct pq_engine *e, struct pq_dim d)
{
    const size_t batch = e->plan.batch;
    return (struct pq_dim){ .groups = 1, .len = d.len, .width = batch, .first = 0, .all = d.len * batch, .unit = 1 };
}

static uint16_t *first_of(struct pq_context *c, const uint16_t *x, struct pq_dim d, size_t seq, size_t batch)
{
    if (!x)
        return NULL;
    uint16_t *y = pq_context_keep(c, 2 * d.len * batch);
    for (size_t k = 0; k < d.len; k++)
        for (size_t b = 0; b < batch; b++)
            y[k * batch + b] = x[k * d.width + b * seq];
    return y;
}

struct pq_rss pq_first_tokens_run(struct pq_engine *e, struct pq_rss x)
{
    struct pq_context *c = pq_context_of(e);
    const size_t seq = e->plan.seq, batch = e->plan.batch;
    pq_link_gather_end(c->link);
    return (struct pq_rss){ .dim = first_dim(e, x.dim), .op = x.op, .x0_zero = x.x0_zero,
                            .x0 = first_of(c, x.x0, x.dim, seq, batch), .x1 = first_of(c, x.x1, x.dim, seq, batch),
                            .x2 = first_of(c, x.x2, x.dim, seq, batch) };
}

struct pq_rss pq_first_tokens_cost(struct pq_engine *e, struct pq_rss x)
{
    struct pq_rss y = { .dim = first_dim(e, x.dim) };
    pq_cost_keep(pq_cost_of(e), (e->plan.protocol == PQ_PUBLISHED ? 4 : 2) * y.dim.all);
    return y;
}
