/* Every declared range (engine_replay.h): replay counts exactly the values that leave it, in the layer and operation
 * where they do, also those that wrap all the way round and look like small ones. Values are held against their
 * definition in 64 bits. */
#include "clear_fixture.h"

#include <stdlib.h>

enum { LAYER = 1 };

static void open_shape(struct fixture *f, uint32_t hidden, uint32_t heads, uint32_t weight_bits, size_t seq)
{
    const struct pq_shape s = {
        .layers = 2, .hidden = hidden, .heads = heads, .ffn = 40, .vocab = 50, .max_seq = 512, .types = 2,
        .labels = 3, .trunc = 6, .score_trunc = 6, .norm_trunc = 6, .var_trunc = 10, .weight_bits = weight_bits,
    };
    fixture_open_plan(f, (struct pq_plan){ .shape = s, .seq = 2, .batch = 1, .protocol = PQ_PREPROCESSED }, NULL);
    f->plan.seq = f->r->plan.seq = seq;
}

static void start(struct fixture *f, enum pq_operation operation)
{
    pq_replay_begin(f->replay, INFERENCE);
    f->r->ops->layer(f->r, LAYER);
    f->r->ops->begin(f->r, operation);
}

/* All that was counted was counted at this place. */
static void assert_counted(const struct fixture *f, enum pq_operation operation, uint64_t values, uint64_t wrapped)
{
    const struct pq_replay_range *range = pq_replay_ranges(f->replay);
    for (size_t i = 0; i < (f->plan.shape.layers + (size_t)1) * PQ_OPERATIONS; i++) {
        const bool here = i == (size_t)LAYER * PQ_OPERATIONS + operation;
        assert_int_equal(range[i].values, here ? values : 0);
        assert_int_equal(range[i].wrapped, here ? wrapped : 0);
    }
}

static void truncations(void **state)
{
    const int32_t z[] = { 0, 2047, -2048, 2048, -2049, 30000, 1024, -1 };
    struct fixture f;
    (void)state;
    open_shape(&f, 24, 3, 1, 2);
    start(&f, PQ_OP_FFN1);
    (void)f.r->ops->truncate(f.r, value_of(&f, pq_clear_dim(1, 1, 8), 16, z, true), 12, 12, true);
    assert_counted(&f, PQ_OP_FFN1, 8, 3);
    /* Rounded, a value just below the range's end may be either neighbour: only what is beyond counts. */
    const int32_t y[] = { 4095, 4096, 65535, 0, 4095, 12345 };
    start(&f, PQ_OP_SOFTMAX);
    (void)f.r->ops->truncate(f.r, value_of(&f, pq_clear_dim(1, 1, 6), 16, y, false), 12, 8, false);
    assert_counted(&f, PQ_OP_SOFTMAX, 6, 3);
    fixture_close(&f);
}

static void sums_of_residuals(void **state)
{
    const int32_t a[] = { 100, -100, 127, -128, 5 }, b[] = { 27, -28, 1, -1, -5 };
    struct fixture f;
    (void)state;
    open_shape(&f, 24, 3, 1, 2);
    start(&f, PQ_OP_LAYERNORM);
    const struct pq_dim dim = pq_clear_dim(1, 1, 5);
    (void)f.r->ops->add(f.r, value_of(&f, dim, 8, a, true), value_of(&f, dim, 8, b, true));
    assert_counted(&f, PQ_OP_LAYERNORM, 5, 2);
    fixture_close(&f);
}

static void sums_over_rows(void **state)
{
    int32_t exps[2 * 512], codes[15];
    struct fixture f;
    (void)state;
    open_shape(&f, 24, 3, 1, 2);
    for (size_t i = 0; i < 2 * 512; i++)
        exps[i] = i < 512 ? 128 : i < 512 + 257 ? 255 : 0; /* 65536, and 65535 */
    start(&f, PQ_OP_SOFTMAX);
    (void)f.r->ops->row_sum(f.r, value_of(&f, pq_clear_dim(2, 512, 1), 16, exps, false), false);
    assert_counted(&f, PQ_OP_SOFTMAX, 2, 1);
    for (size_t i = 0; i < 15; i++)
        codes[i] = 1;
    start(&f, PQ_OP_SOFTMAX);
    (void)f.r->ops->row_sum(f.r, value_of(&f, pq_clear_dim(1, 15, 1), 4, codes, true), true);
    assert_counted(&f, PQ_OP_SOFTMAX, 1, 1);
    fixture_close(&f);
}

