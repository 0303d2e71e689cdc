/* Engine `replay`: products. The clear value and P1's share each come from their definition (engine.h), as products
 * modulo 2^16 of packed operands. */
#include "replay.h"

#include "../kernels/secret.h"

#include <stdlib.h>
#include <string.h>

enum { WORTH_A_TEAM = 1 << 20 }; /* multiply-adds */

static uint16_t *to_16(const void *src, size_t count)
{
    const uint32_t *x = src; /* clear arrays too: the residue of a signed value */
    uint16_t *y = pq_alloc(count * sizeof *y);
    for (size_t i = 0; i < count; i++)
        y[i] = (uint16_t)x[i];
    return y;
}

/* ---- weights ---- */

static size_t number_of(const struct pq_shape *s, uint32_t layer, enum pq_linear_id id)
{
    return layer == s->layers ? (size_t)s->layers * 4 + (id == PQ_CLASSIFIER) : (size_t)layer * 4 + id;
}

static const struct pq_linear *linear_of(const struct pq_model *model, size_t number)
{
    uint32_t layers = model->shape.layers, layer = (uint32_t)(number / 4), id = (uint32_t)(number % 4);
    return pq_model_linear((struct pq_model *)model, layer, layer == layers ? PQ_POOLER + id : id);
}

static void weight_stream(struct pq_prg *prg, uint32_t setup, size_t number, size_t count, uint16_t *w)
{
    const size_t chunk = 1 << 14;
    struct pq_address at = { setup, (uint32_t)number, PQ_S_W };
#pragma omp parallel for schedule(static) if (count > 8 * chunk)
    for (size_t i = 0; i < count; i += chunk)
        pq_prg_fill(prg, at, 2 * (uint64_t)i, 2 * (count - i < chunk ? count - i : chunk), w + i);
}

/* Do 16 bits hold every sum of weight times code, codes being 4 bits? (Where they just do, +2^15 is read as -2^15: all
 * codes -8, all weights of a row alike.) */
static bool sums_fit(const struct pq_replay *r, const struct pq_linear *l)
{
    return l->in << (PQ_CODE_BITS - 1 + r->engine.plan.shape.weight_bits - 1) <= 1 << (PQ_LINEAR_BITS - 1);
}

static void *packed(struct pq_replay *r, const struct pq_linear *l, const uint16_t *w)
{
    size_t bytes = r->gemm->left_bytes(l->out, l->in);
    void *p = pq_alloc(bytes);
    r->gemm->left_pack(p, w, l->out, l->in, l->in, 1);
    r->weight_bytes += bytes;
    return p;
}

void pq_replay_pack(struct pq_replay *r, uint32_t setup)
{
    const struct pq_model *model = r->engine.model;
    size_t linears = 4 * (size_t)model->shape.layers + 2;
    r->weights = pq_alloc(linears * sizeof *r->weights);
    for (size_t number = 0; number < linears; number++) {
        const struct pq_linear *l = linear_of(model, number);
        size_t count = (size_t)l->out * l->in;
        uint16_t *whole = pq_alloc(2 * count), *part = pq_alloc(2 * count);
        struct pq_replay_weights *w = &r->weights[number];
        for (size_t i = 0; i < count; i++)
            whole[i] = (uint16_t)((uint32_t)l->multiplier[i / l->in] * (uint32_t)l->weight[i]);
        *w = (struct pq_replay_weights){ 0 };
        if (sums_fit(r, l)) {
            for (size_t i = 0; i < count; i++)
                part[i] = (uint16_t)l->weight[i];
            w->clear = packed(r, l, part);
        }
        weight_stream(r->s01, setup, number, count, part);
        w->w1 = packed(r, l, part);
        if (r->engine.plan.protocol == PQ_PUBLISHED) {
            weight_stream(r->s02, setup, number, count, part);
            for (size_t i = 0; i < count; i++)
                part[i] = (uint16_t)(whole[i] - part[i]);
            w->rest = packed(r, l, part);
        }
        pq_free_whole_secret(whole);
        pq_free_whole_secret(part);
    }
}

