#include "flips.h"

#include "../../kernels/ring.h"

#include <stdlib.h>
#include <string.h>

const char *const flip_name[FLIP_KINDS] = {
    "set-up message", "material", "1 KiB of material", "online message", "opened value", "share", "weight share",
};

/* n elements of Z_2^bits, as kernels/ring.h lays them out. */
static void offer(struct flips *f, enum flip_kind kind, void *data, size_t n, unsigned bits)
{
    const uint64_t first = f->offered[kind];
    f->offered[kind] += (uint64_t)n * bits;
    if (!data || f->kind != kind || f->bit < first || f->bit >= f->offered[kind])
        return;
    const size_t first_element = (size_t)((f->bit - first) / bits);
    const size_t end = kind == FLIP_STRETCH && n - first_element > FLIP_STRETCH_BYTES
                           ? first_element + FLIP_STRETCH_BYTES
                           : kind == FLIP_STRETCH ? n : first_element + 1;
    for (size_t i = first_element; i < end; i++)
        pq_ring_put(data, i, bits, pq_ring_get(data, i, bits) ^ UINT32_C(1) << (f->bit - first) % bits);
}

/* The door lends what it received for reading. It lies in the receiver's memory, where a fault would strike it. */
static void received(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    static const enum flip_kind kind[PQ_PHASES] = {
        [PQ_SETUP] = FLIP_SETUP, [PQ_OFFLINE] = FLIP_MATERIAL, [PQ_ONLINE] = FLIP_MESSAGE,
    };
    (void)from;
    offer((struct flips *)ear, kind[l->phase], (void *)(uintptr_t)data, bytes, 8);
    if (l->phase == PQ_OFFLINE)
        offer((struct flips *)ear, FLIP_STRETCH, (void *)(uintptr_t)data, bytes, 8);
}

/* FNV-1a, 64 bits. */
static void opened(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits,
                   size_t all)
{
    struct flips *f = (struct flips *)ear;
    uint64_t hash = UINT64_C(14695981039346656037);
    (void)l, (void)all;
    offer(f, FLIP_OPENED, (void *)(uintptr_t)value, n, bits);
    for (size_t i = 0; i < n * pq_ring_bytes(bits); i++)
        hash = (hash ^ ((const uint8_t *)value)[i]) * UINT64_C(1099511628211);
    if (f->openings == f->room) {
        f->room = f->room ? 2 * f->room : 256;
        f->trace = realloc(f->trace, f->room * sizeof *f->trace);
        PQ_ASSERT(f->trace);
    }
    f->trace[f->openings++] = hash;
}

static struct flips *flips_of(struct pq_engine *e)
{
    return (struct flips *)pq_context_of(e)->link->ear;
}

static const struct pq_ops *with_share(struct pq_engine *e, struct pq_add x)
{
    struct flips *f = flips_of(e);
    offer(f, FLIP_SHARE, x.share, pq_dim_count(x.dim), x.bits);
    return f->right;
}

static const struct pq_ops *with_rss(struct pq_engine *e, struct pq_rss x)
{
    struct flips *f = flips_of(e);
    void *const part[] = { x.x0, x.x1, x.x2 };
    for (int i = 0; i < 3; i++)
        if (part[i])
            offer(f, FLIP_SHARE, part[i], pq_dim_count(x.dim), PQ_LINEAR_BITS);
    return f->right;
}

static struct pq_add linear(struct pq_engine *e, struct pq_rss x, uint32_t layer, enum pq_linear_id id)
{
    pq_link_gather_end(pq_context_of(e)->link); /* a flip in what is still on its way would be lost */
    return with_rss(e, x)->linear(e, x, layer, id);
}

static struct pq_add scores(struct pq_engine *e, struct pq_rss qkv)
{
    return with_rss(e, qkv)->scores(e, qkv);
}

static struct pq_add context(struct pq_engine *e, struct pq_rss qkv, struct pq_rss p)
{
    return with_rss(e, p)->context(e, qkv, p);
}

static struct pq_add truncate(struct pq_engine *e, struct pq_add z, unsigned top, unsigned t, bool is_signed)
{
    return with_share(e, z)->truncate(e, z, top, t, is_signed);
}

static struct pq_add add(struct pq_engine *e, struct pq_add a, struct pq_add b)
{
    return with_share(e, a)->add(e, a, b);
}

static struct pq_opened open_value(struct pq_engine *e, struct pq_add x)
{
    return with_share(e, x)->open(e, x);
}

static struct pq_rss reshare(struct pq_engine *e, struct pq_add x)
{
    return with_share(e, x)->reshare(e, x);
}

static struct pq_rss reshare_code(struct pq_engine *e, struct pq_add x, bool is_signed)
{
    return with_share(e, x)->reshare_code(e, x, is_signed);
}

static struct pq_lifted lift(struct pq_engine *e, struct pq_add h)
{
    return with_share(e, h)->lift(e, h);
}

static struct pq_add normalise(struct pq_engine *e, struct pq_lifted h, struct pq_add r)
{
    return with_share(e, r)->normalise(e, h, r);
}

static void reveal(struct pq_engine *e, struct pq_add logits)
{
    with_share(e, logits)->reveal(e, logits);
}

void flips_open(struct flips *f)
{
    *f = (struct flips){ .ear = { received, opened }, .kind = FLIP_KINDS };
}

void flips_watch(struct flips *f, struct pq_session *s)
{
    if (!s->party.engine.ops)
        return; /* a rank beyond G */
    f->right = s->party.engine.ops;
    f->ops = *f->right;
    f->ops.linear = linear;
    f->ops.scores = scores;
    f->ops.context = context;
    f->ops.truncate = truncate;
    f->ops.add = add;
    f->ops.open = open_value;
    f->ops.reshare = reshare;
    f->ops.reshare_code = reshare_code;
    f->ops.lift = lift;
    f->ops.normalise = normalise;
    f->ops.reveal = reveal;
    s->party.engine.ops = &f->ops;
}

void flips_close(struct flips *f)
{
    free(f->trace);
    *f = (struct flips){ 0 };
}

void flips_start(struct flips *f, enum flip_kind kind, uint64_t bit)
{
    memset(f->offered, 0, sizeof f->offered);
    f->openings = 0;
    f->kind = kind;
    f->bit = bit;
}

/* Packed operands of linear layer i, of this rank's rows: one, or two in `published`. */
static uint64_t bits_of(const struct pq_session *s, size_t i, int operand)
{
    const struct pq_packed *w = &s->weights.linear[i];
    return w->left[operand] ? (uint64_t)w->rows.count * w->in * PQ_LINEAR_BITS : 0;
}

uint64_t flips_weight_bits(const struct pq_session *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->weights.count; i++)
        sum += bits_of(s, i, 0) + bits_of(s, i, 1);
    return sum;
}

void flips_weight(struct pq_session *s, uint64_t bit)
{
    for (size_t i = 0; i < s->weights.count; i++)
        for (int operand = 0; operand < 2; operand++) {
            const uint64_t here = bits_of(s, i, operand);
            if (bit < here) {
                ((uint16_t *)s->weights.linear[i].left[operand])[bit / PQ_LINEAR_BITS] ^=
                    (uint16_t)(1u << bit % PQ_LINEAR_BITS);
                return;
            }
            bit -= here;
        }
    PQ_ASSERT(!"a bit of the weight shares");
}
