/* One flipped bit anywhere makes the verdict INVALID, or makes no difference at all: bits are drawn at random among all
 * that parties receive, open, hold as shares or as weight shares, and flipped one at a time at one rank (flips.h). A
 * flip that leaves the verdict VALID must be explained by the openings of the inference, compared with those of the
 * same inference without it, at every rank:
 *
 *   no effect     no opening differs: an entry that is not looked up (63 of 64), padding, a factor of the embedding's
 *                 x0 = 0, a bit that a truncation drops
 *   absorbed      some differ, and those at the end do not: rounded away, the smaller of two in a maximum, a token of
 *                 the last layer that nobody looks at, twice the highest bit. What follows was computed from right
 *                 values
 *
 * so the logits that were called VALID were right. Anything else fails: the model has 64 labels, so that codes which
 * differ at the end do not give the same logits by chance. PQ_EXTENDED=1: 25 times as many. Run under
 * mpirun -n 3 and 6. `test_flips SEED`: other places. */
#include "../../model_io/splitmix.h"
#include "flips.h"
#include "models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTICED, NO_EFFECT, ABSORBED, UNEXPLAINED, ENDS };

struct bench {
    struct parties *p;
    const struct tiny *tiny;
    const struct point *at;
    uint32_t *token;
    uint64_t random;
    uint64_t *right; /* fingerprints of the inference without a fault */
    size_t openings;
    uint64_t count[FLIP_KINDS][ENDS];
};

/* Where bit number `draw` mod all of this kind is: at which rank, and which of its own. *total: of all ranks. */
static uint64_t place(const struct bench *b, uint64_t mine, uint64_t draw, int *rank, uint64_t *total)
{
    const struct pq_group *g = &b->p->group;
    uint64_t *all = pq_alloc((size_t)g->world_size * sizeof *all), bit;
    MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, g->control);
    *total = 0;
    for (int r = 0; r < g->world_size; r++)
        *total += all[r];
    bit = *total ? draw % *total : 0;
    for (*rank = 0; *rank < g->world_size - 1 && bit >= all[*rank]; ++*rank)
        bit -= all[*rank];
    free(all);
    return bit;
}

/* One inference, always number 0 of the session. Returns its end, which all ranks agree on. */
static int infer(struct bench *b, struct pq_session *s, const struct flips *f)
{
    struct pq_measurement m;
    s->repetition = s->fresh = 0;
    pq_session_repeat(s, b->token, &m);
    int here[2] = { 0, 0 }, any[2]; /* an opening differs; the last one does */
    if (b->right) {
        parties_check(b->p, f->openings == b->openings, "%zu openings, not %zu", f->openings, b->openings);
        here[0] = b->openings && memcmp(f->trace, b->right, b->openings * sizeof *b->right) != 0;
        here[1] = b->openings && f->trace[b->openings - 1] != b->right[b->openings - 1];
    }
    MPI_Allreduce(here, any, 2, MPI_INT, MPI_MAX, b->p->group.control);
    return m.verdict != PQ_VALID ? NOTICED : !any[0] ? NO_EFFECT : !any[1] ? ABSORBED : UNEXPLAINED;
}

static void judge(struct bench *b, enum flip_kind kind, uint64_t bit, int rank, int end)
{
    b->count[kind][end]++;
    if (b->p->group.world_rank == 0)
        parties_check(b->p, end != UNEXPLAINED,
                      "%s: %s, bit %llu at rank %d: the last opening differs, and the verdict is VALID",
                      point_name(b->at), flip_name[kind], (unsigned long long)bit, rank);
}

static void in_session(struct bench *b, struct pq_session *s, struct flips *f, size_t flips)
{
    const struct pq_group *g = &b->p->group;
    uint64_t bits[FLIP_KINDS];
    memcpy(bits, f->offered, sizeof bits);
    bits[FLIP_WEIGHT] = flips_weight_bits(s);
    for (int kind = FLIP_MATERIAL; kind < FLIP_KINDS; kind++)
        for (size_t i = 0; i < flips * (kind == FLIP_MATERIAL ? 4 : 1); i++) { /* most hit what is not read */
            int rank;
            uint64_t total;
            const uint64_t bit = place(b, bits[kind], pq_splitmix_next(&b->random), &rank, &total);
            const bool mine = g->world_rank == rank, weight = kind == FLIP_WEIGHT;
            flips_start(f, mine ? (enum flip_kind)kind : FLIP_KINDS, bit);
            if (mine && weight)
                flips_weight(s, bit);
            judge(b, (enum flip_kind)kind, bit, rank, infer(b, s, f));
            if (mine && weight)
                flips_weight(s, bit);
        }
    flips_start(f, FLIP_KINDS, 0);
    const int end = infer(b, s, f);
    parties_check(b->p, end == NO_EFFECT, "%s: end %d without a flip", point_name(b->at), end);
}

