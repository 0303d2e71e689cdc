/* The first pass of an import: everything that follows from the values in full precision. */
#include "import.h"

#include "calibrate.h"
#include "import_parts.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double margin = 1.25; /* between what calibration has seen and what must fit */
static const double half_ring = 32768, hidden_unit = 256;

static double *numbers(size_t count)
{
    return memset(pq_alloc(count * sizeof(double)), 0, count * sizeof(double));
}

size_t pq_texts_batches(const struct pq_texts *texts, struct pq_text_batch *batch)
{
    size_t batches = 0, token = 0;
    for (size_t i = 0; i < texts->count; token += texts->length[i++]) {
        if (i && texts->length[i] == texts->length[i - 1]) {
            batch[batches - 1].count++;
            continue;
        }
        PQ_ASSERT(!i || texts->length[i] > texts->length[i - 1]);
        batch[batches++] = (struct pq_text_batch){ texts->length[i], 1, i, token };
    }
    return batches;
}

/* ---- ranges ---- */

static void range_of(const float *x, size_t count, double *low, double *high)
{
    *low = *high = x[0];
    for (size_t j = 1; j < count; j++) {
        *low = fmin(*low, x[j]);
        *high = fmax(*high, x[j]);
    }
}

static double largest(const float *x, size_t count)
{
    double low, high;
    range_of(x, count, &low, &high);
    return fmax(high, -low);
}

/* Per output channel of a layer with a table: the real value of an accumulator's unit that just holds its range. */
static void table_steps(const struct pq_float *f, size_t out, double *step)
{
    for (size_t o = 0; o < out; o++) {
        const float *z = f->output + o * f->columns;
        double low, high, mean = 0;
        range_of(z, f->columns, &low, &high);
        for (size_t j = 0; j < f->columns; j++)
            mean += z[j] / (double)f->columns;
        step[o] = margin * fmax(high - mean, mean - low) / (half_ring / margin);
    }
}

/* ---- one linear layer ---- */

static void choose_linear(struct pq_import *import, const struct pq_float *f)
{
    const struct pq_checkpoint *c = import->checkpoint;
    const struct pq_dense *d = pq_checkpoint_dense(c, f->layer, f->id);
    struct pq_import_linear *l = pq_import_linear(import, f->layer, f->id);
    const uint32_t bits = import->model->shape.weight_bits;
    const bool first = f->layer == 0 && f->id == PQ_QKV, sums = f->id == PQ_ATTENTION_OUT || f->id == PQ_FFN2;
    double *step = numbers(d->out);
    pq_quantise_input(d, f->input, f->columns, bits, first, &l->in);
    if (first)
        import->embedding->code_step = (float)(1 / l->in.gain[0]);
    if (sums || f->id == PQ_CLASSIFIER)
        l->unit = numbers(d->out);
    const struct pq_import_norm *norm = &import->layer[f->layer].norm[f->id == PQ_FFN2];
    const double logit = half_ring / margin / (margin * fmax(largest(f->output, d->out * f->columns), 1e-6));
    for (size_t o = 0; o < d->out && l->unit; o++) {
        l->unit[o] = sums ? hidden_unit * norm->one * norm->shrink[o] : logit;
        step[o] = 1 / l->unit[o];
    }
    if (!l->unit)
        table_steps(f, d->out, step);
    pq_quantise_weights(d, &l->in, step, l->unit != NULL, bits, pq_model_linear(import->model, f->layer, f->id));
    free(step);
}

/* The largest values of each channel. */
static void keep_largest(const struct pq_float *f, double *most)
{
    for (size_t i = 0; i < f->checkpoint->shape.hidden; i++)
        most[i] = largest(f->hidden + i * f->texts->tokens, f->texts->tokens);
}

static void choose(struct pq_import *import)
{
    const struct pq_checkpoint *c = import->checkpoint;
    struct pq_import_norm *out = &import->layer[c->shape.layers].norm[0]; /* the last layer's output enters no sum */
    double *most = numbers(c->shape.hidden);
    struct pq_float f;
    pq_float_begin(&f, c, import->texts);
    keep_largest(&f, most);
    while (f.id != PQ_CLASSIFIER || f.layer < c->shape.layers) {
        pq_float_step(&f);
        struct pq_import_layer *layer = &import->layer[f.layer];
        if (f.id == PQ_QKV)
            pq_import_attention(&f, layer);
        if (f.id == PQ_ATTENTION_OUT || f.id == PQ_FFN2) {
            pq_import_normalise(&f, most, import->model->shape.norm_trunc, &layer->norm[f.id == PQ_FFN2]);
            keep_largest(&f, most);
        }
        choose_linear(import, &f);
    }
    out->one = 1;
    for (size_t i = 0; i < c->shape.hidden; i++)
        out->shrink[i] = 127 / (margin * fmax(most[i], 1e-6));
    free(most);
    pq_float_end(&f);
}

