#include "checkpoint.h"

#include "calibrate.h"
#include "safetensors.h"
#include "splitmix.h"
#include "vocabulary.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, CONFIG_BYTES = 1 << 20 };

/* ---- config.json ---- */

static double gelu_new(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static double relu(double x)
{
    return fmax(x, 0);
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static const struct { const char *name; double (*function)(double); } activations[] = {
    { "gelu", pq_gelu }, { "gelu_new", gelu_new }, { "gelu_pytorch_tanh", gelu_new }, { "relu", relu },
    { "silu", silu }, { "swish", silu }, { "tanh", tanh },
};

static enum pq_status take_size(const json_t *config, const char *path, const char *key, uint32_t *size,
                                struct pq_error *err)
{
    const json_t *value = json_object_get(config, key);
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 1 << 24)
        return pq_fail(err, PQ_USER, "%s: has no %s, or an impossible one; give a BERT checkpoint", path, key);
    *size = (uint32_t)json_integer_value(value);
    return PQ_OK;
}

/* A text that must be one of the known values, or missing where `otherwise` is its default. */
static const char *text_of(const json_t *config, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(config, key);
    return value ? json_is_string(value) ? json_string_value(value) : "" : otherwise;
}

static enum pq_status take_config(const json_t *config, const char *path, struct pq_checkpoint *c,
                                  struct pq_error *err)
{
    struct pq_shape *s = &c->shape;
    const struct { const char *key; uint32_t *size; } sizes[] = {
        { "hidden_size", &s->hidden }, { "num_hidden_layers", &s->layers }, { "num_attention_heads", &s->heads },
        { "intermediate_size", &s->ffn }, { "vocab_size", &s->vocab }, { "max_position_embeddings", &s->max_seq },
        { "type_vocab_size", &s->types },
    };
    const char *type = text_of(config, "model_type", "bert"), *activation = text_of(config, "hidden_act", "gelu");
    const char *positions = text_of(config, "position_embedding_type", "absolute");
    const json_t *eps = json_object_get(config, "layer_norm_eps");
    if (strcmp(type, "bert"))
        return pq_fail(err, PQ_USER, "%s: model_type is '%.40s'; give a checkpoint of type bert (MiniLM is one)", path,
                       type);
    if (strcmp(positions, "absolute"))
        return pq_fail(err, PQ_USER, "%s: position_embedding_type is '%.40s'; only absolute positions are computed",
                       path, positions);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const enum pq_status status = take_size(config, path, sizes[i].key, sizes[i].size, err);
        if (status != PQ_OK)
            return status;
    }
    s->max_seq = s->max_seq < PQ_MAX_SEQ ? s->max_seq : PQ_MAX_SEQ;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (!strcmp(activation, activations[i].name))
            c->activation = activations[i].function;
    if (!c->activation)
        return pq_fail(err, PQ_USER, "%s: hidden_act is '%.40s'; gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish "
                       "and tanh are computed", path, activation);
    c->eps = eps ? json_number_value(eps) : 1e-12;
    if (!(json_is_number(eps) || !eps) || !(c->eps >= 0 && c->eps <= 1e-3))
        return pq_fail(err, PQ_USER, "%s: layer_norm_eps is not a number from 0 to 0.001; give a BERT checkpoint",
                       path);
    return PQ_OK;
}

static enum pq_status read_config(const char *path, struct pq_checkpoint *c, struct pq_error *err)
{
    json_error_t where = { .line = 1 };
    enum pq_status status;
    FILE *file = fopen(path, "rb");
    if (!file)
        return pq_fail(err, PQ_USER, "%s: cannot be opened (%s); --checkpoint takes the folder of a checkpoint", path,
                       strerror(errno));
    char *text = pq_alloc(CONFIG_BYTES + 1);
    const size_t bytes = fread(text, 1, CONFIG_BYTES + 1, file);
    json_t *config = bytes <= CONFIG_BYTES ? json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where) : NULL;
    fclose(file);
    free(text);
    if (json_is_object(config))
        status = take_config(config, path, c, err);
    else
        status = pq_fail(err, PQ_USER, "%s: line %d: not JSON, or not a description of a model; give the config.json "
                         "of a BERT checkpoint", path, config ? 1 : where.line);
    json_decref(config);
    return status;
}

/* ---- model.safetensors ---- */

static void free_dense(struct pq_dense *d)
{
    free(d->weight);
    free(d->bias);
}

/* The tensors as they come; the first failure stays. */
struct reading { const struct pq_safetensors *file; const char *prefix; enum pq_status status; struct pq_error *err; };

static float *take(struct reading *r, const char *name, uint32_t rows, uint32_t cols)
{
    float *values = NULL;
    if (r->status == PQ_OK)
        r->status = pq_safetensors_read(r->file, name, rows, cols, &values, r->err);
    return values;
}

static float *take_member(struct reading *r, const char *of, const char *member, uint32_t rows, uint32_t cols)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s.%s", r->prefix, of, member);
    return take(r, name, rows, cols);
}

