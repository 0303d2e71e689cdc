#include "quantise.h"

#include "calibrate.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLE = 512, ROWS = 128 }; /* columns and rows that the search looks at */

/* ---- one row of weights ---- */

static double row_error(const float *row, const double *gain, size_t in, double scale, double most)
{
    double error = 0;
    for (size_t i = 0; i < in; i++) {
        const double w = row[i] / gain[i], d = w - scale * rint(fmin(fmax(w / scale, -most), most));
        error += d * d;
    }
    return error;
}

/* Scale of the row row[i] / gain[i] for weights up to `most`; step as in pq_quantise_weights. */
static double row_scale(const float *row, const double *gain, size_t in, double most, double step, bool whole)
{
    double largest = 0, best = 0, least = INFINITY;
    for (size_t i = 0; i < in; i++)
        largest = fmax(largest, fabs(row[i] / gain[i]));
    for (int tenths = 10; tenths >= 3; tenths--) {
        double scale = fmax(largest / most * tenths / 10, step);
        if (whole)
            scale = step * rint(scale / step);
        if (scale <= 0)
            scale = 1;
        if (scale == best)
            continue;
        const double error = row_error(row, gain, in, scale, most);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

static double row_mean(const float *row, const double *gain, size_t in)
{
    double sum = 0;
    for (size_t i = 0; i < in; i++)
        sum += fabs(row[i] / gain[i]);
    return sum > 0 ? sum / (double)in : 1;
}

void pq_quantise_weights(const struct pq_dense *d, const struct pq_codes *codes, const double *step, bool whole,
                         uint32_t weight_bits, struct pq_linear *l)
{
    const double most = ldexp(1.0, (int)weight_bits - 1) - 1;
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < d->out; o++) {
        const float *row = d->weight + o * d->in;
        int8_t *weight = l->weight + o * d->in;
        if (weight_bits == 1) {
            l->scale[o] = row_mean(row, codes->gain, d->in);
            for (size_t i = 0; i < d->in; i++)
                weight[i] = row[i] < 0 ? -1 : 1;
        } else {
            l->scale[o] = row_scale(row, codes->gain, d->in, most, step[o], whole);
            for (size_t i = 0; i < d->in; i++)
                weight[i] = pq_round_within(row[i] / codes->gain[i] / l->scale[o], -most, most);
        }
    }
}

/* ---- codes of the input ---- */

/* Mean squared error of codes for x, and the variance of the codes. */
static double code_error(const float *x, size_t count, size_t stride, double gain, double zero, double *variance)
{
    double error = 0, sum = 0, squares = 0;
    size_t seen = 0;
    for (size_t j = 0; j < count; j += stride, seen++) {
        const double code = pq_code_of(x[j] * gain + zero), d = x[j] - (code - zero) / gain;
        error += d * d;
        sum += code;
        squares += code * code;
    }
    *variance = squares / (double)seen - sum / (double)seen * (sum / (double)seen);
    return error / (double)seen;
}

void pq_code_range(const float *x, size_t count, double *low, double *high)
{
    static const double reach[] = { 2, 2.5, 3, 3.5, 4, 5, 7, 10, INFINITY };
    const size_t stride = 1 + count / (2 * SAMPLE);
    double mean = 0, variance = 0, least = INFINITY, first = x[0], last = x[0], unused;
    for (size_t j = 0; j < count; j++) {
        mean += x[j] / (double)count;
        first = fmin(first, x[j]);
        last = fmax(last, x[j]);
    }
    for (size_t j = 0; j < count; j++)
        variance += (x[j] - mean) * (x[j] - mean) / (double)count;
    *low = mean - 1e-3 * (1 + fabs(mean));
    *high = mean + 1e-3 * (1 + fabs(mean));
    for (size_t i = 0; i < sizeof reach / sizeof *reach; i++) {
        const double from = fmax(first, mean - reach[i] * sqrt(variance));
        const double to = fmin(last, mean + reach[i] * sqrt(variance)), gain = 15 / (to - from);
        if (!(to - from > 1e-6 * (1 + fabs(mean))))
            continue;
        const double error = code_error(x, count, stride, gain, -8 - from * gain, &unused);
        if (error < least) {
            least = error;
            *low = from;
            *high = to;
        }
    }
}

/* What is known of each input channel: the size of its weights and the middle and width of its range. */
struct channels { size_t in; double *size, *middle, *width, *error, *variance; /* the last two: of codes tried */ };

static struct channels measure(const struct pq_dense *d, const float *x, size_t columns)
{
    struct channels c = { .in = d->in, .size = pq_alloc(5 * d->in * sizeof(double)) };
    c.middle = c.size + d->in;
    c.width = c.middle + d->in;
    c.error = c.width + d->in;
    c.variance = c.error + d->in;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < d->in; i++) {
        double squares = 0, low, high;
        for (size_t o = 0; o < d->out; o++)
            squares += (double)d->weight[o * d->in + i] * d->weight[o * d->in + i];
        pq_code_range(x + i * columns, columns, &low, &high);
        c.size[i] = sqrt(squares / d->out);
        c.middle[i] = (low + high) / 2;
        c.width[i] = (high - low) / 15;
    }
    return c;
}

