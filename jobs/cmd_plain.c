/* pqbert plain: the integer model on clear values, in one process. */
#include "../model_io/tokens.h"
#include "../mpi/engine_plain.h"
#include "clear_model.h"
#include "commands.h"
#include "sequences.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void infer(const struct pq_clear_model *m, const uint32_t *token, size_t count)
{
    const uint32_t labels = m->model.shape.labels;
    int32_t *logits = pq_alloc(labels * sizeof *logits);
    pq_plain_infer(&m->model, &m->embedding, NULL, token, count, 1, logits);
    printf("logits");
    for (uint32_t i = 0; i < labels; i++)
        printf(" %d", logits[i]);
    printf("\n");
    free(logits);
}

/* The input: of --tokens or texts, or one random sequence. */
static enum pq_status read_input(const struct pq_options *o, const struct pq_embedding *e, struct pq_sequences *q,
                                 struct pq_error *err)
{
    *q = (struct pq_sequences){ 0 };
    if (pq_sequences_given(o))
        return pq_sequences_read(o, e, 0, q, err);
    if (o->seq.value[0] > e->shape.max_seq)
        return pq_fail(err, PQ_USER, "length %llu is over the model's limit of %u tokens",
                       (unsigned long long)o->seq.value[0], e->shape.max_seq);
    pq_sequences_create(q, 1, o->seq.value[0]);
    q->length[0] = (uint32_t)o->seq.value[0];
    pq_tokens_random(o->input_seed, &e->shape, q->token, q->tokens);
    return PQ_OK;
}

static enum pq_status plain(const struct pq_options *o, struct pq_error *err)
{
    struct pq_clear_model m;
    struct pq_sequences input = { 0 };
    if (o->seq.count > 1 || o->threads.count > 1)
        return pq_fail(err, PQ_USER, "plain does one inference: give one value for --seq and --threads");
    if (!o->seq.count && !pq_sequences_given(o))
        return pq_fail(err, PQ_USER, "plain needs --text TEXT, --text-file FILE, --tokens FILE or --seq LENGTH");
    enum pq_status s = pq_clear_model_read(o->model, &m, err);
    if (s != PQ_OK)
        return s;
    s = read_input(o, &m.embedding, &input, err);
    if (s == PQ_OK && o->threads.count)
        omp_set_num_threads((int)o->threads.value[0]);
    for (size_t i = 0; s == PQ_OK && i < input.count; i++)
        infer(&m, pq_sequences_token(&input, i), input.length[i]);
    pq_sequences_free(&input);
    pq_clear_model_free(&m);
    return s;
}

int pq_cmd_plain(int argc, char **argv)
{
    struct pq_options o;
    struct pq_error err = { "" };
    bool help;
    enum pq_status s = pq_options_parse(PQ_CMD_PLAIN, argc, argv, &o, &help, &err);
    if (s == PQ_OK && help)
        pq_options_help(PQ_CMD_PLAIN, argv[0]);
    else if (s == PQ_OK)
        s = plain(&o, &err);
    if (s != PQ_OK)
        fprintf(stderr, "pqbert: %s\n", err.text);
    return (int)s;
}
