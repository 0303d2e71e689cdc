/* What is added is read back, whoever reads it, and survives a second writer, a resumed run, a kill and a full disk. */
#include "sample.h"

#include "../record_store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

static struct pq_results *read_ok(const char *path)
{
    struct pq_error err = { "" };
    struct pq_results *r;
    if (pq_results_read(path, &r, &err) != PQ_OK)
        fail_msg("%s", err.text);
    return r;
}

/* Opening must fail with PQ_USER and a line that holds both words. */
static void refuses(const char *path, bool resume, const char *word, const char *other)
{
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    assert_int_equal(pq_results_open(path, resume, &env, &r, &err), PQ_USER);
    assert_null(r);
    assert_non_null(strstr(err.text, word));
    assert_non_null(strstr(err.text, other));
    assert_null(strchr(err.text, '\n'));
}

static void round_trip(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 3);
    sample_write("r.h5", true, 16, 70); /* more rows than a chunk */
    struct pq_results *r = read_ok("r.h5");
    size_t runs, ops;
    const struct pq_run_record *run = pq_results_runs(r, &runs);
    const struct pq_op_record *op = pq_results_ops(r, &ops);
    assert_int_equal(runs, 73);
    assert_int_equal(ops, 4);
    for (size_t i = 0; i < runs; i++) {
        struct pq_run_record want = i < 3 ? sample_run(8, "published", i) : sample_run(16, "published", i - 3);
        for (size_t f = 0; f < pq_run_table.fields; f++) {
            const struct pq_field *field = &pq_run_table.field[f];
            const char *a = (const char *)&want + field->offset, *b = (const char *)&run[i] + field->offset;
            assert_int_equal(field->kind == PQ_KIND_text ? strcmp(a, b) : memcmp(a, b, 8), 0);
        }
    }
    assert_int_equal(op[2].point, 3);
    assert_string_equal(op[3].operation, "gelu");
    assert_int_equal(op[3].party, 2);

    assert_int_equal(r->launches, 1); /* the second launch had the same environment */
    assert_int_equal(r->launch[0].count, 4);
    assert_string_equal(r->launch[0].entry[0].name, "zeta");
    assert_string_equal(r->launch[0].entry[1].text, "pqbert sweep --seq 8");
    assert_string_equal(r->launch[0].entry[3].text, "");
    pq_results_close(r);
}

static void counts_points(void **state)
{
    (void)state;
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    assert_int_equal(pq_results_open("r.h5", true, &env, &r, &err), PQ_OK); /* --resume may also start */
    struct pq_run_record a = sample_run(8, "published", 0), b = sample_run(8, "preprocessed", 0), like = a;
    assert_int_equal(pq_results_count(r, &a), 0);
    assert_int_equal(pq_results_add_run(r, &a, &err), PQ_OK);
    assert_int_equal(pq_results_add_run(r, &b, &err), PQ_OK);
    a.repetition = 1;
    snprintf(a.verdict, sizeof a.verdict, "INVALID");
    assert_int_equal(pq_results_add_run(r, &a, &err), PQ_OK);
    like.online_ns = like.repetition = 77; /* no point fields */
    memset(like.verdict, 'x', 3);
    assert_int_equal(pq_results_count(r, &like), 1);
    like.seq_len = 9;
    assert_int_equal(pq_results_count(r, &like), 0);
    like = b;
    memset(like.protocol + strlen(like.protocol) + 1, 'x', 5); /* behind the end of the text */
    assert_int_equal(pq_results_count(r, &like), 1);
    assert_int_equal(pq_results_first(r, &like), 1);
    like.seq_len = 9;
    assert_int_equal(pq_results_first(r, &like), 3);
    a.repetition = 2;
    snprintf(a.verdict, sizeof a.verdict, "UNCHECKED");
    assert_int_equal(pq_results_add_run(r, &a, &err), PQ_OK);
    assert_int_equal(pq_results_first(r, &a), 0);
    assert_int_equal(pq_results_count(r, &a), 2); /* who does not check need not measure again */
    snprintf(a.verdict, sizeof a.verdict, "VALID");
    assert_int_equal(pq_results_count(r, &a), 1);
    snprintf(a.verdict, sizeof a.verdict, "INVALID");
    assert_int_equal(pq_results_count(r, &a), 1);
    pq_results_close(r);
    pq_results_close(NULL);
}

