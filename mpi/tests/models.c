#include "models.h"

#include "../../model_io/synth.h"
#include "../../model_io/tokens.h"
#include "../engine_plain.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fixed: a test that fails, fails again. */
static const uint64_t SEED = 4;

static const char *const protocol_name[] = { "published", "preprocessed" }, *const maximum_name[] = { "tree", "count" },
                  *const tables_name[] = { "direct", "compact" };

void tiny_make(struct tiny *t, const char *config)
{
    struct pq_error err;
    if (pq_shape_parse(config, &t->shape, &err) != PQ_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    enum { BATCH = 16 }; /* fewer sequences than users calibrate on: the tests ask for no accuracy */
    const size_t seq = t->shape.max_seq < PQ_SYNTH_SEQ ? t->shape.max_seq : PQ_SYNTH_SEQ;
    const struct pq_plan plan = { .shape = t->shape, .seq = seq, .batch = BATCH, .protocol = PQ_PREPROCESSED,
                                  .ranks = 1, .softmax = pq_softmax_widths((uint32_t)seq) };
    uint32_t *token = pq_alloc(4 * seq * BATCH);
    int32_t *logits = pq_alloc(4 * t->shape.labels * BATCH);
    struct pq_synth *synth = pq_synth_begin(&t->shape, SEED, &t->model, &t->embedding);
    const struct pq_observer calibrator = pq_synth_observer(synth);
    struct pq_plain *plain = pq_plain_create(&plan, &t->model, &t->embedding, &calibrator);
    omp_set_num_threads(1); /* all ranks do this at once */
    pq_tokens_random(SEED, &t->shape, token, seq * BATCH);
    pq_plain_run(plain, token, logits);
    pq_plain_free(plain);
    pq_synth_end(synth);
    free(token);
    free(logits);
}

void tiny_free(struct tiny *t)
{
    pq_model_free(&t->model);
    pq_embedding_free(&t->embedding);
}

const char *point_name(const struct point *at)
{
    static char text[160];
    snprintf(text, sizeof text, "%s %s %s S=%zu batch=%zu G=%zu threads=%d kernel=%s", protocol_name[at->protocol],
             maximum_name[at->maximum], tables_name[at->tables], at->seq, at->batch ? at->batch : 1, at->ranks,
             at->threads ? at->threads : 1, at->kernel ? at->kernel : "best");
    return text;
}

struct pq_session_setup point_setup(struct parties *p, const struct tiny *t, const struct point *at)
{
    const struct pq_group *g = &p->group;
    omp_set_num_threads(at->threads ? at->threads : 1);
    return (struct pq_session_setup){
        .group = g,
        .plan = { .shape = t->shape, .seq = at->seq, .batch = at->batch ? at->batch : 1, .protocol = at->protocol,
                  .maximum = at->maximum, .tables = at->tables, .ranks = at->ranks, .overlap = at->overlap,
                  .softmax = pq_softmax_widths((uint32_t)at->seq) },
        .gemm = pq_gemm16_pick(at->kernel),
        .model = g->role == PQ_P0 ? &t->model : NULL,
        .embedding = g->role == PQ_P1 || (g->world_rank == 0 && !at->no_verify) ? &t->embedding : NULL,
        .verify = !at->no_verify,
        .seed = at->fresh_seeds ? NULL : &SEED };
}

uint32_t *point_input(const struct tiny *t, const struct point *at)
{
    const size_t n = at->seq * (at->batch ? at->batch : 1);
    uint32_t *token = pq_alloc(4 * n);
    pq_tokens_random(SEED + n, &t->shape, token, n);
    return token;
}

bool counts_agree(const struct pq_tally measured[PQ_ROLES], const struct pq_tally predicted[PQ_ROLES],
                  const char **where)
{
    static char text[80];
    *where = text;
    for (int r = 0; r < PQ_ROLES; r++)
        for (int phase = 0; phase < PQ_PHASES; phase++)
            for (int o = 0; o < PQ_OPERATIONS; o++) {
                const struct pq_count *a = &measured[r].at[phase][o], *b = &predicted[r].at[phase][o];
                if (pq_count_agrees(a, b))
                    continue;
                snprintf(text, sizeof text, "P%d %s %s", r, pq_phase_name[phase], pq_operation_name[o]);
                return false;
            }
    return true;
}

/* P1's first rank's logits to all; each of P1's working ranks must hold the same. */
static void take_logits(struct parties *p, const struct pq_session *s, const struct point *at, int32_t *to)
{
    const struct pq_group *g = &p->group;
    const size_t bytes = s->setup.plan.shape.labels * s->setup.plan.batch * sizeof *to;
    if (g->role == PQ_P1)
        memcpy(to, s->logits, bytes);
    pq_group_broadcast(g, pq_group_rank_of(g, PQ_P1, 0), to, bytes);
    if (g->role == PQ_P1 && g->rank < at->ranks)
        parties_check(p, !memcmp(to, s->logits, bytes), "%s: P1's ranks hold different logits", point_name(at));
}

void point_run(struct parties *p, const struct tiny *t, const struct point *at, size_t repeats, int32_t *logits)
{
    const struct pq_session_setup setup = point_setup(p, t, at);
    const size_t each = t->shape.labels * setup.plan.batch;
    const enum pq_verdict wanted = at->no_verify ? PQ_UNCHECKED : PQ_VALID;
    struct pq_session s;
    struct pq_measurement m;
    uint32_t *token = point_input(t, at);
    pq_session_open(&s, &setup);
    for (size_t i = 0; i < repeats; i++) {
        const char *where = "";
        pq_session_repeat(&s, p->group.role == PQ_P1 ? token : NULL, &m);
        parties_check(p, m.verdict == wanted, "%s: repetition %zu has verdict %d", point_name(at), i, (int)m.verdict);
        if (p->group.world_rank == 0) {
            parties_check(p, counts_agree(m.party, s.predicted.party, &where),
                          "%s: counts differ from the prediction at %s", point_name(at), where);
            parties_check(p, at->overlap ? m.cycle_ns >= m.online_ns && m.cycle_ns >= m.offline_ns : !m.cycle_ns,
                          "%s: cycle of %llu ns", point_name(at), (unsigned long long)m.cycle_ns);
        }
        if (logits)
            take_logits(p, &s, at, logits + i * each);
    }
    pq_session_close(&s);
    free(token);
}
