/* Engine `plain`: linear layers, attention products and LayerNorm. Sums are exact before they are wrapped, so that
 * calibration sees them and nothing that wraps goes unnoticed. */
#include "plain.h"

#include <stdlib.h>

enum { WORTH_A_TEAM = 1 << 20 }; /* multiply-adds */

/* A bias is a residue mod 2^16, and a channel whose sums are far from 0 needs one beyond 16 bits: of those that are the
 * same in the ring the one that brings the channel's mean closest to 0, so that only what strays counts as wrapped. */
static int64_t centring_bias(const int32_t *sums, size_t tokens, int64_t multiplier, int64_t bias)
{
    int64_t total = 0;
    PQ_ASSERT(tokens > 0);
    for (size_t j = 0; j < tokens; j++)
        total += multiplier * sums[j];
    const int64_t mean = total / (int64_t)tokens + bias, ring = INT64_C(1) << PQ_LINEAR_BITS;
    return bias - (mean + (mean < 0 ? -ring / 2 : ring / 2)) / ring * ring;
}

struct pq_add pq_plain_linear(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    static const char *const name[] = {
        [PQ_QKV] = "qkv", [PQ_ATTENTION_OUT] = "attention_out", [PQ_FFN1] = "ffn1", [PQ_FFN2] = "ffn2",
        [PQ_POOLER] = "pooler", [PQ_CLASSIFIER] = "classifier",
    };
    struct pq_plain *p = pq_plain_of(e);
    const struct pq_linear *l = pq_model_linear((struct pq_model *)e->model, layer, id);
    size_t tokens = x.dim.width, wrapped = 0;
    struct pq_add z = pq_plain_value(e, pq_clear_dim(1, l->out, tokens), PQ_LINEAR_BITS);
    int32_t *sums = pq_alloc(l->out * tokens * sizeof *sums);
    PQ_ASSERT(x.dim.len == l->in);

    p->latest = id;
    pq_clear_sums(l, x.clear, tokens, sums);
    if (p->observer.sums)
        p->observer.sums(p->observer.user, layer, id, sums, l->out, tokens);
    /* Bits of the output that are used. */
    unsigned t = id == PQ_CLASSIFIER ? PQ_LINEAR_BITS : l->table_bits ? l->table_bits : PQ_HIDDEN_BITS;
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (l->out * tokens > 65536)
    for (size_t o = 0; o < l->out; o++) {
        int64_t multiplier = pq_ring_signed(l->multiplier[o], 16);
        int64_t bias = centring_bias(sums + o * tokens, tokens, multiplier, pq_ring_signed(l->bias[o], 16));
        for (size_t j = 0; j < tokens; j++) {
            int64_t v = multiplier * sums[o * tokens + j] + bias;
            wrapped += !pq_plain_fits(v, PQ_LINEAR_BITS, t, true);
            z.clear[o * tokens + j] = pq_ring_signed((uint32_t)v, PQ_LINEAR_BITS);
        }
    }
    free(sums);
    pq_plain_range(e, name[id], l->out * tokens, wrapped);
    return z;
}

/* What left the range, and wraps exact sums to Z_2^16 in place. */
static size_t wrap_products(int32_t *z, size_t count, unsigned top, unsigned t)
{
    size_t wrapped = 0;
    for (size_t i = 0; i < count; i++) {
        wrapped += !pq_plain_fits(z[i], top, t, true);
        z[i] = pq_ring_signed((uint32_t)z[i], PQ_LINEAR_BITS);
    }
    return wrapped;
}

/* z[i][j] += a * b[j]: one step of a product, over one row. */
static void add_row(int32_t *z, int32_t a, const int32_t *b, size_t n)
{
    for (size_t j = 0; j < n; j++)
        z[j] += a * b[j];
}

