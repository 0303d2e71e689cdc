#include "lookup.h"

#include "../kernels/ring.h"
#include "../kernels/table.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

void pq_read_online(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                    struct pq_add *out)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim);
    (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++) {
        const size_t width = pq_ring_bytes(t->out_bits[o]);
        const size_t each = pq_table_bytes(t->index_bits, pq_entry_bits(t->out_bits[o]));
        const struct pq_table_halves tables = pq_tables_take(c, o, x.dim.first, n, each, t->out_bits[o]);
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
        out[o].share = (t->keeps[o] ? pq_context_keep : pq_context_alloc)(c, n * width);
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
        for (size_t i0 = 0; i0 < n; i0 += PQ_CHUNK) {
            const size_t m = pq_chunk(n, i0);
            uint16_t wide[PQ_CHUNK];
            const uint16_t *index = wide;
            if (x.bits <= 8)
                pq_table_index(wide, (const uint8_t *)x.delta + i0, NULL, 0, m);
            else
                index = (const uint16_t *)x.delta + i0;
            pq_tables_read(&tables, (uint8_t *)out[o].share + i0 * width, i0, index, m, t->out_bits[o]);
        }
    }
}

/* Tables of a look-up: packed[channels][words], rotated by each element's offset. */
struct rotated {
    const uint64_t *packed;
    size_t words, channels, width, first;
    unsigned index_bits, w, bits;
    const void *offset;
};

static void make_rotated(void *tables, size_t i, size_t n, const void *user)
{
    const struct rotated *r = user;
    const size_t each = pq_table_bytes(r->index_bits, r->w), offset_bytes = pq_ring_bytes(r->bits);
    for (size_t k = 0, some; k < n; k += some) { /* those of one channel lie side by side */
        const size_t at = r->first + i + k, channel = at / r->width % r->channels, rest = r->width - at % r->width;
        some = r->channels == 1 || n - k < rest ? n - k : rest;
        pq_table_rotate_each((uint8_t *)tables + k * each, r->packed + channel * r->words, r->index_bits, r->w,
                             (const uint8_t *)r->offset + (i + k) * offset_bytes, r->bits, some);
    }
}

void pq_read_deal(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed, struct pq_add *out)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), entries = (size_t)1 << t->index_bits;
    (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++) {
        const unsigned w = pq_entry_bits(t->out_bits[o]);
        const size_t each = pq_table_bytes(t->index_bits, w), words = each < 8 ? 1 : each / 8;
        uint64_t *packed = pq_alloc(t->channels * words * 8);
        for (size_t k = 0; k < t->channels; k++)
            pq_table_pack(packed + k * words, (const uint8_t *)t->content[o] + k * entries * t->content_bytes[o],
                          t->content_bytes[o], t->index_bits, t->out_bits[o]);
        const struct rotated r = { packed,      words,         t->channels, x.dim.width ? x.dim.width : 1,
                                   x.dim.first, t->index_bits, w,           x.bits,
                                   x.offset };
        pq_tables_deal(c, o, x.dim.first, n, each, t->out_bits[o], make_rotated, &r);
        pq_free_secret(packed, t->channels * words * 8);
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
    }
}

void pq_read_cost(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed, struct pq_add *out)
{
    const size_t n = pq_dim_count(x.dim);
    (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++) {
        pq_tables_cost(pq_cost_of(e), x.dim.first, n, pq_table_bytes(t->index_bits, pq_entry_bits(t->out_bits[o])),
                       t->out_bits[o]);
        (t->keeps[o] ? pq_cost_keep : pq_cost_hold)(pq_cost_of(e), n * pq_ring_bytes(t->out_bits[o]));
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
    }
}

/* Shapes of a two-input look-up: rows as the columns of a group, [groups][len][width]. Its tables have the row's input
 * as the high part of their index, and lie in memory by row, [row][high][element of the row][low], so that the opened
 * row value leaves one stretch of len short tables to read. */
struct pair_shape { struct pq_dim dim, row; unsigned low_bits, high_bits, w; size_t each, short_each, row_each; };

