#include "table.h"
#include "clones.h"
#include "ring.h"
#include "status.h"

#include <string.h>

enum { MAX_WORDS = 4096 }; /* 2^12 entries of 32 bits are 2048 words */

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
    uint64_t spare[MAX_WORDS];
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

void pq_table_rotate(uint64_t *dst, const uint64_t *table, unsigned index_bits, unsigned w, uint32_t offset)
{
    size_t words = words_of(index_bits, w);
    PQ_ASSERT(words <= MAX_WORDS);
    rotate_bits(dst, table, words, (offset & pq_ring_mask(index_bits)) * w);
}

void pq_table_rotate_rows(uint64_t *dst, const uint64_t *table, unsigned a, unsigned b, unsigned w, uint32_t offset)
{
    size_t row_bits = (size_t)w << b;
    uint32_t shift = (offset & pq_ring_mask(b)) * w;
    PQ_ASSERT(row_bits >= 64);
    for (size_t i = 0; i < (size_t)1 << a; i++)
        rotate_bits(dst + i * (row_bits / 64), table + i * (row_bits / 64), row_bits / 64, shift);
}

void pq_table_mask(uint8_t *out, const uint64_t *table, const uint8_t *half, size_t bytes, unsigned w)
{
    /* Subtraction in every w-bit lane of a word at once: the lanes' top bits are kept from borrowing. */
    const uint64_t ones = w == 1 ? ~UINT64_C(0) : w == 4 ? UINT64_C(0x1111111111111111)
                          : w == 8 ? UINT64_C(0x0101010101010101) : w == 16 ? UINT64_C(0x0001000100010001)
                                                                            : UINT64_C(0x0000000100000001);
    const uint64_t top = ones << (w - 1);
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t a = table[i / 8], b;
        memcpy(&b, half + i, 8);
        uint64_t r = ((a | top) - (b & ~top)) ^ ((a ^ ~b) & top);
        memcpy(out + i, &r, 8);
    }
    if (i < bytes) {
        uint64_t a = table[i / 8], b = 0;
        memcpy(&b, half + i, bytes - i);
        uint64_t r = ((a | top) - (b & ~top)) ^ ((a ^ ~b) & top);
        memcpy(out + i, &r, bytes - i);
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
    for (uint32_t word = 0; word < 4; word++) {
        /* How many of this word's bits lie below start, 0 to 64, without a branch. */
        int64_t below = (int64_t)start - 64 * (int64_t)word;
        below &= ~(below >> 63);
        int64_t over = (below - 64) & ~((below - 64) >> 63);
        below -= over;
        uint64_t half = (uint64_t)below / 2, rest = (uint64_t)below - half; /* two shifts: 64 at once is undefined */
        uint64_t bits = (~UINT64_C(0) << half << rest) ^ flips;
        memcpy(dst + 8 * word, &bits, 8);
    }
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

/* Tables are read at one place each, so nothing but we ourselves can tell the memory what comes next: this far ahead.
 */
enum { AHEAD = 48 };

#define READ(type, bits, entry) \
    do { \
        type *const restrict d = out; \
        for (size_t i = 0; i < n; i++) { \
            const size_t soon = i + AHEAD < n ? i + AHEAD : i; \
            __builtin_prefetch(tables + soon * each + ((size_t)index[soon] * (bits) >> 3), 0, 2); \
            d[i] = (type)((entry) & mask); \
        } \
    } while (0)

void pq_table_read(void *out, const uint8_t *tables, size_t each, const uint16_t *index, size_t n, unsigned out_bits)
{
    const uint32_t mask = pq_ring_mask(out_bits);
    switch (pq_entry_bits(out_bits)) {
    case 1: READ(uint8_t, 1, pq_table_entry(tables + i * each, index[i], 1)); break;
    case 4: READ(uint8_t, 4, pq_table_entry(tables + i * each, index[i], 4)); break;
    case 8: READ(uint8_t, 8, tables[i * each + index[i]]); break;
    case 16: READ(uint16_t, 16, pq_table_entry(tables + i * each, index[i], 16)); break;
    default: READ(uint32_t, 32, pq_table_entry(tables + i * each, index[i], 32)); break;
    }
}

/* In which block of a stream the entries lie, and which entry of the block they are; entries of 2^log_w bits. */
PQ_CLONES
static void locate(uint64_t *restrict block, uint16_t *restrict within, size_t first, size_t each,
                   const uint16_t *restrict index, size_t n, unsigned log_w)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t bit = (first + i) * each * 8 + ((uint64_t)index[i] << log_w);
        block[i] = bit >> 7;
        within[i] = (uint16_t)((bit & 127) >> log_w);
    }
}

void pq_table_draw(void *out, struct pq_prg *prg, struct pq_address at, size_t first, size_t each,
                   const uint16_t *index, size_t n, unsigned out_bits)
{
    uint64_t block[PQ_TABLE_DRAW];
    uint16_t within[PQ_TABLE_DRAW];
    uint8_t drawn[16 * PQ_TABLE_DRAW];
    PQ_ASSERT(n <= PQ_TABLE_DRAW);
    if (!n)
        return;
    locate(block, within, first, each, index, n, pq_bits_of(pq_entry_bits(out_bits)) - 1);
    pq_prg_blocks(prg, at, block, n, drawn);
    pq_table_read(out, drawn, 16, within, n, out_bits);
}
