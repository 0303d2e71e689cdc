/* prg.h: the published AES-128 vectors through the layout of the counter block, that every way to ask for a part of a
 * stream gives the same bytes, and that they are OpenSSL's.
 *
 *   test_prg VARIANT   77: not built, or this machine cannot run it */
#include "../prg.h"
#include "../status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE = 16 * 700 }; /* several batches of the implementation, and no multiple of one */

static const struct pq_address at = { 3, 70001, 9 };
static uint64_t state = 1;

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 32);
}

static const char *variant;

static struct pq_prg *make(const uint8_t key[16])
{
    struct pq_prg *prg = pq_prg_create_forced(key, variant);
    PQ_ASSERT(prg);
    return prg;
}

static struct pq_prg *any_prg(void)
{
    static const uint8_t key[16] = { 7, 1, 2, 250, 4, 5, 60, 7, 8, 9, 100, 11, 12, 13, 14, 15 };
    return make(key);
}

/* FIPS 197 appendix C.1 has every byte of the block different, so it also fixes the order of each field: inference and
 * op word little-endian, index big-endian. The others are from NIST's AESAVS. */
static void known_vectors(void **unused)
{
    (void)unused;
    static const uint8_t zero[16];
    static const struct { uint8_t key[16]; struct pq_address at; uint64_t index; uint8_t out[16]; } vectors[] = {
        { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 0x33221100, 0x776655, 0x44 },
          UINT64_C(0x8899aabbccddeeff),
          { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a } },
        { { 0 }, { 0, 0, 0 }, 0,
          { 0x66, 0xe9, 0x4b, 0xd4, 0xef, 0x8a, 0x2c, 0x3b, 0x88, 0x4c, 0xfa, 0x59, 0xca, 0x34, 0x2b, 0x2e } },
        { { 0 }, { 0x80, 0, 0 }, 0,
          { 0x3a, 0xd7, 0x8e, 0x72, 0x6c, 0x1e, 0xc0, 0x2b, 0x7e, 0xbf, 0xe9, 0x2b, 0x23, 0xd9, 0xec, 0x34 } },
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t out[16];
        struct pq_prg *prg = make(vectors[i].key);
        pq_prg_blocks(prg, vectors[i].at, &vectors[i].index, 1, out);
        assert_memory_equal(out, vectors[i].out, 16);
        if (vectors[i].index == 0) {
            memcpy(out, zero, 16);
            pq_prg_fill(prg, vectors[i].at, 0, 16, out);
            assert_memory_equal(out, vectors[i].out, 16);
        }
        pq_prg_free(prg);
    }
}

static void fill_is_the_blocks_in_order(void **unused)
{
    (void)unused;
    static const uint64_t starts[] = { 0, 1, 255, UINT64_C(1) << 32, UINT64_C(0x0123456789abcdef),
                                       (UINT64_C(1) << 60) - 700 };
    uint64_t index[WHOLE / 16];
    uint8_t *filled = pq_alloc(WHOLE), *blocks = pq_alloc(WHOLE);
    struct pq_prg *prg = any_prg();
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        for (size_t i = 0; i < WHOLE / 16; i++)
            index[i] = starts[s] + i;
        pq_prg_fill(prg, at, 16 * starts[s], WHOLE, filled);
        pq_prg_blocks(prg, at, index, WHOLE / 16, blocks);
        assert_memory_equal(filled, blocks, WHOLE);
    }
    pq_prg_free(prg);
    free(filled);
    free(blocks);
}

static void scattered_blocks_are_the_same(void **unused)
{
    (void)unused;
    static const size_t counts[] = { 0, 1, 2, 127, 128, 129, 256, 300 };
    uint64_t index[300];
    uint8_t *whole = pq_alloc(WHOLE), *blocks = pq_alloc(16 * 301);
    struct pq_prg *prg = any_prg();
    pq_prg_fill(prg, at, 0, WHOLE, whole);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t i = 0; i < counts[c]; i++)
            index[i] = next() % (WHOLE / 16); /* any order, some twice */
        memset(blocks, 0, 16 * 301);
        pq_prg_blocks(prg, at, index, counts[c], blocks);
        for (size_t i = 0; i < counts[c]; i++)
            assert_memory_equal(blocks + 16 * i, whole + 16 * index[i], 16);
        for (size_t i = 16 * counts[c]; i < 16 * 301; i++)
            assert_int_equal(blocks[i], 0);
    }
    pq_prg_free(prg);
    free(whole);
    free(blocks);
}

static void expect_slice(struct pq_prg *prg, const uint8_t *whole, uint64_t first, size_t bytes, uint64_t base)
{
    uint8_t *slice = pq_alloc(bytes + 1);
    slice[bytes] = 0xa5;
    pq_prg_fill(prg, at, base + first, bytes, slice);
    assert_memory_equal(slice, whole + first, bytes);
    assert_int_equal(slice[bytes], 0xa5);
    free(slice);
}

