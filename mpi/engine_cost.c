#include "engine_run.h"

#include "encoder.h"
#include "engine_replay.h"
#include "input.h"
#include "linear.h"
#include "local.h"
#include "lookup.h"
#include "maximum.h"
#include "norm.h"
#include "open.h"
#include "product.h"
#include "reshare.h"

#include <stdlib.h>
#include <string.h>

static void begin(struct pq_engine *e, enum pq_operation operation)
{
    struct pq_cost *c = pq_cost_of(e);
    c->operation = operation;
    c->turn ^= 1;
    c->brief[c->turn].now = 0;
}

static void layer(struct pq_engine *e, uint32_t l)
{
    struct pq_cost *c = pq_cost_of(e);
    c->generation = l % 2;
    c->kept[c->generation].now = 0;
}

static const struct pq_ops cost = {
    .begin = begin, .layer = layer, .embed = pq_embed_cost, .linear = pq_linear_cost, .scores = pq_scores_cost,
    .context = pq_context_cost, .truncate = pq_truncate_cost, .add = pq_add_cost, .row_sum = pq_row_sum_cost,
    .open = pq_open_cost, .difference = pq_difference_cost, .read = pq_read_cost, .read_pair = pq_read_pair_cost,
    .halves = pq_halves_cost, .count_at_least = pq_count_cost, .reshare = pq_reshare_cost,
    .reshare_code = pq_reshare_code_cost, .gather = pq_gather_cost, .first_tokens = pq_first_tokens_cost,
    .lift = pq_lift_cost, .variance = pq_variance_cost, .normalise = pq_normalise_cost, .reveal = pq_reveal_cost,
};

/* Set-up: seeds (s01 and s02 from P0, s12 from P1, made by each party's first rank) and weight shares. */
static void setup_cost(struct pq_cost *c)
{
    const struct pq_plan *p = &c->engine.plan;
    struct pq_count *from[PQ_ROLES];
    c->operation = PQ_OP_SETUP;
    for (enum pq_role r = PQ_P0; r < PQ_ROLES; r++)
        from[r] = &c->party[r].at[PQ_SETUP][PQ_OP_SETUP];
    from[PQ_P0]->bytes += 2 * PQ_SEED_BYTES;
    from[PQ_P0]->bytes_to[PQ_P1] += PQ_SEED_BYTES;
    from[PQ_P0]->bytes_to[PQ_P2] += PQ_SEED_BYTES;
    from[PQ_P0]->messages += 2;
    from[PQ_P1]->bytes += PQ_SEED_BYTES;
    from[PQ_P1]->bytes_to[PQ_P2] += PQ_SEED_BYTES;
    from[PQ_P1]->messages++;
    from[PQ_P1]->rounds++;
    from[PQ_P2]->rounds += 2;
    if (c->engine.rank == 0) {
        pq_cost_gather(c, PQ_P0, PQ_SETUP, 2 * PQ_SEED_BYTES);
        pq_cost_gather(c, PQ_P1, PQ_SETUP, PQ_SEED_BYTES);
    }
    for (size_t l = 0; l < 4 * (size_t)p->shape.layers + 2; l++) {
        size_t out, in;
        pq_weights_sizes(&p->shape, l, &out, &in);
        const size_t bytes = 2 * in * pq_weights_rows(&p->shape, l, p->ranks, c->engine.rank).count;
        const unsigned receivers = p->protocol == PQ_PUBLISHED ? 2 : 1;
        from[PQ_P0]->bytes += receivers * bytes;
        from[PQ_P0]->bytes_to[PQ_P2] += bytes;
        from[PQ_P0]->bytes_to[PQ_P1] += (receivers - 1) * bytes;
        from[PQ_P0]->messages += bytes ? receivers : 0;
        from[PQ_P2]->rounds += bytes != 0;
        if (receivers == 2)
            from[PQ_P1]->rounds += bytes != 0;
    }
}

/* What pq_alloc takes for an array: large ones come in pages of 2 MiB. */
static uint64_t allocated(uint64_t bytes)
{
    const uint64_t page = 2 << 20;
    return bytes < 2 * page ? bytes : (bytes + page - 1) / page * page;
}

/* Packed shares of one rank, one operand per linear layer. */
static uint64_t packed_weights(const struct pq_plan *p, size_t rank)
{
    uint64_t bytes = 0;
    for (size_t l = 0; l < 4 * (size_t)p->shape.layers + 2; l++) {
        size_t out, in;
        pq_weights_sizes(&p->shape, l, &out, &in);
        bytes += 2 * in * pq_weights_rows(&p->shape, l, p->ranks, rank).count;
    }
    return bytes;
}

/* What large pages add to one set of packed weights of a whole model. */
static uint64_t page_rounding(const struct pq_plan *p)
{
    uint64_t bytes = 0;
    for (size_t l = 0; l < 4 * (size_t)p->shape.layers + 2; l++) {
        size_t out, in;
        pq_weights_sizes(&p->shape, l, &out, &in);
        bytes += allocated(2 * out * in) - 2 * out * in;
    }
    return bytes;
}

/* Sums one rank's counts into the party's: bytes and messages add up; rounds are rank 0's, who never has fewer;
 * multiply-adds and bytes read are the busiest rank's. */
