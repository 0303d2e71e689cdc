#include "../model_fields.h"
#include "../splitmix.h"
#include "../synth.h"
#include "check.h"

#include <math.h>

static struct pq_error err;

/* A stand-in for the plain engine: random codes in place of activations, the layer's true sums over them. */
enum { TOKENS = 64 };

static void linear_sums(const struct pq_linear *l, uint64_t seed, double zero_point, size_t tokens, int32_t *sums)
{
    int8_t *code = pq_alloc(l->in * tokens);
    uint64_t state = seed;
    for (size_t i = 0; i < l->in * tokens; i++)
        code[i] = (int8_t)rint(fmin(fmax(2.7 * pq_splitmix_bell(&state) + zero_point, -8), 7));
    for (size_t o = 0; o < l->out; o++)
        for (size_t j = 0; j < tokens; j++) {
            int32_t sum = 0;
            for (size_t i = 0; i < l->in; i++)
                sum += l->weight[o * l->in + i] * code[i * tokens + j];
            sums[o * tokens + j] = sum;
        }
    free(code);
}

struct made { struct pq_model model; struct pq_embedding embedding; struct pq_synth *synth; };

static void begin(struct made *made, const char *configuration, uint64_t seed)
{
    struct pq_shape shape;
    CHECK_OK(pq_shape_parse(configuration, &shape, &err), &err);
    made->synth = pq_synth_begin(&shape, seed, &made->model, &made->embedding);
}

static void end(struct made *made)
{
    pq_synth_end(made->synth);
    pq_model_free(&made->model);
    pq_embedding_free(&made->embedding);
}

static const enum pq_linear_id ids[] = { PQ_QKV, PQ_ATTENTION_OUT, PQ_FFN1, PQ_FFN2, PQ_POOLER, PQ_CLASSIFIER };

/* Calibrates every layer; check, if given, sees each with its sums. */
static void calibrate(struct made *made, void (*check)(const struct pq_shape *, enum pq_linear_id,
                                                       const struct pq_linear *, const int32_t *, size_t))
{
    struct pq_observer observer = pq_synth_observer(made->synth);
    const struct pq_shape *s = &made->model.shape;
    for (uint32_t layer = 0; layer <= s->layers; layer++)
        for (int i = layer < s->layers ? 0 : 4; i < (layer < s->layers ? 4 : 6); i++) {
            struct pq_linear *l = pq_model_linear(&made->model, layer, ids[i]);
            size_t tokens = layer < s->layers ? TOKENS : 1; /* the head sees the first token alone */
            int32_t *sums = pq_alloc(l->out * tokens * sizeof *sums);
            linear_sums(l, layer * 10 + ids[i], ids[i] == PQ_FFN2 ? -5 : 0, tokens, sums);
            observer.sums(observer.user, layer, ids[i], sums, l->out, tokens);
            if (check)
                check(s, ids[i], l, sums, tokens);
            free(sums);
        }
}

/* No accumulator leaves the range by more than the promise, and channels spread as wanted. */
static void check_range(const struct pq_shape *s, enum pq_linear_id id, const struct pq_linear *l, const int32_t *sums,
                        size_t tokens)
{
    double squares = 0, mean_of_means = 0, largest = 0;
    for (size_t o = 0; o < l->out; o++) {
        double mean = 0, square = 0;
        assert_true(l->multiplier[o] >= 1);
        for (size_t j = 0; j < tokens; j++) {
            uint32_t sum = (uint32_t)sums[o * tokens + j];
            double exact = (int16_t)(uint16_t)(l->multiplier[o] * sum + l->bias[o]);
            mean += exact / (double)tokens;
            square += exact * exact / (double)tokens;
            largest = fmax(largest, fabs(exact));
        }
        squares += square / l->out;
        mean_of_means += fabs(mean) / l->out;
    }
    double sigma = sqrt(squares);
    if (id == PQ_CLASSIFIER) {
        assert_true(largest <= 32767 / 1.25);
        return;
    }
    int coded = l->table_bits > 0;
    double unit = coded ? ldexp(1.0, (int)pq_code_shift(s->trunc)) : 256;
    double want = coded ? (s->trunc == 4 ? 1.6 : 2.7) : 10;
    double limit = coded ? (s->trunc == 4 ? 32767 : 32767 / 1.25) : 256 * 44;
    if (!(sigma > 0.8 * want * unit && sigma < 1.25 * want * unit && largest <= limit))
        fail_msg("layer %d at t = %u: sigma %g, wanted about %g; largest %g, limit %g", (int)id, s->trunc, sigma,
                 want * unit, largest, limit);
    if (tokens > 1)
        assert_true(mean_of_means < 0.1 * want * unit);
}

