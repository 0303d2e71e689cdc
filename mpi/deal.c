#include "deal.h"

#include "../kernels/bits.h"
#include "../kernels/table.h"

enum { MAX_TABLE_WORDS = 2048, AT_ONCE = 64 }; /* 2^12 entries of 32 bits; tables whose halves are drawn together */

void pq_deal_tables(struct pq_context *c, unsigned output, size_t first, size_t n, size_t each, unsigned w,
                    void (*make)(uint64_t *table, size_t i, const void *user), const void *user)
{
    const size_t chunk = pq_stage_chunk(each);
    PQ_ASSERT(each <= MAX_TABLE_WORDS * sizeof(uint64_t));
    for (size_t i0 = 0; i0 < n; i0 += chunk) {
        const size_t m = n - i0 < chunk ? n - i0 : chunk;
        uint8_t *dst = pq_stage_reserve(&c->stage, m * each);
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < m; k += AT_ONCE) {
            const size_t some = m - k < AT_ONCE ? m - k : AT_ONCE;
            uint64_t table[MAX_TABLE_WORDS];
            pq_prg_fill(c->s01, pq_context_at(c, PQ_S_TABLE + output), (first + i0 + k) * each, some * each,
                        dst + k * each);
            for (size_t i = k; i < k + some; i++) {
                make(table, i0 + i, user);
                pq_table_mask(dst + i * each, table, dst + i * each, each, w);
            }
        }
    }
}

void pq_deal_numbers(struct pq_context *c, unsigned stream, size_t first, const void *x, size_t n, size_t width)
{
    const size_t chunk = pq_stage_chunk(width);
    for (size_t i0 = 0; i0 < n; i0 += chunk) {
        const size_t m = n - i0 < chunk ? n - i0 : chunk;
        uint8_t *dst = pq_stage_reserve(&c->stage, m * width);
#pragma omp parallel for schedule(static) if (m > 8 * PQ_CHUNK)
        for (size_t k = 0; k < m; k += PQ_CHUNK) {
            uint8_t *at = dst + k * width;
            pq_context_fill(c, c->s01, stream, width, first + i0 + k, pq_chunk(m, k), at);
            pq_ring_sub(at, (const uint8_t *)x + (i0 + k) * width, at, pq_chunk(m, k), (unsigned)(8 * width));
        }
    }
}

void *pq_deal_take(struct pq_context *c, unsigned stream, size_t first, size_t n, size_t width)
{
    if (c->role == PQ_P2)
        return pq_material_take(&c->material, n, width);
    return pq_context_take(c, stream, width, first, n);
}
