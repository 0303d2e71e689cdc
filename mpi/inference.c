#include "inference.h"

#include "../kernels/machine.h"
#include "../kernels/secret.h"
#include "binding.h"
#include "encoder.h"
#include "engine_replay.h"
#include "seed.h"
#include "stock.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Set-up's randomness is apart from that of every inference. */
static const uint32_t SETUP_NUMBER = UINT32_MAX;

static bool takes_part(const struct pq_session *s)
{
    return s->setup.group->rank < s->setup.plan.ranks;
}

static bool verifies(const struct pq_session *s)
{
    return s->setup.verify && s->setup.group->world_rank == 0;
}

static bool fills_stock(const struct pq_session *s)
{
    return s->setup.stock && pq_stock_is_filled(s->setup.stock);
}

static bool lives_on_stock(const struct pq_session *s)
{
    return s->setup.stock && !pq_stock_is_filled(s->setup.stock);
}

/* All ranks leave this at nearly the same moment: the first barrier is patient, so that nobody burns a core while
 * others still work; the second is not, so that nobody oversleeps the start of what is timed. */
static void start_together(const struct pq_group *g)
{
    MPI_Request q;
    pq_group_barrier(g);
    PQ_MPI(g, "barrier", MPI_Ibarrier(g->control, &q));
    pq_group_wait(g, "barrier", &q, 1, NULL, 0);
}

/* Threads on their cores, all ranks here, the phase named to those who watch: returns the time at which it begins. */
static uint64_t begin(const struct pq_session *s, enum pq_phase phase, const char *name)
{
    const struct pq_group *g = s->setup.group;
    pq_binding_apply(s->setup.binding, s->setup.plan.ranks, (size_t)omp_get_max_threads(), phase == PQ_ONLINE);
    start_together(g);
    pq_watch_phase(g->watch, name);
    return pq_now_ns();
}

static void share_seeds(struct pq_session *s)
{
    const struct pq_group *g = s->setup.group;
    uint8_t key[2][16];
    size_t *blocks = pq_alloc(s->setup.plan.ranks * sizeof *blocks);
    memset(blocks, 0, s->setup.plan.ranks * sizeof *blocks);
    memset(key, 0, sizeof key);

    if (g->role == PQ_P0) {
        blocks[0] = 32;
        if (lives_on_stock(s) && g->rank == 0) {
            pq_stock_keys(s->setup.stock, key);
        } else {
            pq_seed_make(key[0], s->setup.seed, "s01");
            pq_seed_make(key[1], s->setup.seed, "s02");
        }
        pq_link_gather(&s->link, key, blocks);
        if (fills_stock(s) && g->rank == 0)
            pq_stock_put_keys(s->setup.stock, key);
        pq_link_send(&s->link, PQ_P1, key[0], 16);
        pq_link_send(&s->link, PQ_P2, key[1], 16);
        s->s01 = pq_prg_create(key[0]);
        s->s02 = pq_prg_create(key[1]);
    } else if (g->role == PQ_P1) {
        blocks[0] = 16;
        pq_link_receive(&s->link, PQ_P0, key[0], 16);
        pq_seed_make(key[1], s->setup.seed, "s12");
        pq_link_gather(&s->link, key[1], blocks);
        pq_link_send(&s->link, PQ_P2, key[1], 16);
        s->s01 = pq_prg_create(key[0]);
        s->s12 = pq_prg_create(key[1]);
        if (s->setup.verify && g->rank == 0)
            memcpy(s->key12, key[1], 16);
    } else {
        pq_link_receive(&s->link, PQ_P0, key[0], 16);
        pq_link_receive(&s->link, PQ_P1, key[1], 16);
        s->s02 = pq_prg_create(key[0]);
        s->s12 = pq_prg_create(key[1]);
    }
    pq_wipe(key, sizeof key);
    free(blocks);
}

