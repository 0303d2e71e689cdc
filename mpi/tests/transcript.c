#include "transcript.h"

#include "../../kernels/bits.h"
#include "../../kernels/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH = 2048 };

/* Space for one more message. */
static uint8_t *note(struct transcript *t, struct heard h)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 256;
        t->list = realloc(t->list, t->room * sizeof *t->list);
    }
    while (t->used + h.bytes > t->data_room) {
        t->data_room = t->data_room ? 2 * t->data_room : 1 << 20;
        t->data = realloc(t->data, t->data_room);
    }
    PQ_ASSERT(t->list && t->data);
    h.at = t->used;
    t->list[t->count++] = h;
    t->used += h.bytes;
    return t->data + h.at;
}

static void received(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    const struct heard h = { .phase = l->phase, .operation = l->operation, .from = from, .bytes = bytes };
    memcpy(note((struct transcript *)ear, h), data, bytes);
}

static void opened(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits,
                   size_t all)
{
    struct transcript *t = (struct transcript *)ear;
    const struct heard h = { .opened = true, .phase = l->phase, .operation = l->operation, .bits = bits, .n = all,
                             .bytes = pq_bits_bytes(all, bits) };
    if (!t->missing) {
        note(t, h);
        t->missing = all;
    }
    const struct heard *whole = &t->list[t->count - 1];
    PQ_ASSERT(whole->opened && whole->bits == bits && whole->n == all && n <= t->missing);
    pq_bits_pack(t->data + whole->at + pq_bits_bytes(all - t->missing, bits), value, n, bits);
    t->missing -= n;
}

void transcript_open(struct transcript *t)
{
    *t = (struct transcript){ .ear = { received, opened } };
}

void transcript_close(struct transcript *t)
{
    free(t->list);
    free(t->data);
    *t = (struct transcript){ 0 };
}

static bool same_kind(const struct heard *a, const struct heard *b)
{
    return a->opened == b->opened && a->phase == b->phase && a->operation == b->operation && a->from == b->from &&
           a->bits == b->bits;
}

static const char *name(const struct heard *h)
{
    static char text[80];
    if (h->opened)
        snprintf(text, sizeof text, "opened, %u bits, %s", h->bits, pq_operation_name[h->operation]);
    else
        snprintf(text, sizeof text, "from P%d, %s, %s", (int)h->from, pq_phase_name[h->phase],
                 pq_operation_name[h->operation]);
    return text;
}

/* Whether message i is the first of its kind; if so, all of that kind are added to s. */
static bool collect(const struct transcript *t, size_t i, struct spread *s)
{
    memset(s, 0, sizeof *s);
    for (size_t j = 0; j < i; j++)
        if (same_kind(&t->list[i], &t->list[j]))
            return false;
    for (size_t j = i; j < t->count; j++)
        if (same_kind(&t->list[i], &t->list[j]))
            spread_add(s, t->data + t->list[j].at, t->list[j].bytes);
    return true;
}

/* Material stretch by stretch: tables of one kind are a small part of all. */
static void stretches(const struct heard *h, const uint8_t *data, struct finding *f)
{
    for (size_t i = 0; h->phase == PQ_OFFLINE && i < h->bytes; i += STRETCH) {
        struct spread s = { 0 };
        spread_add(&s, data + i, h->bytes - i < STRETCH ? h->bytes - i : STRETCH);
        spread_uniform(&s, name(h), f);
    }
}

void transcript_uniform(const struct transcript *t, struct finding *f)
{
    struct spread s;
    for (size_t i = 0; i < t->count; i++) {
        if (collect(t, i, &s))
            spread_uniform(&s, name(&t->list[i]), f);
        stretches(&t->list[i], t->data + t->list[i].at, f);
    }
}

void transcript_same(const struct transcript *a, const struct transcript *b, struct finding *f)
{
    struct spread of_a, of_b;
    PQ_ASSERT(transcript_alike(a, b));
    for (size_t i = 0; i < a->count; i++)
        if (collect(a, i, &of_a) && collect(b, i, &of_b))
            spread_same(&of_a, &of_b, name(&a->list[i]), f);
}

void transcript_fresh(const struct transcript *a, const struct transcript *b, struct finding *f)
{
    struct transcript differences = *a;
    PQ_ASSERT(transcript_alike(a, b));
    differences.list = pq_alloc((a->count + 1) * sizeof *a->list);
    differences.data = pq_alloc(a->used + 1);
    differences.count = 0;
    for (size_t i = 0; i < a->used; i++)
        differences.data[i] = a->data[i] ^ b->data[i];
    for (size_t i = 0; i < a->count; i++)
        if (a->list[i].phase != PQ_SETUP)
            differences.list[differences.count++] = a->list[i];
    transcript_uniform(&differences, f);
    free(differences.list);
    free(differences.data);
}

/* Adds a - b mod 2^bits, element by element. */
static void add_difference(const struct transcript *t, const struct heard *a, const struct heard *b, struct spread *s)
{
    const size_t width = pq_ring_bytes(a->bits);
    uint8_t *x = pq_alloc(a->n * width), *y = pq_alloc(a->n * width), *packed = pq_alloc(a->bytes);
    pq_bits_unpack(x, t->data + a->at, a->n, a->bits);
    pq_bits_unpack(y, t->data + b->at, a->n, a->bits);
    pq_ring_sub(x, x, y, a->n, a->bits);
    pq_bits_pack(packed, x, a->n, a->bits);
    spread_add(s, packed, a->bytes);
    free(x);
    free(y);
    free(packed);
}

void transcript_masks(const struct transcript *t, struct finding *f)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t j = i + 1; j < t->count && t->list[i].opened; j++) {
            const struct heard *a = &t->list[i], *b = &t->list[j];
            struct spread s = { 0 };
            if (!b->opened || a->bits != b->bits || a->n != b->n)
                continue;
            add_difference(t, a, b, &s);
            spread_uniform(&s, name(b), f);
        }
}

bool transcript_alike(const struct transcript *a, const struct transcript *b)
{
    bool alike = a->count == b->count;
    for (size_t i = 0; alike && i < a->count; i++)
        alike = same_kind(&a->list[i], &b->list[i]) && a->list[i].n == b->list[i].n &&
                a->list[i].bytes == b->list[i].bytes;
    return alike;
}

bool transcript_equal(const struct transcript *a, const struct transcript *b, enum pq_phase phase, enum pq_role from,
                      size_t *bytes)
{
    bool equal = transcript_alike(a, b);
    *bytes = 0;
    for (size_t i = 0; equal && i < a->count; i++) {
        const struct heard *h = &a->list[i];
        if (h->opened || h->phase != phase || h->from != from)
            continue;
        equal = !memcmp(a->data + h->at, b->data + b->list[i].at, h->bytes);
        *bytes += h->bytes;
    }
    return equal;
}

size_t transcript_received(const struct transcript *t, enum pq_phase phase)
{
    size_t bytes = 0;
    for (size_t i = 0; i < t->count; i++)
        bytes += !t->list[i].opened && t->list[i].phase == phase ? t->list[i].bytes : 0;
    return bytes;
}
