/* Random models of which no truncation drops a one, so that stochastic rounding and rounding to nearest agree: there
 * the protocol's logits must equal `plain`'s bit for bit. Only for tests. */
#ifndef PQ_EXACT_MODEL_H
#define PQ_EXACT_MODEL_H

#include "../../model_io/model.h"
#include "../../model_io/splitmix.h"

static inline uint32_t exact_draw(uint64_t *random)
{
    return (uint32_t)(pq_splitmix_next(random) >> 32);
}

static inline void exact_codes(uint64_t *random, int8_t *code, size_t count, int low, int high)
{
    for (size_t i = 0; i < count; i++)
        code[i] = (int8_t)(low + (int)(exact_draw(random) % (uint32_t)(high - low + 1)));
}

/* Multipliers and biases are multiples of what truncation to `table_bits` (8 without a table) drops. */
static inline void exact_linear(uint64_t *random, struct pq_linear *l)
{
    unsigned drop = 16 - (l->table_bits ? l->table_bits : PQ_HIDDEN_BITS);
    for (size_t i = 0; i < (size_t)l->out * l->in; i++)
        l->weight[i] = (int8_t)(exact_draw(random) & 1 ? 1 : -1);
    for (size_t o = 0; o < l->out; o++) {
        l->multiplier[o] = (uint16_t)((1 + exact_draw(random) % 3) << drop);
        l->bias[o] = (uint16_t)(exact_draw(random) << drop);
    }
    if (l->table)
        exact_codes(random, l->table, (size_t)l->out << l->table_bits, -8, 7);
}

static inline void exact_floats(uint64_t *random, float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pq_splitmix_bell(random);
}

/* Scores and variances keep all their bits. */
static inline void exact_shape(struct pq_shape *s)
{
    s->score_top = s->score_trunc;
    s->var_top = s->var_trunc;
}

/* For shapes with weights of 1 bit, placed by exact_shape, and 2 tokens, or 4 where t is at least 6; the rest is free.
 * Multipliers and biases are multiples of what is dropped, scores and variances keep all their bits (and wrap), all
 * scores weigh the same (so a row's sum and its probabilities, 2^7 or 2^6, are multiples too), and 1/sqrt is a multiple
 * of 2^20. */
static inline void exact_model_draw(uint64_t *random, const struct pq_shape *s, struct pq_model *model,
                                    struct pq_embedding *embedding)
{
    for (uint32_t i = 0; i < s->layers; i++) {
        struct pq_layer *l = &model->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++)
            exact_linear(random, &l->linear[id]);
        exact_codes(random, l->score_clamp, 64, -8, 7);
        exact_codes(random, l->context, (size_t)s->hidden << pq_context_trunc(s->trunc), -8, 7);
        for (int n = 0; n < 2; n++) {
            for (size_t v = 0; v < (size_t)1 << s->var_trunc; v++)
                l->norm[n].rsqrt[v] = exact_draw(random) << 20;
            exact_codes(random, l->norm[n].code, (size_t)s->hidden << s->norm_trunc, -8, 7);
            exact_codes(random, l->norm[n].residual, (size_t)s->hidden << s->norm_trunc, -127, 127);
        }
    }
    exact_linear(random, &model->pooler);
    exact_linear(random, &model->classifier);
    exact_floats(random, embedding->word, (size_t)s->vocab * s->hidden);
    exact_floats(random, embedding->position, (size_t)s->max_seq * s->hidden);
    exact_floats(random, embedding->gamma, s->hidden);
    embedding->code_step = 0.4F;
    embedding->residual_step = 0.05F;
}

#endif