/* Before the first verdict P1 tells the verifier what only P1 and P2 know. */
static void prepare_replay(struct pq_session *s)
{
    const struct pq_group *g = s->setup.group;
    uint8_t key[16];
    if (g->role == PQ_P1 && g->rank == 0)
        pq_group_send(g, 0, s->key12, 16);
    if (!verifies(s))
        return;
    pq_group_receive(g, pq_group_rank_of(g, PQ_P1, 0), key, 16);
    s->replay_s12 = pq_prg_create(key);
    pq_wipe(key, sizeof key);
    s->replay = pq_replay_create(&s->setup.plan, s->setup.model, s->setup.embedding, s->setup.gemm, s->s01, s->s02,
                                 s->replay_s12, SETUP_NUMBER);
}

static void prepare_context(struct pq_session *s, struct pq_context *c)
{
    c->role = s->setup.group->role;
    c->link = &s->link;
    c->s01 = s->s01;
    c->s02 = s->s02;
    c->s12 = s->s12;
    c->gemm = s->setup.gemm;
    c->weights = &s->weights;
    c->embedding = s->setup.embedding;
    c->logits = s->logits;
    c->engine.model = c->role == PQ_P0 ? s->setup.model : NULL;
}

void pq_session_open(struct pq_session *s, const struct pq_session_setup *setup)
{
    const struct pq_group *g = setup->group;
    memset(s, 0, sizeof *s);
    s->setup = *setup;
    pq_predict(&s->setup.plan, setup->verify, &s->predicted);
    if (setup->stock)
        pq_prediction_leave_out(&s->predicted, fills_stock(s) ? PQ_ONLINE : PQ_OFFLINE);
    s->logits = pq_alloc(setup->plan.shape.labels * setup->plan.batch * sizeof *s->logits);
    pq_link_open(&s->link, g, setup->plan.ranks);
    pq_link_emulate(&s->link, &setup->net);
    s->link.ear = setup->ear;

    pq_machine_restart_peak_memory();
    const uint64_t start = begin(s, PQ_SETUP, pq_phase_name[PQ_SETUP]);
    if (takes_part(s)) {
        pq_link_phase(&s->link, PQ_SETUP, PQ_OP_SETUP);
        share_seeds(s);
        pq_weights_share(&s->weights, &s->link, &s->setup.plan, setup->gemm, setup->model, s->s01, s->s02,
                         SETUP_NUMBER);
        pq_link_pause(&s->link);
        s->setup_ns = pq_now_ns() - start;
        prepare_context(s, &s->party);
        pq_predict_draws(&s->setup.plan, g->role, g->rank, &s->party.draws);
        pq_party_start(&s->party, &s->setup.plan, g->rank);
        if (g->role == PQ_P0) {
            prepare_context(s, &s->dealer);
            pq_dealer_start(&s->dealer, &s->setup.plan, g->rank);
            for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
                pq_stage_open(pq_stage_of(&s->dealer, r), &s->link, r);
        }
    }
}

/* Of every repetition, before anything is drawn for it. P2 refuses material twice, but P0 and P1 draw masks: each party
 * must refuse to draw the same ones again, whatever the others ask for. */
static void use_number(struct pq_session *s, uint32_t number)
{
    PQ_ASSERT(number >= s->fresh && number < SETUP_NUMBER);
    s->fresh = number + 1;
}

static void deal(struct pq_session *s, uint32_t number)
{
    s->dealer.inference = number;
    pq_encoder_run(&s->dealer.engine);
    pq_stage_flush(pq_stage_of(&s->dealer, PQ_P1));
    pq_stage_flush(pq_stage_of(&s->dealer, PQ_P2));
}

static size_t material_bytes(const struct pq_session *s)
{
    return s->predicted.material[s->party.role][s->setup.group->rank];
}

static void draw(struct pq_session *s, uint32_t number)
{
    pq_draws_make(&s->party.draws, s->party.role == PQ_P1 ? s->s01 : s->s02, number);
}

static void offline(struct pq_session *s)
{
    use_number(s, s->repetition);
    pq_link_phase(&s->link, PQ_OFFLINE, PQ_OP_INPUT);
    if (s->party.role == PQ_P0 && !lives_on_stock(s))
        deal(s, s->repetition);
    if (s->party.role != PQ_P0 && !lives_on_stock(s))
        pq_material_receive(&s->party.material, &s->link, material_bytes(s));
    if (s->party.role != PQ_P0 && !fills_stock(s))
        draw(s, s->repetition);
    pq_link_pause(&s->link);
}