void pq_replay_unpack(struct pq_replay *r)
{
    size_t linears = 4 * (size_t)r->engine.plan.shape.layers + 2;
    for (size_t number = 0; number < linears; number++) {
        pq_free_whole_secret(r->weights[number].clear);
        pq_free_whole_secret(r->weights[number].w1);
        pq_free_whole_secret(r->weights[number].rest);
    }
    free(r->weights);
}

/* z [n][m] += left [n][depth] * x [depth][m] */
static void add_product(const struct pq_gemm16 *g, const void *left, const void *x, uint16_t *z, size_t n, size_t depth,
                        size_t m)
{
    uint16_t *narrow = to_16(x, depth * m);
    void *right = pq_alloc(g->right_bytes(depth, m));
    g->right_pack(right, narrow, depth, m, m);
    pq_gemm16_run(g, left, right, z, n, depth, m, m);
    pq_free_whole_secret(right);
    pq_free_whole_secret(narrow);
}

/* sums[o][j] = sum over i of weight[o][i] * x[i][j], exact. */
static void exact_sums(const struct pq_replay *r, const struct pq_replay_weights *w, const struct pq_linear *l,
                       const int32_t *x, size_t tokens, int32_t *sums)
{
    const size_t count = (size_t)l->out * tokens;
    if (!w->clear) {
        pq_clear_sums(l, x, tokens, sums);
        return;
    }
    uint16_t *low = pq_alloc(2 * count);
    memset(low, 0, 2 * count);
    add_product(r->gemm, w->clear, x, low, l->out, l->in, tokens);
    for (size_t i = 0; i < count; i++)
        sums[i] = pq_ring_signed(low[i], PQ_LINEAR_BITS);
    pq_free_whole_secret(low);
}

struct pq_add pq_replay_linear(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    struct pq_replay *r = pq_replay_of(e);
    size_t number = number_of(&e->plan.shape, layer, id), tokens = x.dim.width;
    const struct pq_linear *l = linear_of(e->model, number);
    const struct pq_replay_weights *w = &r->weights[number];
    struct pq_add z = pq_replay_value(e, pq_clear_dim(1, l->out, tokens), PQ_LINEAR_BITS);
    size_t count = pq_dim_count(z.dim), wrapped = 0;
    uint16_t *share = pq_alloc(2 * count);
    uint32_t *z_share = z.share;
    PQ_ASSERT(x.dim.len == l->in);

    exact_sums(r, w, l, x.clear, tokens, z.clear);
    memset(share, 0, 2 * count);
    add_product(r->gemm, w->w1, x.x2, share, l->out, l->in, tokens);
    if (e->plan.protocol == PQ_PUBLISHED) /* x1*w1 + x1*w2 = x1*(W' - w0) */
        add_product(r->gemm, w->rest, x.x1, share, l->out, l->in, tokens);
    pq_replay_stream(e, r->s01, PQ_S_PRODUCT, 16, count, z_share);
    for (size_t i = 0; i < count; i++) {
        const int64_t multiplier = pq_ring_signed(l->multiplier[i / tokens], PQ_LINEAR_BITS);
        const int64_t exact = multiplier * z.clear[i] + pq_ring_signed(l->bias[i / tokens], PQ_LINEAR_BITS);
        z.clear[i] = pq_ring_signed((uint32_t)exact, PQ_LINEAR_BITS);
        wrapped += z.clear[i] != exact;
        z_share[i] = (z_share[i] + share[i]) & UINT16_MAX;
    }
    pq_replay_count(e, count, wrapped);
    pq_free_whole_secret(share);
    return z;
}

/* ---- attention ---- */

