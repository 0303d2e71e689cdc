/* table.h against naive loops over entries: every width, every offset. */
#include "../machine.h"
#include "../ring.h"
#include "../status.h"
#include "../table.h"
#include "../table_variants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 12, MOST_WORDS = 1 << (LARGEST - 1), FILLER = 0x5a };

static const unsigned widths[] = { 1, 4, 8, 16, 32 };
enum { WIDTHS = sizeof widths / sizeof *widths };

static uint64_t state = 1;
static uint64_t table[MOST_WORDS], rotated[MOST_WORDS + 1]; /* one word behind to see that it is left alone */

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 32);
}

static uint32_t entry(const uint64_t *t, size_t i, unsigned w)
{
    return pq_table_entry((const uint8_t *)t, i, w);
}

/* 2^index_bits random entries, laid out and repeated as pq_table_pack does. Returns the words they take. */
static size_t random_table(unsigned index_bits, unsigned w)
{
    const size_t entries = (size_t)1 << index_bits, words = (entries * w + 63) / 64;
    uint32_t *content = pq_alloc(entries * sizeof *content);
    for (size_t i = 0; i < entries; i++)
        content[i] = next();
    pq_table_pack(table, content, 4, index_bits, w);
    free(content);
    return words;
}

/* Every entry width by its place in the string of bits. */
static void entries_stand_lowest_first(void **unused)
{
    (void)unused;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)next();
    for (size_t k = 0; k < WIDTHS; k++)
        for (size_t i = 0; i < 8 * sizeof bytes / widths[k]; i++) {
            uint32_t want = 0;
            for (unsigned b = 0; b < widths[k]; b++) {
                const size_t bit = i * widths[k] + b;
                want |= (uint32_t)(bytes[bit / 8] >> (bit % 8) & 1) << b;
            }
            assert_int_equal(pq_table_entry(bytes, i, widths[k]), want);
        }
}

static void packing_reduces_and_repeats(void **unused)
{
    (void)unused;
    uint32_t content[1 << LARGEST];
    for (unsigned index_bits = 1; index_bits <= LARGEST; index_bits++)
        for (unsigned out_bits = 1; out_bits <= 32; out_bits++)
            for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
                const size_t entries = (size_t)1 << index_bits;
                const unsigned w = pq_entry_bits(out_bits);
                assert_int_equal(pq_table_bytes(index_bits, w), entries * w < 8 ? 1 : entries * w / 8);
                for (size_t i = 0; i < entries; i++)
                    content[i] = next();
                pq_table_pack(table, content, bytes, index_bits, out_bits);
                const size_t filled = entries * w < 64 ? 64 / w : entries;
                for (size_t j = 0; j < filled; j++) {
                    const size_t i = j % entries;
                    const uint32_t v = bytes == 1 ? (uint32_t)((const int8_t *)content)[i] /* negative: ones above */
                                     : bytes == 2 ? ((const uint16_t *)content)[i] : content[i];
                    assert_int_equal(entry(table, j, w), v & pq_ring_mask(out_bits));
                }
            }
}

static void expect_rotated(unsigned index_bits, unsigned w, uint32_t offset, size_t words)
{
    const size_t entries = (size_t)1 << index_bits;
    memset(rotated, FILLER, (words + 1) * 8);
    pq_table_rotate(rotated, table, index_bits, w, offset);
    for (size_t i = 0; i < words * 64 / w; i++) /* also the repetitions of a table below 64 bits */
        if (entry(rotated, i, w) != entry(table, (i + offset) % entries, w))
            fail_msg("rotation of 2^%u entries of %u bits by %u: entry %zu", index_bits, w, offset, i);
    assert_true(rotated[words] == UINT64_C(0x0101010101010101) * FILLER);
}

static void rotation_by_every_offset(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < WIDTHS; k++)
        for (unsigned index_bits = 1; index_bits <= LARGEST; index_bits++) {
            const uint32_t entries = UINT32_C(1) << index_bits;
            const uint32_t step = index_bits <= 9 ? 1 : 61; /* odd: meets every remainder of the words' stages */
            const size_t words = random_table(index_bits, widths[k]);
            for (uint32_t offset = 0; offset < entries; offset += step)
                expect_rotated(index_bits, widths[k], offset, words);
            expect_rotated(index_bits, widths[k], entries - 1, words);
            expect_rotated(index_bits, widths[k], entries + 3, words); /* taken mod 2^index_bits */
        }
}

