#include "engine_plain.h"

#include "encoder.h"
#include "plain.h"

#include <stdlib.h>
#include <string.h>

struct pq_add pq_plain_value(struct pq_engine *e, struct pq_dim dim, unsigned bits)
{
    struct pq_plain *p = pq_plain_of(e);
    int32_t *clear = pq_arena_alloc(&p->arena[p->layer % 2], pq_dim_count(dim) * sizeof *clear);
    return (struct pq_add){ .dim = dim, .bits = bits, .clear = clear };
}

bool pq_plain_fits(int64_t v, unsigned top, unsigned t, bool is_signed)
{
    int64_t half = top > t ? INT64_C(1) << (top - t - 1) : 0, high = INT64_C(1) << (is_signed ? top - 1 : top);
    return v >= (is_signed ? -high : 0) && v + half < high;
}

void pq_plain_range(struct pq_engine *e, const char *what, uint64_t values, uint64_t wrapped)
{
    struct pq_plain *p = pq_plain_of(e);
    if (p->observer.range)
        p->observer.range(p->observer.user, p->layer, what, values, wrapped);
}

void pq_plain_codes(struct pq_engine *e, const char *what, const int32_t *code, size_t count)
{
    struct pq_plain *p = pq_plain_of(e);
    uint64_t histogram[16] = { 0 };
    if (!p->observer.codes)
        return;
    for (size_t i = 0; i < count; i++)
        histogram[(uint32_t)(code[i] + 8) & 15]++;
    p->observer.codes(p->observer.user, p->layer, what, histogram);
}

static void begin(struct pq_engine *e, enum pq_operation operation)
{
    pq_plain_of(e)->operation = operation;
}

static void layer(struct pq_engine *e, uint32_t l)
{
    struct pq_plain *p = pq_plain_of(e);
    p->layer = l;
    pq_arena_reset(&p->arena[l % 2]);
}

static void embed(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual)
{
    struct pq_plain *p = pq_plain_of(e);
    struct pq_dim dim = pq_clear_dim(1, e->plan.shape.hidden, e->plan.batch * e->plan.seq);
    *residual = pq_plain_value(e, dim, PQ_HIDDEN_BITS);
    *code = (struct pq_rss){ .dim = dim, .clear = pq_plain_value(e, dim, PQ_LINEAR_BITS).clear };
    pq_clear_embed(p->embedding, p->token, e->plan.batch, e->plan.seq, code->clear, residual->clear);
    pq_plain_codes(e, "input", code->clear, pq_dim_count(dim));
}

/* Rounding to nearest is floor(z / 2^s + 1/2): bits [s, top) of z + 2^(s-1). */
static struct pq_add truncate(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    struct pq_add y = pq_plain_value(e, z.dim, t);
    PQ_ASSERT(t <= top && top <= z.bits);
    uint32_t half = top > t ? UINT32_C(1) << (top - t - 1) : 0, mask = pq_ring_mask(top);
    for (size_t i = 0; i < pq_dim_count(z.dim); i++)
        y.clear[i] = pq_clear_value((((uint32_t)z.clear[i] + half) & mask) >> (top - t), t, is_signed);
    return y;
}

static struct pq_add add(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    struct pq_add sum = pq_plain_value(e, a.dim, a.bits);
    size_t count = pq_dim_count(a.dim), wrapped = 0;
    PQ_ASSERT(a.bits == b.bits && count == pq_dim_count(b.dim));
    for (size_t i = 0; i < count; i++) {
        int64_t exact = (int64_t)a.clear[i] + b.clear[i];
        wrapped += !pq_plain_fits(exact, a.bits, a.bits, true);
        sum.clear[i] = pq_ring_signed((uint32_t)exact, a.bits);
    }
    pq_plain_range(e, pq_plain_of(e)->latest == PQ_FFN2 ? "ffn_hidden" : "attention_hidden", count, wrapped);
    return sum;
}

static struct pq_add row_sum(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add y = pq_plain_value(e, pq_clear_dim(x.dim.groups, 1, x.dim.width), x.bits);
    for (size_t r = 0; r < pq_dim_count(y.dim); r++) {
        size_t g = r / x.dim.width, w = r % x.dim.width;
        uint32_t sum = 0;
        for (size_t j = 0; j < x.dim.len; j++)
            sum += (uint32_t)x.clear[(g * x.dim.len + j) * x.dim.width + w];
        y.clear[r] = pq_clear_value(sum, x.bits, is_signed);
    }
    return y;
}

