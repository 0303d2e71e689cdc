/* Merged files hold every row of every file, whole; what does not belong together is refused and nothing is written. */
#include "sample.h"

#include "../record_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A file of one point with one field and one environment entry of its own. */
static void write_file(const char *path, uint64_t seq, const char *field, const char *text, const char *entry,
                       const char *value)
{
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    struct pq_run_record run = sample_run(seq, "published", 0);
    for (size_t f = 0; field && f < pq_run_table.fields; f++)
        if (strcmp(pq_run_table.field[f].name, field) == 0)
            snprintf((char *)&run + pq_run_table.field[f].offset, PQ_NAME, "%s", text);
    sample_environment(&env, path);
    pq_environment_add(&env, entry, "%s", value);
    unlink(path);
    assert_int_equal(pq_results_open(path, false, &env, &r, &err), PQ_OK);
    assert_int_equal(pq_results_add_run(r, &run, &err), PQ_OK);
    const struct pq_op_record op = sample_op(0, "qkv", 1);
    assert_int_equal(pq_results_add_ops(r, &op, 1, &err), PQ_OK);
    pq_results_close(r);
    pq_environment_free(&env);
}

static enum pq_status merge(const char *a, const char *b, bool force, struct pq_error *err)
{
    const char *in[2] = { a, b };
    memset(err, 0, sizeof *err);
    unlink("out.h5");
    return pq_results_merge("out.h5", in, 2, force, err);
}

static void refuses(const char *a, const char *b, bool force, const char *word, const char *other)
{
    struct pq_error err;
    assert_int_equal(merge(a, b, force, &err), PQ_USER);
    if (!strstr(err.text, word) || !strstr(err.text, other) || strchr(err.text, '\n'))
        fail_msg("not one line with %s and %s: %s", word, other, err.text);
    assert_int_equal(access("out.h5", F_OK), -1);
}

static void keeps_everything(void **state)
{
    (void)state;
    sample_write("a.h5", false, 8, 3);
    sample_write("a.h5", true, 32, 2); /* two points; ops of the second name its rows */
    sample_write("b.h5", false, 16, 70);
    struct pq_error err;
    assert_int_equal(merge("a.h5", "b.h5", false, &err), PQ_OK);
    struct pq_results *r, *b;
    assert_int_equal(pq_results_read("out.h5", &r, &err), PQ_OK);
    assert_int_equal(pq_results_read("b.h5", &b, &err), PQ_OK);
    assert_int_equal(r->runs, 75);
    assert_int_equal(r->run[3].seq_len, 32);
    assert_memory_equal(&r->run[5], b->run, 70 * sizeof *b->run);
    assert_int_equal(r->ops, 6);
    assert_int_equal(r->op[2].point, 3);
    assert_int_equal(r->op[4].point, 5);
    assert_string_equal(r->op[5].operation, "gelu");
    assert_int_equal(r->launches, 2); /* the environments are equal but for where the rows come from */
    assert_int_equal(r->launch[1].count, 1);
    assert_string_equal(r->launch[0].entry[4].text, "a.h5, 5 rows");
    assert_string_equal(r->launch[1].entry[0].text, "b.h5, 70 rows");
    pq_results_close(b);
    pq_results_close(r);

    /* A merged file merges, and can be continued. */
    sample_write("c.h5", false, 64, 1);
    const char *in[2] = { "out.h5", "c.h5" };
    assert_int_equal(pq_results_merge("all.h5", in, 2, false, &err), PQ_OK);
    assert_int_equal(pq_results_read("all.h5", &r, &err), PQ_OK);
    assert_int_equal(r->runs, 76);
    assert_int_equal(r->launches, 3);
    assert_string_equal(r->launch[1].entry[0].text, "b.h5, 70 rows");
    assert_string_equal(r->launch[2].entry[0].text, "c.h5, 1 rows");
    pq_results_close(r);
    sample_write("all.h5", true, 128, 1);
}

static void refuses_what_is_apart(void **state)
{
    (void)state;
    struct pq_error err;
    write_file("a.h5", 8, NULL, NULL, "commit", "1234");
    write_file("b.h5", 16, NULL, NULL, "commit", "1234");
    assert_int_equal(merge("a.h5", "b.h5", false, &err), PQ_OK);
    refuses("a.h5", "a.h5", true, "a.h5: the point published, length 8", "the same measurement");
    write_file("b.h5", 8, "verdict", "INVALID", "commit", "1234");
    refuses("a.h5", "b.h5", true, "in a.h5 already", "measured twice");
    write_file("b.h5", 16, "model_id", "ffff", "commit", "1234");
    refuses("a.h5", "b.h5", true, "checksum ffff", "two models");
    write_file("b.h5", 16, NULL, NULL, "commit", "1234-dirty");
    refuses("a.h5", "b.h5", false, "b.h5: its commit is 1234-dirty", "--force");
    assert_int_equal(merge("a.h5", "b.h5", true, &err), PQ_OK);
    write_file("b.h5", 16, "mode", "INSECURE-BENCH", "commit", "1234");
    refuses("a.h5", "b.h5", false, "b.h5: has results that are INSECURE-BENCH", "--force");
    assert_int_equal(merge("a.h5", "b.h5", true, &err), PQ_OK);
    write_file("a.h5", 8, NULL, NULL, "cpu", "Abacus");
    write_file("b.h5", 16, NULL, NULL, "cpu", "Slide rule");
    refuses("a.h5", "b.h5", false, "its cpu is Slide rule", "Abacus");
    refuses("a.h5", "none.h5", true, "none.h5", "opened");
    sample_write_file("text.h5", "not a result file", 17);
    refuses("a.h5", "text.h5", true, "text.h5", "HDF5");
}

static void spares_what_exists(void **state)
{
    (void)state;
    struct pq_error err = { "" };
    const char *in[1] = { "a.h5" };
    size_t before, after;
    sample_write("a.h5", false, 8, 1);
    sample_write("out.h5", false, 16, 1);
    free(sample_read_file("out.h5", &before));
    assert_int_equal(pq_results_merge("out.h5", in, 1, true, &err), PQ_USER);
    assert_non_null(strstr(err.text, "out.h5: exists already"));
    assert_int_equal(pq_results_merge("a.h5", in, 1, true, &err), PQ_USER);
    free(sample_read_file("out.h5", &after));
    assert_int_equal(before, after);
    assert_int_equal(pq_results_merge("no/out.h5", in, 1, true, &err), PQ_USER);
    assert_int_equal(pq_results_merge("new.h5", in, 1, false, &err), PQ_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(keeps_everything), TEST(refuses_what_is_apart), TEST(spares_what_exists) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
