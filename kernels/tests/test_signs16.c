/* signs16.h: equal to the products of gemm16.h on the same weights as residues, bit for bit, on awkward sizes, by every
 * variant that this machine can run and number of threads. */
#include "../gemm16.h"
#include "../signs16.h"
#include "../status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const char *const variants[] = { "plain", "avx2", "avx512" };
enum { VARIANTS = sizeof variants / sizeof *variants };
static uint64_t state = 1;

static uint16_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint16_t)(state >> 48);
}

/* z as a whole is compared: what lies between its rows must not change. value: of all residues, or NULL. */
static void try_size(const char *name, size_t n, size_t depth, size_t m, size_t gap, const uint16_t *value)
{
    const struct pq_signs16 *v = pq_signs16_pick(name);
    if (!v) /* main says so */
        return;
    const size_t row = depth + gap, stride = m + gap, z_count = (n - 1) * stride + m, r_count = (depth - 1) * stride + m;
    int8_t *s = pq_alloc((n - 1) * row + depth);
    uint16_t *factor = pq_alloc(2 * n), *w = pq_alloc(2 * n * depth), *r = pq_alloc(2 * r_count);
    uint16_t *z = pq_alloc(2 * z_count), *expected = pq_alloc(2 * z_count);
    void *left = pq_alloc(pq_signs16_left_bytes(v, n, depth)), *scratch = pq_alloc(pq_signs16_scratch_bytes(v, depth));
    for (size_t i = 0; i < (n - 1) * row + depth; i++)
        s[i] = next() & 1 ? 1 : -1;
    for (size_t i = 0; i < n; i++)
        factor[i] = value ? *value : next();
    for (size_t i = 0; i < r_count; i++)
        r[i] = value ? *value : next();
    for (size_t i = 0; i < z_count; i++)
        z[i] = expected[i] = next();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < depth; k++)
            w[i * depth + k] = (uint16_t)(factor[i] * (uint32_t)s[i * row + k]);
    pq_gemm16_ref(expected, stride, w, depth, 1, r, stride, n, depth, m);

    pq_signs16_left_pack(v, left, s, factor, n, depth, row);
    pq_signs16_run(v, left, r, stride, z, n, depth, m, stride, scratch);
    if (memcmp(z, expected, 2 * z_count))
        fail_msg("%s differs at n=%zu depth=%zu m=%zu gap=%zu", name, n, depth, m, gap);
    void *all[] = { s, factor, w, r, z, expected, left, scratch };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void equals_the_product_of_residues(void **unused)
{
    (void)unused;
    static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 30, 31, 32, 33, 64, 65 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t a = 0; a < COUNT; a++)
            for (size_t b = 0; b < COUNT; b++)
                for (size_t c = 0; c < COUNT; c++)
                    try_size(variants[v], sizes[a], sizes[b], sizes[c], (a + b + c) % 3, NULL);
}

static void equals_it_on_deep_and_extreme_operands(void **unused)
{
    (void)unused;
    static const uint16_t values[] = { 0x0000, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xffff };
    for (size_t k = 1; k < VARIANTS; k++) {
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            try_size(variants[k], 40, 771, 37, i % 2, &values[i]);
        try_size(variants[k], 137, 3072, 65, 0, NULL);
    }
    try_size("plain", 33, 260, 33, 1, NULL);
}

static void any_number_of_threads(void **unused)
{
    (void)unused;
    const int before = omp_get_max_threads();
    for (int threads = 9; threads >= 1; threads /= 2) { /* more than there are panels, too */
        omp_set_num_threads(threads);
        for (size_t k = 0; k < VARIANTS; k++) {
            try_size(variants[k], 133, 50, 70, 1, NULL);
            try_size(variants[k], 5, 6, 7, 0, NULL);
        }
    }
    omp_set_num_threads(before);
}

static void weights_take_one_bit(void **unused)
{
    (void)unused;
    assert_int_equal(pq_signs16_left_bytes(pq_signs16_pick("plain"), 768, 768), 768 * 768 / 8 + 2 * 768);
    assert_true(pq_signs16_left_bytes(pq_signs16_pick(NULL), 768, 768) <= 768 * (768 / 7 + 4));
}

static void can_be_forced_by_name(void **unused)
{
    (void)unused;
    const struct pq_signs16 *best = NULL;
    assert_non_null(pq_signs16_pick("plain"));
    assert_null(pq_signs16_pick("no such variant"));
    for (size_t k = 0; k < VARIANTS; k++)
        best = pq_signs16_pick(variants[k]) ? pq_signs16_pick(variants[k]) : best;
    assert_ptr_equal(pq_signs16_pick(NULL), best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_product_of_residues),
        cmocka_unit_test(equals_it_on_deep_and_extreme_operands),
        cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(weights_take_one_bit),
        cmocka_unit_test(can_be_forced_by_name),
    };
    for (size_t k = 0; k < VARIANTS; k++)
        if (!pq_signs16_pick(variants[k]))
            print_message("%s: not tried, this machine cannot run it\n", variants[k]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
