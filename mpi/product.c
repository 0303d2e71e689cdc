#include "product.h"

#include "../kernels/bits.h"
#include "linear.h"
#include "deal.h"

#include <omp.h>
#include <string.h>

/* The sum x[0]*y[0] + x[1]*y[1] that a party computes; a term's second factor may be a sum, y[k] + plus[k]. */
struct terms { const uint16_t *x[2], *y[2], *plus[2]; int count; };

static struct terms online_terms(const struct pq_context *c, const struct pq_rss *x, const struct pq_rss *y)
{
    const uint16_t *xs[PQ_ROLES] = { x->x0, x->x1, x->x2 }, *ys[PQ_ROLES] = { y->x0, y->x1, y->x2 };
    const size_t i = c->role, next = (i + 1) % PQ_ROLES;
    if (c->engine.plan.protocol == PQ_PUBLISHED)
        return (struct terms){ { xs[i], xs[next] }, { ys[i], ys[i] }, { ys[next], NULL }, 2 };
    if (c->role == PQ_P1)
        return (struct terms){ { xs[2], xs[1] }, { ys[2], ys[2] }, { ys[1], NULL }, 2 };
    return (struct terms){ { xs[2], xs[0] }, { ys[0], ys[2] }, { NULL, NULL }, 2 };
}

/* Where heads and sequences lie: qkv is [head][3*head_dim][batch*seq], probabilities [group][seq keys][seq queries],
 * group = head*batch + sequence. */
struct layout { size_t heads, head_dim, seq, batch, tokens; };

static struct layout layout_of(const struct pq_engine *e, struct pq_dim qkv)
{
    const size_t head_dim = e->plan.shape.hidden / e->plan.shape.heads;
    return (struct layout){ qkv.len / (3 * head_dim), head_dim, e->plan.seq, e->plan.batch, qkv.width };
}

/* A group's product, z += L R for each term: element (i, k) of L at x + left.at + i*left.row + k*left.col, element
 * (k, j) of R at y + right.at + k*right.row + j. Operands are packed from where they lie; only a sum is made first. */
struct shape { size_t n, depth, m; };
struct place { size_t at, row, col; };

struct scratch { void *left, *right; uint16_t *sum; };

static size_t scratch_bytes(const struct pq_gemm16 *g, struct shape s)
{
    return 2 * s.depth * s.m + g->left_bytes(s.n, s.depth) + g->right_bytes(s.depth, s.m) + 192;
}

static struct scratch scratch_at(uint8_t *base, const struct pq_gemm16 *g, struct shape s)
{
    struct scratch x;
    x.left = base;
    x.right = base + (g->left_bytes(s.n, s.depth) + 63) / 64 * 64;
    x.sum = (uint16_t *)((uint8_t *)x.right + (g->right_bytes(s.depth, s.m) + 63) / 64 * 64);
    return x;
}

static void add_terms(const struct pq_gemm16 *g, const struct terms *t, struct shape s, struct place left,
                      struct place right, struct scratch scratch, uint16_t *z, size_t z_stride)
{
    for (int i = 0; i < t->count; i++) {
        const uint16_t *y = t->y[i] + right.at;
        size_t row = right.row;
        if (t->plus[i]) {
            for (size_t k = 0; k < s.depth; k++)
                pq_ring_add(scratch.sum + k * s.m, y + k * row, t->plus[i] + right.at + k * row, s.m, 16);
            y = scratch.sum;
            row = s.m;
        }
        g->left_pack(scratch.left, t->x[i] + left.at, s.n, s.depth, left.row, left.col);
        g->right_pack(scratch.right, y, s.depth, s.m, row);
        g->multiply(scratch.left, scratch.right, z, 0, s.n, s.n, s.depth, s.m, z_stride);
    }
}

/* Queries of a head as columns, its keys as rows. */
static void scores_group(const struct pq_context *c, struct layout l, const struct terms *t, size_t head, size_t b,
                         struct scratch s, uint16_t *z)
{
    const size_t q = head * 3 * l.head_dim * l.tokens + b * l.seq, k = q + l.head_dim * l.tokens;
    add_terms(c->gemm, t, (struct shape){ l.seq, l.head_dim, l.seq }, (struct place){ k, 1, l.tokens },
              (struct place){ q, l.tokens, 1 }, s, z, l.seq);
}

/* A head's values times the probabilities of its group. */
static void context_group(const struct pq_context *c, struct layout l, const struct terms *t, size_t head, size_t b,
                          struct scratch s, uint16_t *z)
{
    const size_t v = (head * 3 + 2) * l.head_dim * l.tokens + b * l.seq, p = (head * l.batch + b) * l.seq * l.seq;
    add_terms(c->gemm, t, (struct shape){ l.head_dim, l.seq, l.seq }, (struct place){ v, l.tokens, 1 },
              (struct place){ p, l.seq, 1 }, s, z, l.tokens);
}