static void accumulators_stay_in_range(void **state)
{
    (void)state;
    static const char *const configurations[] = {
        "bert-tiny,vocab=50", "bert-tiny,vocab=50,trunc=5", "bert-tiny,vocab=50,trunc=4", "bert-tiny,vocab=50,trunc=8",
        "layers=1,hidden=60,heads=3,ffn=100,vocab=50", "layers=1,hidden=768,heads=12,ffn=3072,vocab=50",
        "bert-tiny,vocab=50,weight_bits=4", "bert-tiny,vocab=50,weight_bits=8",
    };
    for (size_t i = 0; i < sizeof configurations / sizeof configurations[0]; i++) {
        struct made made;
        begin(&made, configurations[i], i);
        calibrate(&made, check_range);
        end(&made);
    }
}

/* Tables rise with their index (GELU's from its minimum on) and use the codes. */
static void tables_use_their_codes(void **state)
{
    (void)state;
    struct made made;
    begin(&made, "bert-tiny,vocab=50", 1);
    calibrate(&made, NULL);
    for (int i = 0; i < 5; i++) {
        const struct pq_linear *l = pq_model_linear(&made.model, ids[i] == PQ_POOLER ? 2 : 0, ids[i]);
        for (uint32_t o = 0; o < l->out && l->table_bits; o++) {
            const int8_t *table = l->table + ((size_t)o << l->table_bits);
            int half = 1 << (l->table_bits - 1), dips = 0;
            for (int v = 1 - half; v < half; v++)
                dips += table[v & (2 * half - 1)] < table[(v - 1) & (2 * half - 1)];
            assert_true(dips <= (ids[i] == PQ_FFN1 ? 1 : 0));
            assert_in_range(table[half - 1], 7, 7);
            assert_true(table[half] <= -7);
        }
    }
    const struct pq_layer *layer = &made.model.layer[1];
    assert_true(layer->exp_scale >= 0.25 && layer->exp_scale < 0.5);
    for (int v = -32; v < 32; v++)
        assert_int_equal(layer->score_clamp[v & 63], v < -8 ? -8 : v > 7 ? 7 : v);
    end(&made);
}

static void norm_tables_keep_their_units(void **state)
{
    (void)state;
    struct made made;
    begin(&made, "bert-tiny,vocab=50", 1);
    const struct pq_shape *s = &made.model.shape;
    const struct pq_norm *n = &made.model.layer[0].norm[0];
    for (uint32_t v = 1; v < 1u << s->var_trunc; v++) {
        double exact = 4194304 / sqrt(ldexp(v, (int)(s->var_top - s->var_trunc)));
        assert_true(fabs(n->rsqrt[v] - exact) <= 0.5);
        assert_true(n->rsqrt[v] <= n->rsqrt[v - 1]);
    }
    for (uint32_t c = 0; c < s->hidden; c++) {
        assert_true(fabs(n->gamma[c] - 1) < 0.4 && fabs(n->beta[c]) < 0.4);
        for (int v = -32; v < 32; v++) {
            double y = n->gamma[c] * (v * 0.25) + n->beta[c];
            assert_true(fabs(n->residual[c * 64 + (size_t)(v & 63)] - fmin(fmax(16 * y, -72), 72)) <= 0.5001);
            assert_true(fabs(n->code[c * 64 + (size_t)(v & 63)] - fmin(fmax(y * 8 / 3, -8), 7)) <= 0.5001);
        }
    }
    end(&made);
}

