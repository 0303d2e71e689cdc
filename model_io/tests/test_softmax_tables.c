#include "../softmax_tables.h"
#include "check.h"

#include <math.h>

static void widths_of_known_rows(void **state)
{
    (void)state;
    static const struct { uint32_t row; struct pq_softmax_widths want; } cases[] = {
        { 1, { 255, 8, 8, 5, 8, 13 } },     { 2, { 255, 9, 8, 5, 8, 13 } },     { 16, { 255, 12, 8, 5, 8, 13 } },
        { 32, { 255, 13, 8, 5, 8, 13 } },   { 33, { 255, 14, 12, 5, 8, 13 } },  { 64, { 255, 14, 12, 5, 8, 13 } },
        { 65, { 255, 15, 12, 4, 11, 16 } }, { 128, { 255, 15, 12, 4, 11, 16 } }, { 257, { 255, 16, 12, 4, 11, 16 } },
        { 258, { 127, 15, 12, 4, 11, 16 } }, { 512, { 127, 16, 12, 4, 11, 16 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pq_softmax_widths w = pq_softmax_widths(cases[i].row);
        assert_memory_equal(&w, &cases[i].want, sizeof w);
    }
}

static void sums_fit_for_every_row(void **state)
{
    (void)state;
    for (uint32_t row = 1; row <= 512; row++) {
        struct pq_softmax_widths w = pq_softmax_widths(row);
        assert_true(w.exp_max * row < 1u << w.sum_bits);
        assert_true(w.sum_bits <= 16 && w.sum_trunc <= w.sum_bits && w.context_top <= 16);
    }
}

static void tables_of(uint32_t row, double scale)
{
    struct pq_softmax_widths w = pq_softmax_widths(row);
    uint16_t e[16], division[16 << 5];
    uint8_t code[1 << 12];
    pq_softmax_exp(&w, scale, e);
    pq_softmax_code(&w, row, code);
    pq_softmax_division(&w, row, e, division);

    assert_int_equal(e[0], w.exp_max);
    for (int d = 1; d < 16; d++)
        assert_true(e[d] <= e[d - 1]);

    uint32_t entries = 1u << w.sum_trunc, codes = 1u << w.code_bits;
    for (uint32_t v = 2; v < entries; v++)
        assert_true(code[v] >= code[v - 1]);
    assert_int_equal(code[0], row > 1 ? codes - 1 : 0); /* a full row's sum, rounded up to the next power of two */

    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t c = 0; c < codes; c++) {
            uint16_t p = division[d << w.code_bits | c];
            assert_true(p < 1u << w.prob_bits);
            assert_true(c == 0 || p <= division[d << w.code_bits | (c - 1)]);
            assert_true(d == 0 || p <= division[(d - 1) << w.code_bits | c]);
        }
}

static void tables_are_monotone(void **state)
{
    (void)state;
    static const uint32_t rows[] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 128, 257, 258, 384, 512 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (double scale = 0; scale < 3; scale += 0.25)
            tables_of(rows[i], scale);
}

/* Rows of equal scores, and rows with one score above the rest: probabilities sum to about one. */
static void probabilities_sum_to_one(void **state)
{
    (void)state;
    for (uint32_t row = 1; row <= 512; row++)
        for (uint32_t below = 0; below < 16; below += 5) {
            struct pq_softmax_widths w = pq_softmax_widths(row);
            uint16_t e[16], division[16 << 5];
            uint8_t code[1 << 12];
            pq_softmax_exp(&w, 0.3, e);
            pq_softmax_code(&w, row, code);
            pq_softmax_division(&w, row, e, division);
            uint32_t sum = e[0] + (row - 1) * e[below];
            uint32_t c = code[sum >> (w.sum_bits - w.sum_trunc)];
            double total = division[c] + (double)(row - 1) * division[below << w.code_bits | c];
            double one = ldexp(1.0, (int)w.prob_bits);
            /* half a step of the logarithmic code, half a unit per rounded probability, one step of the sum's index */
            double half_step = row > 1 ? exp(0.5 * log(row) / ((1 << w.code_bits) - 1)) - 1 : 0;
            double index_step = ldexp(1.0, (int)(w.sum_bits - w.sum_trunc)) / sum;
            double tolerance = half_step + 0.5 * row / one + index_step + 1 / one;
            if (!(fabs(total / one - 1) <= tolerance))
                fail_msg("row %u, others %u below: sum of p is %g, tolerance %g", row, below, total / one, tolerance);
            assert_true(8 * total < ldexp(1.0, (int)w.context_top - 1)); /* |sum p v| fits its ring */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_of_known_rows),
        cmocka_unit_test(sums_fit_for_every_row),
        cmocka_unit_test(tables_are_monotone),
        cmocka_unit_test(probabilities_sum_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
