/* pqbert model import --checkpoint DIR --calibrate TEXT --out PREFIX: a model from a BERT checkpoint, without training,
 * and what it loses against full precision on texts that calibration did not see. */
#include "cmd_import.h"

#include "../model_io/agreement.h"
#include "../model_io/import.h"
#include "../mpi/engine_plain.h"
#include "sequences.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_TEXTS = 8, MOST_TOKENS = 8192, HELD_OUT = 4 /* every fourth text */ };

/* ---- texts ---- */

struct order { uint32_t length; size_t first; };

static int by_length(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* The texts number 0, stride, 2 * stride, ... of which every fourth, or the others, in the order of their lengths. */
static struct pq_texts pick(const struct pq_sequences *q, size_t stride, bool held_out)
{
    struct pq_texts texts = { 0 };
    struct order *order = pq_alloc(q->count * sizeof *order);
    uint32_t *length = pq_alloc(q->count * sizeof *length), *token = pq_alloc(q->tokens * sizeof *token);
    for (size_t i = 0, first = 0, used = 0; i < q->count; first += q->length[i++])
        if (i % stride == 0 && (used++ % HELD_OUT == HELD_OUT - 1) == held_out)
            order[texts.count++] = (struct order){ q->length[i], first };
    qsort(order, texts.count, sizeof *order, by_length);
    for (size_t i = 0; i < texts.count; texts.tokens += order[i++].length) {
        length[i] = order[i].length;
        memcpy(token + texts.tokens, q->token + order[i].first, order[i].length * sizeof *token);
    }
    free(order);
    texts.length = length;
    texts.token = token;
    return texts;
}

static void free_texts(struct pq_texts *t)
{
    free((void *)t->length);
    free((void *)t->token);
}

static enum pq_status read_texts(const struct pq_options *o, const struct pq_checkpoint *c, size_t max_seq,
                                 struct pq_texts *calibration, struct pq_texts *trial, struct pq_error *err)
{
    struct pq_vocabulary *v;
    struct pq_sequences q = { 0 };
    enum pq_status s = pq_vocabulary_create(c->vocab, c->vocab_bytes, &c->shape, o->checkpoint, &v, err);
    if (s == PQ_OK) {
        s = pq_sequences_add_file(&q, v, max_seq, o->calibrate, err);
        pq_vocabulary_free(v);
    }
    const size_t stride = 1 + q.tokens / MOST_TOKENS;
    if (s == PQ_OK && q.count < LEAST_TEXTS * stride)
        s = pq_fail(err, PQ_USER, "%s: %zu lines are too few to calibrate on; give at least %zu, better some hundred",
                    o->calibrate, q.count, LEAST_TEXTS * stride);
    if (s == PQ_OK) {
        *calibration = pick(&q, stride, false);
        *trial = pick(&q, stride, true);
        printf("calibrating on %zu of the %zu lines of %s, %zu tokens; trying on %zu others, %zu tokens\n",
               calibration->count, q.count, o->calibrate, calibration->tokens, trial->count, trial->tokens);
        fflush(stdout);
    }
    pq_sequences_free(&q);
    return s;
}

/* ---- import ---- */

/* The precisions of the options in place of their defaults. */
static enum pq_status make_shape(const struct pq_options *o, const struct pq_checkpoint *c, struct pq_shape *shape,
                                 struct pq_error *err)
{
    *shape = c->shape;
    shape->weight_bits = o->weight_bits ? (uint32_t)o->weight_bits : 8;
    shape->norm_trunc = o->norm_bits ? (uint32_t)o->norm_bits : 8;
    if (o->trunc)
        shape->trunc = (uint32_t)o->trunc;
    if (o->score_bits)
        shape->score_trunc = (uint32_t)o->score_bits;
    if (o->max_seq > shape->max_seq)
        return pq_fail(err, PQ_USER, "--max-seq %" PRIu64 ": the checkpoint has positions for %" PRIu32 " tokens; give "
                       "no more", o->max_seq, shape->max_seq);
    if (o->max_seq)
        shape->max_seq = (uint32_t)o->max_seq;
    if (shape->max_seq < 2)
        return pq_fail(err, PQ_USER, "%s: has a position for one token, but [CLS] and [SEP] are two", o->checkpoint);
    pq_shape_place(shape);
    return pq_shape_check(shape, err);
}

/* The plain engine over all batches at once, which wait for each other (import.h). */
static enum pq_status calibrate(struct pq_import *import, const struct pq_texts *texts, const struct pq_model *model,
                                const struct pq_embedding *embedding, struct pq_error *err)
{
    struct pq_text_batch *batch = pq_alloc(texts->count * sizeof *batch);
    const size_t batches = pq_texts_batches(texts, batch);
    size_t threads = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads((int)batches)
    {
#pragma omp single
        threads = (size_t)omp_get_num_threads();
        if (threads == batches) {
            struct pq_import_batch mine = { import, batch[omp_get_thread_num()] };
            const struct pq_observer observer = pq_import_observer(&mine);
            int32_t *logits = pq_alloc(mine.batch.count * model->shape.labels * sizeof *logits);
            pq_plain_infer(model, embedding, &observer, texts->token + mine.batch.first_token, mine.batch.length,
                           mine.batch.count, logits);
            free(logits);
        }
    }
    free(batch);
    if (threads == batches)
        return PQ_OK;
    return pq_fail(err, PQ_WORLD, "calibration needs %zu threads, one for each length of a text, and got %zu; raise "
                   "OMP_THREAD_LIMIT", batches, threads);
}

static void report(const struct pq_agreement *a, const struct pq_checkpoint *c, const double *step, bool decides)
{
    const uint32_t layers = a->shape.layers;
    struct pq_layer_agreement *layer = pq_alloc(layers * sizeof *layer), logits;
    size_t decisions;
    pq_agreement_compare(a, c, step, layer, &logits, &decisions);
    printf("agreement with full precision on the %zu lines that calibration did not see: cosine (1 is perfect), "
           "and\nlength of the difference over length in full precision (0 is perfect), without each channel's mean:\n"
           "layer   cosine   error\n", a->texts->count);
    for (uint32_t l = 0; l < layers; l++)
        printf("%-6" PRIu32 "  %6.4f  %6.3f\n", l, layer[l].cosine, layer[l].error);
    printf("logits  %6.4f  %6.3f\n", logits.cosine, logits.error);
    if (decides)
        printf("same decision on %zu of %zu lines (%.1f %%)\n", decisions, a->texts->count,
               100.0 * (double)decisions / (double)a->texts->count);
    if (a->wrapped)
        printf("warning: %" PRIu64 " of %" PRIu64 " values left their ring and wrapped; give more lines to "
               "--calibrate, like those that will be asked\n", a->wrapped, a->values);
    free(layer);
}

/* The finished model on texts that it has not seen. */
static void try_out(const struct pq_import *import, const struct pq_checkpoint *c, const struct pq_texts *texts,
                    const struct pq_model *model, const struct pq_embedding *embedding, bool decides)
{
    const uint32_t layers = model->shape.layers;
    struct pq_text_batch *batch = pq_alloc(texts->count * sizeof *batch);
    struct pq_agreement agreement;
    double *step = pq_alloc((size_t)layers * model->shape.hidden * sizeof *step);
    int32_t *logits = pq_alloc(texts->count * model->shape.labels * sizeof *logits);
    const size_t batches = pq_texts_batches(texts, batch);
    pq_agreement_begin(&agreement, &model->shape, texts);
    for (size_t b = 0; b < batches; b++) {
        struct pq_agreement_batch place = { &agreement, batch[b].first_text, batch[b].first_token };
        const struct pq_observer observer = pq_agreement_observer(&place);
        pq_plain_infer(model, embedding, &observer, texts->token + batch[b].first_token, batch[b].length,
                       batch[b].count, logits);
        pq_agreement_logits(&agreement, batch[b].first_text, logits, batch[b].count);
    }
    for (uint32_t l = 0; l < layers; l++)
        pq_import_steps(import, l, step + (size_t)l * model->shape.hidden);
    report(&agreement, c, step, decides);
    pq_agreement_end(&agreement);
    free(batch);
    free(step);
    free(logits);
}

static enum pq_status make(const struct pq_options *o, const struct pq_checkpoint *c, const struct pq_shape *shape,
                           bool decides, struct pq_error *err)
{
    struct pq_texts calibration = { 0 }, trial = { 0 };
    struct pq_model model;
    struct pq_embedding embedding;
    enum pq_status s = read_texts(o, c, shape->max_seq, &calibration, &trial, err);
    if (s != PQ_OK)
        return s;
    struct pq_import *import = pq_import_begin(c, shape, &calibration, &model, &embedding);
    s = calibrate(import, &calibration, &model, &embedding, err);
    if (s == PQ_OK)
        try_out(import, c, &trial, &model, &embedding, decides);
    pq_import_end(import);
    if (s == PQ_OK)
        s = pq_model_write(o->out, &model, &embedding, err);
    if (s == PQ_OK)
        printf("wrote %s.secret.h5 (P0's) and %s.public.h5\n", o->out, o->out);
    pq_model_free(&model);
    pq_embedding_free(&embedding);
    free_texts(&calibration);
    free_texts(&trial);
    return s;
}

/* A checkpoint without a classifier gets one only where it was asked for. */
static enum pq_status complete(const struct pq_options *o, struct pq_checkpoint *c, struct pq_error *err)
{
    if (c->classifier.out && o->labels)
        return pq_fail(err, PQ_USER, "--labels is for checkpoints without a classifier; %s has one of %" PRIu32
                       " labels: leave --labels out", o->checkpoint, c->shape.labels);
    if (!c->classifier.out && !o->labels)
        return pq_fail(err, PQ_USER, "%s: has no classifier.weight, so it decides nothing: give a fine-tuned "
                       "checkpoint, or --labels N for N random projections of what it encodes", o->checkpoint);
    if (o->labels) {
        printf("no classifier in %s: the logits are %" PRIu64 " random projections of its %s, and decide nothing\n",
               o->checkpoint, o->labels, c->pooler.out ? "pooled output" : "first token (there is no pooler either)");
        pq_checkpoint_project(c, (uint32_t)o->labels);
    }
    return PQ_OK;
}

enum pq_status pq_import_command(const struct pq_options *o, struct pq_error *err)
{
    struct pq_checkpoint c;
    struct pq_shape shape;
    enum pq_status s = pq_model_writable(o->out, err);
    if (s != PQ_OK)
        return s;
    s = pq_checkpoint_read(o->checkpoint, &c, err);
    if (s == PQ_OK)
        s = complete(o, &c, err);
    const bool decides = s == PQ_OK && !o->labels;
    if (s == PQ_OK)
        s = make_shape(o, &c, &shape, err);
    if (s == PQ_OK) {
        printf("importing %s: %" PRIu32 " layers, hidden %" PRIu32 ", %" PRIu32 " heads, FFN %" PRIu32 ", %" PRIu32
               "-bit weights\n", o->checkpoint, shape.layers, shape.hidden, shape.heads, shape.ffn, shape.weight_bits);
        s = make(o, &c, &shape, decides, err);
    }
    pq_checkpoint_free(&c);
    return s;
}