static void throughput(void **state)
{
    (void)state;
    struct pq_run_record run = sample_run(8, "published", 0);
    run.batch = 5;
    run.online_ns = 250000000;
    assert_true(pq_run_throughput(&run) == 20);
    run.cycle_ns = 500000000;
    assert_true(pq_run_throughput(&run) == 10);
    run.cycle_ns = 0;
    run.online_ns = 0;
    assert_true(pq_run_throughput(&run) == 0);
    run.online_ns = 1;
    snprintf(run.verdict, sizeof run.verdict, "INVALID");
    assert_true(pq_run_throughput(&run) == 0);
}

static void keeps_changed_environments(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 1);
    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *r;
    sample_environment(&env, "beta");
    pq_environment_add(&env, "governor", "powersave");
    assert_int_equal(pq_results_open("r.h5", true, &env, &r, &err), PQ_OK);
    pq_environment_free(&env);
    struct pq_run_record run = sample_run(16, "published", 0);
    assert_int_equal(pq_results_add_run(r, &run, &err), PQ_OK);
    pq_results_close(r);

    r = read_ok("r.h5");
    assert_int_equal(r->launches, 2);
    assert_string_equal(r->launch[0].entry[2].text, "alpha");
    assert_int_equal(r->launch[1].count, 2);
    assert_string_equal(r->launch[1].entry[0].name, "hosts");
    assert_string_equal(r->launch[1].entry[0].text, "beta");
    assert_string_equal(r->launch[1].entry[1].text, "powersave");
    pq_results_close(r);
}

static void refuses_with_reason(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 1);
    refuses("r.h5", false, "r.h5: exists already", "--resume");
    refuses("no/folder/r.h5", false, "no/folder/r.h5", "No such file or directory");
    refuses("/proc/r.h5", true, "/proc/r.h5", "cannot write there");
    refuses(".", true, ".: ", "HDF5");

    struct pq_environment env = { 0 };
    struct pq_error err = { "" };
    struct pq_results *held, *r;
    assert_int_equal(pq_results_open("r.h5", true, &env, &held, &err), PQ_OK);
    refuses("r.h5", true, "another process", "r.h5.lock");
    assert_int_equal(pq_results_read("r.h5", &r, &err), PQ_OK); /* readers are not in the way */
    pq_results_close(r);
    pq_results_close(held);
    assert_int_equal(access("r.h5.lock", F_OK), -1);
    assert_int_equal(pq_results_open("r.h5", true, &env, &r, &err), PQ_OK);
    pq_results_close(r);
    assert_int_equal(pq_results_read("none.h5", &r, &err), PQ_USER);
    assert_non_null(strstr(err.text, "none.h5"));
}

/* A writer killed at any moment leaves a file that can be read and continued. */
static void survives_kill(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 1);
    size_t least = 1;
    for (int attempt = 0; attempt < 8; attempt++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct pq_environment env = { 0 };
            struct pq_error err;
            struct pq_results *r;
            struct pq_run_record run = sample_run(8, "published", 0);
            if (pq_results_open("r.h5", true, &env, &r, &err) != PQ_OK)
                _exit(1);
            while (pq_results_add_run(r, &run, &err) == PQ_OK)
                ;
            _exit(2);
        }
        int status;
        usleep(20000 * (useconds_t)(attempt + 1) + 777);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct pq_results *r = read_ok("r.h5");
        size_t runs;
        pq_results_runs(r, &runs);
        assert_true(runs >= least);
        least = runs;
        pq_results_close(r);
    }
    assert_true(least > 1);
    sample_write("r.h5", true, 8, 1);
    assert_int_equal(system("test \"$(ls)\" = r.h5"), 0); /* nothing of the killed ones is left */
}

