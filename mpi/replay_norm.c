/* Engine `replay`: LayerNorm's lift, variance and normalisation. P1's share of each is the expression that engine.h
 * gives, in P1's halves of the numbers P0 deals (stream.h); the clear value is the integer it stands for, mod 2^32. */
#include "replay.h"

/* c0 and c1 are P1's halves, offset and flip the whole numbers. */
struct pq_lifted pq_replay_lift(struct pq_engine *e, struct pq_add h)
{
    struct pq_replay *r = pq_replay_of(e);
    size_t count = pq_dim_count(h.dim);
    const uint32_t *mask1 = pq_replay_drawn(e, r->s01, PQ_S_MASK, 8, count);
    const uint32_t *mask2 = pq_replay_drawn(e, r->s02, PQ_S_MASK, 8, count);
    const uint32_t *flip1 = pq_replay_drawn(e, r->s01, PQ_S_FLIP, 1, count);
    const uint32_t *flip2 = pq_replay_drawn(e, r->s02, PQ_S_FLIP, 1, count);
    struct pq_lifted y = { .dim = h.dim, .clear = h.clear };
    PQ_ASSERT(h.bits == PQ_HIDDEN_BITS);
    y.delta = pq_replay_array(e, count, 1);
    y.rho = pq_replay_array(e, count, 1);
    y.offset = pq_replay_array(e, count, 1);
    y.flip = pq_replay_array(e, count, 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t offset = (mask1[i] + mask2[i]) & 255, flip = flip1[i] ^ flip2[i];
        uint32_t delta = ((uint32_t)h.clear[i] + 128 - offset) & 255;
        y.delta[i] = (uint8_t)delta;
        y.offset[i] = (uint8_t)offset;
        y.flip[i] = (uint8_t)flip;
        y.rho[i] = (uint8_t)((delta + offset >= 256) ^ flip);
    }
    y.c0 = pq_replay_drawn(e, r->s01, PQ_S_C0, 32, count);
    y.c1 = pq_replay_drawn(e, r->s01, PQ_S_C1, 32, count);
    return y;
}

static int64_t channel_sum(const int32_t *h, struct pq_dim dim, size_t token)
{
    int64_t sum = 0;
    for (size_t c = 0; c < dim.len; c++)
        sum += h[c * dim.width + token];
    return sum;
}

/* sum_offset is set to P1's share of Lambda, sum_delta to eta. */
struct pq_add pq_replay_variance(struct pq_engine *e, struct pq_lifted *h)
{
    struct pq_replay *r = pq_replay_of(e);
    struct pq_dim dim = h->dim;
    size_t count = pq_dim_count(dim), tokens = dim.width, wrapped = 0;
    const uint32_t n = (uint32_t)dim.len;
    struct pq_add v = pq_replay_value(e, pq_clear_dim(1, 1, tokens), 32);
    uint32_t *share = v.share;
    const uint32_t *c0c1 = pq_replay_drawn(e, r->s01, PQ_S_C0C1, 32, count);
    const uint32_t *squares = pq_replay_drawn(e, r->s01, PQ_S_SQUARES, 32, tokens);
    const uint32_t *sum_square = pq_replay_drawn(e, r->s01, PQ_S_SUM_SQUARE, 32, tokens);
    const uint32_t *lambda1 = pq_replay_drawn(e, r->s01, PQ_S_MASK, 32, tokens);
    const uint32_t *lambda2 = pq_replay_drawn(e, r->s02, PQ_S_MASK, 32, tokens);
    h->sum_delta = pq_replay_array(e, tokens, 4);
    h->sum_offset = pq_replay_array(e, tokens, 4);

    for (size_t j = 0; j < tokens; j++) {
        int64_t sum = channel_sum(h->clear, dim, j), exact = 0;
        uint32_t eta = (uint32_t)sum - lambda1[j] - lambda2[j], q = squares[j];
        for (size_t c = 0; c < dim.len; c++) {
            size_t i = c * tokens + j;
            uint32_t delta = h->delta[i], rho = h->rho[i];
            q += delta * delta + 2 * delta * h->c0[i];
            q += rho * (2 * delta * h->c1[i] + 2 * c0c1[i] + 65536);
            exact += (int64_t)h->clear[i] * h->clear[i];
        }
        share[j] = n * q - (eta * eta + 2 * eta * lambda1[j] + sum_square[j]);
        exact = (int64_t)n * exact - sum * sum;
        wrapped += exact > UINT32_MAX;
        v.clear[j] = pq_clear_value((uint32_t)exact, 32, false);
        h->sum_delta[j] = eta;
        h->sum_offset[j] = lambda1[j];
    }
    pq_replay_count(e, tokens, wrapped);
    return v;
}

struct pq_add pq_replay_normalise(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    struct pq_replay *p = pq_replay_of(e);
    struct pq_dim dim = h.dim;
    size_t count = pq_dim_count(dim), tokens = dim.width, wrapped = 0;
    const uint32_t n = (uint32_t)dim.len;
    struct pq_add y = pq_replay_value(e, dim, 32);
    uint32_t *share = y.share;
    const uint32_t *m1 = pq_replay_drawn(e, p->s01, PQ_S_MASK, 32, tokens);
    const uint32_t *m2 = pq_replay_drawn(e, p->s02, PQ_S_MASK, 32, tokens);
    const uint32_t *c0m = pq_replay_drawn(e, p->s01, PQ_S_C0M, 32, count);
    const uint32_t *c1m = pq_replay_drawn(e, p->s01, PQ_S_C1M, 32, count);
    const uint32_t *sum_m = pq_replay_drawn(e, p->s01, PQ_S_SUM_M, 32, tokens);

    for (size_t j = 0; j < tokens; j++) {
        int64_t sum = channel_sum(h.clear, dim, j), inverse = (uint32_t)r.clear[j];
        uint32_t mu = (uint32_t)r.clear[j] - m1[j] - m2[j], eta = h.sum_delta[j];
        uint32_t row = eta * mu + eta * m1[j] + mu * h.sum_offset[j] + sum_m[j];
        for (size_t c = 0; c < dim.len; c++) {
            size_t i = c * tokens + j;
            uint32_t delta = h.delta[i], rho = h.rho[i];
            uint32_t s = delta * mu + delta * m1[j] + mu * h.c0[i] + c0m[i] + rho * (mu * h.c1[i] + c1m[i]);
            int64_t exact = ((int64_t)n * h.clear[i] - sum) * inverse;
            share[i] = n * s - row;
            wrapped += exact < INT32_MIN || exact > INT32_MAX;
            y.clear[i] = pq_ring_signed((uint32_t)exact, 32);
        }
    }
    pq_replay_count(e, count, wrapped);
    return y;
}
