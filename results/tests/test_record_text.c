/* The table, and CSV and JSON parsed back by other readers (check_text.py). Arguments: a Python and that script. */
#include "sample.h"

#include "../record_store.h"
#include "../record_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char python_command[2048];

static struct pq_results *open_sample(void)
{
    struct pq_environment env = { 0 };
    struct pq_error err;
    struct pq_results *r;
    assert_int_equal(pq_results_open("r.h5", true, &env, &r, &err), PQ_OK);
    return r;
}

static void add(struct pq_results *r, struct pq_run_record run)
{
    struct pq_error err;
    assert_int_equal(pq_results_add_run(r, &run, &err), PQ_OK);
}

static char *shown_as(struct pq_results *r, const struct pq_results_view *view)
{
    struct pq_error err = { "" };
    size_t bytes;
    FILE *f = fopen("shown", "w");
    assert_non_null(f);
    if (pq_results_show(r, view, f, &err) != PQ_OK)
        fail_msg("%s", err.text);
    fclose(f);
    return sample_read_file("shown", &bytes);
}

static char *shown(struct pq_results *r, enum pq_results_format format)
{
    const struct pq_results_view view = { .format = format };
    return shown_as(r, &view);
}

/* The line that holds `word`, or fails; ends it with a zero. */
static char *line_with(char *text, const char *word)
{
    char *at = strstr(text, word);
    assert_non_null(at);
    while (at > text && at[-1] != '\n')
        at--;
    char *end = strchr(at, '\n');
    assert_non_null(end);
    *end = '\0';
    return at;
}

static void table_of_points(void **state)
{
    (void)state;
    struct pq_results *r = open_sample();
    char *text = shown(r, PQ_RESULTS_TABLE);
    assert_non_null(strstr(text, "no repetitions"));
    free(text);

    for (uint64_t i = 0; i < 4; i++) /* points taking turns, as a sweep may */
        for (int p = 0; p < 2; p++)
            add(r, sample_run(64, p ? "preprocessed" : "published", i));
    text = shown(r, PQ_RESULTS_TABLE);
    assert_non_null(strstr(text, "2 points, 8 repetitions"));
    assert_non_null(strstr(text, "sum over the parties"));
    assert_non_null(strstr(text, "mode=mode"));
    char *line = line_with(text, " preprocessed");
    assert_non_null(strstr(line, "65.50 [64.75, 66.25]"));   /* of 64, 65, 66, 67 */
    assert_non_null(strstr(line, "196.5 [194.2, 198.8]"));
    assert_non_null(strstr(line, " 48.9 "));                 /* 32 ms of 65.5 ms */
    assert_non_null(strstr(line, " 64.00 "));
    assert_non_null(strstr(line, " 289 "));
    assert_string_equal(line + strlen(line) - 6, " VALID");
    free(text);
    pq_results_close(r);
}

static void doubts_are_told(void **state)
{
    (void)state;
    struct pq_results *r = open_sample();
    struct pq_run_record run = sample_run(64, "published", 0);
    run.clock_off_ns = run.range_wrapped = 0;
    add(r, run);
    char *text = shown(r, PQ_RESULTS_TABLE);
    assert_null(strstr(text, "warning"));
    free(text);
    run.repetition = 1;
    run.clock_off_ns = 1;
    add(r, run);
    run.repetition = 2;
    run.range_wrapped = 7;
    add(r, run);
    text = shown(r, PQ_RESULTS_TABLE);
    assert_non_null(strstr(text, "clocks disagreed about 2 repetitions"));
    assert_non_null(strstr(text, "declared range in 1 repetition:"));
    free(text);
    pq_results_close(r);
}

static void invalid_points_have_no_time(void **state)
{
    (void)state;
    struct pq_results *r = open_sample();
    struct pq_run_record bad = sample_run(8, "published", 1);
    snprintf(bad.verdict, sizeof bad.verdict, "INVALID");
    add(r, sample_run(8, "published", 0));
    add(r, bad);
    add(r, sample_run(16, "published", 0));
    char *text = shown(r, PQ_RESULTS_TABLE);
    assert_non_null(strstr(text, "16.00 [16.00, 16.00]"));
    char *line = line_with(text, "INVALID");
    assert_null(strchr(line, '['));
    assert_null(strstr(line, "8.5"));
    free(text);
    pq_results_close(r);
}

static void groups(void **state)
{
    (void)state;
    struct pq_results *r = open_sample();
    for (uint64_t seq = 8; seq <= 16; seq += 8) /* protocols taking turns */
        for (int p = 0; p < 2; p++)
            add(r, sample_run(seq, p ? "preprocessed" : "published", 0));
    const struct pq_results_view view = { .group = "protocol" };
    char *text = shown_as(r, &view), *one = strstr(text, "\nprotocol=published\nseq_len  repetitions");
    char *two = strstr(text, "\nprotocol=preprocessed\nseq_len  repetitions");
    assert_true(one && two && one < two);
    assert_non_null(strstr(one, "\n8 "));
    assert_true(strstr(one, "\n16 ") < two);
    assert_non_null(strstr(two, "\n16 "));
    free(text);
    pq_results_close(r);
}

