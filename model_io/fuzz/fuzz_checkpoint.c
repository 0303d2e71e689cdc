/* Checkpoints: config.json and model.safetensors. Input: config.json up to the first zero byte; then a file that is
 * model.safetensors as it stands when the byte that follows is odd, else the JSON of one, up to the next zero byte, and
 * the values behind it: so that a length need not be guessed. */
#include "../checkpoint.h"
#include "../safetensors.h"
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 128 };

static size_t text_length(const struct fuzz_input *in)
{
    const uint8_t *zero = in->left ? memchr(in->at, 0, in->left) : NULL;
    return zero ? (size_t)(zero - in->at) : in->left;
}

static void spill(const char *name, const void *data, size_t bytes)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    fuzz_spill(path, data, bytes);
}

static void spill_tensors(struct fuzz_input *in)
{
    const bool whole = fuzz_u8(in) & 1;
    const size_t json = whole ? 0 : text_length(in), start = whole ? 0 : 8, bytes = in->left;
    uint8_t *file = pq_alloc(start + bytes);
    for (size_t i = 0; i < start; i++)
        file[i] = (uint8_t)(json >> 8 * i);
    fuzz_bytes(in, file + start, json);
    if (!whole)
        fuzz_u8(in); /* the zero byte */
    const size_t values = in->left;
    fuzz_bytes(in, file + start + json, values);
    spill("model.safetensors", file, start + json + values);
    free(file);
}

/* What is accepted is what a model can be. */
static void check(const struct pq_checkpoint *c)
{
    PQ_ASSERT(pq_shape_check(&c->shape, NULL) == PQ_OK && c->activation && c->eps >= 0 && isfinite(c->eps));
    PQ_ASSERT(!c->classifier.out || (c->pooler.out && c->classifier.out == c->shape.labels));
    for (uint32_t l = 0; l < c->shape.layers; l++)
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++) {
            const struct pq_dense *d = pq_checkpoint_dense(c, l, (enum pq_linear_id)id);
            for (size_t i = 0; i < (size_t)d->out * d->in; i++)
                PQ_ASSERT(isfinite(d->weight[i]));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char words[] = "[UNK]\n[CLS]\n[SEP]\n";
    struct fuzz_input in = { data, bytes };
    struct pq_checkpoint c;
    struct pq_safetensors *file;
    struct pq_error err = { "" };
    char path[PATH];
    const size_t config = text_length(&in);
    spill("config.json", in.at, config);
    in.at += config;
    in.left -= config;
    fuzz_u8(&in);
    spill_tensors(&in);
    spill("vocab.txt", words, sizeof words - 1);
    if (fuzz_ok(pq_checkpoint_read(fuzz_folder(), &c, &err), &err, fuzz_folder()))
        check(&c);
    pq_checkpoint_free(&c);
    snprintf(path, sizeof path, "%s/model.safetensors", fuzz_folder());
    if (fuzz_ok(pq_safetensors_open(path, &file, &err), &err, path)) {
        float *values;
        uint32_t rows, cols;
        pq_safetensors_find(file, "t", &rows, &cols);
        if (fuzz_ok(pq_safetensors_read(file, "t", rows, cols, &values, &err), &err, path))
            free(values);
        pq_safetensors_close(file);
    }
    return 0;
}
