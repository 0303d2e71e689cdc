#include "deal.h"

#include "../kernels/bits.h"

void pq_deal_numbers(struct pq_context *c, unsigned stream, size_t first, const void *x, size_t n, size_t width)
{
    const size_t chunk = pq_stage_chunk(width);
    for (size_t i0 = 0; i0 < n; i0 += chunk) {
        const size_t m = n - i0 < chunk ? n - i0 : chunk;
        uint8_t *dst = pq_stage_reserve(pq_stage_of(c, PQ_P2), m * width);
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