/* Many at once, one after the other, by offsets of every width. */
static void rotation_of_each_by_its_own_offset(void **unused)
{
    enum { MOST = 131 };
    static uint64_t each[MOST * 64 + 1];
    static const unsigned offset_bits[] = { 7, 12, 20 };
    (void)unused;
    for (size_t k = 0; k < WIDTHS; k++)
        for (unsigned index_bits = 1; index_bits <= 7; index_bits++)
            for (size_t b = 0; b < 3; b++)
                for (size_t n = 0; n <= MOST; n += n < 3 ? 1 : 32) {
                    const size_t bytes = pq_table_bytes(index_bits, widths[k]), entries = (size_t)1 << index_bits;
                    uint32_t offset[MOST];
                    random_table(index_bits, widths[k]);
                    for (size_t i = 0; i < n; i++)
                        pq_ring_put(offset, i, offset_bits[b], next() & pq_ring_mask(offset_bits[b]));
                    memset(each, FILLER, sizeof each);
                    pq_table_rotate_each(each, table, index_bits, widths[k], offset, offset_bits[b], n);
                    for (size_t i = 0; i < n; i++) {
                        const uint8_t *t = (const uint8_t *)each + i * bytes;
                        const uint32_t by = pq_ring_get(offset, i, offset_bits[b]);
                        for (size_t j = 0; j < entries; j++)
                            if (pq_table_entry(t, j, widths[k]) != entry(table, (j + by) % entries, widths[k]))
                                fail_msg("table %zu of 2^%u entries of %u bits by %u: entry %zu", i, index_bits,
                                         widths[k], by, j);
                    }
                    assert_int_equal(((const uint8_t *)each)[n * bytes], FILLER);
                }
}

static void rotation_of_rows_by_every_offset(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < WIDTHS; k++)
        for (unsigned a = 1; a <= 5; a++)
            for (unsigned b = 1; b <= 7; b++) {
                const unsigned w = widths[k];
                const size_t row = (size_t)1 << b, entries = row << a;
                if (row * w < 64)
                    continue;
                const size_t words = random_table(a + b, w);
                for (uint32_t offset = 0; offset <= row; offset++) {
                    memset(rotated, FILLER, (words + 1) * 8);
                    pq_table_rotate_rows(rotated, table, a, b, w, offset);
                    for (size_t i = 0; i < entries; i++)
                        if (entry(rotated, i, w) != entry(table, i / row * row + (i + offset) % row, w))
                            fail_msg("rows of 2^%u entries of %u bits by %u: entry %zu", b, w, offset, i);
                    assert_true(rotated[words] == UINT64_C(0x0101010101010101) * FILLER);
                }
            }
}

/* Both inputs of a pair table, as the dealer does it: the whole by offset * 2^b, then the rows. */
static void both_offsets_together(void **unused)
{
    (void)unused;
    uint64_t rows[MOST_WORDS];
    random_table(8, 8);
    for (uint32_t x = 0; x < 16; x++)
        for (uint32_t y = 0; y < 16; y++) {
            pq_table_rotate(rows, table, 8, 8, x * 16);
            pq_table_rotate_rows(rotated, rows, 4, 4, 8, y);
            for (uint32_t i = 0; i < 16; i++)
                for (uint32_t j = 0; j < 16; j++)
                    assert_int_equal(entry(rotated, i * 16 + j, 8), entry(table, (i + x) % 16 * 16 + (j + y) % 16, 8));
        }
}

struct variant {
    void (*rotate)(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits);
    void (*each)(uint64_t *dst, const uint64_t *src, size_t words, const uint32_t *bits, size_t n);
    void (*wrap)(uint8_t *dst, const uint8_t *offset, const uint8_t *flip, size_t n); /* NULL: has none, as above */
    bool (*runs)(void);                                                               /* NULL: always */
    size_t least_rows, most_words; /* rows of one word; words of a row */
    uint32_t step;                 /* bits are multiples of this */
};
static const struct variant plain = { pq_table_rotate_plain, NULL, pq_table_wrap_plain, NULL, 1, MOST_WORDS, 1 };
#if defined(__x86_64__)
static const struct variant avx2 = { pq_table_rotate_avx2, pq_table_rotate_each_avx2, pq_table_wrap_avx2, pq_cpu_avx2, 4,
                                     MOST_WORDS, 1 };
static const struct variant vbmi = { pq_table_rotate_vbmi, pq_table_rotate_each_vbmi, NULL, pq_cpu_vbmi, 1, 8, 4 };
#endif

/* The 64 bits from `bit` on of a string of words, which repeats. */
static uint64_t bits_from(const uint64_t *string, size_t words, size_t bit)
{
    const uint64_t low = string[bit / 64 % words], high = string[(bit / 64 + 1) % words];
    return bit % 64 ? low >> bit % 64 | high << (64 - bit % 64) : low;
}