/* Multipliers so large that a sum of 4 wraps to zero. weight_bits 8: sums do not fit 16 bits either. */
static void linear_accumulators(void **state)
{
    enum { TOKENS = 5, HIDDEN = 600 };
    (void)state;
    for (uint32_t weight_bits = 1; weight_bits <= 8; weight_bits += 7) {
        struct fixture f;
        open_shape(&f, HIDDEN, 3, weight_bits, TOKENS);
        struct pq_linear *l = pq_model_linear(&f.model, LAYER, PQ_FFN1);
        for (size_t i = 0; i < (size_t)l->out * l->in; i++)
            l->weight[i] = (int8_t)(weight_bits == 1 ? l->weight[i] : (int)(draw(&f) % 255) - 127);
        for (size_t o = 0; o < l->out; o++)
            l->multiplier[o] = (uint16_t)(o % 3 ? o : 1 << 14);
        pq_replay_free(f.replay); /* packs weights when it is made */
        f.replay = pq_replay_create(&f.plan, &f.model, &f.embedding, pq_gemm16_pick(NULL), f.s01, f.s02, f.s12, 1);
        f.r = pq_replay_engine(f.replay);
        const struct pq_rss x = rss_of(&f, pq_clear_dim(1, l->in, TOKENS), -8, 7);
        uint64_t wrapped = 0, unseen = 0;
        start(&f, PQ_OP_FFN1);
        const struct pq_add z = f.r->ops->linear(f.r, x, LAYER, PQ_FFN1);
        for (size_t o = 0; o < l->out; o++)
            for (size_t j = 0; j < TOKENS; j++) {
                int64_t exact = 0;
                for (size_t i = 0; i < l->in; i++)
                    exact += (int64_t)l->weight[o * l->in + i] * x.clear[i * TOKENS + j];
                exact = exact * l->multiplier[o] + pq_ring_signed(l->bias[o], 16);
                assert_int_equal(z.clear[o * TOKENS + j], pq_ring_signed((uint32_t)exact, 16));
                wrapped += exact < INT16_MIN || exact > INT16_MAX;
                unseen += exact > 1 << 16 && abs(z.clear[o * TOKENS + j]) < 1 << 14;
            }
        assert_true(wrapped > 0 && wrapped < pq_dim_count(z.dim) && unseen > 0);
        assert_counted(&f, PQ_OP_FFN1, pq_dim_count(z.dim), wrapped);
        fixture_close(&f);
    }
}

/* One head of 1024 channels: a score is at most 2^16, which is nothing mod 2^16. */
static void attention_products(void **state)
{
    enum { TOKENS = 3, HIDDEN = 1024 };
    struct fixture f;
    (void)state;
    open_shape(&f, HIDDEN, 1, 1, TOKENS);
    struct pq_rss qkv = rss_of(&f, pq_clear_dim(1, 3 * HIDDEN, TOKENS), -8, 7);
    for (size_t i = 0; i < 2 * HIDDEN; i++) { /* q and k of token 0: their score is 2^16; k of token 1: 2^15 with it */
        qkv.clear[i * TOKENS] = -8;
        qkv.clear[i * TOKENS + 1] = i >= HIDDEN ? -4 : qkv.clear[i * TOKENS + 1];
    }
    start(&f, PQ_OP_SCORES);
    struct pq_add z = f.r->ops->scores(f.r, qkv);
    assert_int_equal(z.clear[0], 0);
    assert_int_equal(z.clear[TOKENS], INT16_MIN);
    uint64_t wrapped = 0;
    for (size_t j = 0; j < TOKENS; j++)
        for (size_t i = 0; i < TOKENS; i++) {
            int64_t exact = 0;
            for (size_t d = 0; d < HIDDEN; d++)
                exact += qkv.clear[d * TOKENS + i] * qkv.clear[(HIDDEN + d) * TOKENS + j];
            wrapped += exact < INT16_MIN || exact > INT16_MAX;
        }
    assert_true(wrapped >= 2);
    assert_counted(&f, PQ_OP_SCORES, TOKENS * TOKENS, wrapped);

    struct pq_rss p = rss_of(&f, pq_clear_dim(1, TOKENS, TOKENS), 0, 500);
    for (size_t j = 0; j < TOKENS; j++)
        p.clear[j * TOKENS] = 2731; /* query 0: 3 * 2731 * -8 = -2^16 - 8 where v is -8 */
    for (size_t d = 0; d < HIDDEN; d++)
        for (size_t j = 0; j < TOKENS; j++)
            qkv.clear[(2 * HIDDEN + d) * TOKENS + j] = d ? 1 : -8;
    start(&f, PQ_OP_CONTEXT);
    z = f.r->ops->context(f.r, qkv, p);
    assert_int_equal(z.clear[0], -8);
    assert_counted(&f, PQ_OP_CONTEXT, HIDDEN * TOKENS, 1);
    fixture_close(&f);
}

