#include "engine_replay.h"

#include "encoder.h"
#include "replay.h"

#include <stdlib.h>
#include <string.h>

void *pq_replay_array(struct pq_engine *e, size_t count, size_t element_bytes)
{
    struct pq_replay *r = pq_replay_of(e);
    return pq_arena_alloc(&r->arena[r->layer % 2], count * element_bytes);
}

struct pq_add pq_replay_value(struct pq_engine *e, struct pq_dim dim, unsigned bits)
{
    size_t count = pq_dim_count(dim);
    int32_t *clear = pq_replay_array(e, count, sizeof *clear);
    uint32_t *share = pq_replay_array(e, count, sizeof *share);
    return (struct pq_add){ .dim = dim, .bits = bits, .clear = clear, .share = share };
}

void pq_replay_count(struct pq_engine *e, uint64_t values, uint64_t wrapped)
{
    struct pq_replay *r = pq_replay_of(e);
    struct pq_replay_range *range = &r->range[(size_t)r->layer * PQ_OPERATIONS + r->operation];
    range->values += values;
    range->wrapped += wrapped;
}

/* Little-endian elements of `width` bits, widened. */
static void widen(const uint8_t *src, unsigned width, size_t count, uint32_t *out)
{
    for (size_t i = 0; i < count; i++)
        switch (width) {
        case 1: out[i] = src[i / 8] >> (i % 8) & 1; break;
        case 8: out[i] = src[i]; break;
        case 16: out[i] = (uint32_t)(src[2 * i] | src[2 * i + 1] << 8); break;
        default:
            out[i] = (uint32_t)(src[4 * i] | src[4 * i + 1] << 8 | src[4 * i + 2] << 16);
            out[i] |= (uint32_t)src[4 * i + 3] << 24;
        }
}

void pq_replay_stream(struct pq_engine *e, struct pq_prg *prg, unsigned stream, unsigned width, size_t count,
                      uint32_t *out)
{
    enum { CHUNK = 2048 };
    struct pq_address at = { pq_replay_of(e)->inference, e->op, stream };
#pragma omp parallel for schedule(static) if (count > 8 * CHUNK)
    for (size_t i = 0; i < count; i += CHUNK) {
        uint8_t bytes[4 * CHUNK];
        size_t n = count - i < CHUNK ? count - i : CHUNK;
        pq_prg_fill(prg, at, (uint64_t)i * width / 8, (n * width + 7) / 8, bytes);
        widen(bytes, width, n, out + i);
    }
}

uint32_t *pq_replay_drawn(struct pq_engine *e, struct pq_prg *prg, unsigned stream, unsigned width, size_t count)
{
    uint32_t *out = pq_replay_array(e, count, sizeof *out);
    pq_replay_stream(e, prg, stream, width, count, out);
    return out;
}

static void begin(struct pq_engine *e, enum pq_operation operation)
{
    pq_replay_of(e)->operation = operation;
}

static void layer(struct pq_engine *e, uint32_t l)
{
    struct pq_replay *r = pq_replay_of(e);
    r->layer = l;
    pq_arena_reset(&r->arena[l % 2]);
}

/* x0 = 0, x1 from s01; P2's share of the residual from s12. */
static void embed(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual)
{
    struct pq_replay *r = pq_replay_of(e);
    struct pq_dim dim = pq_clear_dim(1, e->plan.shape.hidden, e->plan.batch * e->plan.seq);
    size_t count = pq_dim_count(dim);
    *residual = pq_replay_value(e, dim, PQ_HIDDEN_BITS);
    int32_t *clear = pq_replay_array(e, count, 4);
    uint32_t *x0 = pq_replay_array(e, count, 4), *x2 = pq_replay_array(e, count, 4), *share = residual->share;
    uint32_t *x1 = pq_replay_drawn(e, r->s01, PQ_S_MASK, 16, count);
    pq_clear_embed(r->embedding, r->token, e->plan.batch, e->plan.seq, clear, residual->clear);
    pq_replay_stream(e, r->s12, PQ_S_MASK, 8, count, share);
    for (size_t i = 0; i < count; i++) {
        x0[i] = 0;
        x2[i] = ((uint32_t)clear[i] - x1[i]) & UINT16_MAX;
        share[i] = ((uint32_t)residual->clear[i] - share[i]) & UINT8_MAX;
    }
    *code = (struct pq_rss){ .dim = dim, .clear = clear, .x0 = x0, .x1 = x1, .x2 = x2 };
}

