/* Attention's part of an import: steps of Q, K and V, and the window of scores that 16 codes cover. */
#include "import_parts.h"

#include "calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 1024, WINDOW = 16 }; /* tokens that the window is chosen on, and its codes */

static const double code_rms = 2.3; /* of Q and K: codes to 7 reach three times that */

struct moments { double mean, rms, deviation; };

static struct moments moments_of(const float *x, size_t count)
{
    struct moments m = { 0, 0, 0 };
    double squares = 0;
    for (size_t j = 0; j < count; j++) {
        m.mean += x[j] / (double)count;
        squares += (double)x[j] * x[j] / (double)count;
    }
    m.rms = fmax(sqrt(squares), 1e-6);
    m.deviation = fmax(sqrt(fmax(squares - m.mean * m.mean, 0)), 1e-6);
    return m;
}

/* Steps of Q times those of K are the same for every channel of the layer, or sums of products would mean nothing. */
static void choose_steps(const struct pq_float *f, struct pq_import_layer *layer)
{
    const struct pq_shape *s = &f->checkpoint->shape;
    const size_t depth = s->hidden / s->heads, columns = f->columns;
    double product = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t row = 0; row < s->hidden; row++) {
            const size_t q = row / depth * 3 * depth + row % depth, k = q + depth;
            const struct moments of_q = moments_of(f->output + q * columns, columns);
            const struct moments of_k = moments_of(f->output + k * columns, columns);
            if (pass == 0) {
                product += of_q.rms * of_k.deviation / (code_rms * code_rms) / s->hidden;
                continue;
            }
            layer->qkv.gain[q] = sqrt(of_k.deviation / of_q.rms / product);
            layer->qkv.gain[k] = sqrt(of_q.rms / of_k.deviation / product);
            layer->qkv.zero[q] = 0;
            layer->qkv.zero[k] = -of_k.mean * layer->qkv.gain[k];
        }
    layer->score = product / sqrt((double)depth);
    for (size_t row = 0; row < s->hidden; row++) {
        const size_t v = row / depth * 3 * depth + 2 * depth + row % depth;
        double low, high;
        pq_code_range(f->output + v * columns, columns, &low, &high);
        layer->qkv.gain[v] = 15 / (high - low);
        layer->qkv.zero[v] = -0.5 - (low + high) / 2 * layer->qkv.gain[v];
    }
}

/* ---- scores ---- */

/* Rows of scores of some sequences, one behind the other. */
struct rows { float *score; uint32_t *length; size_t count, scores; double lowest, highest; };

static size_t sequence_stride(const struct pq_texts *texts)
{
    return 1 + texts->tokens / SAMPLE;
}

static void add_rows(const struct pq_float *f, const struct pq_import_layer *layer, size_t head, size_t first,
                     size_t length, struct rows *r)
{
    const struct pq_shape *s = &f->checkpoint->shape;
    const size_t depth = s->hidden / s->heads, columns = f->columns, row = 3 * head * depth;
    const float *q = f->output + row * columns + first, *k = q + depth * columns;
    float *score = r->score + r->scores;
    memset(score, 0, length * length * sizeof *score);
    for (size_t d = 0; d < depth; d++) {
        const double mean = -layer->qkv.zero[row + depth + d] / layer->qkv.gain[row + depth + d];
        for (size_t i = 0; i < length; i++)
            for (size_t j = 0; j < length; j++)
                score[i * length + j] += (float)(q[d * columns + i] * (k[d * columns + j] - mean)
                                                 / sqrt((double)depth));
    }
    for (size_t i = 0; i < length * length; i++) {
        r->lowest = fmin(r->lowest, score[i]);
        r->highest = fmax(r->highest, score[i]);
    }
    for (size_t i = 0; i < length; i++)
        r->length[r->count++] = (uint32_t)length;
    r->scores += length * length;
}

static struct rows rows_of(const struct pq_float *f, const struct pq_import_layer *layer)
{
    const struct pq_texts *t = f->texts;
    const size_t stride = sequence_stride(t), heads = f->checkpoint->shape.heads;
    struct rows r = { .count = 0 };
    size_t scores = 0, count = 0;
    for (size_t i = 0; i < t->count; i += stride) {
        scores += (size_t)t->length[i] * t->length[i];
        count += t->length[i];
    }
    r.score = pq_alloc(heads * scores * sizeof *r.score);
    r.length = pq_alloc(heads * count * sizeof *r.length);
    for (size_t i = 0, first = 0; i < t->count; first += t->length[i++])
        for (size_t head = 0; i % stride == 0 && head < heads; head++)
            add_rows(f, layer, head, first, t->length[i], &r);
    return r;
}

static int code_in(double score, double top, double step)
{
    return pq_code_of((score - top) / step + 7);
}

/* Squared error of the probabilities of one row. */
static double row_error(const float *score, size_t length, double top, double step, const double exps[WINDOW])
{
    double highest = score[0], total = 0, in_codes = 0, error = 0;
    for (size_t j = 1; j < length; j++)
        highest = fmax(highest, score[j]);
    const int first = code_in(highest, top, step);
    for (size_t j = 0; j < length; j++) {
        total += exp(score[j] - highest);
        in_codes += exps[first - code_in(score[j], top, step)];
    }
    for (size_t j = 0; j < length; j++) {
        const double d = exp(score[j] - highest) / total - exps[first - code_in(score[j], top, step)] / in_codes;
        error += d * d;
    }
    return error;
}

static double window_error(const struct rows *r, double top, double step)
{
    double exps[WINDOW], error = 0, *each = pq_alloc(r->count * sizeof *each);
    size_t *at = pq_alloc(r->count * sizeof *at);
    for (int d = 0; d < WINDOW; d++)
        exps[d] = exp(-step * d);
    for (size_t i = 0, from = 0; i < r->count; from += r->length[i++])
        at[i] = from;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < r->count; i++)
        each[i] = row_error(r->score + at[i], r->length[i], top, step, exps);
    for (size_t i = 0; i < r->count; i++)
        error += each[i];
    free(at);
    free(each);
    return error;
}

void pq_import_attention(const struct pq_float *f, struct pq_import_layer *layer)
{
    static const double steps[] = { 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.1, 1.5, 2, 3 };
    choose_steps(f, layer);
    struct rows r = rows_of(f, layer);
    double least = INFINITY;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (int tenths = 10; tenths >= 1; tenths -= 1) {
            const double top = r.highest * tenths / 10, error = window_error(&r, top, steps[i]);
            if (error < least) {
                least = error;
                layer->top = top;
                layer->step = steps[i];
            }
        }
    layer->score_reach = fmax(r.highest, -r.lowest) / layer->score;
    free(r.score);
    free(r.length);
}
