#include "wrap.h"

#include "../kernels/bits.h"
#include "../kernels/share.h"
#include "../kernels/table.h"
#include "deal.h"
#include "tables.h"

#include <string.h>

void pq_wrap_flips(struct pq_context *c, size_t first, size_t n, uint8_t *flip)
{
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK) {
        const size_t m = pq_chunk(n, i), skip = (first + i) % 8, bytes = pq_bits_bytes(skip + m, 1);
        uint8_t one[PQ_CHUNK / 8 + 1], other[PQ_CHUNK / 8 + 1], bit[PQ_CHUNK + 8];
        pq_prg_fill(c->s01, pq_context_at(c, PQ_S_FLIP), (first + i) / 8, bytes, one);
        pq_prg_fill(c->s02, pq_context_at(c, PQ_S_FLIP), (first + i) / 8, bytes, other);
        for (size_t k = 0; k < bytes; k++)
            one[k] ^= other[k];
        pq_bits_unpack(bit, one, skip + m, 1);
        memcpy(flip + i, bit + skip, m);
    }
}

struct wraps { const uint8_t *offset, *flip; unsigned bits; };

static void make_wraps(void *tables, size_t i, size_t n, const void *user)
{
    const struct wraps *w = user;
    pq_wrap_tables(tables, w->bits, w->offset + i, w->flip + i, n);
}

/* A table of 16 bits is dealt as a number that is XOR-shared: P1 has its half in the list of draws, P2 reads two bytes
 * in order. */
static void deal_words(struct pq_context *c, size_t first, const struct wraps *w, size_t n)
{
    const size_t chunk = pq_stage_chunk(2);
    for (size_t i0 = 0; i0 < n; i0 += chunk) {
        const size_t m = n - i0 < chunk ? n - i0 : chunk;
        uint8_t *dst = pq_stage_reserve(pq_stage_of(c, PQ_P2), 2 * m);
#pragma omp parallel for schedule(static) if (m > 8 * PQ_CHUNK)
        for (size_t i = 0; i < m; i += PQ_CHUNK) {
            const size_t some = pq_chunk(m, i), at = i0 + i;
            uint64_t tables[PQ_CHUNK / 4];
            make_wraps(tables, at, some, w);
            pq_context_fill(c, c->s01, PQ_S_TABLE, 2, first + at, some, dst + 2 * i);
            pq_table_mask(dst + 2 * i, tables, 2 * some, 1);
        }
    }
}

void pq_wrap_deal(struct pq_context *c, size_t first, const uint8_t *offset, const uint8_t *flip, size_t n, unsigned b)
{
    const struct wraps w = { offset, flip, b };
    if (b == 4)
        deal_words(c, first, &w, n);
    else
        pq_tables_deal(c, 0, first, n, ((size_t)1 << b) / 8, 1, make_wraps, &w);
}

struct pq_opening pq_wrap_open(struct pq_context *c, size_t first, struct pq_opening *deltas, uint8_t *own, uint8_t *rho)
{
    const size_t n = deltas->n, bits = deltas->bits, each = ((size_t)1 << bits) / 8;
    const uint16_t *words = bits == 4 ? pq_deal_take(c, PQ_S_TABLE, first, n, 2) : NULL;
    struct pq_table_halves tables = { 0 };
    if (bits != 4)
        tables = pq_tables_take(c, 0, first, n, each, 1);
    struct pq_opening o = pq_opening_begin(c, n, 1);
    for (size_t a = 0, b; (b = pq_opening_next(deltas, &o, a)) > a; a = b)
#pragma omp parallel for schedule(static) if (b - a > 8 * PQ_CHUNK)
        for (size_t i = a; i < b; i += PQ_CHUNK) {
            const size_t m = pq_chunk(b, i);
            uint16_t index[PQ_CHUNK];
            pq_opening_add(deltas, i, own + i, m);
            if (words) {
                pq_share_fetch(words, 2 * (i + PQ_CHUNK), 2 * PQ_CHUNK);
                pq_share_wrap16(rho + i, words + i, own + i, m);
            } else {
                pq_table_index(index, own + i, NULL, 0, m);
                pq_tables_read(&tables, rho + i, i, index, m, 1);
            }
            pq_opening_put(&o, i, rho + i, m);
        }
    return o;
}

void pq_wrap_cost(struct pq_cost *c, size_t first, size_t n, unsigned b)
{
    pq_cost_exchange(c, pq_bits_bytes(n, 1));
    if (b == 4) {
        pq_cost_deal(c, n, 2);
        pq_cost_draw_p1(c, PQ_S_TABLE, 2, first, n);
    } else {
        pq_tables_cost(c, first, n, ((size_t)1 << b) / 8, 1);
    }
}
