/* Looking up, online: the half of table.h that P1 and P2 use. */
#include "clones.h"
#include "ring.h"
#include "table.h"

#include <stdbool.h>

PQ_CLONES
static void table_index(uint16_t *restrict index, const uint8_t *restrict high, const uint8_t *restrict low,
                        unsigned low_bits, size_t n)
{
    if (low)
        for (size_t i = 0; i < n; i++)
            index[i] = (uint16_t)(high[i] << low_bits | low[i]);
    else
        for (size_t i = 0; i < n; i++)
            index[i] = high[i];
}

void pq_table_index(uint16_t *index, const uint8_t *high, const uint8_t *low, unsigned low_bits, size_t n)
{
    table_index(index, high, low, low_bits, n);
}

/* Tables are read at one place each, so nothing but we ourselves can tell the memory what comes next: this far ahead,
 * and into the nearest cache (fetching into the second one took 2.3 times as long for tables of 512 bytes). Of tables
 * within a line every line is fetched, also beyond the last table: what the caller has stored there is read next
 * (2.8 ns a table of 32 bytes in runs of 256; 3.6 where each run starts afresh). Past the end nothing is read, so no
 * pointer. */
enum { AHEAD = 96, AHEAD_BYTES = 9216, LINE = 64 };

static inline void fetch(const uint8_t *tables, size_t each, const uint16_t *index, size_t i, size_t n, unsigned bits)
{
    const size_t soon = i + AHEAD, known = soon < n ? soon : i;
    const size_t on = each > LINE ? known * each + ((size_t)index[known] * bits >> 3) : i * each + AHEAD_BYTES;
    const uintptr_t at = (uintptr_t)tables + on;
    __builtin_prefetch((const void *)at, 0, 3);
}

/* Entry i of w-bit entries side by side in `each` bytes: from two bytes, which at the end are the last two. */
static inline uint32_t dense_entry(const uint8_t *table, size_t each, size_t i, unsigned w)
{
    const size_t byte = i * w / 8, at = byte < each - 2 ? byte : each - 2;
    return pq_table_entry(table + at, 0, 16) >> (i * w - 8 * at);
}

#define READ(type, bits, entry) \
    do { \
        type *const restrict d = out; \
        for (size_t i = 0; i < n; i++) { \
            fetch(tables, each, index, i, n, bits); \
            d[i] = (type)((entry) & mask); \
        } \
    } while (0)

/* The nibble of each byte that an index asks for: by itself, because the compiler vectorises it. */
PQ_CLONES
static void choose_nibbles(uint8_t *restrict d, const uint16_t *restrict index, size_t n, uint8_t mask)
{
    for (size_t i = 0; i < n; i++)
        d[i] = (uint8_t)((index[i] % 2 ? d[i] >> 4 : d[i]) & mask);
}

static void read_nibbles(uint8_t *restrict d, const uint8_t *tables, size_t each, const uint16_t *restrict index,
                         size_t n, uint8_t mask)
{
    for (size_t i = 0; i < n; i++) {
        fetch(tables, each, index, i, n, 4);
        d[i] = tables[i * each + index[i] / 2];
    }
    choose_nibbles(d, index, n, mask);
}

void pq_table_read(void *out, const uint8_t *tables, size_t each, const uint16_t *index, size_t n, unsigned out_bits)
{
    const uint32_t mask = pq_ring_mask(out_bits);
    const bool dense = out_bits > 4 && out_bits < 8 && each % (8 * out_bits) == 0; /* 64 entries or more */
    switch (dense ? out_bits : pq_entry_bits(out_bits)) {
    case 5: READ(uint8_t, 5, dense_entry(tables + i * each, each, index[i], 5)); break;
    case 6: READ(uint8_t, 6, dense_entry(tables + i * each, each, index[i], 6)); break;
    case 7: READ(uint8_t, 7, dense_entry(tables + i * each, each, index[i], 7)); break;
    case 1: READ(uint8_t, 1, pq_table_entry(tables + i * each, index[i], 1)); break;
    case 4: read_nibbles(out, tables, each, index, n, (uint8_t)mask); break;
    case 8: READ(uint8_t, 8, tables[i * each + index[i]]); break;
    case 16: READ(uint16_t, 16, pq_table_entry(tables + i * each, index[i], 16)); break;
    default: READ(uint32_t, 32, pq_table_entry(tables + i * each, index[i], 32)); break;
    }
}

/* Rows one after the other, so that the machine sees each as one stream; in blocks of so many tables that their index
 * and result, which lie across, stay in the nearest cache. While a row is read its neighbour's part of the block is
 * fetched, at the end the first row's of the next block: past the last one's end in the end, so no pointer. (2.7 ns a
 * table of 32 bytes with the rows' streams read side by side.) */
enum { BLOCK = 64 };

#define READ_ROWS(type, entry) \
    for (size_t b = 0; b < len; b += BLOCK) \
        for (size_t r = 0; r < rows; r++) { \
            const size_t m = len - b < BLOCK ? len - b : BLOCK; \
            const uint8_t *const t = from[r] + b * each, *const d = index + b * stride + r; \
            type *const o = (type *)out + b * stride + r; \
            const uintptr_t ahead = r + 1 < rows ? (uintptr_t)from[r + 1] + b * each \
                                                 : (uintptr_t)from[0] + (b + BLOCK) * each; \
            for (size_t k = 0; k < m; k++) { \
                __builtin_prefetch((const void *)(ahead + k * each)); \
                o[k * stride] = (type)((entry) & mask); \
            } \
        }

void pq_table_read_rows(void *out, const uint8_t *const *from, size_t rows, size_t each, size_t len,
                        const uint8_t *index, size_t stride, unsigned out_bits)
{
    const uint32_t mask = pq_ring_mask(out_bits);
    switch (pq_entry_bits(out_bits)) {
    case 1: READ_ROWS(uint8_t, pq_table_entry(t + k * each, d[k * stride], 1)) break;
    case 4: READ_ROWS(uint8_t, pq_table_entry(t + k * each, d[k * stride], 4)) break;
    case 8: READ_ROWS(uint8_t, pq_table_entry(t + k * each, d[k * stride], 8)) break;
    case 16: READ_ROWS(uint16_t, pq_table_entry(t + k * each, d[k * stride], 16)) break;
    default: READ_ROWS(uint32_t, pq_table_entry(t + k * each, d[k * stride], 32)) break;
    }
}

void pq_table_draw(void *out, struct pq_prg *prg, struct pq_address at, size_t first, size_t each,
                   const uint16_t *index, size_t n, unsigned out_bits)
{
    pq_prg_entries(prg, at, (uint64_t)first * each * 8, (uint64_t)each * 8, index, n, pq_entry_bits(out_bits),
                   pq_ring_mask(out_bits), out);
}
