#include "launch.h"

#include "../kernels/machine.h"
#include "../model_io/tokens.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each process opens only what its party may read (protocols.md section 8). P0's first rank reads the public file too,
 * for the verifier's embedding: it is public. */
static enum pq_status open_model(struct pq_launch *l, struct pq_error *err)
{
    const char *prefix = l->options.model;
    const enum pq_role role = l->group.role;
    uint8_t public_id[32];
    enum pq_status s = PQ_OK;

    if (role == PQ_P0) {
        s = pq_model_read_secret(prefix, &l->model, err);
        l->has_model = s == PQ_OK;
        if (s == PQ_OK) {
            l->shape = l->model.shape;
            memcpy(l->model_id, l->model.id, 32);
        }
    }
    if (s == PQ_OK && (role == PQ_P1 || (l->group.world_rank == 0 && !l->options.no_verify))) {
        s = pq_model_read_public(prefix, &l->embedding, err);
        l->has_embedding = s == PQ_OK;
        if (s == PQ_OK && role == PQ_P1) {
            l->shape = l->embedding.shape;
            memcpy(l->model_id, l->embedding.id, 32);
        }
    }
    if (s == PQ_OK && role == PQ_P2)
        s = pq_model_read_shape(prefix, &l->shape, l->model_id, err);
    s = pq_group_agree(&l->group, s, err);
    if (s != PQ_OK)
        return s;

    memcpy(public_id, l->model_id, 32);
    pq_group_broadcast(&l->group, 0, public_id, 32);
    if (memcmp(public_id, l->model_id, 32))
        s = pq_fail(err, PQ_USER, "%s.public.h5 does not belong to %s.secret.h5: they were not written together",
                    prefix, prefix);
    return pq_group_agree(&l->group, s, err);
}

/* P1 reads the tokens; the others learn how many there are, which is public. */
static enum pq_status open_tokens(struct pq_launch *l, struct pq_error *err)
{
    uint64_t n = 0;
    size_t count = 0;
    enum pq_status s = PQ_OK;
    if (l->group.role == PQ_P1)
        s = pq_tokens_read(l->options.tokens, &l->shape, &l->file_token, &count, err);
    s = pq_group_agree(&l->group, s, err);
    if (s != PQ_OK)
        return s;
    n = count;
    pq_group_broadcast(&l->group, pq_group_rank_of(&l->group, PQ_P1, 0), &n, sizeof n);
    l->options.seq = (struct pq_list){ .count = 1, .value = { n } };
    return PQ_OK;
}

/* A point that cannot fit would be killed without a word, after minutes. One host holds all parties; of several hosts
 * each is taken to hold one party at most. */
static enum pq_status check_memory(const struct pq_launch *l, const struct pq_plan *plan, struct pq_error *err)
{
    struct pq_machine m;
    struct pq_prediction p;
    uint64_t sum = 0, most = 0;
    pq_machine_describe(&m);
    pq_predict(plan, !l->options.no_verify, &p);
    for (int r = 0; r < PQ_ROLES; r++) {
        sum += p.memory[r];
        most = p.memory[r] > most ? p.memory[r] : most;
    }
    pq_prediction_free(&p);
    const uint64_t need = l->group.hosts == 1 ? sum : most;
    if (need <= m.memory_bytes)
        return PQ_OK;
    return pq_fail(
        err, PQ_USER,
        "length %zu, batch %zu needs about %.1f GB on a host, which has %.1f: use a shorter --seq, a smaller "
        "--batch or a host for each party",
        plan->seq, plan->batch, (double)need / 1e9, (double)m.memory_bytes / 1e9);
}

static enum pq_status begin(struct pq_launch *l, enum pq_command command, int argc, char **argv, struct pq_error *err)
{
    struct pq_options *o = &l->options;
    enum pq_status s = pq_options_parse(command, argc, argv, o, &l->help, err);
    if (s == PQ_OK && command == PQ_CMD_RUN &&
        (o->protocol.count > 1 || o->ranks.count > 1 || o->threads.count > 1 || o->seq.count > 1))
        s = pq_fail(err, PQ_USER, "run does one inference: give one value for each option (sweep takes lists)");
    if (s == PQ_OK && !o->seq.count && !o->tokens)
        s = pq_fail(err, PQ_USER, "run needs --seq LENGTH or --tokens FILE");
    if (s == PQ_OK && o->tokens && o->batch != 1)
        s = pq_fail(err, PQ_USER, "--tokens holds one sequence: leave --batch out");
    if (s == PQ_OK && !(l->gemm = pq_gemm16_pick(o->kernel)))
        s = pq_fail(err, PQ_USER,
                    "--kernel %s: unknown, or this machine cannot run it (pqbert kernels lists what it can)",
                    o->kernel);
    s = pq_group_agree(&l->group, s, err);
    if (s == PQ_OK)
        s = open_model(l, err);
    if (s == PQ_OK && o->tokens)
        s = open_tokens(l, err);
    if (s != PQ_OK)
        return s;
    s = pq_points_make(o, &l->shape, l->group.ranks_max, &l->points, &l->point_count, err);
    for (size_t i = 0; s == PQ_OK && i < l->point_count; i++)
        s = check_memory(l, &l->points[i].plan, err);
    return pq_group_agree(&l->group, s, err);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help"))
            return true;
    return false;
}

enum pq_status pq_launch_begin(struct pq_launch *l, enum pq_command command, int *argc, char ***argv,
                               struct pq_error *err)
{
    memset(l, 0, sizeof *l);
    memset(err, 0, sizeof *err);
    enum pq_status s = pq_group_start(argc, argv, &l->group, err);
    l->help = asks_for_help(*argc, *argv);
    if (l->help) { /* with any number of processes, none included */
        if (l->group.world_rank == 0)
            pq_options_help(command, (*argv)[0]);
        return PQ_OK;
    }
    if (s != PQ_OK) {
        if (l->group.world_rank != 0) /* all ranks know the same mistake */
            err->text[0] = 0;
        return s;
    }
    return begin(l, command, *argc, *argv, err);
}

int pq_launch_end(struct pq_launch *l, enum pq_status status, const struct pq_error *err)
{
    if (status != PQ_OK && err->text[0])
        fprintf(stderr, "pqbert: %s\n", err->text);
    if (l->has_model)
        pq_model_free(&l->model);
    if (l->has_embedding)
        pq_embedding_free(&l->embedding);
    if (l->file_token)
        pq_free_secret(l->file_token, 4 * l->options.seq.value[0]);
    free(l->points);
    pq_group_finish(&l->group);
    return (int)status;
}

struct pq_session_setup pq_launch_setup(const struct pq_launch *l, const struct pq_point *p)
{
    omp_set_num_threads((int)p->threads);
    return (struct pq_session_setup){
        .group = &l->group, .plan = p->plan, .gemm = l->gemm, .model = l->has_model ? &l->model : NULL,
        .embedding = l->has_embedding ? &l->embedding : NULL, .verify = !l->options.no_verify,
        .seed = l->options.seed_given ? &l->options.seed : NULL };
}

uint32_t *pq_launch_input(const struct pq_launch *l, const struct pq_point *p)
{
    const size_t n = p->plan.seq * p->plan.batch;
    if (l->group.role != PQ_P1)
        return NULL;
    uint32_t *token = pq_alloc(4 * n);
    if (l->file_token)
        memcpy(token, l->file_token, 4 * n);
    else
        pq_tokens_random(l->options.input_seed, &l->shape, token, n);
    return token;
}
