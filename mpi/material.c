#include "material.h"

#include <stdlib.h>
#include <string.h>

static size_t padded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

void pq_stage_open(struct pq_stage *s, struct pq_link *link, enum pq_role to)
{
    memset(s, 0, sizeof *s);
    s->link = link;
    s->to = to;
    for (int i = 0; i < PQ_STAGE_BUFFERS; i++) {
        s->buffer[i] = link ? pq_alloc(PQ_STAGE_BYTES) : NULL;
        if (link)
            memset(s->buffer[i], 0, PQ_STAGE_BYTES);
        s->request[i] = MPI_REQUEST_NULL;
    }
}

/* Hands the full buffer over and waits until the next one is free: filling overlaps with sending. */
static void send_current(struct pq_stage *s)
{
    if (!s->used)
        return;
    s->messages++;
    s->bytes += s->used;
    if (s->link) {
        s->request[s->current] = pq_link_post(s->link, s->to, s->buffer[s->current], s->used);
        s->current = (s->current + 1) % PQ_STAGE_BUFFERS;
        pq_link_sent(s->link, &s->request[s->current], 1);
    }
    s->used = 0;
}

uint8_t *pq_stage_reserve(struct pq_stage *s, size_t bytes)
{
    const size_t room = padded(bytes);
    PQ_ASSERT(room <= PQ_STAGE_BYTES);
    if (s->used + room > PQ_STAGE_BYTES)
        send_current(s);
    uint8_t *p = s->link ? s->buffer[s->current] + s->used : NULL;
    s->used += room;
    if (s->link) {
        memset(p + bytes, 0, room - bytes); /* what pads is sent too: never what lay there before */
        pq_link_book(s->link, s->to, room);
    }
    return p;
}

void pq_stage_count(struct pq_stage *s, size_t n, size_t each)
{
    const size_t chunk = pq_stage_chunk(each);
    for (size_t i = 0; i < n; i += chunk)
        pq_stage_reserve(s, (n - i < chunk ? n - i : chunk) * each);
}

void pq_stage_flush(struct pq_stage *s)
{
    send_current(s);
    if (s->link)
        pq_link_sent(s->link, s->request, PQ_STAGE_BUFFERS);
}

void pq_stage_close(struct pq_stage *s)
{
    for (int i = 0; i < PQ_STAGE_BUFFERS; i++) {
        pq_free_secret(s->buffer[i], PQ_STAGE_BYTES);
    }
}

void pq_material_make_room(struct pq_material *m, size_t bytes)
{
    if (m->capacity < bytes) {
        pq_material_free(m);
        m->base = pq_alloc(bytes);
        m->capacity = bytes;
    }
    m->bytes = bytes;
    m->cursor = 0;
}

void pq_material_receive(struct pq_material *m, struct pq_link *link, size_t bytes)
{
    pq_material_make_room(m, bytes);
    for (size_t have = 0; have < bytes;)
        have += pq_link_take(link, PQ_P0, m->base + have, bytes - have);
    pq_link_taken(link);
}

void pq_material_expect(struct pq_material *m, struct pq_link *link, size_t bytes)
{
    pq_material_make_room(m, bytes);
    pq_link_expect(link, PQ_P0, m->base, bytes);
}

void *pq_material_take(struct pq_material *m, size_t n, size_t each)
{
    void *p = m->base + m->cursor;
    m->cursor += padded(n * each);
    PQ_ASSERT(m->cursor <= m->bytes);
    return p;
}

void pq_material_done(const struct pq_material *m)
{
    PQ_ASSERT(m->cursor == m->bytes);
}

void pq_material_free(struct pq_material *m)
{
    pq_free_secret(m->base, m->capacity);
    *m = (struct pq_material){ 0 };
}
