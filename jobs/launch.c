#include "launch.h"

#include "../kernels/machine.h"
#include "../model_io/tokens.h"
#include "clear_model.h"
#include "progress.h"
#include "stocks.h"
#include "waiting.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each process opens only what its party may read (protocols.md section 8). P0's first rank reads the public file too,
 * for the verifier's embedding: it is public. */
static enum pq_status open_model(struct pq_launch *l, struct pq_error *err)
{
    pq_watch_phase(l->group.watch, "reading the model");
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

/* P1's first rank reads the sequences and tells its party; the others learn how many and how long, which is public. A
 * point is made for each length. */
static enum pq_status open_sequences(struct pq_launch *l, struct pq_error *err)
{
    const struct pq_group *g = &l->group;
    struct pq_sequences *q = &l->sequences;
    const int reader = pq_group_rank_of(g, PQ_P1, 0);
    uint64_t size[2] = { 0, 0 };
    enum pq_status s = PQ_OK;
    if (g->world_rank == reader)
        s = pq_sequences_read(&l->options, &l->embedding, (size_t)reader, q, err);
    s = pq_group_agree(g, s, err);
    if (s != PQ_OK)
        return s;
    size[0] = q->count;
    size[1] = q->tokens;
    pq_group_broadcast(g, reader, size, sizeof size);
    if (g->world_rank != reader)
        pq_sequences_create(q, size[0], g->role == PQ_P1 ? size[1] : 0);
    pq_group_broadcast(g, reader, q->length, q->count * sizeof *q->length);
    for (size_t j = 1; g->role == PQ_P1 && j < g->ranks_max; j++)
        if (g->rank == 0)
            pq_group_send(g, reader + (int)j, q->token, q->tokens * sizeof *q->token);
        else if (g->rank == j)
            pq_group_receive(g, reader, q->token, q->tokens * sizeof *q->token);
    return pq_sequences_lengths(q, &l->options.seq, err);
}

/* No batch of an evaluation has more sentences than there are of its length. */
static void limit_batches(struct pq_launch *l)
{
    for (size_t i = 0; i < l->point_count; i++) {
        struct pq_point *p = &l->points[i];
        size_t sentences = 0;
        for (size_t k = 0; k < l->sequences.count; k++)
            sentences += l->sequences.length[k] == p->plan.seq;
        if (sentences < p->plan.batch) {
            p->plan.batch = sentences;
            pq_point_choose(p, &l->options);
        }
    }
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
        "--batch%s or a host for each party",
        plan->seq, plan->batch, (double)need / 1e9, (double)m.memory_bytes / 1e9,
        plan->tables == PQ_DIRECT || plan->maximum == PQ_COUNT ? ", --max tree --tables compact" : "");
}

/* One description for each number of ranks and threads among the points. */
static void describe_binding(struct pq_launch *l)
{
    size_t size;
    FILE *to = l->group.world_rank == 0 ? open_memstream(&l->binding_text, &size) : NULL;
    for (size_t i = 0; i < l->point_count; i++) {
        const struct pq_point *p = &l->points[i];
        size_t k = 0;
        while (l->points[k].plan.ranks != p->plan.ranks || l->points[k].threads != p->threads)
            k++;
        if (k < i)
            continue;
        char *text = pq_binding_describe(l->binding, p->plan.ranks, p->threads);
        if (to)
            fprintf(to, "%s%s", i ? "\n" : "", text);
        free(text);
    }
    if (to)
        fclose(to);
}

static enum pq_status begin(struct pq_launch *l, enum pq_command command, int argc, char **argv, struct pq_error *err)
{
    struct pq_options *o = &l->options;
    enum pq_status s = pq_options_parse(command, argc, argv, o, &l->help, err);
    if (s == PQ_OK && (command == PQ_CMD_RUN || command == PQ_CMD_EVAL) &&
        (o->protocol.count > 1 || o->ranks.count > 1 || o->threads.count > 1 || o->seq.count > 1 || o->net.count > 1))
        s = pq_fail(err, PQ_USER, "%s: give one value for each option (sweep takes lists)",
                    command == PQ_CMD_RUN ? "run does one inference" : "eval does one evaluation");
    if (s == PQ_OK && command == PQ_CMD_OFFLINE && o->threads.count > 1)
        s = pq_fail(err, PQ_USER, "material does not depend on --threads: give offline one value");
    if (s == PQ_OK && !o->seq.count && !pq_sequences_given(o))
        s = pq_fail(err, PQ_USER, "run needs --text TEXT, --text-file FILE, --tokens FILE or --seq LENGTH");
    if (s == PQ_OK && !(l->gemm = pq_gemm16_pick(o->kernel)))
        s = pq_fail(err, PQ_USER,
                    "--kernel %s: unknown, or this machine cannot run it (pqbert kernels lists what it can)",
                    o->kernel);
    s = pq_group_agree(&l->group, s, err);
    if (s == PQ_OK)
        s = open_model(l, err);
    if (s == PQ_OK && pq_sequences_given(o))
        s = open_sequences(l, err);
    if (s != PQ_OK)
        return s;
    s = pq_points_make(o, &l->shape, l->group.ranks_max, &l->points, &l->point_count, err);
    if (s == PQ_OK && o->data)
        limit_batches(l);
    for (size_t i = 0; s == PQ_OK && i < l->point_count; i++)
        s = check_memory(l, &l->points[i].plan, err);
    s = pq_group_agree(&l->group, s, err);
    pq_watch_phase(l->group.watch, "opening material");
    if (s == PQ_OK && o->material)
        s = command == PQ_CMD_OFFLINE ? pq_stocks_create(l, err) : pq_stocks_open(l, err);
    if (s != PQ_OK)
        return s;
    l->binding = pq_binding_open(&l->group, o->bind);
    describe_binding(l);
    return PQ_OK;
}

