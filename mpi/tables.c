#include "tables.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"
#include "../kernels/table.h"

#include <string.h>

enum { MAX_TABLE_WORDS = 2048 }; /* 2^12 entries of 32 bits */

void pq_tables_deal(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each, unsigned out_bits,
                    pq_make_tables *make, const void *user)
{
    const size_t stored = pq_table_stored(each, out_bits), chunk = pq_stage_chunk(stored);
    const size_t room = MAX_TABLE_WORDS * sizeof(uint64_t) / each, at_once = room < PQ_TABLES_MADE ? room : PQ_TABLES_MADE;
    PQ_ASSERT(room);
    for (enum pq_role role = PQ_P1; role <= PQ_P2; role++) {
        struct pq_prg *prg = role == PQ_P1 ? c->s02 : c->s01;
        const size_t held = pq_held(role, first, n, PQ_RUN);
        for (size_t k0 = 0; k0 < held; k0 += chunk) {
            const size_t m = held - k0 < chunk ? held - k0 : chunk;
            uint8_t *dst = pq_stage_reserve(pq_stage_of(c, role), m * stored);
#pragma omp parallel for schedule(static)
            for (size_t k = 0; k < m; k += at_once) {
                uint64_t tables[MAX_TABLE_WORDS], halves[MAX_TABLE_WORDS];
                for (size_t j = k, some; j < m && j < k + at_once; j += some) {
                    const size_t e = pq_held_element(role, first, k0 + j, PQ_RUN);
                    some = pq_run_at(e, (k + at_once < m ? k + at_once : m) - j, PQ_RUN);
                    make(tables, e - first, some, user);
                    uint8_t *half = stored == each ? dst + j * each : (uint8_t *)halves;
                    pq_prg_fill(prg, pq_context_at(c, PQ_S_TABLE + output), e * each, some * each, half);
                    pq_table_mask(half, tables, some * each, pq_entry_bits(out_bits));
                    if (stored != each)
                        pq_bits_pack(dst + j * stored, half, some * each, out_bits);
                }
            }
        }
    }
}

struct pq_table_halves pq_tables_take(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each,
                                      unsigned out_bits)
{
    const size_t stored = pq_table_stored(each, out_bits);
    return (struct pq_table_halves){
        .prg = c->role == PQ_P1 ? c->s01 : c->s02,
        .at = pq_context_at(c, PQ_S_TABLE + output),
        .stored = pq_material_take(&c->material, pq_held(c->role, first, n, PQ_RUN), stored),
        .first = first, .each = each, .stored_each = stored, .role = c->role,
    };
}

void pq_tables_read(const struct pq_table_halves *t, void *out, size_t i, const uint16_t *index, size_t n,
                    unsigned out_bits)
{
    const size_t width = pq_ring_bytes(out_bits);
    for (size_t k = 0, some; k < n; k += some) {
        uint8_t *to = (uint8_t *)out + k * width;
        some = pq_run_at(t->first + i + k, n - k, PQ_RUN);
        if (pq_holder(t->first + i + k, PQ_RUN) == t->role)
            pq_table_read(to, pq_tables_at(t, i + k), t->stored_each, index + k, some, out_bits);
        else
            pq_table_draw(to, t->prg, t->at, t->first + i + k, t->each, index + k, some, out_bits);
    }
}

void pq_tables_cost(struct pq_cost *c, size_t first, size_t n, size_t each, unsigned out_bits)
{
    for (enum pq_role role = PQ_P1; role <= PQ_P2; role++) {
        const size_t held = pq_held(role, first, n, PQ_RUN);
        pq_cost_material(c, role, held, pq_table_stored(each, out_bits));
        pq_cost_read_tables(c, role, held, pq_table_stored(each, out_bits));
    }
}
