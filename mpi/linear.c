#include "linear.h"

#include "../kernels/bits.h"
#include "deal.h"

#include <string.h>

uint16_t *pq_product_begin(struct pq_context *c, size_t first, size_t n)
{
    if (c->role == PQ_P1)
        return pq_context_take(c, PQ_S_PRODUCT, 2, first, n);
    if (c->role == PQ_P2 && c->engine.plan.protocol == PQ_PREPROCESSED)
        return pq_material_take(&c->material, n, 2);
    uint16_t *z = pq_context_alloc(c, 2 * n);
    memset(z, 0, 2 * n);
    return z;
}

void pq_product_end(struct pq_context *c, uint16_t *z, size_t first, size_t n)
{
    if (c->engine.plan.protocol == PQ_PREPROCESSED || c->role == PQ_P1)
        return;
    if (c->role == PQ_P2) {
        uint16_t *part = pq_context_alloc(c, 2 * n);
        pq_link_collect(c->link, PQ_P0, part, 2 * n);
        pq_ring_add(z, z, part, n, 16);
        return;
    }
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK) {
        uint16_t r[PQ_CHUNK];
        pq_context_fill(c, c->s01, PQ_S_PRODUCT, 2, first + i, pq_chunk(n, i), r);
        pq_ring_sub(z + i, z + i, r, pq_chunk(n, i), 16);
    }
    pq_link_send(c->link, PQ_P2, z, 2 * n);
}

void pq_product_cost(struct pq_cost *c, size_t first, size_t n, uint64_t multiply_adds)
{
    const bool published = c->engine.plan.protocol == PQ_PUBLISHED;
    pq_cost_draw_p1(c, PQ_S_PRODUCT, 2, first, n);
    if (published) {
        pq_cost_send_ahead(c, PQ_P0, PQ_P2, 2 * n);
        pq_cost_hold(c, 4 * n);
    } else {
        pq_cost_deal(c, n, 2);
    }
    for (enum pq_role r = published ? PQ_P0 : PQ_P1; r <= PQ_P2; r++)
        pq_cost_at(c, r, PQ_ONLINE)->multiply_adds += multiply_adds;
}

/* This rank's outputs of a linear layer over `tokens` columns. */
static struct pq_dim output_dim(const struct pq_packed *p, size_t tokens, size_t unit)
{
    return (struct pq_dim){ .groups = 1, .len = p->rows.count, .width = tokens, .first = p->rows.first * tokens,
                            .all = p->out_all * tokens, .unit = unit };
}

static size_t unit_of(const struct pq_plan *p, uint32_t layer, enum pq_linear_id id)
{
    return layer < p->shape.layers && id == PQ_QKV ? 3 * (size_t)(p->shape.hidden / p->shape.heads) : 1;
}

/* The same as accumulate, of weights that are packed as bits. */
static void accumulate_signs(struct pq_context *c, uint16_t *z, const struct pq_packed *p, const uint16_t *x,
                             size_t tokens)
{
    void *scratch = pq_context_alloc(c, pq_signs16_scratch_bytes(p->signs, p->slice));
    for (size_t k = 0; k < p->in; k += p->slice)
        pq_signs16_run(p->signs, pq_slice_left(p, 0, k), x + k * tokens, tokens, z, p->rows.count, pq_slice_depth(p, k),
                       tokens, tokens, scratch);
}

/* z += left * x over this rank's rows. coming: x may still be gathered: then first what this rank had itself. */
static void accumulate(struct pq_context *c, uint16_t *z, const struct pq_packed *p, int which, const uint16_t *x,
                       size_t tokens, bool coming)
{
    if (!p->rows.count) /* more ranks than rows: nothing to do here */
        return;
    if (p->signs) {
        accumulate_signs(c, z, p, x, tokens);
        return;
    }
    /* The last slice may be shallower, and still take more: a kernel has sums beside what it likes the depth of. */
    const size_t slices = pq_slice_count(p), row = 2 * tokens;
    const size_t first = c->gemm->right_bytes(p->slice, tokens),
                 last = c->gemm->right_bytes(p->in - (slices - 1) * p->slice, tokens);
    const size_t own = coming ? c->link->gathering.own / row / p->slice : 0;
    void *right = pq_context_alloc(c, first > last ? first : last);
    for (size_t i = 0; i < slices; i++) {
        const size_t k = (own + i) % slices * p->slice, depth = pq_slice_depth(p, k);
        if (coming)
            pq_link_gathered(c->link, k * row, (k + depth) * row);
        c->gemm->right_pack(right, x + k * tokens, depth, tokens, tokens);
        pq_gemm16_run(c->gemm, pq_slice_left(p, which, k), right, z, p->rows.count, depth, tokens, tokens);
    }
}

