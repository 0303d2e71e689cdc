/* The words in the public file: kept as they are, absent in files of earlier programs, refused when damaged. */
#include "model_files.h"

static struct pq_error err;
static const char words[] = "[UNK]\n[CLS]\n[SEP]\nfilm\n##s\n";

/* A model with these words; bytes 0: without. */
static void write_words(const char *text, size_t bytes)
{
    struct pq_shape shape;
    struct pq_model model;
    struct pq_embedding embedding;
    CHECK_OK(pq_shape_parse(odd, &shape, &err), &err);
    pq_synth_end(pq_synth_begin(&shape, 1, &model, &embedding));
    embedding.vocab = memcpy(pq_alloc(bytes), text, bytes);
    embedding.vocab_bytes = (uint32_t)bytes;
    CHECK_OK(pq_model_write(prefix, &model, &embedding, &err), &err);
    pq_model_free(&model);
    pq_embedding_free(&embedding);
}

static void words_are_kept(void **state)
{
    (void)state;
    struct pq_embedding e;
    write_words(words, sizeof words - 1);
    CHECK_OK(pq_model_read_public(prefix, &e, &err), &err);
    assert_int_equal(e.vocab_bytes, sizeof words - 1);
    assert_memory_equal(e.vocab, words, sizeof words - 1);
    pq_embedding_free(&e);

    write_model(odd, 1);
    hid_t file = H5Fopen(public, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_int_equal(H5Lexists(file, "vocab", H5P_DEFAULT), 0);
    H5Fclose(file);
    CHECK_OK(pq_model_read_public(prefix, &e, &err), &err);
    assert_null(e.vocab);
    assert_int_equal(e.vocab_bytes, 0);
    pq_embedding_free(&e);
}

static void refused(const char *part)
{
    struct pq_embedding e;
    CHECK_USER_ERROR(pq_model_read_public(prefix, &e, &err), &err, part);
    assert_non_null(strstr(err.text, public));
    assert_null(e.word);
}

static void damaged_words_are_refused(void **state)
{
    (void)state;
#define HEAD "[UNK]\n[CLS]\n[SEP]\n"
    static const struct { const char *text; size_t bytes; const char *part; } bad[] = {
#define BAD(text, part) { text, sizeof text - 1, part }
        BAD("[UNK]\n[CLS]\n", "dataset vocab: has no token [SEP]"),
        BAD(HEAD "film\nfilm\n", "line 5 says the same token as line 4"),
        BAD(HEAD "\n", "line 4 is empty"),
        BAD(HEAD "\xc3\n", "byte 18 is not UTF-8"),
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_words(bad[i].text, bad[i].bytes);
        refused(bad[i].part);
    }
    char many[51 * 3 + 18 + 1] = HEAD;
    for (int i = 0; i < 51; i++)
        snprintf(many + 18 + 3 * i, 4, "%02d\n", i);
    write_words(many, sizeof many - 1);
    refused("has 54 tokens, but the model's vocabulary only 50");
}

/* The file with its words replaced by another dataset, or by none, and sealed. */
static void replace(hid_t type, int rank, const hsize_t dims[2], const char *text)
{
    hid_t file = H5Fopen(public, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "vocab", H5P_DEFAULT) >= 0);
    if (rank >= 0) {
        hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
        hid_t set = H5Dcreate2(file, "vocab", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(set >= 0);
        if (text)
            assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
        H5Dclose(set);
        H5Sclose(space);
    }
    assert_true(H5Fclose(file) >= 0);
    reseal(public, &pq_public_file, PQ_MODEL_FILE_VERSION);
}

static void sealed_nonsense_is_refused(void **state)
{
    (void)state;
    static const hsize_t good[2] = { sizeof words - 1, 1 }, none[1] = { 0 }, huge[1] = { UINT64_C(1) << 40 };
    size_t bytes;
    write_words(words, sizeof words - 1);
    char *whole = slurp(public, &bytes);
    char other[sizeof words], zeros[sizeof words] = { 0 };
    memcpy(other, words, sizeof words);
    const struct { hid_t type; int rank; const hsize_t *dims; const char *text, *part; } cases[] = {
        { 0, -1, NULL, NULL, "content_sha256" },
        { H5T_STD_U8LE, 1, none, NULL, "no text of 1 to" },
        { H5T_STD_U8LE, 1, huge, NULL, "no text of 1 to" },
        { H5T_STD_U8LE, 0, NULL, NULL, "no text of 1 to" },
        { H5T_STD_U8LE, 2, good, NULL, "not of the size" },
        { H5T_STD_I8LE, 1, good, NULL, "has not the type" },
        { H5T_IEEE_F64LE, 1, good, NULL, "has not the type" },
        { H5T_STD_U8LE, 1, good, NULL, "lacks values" },
        { H5T_STD_U8LE, 1, good, zeros, "value 0 of dataset vocab is 0" },
        { H5T_STD_U8LE, 1, good, other, "content_sha256" },
    };
    other[19] = 'o'; /* folm */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        replace(cases[i].type, cases[i].rank, cases[i].dims, cases[i].text);
        refused(cases[i].part);
        spill(public, whole, bytes);
    }
    hid_t file = H5Fopen(public, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "vocab", H5P_DEFAULT) >= 0);
    hid_t group = H5Gcreate2(file, "vocab", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    assert_true(H5Fclose(file) >= 0);
    reseal(public, &pq_public_file, PQ_MODEL_FILE_VERSION);
    refused("no text of 1 to");
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_kept),
        cmocka_unit_test(damaged_words_are_refused),
        cmocka_unit_test(sealed_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
