/* What each party sees tells it nothing (protocols.md section 8): whole inferences of small models are written down
 * at every party (transcript.h) and looked at, for inputs and models that are as extreme as they can be. Every look is
 * then taken at runs with a planted fault (faults.h), which it must notice. Run under mpirun -n 3*G.
 *
 * Seeds are fixed, so a run repeats. False alarms, after a change that moves any random number: 1e-9 a test (spread.h),
 * and the line at the end says how many tests a run made: some hundred thousand, so about one alarm in 5,000
 * changes. */
#include "faults.h"
#include "models.h"
#include "transcript.h"
#include "uses.h"

#include "../../kernels/ring.h"
#include "../seed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 64 tokens, so that no message and no piece of material is padded (transcript.h). */
enum { SEQ = 8, BATCH = 8, TOKENS = SEQ * BATCH, SEEDS = 3 };
static const char *const CONFIG = "layers=1,hidden=32,heads=4,ffn=48,vocab=50,max_seq=8,labels=8";

/* One session to look at; all zero but model and token is a sensible one. */
struct run {
    struct point at;
    const struct tiny *model;
    const uint32_t *token;
    uint64_t seed;
    enum pq_role without; /* P1, P2: P0 and this one's partner, after set-up, share another seed (P0: all as set up) */
    size_t repeats;       /* 0: 1 */
    enum fault fault;
};

static void replace(struct pq_session *s, struct pq_prg **seed, const uint8_t key[16])
{
    struct pq_prg **const held = seed == &s->s01 ? &s->party.s01 : &s->party.s02;
    if (!*seed)
        return;
    pq_prg_free(*seed);
    *seed = *held = pq_prg_create(key);
    if (seed == &s->s01)
        s->dealer.s01 = s->s01;
    else
        s->dealer.s02 = s->s02;
}

/* Runs it, writes down what this rank sees and (uses not NULL) draws from s01, s02, s12. */
static void record(struct parties *p, const struct run *r, struct transcript *view, struct uses *uses)
{
    struct pq_session s;
    struct pq_measurement m;
    struct planted planted;
    struct pq_session_setup setup = point_setup(p, r->model, &r->at);
    transcript_open(view);
    setup.seed = &r->seed;
    setup.ear = &view->ear;
    pq_session_open(&s, &setup);
    if (p->group.rank < r->at.ranks) {
        static const uint8_t other[16] = "another 16 bytes";
        struct pq_prg **const seed[SEEDS] = { &s.s01, &s.s02, &s.s12 };
        if (r->without != PQ_P0)
            replace(&s, r->without == PQ_P1 ? &s.s02 : &s.s01, other);
        if (r->fault)
            fault_plant(r->fault, &s, &planted);
        for (int i = 0; uses && i < SEEDS; i++) {
            uses_open(&uses[i], p->group.role == PQ_P0 ? &s.link : NULL);
            if (*seed[i])
                pq_prg_set_watch(*seed[i], &uses[i].watch);
        }
    }
    for (size_t i = 0; i < (r->repeats ? r->repeats : 1); i++) {
        if (r->fault == FAULT_REPEATS)
            s.repetition = s.fresh = 0;
        pq_session_repeat(&s, p->group.role == PQ_P1 ? r->token : NULL, &m);
    }
    pq_session_close(&s);
}

static bool everywhere(struct parties *p, bool holds)
{
    int here = holds, all;
    MPI_Allreduce(&here, &all, 1, MPI_INT, MPI_LAND, p->group.control);
    return all;
}

/* The looks. Each says whether what it saw at any rank is as it should be. `total` counts tests. */
struct look { struct parties *p; struct finding *total; bool quiet; };

static bool conclude(const struct look *k, const struct finding *f, const char *what)
{
    const bool holds = f->p >= SPREAD_ALARM;
    if (!k->quiet) {
        k->total->tests += f->tests;
        k->total->p = fmin(k->total->p, f->p);
    }
    if (!holds && !k->quiet)
        fprintf(stderr, "P%d: %s: p = %.1e: %s\n", (int)k->p->group.role, what, f->p, f->where);
    return everywhere(k->p, holds);
}

static bool is_uniform(const struct look *k, const struct run *r)
{
    struct transcript t;
    struct finding f = { .p = 1 };
    record(k->p, r, &t, NULL);
    transcript_uniform(&t, &f);
    transcript_close(&t);
    return conclude(k, &f, "a view is not uniform");
}

