#include "uses.h"

#include <stdio.h>
#include <stdlib.h>

static void drawn(struct pq_prg_watch *watch, struct pq_address at, uint64_t first_bit, uint64_t bits)
{
    struct uses *u = (struct uses *)watch;
    if (!bits)
        return;
    if (u->count == u->room) {
        u->room = u->room ? 2 * u->room : 1 << 14;
        u->list = realloc(u->list, u->room * sizeof *u->list);
        PQ_ASSERT(u->list);
    }
    u->list[u->count++] = (struct use){ u->link ? u->link->phase : PQ_SETUP, at, first_bit, bits };
}

void uses_open(struct uses *u, const struct pq_link *link)
{
    *u = (struct uses){ .watch = { drawn }, .link = link };
}

void uses_close(struct uses *u)
{
    free(u->list);
    *u = (struct uses){ 0 };
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By stream. */
static int by_stream(const struct use *a, const struct use *b)
{
    int c = order(a->phase, b->phase);
    c = c ? c : order(a->at.inference, b->at.inference);
    c = c ? c : order(a->at.op, b->at.op);
    return c ? c : order(a->at.stream, b->at.stream);
}

static int by_place(const void *x, const void *y)
{
    const struct use *a = x, *b = y;
    const int c = by_stream(a, b);
    return c ? c : order(a->first, b->first);
}

bool uses_once(struct uses *u, const char **where)
{
    static char text[120];
    *where = text;
    if (u->count)
        qsort(u->list, u->count, sizeof *u->list, by_place);
    for (size_t i = 1; i < u->count; i++) {
        const struct use *a = &u->list[i - 1], *b = &u->list[i];
        if (by_stream(a, b) || a->first + a->bits <= b->first)
            continue;
        snprintf(text, sizeof text, "inference %u, operation %u, stream %u, bit %llu (%llu and %llu bits)",
                 b->at.inference, b->at.op, b->at.stream, (unsigned long long)b->first, (unsigned long long)a->bits,
                 (unsigned long long)b->bits);
        return false;
    }
    return true;
}
