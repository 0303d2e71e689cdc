#include "wrap.h"

#include "../kernels/bits.h"
#include "../kernels/share.h"
#include "../kernels/table.h"
#include "deal.h"
#include "open.h"

#include <string.h>

/* n one-bit PRG elements from number `first` on, one byte each. */
static void draw_bits(struct pq_context *c, struct pq_prg *prg, size_t first, size_t n, uint8_t *bit)
{
    uint8_t packed[PQ_CHUNK / 8 + 1];
    const size_t skip = first % 8;
    pq_prg_fill(prg, pq_context_at(c, PQ_S_FLIP), first / 8, (skip + n + 7) / 8, packed);
    for (size_t i = 0; i < n; i++)
        bit[i] = (uint8_t)pq_table_entry(packed, skip + i, 1);
}

void pq_wrap_flips(struct pq_context *c, size_t first, size_t n, uint8_t *flip)
{
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i = 0; i < n; i += PQ_CHUNK) {
        const size_t m = pq_chunk(n, i);
        uint8_t other[PQ_CHUNK];
        draw_bits(c, c->s01, first + i, m, flip + i);
        draw_bits(c, c->s02, first + i, m, other);
        for (size_t k = 0; k < m; k++)
            flip[i + k] ^= other[k];
    }
}

struct wraps { const uint8_t *offset, *flip; unsigned bits; };

static void make_wrap(uint64_t *table, size_t i, const void *user)
{
    const struct wraps *w = user;
    pq_wrap_table((uint8_t *)table, w->bits, w->offset[i], w->flip[i]);
}

void pq_wrap_deal(struct pq_context *c, size_t first, const uint8_t *offset, const uint8_t *flip, size_t n, unsigned b)
{
    const struct wraps w = { offset, flip, b };
    pq_deal_tables(c, 0, first, n, ((size_t)1 << b) / 8, 1, make_wrap, &w);
}

void pq_wrap_open(struct pq_context *c, size_t first, const uint8_t *delta, size_t n, unsigned b, uint8_t *rho)
{
    const size_t each = ((size_t)1 << b) / 8;
    const uint8_t *material = c->role == PQ_P2 ? pq_material_take(&c->material, n, each) : NULL;
    const void *tables = material;
    if (c->role == PQ_P1 && b == 4)
        tables = pq_context_take(c, PQ_S_TABLE, 2, first, n);
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t i0 = 0; i0 < n; i0 += PQ_CHUNK) {
        const size_t m = pq_chunk(n, i0);
        uint16_t small[PQ_CHUNK];
        if (b == 4) { /* a table is one 16-bit word, so P1 has it in the list of draws */
            pq_share_wrap16(rho + i0, (const uint16_t *)tables + i0, delta + i0, m);
            continue;
        }
        pq_table_index(small, delta + i0, NULL, 0, m);
        if (c->role == PQ_P1)
            pq_table_draw(rho + i0, c->s01, pq_context_at(c, PQ_S_TABLE), first + i0, each, small, m, 1);
        else
            pq_table_read(rho + i0, material + i0 * each, each, small, m, 1);
    }
    pq_open_masked(c, rho, rho, NULL, n, 1);
}

void pq_wrap_cost(struct pq_cost *c, size_t first, size_t n, unsigned b)
{
    pq_cost_exchange(c, pq_bits_bytes(n, 1));
    pq_cost_lookups(c, n);
    pq_cost_deal(c, n, ((size_t)1 << b) / 8);
    if (b == 4)
        pq_cost_draw_p1(c, PQ_S_TABLE, 2, first, n);
}
