/* Model files that are sealed, but not what FORMAT.md says. Input: 1 byte, of which bit 0 chooses the secret or the
 * public file and bits 1 to 7, when not 0, say that a byte is changed behind the seal; then edits (edits.h). */
#include "../model_fields.h"
#include "../model_file.h"
#include "../synth.h"
#include "../vocabulary.h"
#include "edits.h"
#include "sealing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n##s\n";

struct base { char prefix[64]; uint8_t *file[2]; size_t bytes[2]; uint8_t id[32]; };

static void make_base(struct base *b)
{
    struct pq_shape shape;
    struct pq_model model;
    struct pq_embedding embedding;
    snprintf(b->prefix, sizeof b->prefix, "%s/m", fuzz_folder());
    PQ_ASSERT(pq_shape_parse("layers=1,hidden=8,heads=2,ffn=9,vocab=8,max_seq=4,trunc=4,var_trunc=8", &shape, NULL) ==
              PQ_OK);
    pq_synth_end(pq_synth_begin(&shape, 1, &model, &embedding));
    embedding.vocab = strdup(words);
    embedding.vocab_bytes = (uint32_t)strlen(words);
    PQ_ASSERT(pq_model_write(b->prefix, &model, &embedding, NULL) == PQ_OK);
    memcpy(b->id, model.id, sizeof b->id);
    pq_model_free(&model);
    pq_embedding_free(&embedding);
    for (int i = 0; i < 2; i++) {
        char *path = pq_model_file_path(b->prefix, i ? &pq_public_file : &pq_secret_file, "");
        b->file[i] = fuzz_slurp(path, &b->bytes[i]);
        free(path);
    }
}

static enum pq_status in_range(void *user, const struct pq_field *field)
{
    (void)user;
    PQ_ASSERT(pq_field_outside(field) == (size_t)field->rows * field->cols);
    return PQ_OK;
}

static bool read_secret(const struct base *b, const char *path)
{
    struct pq_model model;
    struct pq_error err = { "" };
    if (!fuzz_ok(pq_model_read_secret(b->prefix, &model, &err), &err, path)) {
        PQ_ASSERT(!model.layer);
        return false;
    }
    PQ_ASSERT(pq_shape_check(&model.shape, NULL) == PQ_OK && pq_model_fields(&model, in_range, NULL) == PQ_OK);
    pq_model_free(&model);
    return true;
}

static bool read_public(const struct base *b, const char *path)
{
    struct pq_embedding embedding;
    struct pq_shape shape;
    uint8_t id[32];
    struct pq_vocabulary *v;
    struct pq_error err = { "" };
    const bool has_shape = fuzz_ok(pq_model_read_shape(b->prefix, &shape, id, &err), &err, path);
    if (!fuzz_ok(pq_model_read_public(b->prefix, &embedding, &err), &err, path)) {
        PQ_ASSERT(!embedding.word);
        return false;
    }
    PQ_ASSERT(has_shape && memcmp(&shape, &embedding.shape, sizeof shape) == 0 && !memcmp(id, embedding.id, 32));
    PQ_ASSERT(pq_shape_check(&shape, NULL) == PQ_OK && pq_embedding_fields(&embedding, in_range, NULL) == PQ_OK);
    if (embedding.vocab_bytes) {
        PQ_ASSERT(pq_vocabulary_create(embedding.vocab, embedding.vocab_bytes, &shape, path, &v, &err) == PQ_OK);
        pq_vocabulary_free(v);
    }
    pq_embedding_free(&embedding);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct base base;
    if (!base.bytes[0])
        make_base(&base);
    struct fuzz_input in = { data, bytes };
    const uint8_t choice = fuzz_u8(&in), public = choice & 1, changed = choice >> 1;
    char *path = pq_model_file_path(base.prefix, public ? &pq_public_file : &pq_secret_file, "");
    fuzz_spill(path, base.file[public], base.bytes[public]);
    const bool edited = fuzz_edit(path, &in);
    size_t size;
    uint8_t *image = fuzz_slurp(path, &size);
    char header[PQ_SEAL_BYTES] = "";
    snprintf(header, sizeof header, "pqbert file\nkind %s\nversion 1\nbytes %zu\nsha256 %064d\n",
             (public ? &pq_public_file : &pq_secret_file)->seal.name, size, 0);
    memcpy(image, header, sizeof header);
    fuzz_seal(image, size, false);
    if (changed)
        image[PQ_SEAL_BYTES + (size_t)changed * 7919 % (size - PQ_SEAL_BYTES)] ^= changed;
    fuzz_spill(path, image, size);
    const bool right = public ? read_public(&base, path) : read_secret(&base, path);
    PQ_ASSERT(changed ? !right : right || edited);
    free(image);
    free(path);
    return 0;
}
