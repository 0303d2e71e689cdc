/* Evaluations and their sentences: what is added is read back and summed up, shown, merged, and refused when the two
 * tables contradict each other. */
#include "sample.h"

#include "../record_store.h"
#include "../record_text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

static struct pq_error err;

static struct pq_evaluation_record evaluation(const char *model, uint64_t sentences)
{
    struct pq_evaluation_record e = { .layers = 2, .labels = 2, .sentences = sentences, .batch = 4, .parties = 3,
                                      .system = "pqbert", .model_id = "01234567", .data = "dev.tsv", .mode = "secure",
                                      .protocol = "preprocessed", .net = "none", .weight_bits = 1 };
    snprintf(e.model, sizeof e.model, "%s", model);
    return e;
}

/* Sentence i: labels 0, 1, 0, 1, ...; plain is wrong at every fourth, private inference at every fifth. The first six
 * in batches of two, each of 8 ms; the others alone. */
static struct pq_sentence_record sentence(uint64_t i)
{
    struct pq_sentence_record s = { .sentence = i, .tokens = 5 + i, .cut = i == 7, .label = i % 2, .verdict = "VALID" };
    s.plain_label = i % 4 == 3 ? 1 - s.label : s.label;
    s.mpc_label = i % 5 == 4 ? 1 - s.label : s.label;
    s.batch = i < 6 ? 2 : 1;
    s.online_ns = i < 6 ? 8000000 : 1000000 * (i + 1);
    s.offline_ns = 2 * s.online_ns;
    s.online_bytes = 1000000 * s.batch;
    s.offline_bytes = 3000000 * s.batch;
    s.online_rounds = 40 + i;
    snprintf(s.utc, sizeof s.utc, "2025-01-01T00:00:0%uZ", (unsigned)(i % 10));
    return s;
}

static struct pq_results *open_file(const char *path)
{
    struct pq_environment env = { 0 };
    struct pq_results *r;
    sample_environment(&env, "alpha");
    if (pq_results_open(path, true, &env, &r, &err) != PQ_OK)
        fail_msg("%s", err.text);
    pq_environment_free(&env);
    return r;
}

/* Sentences first to last - 1 as one batch. */
static void add(struct pq_results *r, const struct pq_evaluation_record *e, uint64_t first, uint64_t last)
{
    struct pq_sentence_record s[64];
    for (uint64_t i = first; i < last; i++)
        s[i - first] = sentence(i);
    if (pq_results_add_sentences(r, e, s, last - first, &err) != PQ_OK)
        fail_msg("%s", err.text);
}

static void write_file(const char *path, const char *model, uint64_t sentences, uint64_t done)
{
    struct pq_results *r = open_file(path);
    const struct pq_evaluation_record e = evaluation(model, sentences);
    add(r, &e, 0, 6);
    add(r, &e, 6, done);
    pq_results_close(r);
}

static struct pq_results *read_ok(const char *path)
{
    struct pq_results *r;
    if (pq_results_read(path, &r, &err) != PQ_OK)
        fail_msg("%s", err.text);
    return r;
}

static void sums_up(void **state)
{
    (void)state;
    write_file("r.h5", "m", 20, 10);
    sample_write("r.h5", true, 8, 2); /* other tables are left alone */
    struct pq_results *r = read_ok("r.h5");
    size_t evaluations, sentences, runs;
    const struct pq_evaluation_record *e = pq_results_evaluations(r, &evaluations);
    const struct pq_sentence_record *s = pq_results_sentences(r, &sentences);
    pq_results_runs(r, &runs);
    assert_int_equal(evaluations, 1);
    assert_int_equal(sentences, 10);
    assert_int_equal(runs, 2);
    assert_int_equal(e->evaluated, 10);
    assert_int_equal(e->cut, 1);
    assert_int_equal(e->plain_correct, 8); /* not 3 and 7 */
    assert_int_equal(e->mpc_correct, 8);   /* not 4 and 9 */
    assert_int_equal(e->agreeing, 6);
    assert_true(e->plain_accuracy == 0.8 && fabs(e->mpc_accuracy_low - 0.4902) < 5e-5);
    assert_true(fabs(e->mpc_accuracy_high - 0.9433) < 5e-5);
    assert_int_equal(e->online_ns, 4000000); /* of 4, 4, 4, 4, 4, 4, 7, 8, 9, 10 */
    assert_int_equal(e->offline_ns, 8000000);
    assert_int_equal(e->online_bytes, 1000000);
    assert_int_equal(e->offline_bytes, 3000000);
    assert_int_equal(e->online_rounds, 44); /* between 44 and 45 */
    assert_string_equal(e->verdict, "VALID");
    assert_string_equal(e->utc, "2025-01-01T00:00:09Z");
    for (uint64_t i = 0; i < sentences; i++) {
        const struct pq_sentence_record want = sentence(i);
        assert_memory_equal(&s[i], &want, sizeof want);
    }
    pq_results_close(r);
}

