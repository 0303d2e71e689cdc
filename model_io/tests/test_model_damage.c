/* Damaged, foreign and contradictory model files: each is refused in one line. */
#include "model_files.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pq_error err;

/* ---- what the seal finds ---- */

static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_model(odd, 1);
    const char *const path[2] = { secret, public };
    void (*const refused[2])(const char *) = { refused_secret, refused_public };
    for (int f = 0; f < 2; f++) {
        size_t bytes;
        char *whole = slurp(path[f], &bytes);
        for (size_t keep = bytes - 1; keep > 0; keep -= keep < 700 || keep % 8 ? 1 : 8) { /* HDF5's parts start at 8s */
            assert_int_equal(truncate(path[f], (off_t)keep), 0);
            refused[f]("is truncated");
        }
        assert_int_equal(truncate(path[f], 0), 0);
        refused[f]("is empty");
        char *longer = pq_alloc(bytes + 1);
        memcpy(longer, whole, bytes);
        longer[bytes] = 0;
        spill(path[f], longer, bytes + 1);
        refused[f]("is damaged");
        free(longer);
        free(whole);
    }
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    write_model("layers=1,hidden=12,heads=1,ffn=9,vocab=5,max_seq=2,trunc=4", 1);
    const char *const path[2] = { secret, public };
    void (*const refused[2])(const char *) = { refused_secret, refused_public };
    for (int f = 0; f < 2; f++) {
        size_t bytes;
        char *data = slurp(path[f], &bytes);
        for (size_t at = 0; at < bytes; at += at < PQ_SEAL_BYTES ? 1 : 131) {
            char flip = (char)(1 << (at * 5 % 8));
            FILE *file = fopen(path[f], "r+b");
            assert_non_null(file);
            assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
            putc(data[at] ^ flip, file);
            fclose(file);
            refused[f]("; ");
            file = fopen(path[f], "r+b");
            fseek(file, (long)at, SEEK_SET);
            putc(data[at], file);
            fclose(file);
        }
        free(data);
    }
    struct pq_model model;
    CHECK_OK(pq_model_read_secret(prefix, &model, &err), &err); /* as it was */
    pq_model_free(&model);
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    write_model(odd, 1);
    size_t bytes;
    char *data = slurp(secret, &bytes);
    spill(public, data, bytes);
    refused_public("of kind 'model-secret'");
    free(data);
    spill(secret, "hello, world\n", 13);
    refused_secret("is not a pqbert file");

    hid_t file = H5Fcreate(public, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    H5Fclose(file);
    refused_public("some other HDF5 file");
    reseal(public, &pq_public_file, 2);
    refused_public("has format version 2");

    assert_int_equal(unlink(public), 0);
    refused_public("cannot be opened");
    assert_int_equal(mkdir(public, 0700), 0);
    refused_public("is not a regular file");
    assert_int_equal(rmdir(public), 0);
}

static void open_secrets_are_refused(void **state)
{
    (void)state;
    struct stat info;
    umask(0);
    write_model(odd, 1);
    umask(022);
    assert_int_equal(stat(secret, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    static const mode_t modes[] = { 0604, 0640, 0660, 0602, 0620, 0644, 0777 };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(secret, modes[i]), 0);
        refused_secret("chmod 600");
    }
    assert_int_equal(chmod(secret, 0400), 0);
    struct pq_model model;
    CHECK_OK(pq_model_read_secret(prefix, &model, &err), &err);
    pq_model_free(&model);
}

/* ---- what a careless writer could seal ---- */

static void put_value(const char *path, const char *dataset, hid_t type, size_t index, const void *value)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, dataset, H5P_DEFAULT);
    hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    hsize_t dims[2] = { 0, 1 };
    H5Sget_simple_extent_dims(space, dims, NULL);
    hsize_t at[2] = { index / dims[1], index % dims[1] };
    if (H5Sget_simple_extent_ndims(space) == 1)
        at[0] = index;
    assert_true(H5Sselect_elements(space, H5S_SELECT_SET, 1, at) >= 0);
    assert_true(H5Dwrite(set, type, one, space, H5P_DEFAULT, value) >= 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
    assert_true(H5Fclose(file) >= 0);
}

static void put_number(const char *path, const char *name, uint32_t value)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), attribute = H5Aopen(file, name, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_UINT32, &value) >= 0);
    H5Aclose(attribute);
    assert_true(H5Fclose(file) >= 0);
}

static void sealed_nonsense_is_refused_secret(void **state)
{
    (void)state;
    static const struct { const char *dataset; size_t index; int value; const char *part; } cases[] = {
        { "/layer_000/qkv/weight", 7, 0xff, "bits set beyond the end" }, /* byte 7 holds columns 56..59 */
        { "/layer_001/ffn1/weight", 0, 0x2d, "SHA-256" },
        { "/layer_000/qkv/table", 100, 8, "value 100 of dataset layer_000/qkv/table is 8" },
        { "/layer_000/qkv/table", 0, -9, "is -9" },
        { "/layer_000/ffn2/multiplier", 3, 0, "value 3 of dataset layer_000/ffn2/multiplier is 0" },
        { "/pooler/multiplier", 0, 40000, "is 40000" },
        { "/layer_001/score_clamp", 63, 9, "is 9" },
        { "/layer_001/exp_scale", 0, -1, "is -1" },
        { "/layer_001/context", 1, 99, "is 99" },
        { "/layer_001/ffn_norm/rsqrt", 1, 0, "is 0" },
        { "/layer_001/attention_norm/code", 1, 77, "is 77" },
    };
    write_model(odd, 1);
    size_t bytes;
    char *good = slurp(secret, &bytes);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_value(secret, cases[i].dataset, H5T_NATIVE_INT, cases[i].index, &cases[i].value);
        reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
        refused_secret(cases[i].part);
        spill(secret, good, bytes);
    }
    const double nan_value = NAN;
    put_value(secret, "/classifier/scale", H5T_NATIVE_DOUBLE, 1, &nan_value);
    reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
    refused_secret("nan");
    free(good);
}

