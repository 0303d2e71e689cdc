/* Units used below. An accumulator of a layer with a table has 2^pq_code_shift units per output code; without a
 * table 2^8 units per hidden code. `one` hidden codes are the real value 1 in the residual stream. */
#include "synth.h"

#include "calibrate.h"
#include "splitmix.h"

#include <math.h>
#include <stdlib.h>

struct pq_synth { uint64_t seed; struct pq_model *model; struct pq_embedding *embedding; };

/* What a stream of random numbers is for, within a layer: streams are addressed by layer and purpose, so calibrating
 * a layer again draws the same numbers again. */
enum purpose {
    WEIGHT, SPREAD = WEIGHT + 8, BIAS = SPREAD + 8, NORM = BIAS + 8, EXP_SCALE = NORM + 2, CONTEXT,
    WORD, POSITION, TYPE, EMBEDDING_NORM
};

static const double code_sigma = 2.7;     /* codes of a layer with a table: 3 sigma = clip */
static const double spread_sigma = 0.2;   /* of the per-channel weight scales, lognormal */
static const double code_step = 3.0 / 8;  /* real value of a normalised activation's code: 3 sigma = clip */
static const double gelu_step = 0.21;     /* 15 steps reach from gelu's minimum to 3 sigma */
static const double gelu_zero = 7;        /* code = gelu/step - 7: gelu is one-sided */
static const double context_step = 0.4;   /* in codes of V, which averaging over a row narrows; in deeper layers less */
static const double pooler_reach = 7.5;   /* codes of tanh = 1 */

static double hidden_one(const struct pq_shape *s)
{
    return s->hidden <= 2048 ? 16 : 8; /* hidden * std(h) < 2^16, with std(h) about 1.2 of these */
}

/* ---- what needs no data ---- */

static void draw_signs(struct pq_linear *l, uint64_t *state)
{
    size_t count = (size_t)l->out * l->in;
    for (size_t i = 0; i < count; ) {
        uint64_t bits = pq_splitmix_next(state);
        for (size_t end = count - i < 64 ? count : i + 64; i < end; i++, bits >>= 1)
            l->weight[i] = (int8_t)((int)(bits & 1) * 2 - 1);
    }
}

static void draw_integers(struct pq_linear *l, uint32_t weight_bits, uint64_t *state)
{
    /* Wide layers get smaller weights: their sums must leave room for a multiplier of about 10, or it could not
     * be set finely. */
    double reach = ldexp(1.0, (int)weight_bits - 1), sigma = fmax(fmin(reach / 2.5, 100 / sqrt(l->in)), 0.7);
    for (size_t i = 0; i < (size_t)l->out * l->in; i++)
        l->weight[i] = pq_round_within(sigma * pq_splitmix_bell(state), -reach, reach - 1);
}

static void draw_linear(struct pq_synth *synth, uint32_t layer, enum pq_linear_id id)
{
    struct pq_linear *l = pq_model_linear(synth->model, layer, id);
    uint64_t state = pq_splitmix_stream(synth->seed, layer, WEIGHT + id);
    if (synth->model->shape.weight_bits == 1)
        draw_signs(l, &state);
    else
        draw_integers(l, synth->model->shape.weight_bits, &state);
    state = pq_splitmix_stream(synth->seed, layer, SPREAD + id);
    for (uint32_t o = 0; o < l->out; o++) {
        l->scale[o] = exp(spread_sigma * pq_splitmix_bell(&state)) / sqrt(l->in);
        l->multiplier[o] = 1; /* a valid model, though not a useful one, before calibration */
    }
}

static void make_norm(struct pq_synth *synth, uint32_t layer, int which)
{
    const struct pq_shape *s = &synth->model->shape;
    struct pq_norm *n = &synth->model->layer[layer].norm[which];
    const double one = hidden_one(s), limit = 4.5 * one; /* see `calibrate`: leaves room for 3.5 */
    double *channel = pq_alloc(6 * s->hidden * sizeof *channel), *row[6];
    double *variance = pq_alloc(sizeof *variance << s->var_trunc);
    const double value[6] = { 1, one, code_step, 0, -limit, limit };
    for (int r = 0; r < 6; r++) {
        row[r] = channel + r * (size_t)s->hidden;
        for (uint32_t c = 0; c < s->hidden; c++)
            row[r][c] = value[r];
    }
    for (uint32_t v = 0; v < 1u << s->var_trunc; v++)
        variance[v] = pq_variance_of(s, v);
    uint64_t state = pq_splitmix_stream(synth->seed, layer, NORM + (uint32_t)which);
    for (uint32_t c = 0; c < s->hidden; c++) {
        n->gamma[c] = (float)(1 + 0.1 * pq_splitmix_bell(&state));
        n->beta[c] = (float)(0.1 * pq_splitmix_bell(&state));
    }
    const struct pq_norm_units units = { .reach = 1, .variance = variance, .reach_of = row[0], .one = row[1],
                                         .code_step = row[2], .code_zero = row[3], .low = row[4], .high = row[5] };
    pq_norm_fill(n, s, &units);
    free(channel);
    free(variance);
}

