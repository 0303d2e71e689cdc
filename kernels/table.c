#include "table.h"
#include "clones.h"
#include "machine.h"
#include "ring.h"
#include "status.h"
#include "table_variants.h"

#include <string.h>

size_t pq_table_bytes(unsigned index_bits, unsigned w)
{
    size_t bits = (size_t)w << index_bits;
    return bits < 8 ? 1 : bits / 8;
}

static size_t words_of(unsigned index_bits, unsigned w)
{
    size_t bits = (size_t)w << index_bits;
    return bits < 64 ? 1 : bits / 64;
}

void pq_table_pack(uint64_t *dst, const void *content, unsigned content_bytes, unsigned index_bits, unsigned out_bits)
{
    const unsigned w = pq_entry_bits(out_bits);
    const size_t entries = (size_t)1 << index_bits, words = words_of(index_bits, w);
    const uint32_t mask = pq_ring_mask(out_bits);
    const size_t per_word = 64 / w;

    for (size_t word = 0; word < words; word++) {
        uint64_t acc = 0;
        for (size_t k = 0; k < per_word; k++) {
            size_t i = (word * per_word + k) & (entries - 1); /* a table below 64 bits is repeated */
            uint32_t v;
            switch (content_bytes) {
            case 1: v = (uint32_t)((const int8_t *)content)[i]; break;
            case 2: v = ((const uint16_t *)content)[i]; break;
            default: v = ((const uint32_t *)content)[i]; break;
            }
            acc |= (uint64_t)(v & mask) << (k * w);
        }
        dst[word] = acc;
    }
}

/* dst = src rotated towards lower addresses by `words_off` of `words` words (a power of two). */
static void rotate_words(uint64_t *restrict dst, const uint64_t *src, size_t words, uint32_t words_off)
{
    uint64_t spare[PQ_TABLE_WORDS];
    uint64_t *from = spare, *to = dst;
    unsigned stages = pq_bits_of(words - 1);

    if (stages % 2 == 0) { /* so that the last stage writes into dst */
        from = dst;
        to = spare;
    }
    memcpy(from, src, words * 8);
    for (unsigned s = 0; s < stages; s++) {
        const size_t step = (size_t)1 << s;
        const uint64_t mask = 0 - (uint64_t)(words_off >> s & 1);
        for (size_t i = 0; i < words - step; i++)
            to[i] = from[i] ^ ((from[i] ^ from[i + step]) & mask);
        for (size_t i = words - step; i < words; i++)
            to[i] = from[i] ^ ((from[i] ^ from[i + step - words]) & mask);
        uint64_t *t = from;
        from = to;
        to = t;
    }
}

/* Rotation of a string of `words` words towards lower bits by `bits` bits. */
static void rotate_bits(uint64_t *restrict dst, const uint64_t *src, size_t words, uint32_t bits)
{
    const unsigned low = bits % 64, high = (64 - low) % 64;
    const uint64_t carry = 0 - (uint64_t)(low != 0); /* low == 0: the next word lends nothing */

    rotate_words(dst, src, words, bits / 64);
    uint64_t first = dst[0];
    for (size_t i = 0; i + 1 < words; i++)
        dst[i] = dst[i] >> low | (dst[i + 1] << high & carry);
    dst[words - 1] = dst[words - 1] >> low | (first << high & carry);
}

/* Strings of 1, 2 and 4 words, which most tables and all rows of two-input tables are, stay in registers. */
static void rotate_rows_of_1(uint64_t *restrict dst, const uint64_t *restrict src, size_t rows, uint32_t bits)
{
    const unsigned low = bits % 64;
    for (size_t i = 0; i < rows; i++)
        dst[i] = src[i] >> low | src[i] << 1 << (63 - low);
}

static void rotate_rows_of_2(uint64_t *restrict dst, const uint64_t *restrict src, size_t rows, uint32_t bits)
{
    const unsigned low = bits % 64;
    const uint64_t swap = 0 - (uint64_t)(bits / 64 & 1);
    for (size_t i = 0; i < rows; i++, dst += 2, src += 2) {
        const uint64_t exchange = (src[0] ^ src[1]) & swap, a = src[0] ^ exchange, b = src[1] ^ exchange;
        dst[0] = a >> low | b << 1 << (63 - low);
        dst[1] = b >> low | a << 1 << (63 - low);
    }
}

static void rotate_rows_of_4(uint64_t *restrict dst, const uint64_t *restrict src, size_t rows, uint32_t bits)
{
    const unsigned low = bits % 64;
    const uint64_t by_1 = 0 - (uint64_t)(bits / 64 & 1), by_2 = 0 - (uint64_t)(bits / 128 & 1);
    for (size_t i = 0; i < rows; i++, dst += 4, src += 4) {
        const uint64_t x = (src[0] ^ src[2]) & by_2, y = (src[1] ^ src[3]) & by_2;
        const uint64_t t[4] = { src[0] ^ x, src[1] ^ y, src[2] ^ x, src[3] ^ y };
        uint64_t u[4];
        for (int k = 0; k < 4; k++)
            u[k] = t[k] ^ ((t[k] ^ t[(k + 1) % 4]) & by_1);
        for (int k = 0; k < 4; k++)
            dst[k] = u[k] >> low | u[(k + 1) % 4] << 1 << (63 - low);
    }
}