static void online(struct pq_session *s, const uint32_t *token)
{
    s->party.inference = s->repetition;
    s->party.token = token;
    pq_link_phase(&s->link, PQ_ONLINE, PQ_OP_INPUT);
    pq_encoder_run(&s->party.engine);
    pq_link_pause(&s->link);
    if (s->party.role != PQ_P0)
        pq_material_done(&s->party.material);
}

/* The next inference's material is made and sent while this one's online phase runs. mine: times from `start` on. */
static void online_and_next(struct pq_session *s, const uint32_t *token, uint64_t start, struct pq_report *mine)
{
    const uint32_t next = s->repetition + 1;
    use_number(s, next);
    if (s->party.role == PQ_P0) {
        pq_link_phase(&s->link, PQ_OFFLINE, PQ_OP_INPUT);
        deal(s, next);
        mine->offline_ns = pq_now_ns() - start;
    } else {
        pq_material_expect(&s->coming, &s->link, material_bytes(s));
        online(s, token);
        mine->online_ns = pq_now_ns() - start;
        const struct pq_material used = s->party.material;
        s->party.material = s->coming;
        s->coming = used;
        pq_link_phase(&s->link, PQ_OFFLINE, PQ_OP_INPUT);
        pq_link_arrived(&s->link);
        draw(s, next);
    }
    pq_link_pause(&s->link);
}

static enum pq_verdict verify(struct pq_session *s, const uint32_t *token)
{
    const struct pq_group *g = s->setup.group;
    const struct pq_plan *p = &s->setup.plan;
    const size_t tokens = p->seq * p->batch, logits = p->shape.labels * p->batch;
    int32_t verdict = PQ_UNCHECKED;
    if (!s->setup.verify)
        return PQ_UNCHECKED;
    if (!s->replays)
        prepare_replay(s);
    s->replays = true;
    if (g->role == PQ_P1 && g->rank == 0) {
        pq_group_send(g, 0, token, tokens * 4);
        pq_group_send(g, 0, s->logits, logits * 4);
    }
    if (verifies(s)) {
        const int p1 = pq_group_rank_of(g, PQ_P1, 0);
        uint32_t *theirs = pq_alloc(tokens * 4);
        int32_t *opened = pq_alloc(logits * 4), *expected = pq_alloc(logits * 4);
        pq_group_receive(g, p1, theirs, tokens * 4);
        pq_group_receive(g, p1, opened, logits * 4);
        pq_replay_run(s->replay, s->repetition, theirs, expected);
        verdict = memcmp(opened, expected, logits * 4) ? PQ_WRONG : PQ_VALID;
        pq_free_secret(theirs, tokens * 4);
        pq_free_secret(opened, logits * 4);
        pq_free_secret(expected, logits * 4);
    }
    pq_group_broadcast(g, 0, &verdict, sizeof verdict);
    return (enum pq_verdict)verdict;
}

static void gather_reports(struct pq_session *s, struct pq_report *mine, struct pq_measurement *m)
{
    mine->setup_ns = s->setup_ns;
    mine->peak_memory = pq_machine_peak_memory();
    mine->tally = s->link.tally;
    pq_report_gather(mine, s->setup.group, s->setup.plan.ranks, m);
}

static void forget_repetition(struct pq_session *s, struct pq_measurement *m)
{
    memset(m, 0, sizeof *m);
    memset(s->link.tally.at[PQ_OFFLINE], 0, sizeof s->link.tally.at[PQ_OFFLINE]);
    memset(s->link.tally.at[PQ_ONLINE], 0, sizeof s->link.tally.at[PQ_ONLINE]);
}

enum pq_status pq_session_deal(struct pq_session *s, struct pq_measurement *m, struct pq_error *err)
{
    struct pq_report mine = { 0 };
    PQ_ASSERT(fills_stock(s));
    forget_repetition(s, m);

