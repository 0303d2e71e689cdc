/* Whether a difference is called one: the interval against published tables, and the words of `compare`. */
#include "sample.h"

#include "../record_text.h"
#include "../spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Critical values of Mann and Whitney's U, two-sided at 5 %, as statistics books print them; -1: none. */
static void critical_values(void **state)
{
    (void)state;
    static const int table[][3] = {
        { 3, 3, -1 }, { 3, 4, -1 }, { 2, 7, -1 }, { 2, 8, 0 },   { 3, 5, 0 },   { 4, 4, 0 },    { 5, 5, 2 },
        { 6, 6, 5 },  { 7, 7, 8 },  { 8, 8, 13 }, { 9, 9, 17 },  { 5, 10, 8 },  { 10, 10, 23 }, { 10, 20, 55 },
        { 1, 19, -1 }, { 15, 15, 64 }, { 20, 20, 127 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const size_t n = (size_t)table[i][0], m = (size_t)table[i][1], outside = (size_t)(table[i][2] + 1);
        assert_int_equal(pq_spread_outside(n, m), outside);
        assert_int_equal(pq_spread_outside(m, n), outside);
    }
    assert_int_equal(pq_spread_outside(21, 20), 135); /* the normal approximation, and the exact count too */
}

static void ratios(void **state)
{
    (void)state;
    const uint64_t a[] = { 100, 200, 400, 800, 1600 }, b[] = { 3200, 400, 1600, 200, 800 };
    struct pq_ratio r = pq_spread_ratio(a, 5, b, 5);
    assert_true(r.known && r.middle == 2); /* b is twice a */
    assert_true(r.low == 0.25 && r.high == 16); /* the third smallest and largest of 1/8 .. 32 */
    r = pq_spread_ratio(a, 3, b, 3);
    assert_true(!r.known && r.middle == 8);
    r = pq_spread_ratio(a, 1, b, 1);
    assert_true(!r.known && r.middle == 32);
}

static void write_file(const char *path, uint64_t seq, uint64_t count, uint64_t first_ns, uint64_t step_ns,
                       const char *kernel, const char *verdict)
{
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    sample_environment(&env, "alpha");
    pq_environment_add(&env, "cpu", "%s", kernel);
    assert_int_equal(pq_results_open(path, true, &env, &r, &err), PQ_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct pq_run_record run = sample_run(seq, "published", i);
        run.online_ns = first_ns + i * step_ns;
        snprintf(run.kernel, sizeof run.kernel, "%s", kernel);
        snprintf(run.verdict, sizeof run.verdict, "%s", verdict);
        run.offline_bytes = strcmp(path, "b.h5") == 0 ? 9000000 : 6000000;
        assert_int_equal(pq_results_add_run(r, &run, &err), PQ_OK);
    }
    pq_results_close(r);
    pq_environment_free(&env);
}

static char *compared(const char *a, const char *b, enum pq_status expected, struct pq_error *err)
{
    struct pq_results *left, *right;
    size_t bytes;
    assert_int_equal(pq_results_read(a, &left, err), PQ_OK);
    assert_int_equal(pq_results_read(b, &right, err), PQ_OK);
    FILE *f = fopen("compared", "w");
    assert_int_equal(pq_results_compare(left, right, f, err), expected);
    fclose(f);
    pq_results_close(left);
    pq_results_close(right);
    return sample_read_file("compared", &bytes);
}

/* The line of that length and quantity must hold the words. */
static void says(const char *text, const char *seq, const char *quantity, const char *words, const char *more)
{
    char *copy = strdup(text);
    bool found = false;
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, seq, strlen(seq)) == 0 && strstr(line, quantity)) {
            found = true;
            if (!strstr(line, words) || !strstr(line, more))
                fail_msg("unexpected line: %s", line);
        }
    free(copy);
    if (!found)
        fail_msg("no line for %s and %s in:\n%s", seq, quantity, text);
}

static void says_what_changed(void **state)
{
    (void)state;
    struct pq_error err = { "" };
    write_file("a.h5", 8, 5, 1000000, 1000, "old", "VALID");
    write_file("b.h5", 8, 5, 1100000, 1000, "new", "VALID");
    write_file("a.h5", 16, 5, 2000000, 100000, "old", "VALID");
    write_file("b.h5", 16, 5, 2040000, 100000, "new", "VALID");
    write_file("a.h5", 32, 5, 4000000, 1000, "old", "VALID");
    write_file("b.h5", 32, 5, 3000000, 1000, "new", "VALID");
    write_file("a.h5", 64, 3, 8000000, 1000, "old", "VALID");
    write_file("b.h5", 64, 3, 9000000, 1000, "new", "VALID");
    write_file("a.h5", 100, 5, 8000000, 1000, "old", "VALID");
    write_file("b.h5", 100, 5, 9000000, 1000, "new", "INVALID");
    write_file("a.h5", 128, 5, 8000000, 1000, "old", "VALID");
    char *text = compared("a.h5", "b.h5", PQ_OK, &err);
    assert_non_null(strstr(text, "5 points in both, 1 in A alone, 0 in B alone"));
    assert_non_null(strstr(text, "kernel: old in A, new in B"));
    assert_non_null(strstr(text, "cpu: old in A, new in B"));
    assert_null(strstr(text, "protocol:"));
    says(text, "8 ", "online ms", "+10.0 %", "slower");
    says(text, "16 ", "online ms", "within the spread", " to +");
    says(text, "32 ", "online ms", "-25.0 %", "faster");
    says(text, "64 ", "online ms", "+12.5 %", "too few repetitions");
    says(text, "100 ", "online ms", "INVALID", "not compared");
    says(text, "8 ", "offline ms", "+0.0 %", "within the spread");
    says(text, "8 ", "offline MB", "+50.0 %", "more");
    assert_null(strstr(text, "online rounds")); /* the same in both */
    assert_null(strstr(text, "128 "));
    assert_non_null(strstr(text, "1 are slower, 1 faster, 4 within the spread; 2 more have too few"));
    free(text);

    text = compared("b.h5", "b.h5", PQ_OK, &err);
    assert_null(strstr(text, "not measured alike"));
    assert_non_null(strstr(text, " 0 are slower, 0 faster"));
    free(text);
}

static void nothing_in_common(void **state)
{
    (void)state;
    struct pq_error err = { "" };
    sample_write("a.h5", false, 8, 1);
    sample_write("b.h5", false, 16, 1);
    free(compared("a.h5", "b.h5", PQ_USER, &err));
    assert_non_null(strstr(err.text, "a.h5 and b.h5 have no point in common"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(critical_values), cmocka_unit_test(ratios), TEST(says_what_changed), TEST(nothing_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