/* LayerNorm of the embedding: codes and residuals are the same values in different steps, and use their range. */
static void embedding_codes(void **state)
{
    (void)state;
    struct made made;
    begin(&made, "bert-tiny,vocab=500", 4);
    enum { SEQ = 100 };
    uint32_t token[SEQ];
    int8_t code[128 * SEQ], residual[128 * SEQ], one[128], one_residual[128];
    for (uint32_t i = 0; i < SEQ; i++)
        token[i] = i * 5;
    pq_embedding_codes(&made.embedding, token, SEQ, code, residual);
    double codes = 0, residuals = 0;
    for (size_t i = 0; i < 128 * SEQ; i++) {
        assert_true(code[i] >= -8 && code[i] <= 7);
        assert_true(abs(code[i] - (int)fmin(fmax(rint(residual[i] / 6.0), -8), 7)) <= 1);
        codes += (double)code[i] * code[i];
        residuals += (double)residual[i] * residual[i];
    }
    assert_true(fabs(sqrt(codes / (128 * SEQ)) - 2.65) < 0.15);
    assert_true(fabs(sqrt(residuals / (128 * SEQ)) - 16) < 0.6);
    pq_embedding_codes(&made.embedding, token, 1, one, one_residual); /* [hidden][seq]: columns do not depend on seq */
    for (size_t c = 0; c < 128; c++) {
        assert_int_equal(one[c], code[c * SEQ]);
        assert_int_equal(one_residual[c], residual[c * SEQ]);
    }
    end(&made);
}

struct pair { struct pq_field field[512]; size_t count, at, different; };

static enum pq_status remember(void *user, const struct pq_field *field)
{
    struct pair *pair = user;
    assert_true(pair->count < 512);
    pair->field[pair->count++] = *field;
    return PQ_OK;
}

static enum pq_status compare(void *user, const struct pq_field *field)
{
    struct pair *pair = user;
    const struct pq_field *other = &pair->field[pair->at++];
    pair->different += memcmp(field->data, other->data, pq_field_memory(field)) != 0;
    return PQ_OK;
}

static size_t differences(struct made *a, struct made *b)
{
    static struct pair pair;
    pair = (struct pair){ .count = 0 };
    CHECK_OK(pq_model_fields(&a->model, remember, &pair), &err);
    CHECK_OK(pq_embedding_fields(&a->embedding, remember, &pair), &err);
    CHECK_OK(pq_model_fields(&b->model, compare, &pair), &err);
    CHECK_OK(pq_embedding_fields(&b->embedding, compare, &pair), &err);
    assert_int_equal(pair.at, pair.count);
    return pair.different;
}

static void same_seed_same_model(void **state)
{
    (void)state;
    struct made a, b, c;
    begin(&a, "layers=2,hidden=60,heads=3,ffn=100,vocab=50", 1);
    begin(&b, "layers=2,hidden=60,heads=3,ffn=100,vocab=50", 1);
    begin(&c, "layers=2,hidden=60,heads=3,ffn=100,vocab=50", 2);
    assert_int_equal(differences(&a, &b), 0);
    calibrate(&a, NULL);
    assert_true(differences(&a, &b) > 0);
    calibrate(&b, NULL);
    assert_int_equal(differences(&a, &b), 0);
    calibrate(&b, NULL); /* a second pass over the same data changes nothing */
    assert_int_equal(differences(&a, &b), 0);
    calibrate(&c, NULL);
    assert_true(differences(&a, &c) > 30);
    end(&a);
    end(&b);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulators_stay_in_range),
        cmocka_unit_test(tables_use_their_codes),
        cmocka_unit_test(norm_tables_keep_their_units),
        cmocka_unit_test(embedding_codes),
        cmocka_unit_test(same_seed_same_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