/* P1 subtracts 1, both drop the low bits, P1 adds 1; the value is what the two shares then add up to. */
static struct pq_add truncate(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    struct pq_add y = pq_replay_value(e, z.dim, t);
    size_t count = pq_dim_count(z.dim), wrapped = 0;
    const uint32_t mask = pq_ring_mask(top), *z_share = z.share;
    const unsigned drop = top - t;
    uint32_t *share = y.share;
    PQ_ASSERT(t <= top && top <= z.bits);
#pragma omp parallel for schedule(static) reduction(+ : wrapped) if (count > 65536)
    for (size_t i = 0; i < count; i++) {
        uint32_t share2 = (((uint32_t)z.clear[i] - z_share[i]) & mask) >> drop;
        share[i] = drop ? (((z_share[i] - 1) & mask) >> drop) + 1 : z_share[i];
        share[i] &= pq_ring_mask(t);
        y.clear[i] = pq_clear_value(share[i] + share2, t, is_signed);
        /* Rounding moves a value by less than a unit; who is further away has wrapped. An unsigned value may round up
         * to 2^t, which entry 0 of the tables stands for. */
        int64_t was = is_signed ? z.clear[i] : (int64_t)(uint32_t)z.clear[i], unit = INT64_C(1) << drop;
        int64_t off = y.clear[i] * unit - was;
        wrapped += is_signed ? off <= -unit || off >= unit : was > (int64_t)mask;
    }
    pq_replay_count(e, count, wrapped);
    return y;
}

static struct pq_add add(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    struct pq_add sum = pq_replay_value(e, a.dim, a.bits);
    size_t count = pq_dim_count(a.dim), wrapped = 0;
    const uint32_t *a_share = a.share, *b_share = b.share;
    uint32_t *share = sum.share;
    PQ_ASSERT(a.bits == b.bits && count == pq_dim_count(b.dim));
    for (size_t i = 0; i < count; i++) {
        int64_t exact = (int64_t)a.clear[i] + b.clear[i];
        sum.clear[i] = pq_ring_signed((uint32_t)exact, a.bits);
        share[i] = (a_share[i] + b_share[i]) & pq_ring_mask(a.bits);
        wrapped += sum.clear[i] != exact;
    }
    pq_replay_count(e, count, wrapped);
    return sum;
}

static struct pq_add row_sum(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add y = pq_replay_value(e, pq_clear_dim(x.dim.groups, 1, x.dim.width), x.bits);
    const uint32_t *x_share = x.share;
    uint32_t *share = y.share;
    uint64_t wrapped = 0;
    PQ_ASSERT(x.bits <= PQ_LINEAR_BITS);
    for (size_t g = 0; g < x.dim.groups; g++)
        for (size_t w = 0; w < x.dim.width; w++) {
            int32_t sum = 0;
            uint32_t sum1 = 0;
            for (size_t j = 0; j < x.dim.len; j++) {
                size_t i = (g * x.dim.len + j) * x.dim.width + w;
                sum += x.clear[i];
                sum1 += x_share[i];
            }
            const int32_t kept = pq_clear_value((uint32_t)sum, x.bits, is_signed);
            y.clear[g * x.dim.width + w] = kept;
            wrapped += kept != sum;
            share[g * x.dim.width + w] = sum1 & pq_ring_mask(x.bits);
        }
    pq_replay_count(e, pq_dim_count(y.dim), wrapped);
    return y;
}

static struct pq_rss reshare(struct pq_engine *e, struct pq_add x)
{
    struct pq_replay *r = pq_replay_of(e);
    size_t count = pq_dim_count(x.dim);
    uint32_t *x0 = pq_replay_drawn(e, r->s02, PQ_S_MASK, 16, count);
    uint32_t *x1 = pq_replay_drawn(e, r->s01, PQ_S_MASK, 16, count);
    uint32_t *x2 = pq_replay_array(e, count, 4);
    PQ_ASSERT(x.bits == PQ_LINEAR_BITS);
    for (size_t i = 0; i < count; i++)
        x2[i] = ((uint32_t)x.clear[i] - x0[i] - x1[i]) & UINT16_MAX;
    return (struct pq_rss){ .dim = x.dim, .clear = x.clear, .x0 = x0, .x1 = x1, .x2 = x2 };
}

/* What the three rounds compute is x2 = x - x0 - x1 with x read as an integer: carries and flips cancel. */
static struct pq_rss reshare_code(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    struct pq_add wide = { .dim = x.dim, .bits = PQ_LINEAR_BITS };
    wide.clear = pq_replay_array(e, pq_dim_count(x.dim), 4);
    for (size_t i = 0; i < pq_dim_count(x.dim); i++)
        wide.clear[i] = pq_clear_value((uint32_t)x.clear[i], x.bits, is_signed);
    return reshare(e, wide);
}

static struct pq_rss gather(struct pq_engine *e, struct pq_rss x)
{
    (void)e;
    return x;
}

static void *first_columns(struct pq_engine *e, const void *src, struct pq_dim dim)
{
    size_t batch = e->plan.batch;
    const uint32_t *from = src;
    uint32_t *to = pq_replay_array(e, dim.len * batch, sizeof *to);
    for (size_t c = 0; c < dim.len; c++)
        for (size_t b = 0; b < batch; b++)
            to[c * batch + b] = from[c * dim.width + b * e->plan.seq];
    return to;
}

static struct pq_rss first_tokens(struct pq_engine *e, struct pq_rss x)
{
    return (struct pq_rss){ .dim = pq_clear_dim(1, x.dim.len, e->plan.batch), .clear = first_columns(e, x.clear, x.dim),
                            .x0 = first_columns(e, x.x0, x.dim), .x1 = first_columns(e, x.x1, x.dim),
                            .x2 = first_columns(e, x.x2, x.dim) };
}

