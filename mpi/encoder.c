#include "encoder.h"

#include "../kernels/ring.h"

#include <stdlib.h>

const char *const pq_operation_name[PQ_OPERATIONS] = {
    [PQ_OP_SETUP] = "setup", [PQ_OP_INPUT] = "input", [PQ_OP_QKV] = "qkv", [PQ_OP_SCORES] = "scores",
    [PQ_OP_SOFTMAX] = "softmax", [PQ_OP_CONTEXT] = "context", [PQ_OP_ATTENTION_OUT] = "attention_out",
    [PQ_OP_LAYERNORM] = "layernorm", [PQ_OP_FFN1] = "ffn1", [PQ_OP_GELU] = "gelu", [PQ_OP_FFN2] = "ffn2",
    [PQ_OP_POOLER] = "pooler", [PQ_OP_CLASSIFIER] = "classifier", [PQ_OP_OUTPUT] = "output",
};

/* Every operation is reached through here, so that each has its own number in every engine. Never twice in one
 * expression: C does not say which call comes first. */
static const struct pq_ops *next(struct pq_engine *e)
{
    e->op++;
    return e->ops;
}

/* A table of signed codes over one input, as int8_t content for `channels` channels (NULL where it is not known). */
static struct pq_table code_table(unsigned index_bits, unsigned out_bits, const int8_t *content, size_t channels)
{
    return (struct pq_table){ .index_bits = index_bits, .outputs = 1, .out_bits = { out_bits },
                              .content_bytes = { 1 }, .content = { content }, .channels = channels };
}

struct pq_rss pq_activate(struct pq_engine *e, struct pq_add v, const int8_t *content, size_t channels)
{
    bool compact = e->plan.tables == PQ_COMPACT;
    struct pq_table table = code_table(v.bits, compact ? PQ_CODE_BITS : PQ_LINEAR_BITS, content, channels);
    struct pq_add code;
    struct pq_opened o = next(e)->open(e, v);
    next(e)->read(e, o, &table, true, &code);
    return compact ? next(e)->reshare_code(e, code, true) : next(e)->reshare(e, code);
}

struct pq_add pq_maximum(struct pq_engine *e, struct pq_opened o, struct pq_add u)
{
    if (e->plan.maximum == PQ_TREE) {
        while (u.dim.len > 1) {
            u = next(e)->halves(e, o, u);
            if (u.dim.len > 1)
                o = next(e)->open(e, u);
        }
        return u;
    }
    /* max + 8 is the number of thresholds v = -7..7 that some value of the row reaches; the -8 is folded into the
     * table of the first threshold. */
    unsigned bits = pq_bits_of(u.dim.len);
    int8_t *reached = NULL;
    if (e->model) {
        reached = pq_alloc((size_t)15 << bits);
        for (size_t i = 0; i < (size_t)15 << bits; i++)
            reached[i] = (int8_t)(((i & pq_ring_mask(bits)) != 0) - (i >> bits == 0 ? 8 : 0));
    }
    struct pq_table table = code_table(bits, PQ_CODE_BITS, reached, 15);
    struct pq_add reach;
    struct pq_add count = next(e)->count_at_least(e, o, bits);
    struct pq_opened opened = next(e)->open(e, count);
    next(e)->read(e, opened, &table, true, &reach);
    free(reached);
    return next(e)->row_sum(e, reach, true);
}

