/* Files that are not ours, or not whole, are refused with one line; nothing in them is trusted. */
#include "sample.h"

#include "../record_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    refuses("r.h5", "schema 7, this program reads schema 1");

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

/* Cut anywhere: refused, or only the unused end was lost and every row is there. */
static void cut_short(void **state)
{
    (void)state;
    size_t bytes, runs;
    sample_write("r.h5", false, 8, 3);
    char *data = sample_read_file("r.h5", &bytes);
    for (size_t keep = 0; keep < bytes - bytes / 16; keep += 1 + keep / 16) {
        sample_write_file("cut.h5", data, keep);
        refuses("cut.h5", keep < 8 ? "not an HDF5 file" : "damaged");
    }
    for (size_t keep = bytes - bytes / 16; keep < bytes; keep += 61) {
        struct pq_error err;
        struct pq_results *r;
        sample_write_file("cut.h5", data, keep);
        enum pq_status status = pq_results_read("cut.h5", &r, &err);
        if (status == PQ_OK)
            pq_results_runs(r, &runs);
        assert_true(status == PQ_USER || (status == PQ_OK && runs == 3));
        pq_results_close(r);
    }
    free(data);
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
        TEST(foreign_files), TEST(other_versions), TEST(cut_short), TEST(rows_have_checksums), TEST(bent_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
