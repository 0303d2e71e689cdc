/* Replay's shares against the definitions in engine.h and stream.h: P2's share is built here, element by element, from
 * what P2 would hold, and must complete P1's to the value; table halves are picked from their stream one at a time. */
#include "clear_fixture.h"

static void open_as(struct fixture *f, int published)
{
    fixture_open(f, 4, 3, published ? PQ_PUBLISHED : PQ_PREPROCESSED, PQ_TREE, PQ_DIRECT, NULL);
}

static uint32_t part(struct pq_rss x, int k, size_t i)
{
    return ((const uint32_t *)(k == 0 ? x.x0 : k == 1 ? x.x1 : x.x2))[i];
}

/* What one term of a product of shared a and b adds to P2's share, r and bias aside. published: P2's own a2*b2 + a2*b0
 * + a0*b2, and a0*b0 + a0*b1 + a1*b0 that P0 sends. preprocessed: a2*b0 + a0*b2, and lambda_a*lambda_b from P0. */
static uint32_t second_share(int published, const uint32_t a[3], const uint32_t b[3])
{
    if (published)
        return a[2] * b[2] + a[2] * b[0] + a[0] * b[2] + a[0] * b[0] + a[0] * b[1] + a[1] * b[0];
    return a[2] * b[0] + a[0] * b[2] + (a[0] + a[1]) * (b[0] + b[1]);
}

static void linear_shares_add_up(void **state)
{
    (void)state;
    for (int published = 0; published < 2; published++) {
        struct fixture f;
        open_as(&f, published);
        const struct { uint32_t layer, number; enum pq_linear_id id; } which[] = {
            { 0, 0, PQ_QKV }, { 1, 7, PQ_FFN2 }, { 2, 8, PQ_POOLER }, { 2, 9, PQ_CLASSIFIER },
        };
        for (int k = 0; k < 4; k++) {
            const struct pq_linear *l = pq_model_linear(&f.model, which[k].layer, which[k].id);
            size_t tokens = 5;
            struct pq_rss x = rss_of(&f, pq_clear_dim(1, l->in, tokens), -8, 7);
            struct pq_add z = f.r->ops->linear(f.r, x, which[k].layer, which[k].id);
            assert_clear_equal(z, f.p->ops->linear(f.p, x, which[k].layer, which[k].id));
            for (size_t i = 0; i < pq_dim_count(z.dim); i++) {
                size_t o = i / tokens, j = i % tokens;
                uint32_t second = l->bias[o] - drawn(f.s01, PQ_S_PRODUCT, 16, i), number = which[k].number;
                for (size_t c = 0; c < l->in; c++) {
                    uint32_t whole = (uint32_t)l->multiplier[o] * (uint32_t)l->weight[o * l->in + c];
                    uint32_t w1 = element_of(f.s01, SETUP_NUMBER, number, PQ_S_W, 16, o * l->in + c);
                    uint32_t w0 = published ? element_of(f.s02, SETUP_NUMBER, number, PQ_S_W, 16, o * l->in + c)
                                            : whole - w1;
                    uint32_t w[3] = { w0, w1, whole - w0 - w1 };
                    size_t at = c * tokens + j;
                    uint32_t a[3] = { part(x, 0, at), part(x, 1, at), part(x, 2, at) };
                    /* preprocessed: w2 = 0, P2 has x2*w0, and lambda*W' from P0 */
                    second += published ? second_share(1, a, w) : a[2] * w[0] + (a[0] + a[1]) * whole;
                }
                assert_int_equal((share_at(z, i) + second) & 0xffff, (uint32_t)z.clear[i] & 0xffff);
            }
        }
        fixture_close(&f);
    }
}