static struct pq_dense take_dense(struct reading *r, const char *of, uint32_t out, uint32_t in)
{
    return (struct pq_dense){ out, in, take_member(r, of, "weight", out, in), take_member(r, of, "bias", out, 1) };
}

static struct pq_affine take_affine(struct reading *r, const char *of, uint32_t hidden)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s.gamma", r->prefix, of);
    const bool old = pq_safetensors_find(r->file, name, NULL, NULL);
    return (struct pq_affine){ take_member(r, of, old ? "gamma" : "weight", hidden, 1),
                               take_member(r, of, old ? "beta" : "bias", hidden, 1) };
}

/* Q, K and V are three matrices there and one here: for each head its rows of Q, of K, of V. */
static struct pq_dense stacked(struct pq_dense part[3], uint32_t hidden, uint32_t heads)
{
    const size_t depth = hidden / heads;
    struct pq_dense all = { 3 * hidden, hidden, pq_alloc(3 * sizeof(float) * hidden * hidden),
                            pq_alloc(3 * sizeof(float) * hidden) };
    for (size_t row = 0; row < all.out; row++) {
        const struct pq_dense *from = &part[row / depth % 3];
        const size_t at = row / (3 * depth) * depth + row % depth;
        memcpy(all.weight + row * hidden, from->weight + at * hidden, hidden * sizeof(float));
        all.bias[row] = from->bias[at];
    }
    return all;
}

static void take_layer(struct reading *r, uint32_t number, const struct pq_shape *s, struct pq_checkpoint_layer *l)
{
    char name[96];
    struct pq_dense part[3];
    const struct { const char *of; uint32_t out, in; struct pq_dense *to; } dense[] = {
        { "attention.self.query", s->hidden, s->hidden, &part[0] },
        { "attention.self.key", s->hidden, s->hidden, &part[1] },
        { "attention.self.value", s->hidden, s->hidden, &part[2] },
        { "attention.output.dense", s->hidden, s->hidden, &l->linear[PQ_ATTENTION_OUT] },
        { "intermediate.dense", s->ffn, s->hidden, &l->linear[PQ_FFN1] },
        { "output.dense", s->hidden, s->ffn, &l->linear[PQ_FFN2] },
    };
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        snprintf(name, sizeof name, "encoder.layer.%" PRIu32 ".%s", number, dense[i].of);
        *dense[i].to = take_dense(r, name, dense[i].out, dense[i].in);
    }
    if (r->status == PQ_OK)
        l->linear[PQ_QKV] = stacked(part, s->hidden, s->heads);
    for (int i = 0; i < 3; i++)
        free_dense(&part[i]);
    snprintf(name, sizeof name, "encoder.layer.%" PRIu32 ".attention.output.LayerNorm", number);
    l->norm[0] = take_affine(r, name, s->hidden);
    snprintf(name, sizeof name, "encoder.layer.%" PRIu32 ".output.LayerNorm", number);
    l->norm[1] = take_affine(r, name, s->hidden);
}

/* The first rows of the matrix [all][cols], whose length the file alone knows. */
static float *take_positions(struct reading *r, uint32_t rows, uint32_t cols)
{
    char name[96];
    uint32_t all;
    snprintf(name, sizeof name, "%sembeddings.position_embeddings.weight", r->prefix);
    pq_safetensors_find(r->file, name, &all, NULL);
    return take(r, name, all > rows ? all : rows, cols);
}

static enum pq_status take_tensors(const struct pq_safetensors *file, const char *path, struct pq_checkpoint *c,
                                   struct pq_error *err)
{
    struct pq_shape *s = &c->shape;
    const bool long_names = pq_safetensors_find(file, "bert.embeddings.word_embeddings.weight", NULL, NULL);
    uint32_t labels;
    struct reading r = { file, long_names ? "bert." : "", PQ_OK, err };
    const bool pooled = pq_safetensors_find(file, long_names ? "bert.pooler.dense.weight" : "pooler.dense.weight", NULL,
                                            NULL);
    c->layer = memset(pq_alloc(s->layers * sizeof *c->layer), 0, s->layers * sizeof *c->layer);
    c->word = take_member(&r, "embeddings.word_embeddings", "weight", s->vocab, s->hidden);
    c->position = take_positions(&r, s->max_seq, s->hidden);
    c->type = take_member(&r, "embeddings.token_type_embeddings", "weight", s->types, s->hidden);
    c->norm = take_affine(&r, "embeddings.LayerNorm", s->hidden);
    for (uint32_t l = 0; l < s->layers; l++)
        take_layer(&r, l, s, &c->layer[l]);
    if (pooled)
        c->pooler = take_dense(&r, "pooler.dense", s->hidden, s->hidden);
    r.prefix = ""; /* the classifier never has one */
    if (r.status != PQ_OK || !pq_safetensors_find(file, "classifier.weight", &labels, NULL))
        return r.status;
    if (labels < 1 || labels > PQ_MAX_LABELS)
        return pq_fail(err, PQ_USER, "%s: classifier.weight has %" PRIu32 " rows; a model has 1 to %d labels", path,
                       labels, PQ_MAX_LABELS);
    s->labels = labels;
    if (!pooled)
        return pq_fail(err, PQ_USER, "%s: has a classifier but no pooler.dense before it; give a checkpoint of BERT's "
                       "layout for classifying sequences", path);
    c->classifier = take_dense(&r, "classifier", s->labels, s->hidden);
    return r.status;
}