static void any_slice_is_part_of_the_whole(void **unused)
{
    (void)unused;
    uint8_t *whole = pq_alloc(WHOLE);
    struct pq_prg *prg = any_prg();
    for (int far = 0; far < 2; far++) {
        const uint64_t base = far ? (UINT64_C(1) << 40) + 16 * 5 : 0;
        pq_prg_fill(prg, at, base, WHOLE, whole);
        for (uint64_t first = 0; first < 34; first++) /* every edge within blocks */
            for (size_t bytes = 0; bytes < 67; bytes++)
                expect_slice(prg, whole, first, bytes, base);
        for (int i = 0; i < 500; i++) {
            const uint64_t first = next() % WHOLE;
            expect_slice(prg, whole, first, next() % (WHOLE - first + 1), base);
        }
    }
    pq_prg_free(prg);
    free(whole);
}

static void threads_get_the_same(void **unused)
{
    (void)unused;
    enum { PIECE = 16 * 3 + 5 };
    const int before = omp_get_max_threads();
    uint8_t *whole = pq_alloc(WHOLE), *pieces = pq_alloc(WHOLE), *blocks = pq_alloc(WHOLE);
    struct pq_prg *prg = any_prg();
    pq_prg_fill(prg, at, 0, WHOLE, whole);
    for (int threads = 8; threads >= 1; threads /= 2) { /* down: see test_gemm16.c */
        omp_set_num_threads(threads);
        memset(pieces, 0, WHOLE);
        memset(blocks, 0, WHOLE);
#pragma omp parallel for schedule(dynamic)
        for (size_t i = 0; i < WHOLE; i += PIECE)
            pq_prg_fill(prg, at, i, WHOLE - i < PIECE ? WHOLE - i : PIECE, pieces + i);
#pragma omp parallel for schedule(dynamic)
        for (uint64_t i = 0; i < WHOLE / 16; i++)
            pq_prg_blocks(prg, at, &i, 1, blocks + 16 * i);
        assert_memory_equal(pieces, whole, WHOLE);
        assert_memory_equal(blocks, whole, WHOLE);
    }
    omp_set_num_threads(before);
    pq_prg_free(prg);
    free(whole);
    free(pieces);
    free(blocks);
}

/* Addresses that differ in one field, and keys that differ in one bit, have nothing in common. */
static void addresses_do_not_meet(void **unused)
{
    (void)unused;
    static const struct pq_address near[] = {
        { 3, 70001, 9 }, { 4, 70001, 9 }, { 3, 70002, 9 }, { 3, 70001, 10 }, { UINT32_MAX, 70001, 9 },
        { 3, (1u << 24) - 1, 9 }, { 3, 70001, 255 }, { 3, 70001, 9 + 128 }, { 3, 70001 + (1u << 23), 9 },
        { 3 + (1u << 31), 70001, 9 },
    };
    enum { NEAR = sizeof near / sizeof *near };
    uint8_t out[NEAR + 1][64];
    uint8_t key[16] = { 7, 1, 2, 250, 4, 5, 60, 7, 8, 9, 100, 11, 12, 13, 14, 15 };
    struct pq_prg *prg = any_prg();
    for (size_t i = 0; i < NEAR; i++)
        pq_prg_fill(prg, near[i], 0, 64, out[i]);
    pq_prg_free(prg);
    key[15] ^= 1;
    prg = make(key);
    pq_prg_fill(prg, near[0], 0, 64, out[NEAR]);
    pq_prg_free(prg);
    for (size_t i = 0; i <= NEAR; i++)
        for (size_t j = 0; j < i; j++)
            for (size_t a = 0; a < 64; a += 16)
                for (size_t b = 0; b < 64; b += 16)
                    assert_memory_not_equal(out[i] + a, out[j] + b, 16);
    pq_prg_free(NULL);
}

/* Bit by bit from the filled stream, for every width, number and place of tables. */
static void entries_are_bits_of_the_stream(void **unused)
{
    (void)unused;
    enum { MOST = 300, TABLE_BITS = 512 };
    static const unsigned widths[] = { 1, 4, 8, 16, 32 };
    struct pq_prg *prg = any_prg();
    uint8_t *stream = pq_alloc((MOST + 8) * TABLE_BITS / 8), out[4 * MOST + 4];
    uint16_t index[MOST];
    pq_prg_fill(prg, at, 0, (MOST + 8) * TABLE_BITS / 8, stream);
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t n = 0; n <= MOST; n += n < 70 ? 1 : 23)
            for (size_t step = 8; step <= TABLE_BITS; step *= 4) {
                const unsigned w = widths[k], width = w == 32 ? 4 : w == 16 ? 2 : 1;
                const size_t first = n % 5 * step / w * w;
                const uint32_t mask = n % 2 || w < 4 ? UINT32_MAX >> (32 - w) : UINT32_MAX >> (35 - w);
                for (size_t i = 0; i < n; i++)
                    index[i] = (uint16_t)(next() % (TABLE_BITS / w));
                memset(out, 0xee, sizeof out);
                pq_prg_entries(prg, at, first, (step + w - 1) / w * w, index, n, w, mask, out);
                for (size_t i = 0; i < n; i++) {
                    const size_t bit = first + i * ((step + w - 1) / w * w) + index[i] * w;
                    uint32_t expected = 0, got = 0;
                    for (unsigned b = 0; b < w; b++)
                        expected |= (uint32_t)(stream[(bit + b) / 8] >> ((bit + b) % 8) & 1) << b;
                    memcpy(&got, out + i * width, width);
                    assert_int_equal(got, expected & mask);
                }
                assert_int_equal(out[n * width], 0xee);
            }
    free(stream);
    pq_prg_free(prg);
}

