/* Material files: what is put is read back, each entry once; damage, foreign files, second users, wrong uses and full
 * disks are refused in one line. */
#include "../material_store.h"
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT = 3, BYTES = 70001 };

static struct pq_error err;
static char folder[] = "/tmp/pq_material_XXXXXX", path[64], part[80];
static struct pq_material_label label;
static uint8_t keys[PQ_MATERIAL_KEYS][PQ_KEY_BYTES], data[COUNT][BYTES];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/P1.0.h5", folder);
    snprintf(part, sizeof part, "%s.part", path);
    for (size_t i = 0; i < sizeof data; i++)
        data[i / BYTES][i % BYTES] = (uint8_t)(i * i >> 7);
    for (size_t i = 0; i < sizeof keys; i++)
        keys[i / PQ_KEY_BYTES][i % PQ_KEY_BYTES] = (uint8_t)(200 + i);
    label = (struct pq_material_label){ .program = "1.2 abc", .protocol = "published", .maximum = "tree",
                                        .tables = "direct", .mode = "secure", .seq = 16, .batch = 2, .ranks = 4,
                                        .party = 1, .rank = 3, .count = COUNT, .model_id = { 1, 2, 3 },
                                        .set_id = { 9, 8, 7 } };
    return pq_shape_parse("bert-tiny", &label.shape, &err) == PQ_OK ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    unlink(part);
    return 0;
}

static struct pq_material_file *create(uint64_t bytes, bool with_keys)
{
    struct pq_material_file *f;
    CHECK_OK(pq_material_file_create(path, &label, bytes, with_keys, &f, &err), &err);
    return f;
}

static void write_file(uint64_t bytes, bool with_keys)
{
    struct pq_material_file *f = create(bytes, with_keys);
    for (uint32_t e = 0; e < COUNT; e++)
        CHECK_OK(pq_material_file_put(f, e, data[e], &err), &err);
    if (with_keys)
        CHECK_OK(pq_material_file_put_keys(f, keys, &err), &err);
    CHECK_OK(pq_material_file_seal(f, &err), &err);
    CHECK_OK(pq_material_file_publish(f, &err), &err);
    pq_material_file_close(f);
}

static struct pq_material_file *open_file(void)
{
    struct pq_material_file *f;
    CHECK_OK(pq_material_file_open(path, &label, BYTES, true, &f, &err), &err);
    return f;
}

static void refused_as(const struct pq_material_label *wanted, uint64_t bytes, const char *words)
{
    struct pq_material_file *f;
    CHECK_USER_ERROR(pq_material_file_open(path, wanted, bytes, true, &f, &err), &err, words);
    assert_null(f);
    assert_non_null(strstr(err.text, path));
}

static void refused(const char *words)
{
    refused_as(&label, BYTES, words);
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static uint8_t *slurp(size_t *bytes)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &info), 0);
    uint8_t *all = pq_alloc(*bytes = (size_t)info.st_size);
    assert_int_equal(read(fd, all, *bytes), *bytes);
    close(fd);
    return all;
}

static void put_byte(uint64_t at, uint8_t value)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &value, 1, (off_t)at), 1);
    close(fd);
}