static struct pair_shape pair_shape(struct pq_dim dim, struct pq_dim row, const struct pq_table *t)
{
    struct pair_shape p = { .dim = dim, .row = row, .low_bits = t->index_bits, .high_bits = t->index2_bits,
                            .w = pq_entry_bits(t->out_bits[0]) };
    p.each = pq_table_bytes(p.low_bits + p.high_bits, p.w);
    p.short_each = pq_table_bytes(p.low_bits, p.w);
    p.row_each = p.each * dim.len;
    return p;
}

/* Table of element k of row r, by number. */
static size_t pair_number(const struct pair_shape *p, size_t r, size_t k)
{
    return (p->row.first + r) * p->dim.len + k;
}

/* `some` rows from column w of a group on, all of one holder; stored: where the first one's tables begin, or NULL. */
static void read_rows(const struct pq_context *c, const struct pair_shape *p, size_t r, size_t some,
                      const uint8_t *delta, const uint8_t *delta_row, const uint8_t *stored, uint8_t *out,
                      unsigned out_bits)
{
    const size_t width = pq_ring_bytes(out_bits), stretch = p->dim.len * p->short_each;
    if (stored) {
        const uint8_t *from[PQ_ROW_RUN];
        for (size_t i = 0; i < some; i++)
            from[i] = stored + i * p->row_each + delta_row[i] * stretch;
        pq_table_read_rows(out, from, some, p->short_each, p->dim.len, delta, p->dim.width, out_bits);
        return;
    }
    for (size_t k = 0; k < p->dim.len; k++) {
        uint16_t index[PQ_ROW_RUN];
        pq_table_index(index, delta_row, delta + k * p->dim.width, p->low_bits, some);
        pq_prg_entries(c->role == PQ_P1 ? c->s01 : c->s02, pq_context_at(c, PQ_S_TABLE),
                       (uint64_t)pair_number(p, r, k) * p->each * 8, (uint64_t)p->row_each * 8, index, some, p->w,
                       pq_ring_mask(out_bits), out + k * p->dim.width * width);
    }
}

struct pq_add pq_read_pair_online(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                  const struct pq_table *t)
{
    struct pq_context *c = pq_context_of(e);
    const struct pair_shape p = pair_shape(x.dim, row.dim, t);
    const size_t n = pq_dim_count(x.dim), rows = pq_dim_count(row.dim), width = pq_ring_bytes(t->out_bits[0]);
    const uint8_t *stored =
        pq_material_take(&c->material, pq_held(c->role, row.dim.first, rows, PQ_ROW_RUN), p.row_each);
    const uint8_t *delta = x.delta, *delta_row = row.delta;
    struct pq_add y = { .dim = x.dim, .bits = t->out_bits[0], .share = pq_context_alloc(c, n * width) };
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t g = 0; g < x.dim.groups; g++)
        for (size_t w = 0, some; w < x.dim.width; w += some) {
            const size_t r = g * x.dim.width + w, number = row.dim.first + r, at = g * x.dim.len * x.dim.width + w;
            const bool mine = pq_holder(number, PQ_ROW_RUN) == c->role;
            some = pq_run_at(number, x.dim.width - w, PQ_ROW_RUN);
            read_rows(c, &p, r, some, delta + at, delta_row + r,
                      mine ? stored + pq_held(c->role, row.dim.first, r, PQ_ROW_RUN) * p.row_each : NULL,
                      (uint8_t *)y.share + at * width, t->out_bits[0]);
        }
    return y;
}

/* n pieces of `size` bytes that lie side by side, to places `stride` apart. */
static void spread(uint8_t *dst, size_t stride, const uint8_t *src, size_t size, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (size == 16) /* the two usual sizes, known to the compiler */
            memcpy(dst + i * stride, src + i * 16, 16);
        else if (size == 32)
            memcpy(dst + i * stride, src + i * 32, 32);
        else
            memcpy(dst + i * stride, src + i * size, size);
}