/* Both products of two shared values are z = L*R for each group (head, sequence). With the parts that P1 holds, its
 * share is
 *   published     L1*(R1+R2) + L2*R1 + r      (as L1*R1 + L1*R2 + L2*R1 + r)
 *   preprocessed  L2*(R1+R2) + L1*R2 + r
 * so three products of 16-bit matrices, each left[i] times right[i]. */
struct operands { uint16_t *left[3], *right[3]; };

static struct operands operands_of(struct pq_engine *e, struct pq_rss left, struct pq_rss right)
{
    size_t n = pq_dim_count(left.dim), m = pq_dim_count(right.dim);
    uint16_t *l1 = to_16(left.x1, n), *l2 = to_16(left.x2, n), *r1 = to_16(right.x1, m), *r2 = to_16(right.x2, m);
    uint16_t *sum = pq_alloc(2 * m);
    bool published = e->plan.protocol == PQ_PUBLISHED;
    for (size_t i = 0; i < m; i++)
        sum[i] = (uint16_t)(r1[i] + r2[i]);
    pq_free_whole_secret(published ? r2 : r1);
    return (struct operands){
        .left = { to_16(left.clear, n), published ? l1 : l2, published ? l2 : l1 },
        .right = { to_16(right.clear, m), sum, published ? r1 : r2 },
    };
}

static void operands_free(struct operands *o)
{
    for (int i = 0; i < 3; i++) {
        pq_free_whole_secret(o->left[i]);
        pq_free_whole_secret(o->right[i]);
    }
}

/* Where the operands of a group lie: L's element (i, k) at left + i*left_row + k*left_col, R's element (k, j) at right
 * + k*right_row + j, and how large they are: [n][depth] times [depth][m]. */
struct group { size_t left, left_row, left_col, right, right_row, n, depth, m; };

static void multiply_group(const struct pq_gemm16 *g, const struct group *at, const uint16_t *left,
                           const uint16_t *right, uint16_t *z, size_t z_stride)
{
    void *l = pq_alloc(g->left_bytes(at->n, at->depth)), *r = pq_alloc(g->right_bytes(at->depth, at->m));
    g->left_pack(l, left + at->left, at->n, at->depth, at->left_row, at->left_col);
    g->right_pack(r, right + at->right, at->depth, at->m, at->right_row);
    g->multiply(l, r, z, 0, at->n, at->n, at->depth, at->m, z_stride);
    free(l);
    free(r);
}

/* How many elements of a group's product leave 16 bits. A bound clears nearly all columns: the largest left element
 * times the sum of the column's; the others are found exactly. */
static uint64_t count_wrapped(const struct group *at, const uint16_t *left, const uint16_t *right)
{
    const int64_t top = 1 << (PQ_LINEAR_BITS - 1);
    int64_t largest = 0;
    uint64_t wrapped = 0;
    left += at->left;
    right += at->right;
    for (size_t i = 0; i < at->n; i++)
        for (size_t k = 0; k < at->depth; k++) {
            const int64_t v = llabs(pq_ring_signed(left[i * at->left_row + k * at->left_col], PQ_LINEAR_BITS));
            largest = v > largest ? v : largest;
        }
    for (size_t j = 0; j < at->m; j++) {
        int64_t sum = 0;
        for (size_t k = 0; k < at->depth; k++)
            sum += llabs(pq_ring_signed(right[k * at->right_row + j], PQ_LINEAR_BITS));
        for (size_t i = 0; i < at->n && sum * largest >= top; i++) {
            int64_t exact = 0;
            for (size_t k = 0; k < at->depth; k++)
                exact += (int64_t)pq_ring_signed(left[i * at->left_row + k * at->left_col], PQ_LINEAR_BITS) *
                         pq_ring_signed(right[k * at->right_row + j], PQ_LINEAR_BITS);
            wrapped += exact < -top || exact >= top;
        }
    }
    return wrapped;
}

/* The product of one group into z and its share at element `to` on, rows z_stride apart; r is there already. Returns
 * how many elements wrapped. */