static void attention_shares_add_up(void **state)
{
    (void)state;
    for (int published = 0; published < 2; published++) {
        struct fixture f;
        open_as(&f, published);
        const size_t seq = 4, batch = 3, tokens = 12, depth = 8, heads = 3;
        struct pq_rss qkv = rss_of(&f, pq_clear_dim(1, 72, tokens), -8, 7);
        struct pq_rss p = rss_of(&f, pq_clear_dim(heads * batch, seq, seq), 0, 255);
        struct pq_add s = f.r->ops->scores(f.r, qkv), c = f.r->ops->context(f.r, qkv, p);
        assert_clear_equal(s, f.p->ops->scores(f.p, qkv));
        assert_clear_equal(c, f.p->ops->context(f.p, qkv, p));
        for (size_t h = 0; h < heads; h++)
            for (size_t b = 0; b < batch; b++)
                for (size_t i = 0; i < seq; i++) {
                    size_t group = h * batch + b, row = h * 3 * depth, column = b * seq + i;
                    for (size_t j = 0; j < seq; j++) {
                        size_t at = (group * seq + j) * seq + i;
                        uint32_t second = 0U - drawn(f.s01, PQ_S_PRODUCT, 16, at);
                        int32_t value = 0;
                        for (size_t d = 0; d < depth; d++) {
                            size_t q = (row + d) * tokens + column, k = (row + depth + d) * tokens + b * seq + j;
                            uint32_t qs[3] = { part(qkv, 0, q), part(qkv, 1, q), part(qkv, 2, q) };
                            uint32_t ks[3] = { part(qkv, 0, k), part(qkv, 1, k), part(qkv, 2, k) };
                            second += second_share(published, ks, qs);
                            value += qkv.clear[q] * qkv.clear[k];
                        }
                        assert_int_equal(s.clear[at], value);
                        assert_int_equal((share_at(s, at) + second) & 0xffff, (uint32_t)value & 0xffff);
                    }
                    for (size_t d = 0; d < depth; d++) {
                        size_t at = (h * depth + d) * tokens + column;
                        uint32_t second = 0U - drawn(f.s01, PQ_S_PRODUCT, 16, at);
                        int32_t value = 0;
                        for (size_t j = 0; j < seq; j++) {
                            size_t v = (row + 2 * depth + d) * tokens + b * seq + j, t = (group * seq + j) * seq + i;
                            uint32_t vs[3] = { part(qkv, 0, v), part(qkv, 1, v), part(qkv, 2, v) };
                            uint32_t ps[3] = { part(p, 0, t), part(p, 1, t), part(p, 2, t) };
                            second += second_share(published, vs, ps);
                            value += qkv.clear[v] * p.clear[t];
                        }
                        assert_int_equal(c.clear[at], value);
                        assert_int_equal((share_at(c, at) + second) & 0xffff, (uint32_t)value & 0xffff);
                    }
                }
        fixture_close(&f);
    }
}

static void embedding_is_shared_as_defined(void **state)
{
    struct fixture f;
    struct pq_rss code, plain_code;
    struct pq_add residual, plain_residual;
    int32_t logits[9];
    (void)state;
    open_as(&f, 0);
    pq_replay_run(f.replay, INFERENCE, f.token, logits); /* gives the engines their tokens */
    pq_plain_run(f.plain, f.token, logits);
    f.r->op = OP;
    f.r->ops->embed(f.r, &code, &residual);
    f.p->ops->embed(f.p, &plain_code, &plain_residual);
    assert_clear_equal(residual, plain_residual);
    for (size_t i = 0; i < pq_dim_count(code.dim); i++) {
        assert_int_equal(code.clear[i], plain_code.clear[i]);
        assert_int_equal(part(code, 0, i), 0);
        assert_int_equal(part(code, 1, i), drawn(f.s01, PQ_S_MASK, 16, i));
        assert_int_equal((part(code, 1, i) + part(code, 2, i)) & 0xffff, (uint32_t)code.clear[i] & 0xffff);
        uint32_t second = drawn(f.s12, PQ_S_MASK, 8, i);
        assert_int_equal((share_at(residual, i) + second) & 255, (uint32_t)residual.clear[i] & 255);
    }
    fixture_close(&f);
}

