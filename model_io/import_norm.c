/* LayerNorm's part of an import: how finely a residual sum is kept in 8 bits.
 *
 * BERTs have a few channels that are a hundred times as large as the rest on some tokens. With one step for all
 * channels either those wrap or the rest is lost. So such a channel enters the sum shrunk, and the table behind
 * LayerNorm stretches it again. What it lacks in the sum of squares V, the table of 1/sqrt puts back: it is large
 * exactly where V is, so V tells how much is missing. How much, is taken from the texts, per quarter octave of V. How
 * far to shrink is tried out: the step with the smallest error of what the next linear layer makes of it. */
#include "import_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 384 };

static const double margin = 1.25;

/* Some tokens of a residual sum, [tokens][hidden]. */
struct sample { size_t tokens, hidden; double *sum; double eps; };

static struct sample sample_of(const struct pq_float *f)
{
    const size_t stride = 1 + f->columns / SAMPLE, hidden = f->checkpoint->shape.hidden;
    struct sample s = { (f->columns + stride - 1) / stride, hidden, NULL, f->checkpoint->eps };
    s.sum = pq_alloc(s.tokens * hidden * sizeof *s.sum);
    for (size_t j = 0; j < s.tokens; j++)
        for (size_t i = 0; i < hidden; i++)
            s.sum[j * hidden + i] = f->sum[i * f->columns + j * stride];
    return s;
}

static double largest(const float *x, size_t count)
{
    double most = 0;
    for (size_t j = 0; j < count; j++)
        most = fmax(most, fabs((double)x[j]));
    return most;
}

/* n^2 * variance of n values, and *sum. */
static double spread(const double *x, size_t n, double *sum)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    *sum = mean * (double)n;
    return squares * (double)n;
}

/* ---- what V lacks ---- */

static size_t bin_of(double variance)
{
    return (size_t)fmin(fmax(4 * log2(fmax(variance, 1)), 0), PQ_IMPORT_BINS - 1);
}

/* Mean logarithm of what is there over what is seen, per bin; empty bins take the nearest full one's below or above. */
static void fit_missing(const double *seen, const double *real, size_t tokens, double missing[PQ_IMPORT_BINS])
{
    size_t count[PQ_IMPORT_BINS] = { 0 }, full = PQ_IMPORT_BINS;
    memset(missing, 0, PQ_IMPORT_BINS * sizeof *missing);
    for (size_t j = 0; j < tokens; j++) {
        missing[bin_of(seen[j])] += log(real[j] / seen[j]);
        count[bin_of(seen[j])]++;
    }
    for (size_t b = PQ_IMPORT_BINS; b-- > 0;)
        if (count[b]) {
            missing[b] /= (double)count[b];
            full = b;
        }
    for (size_t b = 0; b < PQ_IMPORT_BINS && full < PQ_IMPORT_BINS; b++)
        if (count[b])
            full = b;
        else
            missing[b] = missing[full];
}

double pq_import_variance(const struct pq_import_norm *n, double seen)
{
    const double place = fmin(fmax(4 * log2(fmax(seen, 1)) - 0.5, 0), PQ_IMPORT_BINS - 2), below = floor(place);
    const size_t b = (size_t)below;
    return fmax(seen, 0.5) * exp(n->missing[b] + (place - below) * (n->missing[b + 1] - n->missing[b]));
}

/* ---- trying a step ---- */

