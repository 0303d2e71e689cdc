/* Whole inferences between real parties: every G, thread count, protocol, maximum, kind of tables and kernel gives a
 * VALID verdict, the predicted counts, and, for the same protocol and variants, the same logits bit for bit. Run under
 * mpirun -n 15 (or fewer: the splits that fit). PQ_EXTENDED=1: every split with every number of threads; test_random.c
 * has the rest of the shapes. `test_models threads`: one model alone, on three threads a rank. */
#include "models.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LOGITS = 512 };

static const size_t splits[] = { 1, 2, 3, 5 }, lengths[] = { 1, 7, 8, 33 };
enum { SPLITS = sizeof splits / sizeof *splits, LENGTHS = sizeof lengths / sizeof *lengths };

/* Runs the point with every G that fits, in turn with 1 and 2 threads (`all`: with both); logits must not change. */
static void every_split(struct parties *p, const struct tiny *t, struct point at, bool all)
{
    int32_t first[MOST_LOGITS], other[MOST_LOGITS];
    const size_t batch = at.batch ? at.batch : 1, bytes = t->shape.labels * batch * sizeof *first;
    bool have = false;
    for (size_t g = 0; g < SPLITS; g++)
        for (int threads = 1; threads <= 2; threads++) {
            at.ranks = splits[g];
            at.threads = threads;
            if (at.ranks > p->group.ranks_max || at.ranks > t->shape.heads || (!all && threads != 1 + (int)g % 2))
                continue;
            point_run(p, t, &at, 1, have ? other : first);
            if (have && p->group.world_rank == 0)
                parties_check(p, !memcmp(first, other, bytes), "%s: other logits than with one rank", point_name(&at));
            have = true;
        }
}

/* Both protocols, maxima and kinds of tables. */
static void every_variant(struct parties *p, const struct tiny *t, struct point at, bool all)
{
    for (int v = 0; v < 8; v++) {
        at.protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED;
        at.maximum = v & 2 ? PQ_COUNT : PQ_TREE;
        at.tables = v & 4 ? PQ_COMPACT : PQ_DIRECT;
        every_split(p, t, at, all);
    }
}

static void every_kernel(struct parties *p, const struct tiny *t)
{
    for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++) {
        struct point at = { .seq = 9, .ranks = p->group.ranks_max < 2 ? 1 : 2, .protocol = (enum pq_protocol)protocol };
        int32_t first[MOST_LOGITS], other[MOST_LOGITS];
        size_t kernels = 0;
        for (const struct pq_gemm16 *v = pq_gemm16_variants(); v->name; v++) {
            if (!v->usable())
                continue;
            at.kernel = v->name;
            point_run(p, t, &at, 1, kernels ? other : first);
            if (kernels++)
                parties_check(p, !memcmp(first, other, t->shape.labels * sizeof *first),
                              "%s: other logits than the reference", point_name(&at));
        }
    }
}

/* Products large enough that threads share their rows, and rows of scores so long that counts need 9 bits and
 * exponentials 7 (softmax_tables.h). */
static void large_sizes(struct parties *p)
{
    struct tiny t;
    tiny_make(&t, "layers=1,hidden=250,heads=10,ffn=501,vocab=50,max_seq=64");
    every_variant(p, &t, (struct point){ .seq = 64 }, false);
    tiny_free(&t);
    /* Weights in three and in two slices, the last one shorter: the second also in steps of 15 weights (signs16.h). */
    static const char *const sliced[] = { "layers=1,hidden=48,heads=4,ffn=1552,vocab=50,max_seq=64",
                                          "layers=1,hidden=48,heads=4,ffn=776,vocab=50,max_seq=64" };
    for (size_t s = 0; s < sizeof sliced / sizeof *sliced; s++) {
        tiny_make(&t, sliced[s]);
        for (int v = 0; v < 2; v++)
            every_split(p, &t, (struct point){ .seq = 64, .protocol = v ? PQ_PUBLISHED : PQ_PREPROCESSED }, false);
        tiny_free(&t);
    }
    tiny_make(&t, "layers=1,hidden=16,heads=2,ffn=8,vocab=50,max_seq=300");
    for (int v = 0; v < 4; v++)
        every_split(p, &t, (struct point){ .seq = 260, .protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                           .maximum = v & 2 ? PQ_COUNT : PQ_TREE,
                                           .tables = v == 3 ? PQ_DIRECT : PQ_COMPACT }, false);
    tiny_free(&t);
}

/* Repetitions of one session draw afresh: each is VALID by itself, and stochastic rounding makes their logits differ
 * (nine numbers of 16 bits, so not by chance the same). */
static void repetitions(struct parties *p, const struct tiny *t)
{
    enum { REPEATS = 4 };
    for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++) {
        struct point at = { .seq = 8, .batch = 3, .ranks = 1, .protocol = (enum pq_protocol)protocol };
        int32_t logits[REPEATS][MOST_LOGITS], again[REPEATS][MOST_LOGITS];
        const size_t n = t->shape.labels * at.batch;
        point_run(p, t, &at, REPEATS, &logits[0][0]);
        at.threads = 2;
        point_run(p, t, &at, REPEATS, &again[0][0]);
        parties_check(p, !memcmp(logits, again, REPEATS * n * sizeof **logits),
                      "%s: another session with the same seed differs", point_name(&at));
        for (size_t i = 1; i < REPEATS; i++)
            parties_check(p, memcmp(&logits[0][0] + i * n, &logits[0][0], n * sizeof **logits),
                          "%s: repetition %zu rounds as the first did", point_name(&at), i);
        at.fresh_seeds = true;
        point_run(p, t, &at, 2, &again[0][0]);
        parties_check(p, memcmp(logits, again, n * sizeof **logits),
                      "%s: seeds from the system gave the fixed seed's rounding", point_name(&at));
    }
}

