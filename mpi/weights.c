#include "weights.h"

#include "../kernels/bits.h"
#include "../kernels/secret.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

size_t pq_weights_number(const struct pq_shape *s, uint32_t layer, enum pq_linear_id id)
{
    if (layer == s->layers)
        return 4 * (size_t)s->layers + (id == PQ_CLASSIFIER);
    return 4 * (size_t)layer + (size_t)id;
}

void pq_weights_sizes(const struct pq_shape *s, size_t number, size_t *out, size_t *in)
{
    if (number >= 4 * (size_t)s->layers) {
        *out = number == 4 * (size_t)s->layers ? s->hidden : s->labels;
        *in = s->hidden;
        return;
    }
    switch (number % 4) {
    case PQ_QKV: *out = 3 * (size_t)s->hidden; *in = s->hidden; break;
    case PQ_ATTENTION_OUT: *out = *in = s->hidden; break;
    case PQ_FFN1: *out = s->ffn; *in = s->hidden; break;
    default: *out = s->hidden; *in = s->ffn; break;
    }
}

struct pq_block pq_weights_rows(const struct pq_shape *s, size_t number, size_t ranks, size_t j)
{
    size_t out, in;
    pq_weights_sizes(s, number, &out, &in);
    if (number < 4 * (size_t)s->layers && number % 4 == PQ_QKV) { /* whole heads */
        struct pq_block heads = pq_split(s->heads, ranks, j);
        size_t per_head = out / s->heads;
        return (struct pq_block){ heads.first * per_head, heads.count * per_head };
    }
    return pq_split(out, ranks, j);
}

size_t pq_weights_slice(size_t in)
{
    enum { MOST = 768 };
    const size_t slices = (in + MOST - 1) / MOST;
    return slices > 1 ? ((in + slices - 1) / slices + 7) / 8 * 8 : in;
}

static const struct pq_linear *linear_of(const struct pq_model *m, size_t number)
{
    size_t layers = m->shape.layers;
    if (number >= 4 * layers)
        return number == 4 * layers ? &m->pooler : &m->classifier;
    return &m->layer[number / 4].linear[number % 4];
}

static void integer_weights(uint16_t *w, const struct pq_linear *l, struct pq_block rows)
{
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < rows.count; o++) {
        const uint32_t m = l->multiplier[rows.first + o];
        const int8_t *src = l->weight + (rows.first + o) * l->in;
        for (size_t i = 0; i < l->in; i++)
            w[o * l->in + i] = (uint16_t)(m * (uint32_t)src[i]);
    }
}

static void fill(uint16_t *w, struct pq_prg *prg, uint32_t setup, size_t number, size_t first, size_t n)
{
    enum { CHUNK = 1 << 14 };
    struct pq_address at = { setup, (uint32_t)number, PQ_S_W };
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += CHUNK)
        pq_prg_fill(prg, at, 2 * (first + i), 2 * (n - i < CHUNK ? n - i : CHUNK), w + i);
}

static void pack(struct pq_packed *p, int which, const struct pq_gemm16 *g, const uint16_t *src)
{
    for (size_t k = 0; k < p->in; k += p->slice)
        g->left_pack(pq_slice_left(p, which, k), src + k, p->rows.count, pq_slice_depth(p, k), p->in, 1);
}

static void pack_signs(struct pq_packed *p, const struct pq_linear *l)
{
    const size_t first = p->rows.first;
    for (size_t k = 0; k < p->in; k += p->slice)
        pq_signs16_left_pack(p->signs, pq_slice_left(p, 0, k), l->weight + first * p->in + k, l->multiplier + first,
                             p->rows.count, pq_slice_depth(p, k), p->in);
}

/* P0 multiplies 1-bit weights as such where the kernel says that it is faster. (cost, which may run on another machine,
 * reckons with 16 bits a weight.) */
static const struct pq_signs16 *signs_of(const struct pq_plan *plan, enum pq_role role, const struct pq_gemm16 *gemm)
{
    const bool pays = role == PQ_P0 && plan->protocol == PQ_PREPROCESSED && plan->shape.weight_bits == 1 && gemm->signs;
    return pays ? pq_signs16_pick(NULL) : NULL;
}