struct pq_rss pq_softmax(struct pq_engine *e, struct pq_add u, uint32_t layer)
{
    const struct pq_softmax_widths *w = &e->plan.softmax;
    bool compact = e->plan.tables == PQ_COMPACT && w->prob_bits <= 8;
    uint16_t exps[16], division[16 << 5];
    uint8_t codes[1 << 12];
    const bool known = e->model != NULL;
    if (known) {
        pq_softmax_exp(w, e->model->layer[layer].exp_scale, exps);
        pq_softmax_code(w, (uint32_t)e->plan.seq, codes);
        pq_softmax_division(w, (uint32_t)e->plan.seq, exps, division);
    }
    struct pq_table exp_table = { .index_bits = 4, .outputs = 1, .out_bits = { 16 }, .content_bytes = { 2 },
                                  .content = { known ? exps : NULL }, .channels = 1 };
    struct pq_table sum_table = { .index_bits = w->sum_trunc, .outputs = 1, .out_bits = { w->code_bits },
                                  .content_bytes = { 1 }, .content = { known ? codes : NULL }, .channels = 1 };
    struct pq_table division_table = { .index_bits = 4, .index2_bits = w->code_bits, .outputs = 1,
                                       .out_bits = { compact ? 8 : PQ_LINEAR_BITS }, .content_bytes = { 2 },
                                       .content = { known ? division : NULL }, .channels = 1 };
    struct pq_add exp_value, code;
    struct pq_opened o = next(e)->open(e, u);
    struct pq_add max = pq_maximum(e, o, u);
    struct pq_opened row = next(e)->open(e, max);
    struct pq_opened d = next(e)->difference(e, row, o);
    next(e)->read(e, d, &exp_table, false, &exp_value);
    struct pq_add sum = next(e)->row_sum(e, exp_value, false);
    sum = next(e)->truncate(e, sum, w->sum_bits, w->sum_trunc, false);
    row = next(e)->open(e, sum);
    next(e)->read(e, row, &sum_table, false, &code);
    row = next(e)->open(e, code);
    struct pq_add p = next(e)->read_pair(e, d, row, &division_table);
    return compact ? next(e)->reshare_code(e, p, false) : next(e)->reshare(e, p);
}

void pq_layernorm(struct pq_engine *e, struct pq_add h, uint32_t layer, unsigned which, struct pq_rss *code,
                  struct pq_add *residual)
{
    const struct pq_shape *s = &e->plan.shape;
    const struct pq_norm *norm = e->model ? &e->model->layer[layer].norm[which] : NULL;
    bool compact = e->plan.tables == PQ_COMPACT;
    struct pq_table rsqrt = { .index_bits = s->var_trunc, .outputs = 1, .out_bits = { 32 }, .content_bytes = { 4 },
                              .content = { norm ? norm->rsqrt : NULL }, .channels = 1 };
    struct pq_table affine = { .index_bits = s->norm_trunc, .outputs = 2,
                               .out_bits = { compact ? PQ_CODE_BITS : PQ_LINEAR_BITS, PQ_HIDDEN_BITS },
                               .content_bytes = { 1, 1 },
                               .content = { norm ? norm->code : NULL, norm ? norm->residual : NULL },
                               .channels = s->hidden, .keeps = { false, true } };
    struct pq_add r, out[2];
    struct pq_lifted lifted = next(e)->lift(e, h);
    struct pq_add v = next(e)->variance(e, &lifted);
    v = next(e)->truncate(e, v, s->var_top, s->var_trunc, false);
    struct pq_opened o = next(e)->open(e, v);
    next(e)->read(e, o, &rsqrt, false, &r);
    struct pq_add y = next(e)->normalise(e, lifted, r);
    y = next(e)->truncate(e, y, PQ_NORM_TOP, s->norm_trunc, true);
    o = next(e)->open(e, y);
    next(e)->read(e, o, &affine, true, out);
    *residual = out[1];
    struct pq_rss x = compact ? next(e)->reshare_code(e, out[0], true) : next(e)->reshare(e, out[0]);
    *code = next(e)->gather(e, x);
}

/* A linear layer whose output goes through a table. */
static struct pq_rss linear_activate(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id,
                                     enum pq_operation activation, size_t channels)
{
    struct pq_add z = next(e)->linear(e, x, layer, id);
    struct pq_add v = next(e)->truncate(e, z, PQ_LINEAR_BITS, e->plan.shape.trunc, true);
    e->ops->begin(e, activation);
    const int8_t *content = NULL;
    if (e->model)
        content = layer == e->plan.shape.layers ? e->model->pooler.table : e->model->layer[layer].linear[id].table;
    return pq_activate(e, v, content, channels);
}

