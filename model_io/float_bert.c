#include "float_bert.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const enum pq_linear_id before_first = PQ_CLASSIFIER;

/* Every column: (x - mean) / sqrt(variance + eps) * gamma + beta. */
static void normalise(const struct pq_checkpoint *c, const struct pq_affine *a, const float *x, size_t columns,
                      float *y)
{
    const size_t hidden = c->shape.hidden;
    for (size_t j = 0; j < columns; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < hidden; i++)
            mean += x[i * columns + j] / (double)hidden;
        for (size_t i = 0; i < hidden; i++)
            variance += (x[i * columns + j] - mean) * (x[i * columns + j] - mean) / (double)hidden;
        const double inverse = 1 / sqrt(variance + c->eps);
        for (size_t i = 0; i < hidden; i++)
            y[i * columns + j] = (float)((x[i * columns + j] - mean) * inverse * a->gamma[i] + a->beta[i]);
    }
}

static void embed(struct pq_float *f)
{
    const struct pq_checkpoint *c = f->checkpoint;
    const size_t hidden = c->shape.hidden, columns = f->texts->tokens;
    for (size_t s = 0, j = 0; s < f->texts->count; s++)
        for (size_t place = 0; place < f->texts->length[s]; place++, j++)
            for (size_t i = 0; i < hidden; i++)
                f->own_sum[i * columns + j] = c->word[f->texts->token[j] * hidden + i] + c->position[place * hidden + i]
                                              + c->type[i];
    normalise(c, &c->norm, f->own_sum, columns, f->own_hidden);
}

/* y = weight x + bias, [out][columns]. */
static void multiply(const struct pq_dense *d, const float *x, size_t columns, float *y)
{
    for (size_t o = 0; o < d->out; o++)
        for (size_t j = 0; j < columns; j++)
            y[o * columns + j] = d->bias[o];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)d->out, (blasint)columns, (blasint)d->in, 1.0f,
                d->weight, (blasint)d->in, x, (blasint)columns, 1.0f, y, (blasint)columns);
}

/* Softmax of one query's scores, in place. */
static void softmax(float *row, size_t length)
{
    float highest = row[0], total = 0;
    for (size_t j = 1; j < length; j++)
        highest = fmaxf(highest, row[j]);
    for (size_t j = 0; j < length; j++)
        total += row[j] = expf(row[j] - highest);
    for (size_t j = 0; j < length; j++)
        row[j] /= total;
}

/* One head of one sequence: q, k, v, context point to its first channel and token. */
static void attend(const float *q, const float *k, const float *v, size_t depth, size_t length, size_t columns,
                   float *scores, float *context)
{
    const float scale = 1 / sqrtf((float)depth);
    memset(scores, 0, length * length * sizeof *scores);
    for (size_t d = 0; d < depth; d++)
        for (size_t i = 0; i < length; i++)
            for (size_t j = 0; j < length; j++)
                scores[i * length + j] += scale * q[d * columns + i] * k[d * columns + j];
    for (size_t i = 0; i < length; i++)
        softmax(scores + i * length, length);
    for (size_t d = 0; d < depth; d++)
        for (size_t i = 0; i < length; i++) {
            float sum = 0;
            for (size_t j = 0; j < length; j++)
                sum += scores[i * length + j] * v[d * columns + j];
            context[d * columns + i] = sum;
        }
}

/* Context of every head from the rows of Q, K, V that were computed last. */
static void attention(struct pq_float *f)
{
    const struct pq_shape *s = &f->checkpoint->shape;
    const size_t depth = s->hidden / s->heads, columns = f->texts->tokens;
    float *scores = pq_alloc((size_t)s->max_seq * s->max_seq * sizeof *scores);
    for (size_t head = 0; head < s->heads; head++)
        for (size_t t = 0, first = 0; t < f->texts->count; first += f->texts->length[t++]) {
            const float *q = f->own_output + 3 * head * depth * columns + first, *k = q + depth * columns;
            attend(q, k, k + depth * columns, depth, f->texts->length[t], columns, scores,
                   f->own_input + head * depth * columns + first);
        }
    free(scores);
}

/* What the layer `id` sees: [in][columns]. */
static void make_input(struct pq_float *f, size_t in)
{
    const size_t tokens = f->texts->tokens;
    switch (f->id) {
    case PQ_ATTENTION_OUT: attention(f); break;
    case PQ_FFN2:
        for (size_t i = 0; i < in * f->columns; i++)
            f->own_input[i] = (float)f->checkpoint->activation(f->own_output[i]);
        break;
    case PQ_CLASSIFIER:
        for (size_t i = 0; i < in * f->columns; i++)
            f->own_input[i] = tanhf(f->own_output[i]);
        break;
    case PQ_POOLER:
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0, first = 0; t < f->texts->count; first += f->texts->length[t++])
                f->own_input[i * f->columns + t] = f->own_hidden[i * tokens + first];
        break;
    default: memcpy(f->own_input, f->own_hidden, in * f->columns * sizeof *f->own_input);
    }
}

void pq_float_begin(struct pq_float *f, const struct pq_checkpoint *checkpoint, const struct pq_texts *texts)
{
    const size_t hidden = checkpoint->shape.hidden, ffn = checkpoint->shape.ffn;
    const size_t widest = 3 * hidden > ffn ? 3 * hidden : ffn, bytes = texts->tokens * sizeof(float);
    PQ_ASSERT(checkpoint->pooler.out && checkpoint->classifier.out && texts->tokens > 0);
    *f = (struct pq_float){ .id = before_first, .checkpoint = checkpoint, .texts = texts,
                            .own_input = pq_alloc(widest * bytes),
                            .own_output = pq_alloc((widest + PQ_MAX_LABELS) * bytes),
                            .own_sum = pq_alloc(hidden * bytes), .own_hidden = pq_alloc(hidden * bytes) };
    f->sum = f->own_sum;
    f->hidden = f->own_hidden;
    f->input = f->own_input;
    f->output = f->own_output;
    embed(f);
}

void pq_float_step(struct pq_float *f)
{
    const struct pq_checkpoint *c = f->checkpoint;
    if (f->id == PQ_FFN2 && ++f->layer == c->shape.layers)
        f->id = PQ_POOLER;
    else if (f->id == PQ_FFN2 || f->id == before_first)
        f->id = PQ_QKV;
    else
        f->id++;
    f->columns = f->layer == c->shape.layers ? f->texts->count : f->texts->tokens;
    const struct pq_dense *d = pq_checkpoint_dense(c, f->layer, f->id);
    make_input(f, d->in);
    multiply(d, f->own_input, f->columns, f->own_output);
    if (f->id != PQ_ATTENTION_OUT && f->id != PQ_FFN2)
        return;
    for (size_t i = 0; i < d->out * f->columns; i++)
        f->own_sum[i] = f->own_hidden[i] + f->own_output[i];
    normalise(c, &c->layer[f->layer].norm[f->id == PQ_FFN2], f->own_sum, f->columns, f->own_hidden);
}

void pq_float_end(struct pq_float *f)
{
    free(f->own_input);
    free(f->own_output);
    free(f->own_sum);
    free(f->own_hidden);
}