/* One row's tables, masked: dst[high][len][low]. packed: the table with the row's input as high part. */
static void deal_row(struct pq_context *c, const struct pair_shape *p, struct pq_prg *prg, size_t r,
                     const uint64_t *packed, const uint8_t *offset, uint8_t offset_row, uint8_t *dst)
{
    enum { MAX_WORDS = 1024 }; /* of tables that are drawn and masked together; a draw for each: a seventh more time */
    uint64_t turned[MAX_WORDS], tables[MAX_WORDS], masked[MAX_WORDS];
    const size_t first = r / p->dim.width * p->dim.len * p->dim.width + r % p->dim.width;
    const size_t at_once = sizeof masked / p->each;
    PQ_ASSERT(at_once);
    pq_table_rotate(turned, packed, p->low_bits + p->high_bits, p->w, (uint32_t)offset_row << p->low_bits);
    for (size_t k0 = 0; k0 < p->dim.len; k0 += at_once) {
        const size_t some = p->dim.len - k0 < at_once ? p->dim.len - k0 : at_once;
        for (size_t k = 0; k < some; k++)
            pq_table_rotate_rows(tables + k * p->each / 8, turned, p->high_bits, p->low_bits, p->w,
                                 offset[first + (k0 + k) * p->dim.width]);
        pq_prg_fill(prg, pq_context_at(c, PQ_S_TABLE), (uint64_t)pair_number(p, r, k0) * p->each, some * p->each, masked);
        pq_table_mask((uint8_t *)masked, tables, some * p->each, p->w);
        for (size_t k = 0; k < some; k++)
            spread(dst + (k0 + k) * p->short_each, p->dim.len * p->short_each, (const uint8_t *)masked + k * p->each,
                   p->short_each, (size_t)1 << p->high_bits);
    }
}

struct pq_add pq_read_pair_deal(struct pq_engine *e, struct pq_opened x, struct pq_opened row, const struct pq_table *t)
{
    struct pq_context *c = pq_context_of(e);
    const struct pair_shape p = pair_shape(x.dim, row.dim, t);
    const size_t rows = pq_dim_count(row.dim), chunk = pq_stage_chunk(p.row_each), low = (size_t)1 << p.low_bits,
                 high = (size_t)1 << p.high_bits;
    uint64_t *packed = pq_alloc(p.each);
    uint16_t *content = pq_alloc(2 * low * high);
    PQ_ASSERT(t->content_bytes[0] == 2);
    for (size_t i = 0; i < low * high; i++) /* engine.h's order has the row's input low */
        content[i] = ((const uint16_t *)t->content[0])[i % low * high + i / low];
    pq_table_pack(packed, content, 2, p.low_bits + p.high_bits, t->out_bits[0]);
    for (enum pq_role role = PQ_P1; role <= PQ_P2; role++) {
        const size_t held = pq_held(role, row.dim.first, rows, PQ_ROW_RUN);
        for (size_t k0 = 0; k0 < held; k0 += chunk) {
            const size_t m = held - k0 < chunk ? held - k0 : chunk;
            uint8_t *dst = pq_stage_reserve(pq_stage_of(c, role), m * p.row_each);
#pragma omp parallel for schedule(static)
            for (size_t k = 0; k < m; k++) {
                const size_t r = pq_held_element(role, row.dim.first, k0 + k, PQ_ROW_RUN) - row.dim.first;
                deal_row(c, &p, role == PQ_P1 ? c->s02 : c->s01, r, packed, x.offset, ((const uint8_t *)row.offset)[r],
                         dst + k * p.row_each);
            }
        }
    }
    pq_free_secret(content, 2 * low * high);
    pq_free_secret(packed, p.each);
    return (struct pq_add){ .dim = x.dim, .bits = t->out_bits[0] };
}

struct pq_add pq_read_pair_cost(struct pq_engine *e, struct pq_opened x, struct pq_opened row, const struct pq_table *t)
{
    struct pq_cost *c = pq_cost_of(e);
    const struct pair_shape p = pair_shape(x.dim, row.dim, t);
    for (enum pq_role role = PQ_P1; role <= PQ_P2; role++) {
        const size_t held = pq_held(role, row.dim.first, pq_dim_count(row.dim), PQ_ROW_RUN);
        pq_cost_material(c, role, held, p.row_each);
        pq_cost_read_tables(c, role, held * x.dim.len, p.short_each); /* the row's code leaves one stretch of each */
    }
    pq_cost_hold(c, pq_dim_count(x.dim) * pq_ring_bytes(t->out_bits[0]));
    return (struct pq_add){ .dim = x.dim, .bits = t->out_bits[0] };
}
