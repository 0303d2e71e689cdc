/* Wilson's interval against published values, and where it must not leave 0 to 1. */
#include "../proportion.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void is(uint64_t hits, uint64_t all, double low, double high)
{
    const struct pq_proportion p = pq_proportion_of(hits, all);
    assert_true(fabs(p.value - (double)hits / (double)all) < 1e-12);
    assert_true(fabs(p.low - low) < 5e-5);
    assert_true(fabs(p.high - high) < 5e-5);
}

/* Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3. */
static void published(void **state)
{
    (void)state;
    is(81, 263, 0.2553, 0.3662);
    is(15, 148, 0.0624, 0.1605);
    is(0, 20, 0.0000, 0.1611);
    is(1, 29, 0.0061, 0.1718);
}

static void ends(void **state)
{
    (void)state;
    const struct pq_proportion none = pq_proportion_of(0, 0);
    assert_true(none.value == 0 && none.low == 0 && none.high == 1);
    for (uint64_t n = 1; n < 1000; n = 3 * n + 1) {
        const struct pq_proportion all = pq_proportion_of(n, n), nothing = pq_proportion_of(0, n);
        assert_true(all.high == 1 && all.low > 0 && all.low < 1);
        assert_true(nothing.low == 0 && fabs(nothing.high - (1 - all.low)) < 1e-12);
        for (uint64_t hits = 1; hits < n; hits++) {
            const struct pq_proportion p = pq_proportion_of(hits, n);
            assert_true(0 < p.low && p.low < p.value && p.value < p.high && p.high < 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(published), cmocka_unit_test(ends) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
