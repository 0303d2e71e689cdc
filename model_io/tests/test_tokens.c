#include "../tokens.h"
#include "check.h"

#include <unistd.h>

static char path[] = "/tmp/pq_tokens_XXXXXX";
static struct pq_error err;
static const struct pq_shape shape = { .vocab = 100, .max_seq = 8 };

static void put(const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void reads(const char *text, const uint32_t *want, size_t count)
{
    uint32_t *token;
    size_t found;
    put(text, strlen(text));
    CHECK_OK(pq_tokens_read(path, &shape, &token, &found, &err), &err);
    assert_int_equal(found, count);
    assert_memory_equal(token, want, count * sizeof *want);
    free(token);
}

static void good_files(void **state)
{
    (void)state;
    static const uint32_t want[] = { 0, 99, 7 }, most[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    reads("0 99 7\n", want, 3);
    reads("0 99 7", want, 3);
    reads("# a comment 5 6\n  0\r\n\n99# and 8\n\t0007 # end", want, 3);
    reads("1 2 3 4\n5 6 7 8\n", most, 8);
}

static void bad(const char *text, size_t bytes, const char *part)
{
    uint32_t *token;
    size_t found;
    put(text, bytes);
    CHECK_USER_ERROR(pq_tokens_read(path, &shape, &token, &found, &err), &err, part);
    assert_non_null(strstr(err.text, path));
    assert_null(token);
}

static void bad_files(void **state)
{
    (void)state;
#define BAD(text, part) bad(text, sizeof text - 1, part)
    BAD("", "line 1: the file ends without a token");
    BAD("# nothing\n\n", "line 3: the file ends without a token");
    BAD("1 2\n3 four 5\n", "line 2: 'four'");
    BAD("1\n#x\n-3\n", "line 3: '-3'");
    BAD("1.5\n", "line 1: '1.5'");
    BAD("0x10\n", "line 1: '0x10'");
    BAD("1,2,3\n", "line 1: '1,2,3'");
    BAD("1\n100\n", "line 2: token id 100 is outside");
    BAD("99999999999999999999999999999999999\n", "line 1: token id 9999");
    BAD("4294967296\n", "line 1: token id 4294967296 is outside");
    BAD("1 2 3 4\n5 6 7 8\n9\n", "line 3: more than 8");
    BAD("1 2\0 3\n", "line 1: '2?'");
    BAD("1 \x89HDF\r\n\x1a\n", "line 1: '?HDF'");
#undef BAD
}

static void unreadable_files(void **state)
{
    (void)state;
    uint32_t *token;
    size_t found;
    CHECK_USER_ERROR(pq_tokens_read("/nonexistent/tokens", &shape, &token, &found, &err), &err, "/nonexistent/tokens");
    CHECK_USER_ERROR(pq_tokens_read("/tmp", &shape, &token, &found, &err), &err, "/tmp: ");
}

static void random_tokens(void **state)
{
    (void)state;
    uint32_t a[4096], b[4096], c[4096], seen[100] = { 0 };
    pq_tokens_random(7, &shape, a, 4096);
    pq_tokens_random(7, &shape, b, 1000);
    pq_tokens_random(8, &shape, c, 4096);
    assert_memory_equal(a, b, 1000 * sizeof *a);
    assert_memory_not_equal(a, c, sizeof a);
    for (size_t i = 0; i < 4096; i++) {
        assert_true(a[i] < shape.vocab);
        seen[a[i]]++;
    }
    for (size_t i = 0; i < 100; i++)
        assert_in_range(seen[i], 10, 90); /* 41 expected */
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(random_tokens),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    return cmocka_run_group_tests(tests, NULL, remove_file);
}