/* Fills in n for `one` hidden codes per real value, and returns the squared error of LayerNorm's output, weighed. */
static double try_one(const struct sample *s, const double *peak, const double *weight, uint32_t norm_trunc,
                      bool shrinks, double one, struct pq_import_norm *n)
{
    const size_t hidden = s->hidden;
    double *code = pq_alloc(s->tokens * hidden * sizeof *code), *seen = pq_alloc(3 * s->tokens * sizeof *seen);
    double *real = seen + s->tokens, *total = real + s->tokens, unused, far = 0, error = 0;
    n->one = one;
    n->variance = 0;
    for (size_t i = 0; i < hidden; i++)
        n->shrink[i] = shrinks ? fmin(1, 127 / (margin * one * fmax(peak[i], 1e-9))) : 1;
    for (size_t j = 0; j < s->tokens; j++) {
        for (size_t i = 0; i < hidden; i++)
            code[j * hidden + i] = rint(s->sum[j * hidden + i] * one * n->shrink[i]);
        seen[j] = fmax(spread(code + j * hidden, hidden, &total[j]), 1);
        real[j] = one * one * (spread(s->sum + j * hidden, hidden, &unused) + s->eps * (double)(hidden * hidden));
        n->variance = fmax(n->variance, seen[j]);
    }
    fit_missing(seen, real, s->tokens, n->missing);
    for (size_t j = 0; j < s->tokens; j++) {
        const double root = sqrt(pq_import_variance(n, seen[j]));
        for (size_t i = 0; i < hidden; i++) {
            code[j * hidden + i] = ((double)hidden * code[j * hidden + i] - total[j]) / root;
            far = fmax(far, fabs(code[j * hidden + i]));
        }
    }
    n->reach = 8 / (margin * fmax(far, 1));
    const double fine = ldexp(n->reach, (int)norm_trunc - 4);
    for (size_t j = 0; j < s->tokens; j++) {
        double sum, root = sqrt(spread(s->sum + j * hidden, hidden, &sum) + s->eps * (double)(hidden * hidden));
        for (size_t i = 0; i < hidden; i++) {
            const double right = ((double)hidden * s->sum[j * hidden + i] - sum) / root;
            const double d = right - rint(code[j * hidden + i] * fine) / fine / n->shrink[i];
            error += d * d * weight[i];
        }
    }
    free(code);
    free(seen);
    return n->variance * margin < ldexp(1.0, 32) ? error : INFINITY;
}

/* How much each channel's normalised value counts: gamma times the size of the next layer's weights, and of the
 * residual, which stands for itself. */
static double *weights_of(const struct pq_affine *a, const struct pq_dense *next)
{
    double *weight = pq_alloc(next->in * sizeof *weight), all = 0;
    for (size_t i = 0; i < next->in; i++) {
        weight[i] = 0;
        for (size_t o = 0; o < next->out; o++)
            weight[i] += (double)next->weight[o * next->in + i] * next->weight[o * next->in + i];
        all += weight[i] / next->in;
    }
    for (size_t i = 0; i < next->in; i++)
        weight[i] = (weight[i] + all) * a->gamma[i] * a->gamma[i];
    return weight;
}

void pq_import_normalise(const struct pq_float *f, const double *incoming, uint32_t norm_trunc,
                         struct pq_import_norm *n)
{
    static const double finer[] = { 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64 };
    const struct pq_checkpoint *c = f->checkpoint;
    const size_t hidden = c->shape.hidden, columns = f->columns;
    const bool second = f->id == PQ_FFN2, last = second && f->layer + 1 == c->shape.layers;
    const bool first = f->layer == 0 && !second; /* the embedding's step is the same for every channel */
    const struct pq_dense *next = !second ? &c->layer[f->layer].linear[PQ_FFN1]
                                          : last ? &c->pooler : &c->layer[f->layer + 1].linear[PQ_QKV];
    struct sample s = sample_of(f);
    double *weight = weights_of(&c->layer[f->layer].norm[second], next), *peak = pq_alloc(hidden * sizeof *peak);
    double highest = 1e-6, least = INFINITY, best = 0;
    for (size_t i = 0; i < hidden; i++) {
        peak[i] = fmax(largest(f->sum + i * columns, columns), largest(f->output + i * columns, columns));
        peak[i] = fmax(peak[i], incoming[i]);
        highest = fmax(highest, peak[i]);
    }
    const double coarse = 127 / (margin * highest);
    for (size_t t = 0; t < (first ? 1 : sizeof finer / sizeof *finer); t++) {
        const double error = try_one(&s, peak, weight, norm_trunc, !first, coarse * finer[t], n);
        if (error < least) {
            least = error;
            best = coarse * finer[t];
        }
    }
    for (double one = best > 0 ? best : coarse; !(try_one(&s, peak, weight, norm_trunc, !first, one, n) < INFINITY);)
        one /= 2;
    for (size_t i = 0; i < hidden; i++) {
        const double room = margin * largest(f->output + i * columns, columns) * n->one * n->shrink[i];
        n->high[i] = fmax(127 - room, 0);
        n->low[i] = -n->high[i];
    }
    free(s.sum);
    free(weight);
    free(peak);
}