/* z += the party's terms, over all groups; is_scores or context. */
static void all_groups(struct pq_context *c, struct layout l, const struct terms *t, bool is_scores, uint16_t *z)
{
    const struct shape sh =
        is_scores ? (struct shape){ l.seq, l.head_dim, l.seq } : (struct shape){ l.head_dim, l.seq, l.seq };
    const size_t each = (scratch_bytes(c->gemm, sh) + 63) / 64 * 64, groups = l.heads * l.batch;
    uint8_t *base = pq_context_alloc(c, each * (size_t)omp_get_max_threads());
#pragma omp parallel for schedule(static)
    for (size_t g = 0; g < groups; g++) {
        const size_t head = g / l.batch, b = g % l.batch;
        struct scratch s = scratch_at(base + each * (size_t)omp_get_thread_num(), c->gemm, sh);
        if (is_scores)
            scores_group(c, l, t, head, b, s, z + g * l.seq * l.seq);
        else
            context_group(c, l, t, head, b, s, z + head * l.head_dim * l.tokens + b * l.seq);
    }
}

static struct pq_dim scores_dim(const struct pq_engine *e, struct pq_dim qkv)
{
    const struct layout l = layout_of(e, qkv);
    const size_t first_head = qkv.first / (3 * l.head_dim * l.tokens), square = l.batch * l.seq * l.seq;
    return (struct pq_dim){ .groups = l.heads * l.batch, .len = l.seq, .width = l.seq, .first = first_head * square,
                            .all = e->plan.shape.heads * square, .unit = 1 };
}

static struct pq_dim context_dim(const struct pq_engine *e, struct pq_dim qkv)
{
    const struct layout l = layout_of(e, qkv);
    return (struct pq_dim){ .groups = 1, .len = l.heads * l.head_dim, .width = l.tokens, .first = qkv.first / 3,
                            .all = qkv.all / 3, .unit = l.head_dim };
}

static struct pq_add product_online(struct pq_engine *e, struct pq_dim dim, struct layout l, bool is_scores,
                                    const struct pq_rss *x, const struct pq_rss *y)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(dim);
    const struct terms t = online_terms(c, x, y);
    uint16_t *z = pq_product_begin(c, dim.first, n);
    all_groups(c, l, &t, is_scores, z);
    pq_product_end(c, z, dim.first, n);
    return (struct pq_add){ .dim = dim, .bits = PQ_LINEAR_BITS, .share = z };
}

static const uint16_t *lambda_of(struct pq_context *c, const struct pq_rss *x)
{
    const size_t n = pq_dim_count(x->dim);
    uint16_t *lambda = pq_context_alloc(c, 2 * n);
    pq_ring_add(lambda, x->x0, x->x1, n, 16);
    return lambda;
}

static struct pq_add product_deal(struct pq_engine *e, struct pq_dim dim, struct layout l, bool is_scores,
                                  struct pq_rss x, struct pq_rss y)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(dim);
    if (e->plan.protocol == PQ_PREPROCESSED) {
        uint16_t *z = pq_context_alloc(c, 2 * n);
        const uint16_t *lambda_x = lambda_of(c, &x), *lambda_y = lambda_of(c, &y);
        const struct terms t = { { lambda_x, NULL }, { lambda_y, NULL }, { NULL, NULL }, 1 };
        memset(z, 0, 2 * n);
        all_groups(c, l, &t, is_scores, z);
        pq_deal_numbers(c, PQ_S_PRODUCT, dim.first, z, n, 2);
    }
    return (struct pq_add){ .dim = dim, .bits = PQ_LINEAR_BITS };
}

static struct pq_add product_cost(struct pq_engine *e, struct pq_dim dim, size_t depth)
{
    struct pq_cost *c = pq_cost_of(e);
    const size_t n = pq_dim_count(dim);
    pq_product_cost(c, dim.first, n, 2 * (uint64_t)n * depth);
    if (e->plan.protocol == PQ_PREPROCESSED)
        pq_cost_at(c, PQ_P0, PQ_OFFLINE)->multiply_adds += (uint64_t)n * depth;
    return (struct pq_add){ .dim = dim, .bits = PQ_LINEAR_BITS };
}

struct pq_add pq_scores_online(struct pq_engine *e, struct pq_rss qkv)
{
    return product_online(e, scores_dim(e, qkv.dim), layout_of(e, qkv.dim), true, &qkv, &qkv);
}

struct pq_add pq_scores_deal(struct pq_engine *e, struct pq_rss qkv)
{
    return product_deal(e, scores_dim(e, qkv.dim), layout_of(e, qkv.dim), true, qkv, qkv);
}

struct pq_add pq_scores_cost(struct pq_engine *e, struct pq_rss qkv)
{
    return product_cost(e, scores_dim(e, qkv.dim), e->plan.shape.hidden / e->plan.shape.heads);
}

struct pq_add pq_context_online(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    return product_online(e, context_dim(e, qkv.dim), layout_of(e, qkv.dim), false, &qkv, &p);
}

struct pq_add pq_context_deal(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    return product_deal(e, context_dim(e, qkv.dim), layout_of(e, qkv.dim), false, qkv, p);
}

struct pq_add pq_context_cost(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    (void)p;
    return product_cost(e, context_dim(e, qkv.dim), e->plan.seq);
}
