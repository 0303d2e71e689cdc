#include "arena.h"

#include "../kernels/secret.h"
#include "../kernels/status.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE = 64, SMALLEST_BLOCK = 1 << 20, HUGE_PAGE = 2 << 20 };

struct pq_arena_block {
    struct pq_arena_block *next;
    unsigned char *data;
    size_t size, used, touched; /* touched: the most that was ever used, which is what holds secrets */
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Values are walked through in order: huge pages save most of the page faults of a first inference. */
static void ask_for_huge_pages(void *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = round_up((uintptr_t)data, page), end = ((uintptr_t)data + size) / page * page;
    if (size >= HUGE_PAGE && end > start)
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE); /* a wish: kernels without them say no */
}

/* A block for `bytes`, and at least as large as all so far, so that their number stays small. */
static struct pq_arena_block *new_block(struct pq_arena *a, size_t bytes)
{
    struct pq_arena_block *b = pq_alloc(sizeof *b);
    size_t size = bytes > a->reserved ? bytes : a->reserved;
    size = round_up(size > SMALLEST_BLOCK ? size : SMALLEST_BLOCK, LINE);
    *b = (struct pq_arena_block){ .data = pq_alloc(size), .size = size };
    ask_for_huge_pages(b->data, size);
    a->reserved += size;
    return b;
}

void *pq_arena_alloc(struct pq_arena *a, size_t bytes)
{
    bytes = round_up(bytes ? bytes : 1, LINE);
    while (!a->current || a->current->size - a->current->used < bytes) {
        struct pq_arena_block **link = a->current ? &a->current->next : &a->first;
        if (!*link)
            *link = new_block(a, bytes);
        a->current = *link;
    }
    void *p = a->current->data + a->current->used;
    a->current->used += bytes;
    if (a->current->touched < a->current->used)
        a->current->touched = a->current->used;
    a->used += bytes;
    if (a->used > a->peak)
        a->peak = a->used;
    return p;
}

void pq_arena_reset(struct pq_arena *a)
{
    for (struct pq_arena_block *b = a->first; b; b = b->next)
        b->used = 0;
    a->current = a->first;
    a->used = 0;
}

void pq_arena_free(struct pq_arena *a)
{
    for (struct pq_arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        pq_wipe(b->data, b->touched);
        free(b->data);
        free(b);
    }
    *a = (struct pq_arena){ 0 };
}

size_t pq_arena_peak(const struct pq_arena *a)
{
    return a->peak;
}