/* Makes room for the operands, `operands` for each linear layer, of which this rank has its rows. */
static void lay_out(struct pq_weights *w, const struct pq_plan *plan, size_t rank, const struct pq_gemm16 *g,
                    int operands, const struct pq_signs16 *signs)
{
    w->count = 4 * (size_t)plan->shape.layers + 2;
    w->linear = pq_alloc(w->count * sizeof *w->linear);
    w->bytes = 0;
    for (size_t l = 0; l < w->count; l++) {
        struct pq_packed *p = &w->linear[l];
        *p = (struct pq_packed){ .rows = pq_weights_rows(&plan->shape, l, plan->ranks, rank) };
        pq_weights_sizes(&plan->shape, l, &p->out_all, &p->in);
        p->slice = pq_weights_slice(p->in);
        p->signs = signs;
        const size_t bytes = signs ? pq_signs16_left_bytes(signs, p->rows.count, p->slice)
                                   : g->left_bytes(p->rows.count, p->slice);
        p->slice_bytes = (bytes + 63) / 64 * 64;
        w->bytes += (size_t)operands * pq_slice_count(p) * p->slice_bytes;
    }
    w->packed = pq_alloc(w->bytes);
    char *next = w->packed;
    for (size_t l = 0; l < w->count; l++)
        for (int k = 0; k < operands; k++) {
            w->linear[l].left[k] = next;
            next += pq_slice_count(&w->linear[l]) * w->linear[l].slice_bytes;
        }
}

void pq_weights_share(struct pq_weights *w, struct pq_link *link, const struct pq_plan *plan,
                      const struct pq_gemm16 *gemm, const struct pq_model *model, struct pq_prg *s01,
                      struct pq_prg *s02, uint32_t setup_number)
{
    const enum pq_role role = link->group->role;
    const bool published = plan->protocol == PQ_PUBLISHED;
    size_t largest = 0;
    lay_out(w, plan, link->group->rank, gemm, published ? 2 : 1, signs_of(plan, role, gemm));
    for (size_t l = 0; l < w->count; l++) {
        const size_t n = w->linear[l].rows.count * w->linear[l].in;
        largest = n > largest ? n : largest;
    }
    uint16_t *a = pq_alloc(2 * largest), *b = pq_alloc(2 * largest), *c = pq_alloc(2 * largest);

    for (size_t l = 0; l < w->count; l++) {
        struct pq_packed *p = &w->linear[l];
        const size_t n = p->rows.count * p->in, first = p->rows.first * p->in, bytes = 2 * n;

        if (role == PQ_P0) {
            integer_weights(a, linear_of(model, l), p->rows);
            fill(b, s01, setup_number, l, first, n);
            if (published) {
                fill(c, s02, setup_number, l, first, n);
                pack(p, 1, gemm, c);
                pq_ring_add(b, b, c, n, 16); /* w0 + w1 */
                pack(p, 0, gemm, b);
                pq_ring_sub(c, a, b, n, 16); /* w2 */
                pq_link_send(link, PQ_P1, c, bytes);
            } else {
                if (p->signs)
                    pack_signs(p, linear_of(model, l));
                else
                    pack(p, 0, gemm, a);
                pq_ring_sub(c, a, b, n, 16); /* w0 */
            }
            pq_link_send(link, PQ_P2, c, bytes);
        } else if (role == PQ_P1) {
            fill(b, s01, setup_number, l, first, n);
            if (published) {
                pq_link_receive(link, PQ_P0, a, bytes); /* w2 */
                pack(p, 1, gemm, b);
                pq_ring_add(b, b, a, n, 16);
            }
            pack(p, 0, gemm, b);
        } else {
            pq_link_receive(link, PQ_P0, a, bytes); /* w0, or w2 */
            if (published) {
                fill(b, s02, setup_number, l, first, n);
                pack(p, 1, gemm, a);
                pq_ring_add(a, a, b, n, 16);
            }
            pack(p, 0, gemm, a);
        }
    }
    uint16_t *all[] = { a, b, c };
    for (int i = 0; i < 3; i++)
        pq_free_secret(all[i], 2 * largest);
}

void pq_weights_free(struct pq_weights *w)
{
    pq_free_secret(w->packed, w->bytes);
    free(w->linear);
    *w = (struct pq_weights){ 0 };
}