/* A disk that takes no more: reported as the world's failure, and nothing is lost. */
static void survives_full_disk(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 2);
    size_t bytes;
    free(sample_read_file("r.h5", &bytes));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct pq_environment env = { 0 };
        struct pq_error err = { "" };
        struct pq_results *r;
        struct pq_run_record run = sample_run(8, "published", 9);
        struct rlimit limit = { bytes / 2, bytes / 2 };
        size_t runs;
        signal(SIGXFSZ, SIG_IGN);
        bool ok = pq_results_open("r.h5", true, &env, &r, &err) == PQ_OK && setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                  pq_results_add_run(r, &run, &err) == PQ_WORLD && strstr(err.text, "r.h5: cannot write");
        pq_results_runs(r, &runs);
        pq_results_close(r);
        _exit(ok && runs == 2 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct pq_results *r = read_ok("r.h5");
    assert_int_equal(r->runs, 2);
    pq_results_close(r);
    assert_int_equal(system("test \"$(ls)\" = r.h5"), 0);
}

/* The file as any HDF5 program sees it: names, units, and numbers by name. */
static void plain_hdf5(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 2);
    hid_t file = H5Fopen("r.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t runs = H5Dopen2(file, "/runs", H5P_DEFAULT), row = H5Dget_type(runs);
    assert_true(file >= 0 && runs >= 0);
    assert_int_equal(H5Tget_nmembers(row), pq_run_table.fields);
    for (size_t f = 0; f < pq_run_table.fields; f++) {
        char name[128], text[256];
        snprintf(name, sizeof name, "%s.unit", pq_run_table.field[f].name);
        hid_t unit = H5Aopen(runs, name, H5P_DEFAULT), type = H5Aget_type(unit);
        assert_true(unit >= 0 && H5Tget_size(type) <= sizeof text && H5Aread(unit, type, text) >= 0);
        assert_string_equal(text, pq_run_table.field[f].unit);
        H5Tclose(type);
        H5Aclose(unit);
        snprintf(name, sizeof name, "%s.meaning", pq_run_table.field[f].name);
        assert_true(H5Aexists(runs, name) > 0);
    }
    uint64_t online[2];
    hid_t one = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(one, "online_ns", 0, H5T_NATIVE_UINT64);
    assert_true(H5Dread(runs, one, H5S_ALL, H5S_ALL, H5P_DEFAULT, online) >= 0);
    assert_int_equal(online[1], 9000000);
    assert_true(H5Lexists(file, "/environment/command_line", H5P_DEFAULT) > 0);
    H5Tclose(one);
    H5Tclose(row);
    H5Dclose(runs);
    H5Fclose(file);
}

/* The written specification names every field with its unit, in order. */
static void specification_is_complete(void **state)
{
    (void)state;
    size_t bytes;
    char *text = sample_read_file(PQ_SCHEMA_MD, &bytes), *at = text;
    const struct pq_table *const table[4] = { &pq_run_table, &pq_op_table, &pq_evaluation_table, &pq_sentence_table };
    for (size_t t = 0; t < 4; t++)
        for (size_t f = 0; f < table[t]->fields; f++) {
            const struct pq_field *field = &table[t]->field[f];
            char row[512];
            snprintf(row, sizeof row, "| `%s` | %s | %s | %s |", field->name,
                     field->kind == PQ_KIND_text ? "text" : field->kind == PQ_KIND_u64 ? "u64" : "f64", field->unit,
                     field->meaning);
            char *found = strstr(at, row);
            if (!found)
                fail_msg("SCHEMA.md lacks, in this place: %s", row);
            at = found;
        }
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_trip),          TEST(counts_points), TEST(throughput), TEST(keeps_changed_environments),
        TEST(refuses_with_reason), TEST(survives_kill), TEST(survives_full_disk),
        TEST(plain_hdf5),          TEST(specification_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