/* Every length up to a few batches, from odd places; and scattered blocks. */
static void blocks_are_the_definition_s(void **unused)
{
    (void)unused;
    static const uint8_t key[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 255, 254, 253, 252, 251, 250 };
    struct pq_prg *plain = pq_prg_create_forced(key, "openssl"), *tested = make(key), *best = pq_prg_create(key);
    static uint8_t a[16 * 300], b[16 * 300], c[16 * 300];
    uint64_t index[300];
    const struct pq_address at = { 0xfedcba98, 0x123456, 0x78 };
    for (size_t n = 0; n < 300; n++) {
        for (size_t i = 0; i < n; i++)
            index[i] = (uint64_t)next() << 32 | next();
        pq_prg_blocks(plain, at, index, n, a);
        pq_prg_blocks(tested, at, index, n, b);
        pq_prg_blocks(best, at, index, n, c);
        assert_memory_equal(a, b, sizeof a); /* also what lies behind */
        assert_memory_equal(a, c, sizeof a);
        const uint64_t first = (n % 2 ? (uint64_t)next() << 28 : UINT64_C(0xffffffff0) - 16 * n) + n % 17;
        pq_prg_fill(plain, at, first, 13 * n, a);
        pq_prg_fill(tested, at, first, 13 * n, b);
        pq_prg_fill(best, at, first, 13 * n, c);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(a, c, sizeof a);
    }
    pq_prg_free(plain);
    pq_prg_free(tested);
    pq_prg_free(best);
}

/* Every width, number and step, tables far apart, far away and across 2^32 blocks; any index. */
static void entries_are_the_definition_s(void **unused)
{
    (void)unused;
    enum { MOST = 100 };
    static const uint8_t key[16] = { 1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 255, 254, 253, 252, 251 };
    static const uint64_t steps[] = { 0, 1, 3, 16, 1u << 12, UINT64_C(12345678901) };
    static const uint64_t starts[] = { 0, 5, (UINT64_C(1) << 34) - 1, (UINT64_C(1) << 58) + 77 };
    struct pq_prg *plain = pq_prg_create_forced(key, "openssl"), *tested = make(key);
    uint8_t a[4 * MOST + 64], b[4 * MOST + 64];
    uint16_t index[MOST];
    for (unsigned w = 1; w <= 32; w += w == 1 ? 3 : w)
        for (size_t n = 0; n <= MOST; n++)
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                const uint64_t first = starts[(n + s) % 4] * w;
                for (size_t i = 0; i < n; i++)
                    index[i] = (uint16_t)next();
                memset(a, 0xee, sizeof a);
                memset(b, 0xee, sizeof b);
                pq_prg_entries(plain, at, first, steps[s] * w, index, n, w, UINT32_MAX >> (32 - w), a);
                pq_prg_entries(tested, at, first, steps[s] * w, index, n, w, UINT32_MAX >> (32 - w), b);
                assert_memory_equal(a, b, sizeof a); /* also what lies behind */
            }
    pq_prg_free(plain);
    pq_prg_free(tested);
}

static void unknown_names_are_refused(void **unused)
{
    (void)unused;
    static const uint8_t key[16];
    assert_null(pq_prg_create_forced(key, "no such variant"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),                  cmocka_unit_test(fill_is_the_blocks_in_order),
        cmocka_unit_test(scattered_blocks_are_the_same),  cmocka_unit_test(any_slice_is_part_of_the_whole),
        cmocka_unit_test(threads_get_the_same),           cmocka_unit_test(addresses_do_not_meet),
        cmocka_unit_test(entries_are_bits_of_the_stream), cmocka_unit_test(blocks_are_the_definition_s),
        cmocka_unit_test(entries_are_the_definition_s),   cmocka_unit_test(unknown_names_are_refused),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_prg VARIANT\n");
        return 2;
    }
    static const uint8_t key[16];
    struct pq_prg *any = pq_prg_create_forced(key, argv[1]);
    if (!any) {
        fprintf(stderr, "%s: not built, or this machine cannot run it: skipped\n", argv[1]);
        return 77;
    }
    pq_prg_free(any);
    variant = argv[1];
    return cmocka_run_group_tests_name(variant, tests, NULL, NULL);
}
