/* Labelled sentences: read as they stand, whatever ends their lines; and files that are none, each with its reason. */
#include "../labelled.h"
#include "check.h"

#include <unistd.h>

static struct pq_error err;
static char path[] = "/tmp/pq_labelled_XXXXXX";

static void put(const char *text, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}
#define PUT(text) put(text, sizeof(text) - 1)

static void says(const struct pq_labelled *d, size_t i, const char *text, uint32_t label, size_t line)
{
    assert_int_equal(d->sentence[i].bytes, strlen(text));
    assert_memory_equal(d->sentence[i].text, text, strlen(text));
    assert_int_equal(d->sentence[i].label, label);
    assert_int_equal(d->sentence[i].line, line);
}

static void sentences(void **state)
{
    (void)state;
    static const char *const files[] = {
        "sentence\tlabel\na moving film \t1\nna\xc3\xafve\t0\n",
        "sentence\tlabel\r\na moving film \t1\r\nna\xc3\xafve\t0",
        "\xef\xbb\xbfsentence\tlabel\na moving film \t1\nna\xc3\xafve\t0\r",
    };
    struct pq_labelled d;
    for (size_t i = 0; i < 3; i++) {
        put(files[i], strlen(files[i]));
        CHECK_OK(pq_labelled_read(path, 2, &d, &err), &err);
        assert_int_equal(d.count, 2);
        says(&d, 0, "a moving film ", 1, 2);
        says(&d, 1, "na\xc3\xafve", 0, 3);
        pq_labelled_free(&d);
        assert_null(d.file);
    }
    PUT("sentence\tlabel\nx\t63\n");
    CHECK_OK(pq_labelled_read(path, 64, &d, &err), &err);
    says(&d, 0, "x", 63, 2);
    pq_labelled_free(&d);
}

/* The digest that sha256sum prints. */
static void identity(void **state)
{
    (void)state;
    static const uint8_t want[4] = { 0x6c, 0x19, 0xa4, 0xeb };
    struct pq_labelled d;
    PUT("sentence\tlabel\nx\t1\n");
    CHECK_OK(pq_labelled_read(path, 2, &d, &err), &err);
    assert_memory_equal(d.id, want, sizeof want);
    pq_labelled_free(&d);
}

static void refused(const char *text, size_t bytes, const char *part)
{
    struct pq_labelled d;
    put(text, bytes);
    CHECK_USER_ERROR(pq_labelled_read(path, 2, &d, &err), &err, part);
    assert_non_null(strstr(err.text, path));
    assert_null(strstr(err.text, "hush"));
    assert_null(d.file);
    assert_null(d.sentence);
    assert_int_equal(d.count, 0);
}

static void wrong_files(void **state)
{
    (void)state;
#define H "sentence\tlabel\n"
#define BAD(text, part) refused(text, sizeof(text) - 1, part)
    BAD("", "it is empty");
    BAD("hush\t1\n", "line 1 is not the header");
    BAD("index\tsentence\n0\thush\n", "line 1 is not the header");
    BAD("sentence label\nhush\t1\n", "line 1 is not the header");
    BAD("sentence\tlabels\nhush\t1\n", "line 1 is not the header");
    BAD(H, "ends behind its header");
    BAD("sentence\tlabel", "ends behind its header");
    BAD(H "hush\t1\nhush\n", "line 3 has no tab");
    BAD(H "hush\t1\n\nhush\t1\n", "line 3 has no tab");
    BAD(H "hush\t1\t0\n", "line 2 has more than one tab");
    BAD(H "hush\t2\n", "line 2: its label is no number from 0 to 1");
    BAD(H "hush\t-1\n", "line 2: its label");
    BAD(H "hush\t\n", "line 2: its label");
    BAD(H "hush\t 1\n", "line 2: its label");
    BAD(H "hush\t1 \n", "line 2: its label");
    BAD(H "hush\t4294967297\n", "line 2: its label");
    BAD(H "hush\tpositive\n", "line 2: its label");
    BAD(H "\t1\n", "line 2 has an empty sentence");
    BAD(H "hush\t0\n \r \t1\n", "line 3 has an empty sentence");
    BAD(H "hush\t1\nhu\xffsh\t1\n", "line 3: byte 24 of the file is not UTF-8");
    BAD(H "hush \xed\xa0\x80\t1\n", "line 2: byte 20 of the file is not UTF-8");
    BAD(H "hush\t1\nhush \xc3", "byte 27 of the file");
#undef BAD
#undef H
}

static void not_to_be_read(void **state)
{
    (void)state;
    struct pq_labelled d;
    CHECK_USER_ERROR(pq_labelled_read("/tmp", 2, &d, &err), &err, "/tmp: cannot be read (it is no regular file)");
    CHECK_USER_ERROR(pq_labelled_read("/no/such", 2, &d, &err), &err, "No such file");
    PUT("");
    assert_int_equal(truncate(path, (off_t)PQ_LABELLED_BYTES + 1), 0);
    CHECK_USER_ERROR(pq_labelled_read(path, 2, &d, &err), &err, "longer than 256 MiB");
}

static int make_file(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(identity),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(not_to_be_read),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
