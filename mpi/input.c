#include "input.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"
#include "local.h"

#include <stdlib.h>
#include <string.h>

static struct pq_dim hidden_dim(const struct pq_engine *e)
{
    const size_t tokens = e->plan.seq * e->plan.batch, hidden = e->plan.shape.hidden;
    const struct pq_block own = pq_split(hidden, e->plan.ranks, e->rank);
    return (struct pq_dim){ .groups = 1, .len = own.count, .width = tokens, .first = own.first * tokens,
                            .all = hidden * tokens, .unit = 1 };
}

/* P1: codes as residues mod 2^16 and residuals mod 2^8, [own channels][tokens]. */
static void embed_tokens(struct pq_context *c, struct pq_dim d, uint16_t *code, uint8_t *residual)
{
    const struct pq_plan *p = &c->engine.plan;
    const size_t hidden = p->shape.hidden, seq = p->seq, first = d.first / d.width;
    int8_t *codes = pq_alloc(hidden * seq), *residuals = pq_alloc(hidden * seq);
    for (size_t b = 0; b < p->batch; b++) {
        pq_embedding_codes(c->embedding, c->token + b * seq, seq, codes, residuals);
        for (size_t k = 0; k < d.len; k++)
            for (size_t s = 0; s < seq; s++) {
                code[k * d.width + b * seq + s] = (uint16_t)codes[(first + k) * seq + s];
                residual[k * d.width + b * seq + s] = (uint8_t)residuals[(first + k) * seq + s];
            }
    }
    pq_free_secret(codes, hidden * seq);
    pq_free_secret(residuals, hidden * seq);
}

void pq_embed_online(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = hidden_dim(e);
    const size_t n = pq_dim_count(d);
    uint16_t *x2 = pq_context_keep(c, 2 * n), *mask = pq_context_keep(c, 2 * n);
    uint8_t *share = pq_context_keep(c, n);
    *code = (struct pq_rss){ .dim = d, .op = e->op, .x0_zero = true, .x2 = x2 };
    *residual = (struct pq_add){ .dim = d, .bits = PQ_HIDDEN_BITS, .share = share };

    pq_context_fill(c, c->s12, PQ_S_MASK, 1, d.first, n, share);
    if (c->role == PQ_P1) {
        uint8_t *clear = pq_context_alloc(c, n);
        embed_tokens(c, d, x2, clear);
        pq_ring_sub(share, clear, share, n, PQ_HIDDEN_BITS);
        pq_rss_masks(c, e->op, d.first, n, NULL, mask);
        pq_ring_sub(x2, x2, mask, n, 16);
        code->x1 = mask;
        pq_link_send(c->link, PQ_P2, x2, 2 * n);
    } else {
        memset(mask, 0, 2 * n);
        code->x0 = mask;
        pq_link_receive(c->link, PQ_P1, x2, 2 * n);
    }
}

void pq_embed_deal(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = hidden_dim(e);
    const size_t n = pq_dim_count(d);
    *code = (struct pq_rss){ .dim = d, .op = e->op, .x0_zero = true };
    *residual = (struct pq_add){ .dim = d, .bits = PQ_HIDDEN_BITS };
    code->x0 = pq_context_keep(c, 2 * n);
    code->x1 = pq_context_keep(c, 2 * n);
    memset(code->x0, 0, 2 * n);
    pq_rss_masks(c, e->op, d.first, n, NULL, code->x1);
}

void pq_embed_cost(struct pq_engine *e, struct pq_rss *code, struct pq_add *residual)
{
    const struct pq_dim d = hidden_dim(e);
    const size_t n = pq_dim_count(d);
    *code = (struct pq_rss){ .dim = d };
    *residual = (struct pq_add){ .dim = d, .bits = PQ_HIDDEN_BITS };
    pq_cost_send(pq_cost_of(e), PQ_P1, PQ_P2, 2 * n);
    pq_cost_keep(pq_cost_of(e), 5 * n);
}

void pq_reveal_online(struct pq_engine *e, struct pq_add logits)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(logits.dim), batch = e->plan.batch, labels = e->plan.shape.labels;
    if (c->role == PQ_P2) {
        pq_link_send(c->link, PQ_P1, logits.share, 2 * n);
        return;
    }
    uint16_t *whole = pq_context_alloc(c, 2 * labels * batch), *other = pq_context_alloc(c, 2 * n);
    size_t *blocks = pq_context_alloc(c, e->plan.ranks * sizeof *blocks);
    for (size_t j = 0; j < e->plan.ranks; j++)
        blocks[j] = 2 * batch * pq_split(labels, e->plan.ranks, j).count;
    pq_link_receive(c->link, PQ_P2, other, 2 * n);
    pq_ring_add(whole + logits.dim.first, logits.share, other, n, 16);
    pq_link_gather(c->link, whole, blocks);
    for (size_t i = 0; i < labels * batch; i++)
        c->logits[i] = pq_ring_signed(whole[i], 16);
}

void pq_reveal_deal(struct pq_engine *e, struct pq_add logits)
{
    (void)e, (void)logits; /* no material, and P0 takes no part */
}

void pq_reveal_cost(struct pq_engine *e, struct pq_add logits)
{
    struct pq_cost *c = pq_cost_of(e);
    const size_t n = pq_dim_count(logits.dim);
    pq_cost_send(c, PQ_P2, PQ_P1, 2 * n);
    pq_cost_gather(c, PQ_P1, PQ_ONLINE, 2 * n);
}
