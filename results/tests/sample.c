#include "sample.h"

#include "../record_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void fill(const struct pq_table *t, void *row, uint64_t salt)
{
    for (size_t f = 0; f < t->fields; f++) {
        char *value = (char *)row + t->field[f].offset;
        double real = (double)salt + (double)f / 8;
        uint64_t number = salt * 1000 + f + ((uint64_t)1 << 53); /* not exact as a double */
        if (t->field[f].kind == PQ_KIND_text)
            snprintf(value, PQ_NAME, "%s", t->field[f].name);
        else if (t->field[f].kind == PQ_KIND_u64)
            memcpy(value, &number, sizeof number);
        else
            memcpy(value, &real, sizeof real);
    }
}

struct pq_run_record sample_run(uint64_t seq, const char *protocol, uint64_t repetition)
{
    struct pq_run_record run;
    fill(&pq_run_table, &run, 1); /* point fields agree for all; the rest is told apart below */
    run.seq_len = seq;
    run.repetition = repetition;
    run.online_ns = 1000000 * (seq + repetition);
    run.offline_ns = 3000000 * (seq + repetition);
    run.cycle_ns = 0; /* dealt before */
    run.floor_ns = 500000 * seq;
    run.online_bytes = run.online_bytes_predicted = 1000000 * seq;
    run.online_rounds = run.online_rounds_predicted = 289;
    snprintf(run.protocol, sizeof run.protocol, "%s", protocol);
    snprintf(run.verdict, sizeof run.verdict, "VALID");
    return run;
}

struct pq_op_record sample_op(uint64_t point, const char *operation, uint64_t party)
{
    struct pq_op_record op;
    fill(&pq_op_table, &op, party);
    op.point = point;
    op.party = party;
    snprintf(op.operation, sizeof op.operation, "%s", operation);
    return op;
}

void sample_environment(struct pq_environment *env, const char *host)
{
    pq_environment_add(env, "zeta", "first in order, last in the alphabet");
    pq_environment_add(env, "command_line", "pqbert sweep --seq %d", 8);
    pq_environment_add(env, "hosts", "%s", host);
    pq_environment_add(env, "empty", "%s", "");
}

int sample_enter(void **state)
{
    char *folder = strdup("/tmp/pqbert-results-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int sample_leave(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    int failed = chdir("/") | system(command);
    free(*state);
    return failed;
}

void sample_write(const char *path, bool resume, uint64_t seq, uint64_t repeats)
{
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    size_t before;
    sample_environment(&env, "alpha");
    if (pq_results_open(path, resume, &env, &r, &err) != PQ_OK)
        fail_msg("%s", err.text);
    pq_results_runs(r, &before);
    for (uint64_t i = 0; i < repeats; i++) {
        struct pq_run_record run = sample_run(seq, "published", i);
        assert_int_equal(pq_results_add_run(r, &run, &err), PQ_OK);
    }
    struct pq_op_record op[2] = { sample_op(before, "qkv", 0), sample_op(before, "gelu", 2) };
    assert_int_equal(pq_results_add_ops(r, op, 2, &err), PQ_OK);
    pq_results_close(r);
    pq_environment_free(&env);
}

char *sample_read_file(const char *path, size_t *bytes)
{
    struct stat info;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    *bytes = (size_t)info.st_size;
    char *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, f), *bytes);
    data[*bytes] = '\0';
    fclose(f);
    return data;
}

void sample_write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}
