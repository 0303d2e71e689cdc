#include "engine_run.h"

#include "input.h"
#include "linear.h"
#include "local.h"
#include "lookup.h"
#include "maximum.h"
#include "norm.h"
#include "open.h"
#include "product.h"
#include "reshare.h"

#include <string.h>

static void begin(struct pq_engine *e, enum pq_operation operation)
{
    struct pq_context *c = pq_context_of(e);
    pq_link_begin(c->link, operation);
    c->turn ^= 1;
    pq_arena_reset(&c->brief[c->turn]);
}

static void layer(struct pq_engine *e, uint32_t l)
{
    struct pq_context *c = pq_context_of(e);
    c->generation = l % 2;
    pq_arena_reset(&c->kept[c->generation]);
}

static const struct pq_ops dealer = {
    .begin = begin, .layer = layer, .embed = pq_embed_deal, .linear = pq_linear_deal, .scores = pq_scores_deal,
    .context = pq_context_deal, .truncate = pq_truncate_shape, .add = pq_add_shape, .row_sum = pq_row_sum_shape,
    .open = pq_open_deal, .difference = pq_difference_deal, .read = pq_read_deal, .read_pair = pq_read_pair_deal,
    .halves = pq_halves_deal, .count_at_least = pq_count_deal, .reshare = pq_reshare_deal,
    .reshare_code = pq_reshare_code_deal, .gather = pq_gather_run, .first_tokens = pq_first_tokens_run,
    .lift = pq_lift_deal, .variance = pq_variance_deal, .normalise = pq_normalise_deal, .reveal = pq_reveal_deal,
};

static const struct pq_ops party = {
    .begin = begin, .layer = layer, .embed = pq_embed_online, .linear = pq_linear_online, .scores = pq_scores_online,
    .context = pq_context_online, .truncate = pq_truncate_online, .add = pq_add_online, .row_sum = pq_row_sum_online,
    .open = pq_open_online, .difference = pq_difference_online, .read = pq_read_online,
    .read_pair = pq_read_pair_online, .halves = pq_halves_online, .count_at_least = pq_count_online,
    .reshare = pq_reshare_online, .reshare_code = pq_reshare_code_online, .gather = pq_gather_run,
    .first_tokens = pq_first_tokens_run, .lift = pq_lift_online, .variance = pq_variance_online,
    .normalise = pq_normalise_online, .reveal = pq_reveal_online,
};

/* P0 online in `published`: it computes the products from its masks and takes no part in anything else. */
static struct pq_opened open_idle(struct pq_engine *e, struct pq_add x)
{
    (void)e;
    return (struct pq_opened){ .dim = x.dim, .bits = x.bits };
}

static struct pq_opened difference_idle(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    (void)e, (void)row;
    return (struct pq_opened){ .dim = x.dim, .bits = PQ_CODE_BITS };
}

static void read_idle(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                      struct pq_add *out)
{
    (void)e, (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++)
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
}

static struct pq_add read_pair_idle(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                    const struct pq_table *t)
{
    (void)e, (void)row;
    return (struct pq_add){ .dim = x.dim, .bits = t->out_bits[0] };
}

static struct pq_add halves_idle(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    (void)e;
    xs.dim = pq_halves_dim(x.dim);
    return xs;
}

static struct pq_add count_idle(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    (void)e;
    return (struct pq_add){ .dim = pq_count_dim(u.dim), .bits = bits };
}

static struct pq_rss reshare_code_idle(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    (void)is_signed;
    return pq_reshare_deal(e, x); /* the masks, which is all that P0 ever has of it */
}

static struct pq_lifted lift_idle(struct pq_engine *e, struct pq_add h)
{
    (void)e;
    return (struct pq_lifted){ .dim = h.dim };
}

static struct pq_add variance_idle(struct pq_engine *e, struct pq_lifted *h)
{
    return (struct pq_add){ .dim = pq_token_dim(e, h->dim.width), .bits = 32 };
}

static struct pq_add normalise_idle(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    (void)e, (void)r;
    return (struct pq_add){ .dim = h.dim, .bits = 32 };
}

static const struct pq_ops owner = {
    .begin = begin, .layer = layer, .embed = pq_embed_deal, .linear = pq_linear_online, .scores = pq_scores_online,
    .context = pq_context_online, .truncate = pq_truncate_shape, .add = pq_add_shape, .row_sum = pq_row_sum_shape,
    .open = open_idle, .difference = difference_idle, .read = read_idle, .read_pair = read_pair_idle,
    .halves = halves_idle, .count_at_least = count_idle, .reshare = pq_reshare_deal,
    .reshare_code = reshare_code_idle, .gather = pq_gather_run, .first_tokens = pq_first_tokens_run,
    .lift = lift_idle, .variance = variance_idle, .normalise = normalise_idle, .reveal = pq_reveal_deal,
};

static void start(struct pq_context *c, const struct pq_ops *ops, const struct pq_plan *plan, size_t rank)
{
    c->engine.ops = ops;
    c->engine.plan = *plan;
    c->engine.rank = rank;
}

void pq_dealer_start(struct pq_context *c, const struct pq_plan *plan, size_t rank)
{
    start(c, &dealer, plan, rank);
}

void pq_party_start(struct pq_context *c, const struct pq_plan *plan, size_t rank)
{
    start(c, c->role == PQ_P0 ? &owner : &party, plan, rank);
}

void pq_context_finish(struct pq_context *c)
{
    for (int i = 0; i < 2; i++) {
        pq_arena_free(&c->kept[i]);
        pq_arena_free(&c->brief[i]);
    }
    pq_material_free(&c->material);
    pq_draws_free(&c->draws);
}