/* Strings that end where their memory ends (a multiple of 64 bytes), as memcheck and sanitizers see. */
static void expect_rotation(const struct variant *v, size_t rows, size_t words, uint32_t bits)
{
    const size_t all = rows * words, room = (all + 7) / 8 * 8;
    uint64_t *src = pq_alloc(8 * room), *dst = pq_alloc(8 * room);
    memset(dst, FILLER, 8 * room);
    memcpy(src + room - all, table, 8 * all);
    v->rotate(dst + room - all, src + room - all, rows, words, bits);
    for (size_t i = 0; i < room - all; i++)
        assert_true(dst[i] == UINT64_C(0x0101010101010101) * FILLER);
    for (size_t i = 0; i < all; i++)
        if (dst[room - all + i] != bits_from(table + i / words * words, words, 64 * (i % words) + bits))
            fail_msg("%zu rows of %zu words by %u bits: word %zu", rows, words, bits, i);
    free(src);
    free(dst);
}

/* One string by several numbers of bits, with the same ends of memory. */
static void expect_each(const struct variant *v, size_t words)
{
    enum { N = 5 };
    uint32_t bits[N];
    uint64_t *dst = pq_alloc(8 * N * words);
    for (size_t i = 0; i < N; i++)
        bits[i] = next() % (64 * (uint32_t)words / v->step) * v->step;
    bits[1] = 0;
    v->each(dst, table, words, bits, N);
    for (size_t i = 0; i < N * words; i++)
        if (dst[i] != bits_from(table, words, 64 * (i % words) + bits[i / words]))
            fail_msg("one of %zu words by %u bits: word %zu", words, bits[i / words], i % words);
    free(dst);
}

/* Each by itself: table.h takes the best that this machine has. */
static void variant_is_its_definition(void **state_of)
{
    const struct variant *v = *state_of;
    if (v->runs && !v->runs())
        skip();
    for (size_t i = 0; i < MOST_WORDS; i++)
        table[i] = (uint64_t)next() << 32 | next();
    for (size_t words = v->least_rows > 1 ? 2 : 1; v->each && words <= v->most_words; words *= 2)
        for (size_t repeat = 0; repeat < 100; repeat++)
            expect_each(v, words);
    for (size_t words = 1; words <= v->most_words; words *= 2)
        for (size_t rows = words > 1 ? 1 : v->least_rows; rows <= 32 && rows * words <= MOST_WORDS; rows *= 2) {
            const uint32_t all = 64 * (uint32_t)words, step = rows * words <= 64 ? 1 : 61; /* odd: meets every stage */
            for (uint32_t k = 0; k * v->step < all; k += step)
                expect_rotation(v, rows, words, k * v->step);
            expect_rotation(v, rows, words, all - v->step);
        }
    for (uint32_t first = 0; first < 256 && v->wrap; first++)
        for (size_t flip = 0; flip < 2; flip++) {
            uint8_t *bits = pq_alloc(64);
            const uint8_t offset[2] = { (uint8_t)first, (uint8_t)(255 - first) }, flips[2] = { (uint8_t)flip, 1 };
            v->wrap(bits, offset, flips, 2);
            for (uint32_t i = 0; i < 512; i++)
                assert_int_equal(pq_table_entry(bits, i, 1), (i % 256 + offset[i / 256] >= 256) ^ flips[i / 256]);
            free(bits);
        }
}

/* Halves that borrow in every lane, at every address. */
static void masking_subtracts_in_every_lane(void **unused)
{
    (void)unused;
    uint8_t half[264], out[272];
    for (size_t k = 0; k < WIDTHS; k++)
        for (size_t bytes = widths[k] < 8 ? 1 : widths[k] / 8; bytes <= 256; bytes += widths[k] < 8 ? 1 : widths[k] / 8)
            for (size_t start = 0; start < 8; start += 3) {
                const unsigned w = widths[k];
                for (size_t i = 0; i < 32; i++)
                    table[i] = i % 3 == 0 ? 0 : (uint64_t)next() << 32 | next();
                for (size_t i = 0; i < sizeof half; i++)
                    half[i] = (uint8_t)(i % 5 == 0 ? 0xff : i % 7 == 0 ? 0 : next());
                memset(out, FILLER, sizeof out);
                memcpy(out + start, half, bytes);
                pq_table_mask(out + start, table, bytes, w);
                for (size_t i = 0; i < 8 * bytes / w; i++) {
                    const uint32_t want = entry(table, i, w) - pq_table_entry(half, i, w);
                    assert_int_equal(pq_table_entry(out + start, i, w), want & pq_ring_mask(w));
                }
                assert_int_equal(out[start + bytes], FILLER);
            }
}