static void openings_and_reshares_are_masked_as_defined(void **state)
{
    const unsigned widths[] = { 4, 5, 6, 8, 10, 16, 32 };
    struct fixture f;
    (void)state;
    open_as(&f, 0);
    for (size_t k = 0; k < sizeof widths / sizeof widths[0]; k++) {
        unsigned bits = widths[k], width = 8 * (unsigned)pq_ring_bytes(bits);
        struct pq_add x = value_of(&f, pq_clear_dim(1, 7, 301), bits, NULL, true);
        struct pq_opened o = f.r->ops->open(f.r, x);
        for (size_t i = 0; i < pq_dim_count(x.dim); i++) {
            uint32_t offset = drawn(f.s01, PQ_S_MASK, width, i) + drawn(f.s02, PQ_S_MASK, width, i);
            assert_int_equal(((const uint32_t *)o.offset)[i], offset & pq_ring_mask(bits));
            assert_int_equal(((const uint32_t *)o.delta)[i], ((uint32_t)x.clear[i] - offset) & pq_ring_mask(bits));
        }
    }
    for (int kind = 0; kind < 3; kind++) { /* 16 bits; 4 bits signed; 8 bits unsigned */
        struct pq_add x = value_of(&f, pq_clear_dim(1, 12, 12), kind == 0 ? 16 : kind == 1 ? 4 : 8, NULL, kind < 2);
        struct pq_rss y = kind ? f.r->ops->reshare_code(f.r, x, kind == 1) : f.r->ops->reshare(f.r, x);
        for (size_t i = 0; i < pq_dim_count(x.dim); i++) {
            assert_int_equal(y.clear[i], x.clear[i]);
            assert_int_equal(part(y, 0, i), drawn(f.s02, PQ_S_MASK, 16, i));
            assert_int_equal(part(y, 1, i), drawn(f.s01, PQ_S_MASK, 16, i));
            assert_int_equal((part(y, 0, i) + part(y, 1, i) + part(y, 2, i)) & 0xffff, (uint32_t)x.clear[i] & 0xffff);
        }
        struct pq_rss first = f.r->ops->first_tokens(f.r, y);
        for (size_t i = 0; i < pq_dim_count(first.dim); i++)
            for (int k = 0; k < 3; k++)
                assert_int_equal(part(first, k, i), part(y, k, i / 3 * 12 + i % 3 * 4));
    }
    fixture_close(&f);
}

/* The four steps of reshare_code in engine.h, literally: they end in x2 = x - x0 - x1. */
static void reshare_code_steps_give_x2(void **state)
{
    struct fixture f;
    (void)state;
    open_as(&f, 0);
    for (int kind = 0; kind < 2; kind++) {
        unsigned b = kind ? 8 : 4;
        uint32_t below = (1U << b) - 1, c = kind ? 0 : 8;
        struct pq_add x = value_of(&f, pq_clear_dim(1, 12, 40), b, NULL, !kind);
        struct pq_rss y = f.r->ops->reshare_code(f.r, x, !kind);
        for (size_t i = 0; i < pq_dim_count(x.dim); i++) {
            uint32_t lambda = (part(y, 0, i) + part(y, 1, i)) & 0xffff, r = draw(&f) & 1;
            uint32_t delta = ((uint32_t)x.clear[i] + c - lambda) & below, w = delta + (lambda & below) > below;
            uint32_t g = (lambda >> b) + r + (w ^ r) * (1 - 2 * r); /* A + rho * B */
            assert_int_equal((delta - c - (g << b)) & 0xffff, part(y, 2, i));
        }
    }
    fixture_close(&f);
}

/* P1's share of an entry of the table of element (or row) number e: from s01 where P2 stores its half, else the value
 * less what s02 gives P2; `run` elements in turn (engine.h, read). */
static uint32_t half_of(const struct fixture *f, size_t e, size_t run, unsigned stream, unsigned bits, uint64_t entry,
                        int32_t value)
{
    const uint32_t mask = pq_ring_mask(bits);
    if (e / run % 2 == 0)
        return drawn(f->s01, stream, pq_entry_bits(bits), entry) & mask;
    return ((uint32_t)value - drawn(f->s02, stream, pq_entry_bits(bits), entry)) & mask;
}

