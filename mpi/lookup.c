#include "lookup.h"

#include "../kernels/ring.h"
#include "../kernels/table.h"
#include "deal.h"

#include <stdlib.h>
#include <string.h>

/* A look-up's online face, whatever the index is made of: n <= PQ_CHUNK tables from number `first` of the whole value
 * on. */
static void read_chunk(const struct pq_context *c, void *out, const uint8_t *material, unsigned stream, size_t first,
                       size_t each, const uint16_t *index, size_t n, unsigned out_bits)
{
    if (c->role == PQ_P2)
        pq_table_read(out, material, each, index, n, out_bits);
    else
        pq_table_draw(out, c->s01, pq_context_at(c, stream), first, each, index, n, out_bits);
}

void pq_read_online(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                    struct pq_add *out)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim);
    (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++) {
        const size_t width = pq_ring_bytes(t->out_bits[o]);
        const size_t each = pq_table_bytes(t->index_bits, pq_entry_bits(t->out_bits[o]));
        const uint8_t *material = c->role == PQ_P2 ? pq_material_take(&c->material, n, each) : NULL;
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o], .share = pq_context_alloc(c, n * width) };
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
        for (size_t i0 = 0; i0 < n; i0 += PQ_CHUNK) {
            const size_t m = pq_chunk(n, i0);
            uint16_t wide[PQ_CHUNK];
            const uint16_t *index = wide;
            if (x.bits <= 8)
                pq_table_index(wide, (const uint8_t *)x.delta + i0, NULL, 0, m);
            else
                index = (const uint16_t *)x.delta + i0;
            read_chunk(c, (uint8_t *)out[o].share + i0 * width, material ? material + i0 * each : NULL, PQ_S_TABLE + o,
                       x.dim.first + i0, each, index, m, t->out_bits[o]);
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

static void make_rotated(uint64_t *table, size_t i, const void *user)
{
    const struct rotated *r = user;
    const size_t channel = (r->first + i) / r->width % r->channels;
    pq_table_rotate(table, r->packed + channel * r->words, r->index_bits, r->w, pq_ring_get(r->offset, i, r->bits));
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
        pq_deal_tables(c, o, x.dim.first, n, each, w, make_rotated, &r);
        pq_free_secret(packed, t->channels * words * 8);
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
    }
}

void pq_read_cost(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed, struct pq_add *out)
{
    const size_t n = pq_dim_count(x.dim);
    (void)is_signed;
    pq_cost_lookups(pq_cost_of(e), n);
    for (unsigned o = 0; o < t->outputs; o++) {
        pq_cost_deal(pq_cost_of(e), n, pq_table_bytes(t->index_bits, pq_entry_bits(t->out_bits[o])));
        pq_cost_hold(pq_cost_of(e), n * pq_ring_bytes(t->out_bits[o]));
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
    }
}

/* Number of the row element (group, column) that goes with element i of a value. */
static size_t row_of(struct pq_dim d, size_t i)
{
    return i / (d.len * d.width) * d.width + i % d.width;
}

struct pq_add pq_read_pair_online(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                  const struct pq_table *t)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), width = pq_ring_bytes(t->out_bits[0]);
    const unsigned index_bits = t->index_bits + t->index2_bits;
    const size_t each = pq_table_bytes(index_bits, pq_entry_bits(t->out_bits[0]));
    const uint8_t *material = c->role == PQ_P2 ? pq_material_take(&c->material, n, each) : NULL;
    struct pq_add y = { .dim = x.dim, .bits = t->out_bits[0], .share = pq_context_alloc(c, n * width) };
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i0 = 0; i0 < n; i0 += PQ_CHUNK) {
        const size_t m = pq_chunk(n, i0);
        const uint8_t *delta = x.delta, *delta_row = row.delta;
        uint16_t index[PQ_CHUNK];
        /* Columns of a row lie side by side in both arrays. */
        for (size_t i = i0, some; i < i0 + m; i += some) {
            const size_t column = i % x.dim.width;
            some = x.dim.width - column < i0 + m - i ? x.dim.width - column : i0 + m - i;
            pq_table_index(index + (i - i0), delta + i, delta_row + row_of(x.dim, i), t->index2_bits, some);
        }
        read_chunk(c, (uint8_t *)y.share + i0 * width, material ? material + i0 * each : NULL, PQ_S_TABLE,
                   x.dim.first + i0, each, index, m, t->out_bits[0]);
    }
    return y;
}

/* Two-input tables: turned by the row's offset already, rotated by the element's. */
struct turned { const uint64_t *rows; size_t words; struct pq_dim dim; unsigned a, b, w; const uint8_t *offset; };

static void make_turned(uint64_t *table, size_t i, const void *user)
{
    const struct turned *r = user;
    pq_table_rotate(table, r->rows + row_of(r->dim, i) * r->words, r->a + r->b, r->w, (uint32_t)r->offset[i] << r->b);
}

struct pq_add pq_read_pair_deal(struct pq_engine *e, struct pq_opened x, struct pq_opened row, const struct pq_table *t)
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), rows = pq_dim_count(row.dim);
    const unsigned a = t->index_bits, b = t->index2_bits, w = pq_entry_bits(t->out_bits[0]);
    const size_t each = pq_table_bytes(a + b, w), words = each / 8;
    uint64_t *packed = pq_alloc(each), *turned = pq_alloc(rows * each);
    pq_table_pack(packed, t->content[0], t->content_bytes[0], a + b, t->out_bits[0]);
    /* The second offset is the row's: turned once per row. */
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++)
        pq_table_rotate_rows(turned + r * words, packed, a, b, w, ((const uint8_t *)row.offset)[r]);
    const struct turned r = { turned, words, x.dim, a, b, w, x.offset };
    pq_deal_tables(c, 0, x.dim.first, n, each, w, make_turned, &r);
    pq_free_secret(turned, rows * each);
    pq_free_secret(packed, each);
    return (struct pq_add){ .dim = x.dim, .bits = t->out_bits[0] };
}

struct pq_add pq_read_pair_cost(struct pq_engine *e, struct pq_opened x, struct pq_opened row, const struct pq_table *t)
{
    const size_t n = pq_dim_count(x.dim);
    (void)row;
    pq_cost_lookups(pq_cost_of(e), n);
    pq_cost_deal(pq_cost_of(e), n, pq_table_bytes(t->index_bits + t->index2_bits, pq_entry_bits(t->out_bits[0])));
    pq_cost_hold(pq_cost_of(e), n * pq_ring_bytes(t->out_bits[0]));
    return (struct pq_add){ .dim = x.dim, .bits = t->out_bits[0] };
}
