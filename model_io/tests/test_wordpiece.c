/* Text to token ids with a vocabulary of a few words, and vocabularies that are none. The comparison with the reference
 * tokenizer is test_reference_tokenizer.py. */
#include "../splitmix.h"
#include "../wordpiece.h"
#include "check.h"

#include <unistd.h>

static struct pq_error err;
static const struct pq_shape shape = { .vocab = 40, .max_seq = 512 };

/* Number: line. */
static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\naffable\nfilm\n##s\n,\n!\n"
                            ".\n中\n文\nnaive\n"
                            "a\n##a\n\xc3\xb8\nstrasse\n\xe1\x84\x92\n##\xe1\x85\xa1\n##\xe1\x86\xab\n##\n"
                            "[\n]\ncls\n$\n\xe2\x80\x99\n";
enum { UNK = 1, CLS = 2, SEP = 3, MASK = 4, NONE = -1 };

static struct pq_vocabulary *vocabulary(void)
{
    struct pq_vocabulary *v;
    CHECK_OK(pq_vocabulary_create(words, sizeof words - 1, &shape, "words", &v, &err), &err);
    return v;
}

/* want: ids between [CLS] and [SEP], then NONE. */
static void encodes(const char *text, size_t bytes, const int want[])
{
    uint32_t token[512];
    size_t count, expected = 1;
    bool cut;
    struct pq_vocabulary *v = vocabulary();
    CHECK_OK(pq_wordpiece_encode(v, text, bytes, "text", token, 512, &count, &cut, &err), &err);
    assert_false(cut);
    assert_int_equal(token[0], CLS);
    for (; want[expected - 1] != NONE; expected++) {
        if (expected >= count - 1 || token[expected] != (uint32_t)want[expected - 1])
            fail_msg("'%s': token %zu is %u of %zu, not %d", text, expected, token[expected], count,
                     want[expected - 1]);
    }
    assert_int_equal(count, expected + 1);
    assert_int_equal(token[expected], SEP);
    pq_vocabulary_free(v);
}
#define ENCODES(text, ...) encodes(text, sizeof text - 1, (const int[]){ __VA_ARGS__, NONE })

static void texts(void **state)
{
    (void)state;
    encodes("", 0, (const int[]){ NONE });
    encodes(" \t\r\n\xc2\xa0\xe3\x80\x80\xe2\x80\xa8", 13, (const int[]){ NONE });
    ENCODES("unaffable films", 5, 6, 7, 9, 10);
    ENCODES("Unaffable FILMS!", 5, 6, 7, 9, 10, 12);
    ENCODES("affable,film.", 8, 11, 9, 13);
    ENCODES("unfilm", UNK);
    ENCODES("x film x", UNK, 9, UNK);
    ENCODES("na\xc3\xafve NAI\xcc\x88VE", 16, 16);                      /* composed and decomposed accents */
    ENCODES("\xc3\x98 \xc3\xb8", 19, 19);                                   /* a stroke is no accent */
    ENCODES("\xe4\xb8\xad\xe6\x96\x87" "film\xe4\xb8\xad", 14, 15, 9, 14);    /* ideographs are words */
    ENCODES("\xed\x95\x9c", 21, 22, 23);                                      /* a Hangul syllable comes apart */
    ENCODES("fi\xc2\xadl\xe2\x80\x8bm\x07 \xef\xbf\xbd film\0s", 9, 9, 10);     /* format, control, U+FFFD, U+0000 */
    ENCODES("a\xe2\x80\x99s $a", 17, 29, UNK, 28, 17);
    ENCODES("film\xf0\x9f\x98\x80 \xf0\x9f\x98\x80", UNK, UNK);                /* emoji are in no word */
    ENCODES("##s", UNK, UNK, UNK);                                       /* text cannot name the middle of a word */
}

static void special_tokens(void **state)
{
    (void)state;
    ENCODES("a[MASK]a [SEP] [mask]", 17, MASK, 17, SEP, 25, UNK, 26);
    ENCODES("[CLS [CLS]]", 25, 27, CLS, 26);
    ENCODES("[UNK][PAD]", UNK, 0);
}