void pq_table_rotate_plain(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits)
{
    switch (words) {
    case 1: rotate_rows_of_1(dst, src, rows, bits); break;
    case 2: rotate_rows_of_2(dst, src, rows, bits); break;
    case 4: rotate_rows_of_4(dst, src, rows, bits); break;
    default:
        for (size_t i = 0; i < rows; i++)
            rotate_bits(dst + i * words, src + i * words, words, bits);
    }
}

/* `rows` strings of `words` words each, all rotated by the same number of bits, a multiple of w. */
static void rotate_rows(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, unsigned w, uint32_t bits)
{
#if defined(__x86_64__)
    if (words <= 8 && w >= 4 && pq_cpu_vbmi()) {
        pq_table_rotate_vbmi(dst, src, rows, words, bits);
        return;
    }
    if ((words > 1 || rows % 4 == 0) && pq_cpu_avx2()) {
        pq_table_rotate_avx2(dst, src, rows, words, bits);
        return;
    }
#endif
    (void)w;
    pq_table_rotate_plain(dst, src, rows, words, bits);
}

void pq_table_rotate(uint64_t *dst, const uint64_t *table, unsigned index_bits, unsigned w, uint32_t offset)
{
    const size_t words = words_of(index_bits, w);
    PQ_ASSERT(words <= PQ_TABLE_WORDS);
    rotate_rows(dst, table, 1, words, w, (offset & pq_ring_mask(index_bits)) * w);
}

void pq_table_rotate_rows(uint64_t *dst, const uint64_t *table, unsigned a, unsigned b, unsigned w, uint32_t offset)
{
    const size_t words = ((size_t)w << b) / 64;
    PQ_ASSERT(words >= 1 && words <= PQ_TABLE_WORDS);
    rotate_rows(dst, table, (size_t)1 << a, words, w, (offset & pq_ring_mask(b)) * w);
}

/* half = table - half in lanes that may lie at any address. */
typedef uint16_t lane16 __attribute__((aligned(1), may_alias));
typedef uint32_t lane32 __attribute__((aligned(1), may_alias));

#define SUBTRACT(name, lane, difference) \
    PQ_CLONES static void name(lane *restrict half, const lane *restrict table, size_t n) \
    { \
        for (size_t i = 0; i < n; i++) \
            half[i] = (lane)(difference); \
    }
SUBTRACT(subtract_bits, uint8_t, table[i] ^ half[i])
SUBTRACT(subtract_nibbles, uint8_t, ((table[i] - half[i]) & 15) | ((table[i] - (half[i] & 0xf0)) & 0xf0))
SUBTRACT(subtract_8, uint8_t, table[i] - half[i])
SUBTRACT(subtract_16, lane16, table[i] - half[i])
SUBTRACT(subtract_32, lane32, table[i] - half[i])

void pq_table_mask(uint8_t *half, const uint64_t *table, size_t bytes, unsigned w)
{
    switch (w) {
    case 1: subtract_bits(half, (const uint8_t *)table, bytes); break;
    case 4: subtract_nibbles(half, (const uint8_t *)table, bytes); break;
    case 8: subtract_8(half, (const uint8_t *)table, bytes); break;
    case 16: subtract_16((lane16 *)half, (const lane16 *)table, bytes / 2); break;
    default: subtract_32((lane32 *)half, (const lane32 *)table, bytes / 4); break;
    }
}

/* max(x, 0) */
static int64_t at_least_0(int64_t x)
{
    return x & ((int64_t)((uint64_t)x >> 63) - 1);
}

void pq_table_wrap_plain(uint8_t dst[32], uint32_t start, uint64_t flips)
{
    for (uint32_t word = 0; word < 4; word++) {
        /* How many of this word's bits lie below start, 0 to 64, without a branch. */
        int64_t below = (int64_t)start - 64 * (int64_t)word;
        below = at_least_0(below);
        below -= at_least_0(below - 64);
        uint64_t half = (uint64_t)below / 2, rest = (uint64_t)below - half; /* two shifts: 64 at once is undefined */
        uint64_t bits = (~UINT64_C(0) << half << rest) ^ flips;
        memcpy(dst + 8 * word, &bits, 8);
    }
}

void pq_wrap_table(uint8_t *dst, unsigned b, uint32_t offset, uint32_t flip)
{
    const uint64_t flips = 0 - (uint64_t)(flip & 1);
    const uint32_t start = (UINT32_C(1) << b) - offset; /* bits from here on are ones; offset 0: none */

    if (b == 4) {
        uint16_t bits = (uint16_t)((UINT32_MAX << start) ^ flips);
        memcpy(dst, &bits, 2);
        return;
    }
    PQ_ASSERT(b == 8);
#if defined(__x86_64__)
    if (pq_cpu_avx2()) {
        pq_table_wrap_avx2(dst, start, flips);
        return;
    }
#endif
    pq_table_wrap_plain(dst, start, flips);
}

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