static void reveal(struct pq_engine *e, struct pq_add logits)
{
    memcpy(pq_replay_of(e)->logits, logits.clear, pq_dim_count(logits.dim) * sizeof *logits.clear);
}

static const struct pq_ops replay_ops = {
    .begin = begin, .layer = layer, .embed = embed, .linear = pq_replay_linear, .scores = pq_replay_scores,
    .context = pq_replay_context, .truncate = truncate, .add = add, .row_sum = row_sum, .open = pq_replay_open,
    .difference = pq_replay_difference, .read = pq_replay_read, .read_pair = pq_replay_read_pair,
    .halves = pq_replay_halves, .count_at_least = pq_replay_count_at_least, .reshare = reshare,
    .reshare_code = reshare_code, .gather = gather, .first_tokens = first_tokens, .lift = pq_replay_lift,
    .variance = pq_replay_variance, .normalise = pq_replay_normalise, .reveal = reveal,
};

static size_t range_bytes(const struct pq_replay *r)
{
    return (r->engine.plan.shape.layers + (size_t)1) * PQ_OPERATIONS * sizeof *r->range;
}

struct pq_replay *pq_replay_create(const struct pq_plan *plan, const struct pq_model *model,
                                   const struct pq_embedding *embedding, const struct pq_gemm16 *gemm,
                                   struct pq_prg *s01, struct pq_prg *s02, struct pq_prg *s12, uint32_t setup_number)
{
    struct pq_replay *r = pq_alloc(sizeof *r);
    *r = (struct pq_replay){ .engine = { .ops = &replay_ops, .plan = *plan, .model = model }, .embedding = embedding,
                             .gemm = gemm, .s01 = s01, .s02 = s02, .s12 = s12 };
    r->engine.plan.ranks = 1;
    r->range = pq_alloc(range_bytes(r));
    pq_replay_begin(r, 0);
    pq_replay_pack(r, setup_number);
    return r;
}

void pq_replay_begin(struct pq_replay *r, uint32_t inference)
{
    r->inference = inference;
    memset(r->range, 0, range_bytes(r));
}

void pq_replay_run(struct pq_replay *r, uint32_t inference, const uint32_t *token, int32_t *logits)
{
    pq_replay_begin(r, inference);
    r->token = token;
    r->logits = logits;
    pq_encoder_run(&r->engine);
}

/* Bytes of packed weights; kernels round rows and depth up. */
static size_t weight_memory(const struct pq_plan *plan)
{
    const size_t unit = 64;
    const struct pq_shape *s = &plan->shape;
    size_t h = (s->hidden + unit - 1) / unit * unit, f = (s->ffn + unit - 1) / unit * unit;
    size_t h3 = (3 * s->hidden + unit - 1) / unit * unit;
    size_t weights = s->layers * (h3 * h + h * h + 2 * h * f) + h * h + h * unit;
    return 2 * weights * (plan->protocol == PQ_PUBLISHED ? 3 : 2);
}

/* Bytes an element: 8 a share with its value, 8 an opening, 12 to 16 an RSS share. */
size_t pq_replay_memory(const struct pq_plan *plan)
{
    const struct pq_shape *s = &plan->shape;
    size_t tokens = plan->batch * plan->seq, rows = s->heads * tokens, scores = rows * plan->seq;
    size_t score = 4 * 8 + 8 /* z, u, opened, clamped, opened */ + 12 + 8 + 8 + 16 /* d, exp, p, RSS */
                   + (plan->maximum == PQ_TREE ? 16 : 0);
    size_t row = 64 + (plan->maximum == PQ_TREE ? 16 * 9 : 15 * 24);
    size_t norm = 3 * 8 /* z, v, h */ + 4 * 4 + 4 + 8 /* lift */ + 4 + 8 + 8 /* variance, normalise */
                  + 8 + 8 + 16 + 16 /* truncated, opened, tables, RSS */;
    size_t code = 8 + 8 + 8 + 8 + 16;
    size_t layer = scores * score + rows * row + tokens * (s->hidden * (4 * code + 2 * norm) + s->ffn * code + 256);
    size_t ends = tokens * s->hidden * 24 + plan->batch * (s->hidden * (16 + code) + s->labels * 8);
    return weight_memory(plan) + (s->layers > 1 ? 2 : 1) * layer + ends;
}

const struct pq_replay_range *pq_replay_ranges(const struct pq_replay *r)
{
    return r->range;
}

size_t pq_replay_used(const struct pq_replay *r)
{
    return r->weight_bytes + pq_arena_peak(&r->arena[0]) + pq_arena_peak(&r->arena[1]);
}

void pq_replay_free(struct pq_replay *r)
{
    if (!r)
        return;
    pq_replay_unpack(r);
    for (int i = 0; i < 2; i++)
        pq_arena_free(&r->arena[i]);
    free(r->range);
    free(r);
}

struct pq_engine *pq_replay_engine(struct pq_replay *r)
{
    return &r->engine;
}