/* Squared error of a row's product from its weights. */
static double weight_error(const float *row, size_t in, uint32_t bits, const double *gain, const double *variance)
{
    const double most = ldexp(1.0, (int)bits - 1) - 1;
    const double scale = bits == 1 ? row_mean(row, gain, in) : row_scale(row, gain, in, most, 0, false);
    double error = 0;
    for (size_t i = 0; i < in; i++) {
        const double w = row[i] / gain[i];
        const double whole = bits == 1 ? (w < 0 ? -1 : 1) : pq_round_within(w / scale, -most, most);
        error += (w - scale * whole) * (w - scale * whole) * variance[i];
    }
    return error;
}

/* Expected squared error of an output, from codes and from weights, if errors of channels are independent. Added up in
 * one order, so that the number of threads changes nothing. */
static double product_error(const struct pq_dense *d, const float *x, size_t columns, uint32_t bits,
                            const struct pq_codes *codes, struct channels *c)
{
    const size_t stride = 1 + columns / SAMPLE, step = 1 + d->out / ROWS, rows = (d->out + step - 1) / step;
    double error = 0, *weights = pq_alloc(rows * sizeof *weights);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < d->in; i++)
        c->error[i] = code_error(x + i * columns, columns, stride, codes->gain[i], codes->zero[i], &c->variance[i]);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        weights[r] = weight_error(d->weight + r * step * d->in, d->in, bits, codes->gain, c->variance);
    for (size_t i = 0; i < d->in; i++)
        error += c->size[i] * c->size[i] * c->error[i];
    for (size_t r = 0; r < rows; r++)
        error += weights[r] / (double)rows;
    free(weights);
    return error;
}

/* Gains for one way: `share` 0 gives every channel its whole range; 1 makes gains follow the size of the weights, down
 * from channels of `reference` on. */
static void set_gains(const struct channels *c, double share, double reference, const struct pq_codes *codes)
{
    for (size_t i = 0; i < c->in; i++) {
        const double importance = fmin(c->size[i] * c->width[i] / reference, 1);
        codes->gain[i] = fmax(pow(importance, share), 1.0 / 64) / c->width[i];
        codes->zero[i] = -0.5 - c->middle[i] * codes->gain[i];
    }
}

static void search(const struct pq_dense *d, const float *x, size_t columns, uint32_t bits, struct channels *c,
                   const struct pq_codes *codes)
{
    static const double shares[] = { 0, 0.25, 0.5, 0.75, 1 }, references[] = { 0.5, 1, 2, 4 };
    double mean = 0, least = INFINITY, best_share = 0, best_reference = 1;
    for (size_t i = 0; i < c->in; i++)
        mean += c->size[i] * c->width[i] / (double)c->in;
    if (mean <= 0)
        mean = 1;
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++)
        for (size_t r = 0; r < (s ? sizeof references / sizeof *references : 1); r++) {
            set_gains(c, shares[s], references[r] * mean, codes);
            const double error = product_error(d, x, columns, bits, codes, c);
            if (error < least) {
                least = error;
                best_share = shares[s];
                best_reference = references[r];
            }
        }
    set_gains(c, best_share, best_reference * mean, codes);
}

static void search_uniform(const struct pq_dense *d, const float *x, size_t columns, uint32_t bits, struct channels *c,
                           const struct pq_codes *codes)
{
    double widest = 0, least = INFINITY, best = 1;
    for (size_t i = 0; i < c->in; i++)
        widest = fmax(widest, fmax(fabs(c->middle[i]) + 7.5 * c->width[i], 1e-6));
    for (int step = 1; step <= 24; step++) {
        for (size_t i = 0; i < c->in; i++) {
            codes->gain[i] = 7.5 / (widest * step / 24);
            codes->zero[i] = 0;
        }
        const double error = product_error(d, x, columns, bits, codes, c);
        if (error < least) {
            least = error;
            best = codes->gain[0];
        }
    }
    for (size_t i = 0; i < c->in; i++)
        codes->gain[i] = best;
}

void pq_quantise_input(const struct pq_dense *d, const float *x, size_t columns, uint32_t weight_bits, bool uniform,
                       const struct pq_codes *codes)
{
    struct channels c = measure(d, x, columns);
    (uniform ? search_uniform : search)(d, x, columns, weight_bits, &c, codes);
    free(c.size);
}