static void long_words(void **state)
{
    (void)state;
    char text[1000];
    int want[102];
    memset(text, 'a', sizeof text);
    want[0] = 17;
    for (int i = 1; i < 100; i++)
        want[i] = 18;
    want[100] = NONE;
    encodes(text, 100, want);
    encodes(text, 101, (const int[]){ UNK, NONE });
    encodes(text, sizeof text, (const int[]){ UNK, NONE });
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "\xf0\x90\x80\x80", 4); /* four bytes a character */
    encodes(text, 400, (const int[]){ UNK, NONE });
    encodes(text, sizeof text, (const int[]){ UNK, NONE });
}

static void cutting(void **state)
{
    (void)state;
    static const char text[] = "film film films";
    static const uint32_t all[] = { CLS, 9, 9, 9, 10, SEP };
    struct pq_vocabulary *v = vocabulary();
    for (size_t max = 2; max <= 8; max++) {
        uint32_t token[8];
        size_t count;
        bool cut;
        CHECK_OK(pq_wordpiece_encode(v, text, sizeof text - 1, "text", token, max, &count, &cut, &err), &err);
        assert_int_equal(count, max < 6 ? max : 6);
        assert_int_equal(cut, max < 6);
        assert_memory_equal(token, all, (count - 1) * sizeof *all);
        assert_int_equal(token[count - 1], SEP);
    }
    pq_vocabulary_free(v);
}

static void not_utf8(void **state)
{
    (void)state;
    static const struct { const char *text; const char *part; } bad[] = {
        { "\xff", "text: byte 0 " },           { "film \x80", "byte 5 " },         { "a\xc3", "byte 1 " },
        { "a\xc3(", "byte 1 " },               { "\xc0\xaf", "byte 0 " },          { "ab\xed\xa0\x80", "byte 2 " },
        { "\xe2\x82", "byte 0 " },             { "\xc3\xa9\xf4\x90\x80\x80", "byte 2 " },
        { "\xf8\x88\x80\x80\x80", "byte 0 " },
        { "[MASK]\xe0\x80\x80", "byte 6 " },
    };
    struct pq_vocabulary *v = vocabulary();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t token[8];
        size_t count;
        bool cut;
        CHECK_USER_ERROR(pq_wordpiece_encode(v, bad[i].text, strlen(bad[i].text), "text", token, 8, &count, &cut, &err),
                         &err, bad[i].part);
    }
    pq_vocabulary_free(v);
}

/* Random bytes, alone and among characters: an answer or a refusal, and under the address sanitizer nothing else. */
static void random_bytes(void **state)
{
    (void)state;
    static const char *const part[] = { "film", " ", "[MASK]", "[", "\xcc\x88", "\xe4\xb8\xad", "\xed\x95\x9c",
                                        "a", "\n",
                                        "\xf0\x9f\x98\x80", "un", "aff", "\xc3\xaf", ",", "\xef\xbf\xbd",
                                        "\xe1\xbe\x82" };
    struct pq_vocabulary *v = vocabulary();
    uint64_t seed = 7;
    size_t accepted = 0, refused = 0;
    for (int i = 0; i < 30000; i++) {
        size_t bytes = 0, wanted = pq_splitmix_next(&seed) % 300, count;
        const uint64_t damage = i % 3 == 0 ? 0 : i % 3 == 1 ? 40 : 1; /* of so many pieces one is a random byte */
        char *text = pq_alloc(wanted + 8);
        uint32_t token[64];
        bool cut;
        while (bytes < wanted) {
            const uint64_t r = pq_splitmix_next(&seed);
            if (damage && r % damage == 0)
                text[bytes++] = (char)(r >> 40);
            else {
                const char *p = part[(r >> 32) % (sizeof part / sizeof *part)];
                memcpy(text + bytes, p, strlen(p));
                bytes += strlen(p);
            }
        }
        char *exact = pq_alloc(bytes); /* so that a byte read behind its end is found */
        memcpy(exact, text, bytes);
        const size_t max = 2 + pq_splitmix_next(&seed) % 63;
        if (pq_wordpiece_encode(v, exact, bytes, "text", token, max, &count, &cut, &err) == PQ_OK) {
            accepted++;
            assert_in_range(count, 2, max);
            for (size_t k = 0; k < count; k++)
                assert_true(token[k] < pq_vocabulary_count(v));
        } else
            refused++;
        free(exact);
        free(text);
    }
    assert_true(accepted > 10000 && refused > 10000);
    pq_vocabulary_free(v);
}

/* ---- vocabularies ---- */

