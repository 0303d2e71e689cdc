/* Files that are not ours, or not whole, are refused with one line; nothing in them is trusted. */
#include "sample.h"

#include "../record_store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

/* HDF5 loses memory of its own when metadata turn out damaged, and says so at exit if asked to tidy up (main). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

static void refuses(const char *path, const char *word)
{
    struct pq_error err = { "" };
    struct pq_results *r;
    assert_int_equal(pq_results_read(path, &r, &err), PQ_USER);
    assert_null(r);
    if (!strstr(err.text, path) || !strstr(err.text, word) || strchr(err.text, '\n'))
        fail_msg("unexpected line: %s", err.text);
}

static void text_attribute(hid_t place, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t a = H5Acreate2(place, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(a, type, text) >= 0);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

static void set_schema(hid_t place, uint64_t version)
{
    hid_t a = H5Aopen(place, "schema", H5P_DEFAULT);
    assert_true(H5Awrite(a, H5T_NATIVE_UINT64, &version) >= 0);
    H5Aclose(a);
}

static void foreign_files(void **state)
{
    (void)state;
    sample_write_file("notes.txt", "just some notes, nothing else", 29);
    refuses("notes.txt", "not an HDF5 file");
    sample_write_file("empty.h5", "", 0);
    refuses("empty.h5", "not an HDF5 file");
    refuses("/tmp", "not an HDF5 file");

    hid_t file = H5Fcreate("other.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    refuses("other.h5", "not a result file");
    file = H5Fopen("other.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    text_attribute(file, "format", "pqbert-model");
    H5Fclose(file);
    refuses("other.h5", "not a result file");
}

static void other_versions(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 2);
    hid_t file = H5Fopen("r.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    set_schema(file, 7);
    H5Fclose(file);
    refuses("r.h5", "schema 7, this program reads schema 1 to 5");

    file = H5Fopen("r.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    set_schema(file, PQ_SCHEMA_VERSION);
    assert_true(H5Ldelete(file, "/ops", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    refuses("r.h5", "damaged or cut short (ops)");

    sample_write("s.h5", false, 8, 2); /* fields under another name */
    file = H5Fopen("s.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "/runs", H5P_DEFAULT) >= 0);
    assert_true(H5Lmove(file, "/ops", file, "/runs", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    refuses("s.h5", "fields of /runs differ");
}

/* A file that the first version of the program wrote: read, its later fields as SCHEMA.md says, and continued. */
static void older_schema(void **state)
{
    (void)state;
    size_t bytes, runs, ops;
    char *data = sample_read_file(PQ_SCHEMA1, &bytes);
    sample_write_file("old.h5", data, bytes);
    free(data);
    struct pq_error err = { "" };
    struct pq_results *r;
    if (pq_results_read("old.h5", &r, &err) != PQ_OK)
        fail_msg("%s", err.text);
    const struct pq_run_record *run = pq_results_runs(r, &runs);
    pq_results_ops(r, &ops);
    assert_int_equal(runs, 12);
    assert_true(ops > 12);
    for (size_t i = 0; i < runs; i++) {
        assert_string_equal(run[i].system, "pqbert");
        assert_string_equal(run[i].model, "small");
        assert_string_equal(run[i].together, "");
        assert_string_equal(run[i].verdict, "VALID");
        assert_int_equal(run[i].parties, 3);
        assert_int_equal(run[i].hidden, 24);
        assert_int_equal(run[i].online_bytes, run[i].online_bytes_predicted);
        assert_true(run[i].online_ns > 0 && isnan(run[i].relative_error));
    }
    assert_int_equal(run[0].online_bytes, 4904); /* as the program that wrote it showed */
    pq_results_close(r);

    sample_write("old.h5", true, 8, 1);
    assert_int_equal(pq_results_read("old.h5", &r, &err), PQ_OK);
    run = pq_results_runs(r, &runs);
    assert_int_equal(runs, 13);
    assert_string_equal(run[11].system, "pqbert");
    pq_results_close(r);
}

/* As many entries as can be held, so that merging could not add its own. */
static void too_many_entries(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 1);
    hid_t file = H5Fopen("r.h5", H5F_ACC_RDWR, H5P_DEFAULT), place = H5Gopen2(file, "environment", H5P_DEFAULT);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5G_info_t info;
    for (int i = 0; H5Gget_info(place, &info) >= 0 && info.nlinks < 48; i++) {
        char name[24];
        snprintf(name, sizeof name, "more%d", i);
        hid_t entry = H5Dcreate2(place, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(entry >= 0 && H5Dwrite(entry, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, "x") >= 0);
        H5Dclose(entry);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Gclose(place);
    H5Fclose(file);
    refuses("r.h5", "damaged or cut short (environment)");
}

/* Our fields in a file that says it is older: what it need not have may lack, and nothing else. */
static void schema_and_fields_disagree(void **state)
{
    (void)state;
    sample_write("r.h5", false, 8, 1);
    hid_t file = H5Fopen("r.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    set_schema(file, 1);
    H5Fclose(file);
    refuses("r.h5", "fields of /runs differ from this program's (their number)");
    size_t bytes;
    char *data = sample_read_file(PQ_SCHEMA1, &bytes);
    sample_write_file("old.h5", data, bytes);
    free(data);
    file = H5Fopen("old.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    set_schema(file, 2);
    H5Fclose(file);
    refuses("old.h5", "fields of /runs differ from this program's (their number)");
    file = H5Fopen("old.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    set_schema(file, 0);
    H5Fclose(file);
    refuses("old.h5", "schema 0, this program reads schema 1 to 5");
}

/* Where the file ends, as the superblock says (version 2 or 3). */
static size_t stored_end(const char *data)
{
    uint64_t end;
    assert_true(data[8] == 2 || data[8] == 3);
    memcpy(&end, data + 28, sizeof end);
    return (size_t)end;
}

/* Cut anywhere: refused. HDF5's parts start at multiples of 8. Files of older programs have an unused end, and what
 * lacks only of that is whole. */
static void cut_short(void **state)
{
    (void)state;
    size_t bytes[2];
    sample_write("r.h5", false, 8, 3);
    char *data[2] = { sample_read_file("r.h5", &bytes[0]), sample_read_file(PQ_SCHEMA1, &bytes[1]) };
    assert_int_equal(stored_end(data[0]), bytes[0]);
    for (int f = 0; f < 2; f++) {
        sample_write_file("cut.h5", data[f], stored_end(data[f]));
        struct pq_error err = { "" };
        struct pq_results *r;
        assert_int_equal(pq_results_read("cut.h5", &r, &err), PQ_OK);
        pq_results_close(r);
        for (size_t keep = stored_end(data[f]) - 1; keep > 0; keep -= keep < 64 || keep % 8 ? 1 : 8) {
            assert_int_equal(truncate("cut.h5", (off_t)keep), 0);
            refuses("cut.h5", keep < 8 ? "not an HDF5 file" : "damaged");
        }
        free(data[f]);
    }
}

/* One byte of a row changed on the disk: the checksum sees it. */
static void rows_have_checksums(void **state)
{
    (void)state;
    size_t bytes, found = 0;
    sample_write("r.h5", false, 8, 3);
    char *data = sample_read_file("r.h5", &bytes);
    for (size_t i = 0; i + 10 <= bytes; i++)
        if (memcmp(data + i, "published", 10) == 0) {
            data[i] ^= 1;
            sample_write_file("bent.h5", data, bytes);
            refuses("bent.h5", "damaged or cut short (runs)");
            data[i] ^= 1;
            found++;
        }
    assert_int_equal(found, 3);
    free(data);
}

/* Bytes bent anywhere: refused or read, never a crash, an endless loop or a huge allocation. */
static void bent_anywhere(void **state)
{
    (void)state;
    const char *all = getenv("PQ_TEST_EVERY_BYTE"); /* takes minutes */
    size_t bytes, refused = 0, step = all ? 1 : 97;
    sample_write("r.h5", false, 8, 1);
    char *data = sample_read_file("r.h5", &bytes);
    for (size_t i = 0; i < bytes; i += step) {
        struct pq_error err;
        struct pq_results *r;
        char kept = data[i];
        data[i] = (char)(kept ^ 0x41);
        sample_write_file("bent.h5", data, bytes);
        enum pq_status status = pq_results_read("bent.h5", &r, &err);
        assert_true(status == PQ_OK || status == PQ_USER);
        refused += status == PQ_USER;
        pq_results_close(r);
        data[i] = kept;
    }
    assert_true(refused > 0);
    free(data);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sample_enter, sample_leave)

int main(void)
{
    H5dont_atexit();
    const struct CMUnitTest tests[] = {
        TEST(foreign_files), TEST(other_versions),      TEST(older_schema), TEST(schema_and_fields_disagree),
        TEST(too_many_entries), TEST(cut_short),     TEST(rows_have_checksums), TEST(bent_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