static bool is_same(const struct look *k, const struct run *a, const struct run *b)
{
    struct transcript of_a, of_b;
    struct finding f = { .p = 1 };
    record(k->p, a, &of_a, NULL);
    record(k->p, b, &of_b, NULL);
    const bool alike = everywhere(k->p, transcript_alike(&of_a, &of_b));
    if (alike)
        transcript_same(&of_a, &of_b, &f);
    transcript_close(&of_a);
    transcript_close(&of_b);
    return conclude(k, &f, "two views differ") && alike;
}

/* To each of P1 and P2, what the other two made from a seed that it does not know. */
static bool is_fresh(const struct look *k, const struct run *r)
{
    bool holds = true;
    for (enum pq_role role = PQ_P1; role <= PQ_P2; role++) {
        struct transcript as_set_up, other;
        struct finding f = { .p = 1 };
        struct run changed = *r;
        changed.without = role;
        record(k->p, r, &as_set_up, NULL);
        record(k->p, &changed, &other, NULL);
        if (k->p->group.role == role)
            transcript_fresh(&as_set_up, &other, &f);
        transcript_close(&as_set_up);
        transcript_close(&other);
        holds = conclude(k, &f, "a view is not hidden by the other parties' seed") && holds;
    }
    return holds;
}

static bool masks_differ(const struct look *k, const struct run *r)
{
    struct transcript t;
    struct finding f = { .p = 1 };
    record(k->p, r, &t, NULL);
    transcript_masks(&t, &f);
    transcript_close(&t);
    return conclude(k, &f, "two openings have masks in common");
}

/* P1 and P2 hold one half of every mask, so both must draw each once; of P0, what it deals. With one rank per party:
 * more ranks make a gathered value's masks again, whole, after each has made its own part. */
static bool draws_once(const struct look *k, const struct run *r)
{
    struct transcript t;
    struct uses uses[SEEDS] = { 0 };
    bool once = true;
    size_t drawn = 0;
    record(k->p, r, &t, uses);
    transcript_close(&t);
    for (int i = 0; i < SEEDS; i++) {
        const char *where;
        drawn += uses[i].count;
        if (uses_once(&uses[i], &where))
            continue;
        once = false;
        if (!k->quiet)
            fprintf(stderr, "P%d, seed %d: drawn twice: %s\n", (int)k->p->group.role, i, where);
    }
    for (int i = 0; i < SEEDS; i++)
        uses_close(&uses[i]);
    return everywhere(k->p, once && (drawn > 0 || k->p->group.rank >= r->at.ranks));
}

/* P0 is told nothing, in any phase. (A message it does not take would have no one to hear it, but the counts, which
 * test_models.c holds against the prediction, book it at the sender.) */
static bool p0_hears_nothing(const struct look *k, const struct run *r)
{
    struct transcript t;
    record(k->p, r, &t, NULL);
    size_t heard = t.count;
    transcript_close(&t);
    return everywhere(k->p, k->p->group.role != PQ_P0 || heard == 0);
}

/* ---- what must hold ---- */

/* Weights, multipliers, biases and tables that are all one value. */
static void make_flat(struct tiny *t, int8_t weight, uint16_t multiplier, int8_t code)
{
    const size_t hidden = t->shape.hidden;
    for (uint32_t l = 0; l <= t->shape.layers; l++)
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++) {
            if (l == t->shape.layers && id > 1)
                continue;
            const int number = l < t->shape.layers ? id : PQ_POOLER + id;
            struct pq_linear *w = pq_model_linear(&t->model, l, (enum pq_linear_id)number);
            memset(w->weight, weight, (size_t)w->out * w->in);
            for (uint32_t o = 0; o < w->out; o++) {
                w->multiplier[o] = multiplier;
                w->bias[o] = 0;
            }
            if (w->table_bits)
                memset(w->table, code, (size_t)w->out << w->table_bits);
        }
    for (uint32_t l = 0; l < t->shape.layers; l++) {
        struct pq_layer *layer = &t->model.layer[l];
        memset(layer->score_clamp, code, sizeof layer->score_clamp);
        memset(layer->context, code, hidden << pq_context_trunc(t->shape.trunc));
        for (int i = 0; i < 2; i++) {
            memset(layer->norm[i].code, code, hidden << t->shape.norm_trunc);
            memset(layer->norm[i].residual, code, hidden << t->shape.norm_trunc);
        }
    }
}

static void fill(uint32_t token[TOKENS], uint32_t value)
{
    for (size_t i = 0; i < TOKENS; i++)
        token[i] = value;
}

struct inputs { uint32_t *random, first[TOKENS], last[TOKENS]; };
struct models { struct tiny usual, zero, maximal, blank; }; /* blank: an embedding of zeros, too */

