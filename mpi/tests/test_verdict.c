/* A verdict that cannot fail is worth nothing: each party in turn does one small thing wrong, between set-up and the
 * inference, and the verdict must be INVALID; with the fault undone it must be VALID again, in the same session. Run
 * under mpirun -n 6 (and 3: without a rank that differs from others of its party). `test_verdict reuse WHO BACK` must
 * be stopped by an assertion. */
#include "models.h"

#include <stdlib.h>
#include <string.h>

/* What a fault changes, and what is needed to undo it. Every rank calls both; most do nothing. */
struct bench {
    struct parties *p;
    const struct tiny *tiny;
    struct pq_session *s;
    uint32_t *token; /* this rank's own */
    size_t layer;    /* number of a linear layer, and which of its packed operands (weights.h) */
    int operand;
    enum pq_role who;
    struct pq_prg *kept, *other;
    struct pq_model model;
    struct pq_embedding embedding;
};

/* make returns what the verdict must then be. */
struct fault { const char *what; enum pq_verdict (*make)(struct bench *); void (*undo)(struct bench *); };

static bool is(const struct bench *b, enum pq_role role, size_t rank)
{
    return b->p->group.role == role && b->p->group.rank == rank;
}

/* --- one bit in each row of a weight share at one rank: the reference kernel packs rows of 16-bit residues. (A single
 * bit may vanish in a truncation, and then the inference is right.) --- */

static void flip_back(struct bench *b)
{
    if (!is(b, b->who, 0))
        return;
    struct pq_packed *w = &b->s->weights.linear[b->layer];
    for (size_t row = 0; row < w->rows.count; row++)
        ((uint16_t *)w->left[b->operand])[row * w->in + w->in / 2] ^= 1;
}

static enum pq_verdict flip_weights(struct bench *b)
{
    /* The embedding's x0 is zero (protocols.md section 4, Embedding): what only multiplies x0 may be anything. */
    const int by_x0 = b->who == PQ_P0 ? 0 : b->who == PQ_P2 ? 1 : -1;
    flip_back(b);
    return b->s->setup.plan.protocol == PQ_PUBLISHED && b->layer == 0 && b->operand == by_x0 ? PQ_VALID : PQ_WRONG;
}

/* --- one id of the tokens, at P1's last rank. The first rank shows its own to the verifier: alone it is simply another
 * input --- */

static enum pq_verdict change_token(struct bench *b)
{
    const size_t last = b->s->setup.plan.ranks - 1;
    if (is(b, PQ_P1, last))
        b->token[0] = (b->token[0] + 1) % b->tiny->shape.vocab;
    return last ? PQ_WRONG : PQ_VALID;
}

static void restore_token(struct bench *b)
{
    if (is(b, PQ_P1, b->s->setup.plan.ranks - 1))
        b->token[0] = (b->token[0] + b->tiny->shape.vocab - 1) % b->tiny->shape.vocab;
}

/* --- P1 embeds with other parameters than the verifier --- */

static enum pq_verdict change_embedding(struct bench *b)
{
    b->embedding = b->tiny->embedding;
    b->embedding.code_step *= 2;
    b->s->party.embedding = &b->embedding;
    return PQ_WRONG;
}

static void restore_embedding(struct bench *b)
{
    b->s->party.embedding = b->s->setup.embedding;
}

/* --- the dealer deals wrong tables: GELU's codes are one off --- */

static enum pq_verdict change_table(struct bench *b)
{
    const struct pq_linear *right = &b->tiny->model.layer[0].linear[PQ_FFN1];
    const size_t layers = b->tiny->shape.layers, bytes = (size_t)right->out << right->table_bits;
    int8_t *wrong = pq_alloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        wrong[i] = right->table[i] ^ 1;
    b->model = b->tiny->model;
    b->model.layer = pq_alloc(layers * sizeof *b->model.layer);
    memcpy(b->model.layer, b->tiny->model.layer, layers * sizeof *b->model.layer);
    b->model.layer[0].linear[PQ_FFN1].table = wrong;
    b->s->dealer.engine.model = &b->model;
    return PQ_WRONG;
}

static void restore_table(struct bench *b)
{
    b->s->dealer.engine.model = b->s->setup.model;
    free(b->model.layer[0].linear[PQ_FFN1].table);
    free(b->model.layer);
}

/* --- a rank draws from another seed than its peers: the one it shares with P0, or P0 the one it shares with P1 --- */

/* P0 keeps the right seed for verification; the others draw in bulk from the session's, the rest from the engine's. */
static void use_seed(struct bench *b, struct pq_prg *prg)
{
    struct pq_session *s = b->s;
    switch (b->who) {
    case PQ_P0: s->dealer.s01 = prg; break;
    case PQ_P1: s->party.s01 = s->s01 = prg; break;
    default: s->party.s02 = s->s02 = prg; break;
    }
}

static enum pq_verdict change_seed(struct bench *b)
{
    static const uint8_t key[16] = { 1 };
    if (is(b, b->who, 0)) {
        b->kept = b->who == PQ_P2 ? b->s->s02 : b->s->s01;
        b->other = pq_prg_create(key);
        use_seed(b, b->other);
    }
    return PQ_WRONG;
}

static void restore_seed(struct bench *b)
{
    if (is(b, b->who, 0)) {
        use_seed(b, b->kept);
        pq_prg_free(b->other);
    }
}

/* --- a party has lost count, without noticing: it uses randomness a second time --- */