static void round_trip(void **state)
{
    (void)state;
    static uint8_t back[BYTES];
    uint8_t keys_back[PQ_MATERIAL_KEYS][PQ_KEY_BYTES];
    struct stat info;
    umask(0);
    struct pq_material_file *f = create(BYTES, true);
    umask(022);
    assert_int_equal(stat(part, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    for (uint32_t e = COUNT; e-- > 0;) /* in any order */
        CHECK_OK(pq_material_file_put(f, e, data[e], &err), &err);
    CHECK_OK(pq_material_file_put_keys(f, keys, &err), &err);
    CHECK_OK(pq_material_file_seal(f, &err), &err);
    assert_false(exists(path));
    CHECK_OK(pq_material_file_publish(f, &err), &err);
    assert_true(exists(path) && !exists(part));
    pq_material_file_close(f);

    for (uint32_t round = 0; round < COUNT; round++) { /* one user after the other */
        f = open_file();
        assert_memory_equal(pq_material_file_label(f), &label, sizeof label);
        pq_material_file_keys(f, keys_back);
        assert_memory_equal(keys_back, keys, sizeof keys);
        for (uint32_t e = 0; e < COUNT; e++) {
            assert_int_equal(!pq_material_file_used(f)[e], e >= round);
            CHECK_OK(pq_material_file_check(f, e, &err), &err);
        }
        CHECK_OK(pq_material_file_mark(f, round, &err), &err);
        CHECK_OK(pq_material_file_read(f, round, back, &err), &err);
        assert_memory_equal(back, data[round], BYTES);
        pq_material_file_close(f);
    }
}

/* Anyone with HDF5 can look into it. */
static void others_can_read(void **state)
{
    (void)state;
    static uint8_t back[COUNT][BYTES];
    uint8_t used[COUNT];
    write_file(BYTES, false);
    put_byte(0, 'p'); /* as it is */
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "/material", H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    assert_memory_equal(back, data, sizeof data);
    H5Dclose(set);
    set = H5Dopen2(file, "/used", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, used) >= 0);
    assert_int_equal(used[0] | used[1] | used[2], 0);
    H5Dclose(set);
    H5Fclose(file);
}

/* P0's files hold no entries. */
static void only_counts(void **state)
{
    (void)state;
    struct pq_material_file *f;
    write_file(0, true);
    CHECK_OK(pq_material_file_open(path, &label, 0, true, &f, &err), &err);
    CHECK_OK(pq_material_file_check(f, 1, &err), &err);
    CHECK_OK(pq_material_file_mark(f, 1, &err), &err);
    pq_material_file_close(f);
    CHECK_OK(pq_material_file_open(path, &label, 0, false, &f, &err), &err);
    assert_true(pq_material_file_used(f)[1] && !pq_material_file_used(f)[0]);
    pq_material_file_close(f);
    refused("dataset material");
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    struct pq_material_file *f, *g;
    write_file(BYTES, true);
    CHECK_USER_ERROR(pq_material_file_create(path, &label, BYTES, true, &g, &err), &err, "exists already");
    assert_true(exists(path) && !exists(part));
    unlink(path);

    f = create(BYTES, true);
    CHECK_USER_ERROR(pq_material_file_create(path, &label, BYTES, true, &g, &err), &err, "another job");
    assert_true(exists(part)); /* the first one's */
    pq_material_file_close(f); /* given up */
    assert_true(!exists(path) && !exists(part));

    int fd = open(part, O_WRONLY | O_CREAT, 0666); /* left by a killed process */
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    write_file(BYTES, true);
    pq_material_file_close(open_file());
    snprintf(err.text, sizeof err.text, "%s/missing/P1.0.h5", folder);
    char *elsewhere = strdup(err.text);
    CHECK_USER_ERROR(pq_material_file_create(elsewhere, &label, BYTES, true, &g, &err), &err, "cannot be created");
    free(elsewhere);
}

static void one_user_at_a_time(void **state)
{
    (void)state;
    write_file(BYTES, true);
    struct pq_material_file *f = open_file();
    refused("another job has it open");
    pq_material_file_close(f);
    pq_material_file_close(open_file());
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_file(BYTES, true);
    size_t bytes;
    uint8_t *whole = slurp(&bytes);
    for (size_t keep = bytes - 1; keep > 0; keep -= keep < 700 || keep % 8 ? 1 : 8) { /* HDF5's parts start at 8s */
        assert_int_equal(truncate(path, (off_t)keep), 0);
        refused("is truncated");
    }
    assert_int_equal(truncate(path, 0), 0);
    refused("is empty");
    free(whole);
    unlink(path);
    refused("cannot be opened");
    assert_int_equal(mkdir(path, 0700), 0);
    refused("cannot be opened");
    assert_int_equal(rmdir(path), 0);
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    write_file(BYTES, true);
    struct pq_material_file *f = open_file();
    const uint64_t used = f->used_at, material = f->material_at;
    size_t bytes;
    pq_material_file_close(f);
    uint8_t *whole = slurp(&bytes);
    assert_true(material + (uint64_t)COUNT * BYTES <= bytes);
    for (uint64_t at = 0; at < bytes; at += at < material ? 3 : 1009) {
        const bool is_mark = at >= used && at < used + COUNT;
        const bool is_entry = at >= material && at < material + (uint64_t)COUNT * BYTES;
        put_byte(at, whole[at] ^ (uint8_t)(1 << at % 8));
        if (!is_mark && !is_entry) {
            refused("; ");
        } else {
            const uint32_t changed = (uint32_t)(is_mark ? at - used : (at - material) / BYTES);
            f = open_file();
            for (uint32_t e = 0; e < COUNT; e++) {
                assert_int_equal(pq_material_file_used(f)[e] != 0, is_mark && e == changed);
                assert_int_equal(pq_material_file_check(f, e, &err), is_entry && e == changed ? PQ_USER : PQ_OK);
            }
            if (is_entry)
                assert_non_null(strstr(err.text, "is damaged"));
            pq_material_file_close(f);
        }
        put_byte(at, whole[at]);
    }
    pq_material_file_close(open_file()); /* as it was */
    free(whole);
}

static void open_secrets_are_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = { 0604, 0640, 0660, 0602, 0620, 0644, 0777 };
    write_file(BYTES, true);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        refused("chmod 600");
    }
}