/* For the thread sanitizer: products and chunks large enough that every parallel loop has work for all. */
static void on_threads(struct parties *p)
{
    struct tiny t;
    tiny_make(&t, "layers=1,hidden=250,heads=10,ffn=501,vocab=50,max_seq=64");
    for (int v = 0; v < 8; v++) {
        const struct point at = { .seq = 64, .ranks = 1, .threads = 3, .maximum = v & 2 ? PQ_COUNT : PQ_TREE,
                                  .protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                  .tables = v & 4 ? PQ_COMPACT : PQ_DIRECT };
        point_run(p, &t, &at, 1, NULL);
    }
    tiny_free(&t);
}

/* The comparison of counts must be able to fail: another point's prediction is not this one's. */
static void counts_can_disagree(struct parties *p, const struct tiny *t)
{
    const struct point at = { .seq = 8, .ranks = 1, .protocol = PQ_PREPROCESSED };
    const struct pq_session_setup setup = point_setup(p, t, &at);
    struct pq_prediction right, wrong;
    const char *where;
    pq_predict(&setup.plan, true, &right);
    for (int i = 0; i < 5; i++) {
        struct pq_plan other = setup.plan;
        if (i == 0)
            other.seq++;
        else if (i == 1)
            other.protocol = PQ_PUBLISHED;
        else if (i == 2)
            other.maximum = PQ_COUNT;
        else if (i == 3)
            other.tables = PQ_COMPACT;
        else
            other.ranks = 2;
        pq_predict(&other, true, &wrong);
        parties_check(p, !counts_agree(right.party, wrong.party, &where), "two points (%d) have one prediction", i);
        pq_prediction_free(&wrong);
    }
    parties_check(p, counts_agree(right.party, right.party, &where), "a prediction differs from itself at %s", where);
    pq_prediction_free(&right);
}

int main(int argc, char **argv)
{
    /* Each has another awkward size or precision. */
    static const char *const others[] = {
        "layers=1,hidden=44,heads=1,ffn=10,vocab=9,max_seq=40,labels=1",
        "layers=1,hidden=60,heads=5,ffn=31,vocab=50,max_seq=40,trunc=4,score_trunc=4",
        "layers=1,hidden=35,heads=5,ffn=64,vocab=50,max_seq=40,trunc=5,labels=3",
        "layers=2,hidden=50,heads=5,ffn=33,vocab=50,max_seq=40,trunc=8,norm_trunc=8,labels=3,types=1",
        "layers=1,hidden=30,heads=15,ffn=8,vocab=2,max_seq=40,score_trunc=4,var_trunc=8,labels=7",
        "layers=1,hidden=24,heads=6,ffn=40,vocab=50,max_seq=40,weight_bits=3,norm_trunc=8,var_trunc=9",
        "layers=1,hidden=36,heads=3,ffn=52,vocab=50,max_seq=40,weight_bits=2",
        "layers=1,hidden=42,heads=2,ffn=70,vocab=50,max_seq=40,weight_bits=8,norm_trunc=8",
    };
    struct parties p;
    struct tiny t;
    const char *extended = getenv("PQ_EXTENDED");
    const bool all = extended && !strcmp(extended, "1");
    parties_start(&p, &argc, &argv);
    if (argc > 1 && !strcmp(argv[1], "threads")) {
        on_threads(&p);
        return parties_finish(&p);
    }

    tiny_make(&t, "layers=2,hidden=60,heads=5,ffn=98,vocab=50,max_seq=40");
    for (size_t i = 0; i < LENGTHS; i++)
        every_variant(&p, &t, (struct point){ .seq = lengths[i] }, all);
    every_variant(&p, &t, (struct point){ .seq = 7, .batch = 2 }, false);
    every_variant(&p, &t, (struct point){ .seq = 1, .batch = 3 }, false);
    every_kernel(&p, &t);
    repetitions(&p, &t);
    counts_can_disagree(&p, &t);
    for (int protocol = PQ_PUBLISHED; protocol <= PQ_PREPROCESSED; protocol++)
        point_run(&p, &t, &(struct point){ .seq = 8, .ranks = 1, .no_verify = true,
                                           .protocol = (enum pq_protocol)protocol }, 2, NULL);
    for (size_t ranks = 1; ranks <= 5; ranks += 2) /* materials change places after each repetition */
        point_run(&p, &t, &(struct point){ .seq = 9, .ranks = ranks, .batch = 2, .protocol = PQ_PREPROCESSED,
                                           .overlap = true }, 4, NULL);
    tiny_free(&t);

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tiny_make(&t, others[i]);
        every_variant(&p, &t, (struct point){ .seq = i % 2 ? 9 : 6, .batch = 1 + i % 3 }, false);
        tiny_free(&t);
    }
    large_sizes(&p);
    return parties_finish(&p);
}
