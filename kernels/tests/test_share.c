/* share.h against its definitions, one element at a time in 64-bit arithmetic: lengths around every vector's width, and
 * nothing written behind the end. That the two shares of a value add up is for the protocol's tests (mpi/tests). */
#include "../ring.h"
#include "../share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { MOST = 211, FILLER = 0x5a };

static const size_t lengths[] = { 0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, MOST };
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static uint64_t state = 3;
static uint8_t bytes[2][MOST], bits[MOST], out8[MOST + 1];
static uint16_t words[2][MOST], out16[MOST + 1];
static uint32_t numbers[8][MOST], out32[2][MOST + 1];

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 32);
}

static void draw(void)
{
    for (size_t i = 0; i < MOST; i++) {
        bits[i] = (uint8_t)(next() & 1);
        for (int k = 0; k < 2; k++) {
            bytes[k][i] = (uint8_t)next();
            words[k][i] = (uint16_t)next();
        }
        for (int k = 0; k < 8; k++)
            numbers[k][i] = next();
    }
    memset(out8, FILLER, sizeof out8);
    memset(out16, FILLER, sizeof out16);
    memset(out32, FILLER, sizeof out32);
}

/* The low `width` bits of an integer, which may be negative. */
static uint32_t low(int64_t v, unsigned width)
{
    return (uint32_t)((uint64_t)v & pq_ring_mask(width));
}

static void codes_are_hidden(void **unused)
{
    (void)unused;
    for (size_t l = 0; l < LENGTHS; l++)
        for (unsigned b = 4; b <= 8; b += 4)
            for (unsigned plus = 0; plus <= 8; plus += 8) {
                const size_t n = lengths[l];
                draw();
                pq_share_hide_code(out8, bytes[0], words[0], plus, b, n);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(out8[i], low((int64_t)bytes[0][i] + plus - words[0][i], b));
                assert_int_equal(out8[n], FILLER);
                pq_share_shift(out8, bytes[0], 16 * plus, n);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(out8[i], low((int64_t)bytes[0][i] + 16 * plus, 8));
                assert_int_equal(out8[n], FILLER);
            }
}

static void carries_and_results(void **unused)
{
    (void)unused;
    for (size_t l = 0; l < LENGTHS; l++)
        for (unsigned b = 4; b <= 8; b += 4) {
            const size_t n = lengths[l];
            const unsigned high = 16 - b, shift = 1u << (b - 1);
            draw();
            void *g = high <= 8 ? (void *)out8 : out16;
            pq_share_carry(g, words[0], words[1], bits, high, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(pq_ring_get(g, i, high),
                                 low((int64_t)words[0][i] + (bits[i] ? words[1][i] : 0), high));
            assert_int_equal(high <= 8 ? out8[n] : out16[n] & 255, FILLER);

            uint16_t x2[MOST + 1];
            memset(x2, FILLER, sizeof x2);
            pq_share_assemble(x2, bytes[0], g, b, shift, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(x2[i], low((int64_t)bytes[0][i] - shift -
                                            ((int64_t)pq_ring_get(g, i, high) << b), 16));
            assert_int_equal(x2[n] & 255, FILLER);
        }
}

static void masks_are_taken_apart(void **unused)
{
    (void)unused;
    for (size_t l = 0; l < LENGTHS; l++)
        for (unsigned b = 4; b <= 8; b += 4) {
            const size_t n = lengths[l];
            uint16_t sign[MOST + 1];
            draw();
            memset(sign, FILLER, sizeof sign);
            pq_share_deal_code(out8, out16, sign, words[0], words[1], bits, b, n);
            for (size_t i = 0; i < n; i++) {
                const uint32_t mask = low((int64_t)words[0][i] + words[1][i], 16);
                assert_int_equal(out8[i], low(mask, b));
                assert_int_equal(out16[i], (mask >> b) + bits[i]);
                assert_int_equal(sign[i], bits[i] ? 0xffff : 1);
            }
            assert_int_equal(out8[n], FILLER);
            assert_int_equal(out16[n] & 255, FILLER);
            assert_int_equal(sign[n] & 255, FILLER);
        }
}

static void wrap_bits_are_picked(void **unused)
{
    (void)unused;
    for (size_t l = 0; l < LENGTHS; l++) {
        const size_t n = lengths[l];
        draw();
        for (size_t i = 0; i < n; i++)
            bytes[0][i] &= 15;
        pq_share_wrap16(out8, words[0], bytes[0], n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(out8[i], words[0][i] >> bytes[0][i] & 1);
        assert_int_equal(out8[n], FILLER);
    }
}

/* h = delta + c0 + rho c1 of [len][tokens], in one party's shares: delta and rho are public and counted by the first
 * party alone, c0 c1 is shared by itself, c0 c0 is added elsewhere, c1 c1 is 2^16. */
static void moments_and_norms(void **unused)
{
    static const struct { size_t len, tokens; } shapes[] = { { 1, 1 }, { 3, 7 }, { 5, 16 }, { 13, 16 }, { 6, 33 } };
    (void)unused;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (unsigned first = 0; first < 2; first++) {
            const size_t len = shapes[s].len, tokens = shapes[s].tokens, n = len * tokens;
            draw();
            const struct pq_lift_view h = { bytes[0], bits, numbers[0], numbers[1] };
            const uint32_t *product = numbers[2], *c0m = numbers[3], *c1m = numbers[4], *mu = numbers[5],
                           *m = numbers[6], *hr = numbers[7];
            memset(out32[0], 0, tokens * 4);
            memset(out32[1], 0, tokens * 4);
            pq_share_moments(out32[0], out32[1], h, product, len, tokens, first);
            for (size_t t = 0; t < tokens; t++) {
                uint64_t sum = 0, squares = 0;
                for (size_t i = t; i < n; i += tokens) {
                    const uint64_t d = bytes[0][i], c0 = numbers[0][i], c1 = numbers[1][i], rho = bits[i];
                    sum += first * d + c0 + rho * c1;
                    squares += first * d * d + 2 * d * c0 + rho * (2 * d * c1 + 2 * product[i] + first * 65536);
                }
                assert_int_equal(out32[0][t], (uint32_t)sum);
                assert_int_equal(out32[1][t], (uint32_t)squares);
            }
            uint32_t y[MOST + 1];
            memset(y, FILLER, sizeof y);
            pq_share_normalise(y, h, c0m, c1m, mu, m, hr, len, tokens, 768, first);
            for (size_t i = 0; i < n; i++) {
                const uint64_t d = bytes[0][i], c0 = numbers[0][i], c1 = numbers[1][i], rho = bits[i];
                const uint64_t f = mu[i % tokens], own = m[i % tokens];
                const uint64_t hm = first * d * f + d * own + f * c0 + c0m[i] + rho * (f * c1 + c1m[i]);
                assert_int_equal(y[i], (uint32_t)(768 * hm - hr[i % tokens]));
            }
            assert_int_equal(y[n] & 255, FILLER);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_hidden),
        cmocka_unit_test(carries_and_results),
        cmocka_unit_test(masks_are_taken_apart),
        cmocka_unit_test(wrap_bits_are_picked),
        cmocka_unit_test(moments_and_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
