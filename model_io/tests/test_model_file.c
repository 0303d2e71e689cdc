/* What is written is read back; writing that fails leaves nothing behind. */
#include "model_files.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static struct pq_error err;
static struct pq_shape shape;

struct field_list { struct pq_field field[512]; size_t count; };

static enum pq_status collect(void *user, const struct pq_field *field)
{
    struct field_list *list = user;
    assert_true(list->count < 512);
    list->field[list->count++] = *field;
    return PQ_OK;
}

static void assert_same(const struct field_list *a, const struct field_list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->field[i].path, b->field[i].path);
        assert_memory_equal(a->field[i].data, b->field[i].data, pq_field_memory(&a->field[i]));
    }
}

static void round_trip(const char *configuration)
{
    struct pq_model model, again;
    struct pq_embedding embedding, embedding_again;
    static struct field_list want, got;
    CHECK_OK(pq_shape_parse(configuration, &shape, &err), &err);
    pq_synth_end(pq_synth_begin(&shape, 3, &model, &embedding));
    CHECK_OK(pq_model_write(prefix, &model, &embedding, &err), &err);

    CHECK_OK(pq_model_read_secret(prefix, &again, &err), &err);
    want.count = got.count = 0;
    CHECK_OK(pq_model_fields(&model, collect, &want), &err);
    CHECK_OK(pq_model_fields(&again, collect, &got), &err);
    assert_same(&want, &got);
    assert_memory_equal(&model.shape, &again.shape, sizeof shape);
    assert_memory_equal(model.id, again.id, sizeof model.id);

    CHECK_OK(pq_model_read_public(prefix, &embedding_again, &err), &err);
    want.count = got.count = 0;
    CHECK_OK(pq_embedding_fields(&embedding, collect, &want), &err);
    CHECK_OK(pq_embedding_fields(&embedding_again, collect, &got), &err);
    assert_same(&want, &got);
    assert_memory_equal(model.id, embedding_again.id, sizeof model.id);

    struct pq_shape s;
    uint8_t id[32];
    CHECK_OK(pq_model_read_shape(prefix, &s, id, &err), &err);
    assert_memory_equal(&s, &shape, sizeof s);
    assert_memory_equal(id, model.id, sizeof id);

    pq_model_free(&model);
    pq_model_free(&again);
    pq_embedding_free(&embedding);
    pq_embedding_free(&embedding_again);
}

static void round_trips(void **state)
{
    (void)state;
    round_trip(odd);
    round_trip("layers=1,hidden=8,heads=1,ffn=8,vocab=1,max_seq=1,types=1,labels=1,trunc=4,score_trunc=4");
    round_trip("layers=1,hidden=24,heads=2,ffn=17,vocab=9,max_seq=5,weight_bits=4,trunc=8,norm_trunc=8,var_trunc=8");
    round_trip("layers=3,hidden=64,heads=4,ffn=128,vocab=5000,weight_bits=8,trunc=5"); /* several chunks a dataset */
    assert_int_equal(files_in_folder(), 2);
}

static void same_model_same_bytes(void **state)
{
    (void)state;
    size_t bytes[2];
    char *data[2];
    for (int i = 0; i < 2; i++) {
        write_model(odd, 5);
        data[i] = slurp(secret, &bytes[i]);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(data[0], data[1], bytes[0]);
    free(data[0]);
    free(data[1]);
}

static void ids_tell_models_apart(void **state)
{
    (void)state;
    struct pq_model model;
    struct pq_shape s;
    uint8_t id[32];
    write_model(odd, 1);
    size_t bytes;
    char *first = slurp(secret, &bytes);
    write_model(odd, 2);
    spill(secret, first, bytes);
    free(first);
    CHECK_OK(pq_model_read_secret(prefix, &model, &err), &err);
    CHECK_OK(pq_model_read_shape(prefix, &s, id, &err), &err);
    assert_memory_not_equal(model.id, id, sizeof id); /* the caller refuses the pair */
    pq_model_free(&model);
}

static void unwritable_places_are_refused(void **state)
{
    (void)state;
    CHECK_OK(pq_model_writable(prefix, &err), &err);
    CHECK_USER_ERROR(pq_model_writable("/nonexistent/m", &err), &err, "/nonexistent/m.secret.h5");
    CHECK_USER_ERROR(pq_model_writable("/proc/m", &err), &err, "/proc/m.secret.h5");

    struct pq_model model;
    struct pq_embedding embedding;
    CHECK_OK(pq_shape_parse(odd, &shape, &err), &err);
    pq_synth_end(pq_synth_begin(&shape, 1, &model, &embedding));
    CHECK_USER_ERROR(pq_model_write("/nonexistent/m", &model, &embedding, &err), &err, "/nonexistent/m.secret.h5");
    model.layer[1].linear[PQ_FFN2].weight[5] = 0;
    CHECK_USER_ERROR(pq_model_write(prefix, &model, &embedding, &err), &err,
                     "value 5 of layer_001/ffn2/weight is 0; it must be -1 or 1");
    model.layer[1].linear[PQ_FFN2].weight[5] = 1;
    embedding.word[3] = NAN;
    CHECK_USER_ERROR(pq_model_write(prefix, &model, &embedding, &err), &err, "value 3 of embedding/word is nan");
    pq_model_free(&model);
    pq_embedding_free(&embedding);
}

/* A disk that takes only so many bytes: an error, no half files, and the model that was there before still is. */
static void full_disk_leaves_the_old_model(void **state)
{
    (void)state;
    struct pq_model model, before;
    struct pq_embedding embedding;
    write_model(odd, 9);
    CHECK_OK(pq_shape_parse("layers=2,hidden=256,heads=2,ffn=512,vocab=3000", &shape, &err), &err);
    pq_synth_end(pq_synth_begin(&shape, 1, &model, &embedding));
    static const rlim_t most[] = { 100, 5000, 100000, 1000000, 3000000 };
    struct rlimit whole;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        struct rlimit limit = { most[i], whole.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        enum pq_status status = pq_model_write(prefix, &model, &embedding, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
        assert_int_equal(status, PQ_WORLD);
        assert_non_null(strstr(err.text, prefix));
        assert_int_equal(files_in_folder(), 2);
    }
    CHECK_OK(pq_model_read_secret(prefix, &before, &err), &err);
    assert_int_equal(before.shape.hidden, 60);
    pq_model_free(&before);
    CHECK_OK(pq_model_write(prefix, &model, &embedding, &err), &err); /* the library has recovered */
    pq_model_free(&model);
    pq_embedding_free(&embedding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(same_model_same_bytes),
        cmocka_unit_test(ids_tell_models_apart),
        cmocka_unit_test(unwritable_places_are_refused),
        cmocka_unit_test(full_disk_leaves_the_old_model),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
