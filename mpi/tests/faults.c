#include "faults.h"

#include "../../kernels/ring.h"
#include "../../kernels/bits.h"
#include "../../kernels/table.h"
#include "../input.h"
#include "../lookup.h"
#include "../open.h"
#include "../tables.h"

#include <stdlib.h>
#include <string.h>

const char *const fault_name[FAULTS] = {
    "no fault", "openings without masks", "a mask used for two openings", "masks that the receiver knows",
    "a table sent whole", "tables masked with a seed that the receiver knows", "a message to P0",
    "the same randomness for two inferences",
};

/* An opening with the mask that `mask` writes over the right one. */
static struct pq_opened open_with(struct pq_engine *e, struct pq_add x,
                                  void (*mask)(struct pq_context *c, void *mask, size_t first, size_t n, size_t width))
{
    struct pq_context *c = pq_context_of(e);
    const size_t n = pq_dim_count(x.dim), width = pq_ring_bytes(x.bits);
    struct pq_opened o = { .dim = x.dim, .bits = x.bits, .delta = pq_context_alloc(c, n * width) };
    void *own = pq_context_take(c, PQ_S_MASK, width, x.dim.first, n);
    mask(c, own, x.dim.first, n, width);
    pq_open_masked(c, o.delta, x.share, own, n, x.bits);
    return o;
}

static void no_mask(struct pq_context *c, void *mask, size_t first, size_t n, size_t width)
{
    (void)c, (void)first;
    memset(mask, 0, n * width);
}

/* That of the first draw of masks of this size. */
static void old_mask(struct pq_context *c, void *mask, size_t first, size_t n, size_t width)
{
    const struct pq_draws *d = &c->draws;
    for (size_t i = 0; i + 1 < d->next; i++)
        if (d->list[i].stream == PQ_S_MASK && d->list[i].width == width && d->list[i].n == n) {
            const struct pq_address at = { c->inference, d->list[i].op, PQ_S_MASK };
            pq_prg_fill(c->role == PQ_P1 ? c->s01 : c->s02, at, first * width, n * width, mask);
            return;
        }
}

static void known_mask(struct pq_context *c, void *mask, size_t first, size_t n, size_t width)
{
    pq_context_fill(c, c->s12, PQ_S_MASK, width, first, n, mask);
}

static struct pq_opened open_unmasked(struct pq_engine *e, struct pq_add x)
{
    return open_with(e, x, no_mask);
}

static struct pq_opened open_reused(struct pq_engine *e, struct pq_add x)
{
    return open_with(e, x, old_mask);
}

static struct pq_opened open_known(struct pq_engine *e, struct pq_add x)
{
    return open_with(e, x, known_mask);
}

/* As pq_read_deal, but for the mask. */
static void read_whole(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                       struct pq_add *out)
{
    struct pq_context *c = pq_context_of(e);
    const size_t entries = (size_t)1 << t->index_bits, n = pq_dim_count(x.dim);
    (void)is_signed;
    for (unsigned o = 0; o < t->outputs; o++) {
        const unsigned w = pq_entry_bits(t->out_bits[o]);
        const size_t each = pq_table_bytes(t->index_bits, w), stored = pq_table_stored(each, t->out_bits[o]);
        uint64_t *packed = pq_alloc(each + 8), *table = pq_alloc(each + 8);
        for (enum pq_role role = PQ_P1; role <= PQ_P2; role++)
            for (size_t k = 0, held = pq_held(role, x.dim.first, n, PQ_RUN), chunk = pq_stage_chunk(stored); k < held;) {
                const size_t m = held - k < chunk ? held - k : chunk;
                uint8_t *dst = pq_stage_reserve(pq_stage_of(c, role), m * stored);
                for (size_t end = k + m; k < end; k++, dst += stored) {
                    const size_t i = pq_held_element(role, x.dim.first, k, PQ_RUN);
                    const size_t channel = i / x.dim.width % t->channels;
                    pq_table_pack(packed, (const uint8_t *)t->content[o] + channel * entries * t->content_bytes[o],
                                  t->content_bytes[o], t->index_bits, t->out_bits[o]);
                    pq_table_rotate(table, packed, t->index_bits, w, pq_ring_get(x.offset, i - x.dim.first, x.bits));
                    if (stored == each)
                        memcpy(dst, table, each);
                    else
                        pq_bits_pack(dst, table, each, t->out_bits[o]);
                }
            }
        free(packed);
        free(table);
        out[o] = (struct pq_add){ .dim = x.dim, .bits = t->out_bits[o] };
    }
}

static void read_known(struct pq_engine *e, struct pq_opened x, const struct pq_table *t, bool is_signed,
                       struct pq_add *out)
{
    struct pq_context *c = pq_context_of(e);
    struct pq_prg *right = c->s01;
    c->s01 = c->s02;
    pq_read_deal(e, x, t, is_signed, out);
    c->s01 = right;
}

static void reveal_to_all(struct pq_engine *e, struct pq_add logits)
{
    struct pq_context *c = pq_context_of(e);
    const size_t bytes = 2 * pq_dim_count(logits.dim);
    if (c->role == PQ_P0)
        pq_link_receive(c->link, PQ_P1, pq_context_alloc(c, bytes), bytes);
    if (c->role == PQ_P1)
        pq_link_send(c->link, PQ_P0, logits.share, bytes);
    if (c->role != PQ_P0)
        pq_reveal_online(e, logits);
}

void fault_plant(enum fault fault, struct pq_session *s, struct planted *keep)
{
    const enum pq_role role = s->setup.group->role;
    keep->party = *s->party.engine.ops;
    if (role != PQ_P0 && fault == FAULT_UNMASKED)
        keep->party.open = open_unmasked;
    if (role != PQ_P0 && fault == FAULT_REUSED)
        keep->party.open = open_reused;
    if (role != PQ_P0 && fault == FAULT_KNOWN_MASK)
        keep->party.open = open_known;
    if (fault == FAULT_TELLS_P0)
        keep->party.reveal = reveal_to_all;
    s->party.engine.ops = &keep->party;
    if (role != PQ_P0)
        return;
    keep->dealer = *s->dealer.engine.ops;
    if (fault == FAULT_WHOLE_TABLE)
        keep->dealer.read = read_whole;
    if (fault == FAULT_KNOWN_HALF)
        keep->dealer.read = read_known;
    s->dealer.engine.ops = &keep->dealer;
}