static enum pq_verdict fall_behind(struct bench *b)
{
    if (b->p->group.role == b->who) {
        b->s->repetition--;
        b->s->fresh--; /* what a party checks its count against */
    }
    return PQ_WRONG;
}

static void catch_up(struct bench *b)
{
    if (b->p->group.role == b->who) {
        b->s->repetition++;
        b->s->fresh++;
    }
}

/* --- P1 shows the verifier the logits of the inference before --- */

static enum pq_verdict show_old_logits(struct bench *b)
{
    static int32_t elsewhere[PQ_MAX_LABELS];
    b->s->party.logits = elsewhere;
    return PQ_WRONG;
}

static void show_true_logits(struct bench *b)
{
    b->s->party.logits = b->s->logits;
}

static void try_fault(struct bench *b, const struct fault *f)
{
    const struct pq_plan *plan = &b->s->setup.plan;
    struct pq_measurement m;
    const enum pq_verdict wanted = f->make(b);
    pq_session_repeat(b->s, b->token, &m);
    parties_check(b->p, m.verdict == wanted, "%s (P%d, linear layer %zu, %s, G=%zu): verdict %d, not %d", f->what,
                  (int)b->who, b->layer, plan->protocol == PQ_PUBLISHED ? "published" : "preprocessed", plan->ranks,
                  (int)m.verdict, (int)wanted);
    f->undo(b);
    pq_session_repeat(b->s, b->token, &m);
    parties_check(b->p, m.verdict == PQ_VALID, "after %s: verdict %d", f->what, (int)m.verdict);
}

static void every_fault(struct parties *p, const struct tiny *t, const struct point *at)
{
    static const struct fault flip = { "flipped bits of a weight share", flip_weights, flip_back },
        seed = { "another seed", change_seed, restore_seed },
        behind = { "an old inference number", fall_behind, catch_up },
        others[] = { { "another token at one rank", change_token, restore_token },
                     { "another embedding", change_embedding, restore_embedding },
                     { "a wrong table", change_table, restore_table },
                     { "old logits", show_old_logits, show_true_logits } };
    const struct pq_session_setup setup = point_setup(p, t, at);
    struct pq_session s;
    struct pq_measurement m;
    struct bench b = { .p = p, .tiny = t, .s = &s, .token = point_input(t, at) };
    pq_session_open(&s, &setup);
    pq_session_repeat(&s, b.token, &m);
    parties_check(p, m.verdict == PQ_VALID, "%s: verdict %d without a fault", point_name(at), (int)m.verdict);
    for (int who = PQ_P0; who < PQ_ROLES; who++) {
        b.who = (enum pq_role)who;
        for (b.operand = 0; b.operand < (at->protocol == PQ_PUBLISHED ? 2 : 1); b.operand++)
            for (b.layer = 0; b.layer < 4 * (size_t)t->shape.layers + 2; b.layer++)
                try_fault(&b, &flip);
        b.layer = 0;
        try_fault(&b, &seed);
        try_fault(&b, &behind);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        try_fault(&b, &others[i]);
    pq_session_close(&s);
    free(b.token);
}

/* Without verification a fault cannot be seen, and the verdict must not claim that it was looked for. */
static void unchecked_is_not_valid(struct parties *p, const struct tiny *t)
{
    const struct point at = { .seq = 6, .ranks = 1, .protocol = PQ_PREPROCESSED, .no_verify = true, .kernel = "ref" };
    const struct pq_session_setup setup = point_setup(p, t, &at);
    struct pq_session s;
    struct pq_measurement m;
    struct bench b = { .p = p, .tiny = t, .s = &s, .token = point_input(t, &at), .who = PQ_P2 };
    pq_session_open(&s, &setup);
    flip_weights(&b);
    pq_session_repeat(&s, b.token, &m);
    parties_check(p, m.verdict == PQ_UNCHECKED, "without verification: verdict %d", (int)m.verdict);
    pq_session_close(&s);
    free(b.token);
}

/* `who` (-1: all parties) would use an inference number again, the `back`-th before the next: its ranks must end the
 * job. Does not return. */
static void reuse(struct parties *p, const struct tiny *t, int who, uint32_t back)
{
    const struct point at = { .seq = 6, .ranks = 1, .protocol = PQ_PREPROCESSED, .no_verify = true };
    const struct pq_session_setup setup = point_setup(p, t, &at);
    struct pq_session s;
    struct pq_measurement m;
    uint32_t *token = point_input(t, &at);
    pq_session_open(&s, &setup);
    pq_session_repeat(&s, token, &m);
    pq_session_repeat(&s, token, &m);
    if (who < 0 || (int)p->group.role == who)
        s.repetition -= back;
    pq_session_repeat(&s, token, &m);
    parties_check(p, false, "an inference number was used twice");
    exit(parties_finish(p));
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    parties_start(&p, &argc, &argv);
    tiny_make(&t, "layers=2,hidden=60,heads=5,ffn=98,vocab=50,max_seq=40,labels=3");
    if (argc > 3 && !strcmp(argv[1], "reuse"))
        reuse(&p, &t, atoi(argv[2]), (uint32_t)atoi(argv[3]));
    for (size_t ranks = 1; ranks <= 2 && ranks <= p.group.ranks_max; ranks++)
        for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++)
            every_fault(&p, &t, &(struct point){ .seq = 6, .ranks = ranks, .kernel = "ref",
                                                 .protocol = (enum pq_protocol)protocol });
    unchecked_is_not_valid(&p, &t);
    tiny_free(&t);
    return parties_finish(&p);
}
