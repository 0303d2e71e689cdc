/* What the tests of plain and replay share: a small random model, the three seeds, both engines, and values with known
 * clear contents. Only for tests. */
#ifndef PQ_CLEAR_FIXTURE_H
#define PQ_CLEAR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../arena.h"
#include "../clear.h"
#include "../engine_plain.h"
#include "../engine_replay.h"
#include "../stream.h"
#include "exact_model.h"

enum { SETUP_NUMBER = 77, INFERENCE = 5, OP = 9 };

struct fixture {
    struct pq_plan plan;
    struct pq_model model;
    struct pq_embedding embedding;
    struct pq_prg *s01, *s02, *s12;
    struct pq_plain *plain;
    struct pq_replay *replay;
    struct pq_engine *p, *r; /* the engines in them */
    struct pq_arena arena;   /* values made by the test */
    uint64_t random;
    uint32_t token[192];
};

static inline uint32_t draw(struct fixture *f)
{
    return exact_draw(&f->random);
}

/* plan: all but the shape's positions, ranks and softmax, which are set here. */
static inline void fixture_open_plan(struct fixture *f, struct pq_plan plan, const struct pq_observer *observer)
{
    const uint8_t key[3][16] = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } };
    *f = (struct fixture){ .random = 1 };
    f->plan = plan;
    exact_shape(&f->plan.shape);
    f->plan.ranks = 1;
    f->plan.softmax = pq_softmax_widths((uint32_t)plan.seq);
    pq_model_create(&f->model, &f->plan.shape);
    pq_embedding_create(&f->embedding, &f->plan.shape);
    exact_model_draw(&f->random, &f->plan.shape, &f->model, &f->embedding);
    f->s01 = pq_prg_create(key[0]);
    f->s02 = pq_prg_create(key[1]);
    f->s12 = pq_prg_create(key[2]);
    f->plain = pq_plain_create(&f->plan, &f->model, &f->embedding, observer);
    f->replay = pq_replay_create(&f->plan, &f->model, &f->embedding, pq_gemm16_pick(NULL), f->s01, f->s02, f->s12,
                                 SETUP_NUMBER);
    f->p = pq_plain_engine(f->plain);
    f->r = pq_replay_engine(f->replay);
    f->p->op = f->r->op = OP;
    pq_replay_begin(f->replay, INFERENCE);
    for (size_t i = 0; i < plan.seq * plan.batch; i++)
        f->token[i] = draw(f) % plan.shape.vocab;
}

static inline void fixture_open(struct fixture *f, size_t seq, size_t batch, enum pq_protocol protocol,
                                enum pq_maximum maximum, enum pq_tables tables, const struct pq_observer *observer)
{
    const struct pq_shape s = {
        .layers = 2, .hidden = 24, .heads = 3, .ffn = 40, .vocab = 50, .max_seq = 8, .types = 2, .labels = 3,
        .trunc = 6, .score_trunc = 6, .norm_trunc = 6, .var_trunc = 10, .weight_bits = 1,
    };
    fixture_open_plan(f, (struct pq_plan){ .shape = s, .seq = seq, .batch = batch, .protocol = protocol,
                                           .maximum = maximum, .tables = tables }, observer);
}

static inline void fixture_close(struct fixture *f)
{
    pq_plain_free(f->plain);
    pq_replay_free(f->replay);
    pq_prg_free(f->s01);
    pq_prg_free(f->s02);
    pq_prg_free(f->s12);
    pq_model_free(&f->model);
    pq_embedding_free(&f->embedding);
    pq_arena_free(&f->arena);
}

/* A value of given contents (NULL: random), shared at random. */
static inline struct pq_add value_of(struct fixture *f, struct pq_dim dim, unsigned bits, const int32_t *clear,
                                     bool is_signed)
{
    size_t count = pq_dim_count(dim);
    struct pq_add x = { .dim = dim, .bits = bits, .clear = pq_arena_alloc(&f->arena, 4 * count),
                        .share = pq_arena_alloc(&f->arena, 4 * count) };
    for (size_t i = 0; i < count; i++) {
        x.clear[i] = clear ? clear[i] : pq_clear_value(draw(f), bits, is_signed);
        ((uint32_t *)x.share)[i] = draw(f) & pq_ring_mask(bits);
    }
    return x;
}

static inline struct pq_rss rss_of(struct fixture *f, struct pq_dim dim, int32_t low, int32_t high)
{
    size_t count = pq_dim_count(dim);
    uint32_t *x[3];
    struct pq_rss y = { .dim = dim, .clear = pq_arena_alloc(&f->arena, 4 * count) };
    for (int k = 0; k < 3; k++)
        x[k] = pq_arena_alloc(&f->arena, 4 * count);
    for (size_t i = 0; i < count; i++) {
        y.clear[i] = low + (int32_t)(draw(f) % (uint32_t)(high - low + 1));
        x[0][i] = draw(f) & UINT16_MAX;
        x[1][i] = draw(f) & UINT16_MAX;
        x[2][i] = ((uint32_t)y.clear[i] - x[0][i] - x[1][i]) & UINT16_MAX;
    }
    y.x0 = x[0], y.x1 = x[1], y.x2 = x[2];
    return y;
}

static inline uint32_t share_at(struct pq_add x, size_t i)
{
    return ((const uint32_t *)x.share)[i];
}

/* One element of the present operation's stream, by the definition in prg.h. */
static inline uint32_t element_of(struct pq_prg *prg, uint32_t inference, uint32_t op, unsigned stream, unsigned width,
                                  uint64_t element)
{
    uint8_t bytes[4] = { 0 };
    uint64_t bit = element * width;
    pq_prg_fill(prg, (struct pq_address){ inference, op, stream }, bit / 8, (width + 7) / 8, bytes);
    uint32_t v = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    return v >> (bit % 8) & pq_ring_mask(width);
}

static inline uint32_t drawn(struct pq_prg *prg, unsigned stream, unsigned width, uint64_t element)
{
    return element_of(prg, INFERENCE, OP, stream, width, element);
}

static inline void assert_clear_equal(struct pq_add a, struct pq_add b)
{
    assert_int_equal(pq_dim_count(a.dim), pq_dim_count(b.dim));
    assert_int_equal(a.bits, b.bits);
    assert_memory_equal(a.clear, b.clear, pq_dim_count(a.dim) * sizeof *a.clear);
}

#endif
