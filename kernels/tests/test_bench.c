/* What `pqbert kernels --check` calls slower. No clock: the rates are given. */
#include "../bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* Does a kernel of rate a keep up with one of rate b, and is the line there when it does not? */
static bool keeps_up(double a, double b)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    const bool does = pq_kernel_keeps_up(out, "tuned", a, "blas", b, 768, 3072, 16);
    fclose(out);
    assert_string_equal(text, does ? "" : "SLOWER: tuned is beaten by blas at n=768 depth=3072 m=16\n");
    free(text);
    return does;
}

static void slower_kernels_are_noticed(void **unused)
{
    (void)unused;
    assert_true(keeps_up(2e9, 1e9));
    assert_true(keeps_up(1e9, 1e9));
    assert_false(keeps_up(1e9, 1.0000001e9));
    assert_false(keeps_up(0, 1e9));
    assert_false(keeps_up(NAN, 1e9)); /* a rate that was not measured */
    assert_false(keeps_up(1e9, NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slower_kernels_are_noticed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
