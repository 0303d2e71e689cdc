#include "model.h"

#include "../kernels/secret.h"

#include "model_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t bytes)
{
    return memset(pq_alloc(bytes), 0, bytes);
}

static struct pq_linear linear_sizes(uint32_t out, uint32_t in, uint32_t table_bits)
{
    return (struct pq_linear){ .out = out, .in = in, .table_bits = table_bits };
}

static void linear_allocate(struct pq_linear *l)
{
    l->weight = zeroed((size_t)l->out * l->in);
    l->multiplier = zeroed(l->out * sizeof *l->multiplier);
    l->bias = zeroed(l->out * sizeof *l->bias);
    l->table = l->table_bits ? zeroed((size_t)l->out << l->table_bits) : NULL;
    l->scale = zeroed(l->out * sizeof *l->scale);
}

static void linear_free(struct pq_linear *l)
{
    pq_free_whole_secret(l->weight);
    pq_free_whole_secret(l->multiplier);
    pq_free_whole_secret(l->bias);
    pq_free_whole_secret(l->table);
    pq_free_whole_secret(l->scale);
}

void pq_model_lay_out(struct pq_model *model, const struct pq_shape *s)
{
    *model = (struct pq_model){ .shape = *s };
    model->layer = zeroed(s->layers * sizeof *model->layer);
    for (uint32_t i = 0; i < s->layers; i++) {
        struct pq_linear *linear = model->layer[i].linear;
        linear[PQ_QKV] = linear_sizes(3 * s->hidden, s->hidden, s->trunc);
        linear[PQ_ATTENTION_OUT] = linear_sizes(s->hidden, s->hidden, 0);
        linear[PQ_FFN1] = linear_sizes(s->ffn, s->hidden, s->trunc);
        linear[PQ_FFN2] = linear_sizes(s->hidden, s->ffn, 0);
    }
    model->pooler = linear_sizes(s->hidden, s->hidden, s->trunc);
    model->classifier = linear_sizes(s->labels, s->hidden, 0);
}

void pq_model_create(struct pq_model *model, const struct pq_shape *s)
{
    pq_model_lay_out(model, s);
    for (uint32_t i = 0; i < s->layers; i++) {
        struct pq_layer *layer = &model->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++)
            linear_allocate(&layer->linear[id]);
        layer->context = zeroed((size_t)s->hidden << pq_context_trunc(s->trunc));
        for (int n = 0; n < 2; n++) {
            struct pq_norm *norm = &layer->norm[n];
            norm->rsqrt = zeroed(sizeof *norm->rsqrt << s->var_trunc);
            norm->code = zeroed((size_t)s->hidden << s->norm_trunc);
            norm->residual = zeroed((size_t)s->hidden << s->norm_trunc);
            norm->gamma = zeroed(s->hidden * sizeof *norm->gamma);
            norm->beta = zeroed(s->hidden * sizeof *norm->beta);
        }
    }
    linear_allocate(&model->pooler);
    linear_allocate(&model->classifier);
}

void pq_model_free(struct pq_model *model)
{
    for (uint32_t i = 0; model->layer && i < model->shape.layers; i++) {
        struct pq_layer *layer = &model->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++)
            linear_free(&layer->linear[id]);
        pq_free_whole_secret(layer->context);
        for (int n = 0; n < 2; n++) {
            pq_free_whole_secret(layer->norm[n].rsqrt);
            pq_free_whole_secret(layer->norm[n].code);
            pq_free_whole_secret(layer->norm[n].residual);
            pq_free_whole_secret(layer->norm[n].gamma);
            pq_free_whole_secret(layer->norm[n].beta);
        }
    }
    free(model->layer);
    linear_free(&model->pooler);
    linear_free(&model->classifier);
    memset(model, 0, sizeof *model);
}

void pq_embedding_create(struct pq_embedding *e, const struct pq_shape *s)
{
    size_t row = s->hidden * sizeof(float);
    *e = (struct pq_embedding){ .shape = *s };
    e->word = zeroed(s->vocab * row);
    e->position = zeroed(s->max_seq * row);
    e->type = zeroed(s->types * row);
    e->gamma = zeroed(row);
    e->beta = zeroed(row);
}

void pq_embedding_free(struct pq_embedding *e)
{
    free(e->word);
    free(e->position);
    free(e->type);
    free(e->gamma);
    free(e->beta);
    free(e->vocab);
    memset(e, 0, sizeof *e);
}

struct pq_linear *pq_model_linear(struct pq_model *model, uint32_t layer, enum pq_linear_id id)
{
    if (layer == model->shape.layers) {
        PQ_ASSERT(id == PQ_POOLER || id == PQ_CLASSIFIER);
        return id == PQ_POOLER ? &model->pooler : &model->classifier;
    }
    PQ_ASSERT(layer < model->shape.layers && id < PQ_LINEARS_PER_LAYER);
    return &model->layer[layer].linear[id];
}

/* To the nearest integer, ties to even, between low and high. Adding 1.5 * 2^52 rounds a double where nothing in its
 * binary fraction fits any more: what rint does, but in a loop that every compiler vectorises for every x86-64. */
static int8_t quantise(double value, double low, double high)
{
    const double nowhere_near = 6755399441055744.0, above = value > low ? value : low;
    return (int8_t)(((above < high ? above : high) + nowhere_near) - nowhere_near);
}

/* One token at one position: its row of codes and of residuals, [hidden] each; sum is scratch of that length. */
static void embed_token(const struct pq_embedding *e, uint32_t token, size_t at, double *sum, int8_t *code,
                        int8_t *residual)
{
    const size_t hidden = e->shape.hidden;
    const float *word = e->word + token * hidden, *position = e->position + at * hidden;
    double mean = 0, variance = 0;
    for (size_t c = 0; c < hidden; c++) {
        sum[c] = (double)word[c] + position[c] + e->type[c];
        mean += sum[c];
    }
    mean /= (double)hidden;
    for (size_t c = 0; c < hidden; c++)
        variance += (sum[c] - mean) * (sum[c] - mean);
    const double inverse = 1.0 / sqrt(variance / (double)hidden + 1e-12);
    for (size_t c = 0; c < hidden; c++) {
        const double value = e->gamma[c] * ((sum[c] - mean) * inverse) + e->beta[c];
        code[c] = quantise(value / e->code_step, -8, 7);
        residual[c] = quantise(value / e->residual_step, -127, 127);
    }
}

void pq_embedding_codes(const struct pq_embedding *e, const uint32_t *token, size_t seq, int8_t *code, int8_t *residual)
{
    enum { SOME = 32 }; /* tokens whose rows are turned into columns together, so that a cache line is written once */
    const size_t hidden = e->shape.hidden, rows = SOME * hidden;
    double *sum = pq_alloc(hidden * sizeof *sum);
    int8_t *codes = pq_alloc(rows), *residuals = pq_alloc(rows);
    for (size_t first = 0; first < seq; first += SOME) {
        const size_t n = seq - first < SOME ? seq - first : SOME;
        for (size_t i = 0; i < n; i++)
            embed_token(e, token[first + i], first + i, sum, codes + i * hidden, residuals + i * hidden);
        for (size_t c = 0; c < hidden; c++)
            for (size_t i = 0; i < n; i++) {
                code[c * seq + first + i] = codes[i * hidden + c];
                residual[c * seq + first + i] = residuals[i * hidden + c];
            }
    }
    pq_free_secret(sum, hidden * sizeof *sum);
    pq_free_secret(codes, rows);
    pq_free_secret(residuals, rows);
}