static struct pq_rss attention(struct pq_engine *e, struct pq_rss x, uint32_t layer)
{
    const struct pq_shape *s = &e->plan.shape;
    const struct pq_softmax_widths *w = &e->plan.softmax;

    e->ops->begin(e, PQ_OP_QKV);
    struct pq_rss qkv = linear_activate(e, x, layer, PQ_QKV, PQ_OP_QKV, 3 * (size_t)s->hidden);

    e->ops->begin(e, PQ_OP_SCORES);
    struct pq_add u = next(e)->scores(e, qkv);
    u = next(e)->truncate(e, u, s->score_top, s->score_trunc, true);
    if (s->score_trunc > PQ_CODE_BITS) {
        const unsigned bits = e->plan.maximum == PQ_TREE ? PQ_SCORE_BITS : PQ_CODE_BITS;
        struct pq_table clamp = code_table(s->score_trunc, bits,
                                           e->model ? e->model->layer[layer].score_clamp : NULL, 1);
        struct pq_opened o = next(e)->open(e, u);
        next(e)->read(e, o, &clamp, true, &u);
    }
    e->ops->begin(e, PQ_OP_SOFTMAX);
    struct pq_rss p = pq_softmax(e, u, layer);

    e->ops->begin(e, PQ_OP_CONTEXT);
    struct pq_add c = next(e)->context(e, qkv, p);
    c = next(e)->truncate(e, c, w->context_top, pq_context_trunc(s->trunc), true);
    struct pq_rss context = pq_activate(e, c, e->model ? e->model->layer[layer].context : NULL, s->hidden);
    return next(e)->gather(e, context);
}

/* h = residual + linear(x), then LayerNorm: the second half of both blocks of a layer. */
static void add_and_norm(struct pq_engine *e, struct pq_rss *x, struct pq_add *residual, uint32_t layer,
                         enum pq_linear_id id, unsigned which)
{
    struct pq_add z = next(e)->linear(e, *x, layer, id);
    struct pq_add b = next(e)->truncate(e, z, PQ_LINEAR_BITS, PQ_HIDDEN_BITS, true);
    e->ops->begin(e, PQ_OP_LAYERNORM);
    struct pq_add h = next(e)->add(e, *residual, b);
    pq_layernorm(e, h, layer, which, x, residual);
}

void pq_encoder_run(struct pq_engine *e)
{
    const struct pq_shape *s = &e->plan.shape;
    struct pq_rss x;
    struct pq_add residual;
    e->op = 0;

    e->ops->layer(e, 0);
    e->ops->begin(e, PQ_OP_INPUT);
    next(e)->embed(e, &x, &residual);
    x = next(e)->gather(e, x);

    for (uint32_t layer = 0; layer < s->layers; layer++) {
        if (layer)
            e->ops->layer(e, layer);
        x = attention(e, x, layer);
        e->ops->begin(e, PQ_OP_ATTENTION_OUT);
        add_and_norm(e, &x, &residual, layer, PQ_ATTENTION_OUT, 0);

        e->ops->begin(e, PQ_OP_FFN1);
        x = linear_activate(e, x, layer, PQ_FFN1, PQ_OP_GELU, s->ffn);
        x = next(e)->gather(e, x);
        e->ops->begin(e, PQ_OP_FFN2);
        add_and_norm(e, &x, &residual, layer, PQ_FFN2, 1);
    }

    e->ops->layer(e, s->layers);
    e->ops->begin(e, PQ_OP_POOLER);
    x = next(e)->first_tokens(e, x);
    x = linear_activate(e, x, s->layers, PQ_POOLER, PQ_OP_POOLER, s->hidden);
    x = next(e)->gather(e, x);
    e->ops->begin(e, PQ_OP_CLASSIFIER);
    struct pq_add logits = next(e)->linear(e, x, s->layers, PQ_CLASSIFIER);
    e->ops->begin(e, PQ_OP_OUTPUT);
    next(e)->reveal(e, logits);
}