static void selection_wrong(const char *path, const char *field, const char *values, const char *word)
{
    const struct pq_results_view view = { .selections = 1, .select = { { field, values } } };
    struct pq_error err = { "" };
    struct pq_results *r;
    assert_int_equal(pq_results_read(path, &r, &err), PQ_OK);
    FILE *f = fopen("shown", "w");
    assert_int_equal(pq_results_show(r, &view, f, &err), PQ_USER);
    fclose(f);
    if (!strstr(err.text, word))
        fail_msg("unexpected line: %s", err.text);
    pq_results_close(r);
}

static void selects(void **state)
{
    (void)state;
    struct pq_error err;
    struct pq_results *r = open_sample();
    for (uint64_t seq = 8; seq <= 32; seq *= 2)
        for (int p = 0; p < 2; p++)
            add(r, sample_run(seq, p ? "preprocessed" : "published", 0));
    pq_results_close(r);

    const struct pq_results_view view = {
        .format = PQ_RESULTS_CSV, .selections = 2, .select = { { "seq", "32,8" }, { "protocol", "preprocessed" } }
    };
    assert_int_equal(pq_results_read("r.h5", &r, &err), PQ_OK);
    char *text = shown_as(r, &view);
    size_t lines = 0;
    for (char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3);
    assert_null(strstr(text, "published"));
    assert_non_null(strstr(text, ",8000000,"));
    assert_non_null(strstr(text, ",32000000,"));
    assert_null(strstr(text, ",48000000,")); /* offline, 16 tokens */
    free(text);
    pq_results_close(r);

    selection_wrong("r.h5", "seq_len", "8,9", "no repetition has seq_len 9; there are: 8, 16, 32");
    selection_wrong("r.h5", "protocol", "Published", "there are: published, preprocessed");
    selection_wrong("r.h5", "colour", "red", "no field colour");
}

/* One row per point: two points, one of them INVALID. */
static void medians(void **state)
{
    (void)state;
    struct pq_results *r = open_sample();
    for (uint64_t i = 0; i < 4; i++)
        add(r, sample_run(64, "published", i));
    struct pq_run_record bad = sample_run(8, "published", 0);
    snprintf(bad.verdict, sizeof bad.verdict, "INVALID");
    add(r, bad);
    const struct pq_results_view csv = { .format = PQ_RESULTS_CSV, .medians = true };
    const struct pq_results_view json = { .format = PQ_RESULTS_JSON, .medians = true };
    free(shown_as(r, &csv));
    assert_int_equal(rename("shown", "m.csv"), 0);
    free(shown_as(r, &json));
    assert_int_equal(rename("shown", "m.json"), 0);
    pq_results_close(r);
    if (!*python_command)
        skip();
    char command[sizeof python_command + 32];
    snprintf(command, sizeof command, "%s m.csv m.json medians", python_command);
    assert_int_equal(system(command), 0);
}

static void parsed_back(void **state)
{
    (void)state;
    if (!*python_command)
        skip();
    struct pq_results *r = open_sample();
    struct pq_run_record odd = sample_run(8, "published", 0);
    add(r, odd);
    snprintf(odd.model, sizeof odd.model, "%s", "comma, \"quote\"\nline\\end\ttab \x01");
    snprintf(odd.net, sizeof odd.net, "%s", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    odd.input_seed = UINT64_MAX;
    odd.repetition = 1;
    add(r, odd);
    snprintf(odd.model, sizeof odd.model, "%s", "not UTF-8: \xff \xc0\x80 \xed\xa0\x80 \xe2\x82");
    odd.repetition = 2;
    add(r, odd);
    free(shown(r, PQ_RESULTS_CSV));
    assert_int_equal(rename("shown", "r.csv"), 0);
    free(shown(r, PQ_RESULTS_JSON));
    assert_int_equal(rename("shown", "r.json"), 0);
    pq_results_close(r);
    char command[sizeof python_command + 32];
    snprintf(command, sizeof command, "%s r.csv r.json", python_command);
    assert_int_equal(system(command), 0);
}

static void stream_that_refuses(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    struct pq_results *r = open_sample();
    add(r, sample_run(8, "published", 0));
    for (int format = PQ_RESULTS_TABLE; format <= PQ_RESULTS_JSON; format++) {
        const struct pq_results_view view = { .format = (enum pq_results_format)format };
        struct pq_error err;
        assert_int_equal(pq_results_show(r, &view, full, &err), PQ_WORLD);
    }
    pq_results_close(r);
    fclose(full);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(int argc, char **argv)
{
    if (argc == 3)
        snprintf(python_command, sizeof python_command, "'%s' '%s'", argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        TEST(table_of_points), TEST(doubts_are_told),       TEST(invalid_points_have_no_time),
        TEST(parsed_back),     TEST(stream_that_refuses),   TEST(groups),
        TEST(selects),         TEST(medians),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
