/* Making tables, offline: the half of table.h that P0 uses. */
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

/* Entries that fill words, from signed bytes or numbers: bytes to nibbles, two at a time, and to lanes of a type. Of a
 * layer with a table for each channel this is more than a million entries. */
typedef uint16_t lane16 __attribute__((aligned(1), may_alias));
typedef uint32_t lane32 __attribute__((aligned(1), may_alias));

PQ_CLONES
static void pack_nibbles(uint8_t *restrict dst, const lane16 *restrict src, size_t pairs, uint32_t mask)
{
    for (size_t i = 0; i < pairs; i++)
        dst[i] = (uint8_t)((src[i] & mask) | (src[i] >> 4 & mask << 4));
}

#define PACK(name, to, from) \
    PQ_CLONES static void name(to *restrict dst, const from *restrict src, size_t n, uint32_t mask) \
    { \
        for (size_t i = 0; i < n; i++) \
            dst[i] = (to)((uint32_t)src[i] & mask); \
    }
PACK(pack_8_to_8, uint8_t, int8_t)
PACK(pack_8_to_16, lane16, int8_t)
PACK(pack_16_to_8, uint8_t, uint16_t)
PACK(pack_16_to_16, lane16, uint16_t)

/* The definition, and what a table below 64 bits takes, which is repeated. */
static void pack_any(uint64_t *dst, const void *content, unsigned content_bytes, size_t entries, unsigned w, size_t words,
                     uint32_t mask)
{
    const size_t per_word = 64 / w;
    for (size_t word = 0; word < words; word++) {
        uint64_t acc = 0;
        for (size_t k = 0; k < per_word; k++) {
            const size_t i = (word * per_word + k) & (entries - 1);
            const uint32_t v = content_bytes == 1   ? (uint32_t)((const int8_t *)content)[i]
                               : content_bytes == 2 ? ((const uint16_t *)content)[i]
                                                    : ((const uint32_t *)content)[i];
            acc |= (uint64_t)(v & mask) << (k * w);
        }
        dst[word] = acc;
    }
}

void pq_table_pack(uint64_t *dst, const void *content, unsigned content_bytes, unsigned index_bits, unsigned out_bits)
{
    const unsigned w = pq_entry_bits(out_bits);
    const unsigned kind = (size_t)w << index_bits < 64 ? 0 : 100 * content_bytes + w; /* 216: from 2 bytes to 16 bits */
    const size_t entries = (size_t)1 << index_bits;
    const uint32_t mask = pq_ring_mask(out_bits);
    switch (kind) {
    case 104: pack_nibbles((uint8_t *)dst, content, entries / 2, mask); break;
    case 108: pack_8_to_8((uint8_t *)dst, content, entries, mask); break;
    case 116: pack_8_to_16((lane16 *)dst, content, entries, mask); break;
    case 208: pack_16_to_8((uint8_t *)dst, content, entries, mask); break;
    case 216: pack_16_to_16((lane16 *)dst, content, entries, mask); break;
    default: pack_any(dst, content, content_bytes, entries, w, words_of(index_bits, w), mask);
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

/* The same string, rotated by n numbers of bits, to n places one after the other. */
static void rotate_each(uint64_t *dst, const uint64_t *src, size_t words, unsigned w, const uint32_t *bits, size_t n)
{
#if defined(__x86_64__)
    if (words <= 8 && w >= 4 && pq_cpu_vbmi()) {
        pq_table_rotate_each_vbmi(dst, src, words, bits, n);
        return;
    }
    if (words > 1 && pq_cpu_avx2()) {
        pq_table_rotate_each_avx2(dst, src, words, bits, n);
        return;
    }
#endif
    (void)w;
    for (size_t i = 0; i < n; i++)
        pq_table_rotate_plain(dst + i * words, src, 1, words, bits[i]);
}

void pq_table_rotate_each(void *dst, const uint64_t *table, unsigned index_bits, unsigned w, const void *offset,
                          unsigned offset_bits, size_t n)
{
    enum { AT_ONCE = 64 };
    const size_t bytes = pq_table_bytes(index_bits, w), words = words_of(index_bits, w);
    const uint32_t mask = pq_ring_mask(index_bits);
    uint32_t bits[AT_ONCE];
    uint64_t small[AT_ONCE];
    PQ_ASSERT(words <= PQ_TABLE_WORDS);
    for (size_t i = 0; i < n; i += AT_ONCE) {
        const size_t some = n - i < AT_ONCE ? n - i : AT_ONCE;
        uint8_t *const to = (uint8_t *)dst + i * bytes;
        for (size_t k = 0; k < some; k++)
            bits[k] = (pq_ring_get(offset, i + k, offset_bits) & mask) * w;
        rotate_each(bytes < 8 ? small : (uint64_t *)to, table, words, w, bits, some);
        for (size_t k = 0; k < some && bytes < 8; k++)
            memcpy(to + k * bytes, &small[k], bytes);
    }
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

void pq_table_wrap_plain(uint8_t *dst, const uint8_t *offset, const uint8_t *flip, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int32_t word = 0; word < 4; word++) {
            /* How many of this word's bits lie below the first one, 0 to 64, without a branch. */
            int64_t below = 256 - (int64_t)offset[i] - 64 * word;
            below = at_least_0(below);
            below -= at_least_0(below - 64);
            const uint64_t half = (uint64_t)below / 2, rest = (uint64_t)below - half; /* a shift by 64 is undefined */
            const uint64_t bits = (~UINT64_C(0) << half << rest) ^ (0 - (uint64_t)(flip[i] & 1));
            memcpy(dst + 32 * i + 8 * word, &bits, 8);
        }
}

PQ_CLONES
static void wrap_16(lane16 *restrict dst, const uint8_t *restrict offset, const uint8_t *restrict flip, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint16_t)((UINT32_MAX << (16 - offset[i])) ^ (0 - (uint32_t)(flip[i] & 1)));
}

void pq_wrap_tables(uint8_t *dst, unsigned b, const uint8_t *offset, const uint8_t *flip, size_t n)
{
    if (b == 4) {
        wrap_16((lane16 *)dst, offset, flip, n);
        return;
    }
    PQ_ASSERT(b == 8);
#if defined(__x86_64__)
    if (pq_cpu_avx2()) {
        pq_table_wrap_avx2(dst, offset, flip, n);
        return;
    }
#endif
    pq_table_wrap_plain(dst, offset, flip, n);
}