/* What is received in set-up: each flip needs a session of its own. A quarter are among the keys, which come first. */
static void in_set_up(struct bench *b, const struct pq_session_setup *setup, uint64_t bits, size_t flips)
{
    for (size_t i = 0; i < flips; i++) {
        int rank;
        uint64_t total;
        const uint64_t among = i % 4 ? bits : bits < 128 ? bits : 128;
        const uint64_t bit = place(b, among, pq_splitmix_next(&b->random), &rank, &total);
        struct pq_session_setup with = *setup;
        struct pq_session s;
        struct flips f;
        flips_open(&f);
        with.ear = &f.ear;
        flips_start(&f, b->p->group.world_rank == rank ? FLIP_SETUP : FLIP_KINDS, bit);
        pq_session_open(&s, &with);
        judge(b, FLIP_SETUP, bit, rank, infer(b, &s, &f));
        pq_session_close(&s);
        flips_close(&f);
    }
}

static void flip_all(struct bench *b, size_t flips)
{
    struct pq_session_setup setup = point_setup(b->p, b->tiny, b->at);
    struct pq_session s;
    struct flips f;
    flips_open(&f);
    setup.ear = &f.ear;
    b->token = point_input(b->tiny, b->at);
    b->right = NULL;
    pq_session_open(&s, &setup);
    const uint64_t set_up = f.offered[FLIP_SETUP];
    flips_watch(&f, &s);
    flips_start(&f, FLIP_KINDS, 0);
    const int end = infer(b, &s, &f);
    parties_check(b->p, end == NO_EFFECT, "%s: verdict not VALID without a flip", point_name(b->at));
    b->openings = f.openings;
    b->right = pq_alloc(f.openings * sizeof *b->right + 1);
    if (f.openings)
        memcpy(b->right, f.trace, f.openings * sizeof *b->right);
    in_session(b, &s, &f, flips);
    pq_session_close(&s);
    flips_close(&f);
    in_set_up(b, &setup, set_up, flips);
    free(b->right);
    free(b->token);
}

/* Every kind must have been noticed; flips in all of a table's entries in nearly every case. */
static void conclude(struct bench *b, size_t each)
{
    static const char *const title[ENDS] = { "INVALID", "no effect", "absorbed", "unexplained" };
    for (int kind = 0; kind < FLIP_KINDS; kind++) {
        uint64_t tried = 0;
        for (int end = 0; end < ENDS; end++)
            tried += b->count[kind][end];
        if (b->p->group.world_rank == 0) {
            printf("%-17s %5llu flips:", flip_name[kind], (unsigned long long)tried);
            for (int end = 0; end < ENDS; end++)
                printf(" %5llu %s%s", (unsigned long long)b->count[kind][end], title[end], end < ENDS - 1 ? "," : "\n");
        }
        parties_check(b->p, tried >= each && b->count[kind][NOTICED] > 0, "%s: none noticed", flip_name[kind]);
    }
    parties_check(b->p, b->count[FLIP_STRETCH][NOTICED] > each / 2, "most flips in whole tables went unnoticed");
    parties_check(b->p, b->count[FLIP_OPENED][NO_EFFECT] == 0, "a flip in an opened value was not seen");
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    const bool extended = getenv("PQ_EXTENDED") && !strcmp(getenv("PQ_EXTENDED"), "1");
    parties_start(&p, &argc, &argv);
    /* Messages through MPI, so that each side has its own copy. */
    struct pq_near *near = p.group.near;
    p.group.near = NULL;
    struct bench b = { .p = &p, .tiny = &t, .random = argc > 1 ? strtoull(argv[1], NULL, 10) : 6 };
    const size_t flips = extended ? 250 : 10;
    tiny_make(&t, "layers=2,hidden=30,heads=3,ffn=34,vocab=50,max_seq=8,labels=64,var_trunc=8");
    for (int variant = 0; variant < 8; variant++) {
        b.at = &(struct point){ .seq = 3, .ranks = p.group.ranks_max > 2 ? 2 : p.group.ranks_max, .kernel = "ref",
                                .protocol = variant & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                .maximum = variant & 2 ? PQ_COUNT : PQ_TREE,
                                .tables = variant & 4 ? PQ_COMPACT : PQ_DIRECT };
        flip_all(&b, flips);
    }
    conclude(&b, 8 * flips);
    tiny_free(&t);
    p.group.near = near;
    return parties_finish(&p);
}
