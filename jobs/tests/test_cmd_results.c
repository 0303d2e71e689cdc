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
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(run(wrong[i][0]), 2);
        holds("err", wrong[i][1], true);
        holds("out", "", false);
    }
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
    assert_int_equal(run("--help"), 0);
    holds("out", "Usage: pqbert results", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mistakes, sample_enter, sample_leave),
        cmocka_unit_test_setup_teardown(shows, sample_enter, sample_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
