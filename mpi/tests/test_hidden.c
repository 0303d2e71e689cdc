/* No branch and no address of a whole inference depends on a secret. Under valgrind's memcheck, which follows
 * uninitialised bits through all arithmetic: seeds (hence masks, keys and all that is drawn), the model at P0, every
 * message from another party are told to be uninitialised; what a round opens is told to be known, at the one door
 * (link.h). From then on memcheck counts an error wherever a branch or an address depends on a share, a mask, a table
 * or its rotation. Planted faults must be counted. One rank per party: what ranks of one party send each other is not
 * heard. Not secret to their party: P1's tokens, which address its embedding, and its logits.
 *
 * mpirun -n 3 valgrind ... test_hidden */
#include "models.h"

#include "../../kernels/ring.h"
#include "../local.h"
#include "../lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

static void hide(const void *p, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, bytes);
}

static void show(const void *p, size_t bytes)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, bytes);
}

static void received(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    (void)ear, (void)l, (void)from;
    hide(data, bytes);
}

static void opened(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits,
                   size_t all)
{
    (void)ear, (void)l, (void)all;
    show(value, n * pq_ring_bytes(bits));
}

/* The model's numbers, hidden or shown again. */
static void model(struct tiny *t, void (*mark)(const void *, size_t))
{
    const size_t hidden = t->shape.hidden;
    for (uint32_t l = 0; l <= t->shape.layers; l++)
        for (int id = 0; id < PQ_LINEARS_PER_LAYER; id++) {
            if (l == t->shape.layers && id > 1)
                continue;
            const int number = l < t->shape.layers ? id : PQ_POOLER + id;
            const struct pq_linear *w = pq_model_linear(&t->model, l, (enum pq_linear_id)number);
            mark(w->weight, (size_t)w->out * w->in);
            mark(w->multiplier, w->out * sizeof *w->multiplier);
            mark(w->bias, w->out * sizeof *w->bias);
            if (w->table_bits)
                mark(w->table, (size_t)w->out << w->table_bits);
        }
    for (uint32_t l = 0; l < t->shape.layers; l++) {
        const struct pq_layer *layer = &t->model.layer[l];
        mark(layer->score_clamp, sizeof layer->score_clamp);
        mark(layer->context, hidden << pq_context_trunc(t->shape.trunc));
        for (int i = 0; i < 2; i++) {
            mark(layer->norm[i].code, hidden << t->shape.norm_trunc);
            mark(layer->norm[i].residual, hidden << t->shape.norm_trunc);
        }
    }
}

/* ---- planted faults: what they compute is right, how they come by it is not ---- */

static volatile uint8_t sink;

static struct pq_add truncate_branching(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    if (pq_dim_count(z.dim) && pq_ring_get(z.share, 0, z.bits) & 1)
        sink = 1;
    return pq_truncate_online(e, z, top, t, is_signed);
}

static struct pq_add add_looking_up(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    static const volatile uint8_t table[256] = { 0 };
    if (pq_dim_count(a.dim))
        sink = table[pq_ring_get(a.share, 0, 8)];
    return pq_add_online(e, a, b);
}

static void deal_branching(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                           struct pq_add *out)
{
    if (pq_dim_count(x.dim) && pq_ring_get(x.offset, 0, x.bits) & 1)
        sink = 1;
    pq_read_deal(e, x, t, is_signed, out);
}

enum fault { NONE, BRANCH_ON_SHARE, ADDRESS_FROM_SHARE, BRANCH_ON_ROTATION, FAULTS };
static const char *const fault_name[FAULTS] = { "no fault", "a branch on a share", "an address from a share",
                                                "a branch on a table's rotation" };

/* ---- */

/* Errors that memcheck counts here while a session is set up and used. */
static unsigned errors_of(struct parties *p, struct tiny *t, const struct point *at, enum fault fault)
{
    struct pq_ear ear = { received, opened };
    struct pq_session s;
    struct pq_measurement m;
    struct pq_ops party, dealer;
    uint64_t seed = 4;
    uint32_t *token = point_input(t, at);
    struct pq_session_setup setup = point_setup(p, t, at);
    setup.seed = &seed;
    setup.ear = &ear;
    hide(&seed, sizeof seed);
    if (p->group.role == PQ_P0)
        model(t, hide);
    const unsigned before = VALGRIND_COUNT_ERRORS;
    pq_session_open(&s, &setup);
    party = *s.party.engine.ops;
    if (fault == BRANCH_ON_SHARE && p->group.role != PQ_P0)
        party.truncate = truncate_branching;
    if (fault == ADDRESS_FROM_SHARE && p->group.role != PQ_P0)
        party.add = add_looking_up;
    s.party.engine.ops = &party;
    if (p->group.role == PQ_P0) {
        dealer = *s.dealer.engine.ops;
        if (fault == BRANCH_ON_ROTATION)
            dealer.read = deal_branching;
        s.dealer.engine.ops = &dealer;
    }
    pq_session_repeat(&s, p->group.role == PQ_P1 ? token : NULL, &m);
    const unsigned errors = VALGRIND_COUNT_ERRORS - before;
    /* Enough was hidden. */
    unsigned char bits[1] = { 0 };
    const void *weights = s.weights.linear[0].left[0];
    parties_check(p, VALGRIND_GET_VBITS(weights, bits, 1) == 1 && bits[0] != 0,
                  "%s: the weights' shares are not hidden", point_name(at));
    show(s.logits, t->shape.labels * setup.plan.batch * sizeof *s.logits);
    pq_session_close(&s);
    model(t, show);
    free(token);
    return errors;
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "test_hidden: says nothing but under valgrind\n");
        return 1;
    }
    parties_start(&p, &argc, &argv);
    tiny_make(&t, "layers=1,hidden=32,heads=2,ffn=40,vocab=20,max_seq=16,labels=2");
    /* 512 elements and more, so that both P1 and P2 store tables and draw them. */
    for (int v = 0; v < 8; v++) {
        const struct point at = { .seq = 16, .ranks = 1, .no_verify = true,
                                  .protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                  .maximum = v & 2 ? PQ_COUNT : PQ_TREE, .tables = v & 4 ? PQ_COMPACT : PQ_DIRECT };
        const unsigned errors = errors_of(&p, &t, &at, NONE);
        parties_check(&p, errors == 0, "P%d: %s: %u branches or addresses depend on secrets", (int)p.group.role,
                      point_name(&at), errors);
    }
    for (int fault = NONE + 1; fault < FAULTS; fault++) {
        const struct point at = { .seq = 16, .ranks = 1, .no_verify = true, .protocol = PQ_PREPROCESSED };
        const unsigned errors = errors_of(&p, &t, &at, (enum fault)fault);
        const bool concerned = (fault == BRANCH_ON_ROTATION) == (p.group.role == PQ_P0);
        parties_check(&p, concerned == (errors > 0), "P%d: %s: %u errors", (int)p.group.role, fault_name[fault],
                      errors);
    }
    tiny_free(&t);
    return parties_finish(&p);
}