static void of_every_variant(struct look *k, const struct models *m, const struct inputs *in, size_t ranks)
{
    for (int v = 0; v < 8; v++) {
        const struct point at = { .seq = SEQ, .batch = BATCH, .ranks = ranks, .no_verify = true,
                                  .protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                  .maximum = v & 2 ? PQ_COUNT : PQ_TREE, .tables = v & 4 ? PQ_COMPACT : PQ_DIRECT };
        const struct run usual = { at, &m->usual, in->random, 1, PQ_P0, 0, NO_FAULT },
                         zero = { at, &m->zero, in->first, 2, PQ_P0, 0, NO_FAULT },
                         maximal = { at, &m->maximal, in->last, 3, PQ_P0, 0, NO_FAULT },
                         blank = { at, &m->blank, in->first, 4, PQ_P0, 0, NO_FAULT },
                         twice = { at, &m->usual, in->random, 5, PQ_P0, 2, NO_FAULT },
                         twice_blank = { at, &m->blank, in->first, 6, PQ_P0, 2, NO_FAULT },
                         other = { at, &m->usual, in->last, 7, PQ_P0, 0, NO_FAULT };
        const char *name = point_name(&at);
        parties_check(k->p, is_uniform(k, &usual), "%s: usual model and input", name);
        parties_check(k->p, is_uniform(k, &blank), "%s: all zero", name);
        parties_check(k->p, is_uniform(k, &maximal), "%s: all maximal", name);
        parties_check(k->p, is_same(k, &usual, &other), "%s: two inputs", name);
        parties_check(k->p, is_same(k, &zero, &maximal), "%s: two models", name);
        parties_check(k->p, is_fresh(k, &usual), "%s: usual, other seeds", name);
        parties_check(k->p, is_fresh(k, &blank), "%s: all zero, other seeds", name);
        parties_check(k->p, masks_differ(k, &twice), "%s: two inferences", name);
        parties_check(k->p, masks_differ(k, &twice_blank), "%s: two inferences, all zero", name);
        if (ranks == 1)
            parties_check(k->p, draws_once(k, &twice), "%s: addresses", name);
        if (at.protocol == PQ_PREPROCESSED) { /* with the next inference's material dealt beside */
            struct run beside = twice;
            beside.at.overlap = true;
            parties_check(k->p, is_uniform(k, &beside), "%s: overlapped", name);
            parties_check(k->p, masks_differ(k, &beside), "%s: two inferences, overlapped", name);
            if (ranks == 1)
                parties_check(k->p, draws_once(k, &beside), "%s: addresses, overlapped", name);
        }
        parties_check(k->p, p0_hears_nothing(k, &usual), "%s: P0's view", name);
    }
}

/* With the same seeds, an input changes what is opened and nothing else: the material and what P0 sends online are
 * the same byte for byte, and P1's first message changes by the input's change, so its mask does not depend
 * on the input. */
static void of_the_input_alone(struct look *k, const struct models *m, const struct inputs *in, size_t ranks,
                               enum pq_protocol protocol)
{
    struct parties *p = k->p;
    const struct point at = { .seq = SEQ, .batch = BATCH, .ranks = ranks, .no_verify = true, .protocol = protocol };
    const struct run a = { at, &m->usual, in->random, 1, PQ_P0, 0, NO_FAULT },
                     b = { at, &m->usual, in->last, 1, PQ_P0, 0, NO_FAULT };
    struct transcript of_a, of_b;
    size_t offline = 0, online = 0;
    record(p, &a, &of_a, NULL);
    record(p, &b, &of_b, NULL);
    const bool same = transcript_equal(&of_a, &of_b, PQ_OFFLINE, PQ_P0, &offline) &&
                      transcript_equal(&of_a, &of_b, PQ_ONLINE, PQ_P0, &online);
    const bool is_p2 = p->group.role == PQ_P2 && p->group.rank < ranks;
    parties_check(p, same, "%s: P0's messages depend on the input", point_name(&at));
    parties_check(p, !is_p2 || (offline > 0 && (online > 0) == (protocol == PQ_PUBLISHED)),
                  "%s: %zu bytes offline, %zu online from P0", point_name(&at), offline, online);
    for (size_t i = 0; is_p2 && i < of_a.count; i++) {
        const struct heard *h = &of_a.list[i];
        const struct pq_block own = pq_split(m->usual.shape.hidden, ranks, p->group.rank);
        int8_t code[2][32 * SEQ], residual[32 * SEQ];
        size_t wrong = 0;
        if (h->phase != PQ_ONLINE || h->from != PQ_P1)
            continue;
        parties_check(p, h->bytes == 2 * own.count * TOKENS, "P1's first message has %zu bytes", h->bytes);
        for (size_t s = 0; s < BATCH; s++) {
            pq_embedding_codes(&m->usual.embedding, in->random + s * SEQ, SEQ, code[0], residual);
            pq_embedding_codes(&m->usual.embedding, in->last + s * SEQ, SEQ, code[1], residual);
            for (size_t c = 0; c < own.count; c++)
                for (size_t q = 0; q < SEQ; q++) {
                    const size_t e = c * TOKENS + s * SEQ + q, f = (own.first + c) * SEQ + q;
                    const uint32_t x = pq_ring_get(of_a.data + h->at, e, 16);
                    const uint32_t y = pq_ring_get(of_b.data + h->at, e, 16);
                    wrong += (uint16_t)(x - y) != (uint16_t)(code[0][f] - code[1][f]);
                }
        }
        parties_check(p, wrong == 0, "P1's first message: %zu elements differ by more than the input", wrong);
        break;
    }
    transcript_close(&of_a);
    transcript_close(&of_b);
}