static enum pq_status read_tensors(const char *folder, struct pq_checkpoint *c, struct pq_error *err)
{
    struct pq_safetensors *file;
    char path[PATH_BYTES], other[PATH_BYTES];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(other, sizeof other, "%s/pytorch_model.bin", folder);
    if (access(path, F_OK) && !access(other, F_OK))
        return pq_fail(err, PQ_USER, "%s: is a pickle, which is not read; convert it: python3 -c \"from transformers "
                       "import AutoModelForSequenceClassification as M; M.from_pretrained('%.200s')"
                       ".save_pretrained('NEW')\", and copy vocab.txt", other, folder);
    snprintf(other, sizeof other, "%s/model.safetensors.index.json", folder);
    if (access(path, F_OK) && !access(other, F_OK))
        return pq_fail(err, PQ_USER, "%s: the weights are in several files; give a checkpoint with all of them in "
                       "model.safetensors", other);
    enum pq_status s = pq_safetensors_open(path, &file, err);
    if (s == PQ_OK)
        s = take_tensors(file, path, c, err);
    pq_safetensors_close(file);
    return s;
}

enum pq_status pq_checkpoint_read(const char *folder, struct pq_checkpoint *c, struct pq_error *err)
{
    char path[PATH_BYTES];
    size_t bytes;
    struct pq_vocabulary *words;
    *c = (struct pq_checkpoint){ 0 };
    if (strlen(folder) > PATH_BYTES / 2)
        return pq_fail(err, PQ_USER, "--checkpoint: the name is longer than %d characters; give a shorter one",
                       PATH_BYTES / 2);
    enum pq_status s = pq_shape_parse("bert-tiny", &c->shape, err); /* for the precisions' defaults */
    PQ_ASSERT(s == PQ_OK);
    snprintf(path, sizeof path, "%s/config.json", folder);
    s = read_config(path, c, err);
    if (s != PQ_OK)
        return s;
    struct pq_error why = { "" };
    pq_shape_place(&c->shape);
    if (pq_shape_check(&c->shape, &why) != PQ_OK)
        return pq_fail(err, PQ_USER, "%s: %.300s", path, why.text);
    s = read_tensors(folder, c, err);
    if (s != PQ_OK)
        return s;
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    s = pq_vocabulary_read(path, &c->vocab, &bytes, err);
    if (s != PQ_OK)
        return s;
    c->vocab_bytes = (uint32_t)bytes;
    s = pq_vocabulary_create(c->vocab, bytes, &c->shape, path, &words, err);
    pq_vocabulary_free(words);
    return s;
}

static void free_affine(struct pq_affine *a)
{
    free(a->gamma);
    free(a->beta);
}

void pq_checkpoint_free(struct pq_checkpoint *c)
{
    for (uint32_t i = 0; c->layer && i < c->shape.layers; i++) {
        struct pq_checkpoint_layer *l = &c->layer[i];
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++)
            free_dense(&l->linear[id]);
        free_affine(&l->norm[0]);
        free_affine(&l->norm[1]);
    }
    free(c->layer);
    free_dense(&c->pooler);
    free_dense(&c->classifier);
    free_affine(&c->norm);
    free(c->word);
    free(c->position);
    free(c->type);
    free(c->vocab);
    *c = (struct pq_checkpoint){ 0 };
}

const struct pq_dense *pq_checkpoint_dense(const struct pq_checkpoint *c, uint32_t layer, enum pq_linear_id id)
{
    if (layer == c->shape.layers) {
        PQ_ASSERT(id == PQ_POOLER || id == PQ_CLASSIFIER);
        return id == PQ_POOLER ? &c->pooler : &c->classifier;
    }
    PQ_ASSERT(layer < c->shape.layers && id < PQ_LINEARS_PER_LAYER);
    return &c->layer[layer].linear[id];
}

static struct pq_dense random_signs(uint32_t out, uint32_t in, uint64_t seed)
{
    struct pq_dense d = { out, in, pq_alloc(sizeof(float) * out * in), pq_alloc(sizeof(float) * out) };
    for (size_t i = 0; i < (size_t)out * in; i++)
        d.weight[i] = (pq_splitmix_next(&seed) >> 63 ? 1.0f : -1.0f) / sqrtf((float)in);
    for (size_t o = 0; o < out; o++)
        d.bias[o] = 0;
    return d;
}

void pq_checkpoint_project(struct pq_checkpoint *c, uint32_t labels)
{
    const uint32_t hidden = c->shape.hidden;
    PQ_ASSERT(!c->classifier.out && labels >= 1 && labels <= PQ_MAX_LABELS);
    if (!c->pooler.out)
        c->pooler = random_signs(hidden, hidden, 1);
    c->classifier = random_signs(labels, hidden, 2);
    c->shape.labels = labels;
}
