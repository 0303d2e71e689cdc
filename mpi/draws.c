#include "draws.h"

#include "../kernels/secret.h"
#include "../kernels/status.h"

#include <string.h>

void pq_draws_plan(struct pq_draws *d, uint32_t op, uint32_t stream, size_t width, size_t first, size_t n)
{
    if (d->count == d->capacity) {
        const size_t capacity = d->capacity ? 2 * d->capacity : 256;
        struct pq_draw *list = pq_alloc(capacity * sizeof *list);
        if (d->count)
            memcpy(list, d->list, d->count * sizeof *list);
        pq_free_secret(d->list, 0);
        d->list = list;
        d->capacity = capacity;
    }
    d->list[d->count++] = (struct pq_draw){ op, stream, width, first, n, d->bytes };
    d->bytes += (n * width + 63) / 64 * 64;
}

void pq_draws_make(struct pq_draws *d, struct pq_prg *prg, uint32_t inference)
{
    enum { PIECE = 1 << 16 };
    if (!d->base)
        d->base = pq_alloc(d->bytes);
    d->next = 0;
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < d->count; i++) {
        const struct pq_draw *w = &d->list[i];
        const struct pq_address at = { inference, w->op, w->stream };
        for (size_t b = 0; b < w->n * w->width; b += PIECE) {
            const size_t left = w->n * w->width - b;
            pq_prg_fill(prg, at, w->first * w->width + b, left < PIECE ? left : PIECE, d->base + w->offset + b);
        }
    }
}

void *pq_draws_take(struct pq_draws *d, uint32_t op, uint32_t stream, size_t width, size_t first, size_t n)
{
    PQ_ASSERT(d->base && d->next < d->count);
    const struct pq_draw *w = &d->list[d->next++];
    PQ_ASSERT(w->op == op && w->stream == stream && w->width == width && w->first == first && w->n == n);
    return d->base + w->offset;
}

void pq_draws_free(struct pq_draws *d)
{
    pq_free_secret(d->base, d->bytes);
    pq_free_secret(d->list, 0);
    *d = (struct pq_draws){ 0 };
}