static void make_attention(struct pq_synth *synth, uint32_t layer)
{
    const struct pq_shape *s = &synth->model->shape;
    struct pq_layer *l = &synth->model->layer[layer];
    uint64_t state = pq_splitmix_stream(synth->seed, layer, EXP_SCALE);
    l->exp_scale = 0.25 + 0.25 * pq_splitmix_uniform(&state);
    for (uint32_t i = 0; i < 64; i++)
        l->score_clamp[i] = pq_code_of(pq_index_value(i, 6));
    uint32_t bits = pq_context_trunc(s->trunc);
    state = pq_splitmix_stream(synth->seed, layer, CONTEXT);
    for (uint32_t c = 0; c < s->hidden; c++) {
        /* without training, tokens grow alike from layer to layer and their average keeps more of its spread */
        double step = fmin(context_step + 0.05 * layer, 0.9) * exp(0.1 * pq_splitmix_bell(&state));
        pq_context_fill(l->context + ((size_t)c << bits), bits, step, 0);
    }
}

static void draw_floats(struct pq_synth *synth, enum purpose purpose, double mean, double sigma, float *out,
                        size_t count)
{
    uint64_t state = pq_splitmix_stream(synth->seed, 0, purpose);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(mean + sigma * pq_splitmix_bell(&state));
}

static void make_embedding(struct pq_synth *synth)
{
    struct pq_embedding *e = synth->embedding;
    size_t hidden = e->shape.hidden;
    draw_floats(synth, WORD, 0, 1, e->word, e->shape.vocab * hidden);
    draw_floats(synth, POSITION, 0, 0.3, e->position, e->shape.max_seq * hidden);
    draw_floats(synth, TYPE, 0, 0.1, e->type, e->shape.types * hidden);
    draw_floats(synth, EMBEDDING_NORM, 1, 0.1, e->gamma, hidden);
    draw_floats(synth, EMBEDDING_NORM + 1, 0, 0.1, e->beta, hidden);
    e->code_step = (float)code_step;
    e->residual_step = (float)(1 / hidden_one(&e->shape));
}

struct pq_synth *pq_synth_begin(const struct pq_shape *shape, uint64_t seed, struct pq_model *model,
                                struct pq_embedding *embedding)
{
    PQ_ASSERT(pq_shape_check(shape, NULL) == PQ_OK);
    struct pq_synth *synth = pq_alloc(sizeof *synth);
    *synth = (struct pq_synth){ seed, model, embedding };
    pq_model_create(model, shape);
    pq_embedding_create(embedding, shape);
    for (uint32_t layer = 0; layer < shape->layers; layer++) {
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++)
            draw_linear(synth, layer, (enum pq_linear_id)id);
        make_attention(synth, layer);
        for (int n = 0; n < 2; n++)
            make_norm(synth, layer, n);
    }
    draw_linear(synth, shape->layers, PQ_POOLER);
    draw_linear(synth, shape->layers, PQ_CLASSIFIER);
    make_embedding(synth);
    return synth;
}

/* ---- what is set from the sums of a forward pass ---- */

/* How a layer's accumulators are to be filled. */
struct target {
    double unit;  /* accumulator units per output code (hidden code, logit unit) */
    double sigma; /* wanted standard deviation, in codes */
    double limit; /* largest |accumulator| allowed on the calibration data */
    double bias;  /* standard deviation of the random part of the bias that goes into the accumulator, in codes */
};