static void look_ups_take_the_right_entries(void **state)
{
    int8_t bytes[2][1 << 6];
    uint32_t words[1 << 8];
    struct fixture f;
    (void)state;
    open_as(&f, 0);
    exact_codes(&f.random, bytes[0], 64, -8, 7);
    exact_codes(&f.random, bytes[1], 64, -127, 127);
    for (int i = 0; i < 256; i++)
        words[i] = draw(&f);

    struct pq_opened x = f.r->ops->open(f.r, value_of(&f, pq_clear_dim(2, 11, 73), 6, NULL, true));
    const unsigned out[][2] = { { 4, 8 }, { 16, 8 }, { 5, 1 }, { 32, 10 } };
    for (size_t k = 0; k < sizeof out / sizeof out[0]; k++) {
        struct pq_table t = { .index_bits = 6, .outputs = 2, .out_bits = { out[k][0], out[k][1] },
                              .content_bytes = { 1, 1 }, .content = { bytes[0], bytes[1] }, .channels = 1 };
        struct pq_add y[2], z[2];
        f.r->ops->read(f.r, x, &t, true, y);
        f.p->ops->read(f.p, (struct pq_opened){ .dim = x.dim, .bits = x.bits, .clear = x.clear }, &t, true, z);
        for (int o = 0; o < 2; o++) {
            assert_clear_equal(y[o], z[o]);
            for (size_t i = 0; i < pq_dim_count(x.dim); i++)
                assert_int_equal(share_at(y[o], i), half_of(&f, i, 256, PQ_S_TABLE + (unsigned)o, out[k][o],
                                 i * 64 + ((const uint32_t *)x.delta)[i], y[o].clear[i]));
        }
    }

    struct pq_opened u = f.r->ops->open(f.r, value_of(&f, pq_clear_dim(3, 7, 50), 4, NULL, true));
    struct pq_opened row = f.r->ops->open(f.r, value_of(&f, pq_clear_dim(3, 1, 50), 4, NULL, true));
    struct pq_opened d = f.r->ops->difference(f.r, row, u);
    struct pq_table pair = { .index_bits = 4, .index2_bits = 4, .outputs = 1, .out_bits = { 32 },
                             .content_bytes = { 4 }, .content = { words }, .channels = 1 };
    struct pq_add y = f.r->ops->read_pair(f.r, d, row, &pair);
    for (size_t i = 0; i < pq_dim_count(u.dim); i++) {
        size_t j = i / 350 * 50 + i % 50;
        uint32_t delta = ((const uint32_t *)d.delta)[i], index = ((uint32_t)row.clear[j] - (uint32_t)u.clear[i]) & 15;
        assert_int_equal(d.clear[i], index);
        assert_int_equal((delta + ((const uint32_t *)d.offset)[i]) & 15, index);
        assert_int_equal((uint32_t)y.clear[i], words[index << 4 | ((uint32_t)row.clear[j] & 15)]);
        uint64_t entry = (j * 7 + i / 50 % 7) * 256 + ((const uint32_t *)row.delta)[j] * 16 + delta;
        assert_int_equal(share_at(y, i), half_of(&f, j, 32, PQ_S_TABLE, 32, entry, y.clear[i]));
    }
    fixture_close(&f);
}

static void maxima_take_the_right_entries(void **state)
{
    struct fixture f;
    (void)state;
    open_as(&f, 0);
    const size_t groups = 3, len = 7, width = 50, h = 3;
    for (unsigned ring = PQ_CODE_BITS; ring <= PQ_SCORE_BITS; ring++) {
        struct pq_add us = value_of(&f, pq_clear_dim(groups, len, width), ring, NULL, true);
        for (size_t i = 0; ring > PQ_CODE_BITS && i < pq_dim_count(us.dim); i++)
            us.clear[i] = pq_ring_signed((uint32_t)us.clear[i] & 15, 4); /* codes, whatever the ring */
        struct pq_opened u = f.r->ops->open(f.r, us);
        const uint32_t *delta = u.delta;
        struct pq_add y = f.r->ops->halves(f.r, u, us);
        assert_clear_equal(y, f.p->ops->halves(f.p, u, us));
        assert_int_equal(y.bits, ring);
        for (size_t g = 0; g < groups; g++)
            for (size_t j = 0; j <= h; j++)
                for (size_t w = 0; w < width; w++) {
                    size_t to = (g * (h + 1) + j) * width + w, a = (g * len + j) * width + w, b = a + h * width;
                    if (j == h) { /* b would lie outside */
                        assert_int_equal(share_at(y, to), share_at(us, (g * len + len - 1) * width + w));
                        continue;
                    }
                    const size_t e = (g * h + j) * width + w;
                    if (ring == PQ_CODE_BITS) {
                        uint64_t entry = e * 256 + delta[a] * 16 + delta[b];
                        assert_int_equal(share_at(y, to), half_of(&f, e, 256, PQ_S_TABLE, 4, entry, y.clear[to]));
                    } else {
                        const int32_t more = us.clear[a] > us.clear[b] ? us.clear[a] - us.clear[b] : 0;
                        uint64_t entry = e * 32 + ((delta[a] - delta[b]) & 31);
                        uint32_t half = half_of(&f, e, 256, PQ_S_TABLE, 5, entry, more);
                        assert_int_equal(share_at(y, to), (share_at(us, b) + half) & 31);
                    }
                }
    }
    struct pq_opened u = f.r->ops->open(f.r, value_of(&f, pq_clear_dim(groups, len, width), 4, NULL, true));
    const uint32_t *delta = u.delta;
    for (unsigned bits = 3; bits <= 9; bits += 6) {
        struct pq_add c = f.r->ops->count_at_least(f.r, u, bits);
        assert_clear_equal(c, f.p->ops->count_at_least(f.p, u, bits));
        for (size_t i = 0; i < pq_dim_count(c.dim); i++) {
            size_t g = i / (15 * width), lane = i / width % 15, w = i % width;
            uint32_t sum = 0;
            for (size_t j = 0; j < len; j++) {
                size_t e = (g * len + j) * width + w;
                const int32_t reached = u.clear[e] >= (int32_t)lane - 7;
                sum += half_of(&f, e, 256, PQ_S_TABLE, bits <= 8 ? 8 : 16, (e * 16 + delta[e]) * 16 + lane, reached);
            }
            assert_int_equal(share_at(c, i), sum & pq_ring_mask(bits));
        }
    }
    fixture_close(&f);
}

