/* The second pass of an import: each layer's exact sums against what the float pass has in their place. */
#include "import.h"

#include "calibrate.h"
#include "import_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double margin = 1.25;
static const double half_ring = 32768;
static const double prior_columns = 8; /* what the weights' own scale is worth */

/* real value = slope * sum + offset */
struct line { double slope, offset; };

/* Least squares for one channel, drawn towards the slope `expected`. Slopes are positive: a multiplier has no sign. */
static struct line fit(const int32_t *sums, const float *real, size_t columns, double expected)
{
    double mean_s = 0, mean_z = 0, variance = 0, together = 0;
    for (size_t j = 0; j < columns; j++) {
        mean_s += sums[j] / (double)columns;
        mean_z += real[j] / (double)columns;
    }
    for (size_t j = 0; j < columns; j++) {
        variance += (sums[j] - mean_s) * (sums[j] - mean_s);
        together += (sums[j] - mean_s) * (real[j] - mean_z);
    }
    double slope = expected;
    if (variance > 0)
        slope = (together / variance * (double)columns + expected * prior_columns) / ((double)columns + prior_columns);
    slope = fmax(slope, expected / 16);
    return (struct line){ slope, mean_z - slope * mean_s };
}

/* Code for the real value z of channel o of a layer with a table. */
static int8_t code_for(const struct pq_import *import, uint32_t layer, enum pq_linear_id id, size_t o, double z)
{
    const struct pq_import_layer *l = &import->layer[layer];
    const struct pq_codes *to = id == PQ_QKV ? &l->qkv : id == PQ_FFN1 ? &l->linear[PQ_FFN2].in : &l->linear[1].in;
    const double value = id == PQ_FFN1 ? import->checkpoint->activation(z) : id == PQ_POOLER ? tanh(z) : z;
    return pq_code_of(value * to->gain[o] + to->zero[o]);
}

/* The accumulators of a layer with a table hold the sums as finely as they can; its table knows what they mean. */
static void set_coded(const struct pq_import *import, uint32_t layer, enum pq_linear_id id, uint32_t o,
                      const struct pq_channel *c, struct line line)
{
    struct pq_linear *l = pq_model_linear(import->model, layer, id);
    pq_channel_set(l, o, c, 1024, half_ring / margin, 0);
    const double bias = rint(-l->multiplier[o] * c->mean);
    for (uint32_t i = 0; i < 1u << l->table_bits; i++) {
        const double accumulator = ldexp(pq_index_value(i, l->table_bits), PQ_LINEAR_BITS - (int)l->table_bits);
        const double sum = (accumulator - bias) / l->multiplier[o];
        l->table[(size_t)o << l->table_bits | i] = code_for(import, layer, id, o, line.slope * sum + line.offset);
    }
}

/* The accumulators of the others have a unit of their own. */
static void set_summed(const struct pq_import *import, uint32_t layer, enum pq_linear_id id, uint32_t o,
                       const struct pq_channel *c, struct line line)
{
    const double unit = pq_import_linear((struct pq_import *)import, layer, id)->unit[o];
    const double shift = unit * (line.slope * c->mean + line.offset);
    pq_channel_set(pq_model_linear(import->model, layer, id), o, c, unit * line.slope, half_ring - fabs(shift) - 1,
                   shift);
}

static void set_layer(struct pq_import *import, uint32_t layer, enum pq_linear_id id)
{
    struct pq_float *f = &import->reference;
    const struct pq_linear *l = pq_model_linear(import->model, layer, id);
    pq_float_step(f);
    PQ_ASSERT(f->layer == layer && f->id == id);
    for (uint32_t o = 0; o < l->out; o++) {
        const int32_t *sums = import->sums + o * f->columns;
        const struct pq_channel c = pq_channel_measure(sums, f->columns);
        const struct line line = fit(sums, f->output + o * f->columns, f->columns, l->scale[o]);
        (l->table_bits ? set_coded : set_summed)(import, layer, id, o, &c, line);
    }
}

static void meet(void *user, uint32_t layer, enum pq_linear_id id, const int32_t *sums, size_t out, size_t columns)
{
    const struct pq_import_batch *b = user;
    struct pq_import *import = b->import;
    const bool head = layer == import->checkpoint->shape.layers;
    const size_t all = head ? import->texts->count : import->texts->tokens;
    const size_t first = head ? b->batch.first_text : b->batch.first_token;
    for (size_t o = 0; o < out; o++)
        memcpy(import->sums + o * all + first, sums + o * columns, columns * sizeof *sums);
#pragma omp barrier
#pragma omp single
    set_layer(import, layer, id); /* the others wait at the end of `single` */
}

struct pq_observer pq_import_observer(struct pq_import_batch *batch)
{
    return (struct pq_observer){ .user = batch, .sums = meet };
}