static const struct pq_linear *model_linear(const struct pq_engine *e, uint32_t layer, enum pq_linear_id id)
{
    if (layer < e->plan.shape.layers)
        return &e->model->layer[layer].linear[id];
    return id == PQ_POOLER ? &e->model->pooler : &e->model->classifier;
}

/* z[o][.] = bias[o] */
static void put_bias(uint16_t *z, const struct pq_linear *l, struct pq_block rows, size_t tokens)
{
    for (size_t o = 0; o < rows.count; o++)
        for (size_t j = 0; j < tokens; j++)
            z[o * tokens + j] = l->bias[rows.first + o];
}

struct pq_add pq_linear_deal(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_packed *p = &c->weights->linear[pq_weights_number(&e->plan.shape, layer, id)];
    const size_t tokens = x.dim.width, n = p->rows.count * tokens, all = p->in * tokens;
    struct pq_add y = { .dim = output_dim(p, tokens, unit_of(&e->plan, layer, id)), .bits = PQ_LINEAR_BITS };
    if (e->plan.protocol == PQ_PUBLISHED)
        return y;

    uint16_t *lambda = pq_context_alloc(c, 2 * all), *u = pq_context_alloc(c, 2 * n);
    pq_ring_add(lambda, x.x0, x.x1, all, 16);
    put_bias(u, model_linear(e, layer, id), p->rows, tokens);
    accumulate(c, u, p, 0, lambda, tokens, false);
    pq_deal_numbers(c, PQ_S_PRODUCT, y.dim.first, u, n, 2);
    return y;
}

struct pq_add pq_linear_online(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_packed *p = &c->weights->linear[pq_weights_number(&e->plan.shape, layer, id)];
    const size_t tokens = x.dim.width, n = p->rows.count * tokens;
    const bool published = e->plan.protocol == PQ_PUBLISHED;
    struct pq_add y = { .dim = output_dim(p, tokens, unit_of(&e->plan, layer, id)), .bits = PQ_LINEAR_BITS };
    uint16_t *z = y.share = pq_product_begin(c, y.dim.first, n);

    if (c->role == PQ_P0)
        put_bias(z, model_linear(e, layer, id), p->rows, tokens);
    if (!published) {
        accumulate(c, z, p, 0, x.x2, tokens, true);
    } else { /* the party's own x_i with left[0] = w_i + w_(i+1), x_(i+1) with left[1] = w_i */
        const void *own[PQ_ROLES] = { x.x0, x.x1, x.x2 };
        const int first = c->role == PQ_P2; /* x2 comes last: it may be on its way */
        for (int i = 0; i < 2; i++) {
            const int which = i ^ first;
            const void *factor = own[((int)c->role + which) % PQ_ROLES];
            accumulate(c, z, p, which, factor, tokens, factor == x.x2);
        }
    }
    pq_link_gather_end(c->link);
    pq_product_end(c, z, y.dim.first, n);
    return y;
}

struct pq_add pq_linear_cost(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    struct pq_cost *c = pq_cost_of(e);
    struct pq_packed p = { 0 };
    const size_t number = pq_weights_number(&e->plan.shape, layer, id), tokens = x.dim.width;
    pq_weights_sizes(&e->plan.shape, number, &p.out_all, &p.in);
    p.rows = pq_weights_rows(&e->plan.shape, number, e->plan.ranks, e->rank);
    const struct pq_dim dim = output_dim(&p, tokens, unit_of(&e->plan, layer, id));
    const size_t n = pq_dim_count(dim);
    const bool published = e->plan.protocol == PQ_PUBLISHED;
    pq_product_cost(c, dim.first, n, (published ? 2 : 1) * (uint64_t)n * p.in);
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
        pq_cost_read(c, r, (published ? 2 : 1) * p.rows.count * p.in, 2);
    if (!published)
        pq_cost_at(c, PQ_P0, PQ_OFFLINE)->multiply_adds += (uint64_t)n * p.in;
    /* a slice of the input, packed, with the sums that a kernel may put beside it */
    pq_cost_hold(c, (published ? 2 : 1) * 4 * pq_weights_slice(p.in) * ((tokens + 15) / 16 * 16));
    return (struct pq_add){ .dim = dim, .bits = PQ_LINEAR_BITS };
}