    pq_wire_set_clocks(s->link.wire);
    uint64_t start = begin(s, PQ_OFFLINE, pq_phase_name[PQ_OFFLINE]);
    if (takes_part(s))
        offline(s);
    mine.offline_ns = pq_now_ns() - start;

    start = begin(s, PQ_OFFLINE, "writing material");
    const enum pq_status status = pq_stock_put(s->setup.stock, s->repetition, &s->party.material, err);
    mine.material_ns = pq_now_ns() - start;

    m->verdict = PQ_UNCHECKED;
    gather_reports(s, &mine, m);
    s->repetition++;
    return status;
}

void pq_session_repeat(struct pq_session *s, const uint32_t *token, struct pq_measurement *m)
{
    const struct pq_group *g = s->setup.group;
    struct pq_report mine = { 0 };
    uint64_t start;
    PQ_ASSERT(!fills_stock(s));
    forget_repetition(s, m);

    pq_wire_set_clocks(s->link.wire);
    start_together(g);
    const struct pq_clocks first = pq_clocks_read();
    if (lives_on_stock(s)) {
        start = begin(s, PQ_OFFLINE, "reading material");
        s->repetition = pq_stock_take(s->setup.stock, &s->party.material);
        mine.material_ns = pq_now_ns() - start;
    }

    if (!s->setup.plan.overlap || s->fresh == s->repetition) { /* else it was made beside the repetition before */
        start = begin(s, PQ_OFFLINE, pq_phase_name[PQ_OFFLINE]);
        if (takes_part(s))
            offline(s);
        mine.offline_ns = pq_now_ns() - start;
    }
    if (s->setup.plan.overlap) { /* the counts and the time of this repetition are those of the material made beside it */
        forget_repetition(s, m);
        mine.offline_ns = 0;
    }

    start = begin(s, PQ_ONLINE, pq_phase_name[PQ_ONLINE]);
    if (takes_part(s) && s->setup.plan.overlap) {
        online_and_next(s, token, start, &mine);
    } else {
        if (takes_part(s) && (g->role != PQ_P0 || s->setup.plan.protocol == PQ_PUBLISHED))
            online(s, token);
        mine.online_ns = pq_now_ns() - start;
    }
    pq_group_barrier(g);
    mine.cycle_ns = s->setup.plan.overlap ? pq_now_ns() - start : 0;
    const struct pq_clocks last = pq_clocks_read();
    mine.whole_ns = last.monotonic - first.monotonic;
    mine.clock_off_ns = pq_clocks_apart(&first, &last);
    pq_watch_phase(g->watch, "verification");
    start = pq_now_ns();
    m->verdict = verify(s, token);
    m->verify_ns = pq_now_ns() - start;
    if (m->verdict == PQ_WRONG && lives_on_stock(s))
        pq_stock_explain(s->setup.stock, s->repetition);
    gather_reports(s, &mine, m);
    if (s->replay)
        for (size_t i = 0; i < (s->setup.plan.shape.layers + (size_t)1) * PQ_OPERATIONS; i++)
            m->range_wrapped += pq_replay_ranges(s->replay)[i].wrapped;
    pq_watch_phase(g->watch, "between inferences");
    s->repetition++;
}

void pq_session_close(struct pq_session *s)
{
    pq_link_close(&s->link);
    pq_replay_free(s->replay);
    pq_prg_free(s->replay_s12);
    if (takes_part(s)) {
        if (s->setup.group->role == PQ_P0)
            for (enum pq_role r = PQ_P1; r <= PQ_P2; r++)
                pq_stage_close(pq_stage_of(&s->dealer, r));
        pq_context_finish(&s->dealer);
        pq_context_finish(&s->party);
        pq_material_free(&s->coming);
        pq_weights_free(&s->weights);
    }
    pq_prg_free(s->s01);
    pq_prg_free(s->s02);
    pq_prg_free(s->s12);
    pq_wipe(s->key12, sizeof s->key12);
    pq_prediction_free(&s->predicted);
    pq_free_secret(s->logits, 4 * s->setup.plan.shape.labels * s->setup.plan.batch);
#pragma omp parallel
    pq_wipe_stack();
}