static struct target layer_target(const struct pq_shape *s, enum pq_linear_id id)
{
    double one = hidden_one(s), whole = INT16_MAX / 1.25;
    /* At t = 4 the range is the clip range and what leaves it wraps: accumulators stay narrower, and the table
     * stretches them to the usual codes. */
    struct target coded = { ldexp(1.0, (int)pq_code_shift(s->trunc)), s->trunc == 4 ? 1.6 : code_sigma,
                            s->trunc == 4 ? INT16_MAX : whole, 0 };
    /* residual 4.5 * one, and this part 2.75 * one with its margin: together 127, the end of 8 bits */
    struct target hidden = { 256, 0.625 * one, 256 * 2.75 * one, 0.0625 * one };
    struct target logits = { 1, 4000, whole, 500 };
    return id == PQ_CLASSIFIER ? logits : id == PQ_ATTENTION_OUT || id == PQ_FFN2 ? hidden : coded;
}

/* Average variance of the channels of a layer of that depth. */
static double pool(const int32_t *sums, size_t out, size_t tokens, double depth)
{
    double variance = 0, guess = 16 * depth; /* 1-bit weights, codes of standard deviation 4 */
    for (size_t o = 0; o < out; o++)
        variance += pq_channel_measure(sums + o * tokens, tokens).variance / (double)out;
    if (out * tokens < 32) /* a classifier sees two numbers, which may both be small by chance */
        variance = fmax(variance, guess);
    return variance > 0 ? variance : guess;
}

/* A short sample is stretched towards the layer's average, worth eight tokens. */
static double channel_sigma(const struct pq_channel *c, size_t tokens, double pooled)
{
    if (tokens < PQ_FEW_TOKENS)
        return sqrt(pooled);
    return sqrt((c->variance * (double)(tokens - 1) + 8 * pooled) / (double)(tokens + 7));
}

/* Multiplier and bias of one channel: accumulators of mean `shift` codes, deviation as wanted times this channel's
 * spread, and none beyond the limit. */
static void set_channel(struct pq_linear *l, uint32_t o, const struct pq_channel *c, double sigma,
                        const struct target *t, double shift)
{
    double spread = l->scale[o] * sqrt(l->in);
    double room = t->limit - fabs(shift) * t->unit - 1;
    PQ_ASSERT(c->reach <= room); /* depth <= 4096 and 4-bit codes keep centred sums well below this */
    pq_channel_set(l, o, c, t->unit * t->sigma * spread / sigma, room, shift * t->unit);
}

/* The table of one channel. `bias` is the part of the real bias that did not go into the accumulator. */
static void set_table(struct pq_linear *l, uint32_t o, enum pq_linear_id id, const struct target *t, double bias)
{
    uint32_t bits = l->table_bits;
    double unit = ldexp(1.0, PQ_LINEAR_BITS - (int)bits) / t->unit; /* codes per index step */
    for (uint32_t i = 0; i < 1u << bits; i++) {
        double codes = pq_index_value(i, bits) * unit, x = codes / t->sigma + bias, value = code_sigma * x;
        if (id == PQ_FFN1)
            value = pq_gelu(x) / gelu_step - gelu_zero; /* FFN 2 takes the zero point back by centring its channels */
        else if (id == PQ_POOLER)
            value = pooler_reach * tanh(x);
        l->table[(size_t)o << bits | i] = pq_code_of(value);
    }
}

static void calibrate(void *user, uint32_t layer, enum pq_linear_id id, const int32_t *sums, size_t out, size_t tokens)
{
    struct pq_synth *synth = user;
    struct pq_linear *l = pq_model_linear(synth->model, layer, id);
    PQ_ASSERT(out == l->out && tokens > 0);
    struct target target = layer_target(&synth->model->shape, id);
    double pooled = pool(sums, out, tokens, l->in);
    uint64_t state = pq_splitmix_stream(synth->seed, layer, BIAS + id);
    for (uint32_t o = 0; o < l->out; o++) {
        struct pq_channel channel = pq_channel_measure(sums + (size_t)o * tokens, tokens);
        double bias = pq_splitmix_bell(&state);
        set_channel(l, o, &channel, channel_sigma(&channel, tokens, pooled), &target, bias * target.bias);
        if (l->table_bits)
            set_table(l, o, id, &target, 0.2 * bias);
    }
}

struct pq_observer pq_synth_observer(struct pq_synth *synth)
{
    return (struct pq_observer){ .user = synth, .sums = calibrate };
}

void pq_synth_end(struct pq_synth *synth)
{
    free(synth);
}