static void wrong_uses_are_refused(void **state)
{
    (void)state;
    struct pq_material_label w;
    write_file(BYTES, true);
#define WRONG(change, words) w = label, (change), refused_as(&w, BYTES, words)
    WRONG(w.program[0] = '2', "another version of the program: 1.2 abc, not 2.2 abc");
    WRONG(w.model_id[31] = 1, "another model");
    WRONG(strcpy(w.protocol, "preprocessed"), "another protocol: published, not preprocessed");
    WRONG(strcpy(w.maximum, "count"), "another maximum");
    WRONG(strcpy(w.tables, "compact"), "another tables");
    WRONG(w.seq = 17, "another length: 16, not 17");
    WRONG(w.batch = 1, "another batch");
    WRONG(w.ranks = 3, "another ranks per party: 4, not 3");
    WRONG(w.party = 2, "another party");
    WRONG(w.rank = 0, "another rank");
    WRONG(w.shape.layers++, "layers");
#undef WRONG
    refused_as(&label, BYTES + 1, "dataset material");
    w = label; /* what its user learns from it */
    w.count = 99;
    w.set_id[0]++;
    strcpy(w.mode, "else");
    struct pq_material_file *f;
    CHECK_OK(pq_material_file_open(path, &w, BYTES, true, &f, &err), &err);
    pq_material_file_close(f);
    unlink(path);
    write_file(BYTES, false);
    refused("dataset keys");
}

/* What a careless writer could seal. */
static void contradictions_are_refused(void **state)
{
    (void)state;
    static const char *const datasets[] = { "used", "keys", "digest", "material" };
    static const char *const attributes[] = { "format", "version", "program", "seq", "set_id", "hidden" };
    enum { DATASETS = 4, ATTRIBUTES = 6 };
    struct pq_seal_part open_part[PQ_SEAL_PARTS];
    for (size_t i = 0; i < DATASETS + ATTRIBUTES; i++) {
        int fd;
        write_file(BYTES, true);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        if (i < DATASETS)
            assert_true(H5Ldelete(file, datasets[i], H5P_DEFAULT) >= 0);
        else
            assert_true(H5Adelete(file, attributes[i - DATASETS]) >= 0);
        H5Fclose(file);
        struct pq_error ignored;
        assert_int_equal(pq_seal_check(path, &pq_material_seal, open_part, NULL, &ignored), PQ_USER);
        fd = open(path, O_RDWR);
        struct stat info;
        assert_int_equal(fstat(fd, &info), 0);
        for (int k = 0; k < PQ_SEAL_PARTS; k++) /* the end of the file may have gone with the dataset */
            if (open_part[k].at + open_part[k].bytes > (uint64_t)info.st_size)
                open_part[k] = (struct pq_seal_part){ (uint64_t)info.st_size, 0 };
        CHECK_OK(pq_seal_close(fd, path, &pq_material_seal, open_part, &err), &err);
        close(fd);
        refused(i < DATASETS ? datasets[i] : attributes[i - DATASETS]);
        unlink(path);
    }
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disks(void **state)
{
    (void)state;
    struct pq_material_file *f;
    struct pq_material_label huge = label;
    huge.count = 4000000;
    assert_int_equal(pq_material_file_create(path, &huge, (uint64_t)1 << 40, false, &f, &err), PQ_WORLD);
    assert_non_null(strstr(err.text, "do not fit"));
    assert_true(!exists(path) && !exists(part));

    signal(SIGXFSZ, SIG_IGN);
    limit_files(100000);
    assert_int_equal(pq_material_file_create(path, &label, BYTES, false, &f, &err), PQ_WORLD);
    assert_non_null(strstr(err.text, "do not fit"));
    assert_true(!exists(path) && !exists(part));

    limit_files(RLIM_INFINITY);
    f = create(BYTES, false); /* reserved, but what is on the disk may still fail */
    CHECK_OK(pq_material_file_put(f, 0, data[0], &err), &err);
    limit_files(100000);
    assert_int_equal(pq_material_file_put(f, 1, data[1], &err), PQ_WORLD);
    assert_non_null(strstr(err.text, "cannot be written"));
    pq_material_file_close(f);
    assert_true(!exists(path) && !exists(part));

    limit_files(RLIM_INFINITY);
    write_file(BYTES, true);
    f = open_file();
    limit_files(1000);
    assert_int_equal(pq_material_file_mark(f, 0, &err), PQ_WORLD);
    assert_non_null(strstr(err.text, "cannot be marked"));
    limit_files(RLIM_INFINITY);
    pq_material_file_close(f);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, remove_file)
    const struct CMUnitTest tests[] = {
        TEST(round_trip), TEST(others_can_read), TEST(only_counts), TEST(nothing_is_overwritten),
        TEST(one_user_at_a_time), TEST(every_truncation_is_refused), TEST(every_changed_byte_is_found),
        TEST(open_secrets_are_refused), TEST(wrong_uses_are_refused), TEST(contradictions_are_refused),
        TEST(full_disks),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