static uint64_t add_group(struct pq_engine *e, const struct operands *o, const struct group *at, struct pq_add z,
                          size_t to, size_t z_stride)
{
    const struct pq_gemm16 *g = pq_replay_of(e)->gemm;
    uint16_t *clear = pq_alloc(2 * at->n * at->m), *share = pq_alloc(2 * at->n * at->m);
    memset(clear, 0, 2 * at->n * at->m);
    memset(share, 0, 2 * at->n * at->m);
    multiply_group(g, at, o->left[0], o->right[0], clear, at->m);
    multiply_group(g, at, o->left[1], o->right[1], share, at->m);
    multiply_group(g, at, o->left[2], o->right[2], share, at->m);
    for (size_t i = 0; i < at->n; i++)
        for (size_t j = 0; j < at->m; j++) {
            size_t element = to + i * z_stride + j;
            uint32_t *z_share = (uint32_t *)z.share + element;
            z.clear[element] = pq_ring_signed(clear[i * at->m + j], PQ_LINEAR_BITS);
            *z_share = (*z_share + share[i * at->m + j]) & UINT16_MAX;
        }
    pq_free_whole_secret(clear);
    pq_free_whole_secret(share);
    return count_wrapped(at, o->left[0], o->right[0]);
}

/* Groups are numbered head * batch + sequence; rows of Q, K, V of head h start at row 3h, 3h+1, 3h+2 times head_dim. */
struct pq_add pq_replay_scores(struct pq_engine *e, struct pq_rss qkv)
{
    const struct pq_shape *s = &e->plan.shape;
    size_t seq = e->plan.seq, batch = e->plan.batch, tokens = qkv.dim.width, depth = s->hidden / s->heads;
    size_t groups = s->heads * batch;
    uint64_t wrapped = 0;
    struct pq_add z = pq_replay_value(e, pq_clear_dim(groups, seq, seq), PQ_LINEAR_BITS);
    struct operands o = operands_of(e, qkv, qkv);
    pq_replay_stream(e, pq_replay_of(e)->s01, PQ_S_PRODUCT, 16, pq_dim_count(z.dim), z.share);
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (pq_dim_count(z.dim) * depth > WORTH_A_TEAM)
    for (size_t g = 0; g < groups; g++) {
        size_t q = g / batch * 3 * depth * tokens + g % batch * seq, k = q + depth * tokens;
        struct group at = { .left = k, .left_row = 1, .left_col = tokens, .right = q, .right_row = tokens, .n = seq,
                            .depth = depth, .m = seq };
        wrapped += add_group(e, &o, &at, z, g * seq * seq, seq);
    }
    pq_replay_count(e, pq_dim_count(z.dim), wrapped);
    operands_free(&o);
    return z;
}

struct pq_add pq_replay_context(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    const struct pq_shape *s = &e->plan.shape;
    size_t seq = e->plan.seq, batch = e->plan.batch, tokens = qkv.dim.width, depth = s->hidden / s->heads;
    struct pq_add z = pq_replay_value(e, pq_clear_dim(1, s->hidden, tokens), PQ_LINEAR_BITS);
    struct operands o = operands_of(e, qkv, p);
    uint64_t wrapped = 0;
    pq_replay_stream(e, pq_replay_of(e)->s01, PQ_S_PRODUCT, 16, pq_dim_count(z.dim), z.share);
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (pq_dim_count(z.dim) * depth > WORTH_A_TEAM)
    for (size_t g = 0; g < s->heads * batch; g++) {
        size_t h = g / batch, b = g % batch;
        struct group at = { .left = (3 * h + 2) * depth * tokens + b * seq, .left_row = tokens, .left_col = 1,
                            .right = g * seq * seq, .right_row = seq, .n = depth, .depth = seq, .m = seq };
        wrapped += add_group(e, &o, &at, z, h * depth * tokens + b * seq, tokens);
    }
    pq_replay_count(e, pq_dim_count(z.dim), wrapped);
    operands_free(&o);
    return z;
}