/* One process that is all parties: nothing is private, and nothing is shared. */
static enum pq_status begin_alone(struct pq_launch *l, enum pq_command command, int argc, char **argv,
                                  struct pq_error *err)
{
    struct pq_options *o = &l->options;
    struct pq_clear_model m;
    enum pq_status s = pq_options_parse(command, argc, argv, o, &l->help, err);
    const char *wants_parties = o->out ? "out" : o->resume ? "resume" : o->ranks.count ? "ranks" : o->kernel ? "kernel"
                              : o->protocol.count ? "protocol" : o->seed_given ? "seed" : NULL;
    if (s == PQ_OK && (wants_parties || pq_net_emulates(&o->net.value[0])))
        s = pq_fail(err, PQ_USER, "--%s is about private inference: launch three parties (mpirun -n 3 pqbert eval "
                    "...), or leave it out for the model in the clear", wants_parties ? wants_parties : "net");
    if (s == PQ_OK && o->threads.count > 1)
        s = pq_fail(err, PQ_USER, "eval does one evaluation: give one value for --threads");
    if (s == PQ_OK)
        s = pq_clear_model_read(o->model, &m, err);
    if (s != PQ_OK)
        return s;
    l->model = m.model;
    l->embedding = m.embedding;
    l->has_model = l->has_embedding = true;
    l->shape = m.model.shape;
    memcpy(l->model_id, m.model.id, sizeof l->model_id);
    if (o->threads.count)
        omp_set_num_threads((int)o->threads.value[0]);
    return pq_sequences_read(o, &l->embedding, 0, &l->sequences, err);
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
    pq_waiting_settle(command, *argc, *argv);
    struct pq_watch *watch = pq_watch_start();
    enum pq_status s = pq_group_start(argc, argv, &l->group, err);
    l->group.watch = watch;
    l->help = asks_for_help(*argc, *argv);
    if (l->help) { /* with any number of processes, none included */
        if (l->group.world_rank == 0)
            pq_options_help(command, (*argv)[0]);
        return PQ_OK;
    }
    l->alone = command == PQ_CMD_EVAL && l->group.world_size == 1;
    if (l->alone)
        return begin_alone(l, command, *argc, *argv, err);
    if (s != PQ_OK) {
        if (l->group.world_rank != 0) /* all ranks know the same mistake */
            err->text[0] = 0;
        return s;
    }
    pq_watch_name(watch, pq_group_name(&l->group));
    return begin(l, command, *argc, *argv, err);
}

void pq_launch_announce(const struct pq_launch *l)
{
    struct pq_progress progress = pq_progress_start(l->group.world_rank == 0);
    const char *policy = getenv("OMP_WAIT_POLICY");
    pq_progress_line(&progress, "binding of ranks and threads%s%s%s\n%s", policy ? " (OMP_WAIT_POLICY=" : "",
                     policy ? policy : "", policy ? ")" : "", l->binding_text);
}

int pq_launch_end(struct pq_launch *l, enum pq_status status, const struct pq_error *err)
{
    if (status == PQ_WORLD && err->text[0])
        fprintf(stderr, "pqbert: %s, %s: %s\n", pq_group_name(&l->group), pq_watch_now(l->group.watch), err->text);
    else if (status != PQ_OK && err->text[0])
        fprintf(stderr, "pqbert: %s\n", err->text);
    if (l->has_model)
        pq_model_free(&l->model);
    if (l->has_embedding)
        pq_embedding_free(&l->embedding);
    pq_sequences_free(&l->sequences);
    pq_binding_close(l->binding);
    free(l->binding_text);
    pq_stocks_close(l);
    free(l->points);
    if (status == PQ_WORLD) { /* not through MPI_Finalize: it calls HDF5, which crashes once a disk has refused it */
        if (!err->text[0])
            sleep(5); /* who has said why ends the job: others would do so before that is heard */
        MPI_Abort(MPI_COMM_WORLD, PQ_WORLD);
    }
    pq_group_finish(&l->group);
    return (int)status;
}

struct pq_session_setup pq_launch_setup(const struct pq_launch *l, const struct pq_point *p)
{
    omp_set_num_threads((int)p->threads);
    return (struct pq_session_setup){
        .group = &l->group, .plan = p->plan, .gemm = l->gemm, .model = l->has_model ? &l->model : NULL,
        .embedding = l->has_embedding ? &l->embedding : NULL, .verify = !l->options.no_verify,
        .net = p->net, .binding = l->binding,
        .seed = l->options.seed_given ? &l->options.seed : NULL, .stock = p->stock };
}

bool pq_launch_insecure(const struct pq_launch *l, const struct pq_point *p)
{
    return l->options.seed_given || (p->stock && pq_stock_insecure(p->stock));
}

uint32_t *pq_launch_input(const struct pq_launch *l, const struct pq_point *p, size_t which)
{
    const size_t n = p->plan.seq * p->plan.batch;
    if (l->group.role != PQ_P1)
        return NULL;
    uint32_t *token = pq_alloc(4 * n);
    if (l->sequences.count)
        memcpy(token, pq_sequences_token(&l->sequences, which), 4 * n);
    else
        pq_tokens_random(l->options.input_seed, &l->shape, token, n);
    return token;
}