static void wrap_tables_for_every_offset(void **unused)
{
    enum { MOST = 70 };
    (void)unused;
    for (unsigned b = 4; b <= 8; b += 4)
        for (uint32_t start = 0; start < 1u << b; start++)
            for (size_t n = 0; n <= MOST; n = 2 * n + 1) {
                uint8_t bits[32 * MOST + 1], offset[MOST], flip[MOST];
                for (size_t i = 0; i < MOST; i++) {
                    offset[i] = (uint8_t)((start + 5 * i) & pq_ring_mask(b));
                    flip[i] = (uint8_t)(next() & 1);
                }
                memset(bits, FILLER, sizeof bits);
                pq_wrap_tables(bits, b, offset, flip, n);
                for (size_t i = 0; i < n << b; i++)
                    assert_int_equal(pq_table_entry(bits, i, 1),
                                     ((i & pq_ring_mask(b)) + offset[i >> b] >= 1u << b) ^ flip[i >> b]);
                assert_int_equal(bits[(n << b) / 8], FILLER);
            }
}

/* What the i-th of a stored table's entries is: by its bits, where they lie side by side. */
static uint32_t stored_entry(const uint8_t *tables, size_t each, size_t i, unsigned bits)
{
    uint32_t v = 0;
    if (pq_table_stored(each, bits) == each)
        return pq_table_entry(tables, i, pq_entry_bits(bits)) & pq_ring_mask(bits);
    for (unsigned b = 0; b < bits; b++)
        v |= (uint32_t)(tables[(i * bits + b) / 8] >> (i * bits + b) % 8 & 1) << b;
    return v;
}

/* Tables end to end, which memory ends with, and rows of them anywhere; the index is less than 2^index_bits. */
enum { ROWS = 5, LEN = 131, STRIDE = 7, GAP = 3, MEMORY = ROWS * (LEN * 256 + GAP) };
static void read_tables(const uint8_t *memory, const uint8_t *index, size_t len, unsigned bits, unsigned index_bits)
{
    const size_t each = pq_table_bytes(index_bits, pq_entry_bits(bits)), stored = pq_table_stored(each, bits);
    const uint8_t *const tables = memory + MEMORY - len * stored, *from[ROWS];
    const uint32_t filler = 0x5a5a5a5a & pq_ring_mask(8 * (unsigned)pq_ring_bytes(bits));
    uint32_t out[LEN * STRIDE + 1];
    uint16_t wide[LEN];
    for (size_t i = 0; i < len; i++)
        wide[i] = index[i];
    memset(out, FILLER, sizeof out);
    pq_table_read(out, tables, stored, wide, len, bits);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(pq_ring_get(out, i, bits), stored_entry(tables + i * stored, each, index[i], bits));
    assert_int_equal(pq_ring_get(out, len, bits), filler);

    for (size_t r = 0; r < ROWS; r++)
        from[r] = memory + r * (len * each + GAP);
    memset(out, FILLER, sizeof out);
    pq_table_read_rows(out, from, ROWS, each, len, index, STRIDE, bits);
    for (size_t i = 0; i < len * STRIDE; i++) {
        const size_t r = i % STRIDE, table_of_row = i / STRIDE;
        uint32_t want = filler; /* between rows */
        if (r < ROWS)
            want = pq_table_entry(from[r] + table_of_row * each, index[i], pq_entry_bits(bits)) & pq_ring_mask(bits);
        assert_int_equal(pq_ring_get(out, i, bits), want);
    }
}

static void reading_takes_the_entry(void **unused)
{
    static const size_t lens[] = { 1, 2, 63, 64, 65, 128, LEN };
    static uint8_t memory[MEMORY], index[LEN * STRIDE];
    (void)unused;
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)next();
    for (unsigned index_bits = 5; index_bits <= 6; index_bits++) {
        for (size_t i = 0; i < sizeof index; i++)
            index[i] = (uint8_t)(next() & pq_ring_mask(index_bits));
        for (size_t l = 0; l < sizeof lens / sizeof *lens; l++)
            for (unsigned bits = 1; bits <= 32; bits += bits < 8 ? 1 : bits)
                read_tables(memory, index, lens[l], bits, index_bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stand_lowest_first),       cmocka_unit_test(packing_reduces_and_repeats),
        cmocka_unit_test(rotation_by_every_offset),         cmocka_unit_test(rotation_of_each_by_its_own_offset),
        cmocka_unit_test(rotation_of_rows_by_every_offset),
        cmocka_unit_test(both_offsets_together),            cmocka_unit_test(masking_subtracts_in_every_lane),
        cmocka_unit_test(wrap_tables_for_every_offset),     cmocka_unit_test(reading_takes_the_entry),
        { "variant plain", variant_is_its_definition, NULL, NULL, (void *)&plain },
#if defined(__x86_64__)
        { "variant avx2", variant_is_its_definition, NULL, NULL, (void *)&avx2 },
        { "variant vbmi", variant_is_its_definition, NULL, NULL, (void *)&vbmi },
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
