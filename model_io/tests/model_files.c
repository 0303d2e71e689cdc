#include "model_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pq_model_XXXXXX";
static struct pq_error err;
char prefix[64], secret[80], public[80];
const char odd[] = "layers=2,hidden=60,heads=3,ffn=100,vocab=50,max_seq=16,labels=3";

int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(prefix, sizeof prefix, "%s/m", folder);
    snprintf(secret, sizeof secret, "%s.secret.h5", prefix);
    snprintf(public, sizeof public, "%s.public.h5", prefix);
    return 0;
}

int remove_folder(void **state)
{
    (void)state;
    unlink(secret);
    unlink(public);
    return rmdir(folder);
}

size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)); )
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

void write_model(const char *configuration, uint64_t seed)
{
    struct pq_shape shape;
    struct pq_model model;
    struct pq_embedding embedding;
    CHECK_OK(pq_shape_parse(configuration, &shape, &err), &err);
    pq_synth_end(pq_synth_begin(&shape, seed, &model, &embedding));
    CHECK_OK(pq_model_write(prefix, &model, &embedding, &err), &err);
    assert_memory_equal(model.id, embedding.id, sizeof model.id);
    pq_model_free(&model);
    pq_embedding_free(&embedding);
}

void refused_secret(const char *part)
{
    struct pq_model model;
    CHECK_USER_ERROR(pq_model_read_secret(prefix, &model, &err), &err, part);
    assert_non_null(strstr(err.text, secret));
    assert_null(model.layer);
}

void refused_public(const char *part)
{
    struct pq_embedding embedding;
    struct pq_shape s;
    uint8_t id[32];
    CHECK_USER_ERROR(pq_model_read_public(prefix, &embedding, &err), &err, part);
    assert_non_null(strstr(err.text, public));
    assert_null(embedding.word);
    CHECK_USER_ERROR(pq_model_read_shape(prefix, &s, id, &err), &err, part);
}

char *slurp(const char *path, size_t *bytes)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *bytes = (size_t)info.st_size;
    char *data = pq_alloc(*bytes);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

void spill(const char *path, const char *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

void reseal(const char *path, const struct pq_model_file_kind *kind, uint32_t version)
{
    size_t bytes;
    char *data = slurp(path, &bytes);
    struct pq_seal_kind seal = kind->seal;
    seal.version = version;
    int fd = open(path, O_WRONLY | O_TRUNC);
    CHECK_OK(pq_seal_write(fd, path, &seal, data + PQ_SEAL_BYTES, bytes - PQ_SEAL_BYTES, &err), &err);
    assert_int_equal(close(fd), 0);
    free(data);
}
