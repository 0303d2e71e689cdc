/* pqbert model synth --config NAME --out PREFIX: a synthetic model, calibrated and then tried on fresh tokens.
 * --vocab FILE gives it words. pqbert model import: cmd_import.c. pqbert model info PREFIX: what a model is; refuses a
 * damaged one. */
#include "../model_io/synth.h"
#include "../model_io/tokens.h"
#include "../model_io/vocabulary.h"
#include "../mpi/engine_plain.h"
#include "cmd_import.h"
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs the plain engine over `batch` random sequences of length seq; logits are not needed. */
static void run_plain(const struct pq_model *model, const struct pq_embedding *embedding,
                      const struct pq_observer *observer, uint64_t seed, size_t seq, size_t batch)
{
    uint32_t *token = pq_alloc(4 * seq * batch);
    int32_t *logits = pq_alloc(4 * model->shape.labels * batch);
    pq_tokens_random(seed, &model->shape, token, seq * batch);
    pq_plain_infer(model, embedding, observer, token, seq, batch, logits);
    free(token);
    free(logits);
}

/* What the trial on fresh tokens showed, per layer. */
struct trial { uint32_t layers; struct { uint64_t code[16], values, wrapped; } layer[256]; };

static void count_range(void *user, uint32_t layer, const char *what, uint64_t values, uint64_t wrapped)
{
    struct trial *t = user;
    (void)what;
    t->layer[layer].values += values;
    t->layer[layer].wrapped += wrapped;
}

static void count_codes(void *user, uint32_t layer, const char *what, const uint64_t histogram[16])
{
    struct trial *t = user;
    (void)what;
    for (int i = 0; i < 16; i++)
        t->layer[layer].code[i] += histogram[i];
}

static uint64_t print_trial(const struct trial *t)
{
    uint64_t wrapped = 0;
    printf(
        "activation codes in %% per layer, and values that left their ring, on tokens the calibration did not see:\n");
    printf("%-6s", "layer");
    for (int c = -8; c < 8; c++)
        printf("%5d", c);
    printf("  overflows of values\n");
    for (uint32_t l = 0; l <= t->layers; l++) {
        uint64_t all = 0;
        for (int c = 0; c < 16; c++)
            all += t->layer[l].code[c];
        if (l < t->layers)
            printf("%-6u", l);
        else
            printf("%-6s", "head");
        for (int c = 0; c < 16; c++)
            printf("%5.1f", all ? 100.0 * (double)t->layer[l].code[c] / (double)all : 0.0);
        printf("  %" PRIu64 " of %" PRIu64 "\n", t->layer[l].wrapped, t->layer[l].values);
        wrapped += t->layer[l].wrapped;
    }
    return wrapped;
}

/* The text of a vocab.txt that suits the shape; none without --vocab. */
static enum pq_status read_vocab(const struct pq_options *o, const struct pq_shape *shape, char **text, size_t *bytes,
                                 struct pq_error *err)
{
    struct pq_vocabulary *v;
    *text = NULL;
    *bytes = 0;
    if (!o->vocab)
        return PQ_OK;
    enum pq_status s = pq_vocabulary_read(o->vocab, text, bytes, err);
    if (s == PQ_OK && (s = pq_vocabulary_create(*text, *bytes, shape, o->vocab, &v, err)) == PQ_OK)
        pq_vocabulary_free(v);
    if (s != PQ_OK)
        free(*text);
    return s;
}

static enum pq_status synth(const struct pq_options *o, struct pq_error *err)
{
    struct pq_shape shape;
    char *vocab;
    size_t vocab_bytes;
    struct pq_model model;
    struct pq_embedding embedding;
    enum pq_status s = pq_shape_parse(o->config, &shape, err);
    if (s == PQ_OK)
        s = pq_shape_check(&shape, err);
    if (s == PQ_OK)
        s = pq_model_writable(o->out, err);
    if (s == PQ_OK)
        s = read_vocab(o, &shape, &vocab, &vocab_bytes, err);
    if (s != PQ_OK)
        return s;
    const size_t seq = shape.max_seq < PQ_SYNTH_SEQ ? shape.max_seq : PQ_SYNTH_SEQ;

    printf("making %s from seed %" PRIu64 "\n", o->config, o->seed);
    struct pq_synth *synth = pq_synth_begin(&shape, o->seed, &model, &embedding);
    embedding.vocab = vocab;
    embedding.vocab_bytes = (uint32_t)vocab_bytes;
    const struct pq_observer calibrator = pq_synth_observer(synth);
    printf("calibrating on %d random sequences of %zu tokens\n", PQ_SYNTH_BATCH, seq);
    fflush(stdout);
    run_plain(&model, &embedding, &calibrator, o->seed, seq, PQ_SYNTH_BATCH);
    pq_synth_end(synth);