static struct pq_opened open_value(struct pq_engine *e, struct pq_add x)
{
    (void)e;
    return (struct pq_opened){ .dim = x.dim, .bits = x.bits, .clear = x.clear };
}

static struct pq_opened difference(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    PQ_ASSERT(row.bits == x.bits);
    struct pq_add d = pq_plain_value(e, x.dim, PQ_CODE_BITS);
    for (size_t i = 0; i < pq_dim_count(x.dim); i++) {
        uint32_t r = (uint32_t)row.clear[pq_clear_row(x.dim, i)];
        d.clear[i] = pq_clear_value(r - (uint32_t)x.clear[i], PQ_CODE_BITS, false);
    }
    return open_value(e, d);
}

/* Which activation a table of signed codes belongs to; NULL: it is not one. */
static const char *activation_name(const struct pq_plain *p, const struct pq_table *table, bool is_signed)
{
    if (!is_signed || table->content_bytes[0] != 1 || p->operation == PQ_OP_SOFTMAX)
        return NULL;
    if (p->operation == PQ_OP_LAYERNORM)
        return p->latest == PQ_FFN2 ? "ffn_norm" : "attention_norm";
    return pq_operation_name[p->operation];
}

static void read(struct pq_engine *e, struct pq_opened x, const struct pq_table *table, bool is_signed,
                 struct pq_add *out)
{
    size_t count = pq_dim_count(x.dim);
    PQ_ASSERT(x.bits == table->index_bits && table->index2_bits == 0);
    for (unsigned o = 0; o < table->outputs; o++) {
        struct pq_add y = pq_plain_value(e, x.dim, table->out_bits[o]);
#pragma omp parallel for schedule(static) if (count > 65536)
        for (size_t i = 0; i < count; i++) {
            uint32_t index = (uint32_t)x.clear[i] & pq_ring_mask(x.bits);
            y.clear[i] = pq_clear_value(pq_clear_entry(table, o, i, x.dim.width, index), y.bits, is_signed);
        }
        out[o] = y;
    }
    const char *name = activation_name(pq_plain_of(e), table, is_signed);
    if (name)
        pq_plain_codes(e, name, out[0].clear, count);
    const struct pq_plain *p = pq_plain_of(e);
    if (name && table->outputs == 2 && p->latest == PQ_FFN2 && p->observer.residual)
        p->observer.residual(p->observer.user, p->layer, out[1].clear, x.dim.len, x.dim.width);
}

static struct pq_add read_pair(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                               const struct pq_table *table)
{
    struct pq_add y = pq_plain_value(e, x.dim, table->out_bits[0]);
    size_t count = pq_dim_count(x.dim);
    PQ_ASSERT(x.bits == table->index_bits && row.bits == table->index2_bits && table->outputs == 1);
#pragma omp parallel for schedule(static) if (count > 65536)
    for (size_t i = 0; i < count; i++) {
        uint32_t second = (uint32_t)row.clear[pq_clear_row(x.dim, i)] & pq_ring_mask(row.bits);
        uint32_t index = ((uint32_t)x.clear[i] & pq_ring_mask(x.bits)) << row.bits | second;
        y.clear[i] = pq_clear_value(pq_clear_entry(table, 0, i, x.dim.width, index), y.bits, false);
    }
    return y;
}

static struct pq_add halves(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    size_t len = x.dim.len, width = x.dim.width, h = len / 2, left = len - h;
    struct pq_add y = pq_plain_value(e, pq_clear_dim(x.dim.groups, left, width), x.bits);
    (void)xs;
    for (size_t i = 0; i < pq_dim_count(y.dim); i++) {
        size_t g = i / (left * width), j = i / width % left, w = i % width;
        const int32_t *value = x.clear + g * len * width + w;
        int32_t a = value[(j < h ? j : len - 1) * width], b = j < h ? value[(j + h) * width] : a;
        y.clear[i] = a > b ? a : b;
    }
    return y;
}