/* ---- tables ---- */

static uint32_t bits_above(double value, uint32_t least, uint32_t most)
{
    uint32_t bits = least;
    while (bits < most && ldexp(1.0, (int)bits) < value)
        bits++;
    return bits;
}

static void place(struct pq_import *import)
{
    struct pq_shape *s = &import->model->shape;
    double score = 0, variance = 0;
    for (uint32_t i = 0; i < s->layers; i++) {
        score = fmax(score, import->layer[i].score_reach);
        variance = fmax(variance, fmax(import->layer[i].norm[0].variance, import->layer[i].norm[1].variance));
    }
    s->score_top = 1 + bits_above(margin * margin * score, s->score_trunc - 1, PQ_LINEAR_BITS - 1);
    s->var_top = bits_above(margin * variance, s->var_trunc, 32);
    import->embedding->shape = *s;
}

/* Norm `which` of a layer: its codes are the input of `next`, its residual enters the sum of `after`. */
static void fill_norm(struct pq_import *import, uint32_t i, int which)
{
    const struct pq_checkpoint *c = import->checkpoint;
    const struct pq_shape *s = &import->model->shape;
    struct pq_import_layer *layer = &import->layer[i];
    const struct pq_import_norm *n = &layer->norm[which];
    const struct pq_import_norm *after = which ? &layer[1].norm[0] : &layer->norm[1];
    const struct pq_codes *next = which ? &layer[1].linear[0].in : &layer->linear[PQ_FFN1].in;
    double *step = numbers(3 * (size_t)s->hidden), *reach_of = step + s->hidden, *one = reach_of + s->hidden;
    double *variance = numbers((size_t)1 << s->var_trunc);
    for (uint32_t k = 0; k < s->hidden; k++) {
        step[k] = 1 / next->gain[k];
        reach_of[k] = n->reach * n->shrink[k];
        one[k] = after->one * after->shrink[k];
    }
    for (uint32_t v = 0; v < 1u << s->var_trunc; v++)
        variance[v] = pq_import_variance(n, pq_variance_of(s, v));
    struct pq_norm *to = &import->model->layer[i].norm[which];
    memcpy(to->gamma, c->layer[i].norm[which].gamma, s->hidden * sizeof(float));
    memcpy(to->beta, c->layer[i].norm[which].beta, s->hidden * sizeof(float));
    const struct pq_norm_units units = {
        .reach = n->reach, .variance = variance, .reach_of = reach_of, .one = one,
        .code_step = step, .code_zero = next->zero, .low = after->low, .high = after->high,
    };
    pq_norm_fill(to, s, &units);
    free(step);
    free(variance);
}

static void fill_attention(struct pq_import *import, uint32_t i)
{
    const struct pq_shape *s = &import->model->shape;
    const struct pq_import_layer *layer = &import->layer[i];
    const struct pq_codes *context = &layer->linear[PQ_ATTENTION_OUT].in;
    struct pq_layer *to = &import->model->layer[i];
    const double unit = ldexp(layer->score, (int)(s->score_top - s->score_trunc));
    to->exp_scale = fmin(s->score_trunc == PQ_CODE_BITS ? unit : layer->step, 100);
    for (uint32_t k = 0; k < 64; k++)
        to->score_clamp[k] = pq_code_of((pq_index_value(k, 6) * unit - layer->top) / layer->step + 7);
    const uint32_t bits = pq_context_trunc(s->trunc), depth = s->hidden / s->heads;
    for (uint32_t k = 0; k < s->hidden; k++) {
        const uint32_t v = k / depth * 3 * depth + 2 * depth + k % depth;
        const double gain = context->gain[k] / layer->qkv.gain[v];
        pq_context_fill(to->context + ((size_t)k << bits), bits, 1 / gain,
                        context->zero[k] - layer->qkv.zero[v] * gain);
    }
}