static void add_rank(struct pq_tally *party, const struct pq_tally *rank, bool first)
{
    for (int phase = 0; phase < PQ_PHASES; phase++)
        for (int o = 0; o < PQ_OPERATIONS; o++) {
            struct pq_count *to = &party->at[phase][o], from = rank->at[phase][o];
            const uint64_t rounds = to->rounds, work = to->multiply_adds, read = to->read_bytes;
            pq_count_add(to, &from);
            to->rounds = first ? from.rounds : rounds;
            to->multiply_adds = work > from.multiply_adds ? work : from.multiply_adds;
            to->read_bytes = read > from.read_bytes ? read : from.read_bytes;
        }
}

/* A rank without a model: MPI, HDF5 and BLAS as loaded; and what the allocator keeps of arrays that were freed
 * (both measured, bert-tiny and bert-base). */
enum { PROCESS_BYTES = 32 << 20, KEPT_BYTES = 48 << 20 };

static uint64_t embedding_bytes(const struct pq_shape *s)
{
    return 4 * (uint64_t)s->hidden * ((uint64_t)s->vocab + s->max_seq + s->types + 2);
}

/* The secret model in P0's memory: weights as bytes, tables as bytes. */
static uint64_t model_bytes(const struct pq_shape *s)
{
    const uint64_t weights = (uint64_t)s->layers * s->hidden * (4 * (uint64_t)s->hidden + 2 * s->ffn) +
                             (uint64_t)s->hidden * s->hidden;
    const uint64_t tables =
        (uint64_t)s->layers * ((3 * (uint64_t)s->hidden + s->ffn) << s->trunc) +
        (uint64_t)s->layers * s->hidden * ((4u << s->norm_trunc) + (1u << pq_context_trunc(s->trunc)));
    return weights + tables;
}

void pq_cost_start(struct pq_cost *c, const struct pq_plan *plan, size_t rank)
{
    memset(c, 0, sizeof *c);
    c->engine = (struct pq_engine){ .ops = &cost, .plan = *plan, .rank = rank };
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
        pq_stage_open(&c->stage[r], NULL, r);
}

void pq_cost_close(struct pq_cost *c)
{
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++) {
        const uint64_t before = c->stage[r].messages;
        pq_stage_flush(&c->stage[r]);
        pq_cost_at(c, PQ_P0, PQ_OFFLINE)->messages += c->stage[r].messages - before;
    }
}

void pq_predict(const struct pq_plan *plan, bool verifying, struct pq_prediction *out)
{
    memset(out, 0, sizeof *out);
    for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
        out->material[r] = pq_alloc(plan->ranks * sizeof *out->material[r]);
    const unsigned operands = plan->protocol == PQ_PUBLISHED ? 2 : 1;
    /* While shares are made, a linear layer's three arrays stand beside what is packed. */
    const uint64_t largest = 6 * (uint64_t)plan->shape.hidden * plan->shape.ffn / plan->ranks;

    for (size_t j = 0; j < plan->ranks; j++) {
        struct pq_cost c;
        pq_cost_start(&c, plan, j);
        pq_encoder_run(&c.engine);
        pq_cost_close(&c);
        setup_cost(&c);
        for (enum pq_role r = PQ_P0; r < PQ_ROLES; r++)
            add_rank(&out->party[r], &c.party[r], j == 0);
        for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
            out->material[r][j] = c.stage[r].bytes;
        const unsigned inferences = plan->overlap ? 2 : 1;
        const uint64_t drawn[PQ_ROLES] = { 0, c.draws[PQ_P1].bytes, c.draws[PQ_P2].bytes };

        const uint64_t weights = allocated(operands * packed_weights(plan, j));
        const uint64_t values = c.kept[0].peak + c.kept[1].peak + c.brief[0].peak + c.brief[1].peak +
                                2 * c.message_peak;
        const uint64_t scratch = values > largest ? values : largest,
                       kept = weights / 4 < KEPT_BYTES ? weights / 4 : KEPT_BYTES;
        const uint64_t process = PROCESS_BYTES + kept;
        if (j == 0)
            out->weight_bytes = weights;
        /* P0 has the dealer's values and, in `published`, those of its own online part. */
        out->memory[PQ_P0] += process + model_bytes(&plan->shape) + weights + scratch + (operands - 1) * values +
                              2 * (uint64_t)PQ_STAGE_BUFFERS * PQ_STAGE_BYTES;
        out->memory[PQ_P1] +=
            process + embedding_bytes(&plan->shape) + inferences * c.stage[PQ_P1].bytes + weights + scratch +
            drawn[PQ_P1];
        out->memory[PQ_P2] += process + inferences * c.stage[PQ_P2].bytes + weights + values + drawn[PQ_P2];
        for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
            pq_draws_free(&c.draws[r]);
    }
    if (verifying)
        out->memory[PQ_P0] += pq_replay_memory(plan) + (operands + 1) * page_rounding(plan) +
                              embedding_bytes(&plan->shape);
}

void pq_prediction_leave_out(struct pq_prediction *p, enum pq_phase phase)
{
    for (int r = 0; r < PQ_ROLES; r++)
        memset(p->party[r].at[phase], 0, sizeof p->party[r].at[phase]);
}

void pq_prediction_free(struct pq_prediction *p)
{
    free(p->material[PQ_P1]);
    free(p->material[PQ_P2]);
}

void pq_predict_draws(const struct pq_plan *plan, enum pq_role role, size_t rank, struct pq_draws *out)
{
    struct pq_cost c;
    pq_cost_start(&c, plan, rank);
    pq_encoder_run(&c.engine);
    *out = c.draws[role];
    c.draws[role] = (struct pq_draws){ 0 };
    for (enum pq_role r = PQ_P0; r < PQ_ROLES; r++)
        pq_draws_free(&c.draws[r]);
}