static void layernorm_shares_add_up(void **state)
{
    struct fixture f;
    (void)state;
    open_as(&f, 0);
    const size_t n = 24, tokens = 12;
    struct pq_add hs = value_of(&f, pq_clear_dim(1, n, tokens), 8, NULL, true);
    struct pq_add r = value_of(&f, pq_clear_dim(1, 1, tokens), 32, NULL, false);
    struct pq_lifted h = f.r->ops->lift(f.r, hs);
    struct pq_add v = f.r->ops->variance(f.r, &h), y = f.r->ops->normalise(f.r, h, r);
    struct pq_lifted clear = { .dim = h.dim, .clear = h.clear };
    assert_clear_equal(v, f.p->ops->variance(f.p, &clear));
    assert_clear_equal(y, f.p->ops->normalise(f.p, clear, r));
    for (size_t j = 0; j < tokens; j++) {
        uint32_t lambda1 = drawn(f.s01, PQ_S_MASK, 32, j), lambda2 = drawn(f.s02, PQ_S_MASK, 32, j);
        uint32_t lambda = lambda1 + lambda2, sum = 0, squares = 0, q = 0, m2 = lambda2;
        uint32_t m = lambda, mu = (uint32_t)r.clear[j] - m; /* lift, variance and normalise have the same op here */
        for (size_t c = 0; c < n; c++)
            sum += (uint32_t)h.clear[c * tokens + j];
        uint32_t eta = sum - lambda;
        uint32_t row2 = eta * m2 + mu * lambda2 + lambda * m - drawn(f.s01, PQ_S_SUM_M, 32, j);
        for (size_t c = 0; c < n; c++) {
            size_t i = c * tokens + j;
            uint32_t flip = drawn(f.s01, PQ_S_FLIP, 1, i) ^ drawn(f.s02, PQ_S_FLIP, 1, i);
            uint32_t offset = (drawn(f.s01, PQ_S_MASK, 8, i) + drawn(f.s02, PQ_S_MASK, 8, i)) & 255;
            uint32_t c0 = offset - 256 * flip - 128, c1 = 0U - 256 * (1 - 2 * flip), delta = h.delta[i], rho = h.rho[i];
            uint32_t c0_2 = c0 - drawn(f.s01, PQ_S_C0, 32, i), c1_2 = c1 - drawn(f.s01, PQ_S_C1, 32, i);
            assert_int_equal(delta + c0 + rho * c1, (uint32_t)h.clear[i]);
            squares += c0 * c0;
            q += 2 * delta * c0_2 + rho * (2 * delta * c1_2 + 2 * (c0 * c1 - drawn(f.s01, PQ_S_C0C1, 32, i)));
            uint32_t s = delta * m2 + mu * c0_2 + c0 * m - drawn(f.s01, PQ_S_C0M, 32, i)
                         + rho * (mu * c1_2 + c1 * m - drawn(f.s01, PQ_S_C1M, 32, i));
            assert_int_equal(share_at(y, i) + (uint32_t)n * s - row2, (uint32_t)y.clear[i]);
        }
        q += squares - drawn(f.s01, PQ_S_SQUARES, 32, j);
        uint32_t square2 = lambda * lambda - drawn(f.s01, PQ_S_SUM_SQUARE, 32, j);
        uint32_t second = (uint32_t)n * q - (2 * eta * lambda2 + square2);
        assert_int_equal(share_at(v, j) + second, (uint32_t)v.clear[j]);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_shares_add_up),
        cmocka_unit_test(attention_shares_add_up),
        cmocka_unit_test(embedding_is_shared_as_defined),
        cmocka_unit_test(openings_and_reshares_are_masked_as_defined),
        cmocka_unit_test(reshare_code_steps_give_x2),
        cmocka_unit_test(look_ups_take_the_right_entries),
        cmocka_unit_test(maxima_take_the_right_entries),
        cmocka_unit_test(layernorm_shares_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
