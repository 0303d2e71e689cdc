#include "calibrate.h"

#include <math.h>

int8_t pq_round_within(double value, double low, double high)
{
    return (int8_t)rint(fmin(fmax(value, low), high));
}

int8_t pq_code_of(double value)
{
    return pq_round_within(value, -8, 7);
}

double pq_index_value(uint32_t i, uint32_t bits)
{
    return (double)i - (i >> (bits - 1) ? ldexp(1.0, (int)bits) : 0);
}

double pq_gelu(double x)
{
    return 0.5 * x * (1 + erf(x * sqrt(0.5)));
}

struct pq_channel pq_channel_measure(const int32_t *sums, size_t tokens)
{
    struct pq_channel c = { 0, 0, 0 };
    double total = 0, squares = 0;
    for (size_t j = 0; j < tokens; j++)
        total += sums[j];
    if (tokens >= PQ_FEW_TOKENS)
        c.mean = total / (double)tokens;
    for (size_t j = 0; j < tokens; j++) {
        double d = sums[j] - c.mean;
        squares += d * d;
        c.reach = fmax(c.reach, fabs(d));
    }
    c.variance = squares / (double)(tokens >= PQ_FEW_TOKENS ? tokens - 1 : tokens);
    return c;
}

void pq_channel_set(struct pq_linear *l, uint32_t o, const struct pq_channel *c, double wanted, double room,
                    double shift)
{
    double multiplier = rint(wanted);
    if (c->reach > 0)
        multiplier = fmin(multiplier, floor(room / c->reach));
    l->multiplier[o] = (uint16_t)fmin(fmax(multiplier, 1), 1024);
    l->bias[o] = (uint16_t)(int64_t)rint(shift - l->multiplier[o] * c->mean);
}

double pq_variance_of(const struct pq_shape *s, uint32_t index)
{
    return ldexp(1.0, (int)(s->var_top - s->var_trunc)) * (index ? index : 0.5);
}

void pq_norm_fill(struct pq_norm *n, const struct pq_shape *s, const struct pq_norm_units *u)
{
    for (uint32_t v = 0; v < 1u << s->var_trunc; v++) {
        double root = u->reach * ldexp(1.0, PQ_NORM_FRACTION) / sqrt(u->variance[v]);
        n->rsqrt[v] = (uint32_t)lrint(fmin(fmax(root, 1), INT32_MAX));
    }
    for (uint32_t c = 0; c < s->hidden; c++)
        for (uint32_t i = 0; i < 1u << s->norm_trunc; i++) {
            /* truncation rounds without bias, so an entry stands for its value itself */
            double xhat = pq_index_value(i, s->norm_trunc) * ldexp(1.0, 4 - (int)s->norm_trunc) / u->reach_of[c];
            double y = n->gamma[c] * xhat + n->beta[c];
            size_t at = (size_t)c << s->norm_trunc | i;
            n->code[at] = pq_code_of(y / u->code_step[c] + u->code_zero[c]);
            n->residual[at] = pq_round_within(y * u->one[c], u->low[c], u->high[c]);
        }
}

void pq_context_fill(int8_t *row, uint32_t bits, double step, double shift)
{
    for (uint32_t i = 0; i < 1u << bits; i++) /* |sum p v| < 2^(prob_bits + 4): 16 codes of V either way */
        row[i] = pq_code_of(pq_index_value(i, bits) * ldexp(1.0, 5 - (int)bits) / step + shift);
}
