/* pqbert results: exit codes, and one line for every mistake. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../results/tests/sample.h"

int pq_cmd_results(int argc, char **argv);

/* Runs with stdout and stderr in the files out and err; returns the exit code. */
static int run(const char *line)
{
    char copy[256], *argv[16] = { NULL };
    int argc = 0;
    snprintf(copy, sizeof copy, "results %s", line);
    for (char *word = strtok(copy, " "); word && argc < 15; word = strtok(NULL, " "))
        argv[argc++] = word;
    fflush(stdout);
    fflush(stderr);
    int kept_out = dup(1), kept_err = dup(2);
    int out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600), err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(err, 2);
    int status = pq_cmd_results(argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(kept_out, 1);
    dup2(kept_err, 2);
    int all[] = { out, err, kept_out, kept_err };
    for (int i = 0; i < 4; i++)
        close(all[i]);
    return status;
}

static void holds(const char *file, const char *word, bool one_line)
{
    size_t bytes;
    char *text = sample_read_file(file, &bytes);
    assert_non_null(strstr(text, word));
    if (one_line)
        assert_ptr_equal(strchr(text, '\n'), text + bytes - 1);
    free(text);
}

static void mistakes(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "", "a command is missing" },
        { "show", "FILE is missing" },
        { "list r.h5", "no command list" },
        { "show a b", "not also b" },
        { "show --colour a", "--colour" },
        { "show --csv --json a", "exclude each other" },
        { "show none.h5", "none.h5" },
        { "show /dev/null", "/dev/null" },
        { "show --seq 8 --seq 16 a", "given twice: option seq" },
        { "show --medians a", "--medians goes with --csv or --json" },
        { "show --csv --group protocol a", "--group is for the table" },
        { "show --rows sentences a", "--rows goes with --csv or --json" },
        { "show --rows sentences --csv --seq 8 a", "--rows goes with --csv or --json" },
        { "show --rows words --csv a", "runs, evaluations or sentences, not words" },
        { "compare --rows sentences a b", "options are for show" },
        { "show --seq 9 r.h5", "no repetition has seq_len 9; there are: 8" },
        { "show --group colour r.h5", "cannot group by colour" },
        { "compare a", "A and B are needed" },
        { "compare a b c", "two files, not also c" },
        { "compare --csv a b", "options are for show" },
        { "compare r.h5 none.h5", "none.h5" },
        { "compare r.h5 s.h5", "no point in common" },
        { "merge", "OUT and IN are missing" },
        { "merge a", "IN is missing" },
        { "merge --all a b", "--all" },
        { "merge a none.h5", "none.h5" },
    };
    sample_write("r.h5", false, 8, 1);
    sample_write("s.h5", false, 16, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(run(wrong[i][0]), 2);
        holds("err", wrong[i][1], true);
        holds("out", "", false);
    }
}

static void merges(void **state)
{
    (void)state;
    sample_write("a.h5", false, 8, 2);
    sample_write("b.h5", false, 16, 3);
    assert_int_equal(run("merge all.h5 a.h5 b.h5"), 0);
    assert_int_equal(run("show all.h5"), 0);
    holds("out", "2 points, 5 repetitions", false);
    assert_int_equal(run("merge all.h5 a.h5 b.h5"), 2);
    holds("err", "all.h5: exists already", true);
    assert_int_equal(run("merge again.h5 a.h5 a.h5"), 2);
    holds("err", "the same measurement", true);
    assert_int_equal(run("merge --help"), 0);
    holds("out", "Usage: pqbert results merge", false);
}

static void shows(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 2);
    assert_int_equal(run("show r.h5"), 0);
    holds("out", "1 point, 2 repetitions", false);
    assert_int_equal(run("show --csv r.h5"), 0);
    holds("out", "model,model_id,", false);
    assert_int_equal(run("show r.h5 --json"), 0);
    holds("out", "\"seq_len\": 8", false);
    sample_write("r.h5", true, 16, 2);
    assert_int_equal(run("show --seq 16 --protocol published r.h5"), 0);
    holds("out", "1 point, 2 repetitions", false);
    assert_int_equal(run("show --group seq r.h5"), 0);
    holds("out", "seq_len=16\n", false);
    assert_int_equal(run("show --json --medians r.h5"), 0);
    holds("out", "\"online_ns_q3\": 16750000", false);
    assert_int_equal(run("show --csv --rows sentences r.h5"), 0);
    holds("out", "evaluation,sentence,tokens,", true);
    assert_int_equal(run("compare r.h5 r.h5"), 0);
    holds("out", "2 points in both", false);
    assert_int_equal(run("--help"), 0);
    holds("out", "Usage: pqbert results", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mistakes, sample_enter, sample_leave),
        cmocka_unit_test_setup_teardown(merges, sample_enter, sample_leave),
        cmocka_unit_test_setup_teardown(shows, sample_enter, sample_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