/* ---- the tests of the tests ---- */

static void of_planted_faults(struct look *k, const struct models *m, const struct inputs *in, size_t ranks)
{
    static const struct { enum fault fault; bool (*look)(const struct look *, const struct run *); const char *name; }
        pairs[] = {
            { FAULT_UNMASKED, is_uniform, "uniform" },        { FAULT_REUSED, masks_differ, "masks differ" },
            { FAULT_REUSED, draws_once, "drawn once" },       { FAULT_KNOWN_MASK, is_fresh, "hidden from each" },
            { FAULT_WHOLE_TABLE, is_uniform, "uniform" },     { FAULT_KNOWN_HALF, is_fresh, "hidden from each" },
            { FAULT_TELLS_P0, p0_hears_nothing, "P0's view" }, { FAULT_REPEATS, masks_differ, "masks differ" },
            { FAULT_REPEATS, draws_once, "drawn once" },
        };
    struct look quiet = { k->p, k->total, true };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int v = 0; v < 2 && (ranks == 1 || pairs[i].look != draws_once); v++) {
            const struct point at = { .seq = SEQ, .batch = BATCH, .ranks = ranks, .no_verify = true,
                                      .protocol = PQ_PUBLISHED, .tables = v ? PQ_COMPACT : PQ_DIRECT };
            const struct run r = { at, &m->usual, in->random, 8, PQ_P0, 2, pairs[i].fault };
            parties_check(k->p, !pairs[i].look(&quiet, &r), "%s: %s went unnoticed by '%s'", point_name(&at),
                          fault_name[pairs[i].fault], pairs[i].name);
        }
}

int main(int argc, char **argv)
{
    struct parties p;
    struct models m;
    struct inputs in;
    struct finding total = { .p = 1 };
    parties_start(&p, &argc, &argv);
    struct look k = { &p, &total, false };
    const size_t ranks = p.group.ranks_max;
    const struct point any = { .seq = SEQ, .batch = BATCH };

    struct tiny *const all[] = { &m.usual, &m.zero, &m.maximal, &m.blank };
    for (int i = 0; i < 4; i++)
        tiny_make(all[i], CONFIG);
    make_flat(&m.zero, -1, 1, 0);
    make_flat(&m.maximal, 1, INT16_MAX, 7);
    make_flat(&m.blank, 1, 1, 0);
    memset(m.blank.embedding.gamma, 0, m.blank.shape.hidden * sizeof(float));
    memset(m.blank.embedding.beta, 0, m.blank.shape.hidden * sizeof(float));
    in.random = point_input(&m.usual, &any);
    fill(in.first, 0);
    fill(in.last, m.usual.shape.vocab - 1);

    of_every_variant(&k, &m, &in, ranks);
    for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++)
        of_the_input_alone(&k, &m, &in, ranks, (enum pq_protocol)protocol);
    of_planted_faults(&k, &m, &in, ranks);

    unsigned long long tests = total.tests, sum = 0;
    double least = 1;
    MPI_Reduce(&tests, &sum, 1, MPI_UNSIGNED_LONG_LONG, MPI_SUM, 0, p.group.control);
    MPI_Reduce(&total.p, &least, 1, MPI_DOUBLE, MPI_MIN, 0, p.group.control);
    if (p.group.world_rank == 0)
        printf("%llu chi-square tests, smallest p %.1e, alarm below %.0e\n", sum, least, SPREAD_ALARM);
    free(in.random);
    for (int i = 0; i < 4; i++)
        tiny_free(all[i]);
    return parties_finish(&p);
}
