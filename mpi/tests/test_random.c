/* Random models at random points: sizes that fit no vector, 1 head to many, uneven splits, every precision, both
 * protocols, maxima and kinds of tables, every kernel of this machine, material dealt on the spot or by a job before.
 * Each inference must be VALID, with the predicted counts, and the same again. Every fifth model rounds nothing
 * (exact_model.h): there the logits must equal `plain`'s as well.
 *
 *   mpirun -n 3*G test_random [FIRST [COUNT]]
 *
 * Model number FIRST and those after it; a number is one model and point for every G. A failing one prints the line
 * that repeats it alone. PQ_EXTENDED=1: 500 models. */
#include "../engine_plain.h"
#include "../stock.h"
#include "exact_model.h"
#include "models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USUAL = 24, EXTENDED = 500, MOST_RANKS = 5, MOST_LOGITS = 3 * PQ_MAX_LABELS };

struct draw {
    char config[256];
    struct pq_shape shape;
    struct point at;
    bool exact, from_files;
};

static uint32_t below(uint64_t *random, uint32_t n)
{
    return (uint32_t)((pq_splitmix_next(random) >> 32) % n);
}

/* 1 to `most`, each power of two as likely as the others. */
static uint32_t any_size(uint64_t *random, uint32_t most)
{
    uint32_t n;
    do {
        const uint32_t power = 1u << below(random, 11);
        n = power + below(random, power);
    } while (n > most);
    return n;
}

static const char *any_kernel(uint64_t *random)
{
    const struct pq_gemm16 *v = pq_gemm16_variants();
    uint32_t count = 1, number = below(random, 1u << 30); /* the reference runs everywhere, the others may not */
    for (const struct pq_gemm16 *k = v + 1; k->name; k++)
        count += k->usable();
    for (number %= count; number || !v->usable(); v++)
        number -= v->usable();
    return v->name;
}

/* Bytes of the largest tables, about: what an inference of this point costs. */
static double weight_of(const struct draw *d)
{
    const double tokens = (double)d->at.seq * (double)d->at.batch, h = d->shape.hidden;
    const double table = (double)(2u << d->shape.trunc), row = 4.0 * (1u << d->shape.var_trunc);
    return d->shape.layers * tokens * ((5 * h + d->shape.ffn) * table + 2 * row + d->shape.heads * (d->at.seq * 700.0));
}

/* One draw a statement: C does not say in which order arguments are evaluated. layers is 0 where sizes are too small or
 * too large. */
static void draw_once(struct draw *d, uint64_t *r)
{
    static const uint32_t trunc[] = { 4, 5, 6, 6, 8 };
    struct pq_error err = { "" };
    struct pq_shape s = { .heads = any_size(r, 24) };
    s.hidden = s.heads * any_size(r, 96);
    s.trunc = trunc[below(r, 5)];
    d->at = (struct point){ .seq = any_size(r, PQ_MAX_SEQ) };
    if (d->exact)
        d->at.seq = s.trunc < 6 ? 2 : 2 + 2 * below(r, 2);
    d->at.batch = 1 + below(r, 3);
    d->at.ranks = 1 + below(r, s.heads < MOST_RANKS ? s.heads : MOST_RANKS);
    d->at.threads = 1 + (int)below(r, 2);
    d->at.protocol = (enum pq_protocol)below(r, 2);
    d->at.maximum = (enum pq_maximum)below(r, 2);
    d->at.tables = (enum pq_tables)below(r, 2);
    d->at.kernel = any_kernel(r);
    s.layers = 1 + below(r, 3);
    s.ffn = 8 + any_size(r, 700);
    s.vocab = 1 + any_size(r, 200);
    s.max_seq = (uint32_t)d->at.seq + below(r, PQ_MAX_SEQ + 1 - (uint32_t)d->at.seq);
    s.types = 1 + below(r, 3);
    s.labels = any_size(r, PQ_MAX_LABELS);
    s.score_trunc = 4 + 2 * below(r, 2);
    s.norm_trunc = 6 + 2 * below(r, 2);
    s.var_trunc = 8 + below(r, 3);
    s.weight_bits = below(r, 4) ? 1 : 2 + below(r, 7);
    if (d->exact)
        s.weight_bits = 1;
    d->shape.layers = 0;
    if (s.hidden < 8 || s.hidden > 700)
        return;
    d->config[0] = 0;
    for (size_t i = 0; i < PQ_SHAPE_FIELDS - 2; i++) /* without the positions */
        snprintf(d->config + strlen(d->config), sizeof d->config - strlen(d->config), "%s%s=%u", i ? "," : "",
                 pq_shape_name[i], *pq_shape_value(&s, i));
    if (pq_shape_parse(d->config, &d->shape, &err) != PQ_OK) {
        fprintf(stderr, "test_random: %s: %s\n", d->config, err.text);
        abort();
    }
}

static void draw_point(struct draw *d, uint32_t number)
{
    uint64_t random = pq_splitmix_stream(2026, number, 0);
    d->exact = number % 5 == 0;
    d->from_files = number % 4 == 1;
    do
        draw_once(d, &random);
    while (d->shape.layers == 0 || weight_of(d) > 4e7);
}