/* n = 4096 channels of +-127: n sum h^2 is 2^38. */
static void variances_and_normalised_values(void **state)
{
    enum { TOKENS = 2, HIDDEN = 4096 };
    struct fixture f;
    (void)state;
    open_shape(&f, HIDDEN, 1, 1, TOKENS);
    struct pq_add h = value_of(&f, pq_clear_dim(1, HIDDEN, TOKENS), 8, NULL, true);
    for (size_t c = 0; c < HIDDEN; c++) {
        h.clear[c * TOKENS] = c % 2 ? 127 : -127;
        h.clear[c * TOKENS + 1] = c % 2 ? 1 : -1; /* variance 2^24 */
    }
    start(&f, PQ_OP_LAYERNORM);
    struct pq_lifted lifted = f.r->ops->lift(f.r, h);
    (void)f.r->ops->variance(f.r, &lifted);
    assert_counted(&f, PQ_OP_LAYERNORM, TOKENS, 1);
    const int32_t inverse[TOKENS] = { 1 << 12, 1 << 12 }; /* 4096 * 127 * 2^12 is above 2^31, 2^24 is not */
    start(&f, PQ_OP_LAYERNORM);
    (void)f.r->ops->normalise(f.r, lifted, value_of(&f, pq_clear_dim(1, 1, TOKENS), 32, inverse, false));
    assert_counted(&f, PQ_OP_LAYERNORM, HIDDEN * TOKENS, 0);
    const int32_t large[TOKENS] = { 1 << 13, 1 << 13 };
    start(&f, PQ_OP_LAYERNORM);
    (void)f.r->ops->normalise(f.r, lifted, value_of(&f, pq_clear_dim(1, 1, TOKENS), 32, large, false));
    assert_counted(&f, PQ_OP_LAYERNORM, HIDDEN * TOKENS, HIDDEN);
    fixture_close(&f);
}

/* Counts are of one inference. */
static void whole_inferences(void **state)
{
    struct fixture f;
    int32_t logits[3];
    uint64_t values[2] = { 0 };
    (void)state;
    open_shape(&f, 24, 3, 1, 4);
    pq_replay_free(f.replay);
    f.replay = pq_replay_create(&f.plan, &f.model, &f.embedding, pq_gemm16_pick(NULL), f.s01, f.s02, f.s12, 1);
    for (int i = 0; i < 2; i++) {
        pq_replay_run(f.replay, INFERENCE, f.token, logits);
        const struct pq_replay_range *range = pq_replay_ranges(f.replay);
        for (size_t k = 0; k < 3 * PQ_OPERATIONS; k++)
            values[i] += range[k].values;
        for (size_t layer = 0; layer < 2; layer++)
            for (int o = PQ_OP_QKV; o <= PQ_OP_FFN2; o++) /* GELU has its range in FFN1 */
                assert_int_equal(range[layer * PQ_OPERATIONS + (size_t)o].values > 0, o != PQ_OP_GELU);
        assert_int_equal(range[2 * PQ_OPERATIONS + PQ_OP_POOLER].values, 2 * 24);
        assert_int_equal(range[2 * PQ_OPERATIONS + PQ_OP_CLASSIFIER].values, 3);
    }
    assert_int_equal(values[0], values[1]);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncations),
        cmocka_unit_test(sums_of_residuals),
        cmocka_unit_test(sums_over_rows),
        cmocka_unit_test(linear_accumulators),
        cmocka_unit_test(attention_products),
        cmocka_unit_test(variances_and_normalised_values),
        cmocka_unit_test(whole_inferences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