/* Rows of Q, K, V of head h: 3h, 3h+1, 3h+2 times head_dim (model.h). Groups are numbered head * batch + sequence. */
struct pq_add pq_plain_scores(struct pq_engine *e, struct pq_rss qkv)
{
    const struct pq_shape *s = &e->plan.shape;
    size_t seq = e->plan.seq, batch = e->plan.batch, tokens = qkv.dim.width, depth = s->hidden / s->heads;
    size_t groups = s->heads * batch, wrapped = 0;
    struct pq_add z = pq_plain_value(e, pq_clear_dim(groups, seq, seq), PQ_LINEAR_BITS);
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (groups * seq * seq * depth > WORTH_A_TEAM)
    for (size_t g = 0; g < groups; g++) {
        const int32_t *q = qkv.clear + g / batch * 3 * depth * tokens + g % batch * seq, *k = q + depth * tokens;
        int32_t *group = z.clear + g * seq * seq;
        for (size_t j = 0; j < seq; j++) {
            for (size_t i = 0; i < seq; i++)
                group[j * seq + i] = 0;
            for (size_t d = 0; d < depth; d++)
                add_row(group + j * seq, k[d * tokens + j], q + d * tokens, seq);
        }
        wrapped += wrap_products(group, seq * seq, s->score_top, s->score_trunc);
    }
    pq_plain_range(e, "scores", pq_dim_count(z.dim), wrapped);
    return z;
}

struct pq_add pq_plain_context(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    const struct pq_shape *s = &e->plan.shape;
    size_t seq = e->plan.seq, tokens = qkv.dim.width, depth = s->hidden / s->heads, wrapped = 0;
    struct pq_add z = pq_plain_value(e, pq_clear_dim(1, s->hidden, tokens), PQ_LINEAR_BITS);
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (s->hidden * tokens * seq > WORTH_A_TEAM)
    for (size_t c = 0; c < s->hidden; c++) {
        size_t h = c / depth, d = c % depth;
        for (size_t b = 0; b < e->plan.batch; b++) {
            const int32_t *v = qkv.clear + ((3 * h + 2) * depth + d) * tokens + b * seq;
            const int32_t *probability = p.clear + (h * e->plan.batch + b) * seq * seq;
            int32_t *row = z.clear + c * tokens + b * seq;
            for (size_t i = 0; i < seq; i++)
                row[i] = 0;
            for (size_t j = 0; j < seq; j++)
                add_row(row, v[j], probability + j * seq, seq);
        }
        wrapped += wrap_products(z.clear + c * tokens, tokens, e->plan.softmax.context_top,
                                 pq_context_trunc(s->trunc));
    }
    pq_plain_range(e, "context", pq_dim_count(z.dim), wrapped);
    return z;
}

static const char *norm_name(struct pq_engine *e, const char *attention, const char *ffn)
{
    return pq_plain_of(e)->latest == PQ_FFN2 ? ffn : attention;
}

/* Sum over channels, of |h| at most 128, per token. */
static int64_t channel_sum(const int32_t *h, struct pq_dim dim, size_t token)
{
    int64_t sum = 0;
    for (size_t c = 0; c < dim.len; c++)
        sum += h[c * dim.width + token];
    return sum;
}

struct pq_add pq_plain_variance(struct pq_engine *e, struct pq_lifted *h)
{
    const struct pq_shape *s = &e->plan.shape;
    struct pq_dim dim = h->dim;
    struct pq_add v = pq_plain_value(e, pq_clear_dim(1, 1, dim.width), 32);
    size_t wrapped = 0;
    for (size_t j = 0; j < dim.width; j++) {
        int64_t sum = channel_sum(h->clear, dim, j), squares = 0;
        for (size_t c = 0; c < dim.len; c++) {
            int64_t value = h->clear[c * dim.width + j];
            squares += value * value;
        }
        int64_t exact = (int64_t)dim.len * squares - sum * sum;
        wrapped += !pq_plain_fits(exact, s->var_top, s->var_trunc, false);
        v.clear[j] = pq_clear_value((uint32_t)exact, 32, false);
    }
    pq_plain_range(e, norm_name(e, "attention_variance", "ffn_variance"), dim.width, wrapped);
    return v;
}

struct pq_add pq_plain_normalise(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    struct pq_dim dim = h.dim;
    struct pq_add y = pq_plain_value(e, dim, 32);
    size_t wrapped = 0;
    for (size_t j = 0; j < dim.width; j++) {
        int64_t sum = channel_sum(h.clear, dim, j), inverse = (uint32_t)r.clear[j];
        for (size_t c = 0; c < dim.len; c++) {
            int64_t exact = ((int64_t)dim.len * h.clear[c * dim.width + j] - sum) * inverse;
            wrapped += !pq_plain_fits(exact, PQ_NORM_TOP, e->plan.shape.norm_trunc, true);
            y.clear[c * dim.width + j] = pq_ring_signed((uint32_t)exact, 32);
        }
    }
    pq_plain_range(e, norm_name(e, "attention_norm", "ffn_norm"), pq_dim_count(dim), wrapped);
    return y;
}