static void make_exact(struct tiny *t, const struct draw *d, uint32_t number)
{
    uint64_t random = pq_splitmix_stream(2026, number, 1);
    t->shape = d->shape;
    exact_shape(&t->shape);
    pq_model_create(&t->model, &t->shape);
    pq_embedding_create(&t->embedding, &t->shape);
    exact_model_draw(&random, &t->shape, &t->model, &t->embedding);
}

static void plain_agrees(struct parties *p, const struct tiny *t, const struct point *at, const int32_t *logits)
{
    const struct pq_session_setup setup = point_setup(p, t, at);
    const size_t bytes = 4 * t->shape.labels * at->batch;
    int32_t *expected = pq_alloc(bytes);
    uint32_t *token = point_input(t, at);
    struct pq_plain *plain = pq_plain_create(&setup.plan, &t->model, &t->embedding, NULL);
    pq_plain_run(plain, token, expected);
    parties_check(p, !memcmp(expected, logits, bytes), "%s: plain gives other logits", point_name(at));
    pq_plain_free(plain);
    free(token);
    free(expected);
}

/* Entry 0 is inference number 0 of the same seeds: the same logits as with material dealt on the spot. */
static void through_files(struct parties *p, const struct tiny *t, const struct point *at, const int32_t *logits)
{
    struct pq_session_setup setup = point_setup(p, t, at);
    struct pq_material_label label = { .program = "test", .protocol = "p", .maximum = "m", .tables = "t",
                                       .shape = t->shape, .ranks = (uint32_t)at->ranks, .seq = (uint32_t)at->seq,
                                       .mode = "INSECURE-BENCH" };
    const struct pq_group *g = &p->group;
    struct pq_error err = { "" };
    struct pq_session s;
    struct pq_measurement m;
    char folder[64] = "/tmp/pq_random_XXXXXX", mine[80];
    uint32_t *token = point_input(t, at);
    if (g->world_rank == 0)
        parties_check(p, mkdtemp(folder) != NULL, "no folder can be made in /tmp");
    pq_group_broadcast(g, 0, folder, sizeof folder);
    const struct pq_stock_setup stock = { g, &setup.plan, folder, &label };

    parties_check(p, pq_stock_create(&stock, 1, &setup.stock, &err) == PQ_OK, "%s", err.text);
    pq_session_open(&s, &setup);
    parties_check(p, pq_session_deal(&s, &m, &err) == PQ_OK, "%s", err.text);
    pq_session_close(&s);
    parties_check(p, pq_stock_finish(setup.stock, &err) == PQ_OK, "%s", err.text);
    pq_stock_close(setup.stock);

    parties_check(p, pq_stock_open(&stock, &setup.stock, &err) == PQ_OK, "%s", err.text);
    pq_session_open(&s, &setup);
    pq_session_repeat(&s, token, &m);
    parties_check(p, m.verdict == PQ_VALID, "%s, from files: verdict %d", point_name(at), (int)m.verdict);
    if (g->role == PQ_P1 && g->rank < at->ranks)
        parties_check(p, !memcmp(s.logits, logits, 4 * t->shape.labels * at->batch), "%s: other logits from files",
                      point_name(at));
    pq_session_close(&s);
    pq_stock_close(setup.stock);
    snprintf(mine, sizeof mine, "%s/P%d.%zu.h5", folder, (int)g->role, g->rank);
    if (g->rank < at->ranks)
        unlink(mine);
    pq_group_barrier(g);
    if (g->world_rank == 0)
        parties_check(p, rmdir(folder) == 0, "%s is not empty", folder);
    free(token);
}

static void try(struct parties *p, uint32_t number)
{
    struct draw d = { .exact = false };
    struct tiny t;
    int32_t logits[2 * MOST_LOGITS];
    const int before = p->failures;
    draw_point(&d, number);
    if (d.at.ranks > p->group.ranks_max)
        d.at.ranks = p->group.ranks_max;
    if (d.exact)
        make_exact(&t, &d, number);
    else
        tiny_make(&t, d.config);
    point_run(p, &t, &d.at, 1, logits);
    if (d.exact)
        plain_agrees(p, &t, &d.at, logits);
    if (d.from_files)
        through_files(p, &t, &d.at, logits);
    tiny_free(&t);
    int failed = p->failures != before, any;
    MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, p->group.control);
    if (any && p->group.world_rank == 0)
        printf("to repeat it alone: mpirun -n %d test_random %u 1   (%s, %s%s%s)\n", p->group.world_size, number,
               d.config, point_name(&d.at), d.exact ? ", rounds nothing" : "", d.from_files ? ", from files" : "");
}

int main(int argc, char **argv)
{
    struct parties p;
    const char *extended = getenv("PQ_EXTENDED");
    parties_start(&p, &argc, &argv);
    const uint32_t first = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    const uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10)
                           : extended && !strcmp(extended, "1") ? EXTENDED : USUAL;
    for (uint32_t i = 0; i < count; i++)
        try(&p, first + i);
    if (p.group.world_rank == 0)
        printf("%u models\n", count);
    return parties_finish(&p);
}