    struct trial trial = { .layers = shape.layers };
    const struct pq_observer listener = { .user = &trial, .range = count_range, .codes = count_codes };
    const size_t lengths[] = { 8, 32, 128 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        if (lengths[i] <= shape.max_seq)
            run_plain(&model, &embedding, &listener, o->seed + 1 + i, lengths[i], 128 / lengths[i]);
    if (print_trial(&trial) && shape.trunc >= 6)
        printf("warning: values overflowed; the logits of such inputs are not what the model means\n");

    s = pq_model_write(o->out, &model, &embedding, err);
    if (s == PQ_OK)
        printf("wrote %s.secret.h5 (P0's) and %s.public.h5\n", o->out, o->out);
    pq_model_free(&model);
    pq_embedding_free(&embedding);
    return s;
}

static void print_linear(const char *name, const struct pq_linear *l)
{
    double low = 1e300, high = 0;
    unsigned least = UINT32_MAX, most = 0;
    for (uint32_t o = 0; o < l->out; o++) {
        low = l->scale[o] < low ? l->scale[o] : low;
        high = l->scale[o] > high ? l->scale[o] : high;
        least = l->multiplier[o] < least ? l->multiplier[o] : least;
        most = l->multiplier[o] > most ? l->multiplier[o] : most;
    }
    printf("  %-14s %5u x %-5u  scale %.3g to %.3g  multiplier %u to %u\n", name, l->out, l->in, low, high, least,
           most);
}

static enum pq_status info(const struct pq_options *o, struct pq_error *err)
{
    static const char *const names[PQ_LINEARS_PER_LAYER] = { "qkv", "attention_out", "ffn1", "ffn2" };
    struct pq_model model;
    struct pq_embedding embedding;
    enum pq_status s = pq_model_read_secret(o->argument, &model, err);
    if (s != PQ_OK)
        return s;
    s = pq_model_read_public(o->argument, &embedding, err);
    if (s == PQ_OK && memcmp(model.id, embedding.id, 32))
        s = pq_fail(err, PQ_USER, "%s.public.h5 does not belong to %s.secret.h5: they were not written together",
                    o->argument, o->argument);
    if (s == PQ_OK) {
        printf("model          %s\nchecksum       ", o->argument);
        for (int i = 0; i < 32; i++)
            printf("%02x", model.id[i]);
        printf("\n");
        for (size_t i = 0; i < PQ_SHAPE_FIELDS; i++)
            printf("%-14s %u\n", pq_shape_name[i], *pq_shape_value(&model.shape, i));
        for (uint32_t l = 0; l < model.shape.layers; l++) {
            printf("layer %u  exp scale %.3f\n", l, model.layer[l].exp_scale);
            for (int k = 0; k < PQ_LINEARS_PER_LAYER; k++)
                print_linear(names[k], &model.layer[l].linear[k]);
        }
        printf("head\n");
        print_linear("pooler", &model.pooler);
        print_linear("classifier", &model.classifier);
        if (embedding.vocab_bytes)
            printf("words          %u bytes of vocabulary: takes text\n", embedding.vocab_bytes);
        else
            printf("words          none: takes token ids alone\n");
        pq_embedding_free(&embedding);
    }
    pq_model_free(&model);
    return s;
}

static const struct sub {
    const char *name, *usage;
    enum pq_command command;
    enum pq_status (*run)(const struct pq_options *o, struct pq_error *err);
} subs[] = {
    { "synth", "--config NAME --out PREFIX [--seed N] [--vocab FILE]", PQ_CMD_SYNTH, synth },
    { "import", "--checkpoint DIR --calibrate TEXT --out PREFIX [OPTION...]", PQ_CMD_IMPORT, pq_import_command },
    { "info", "PREFIX", PQ_CMD_INFO, info },
};
enum { SUBS = sizeof subs / sizeof *subs };

int pq_cmd_model(int argc, char **argv)
{
    struct pq_options o = { 0 };
    struct pq_error err = { "" };
    bool help = false;
    enum pq_status s;
    size_t n = 0;

    while (argc > 1 && n < SUBS && strcmp(argv[1], subs[n].name))
        n++;
    if (argc > 1 && !strcmp(argv[1], "--help")) {
        for (n = 0; n < SUBS; n++)
            printf("%s pqbert model %s %s\n", n ? "      " : "Usage:", subs[n].name, subs[n].usage);
        return 0;
    }
    if (argc < 2 || n == SUBS)
        s = pq_fail(&err, PQ_USER, "model needs 'synth', 'import' or 'info'; pqbert model --help explains");
    else
        s = pq_options_parse(subs[n].command, argc - 1, argv + 1, &o, &help, &err);
    if (s == PQ_OK && help)
        pq_options_help(subs[n].command, argv[1]);
    else if (s == PQ_OK)
        s = subs[n].run(&o, &err);
    if (s != PQ_OK)
        fprintf(stderr, "pqbert: %s\n", err.text);
    return (int)s;
}