/* Another model, data file or setting is another evaluation; one that goes on is not. */
static void finds(void **state)
{
    (void)state;
    struct pq_results *r = open_file("r.h5");
    struct pq_evaluation_record a = evaluation("m", 20), b = evaluation("n", 20), like = a;
    assert_int_equal(pq_results_find_evaluation(r, &a), 0);
    add(r, &a, 0, 2);
    assert_int_equal(pq_results_find_evaluation(r, &b), 1);
    add(r, &b, 0, 3);
    add(r, &a, 2, 4);
    assert_int_equal(r->evaluations, 2);
    assert_int_equal(r->sentences, 7);
    assert_int_equal(r->sentence[6].evaluation, 0);
    assert_int_equal(r->evaluation[0].evaluated, 4);
    assert_int_equal(r->evaluation[1].evaluated, 3);
    like.evaluated = like.hidden = 77; /* identify nothing */
    assert_int_equal(pq_results_find_evaluation(r, &like), 0);
    like.sentences = 21;
    assert_int_equal(pq_results_find_evaluation(r, &like), 2);
    like = a;
    snprintf(like.data_id, sizeof like.data_id, "other");
    assert_int_equal(pq_results_find_evaluation(r, &like), 2);
    pq_results_close(r);
}

static char *shown(const char *path, enum pq_results_format format, enum pq_results_rows rows)
{
    const struct pq_results_view view = { .format = format, .rows = rows };
    struct pq_results *r = read_ok(path);
    size_t bytes;
    FILE *f = fopen("shown", "w");
    assert_non_null(f);
    if (pq_results_show(r, &view, f, &err) != PQ_OK)
        fail_msg("%s", err.text);
    fclose(f);
    pq_results_close(r);
    return sample_read_file("shown", &bytes);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void shows(void **state)
{
    (void)state;
    write_file("r.h5", "m", 20, 10);
    char *text = shown("r.h5", PQ_RESULTS_TABLE, PQ_ROWS_RUNS);
    assert_null(strstr(text, "no repetitions"));
    assert_non_null(strstr(text, "1 evaluation, 10 sentences"));
    const char *line = strstr(text, "\nm  ");
    assert_non_null(line);
    assert_non_null(strstr(line, " 10 of 20 "));
    assert_non_null(strstr(line, " 80.0 [49.0, 94.3]  80.0 [49.0, 94.3] "));
    assert_non_null(strstr(line, " 60.0 "));
    assert_non_null(strstr(line, " 4.000 "));
    assert_non_null(strstr(line, " VALID"));
    free(text);

    text = shown("r.h5", PQ_RESULTS_CSV, PQ_ROWS_SENTENCES);
    assert_int_equal(count_lines(text), 11);
    assert_non_null(strstr(text, "evaluation,sentence,tokens,cut,label,plain_label,mpc_label,batch,"));
    assert_non_null(strstr(text, "\n0,7,12,1,1,0,1,1,16000000,8000000,3000000,1000000,47,0,0,VALID,2025-"));
    free(text);
    text = shown("r.h5", PQ_RESULTS_CSV, PQ_ROWS_EVALUATIONS);
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, ",0.80000000000000004,"));
    free(text);
    text = shown("r.h5", PQ_RESULTS_CSV, PQ_ROWS_RUNS);
    assert_int_equal(count_lines(text), 1);
    free(text);
    text = shown("r.h5", PQ_RESULTS_JSON, PQ_ROWS_SENTENCES);
    assert_non_null(strstr(text, "\"plain_label\": 0, \"mpc_label\": 1,"));
    free(text);

    sample_write("r.h5", true, 8, 2);
    text = shown("r.h5", PQ_RESULTS_TABLE, PQ_ROWS_RUNS);
    assert_non_null(strstr(text, "1 point, 2 repetitions"));
    assert_non_null(strstr(text, "1 evaluation, 10 sentences"));
    free(text);
}

/* No accuracy and no time of private inference where one sentence is wrong. */
static void invalid_is_shown_without(void **state)
{
    (void)state;
    struct pq_results *r = open_file("r.h5");
    const struct pq_evaluation_record e = evaluation("m", 20);
    struct pq_sentence_record bad = sentence(6);
    add(r, &e, 0, 6);
    snprintf(bad.verdict, sizeof bad.verdict, "INVALID");
    assert_int_equal(pq_results_add_sentences(r, &e, &bad, 1, &err), PQ_OK);
    pq_results_close(r);
    char *text = shown("r.h5", PQ_RESULTS_TABLE, PQ_ROWS_RUNS);
    const char *line = strstr(text, "\nm  ");
    assert_non_null(strstr(line, "85.7 [48.7, 97.4]")); /* 6 of 7 */
    assert_non_null(strstr(line, "97.4]" "             -" "           -" "               -"));
    assert_non_null(strstr(line, " INVALID"));
    assert_null(strstr(line, " 4.000 "));
    free(text);
}