static struct pq_add count_at_least(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    size_t len = u.dim.len, width = u.dim.width;
    struct pq_add y = pq_plain_value(e, pq_clear_dim(u.dim.groups, 15, width), bits);
    memset(y.clear, 0, pq_dim_count(y.dim) * sizeof *y.clear);
    for (size_t i = 0; i < pq_dim_count(u.dim); i++) {
        int32_t *lane = y.clear + i / (len * width) * 15 * width + i % width;
        for (int32_t v = -7; v <= u.clear[i]; v++)
            lane[(size_t)(v + 7) * width]++;
    }
    for (size_t i = 0; i < pq_dim_count(y.dim); i++)
        y.clear[i] = pq_clear_value((uint32_t)y.clear[i], bits, false);
    return y;
}

static struct pq_rss reshare(struct pq_engine *e, struct pq_add x)
{
    (void)e;
    return (struct pq_rss){ .dim = x.dim, .clear = x.clear };
}

static struct pq_rss reshare_code(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add y = pq_plain_value(e, x.dim, PQ_LINEAR_BITS);
    for (size_t i = 0; i < pq_dim_count(x.dim); i++)
        y.clear[i] = pq_clear_value((uint32_t)x.clear[i], x.bits, is_signed);
    return reshare(e, y);
}

static struct pq_rss gather(struct pq_engine *e, struct pq_rss x)
{
    (void)e;
    return x;
}

static struct pq_rss first_tokens(struct pq_engine *e, struct pq_rss x)
{
    size_t batch = e->plan.batch;
    struct pq_add y = pq_plain_value(e, pq_clear_dim(1, x.dim.len, batch), PQ_LINEAR_BITS);
    for (size_t c = 0; c < x.dim.len; c++)
        for (size_t b = 0; b < batch; b++)
            y.clear[c * batch + b] = x.clear[c * x.dim.width + b * e->plan.seq];
    return reshare(e, y);
}

static struct pq_lifted lift(struct pq_engine *e, struct pq_add h)
{
    (void)e;
    return (struct pq_lifted){ .dim = h.dim, .clear = h.clear };
}

static void reveal(struct pq_engine *e, struct pq_add logits)
{
    memcpy(pq_plain_of(e)->logits, logits.clear, pq_dim_count(logits.dim) * sizeof *logits.clear);
}

static const struct pq_ops plain_ops = {
    .begin = begin, .layer = layer, .embed = embed, .linear = pq_plain_linear, .scores = pq_plain_scores,
    .context = pq_plain_context, .truncate = truncate, .add = add, .row_sum = row_sum, .open = open_value,
    .difference = difference, .read = read, .read_pair = read_pair, .halves = halves,
    .count_at_least = count_at_least, .reshare = reshare, .reshare_code = reshare_code, .gather = gather,
    .first_tokens = first_tokens, .lift = lift, .variance = pq_plain_variance, .normalise = pq_plain_normalise,
    .reveal = reveal,
};

struct pq_plain *pq_plain_create(const struct pq_plan *plan, const struct pq_model *model,
                                 const struct pq_embedding *embedding, const struct pq_observer *observer)
{
    struct pq_plain *p = pq_alloc(sizeof *p);
    *p = (struct pq_plain){ .engine = { .ops = &plain_ops, .plan = *plan, .model = model }, .embedding = embedding };
    p->engine.plan.ranks = 1;
    if (observer)
        p->observer = *observer;
    return p;
}

void pq_plain_run(struct pq_plain *p, const uint32_t *token, int32_t *logits)
{
    p->token = token;
    p->logits = logits;
    pq_encoder_run(&p->engine);
}

void pq_plain_free(struct pq_plain *p)
{
    if (!p)
        return;
    for (int i = 0; i < 2; i++)
        pq_arena_free(&p->arena[i]);
    free(p);
}

void pq_plain_infer(const struct pq_model *model, const struct pq_embedding *embedding,
                    const struct pq_observer *observer, const uint32_t *token, size_t seq, size_t batch,
                    int32_t *logits)
{
    const struct pq_plan plan = { .shape = model->shape, .seq = seq, .batch = batch, .protocol = PQ_PREPROCESSED,
                                  .ranks = 1, .softmax = pq_softmax_widths((uint32_t)seq) };
    struct pq_plain *p = pq_plain_create(&plan, model, embedding, observer);
    pq_plain_run(p, token, logits);
    pq_plain_free(p);
}

struct pq_engine *pq_plain_engine(struct pq_plain *p)
{
    return &p->engine;
}