static void fill_embedding(struct pq_import *import)
{
    const struct pq_checkpoint *c = import->checkpoint;
    struct pq_embedding *e = import->embedding;
    const size_t row = c->shape.hidden * sizeof(float);
    memcpy(e->word, c->word, e->shape.vocab * row);
    memcpy(e->position, c->position, e->shape.max_seq * row);
    memcpy(e->type, c->type, e->shape.types * row);
    memcpy(e->gamma, c->norm.gamma, row);
    memcpy(e->beta, c->norm.beta, row);
    e->residual_step = (float)(1 / import->layer[0].norm[0].one);
    e->vocab = memcpy(pq_alloc(c->vocab_bytes), c->vocab, c->vocab_bytes);
    e->vocab_bytes = c->vocab_bytes;
}

/* ---- the whole ---- */

static struct pq_codes codes(size_t channels)
{
    return (struct pq_codes){ numbers(channels), numbers(channels) };
}

static void allocate(struct pq_import *import)
{
    const struct pq_shape *s = &import->checkpoint->shape;
    import->layer = memset(pq_alloc((s->layers + 1) * sizeof *import->layer), 0,
                           (s->layers + 1) * sizeof *import->layer);
    for (uint32_t i = 0; i <= s->layers; i++) {
        struct pq_import_layer *layer = &import->layer[i];
        for (int id = 0; id < (i < s->layers ? PQ_LINEARS_PER_LAYER : 2); id++)
            layer->linear[id].in = codes(i < s->layers && id == PQ_FFN2 ? s->ffn : s->hidden);
        layer->qkv = codes(3 * (size_t)s->hidden);
        for (int n = 0; n < 2; n++) {
            layer->norm[n].shrink = numbers(s->hidden);
            layer->norm[n].low = numbers(s->hidden);
            layer->norm[n].high = numbers(s->hidden);
            for (uint32_t k = 0; k < s->hidden; k++) {
                layer->norm[n].low[k] = -127;
                layer->norm[n].high[k] = 127;
            }
        }
    }
}

struct pq_import *pq_import_begin(const struct pq_checkpoint *checkpoint, const struct pq_shape *shape,
                                  const struct pq_texts *texts, struct pq_model *model, struct pq_embedding *embedding)
{
    struct pq_import *import = pq_alloc(sizeof *import);
    PQ_ASSERT(pq_shape_check(shape, NULL) == PQ_OK && shape->max_seq <= checkpoint->shape.max_seq);
    *import = (struct pq_import){ .checkpoint = checkpoint, .texts = texts, .model = model, .embedding = embedding };
    pq_model_create(model, shape);
    pq_embedding_create(embedding, shape);
    allocate(import);
    choose(import);
    place(import);
    for (uint32_t i = 0; i < shape->layers; i++) {
        fill_attention(import, i);
        fill_norm(import, i, 0);
        fill_norm(import, i, 1);
    }
    fill_embedding(import);
    pq_float_begin(&import->reference, checkpoint, texts);
    const size_t widest = 3 * shape->hidden > shape->ffn ? 3 * shape->hidden : shape->ffn;
    import->sums = pq_alloc(widest * texts->tokens * sizeof *import->sums);
    return import;
}

void pq_import_steps(const struct pq_import *import, uint32_t layer, double *step)
{
    const struct pq_import_norm *after = &import->layer[layer + 1].norm[0];
    for (uint32_t k = 0; k < import->checkpoint->shape.hidden; k++)
        step[k] = 1 / (after->one * after->shrink[k]);
}

static void free_codes(struct pq_codes *c)
{
    free(c->gain);
    free(c->zero);
}

void pq_import_end(struct pq_import *import)
{
    for (uint32_t i = 0; i <= import->checkpoint->shape.layers; i++) {
        struct pq_import_layer *layer = &import->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++) {
            free_codes(&layer->linear[id].in);
            free(layer->linear[id].unit);
        }
        free_codes(&layer->qkv);
        for (int n = 0; n < 2; n++) {
            free(layer->norm[n].shrink);
            free(layer->norm[n].low);
            free(layer->norm[n].high);
        }
    }
    pq_float_end(&import->reference);
    free(import->layer);
    free(import->sums);
    free(import);
}