static void merges(void **state)
{
    (void)state;
    const char *const apart[2] = { "a.h5", "b.h5" };
    write_file("a.h5", "m", 20, 10);
    write_file("b.h5", "m", 30, 12);
    assert_int_equal(pq_results_merge("out.h5", apart, 2, false, &err), PQ_OK);
    struct pq_results *r = read_ok("out.h5");
    assert_int_equal(r->evaluations, 2);
    assert_int_equal(r->sentences, 22);
    assert_int_equal(r->sentence[9].evaluation, 0);
    assert_int_equal(r->sentence[10].evaluation, 1);
    assert_string_equal(r->launch[1].entry[0].text, "b.h5, 12 rows");
    pq_results_close(r);

    write_file("c.h5", "m", 20, 8);
    const char *const same[2] = { "a.h5", "c.h5" };
    assert_int_equal(pq_results_merge("two.h5", same, 2, true, &err), PQ_USER);
    assert_non_null(strstr(err.text, "c.h5: the evaluation of m on dev.tsv is in a.h5 already"));
    assert_int_equal(access("two.h5", F_OK), -1);

    struct pq_evaluation_record other = evaluation("m", 40);
    snprintf(other.model_id, sizeof other.model_id, "ffff");
    r = open_file("d.h5");
    add(r, &other, 0, 4);
    pq_results_close(r);
    const char *const models[2] = { "a.h5", "d.h5" };
    assert_int_equal(pq_results_merge("two.h5", models, 2, true, &err), PQ_USER);
    assert_non_null(strstr(err.text, "two models"));
    snprintf(other.model_id, sizeof other.model_id, "01234567");
    snprintf(other.mode, sizeof other.mode, "INSECURE-BENCH");
    unlink("d.h5");
    r = open_file("d.h5");
    add(r, &other, 0, 4);
    pq_results_close(r);
    assert_int_equal(pq_results_merge("two.h5", models, 2, false, &err), PQ_USER);
    assert_non_null(strstr(err.text, "INSECURE-BENCH"));
}

static void is_not_compared(void **state)
{
    (void)state;
    write_file("a.h5", "m", 20, 10);
    sample_write("b.h5", false, 8, 4);
    struct pq_results *a = read_ok("a.h5"), *b = read_ok("b.h5");
    assert_int_equal(pq_results_compare(a, b, stdout, &err), PQ_USER);
    assert_non_null(strstr(err.text, "a.h5: holds no repetitions, nothing to compare; results show lists its eval"));
    pq_results_close(a);
    pq_results_close(b);
}

/* One value of a row of the stored file replaced. */
static void bend(const char *table, const char *field, uint64_t row, uint64_t value)
{
    hid_t file = H5Fopen("bent.h5", H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, table, H5P_DEFAULT);
    hid_t one = H5Tcreate(H5T_COMPOUND, 8), from = H5Dget_space(set);
    const hsize_t start = row, count = 1;
    hid_t to = H5Screate_simple(1, &count, NULL);
    H5Tinsert(one, field, 0, H5T_NATIVE_UINT64);
    H5Sselect_hyperslab(from, H5S_SELECT_SET, &start, NULL, &count, NULL);
    assert_true(H5Dwrite(set, one, to, from, H5P_DEFAULT, &value) >= 0);
    H5Sclose(to);
    H5Sclose(from);
    H5Tclose(one);
    H5Dclose(set);
    H5Fclose(file);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    static const struct { const char *table, *field; uint64_t value; } bent[] = {
        { "sentences", "evaluation", 1 }, { "sentences", "sentence", 20 }, { "sentences", "sentence", 3 },
        { "sentences", "label", 0 },      { "sentences", "label", 2 },     { "sentences", "plain_label", 9 },
        { "sentences", "mpc_label", 9 },  { "sentences", "batch", 0 },     { "evaluations", "evaluated", 11 },
        { "evaluations", "labels", 1 },   { "evaluations", "sentences", 9 },
        { "evaluations", "mpc_correct", 9 },
    };
    struct pq_results *r;
    size_t bytes;
    write_file("r.h5", "m", 20, 10);
    char *data = sample_read_file("r.h5", &bytes);
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++) {
        sample_write_file("bent.h5", data, bytes);
        bend(bent[i].table, bent[i].field, strcmp(bent[i].table, "sentences") ? 0 : 5, bent[i].value);
        if (pq_results_read("bent.h5", &r, &err) != PQ_USER || !strstr(err.text, "contradict"))
            fail_msg("%s/%s = %d is read: %s", bent[i].table, bent[i].field, (int)bent[i].value, err.text);
    }
    free(data);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_up), TEST(finds),           TEST(shows),
        TEST(merges),  TEST(is_not_compared), TEST(invalid_is_shown_without),
        TEST(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