static void bad_vocabularies(void **state)
{
    (void)state;
#define HEAD "[UNK]\n[CLS]\n[SEP]\n"
    static const struct { const char *text; size_t bytes; const char *part; } bad[] = {
#define BAD(text, part) { text, sizeof text - 1, part }
        BAD("", "has no token [UNK]"),
        BAD("[UNK]\n[CLS]\n", "has no token [SEP]"),
        BAD(HEAD "a\n\nb\n", "line 5 is empty"),
        BAD(HEAD "\r\n", "line 4 is empty"),
        BAD(HEAD "a\0b\n", "line 4 is empty or has a zero byte"),
        BAD(HEAD "a\nb\na\n", "line 6 says the same token as line 4"),
        BAD(HEAD "a\nb\na", "line 6 says the same token as line 4"),
        BAD(HEAD "\xff\n", "byte 18 is not UTF-8"),
        BAD(HEAD "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nA\n"
            "B\nC\nD\nE\nF\nG\nH\nI\nJ\nK\nL\nM\nN\nO\nP\nQ\nR\nS\nT\nU\nV\nW\nX\nY\nZ\na\nb\n",
            "has 41 tokens, but the model's vocabulary only 40"),
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pq_vocabulary *v;
        CHECK_USER_ERROR(pq_vocabulary_create(bad[i].text, bad[i].bytes, &shape, "words", &v, &err), &err,
                         bad[i].part);
        assert_memory_equal(err.text, "words: ", 7);
        assert_null(v);
    }
}

static void good_vocabularies(void **state)
{
    (void)state;
    static const char text[] = "[CLS]\r\n[UNK]\r\n[SEP]\r\nlast";
    struct pq_vocabulary *v;
    size_t bytes;
    CHECK_OK(pq_vocabulary_create(text, sizeof text - 1, &shape, "words", &v, &err), &err);
    assert_int_equal(pq_vocabulary_count(v), 4);
    assert_int_equal(pq_vocabulary_special(v, PQ_UNK), 1);
    assert_int_equal(pq_vocabulary_special(v, PQ_PAD), PQ_NO_TOKEN);
    assert_int_equal(pq_vocabulary_find(v, "last", 4), 3);
    assert_int_equal(pq_vocabulary_find(v, "las", 3), PQ_NO_TOKEN);
    assert_memory_equal(pq_vocabulary_word(v, 2, &bytes), "[SEP]", 5);
    assert_int_equal(bytes, 5);
    pq_vocabulary_free(v);
    pq_vocabulary_free(NULL);
}

static void vocabulary_files(void **state)
{
    (void)state;
    char path[] = "/tmp/pq_vocab_XXXXXX", *text;
    size_t bytes;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    CHECK_USER_ERROR(pq_vocabulary_read(path, &text, &bytes, &err), &err, "it is empty");
    assert_int_equal(write(fd, words, sizeof words - 1), sizeof words - 1);
    CHECK_OK(pq_vocabulary_read(path, &text, &bytes, &err), &err);
    assert_int_equal(bytes, sizeof words - 1);
    assert_memory_equal(text, words, bytes);
    free(text);
    assert_int_equal(ftruncate(fd, (1 << 19) + 3), 0); /* longer than the first buffer */
    CHECK_OK(pq_vocabulary_read(path, &text, &bytes, &err), &err);
    assert_int_equal(bytes, (1 << 19) + 3);
    free(text);
    assert_int_equal(ftruncate(fd, PQ_VOCABULARY_BYTES + 1), 0);
    CHECK_USER_ERROR(pq_vocabulary_read(path, &text, &bytes, &err), &err, "longer than 64 MiB");
    assert_null(text);
    close(fd);
    assert_int_equal(unlink(path), 0);
    CHECK_USER_ERROR(pq_vocabulary_read(path, &text, &bytes, &err), &err, "cannot be opened");
    CHECK_USER_ERROR(pq_vocabulary_read("/tmp", &text, &bytes, &err), &err, "/tmp: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),           cmocka_unit_test(special_tokens),    cmocka_unit_test(long_words),
        cmocka_unit_test(cutting),         cmocka_unit_test(not_utf8),          cmocka_unit_test(random_bytes),
        cmocka_unit_test(bad_vocabularies), cmocka_unit_test(good_vocabularies), cmocka_unit_test(vocabulary_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