static void sealed_nonsense_is_refused_public(void **state)
{
    (void)state;
    write_model(odd, 1);
    size_t bytes;
    char *good = slurp(public, &bytes);
    static const struct { const char *dataset; double value; const char *part; } values[] = {
        { "/embedding/word", INFINITY, "inf" },         { "/embedding/position", NAN, "nan" },
        { "/embedding/type", -INFINITY, "inf" },        { "/embedding/gamma", NAN, "nan" },
        { "/embedding/code_step", 0, "is 0" },          { "/embedding/residual_step", -1, "is -1" },
        { "/embedding/word", 0.125, "content_sha256" },
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        put_value(public, values[i].dataset, H5T_NATIVE_DOUBLE, 0, &values[i].value);
        reseal(public, &pq_public_file, PQ_MODEL_FILE_VERSION);
        struct pq_embedding embedding;
        CHECK_USER_ERROR(pq_model_read_public(prefix, &embedding, &err), &err, values[i].part);
        spill(public, good, bytes);
    }
    free(good);
}

static void sealed_contradictions_are_refused(void **state)
{
    (void)state;
    static const struct { const char *name; uint32_t value; const char *part; } numbers[] = {
        { "hidden", 120, "not of the size that the shape says (360 x 15)" },
        { "layers", 3, "has no dataset layer_002/qkv/weight" },
        { "heads", 7, "no multiple of heads" },
        { "layers", 4000000000u, "layers is 4000000000" },
        { "trunc", 5, "not of the size" },
        { "weight_bits", 4, "not of the size" },
        { "labels", 60, "not of the size" },
        { "score_top", 12, "SHA-256" },
        { "version", 2, "another format or version" },
    };
    write_model(odd, 1);
    size_t bytes;
    char *good = slurp(secret, &bytes);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        put_number(secret, numbers[i].name, numbers[i].value);
        reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
        refused_secret(numbers[i].part);
        spill(secret, good, bytes);
    }

    hid_t file = H5Fopen(secret, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "/pooler/bias", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
    refused_secret("has no dataset pooler/bias");
    file = H5Fopen(secret, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Lcreate_hard(file, "/pooler/multiplier", file, "/pooler/scale2", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Ldelete(file, "/pooler/scale", H5P_DEFAULT) >= 0);
    assert_true(H5Lmove(file, "/pooler/scale2", file, "/pooler/scale", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_hard(file, "/pooler/multiplier", file, "/pooler/bias", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
    refused_secret("dataset pooler/scale has not the type");
    file = H5Fopen(secret, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Adelete(file, "vocab") >= 0);
    H5Fclose(file);
    reseal(secret, &pq_secret_file, PQ_MODEL_FILE_VERSION);
    refused_secret("has no attribute vocab");
    free(good);
}

/* Every dataset of a large model, and no values: a file of some kilobytes must not ask for gigabytes. */
static enum pq_status put_empty(void *user, const struct pq_field *field)
{
    const hid_t *file = user;
    hsize_t dims[2], chunk[2] = { 64, 64 };
    const int rank = pq_field_dims(field, dims);
    for (int d = 0; d < rank; d++)
        chunk[d] = chunk[d] < dims[d] ? chunk[d] : dims[d];
    hid_t space = H5Screate_simple(rank, dims, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(how, rank, chunk) >= 0);
    H5Ldelete(*file, field->path, H5P_DEFAULT);
    hid_t set = H5Dcreate2(*file, field->path, pq_field_file_type(field), space, H5P_DEFAULT, how, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
    return PQ_OK;
}

static void datasets_without_values_are_refused(void **state)
{
    (void)state;
    write_model(odd, 1);
    struct pq_embedding large = { .shape = { 0 } };
    CHECK_OK(pq_shape_parse("layers=2,hidden=4080,heads=3,ffn=100,vocab=1000000,max_seq=16", &large.shape, &err), &err);
    put_number(public, "hidden", large.shape.hidden);
    put_number(public, "vocab", large.shape.vocab);
    put_number(public, "var_top", large.shape.var_top);
    hid_t file = H5Fopen(public, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_int_equal(pq_embedding_fields(&large, put_empty, &file), PQ_OK);
    H5Fclose(file);
    reseal(public, &pq_public_file, PQ_MODEL_FILE_VERSION);
    struct pq_embedding embedding;
    CHECK_USER_ERROR(pq_model_read_public(prefix, &embedding, &err), &err, "dataset embedding/word lacks values");
    assert_null(embedding.word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(open_secrets_are_refused),
        cmocka_unit_test(sealed_nonsense_is_refused_secret),
        cmocka_unit_test(sealed_nonsense_is_refused_public),
        cmocka_unit_test(sealed_contradictions_are_refused),
        cmocka_unit_test(datasets_without_values_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
