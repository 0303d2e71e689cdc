#include "softmax_tables.h"

#include "shape.h"

#include <math.h>

struct pq_softmax_widths pq_softmax_widths(uint32_t row)
{
    PQ_ASSERT(row >= 1 && row <= PQ_MAX_SEQ);
    struct pq_softmax_widths w = { .exp_max = row <= 257 ? 255 : 127 };
    while (w.exp_max * row >> w.sum_bits)
        w.sum_bits++;
    w.sum_trunc = row <= 32 ? 8 : 12;
    if (w.sum_trunc > w.sum_bits)
        w.sum_trunc = w.sum_bits;
    w.code_bits = row <= 64 ? 5 : 4;
    w.prob_bits = row <= 64 ? 8 : 11;
    w.context_top = w.prob_bits + 5;
    return w;
}

void pq_softmax_exp(const struct pq_softmax_widths *w, double exp_scale, uint16_t exp_table[16])
{
    for (int d = 0; d < 16; d++)
        exp_table[d] = (uint16_t)lround(w->exp_max * exp(-exp_scale * d));
}

/* Codes 0 .. steps stand for sums exp_max * row^(code/steps): a row's largest entry is exp_max, so no sum is smaller,
 * and none is larger than exp_max * row. */
static double code_steps(const struct pq_softmax_widths *w)
{
    return (double)((1u << w->code_bits) - 1);
}

void pq_softmax_code(const struct pq_softmax_widths *w, uint32_t row, uint8_t *code_table)
{
    uint32_t entries = 1u << w->sum_trunc;
    double unit = ldexp(1.0, (int)(w->sum_bits - w->sum_trunc)), steps = code_steps(w), span = log(row);
    for (uint32_t v = 0; v < entries; v++) {
        double sum = unit * (v ? v : entries);
        double code = span > 0 ? rint(steps * log(sum / w->exp_max) / span) : 0;
        code_table[v] = (uint8_t)fmin(fmax(code, 0), steps);
    }
}

void pq_softmax_division(const struct pq_softmax_widths *w, uint32_t row, const uint16_t exp_table[16],
                         uint16_t *division)
{
    uint32_t codes = 1u << w->code_bits;
    double one = ldexp(1.0, (int)w->prob_bits);
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t code = 0; code < codes; code++) {
            double sum = w->exp_max * pow(row, code / code_steps(w));
            division[d << w->code_bits | code] = (uint16_t)fmin(rint(one * exp_table[d] / sum), one - 1);
        }
}
