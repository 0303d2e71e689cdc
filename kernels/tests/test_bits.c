/* bits.h against its definitions, value by value: packing in every width, ring arithmetic, truncation of shares. */
#include "../bits.h"
#include "../bits_variants.h"
#include "../machine.h"
#include "../ring.h"
#include "../status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1027, GUARD = 16, FILLER = 0xa5 };

static const unsigned widths[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32 };
static const size_t lengths[] = { 0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 63, 64, 65, 127, 1000, MOST };
enum { WIDTHS = sizeof widths / sizeof *widths, LENGTHS = sizeof lengths / sizeof *lengths };

static uint64_t state = 1;

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 32);
}

/* Random in all bits that the element has in memory, also those above `bits`. */
static void *random_elements(size_t n, unsigned bits)
{
    void *v = pq_alloc(n * pq_ring_bytes(bits));
    for (size_t i = 0; i < n; i++)
        pq_ring_put(v, i, bits, next());
    return v;
}

/* Room for `bytes` bytes, and a guard behind them that must not change. */
static uint8_t *guarded(size_t bytes)
{
    uint8_t *v = pq_alloc(bytes + GUARD);
    memset(v, FILLER, bytes + GUARD);
    return v;
}

static void expect_guard(const uint8_t *v, size_t bytes)
{
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(v[bytes + i], FILLER);
}

static void packing_is_a_string_of_bits(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < WIDTHS; k++)
        for (size_t l = 0; l < LENGTHS; l++) {
            const unsigned t = widths[k];
            const size_t n = lengths[l], bytes = pq_bits_bytes(n, t), memory = n * pq_ring_bytes(t);
            void *values = random_elements(n, t);
            uint8_t *packed = guarded(bytes), *back = guarded(memory);
            assert_int_equal(bytes, (n * t + 7) / 8);
            pq_bits_pack(packed, values, n, t);
            expect_guard(packed, bytes);
            for (size_t bit = 0; bit < 8 * bytes; bit++) {
                const uint32_t want = bit < n * t ? pq_ring_get(values, bit / t, t) >> (bit % t) & 1 : 0;
                assert_int_equal(packed[bit / 8] >> (bit % 8) & 1, want);
            }
            pq_bits_unpack(back, packed, n, t);
            expect_guard(back, memory);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(pq_ring_get(back, i, t), pq_ring_get(values, i, t) & pq_ring_mask(t));
            free(values);
            free(packed);
            free(back);
        }
}

/* A message need not lie at an aligned address, nor its last byte be clean. */
static void unpacking_starts_anywhere(void **unused)
{
    (void)unused;
    uint8_t message[4 * MOST + 8];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)next();
    for (size_t k = 0; k < WIDTHS; k++)
        for (size_t start = 0; start < 8; start++) {
            const unsigned t = widths[k];
            uint32_t values[131] = { 0 };
            pq_bits_unpack(values, message + start, 131, t);
            for (size_t i = 0; i < 131; i++) {
                uint32_t want = 0;
                for (unsigned b = 0; b < t; b++)
                    want |= (uint32_t)(message[start + (i * t + b) / 8] >> ((i * t + b) % 8) & 1) << b;
                assert_int_equal(pq_ring_get(values, i, t), want);
            }
        }
}

#if defined(__x86_64__)
struct variant {
    size_t (*pack)(uint8_t *dst, const void *src, size_t n, unsigned t);
    size_t (*unpack)(void *dst, const uint8_t *src, size_t n, unsigned t);
    bool (*runs)(void);
    unsigned widest; /* of 1, 2, ...; and 12 */
};
static const struct variant vbmi = { pq_bits_pack_vbmi, pq_bits_unpack_vbmi, pq_cpu_vbmi, 7 };
static const struct variant avx2 = { pq_bits_pack_avx2, pq_bits_unpack_avx2, pq_cpu_avx2, 7 };
static const struct variant bmi2 = { pq_bits_pack_bmi2, pq_bits_unpack_bmi2, pq_cpu_bmi2, 15 };

/* A copy that ends where its memory ends (a multiple of 64 bytes), as memcheck and sanitizers see; *memory to free. */
static uint8_t *at_end(const void *v, size_t bytes, void **memory)
{
    const size_t all = (bytes + 63) / 64 * 64;
    *memory = pq_alloc(all);
    return memcpy((uint8_t *)*memory + all - bytes, v, bytes);
}

static void expect_plain(const struct variant *v, size_t n, unsigned t)
{
    const size_t bytes = pq_bits_bytes(n, t), memory = n * pq_ring_bytes(t);
    void *values = random_elements(n, t), *free_values, *free_packed;
    const uint8_t *const last_values = at_end(values, memory, &free_values);
    uint8_t *packed = guarded(bytes), *plain = guarded(bytes), *back = guarded(memory);
    pq_bits_pack_plain(plain, values, n, t);
    const uint8_t *const last_packed = at_end(plain, bytes, &free_packed);
    const size_t done = v->pack(packed, last_values, n, t);
    assert_true(done <= n && done % 8 == 0 && done + 8 * 16 > n);
    assert_memory_equal(packed, plain, done * t / 8);
    expect_guard(packed, bytes);
    assert_int_equal(v->unpack(back, last_packed, n, t), done);
    expect_guard(back, memory);
    for (size_t i = 0; i < done; i++)
        assert_int_equal(pq_ring_get(back, i, t), pq_ring_get(values, i, t) & pq_ring_mask(t));
    free(values);
    free(free_values);
    free(free_packed);
    free(packed);
    free(plain);
    free(back);
}

/* Each by itself: on machines that have several, bits.h leaves little to the second. */
static void variant_is_the_plain_one(void **state_of)
{
    const struct variant *v = *state_of;
    if (!v->runs())
        skip();
    for (unsigned t = 1; t <= 15; t++)
        if ((t <= v->widest && t != 8) || t == 12)
            for (size_t n = 0; n <= MOST; n += n < 200 ? 1 : 59)
                expect_plain(v, n, t);
}
#endif

/* The rings that hold shares: any width up to 32, operands with anything above it, results in place of operands. */
static void sums_and_differences_wrap(void **unused)
{
    (void)unused;
    for (unsigned t = 1; t <= 32; t++)
        for (int in_place = 0; in_place < 3; in_place++)
            for (size_t l = 0; l < LENGTHS; l++) {
                const size_t n = lengths[l], bytes = n * pq_ring_bytes(t);
                void *a = random_elements(n, t), *b = random_elements(n, t);
                for (int adds = 0; adds < 2; adds++) {
                    uint8_t *d = guarded(bytes);
                    const void *x = a, *y = b;
                    if (in_place)
                        memcpy(d, in_place == 1 ? a : b, bytes);
                    x = in_place == 1 ? d : a;
                    y = in_place == 2 ? d : b;
                    (adds ? pq_ring_add : pq_ring_sub)(d, x, y, n, t);
                    expect_guard(d, bytes);
                    for (size_t i = 0; i < n; i++) {
                        const uint32_t p = pq_ring_get(a, i, t), q = pq_ring_get(b, i, t);
                        assert_int_equal(pq_ring_get(d, i, t), (adds ? p + q : p - q) & pq_ring_mask(t));
                    }
                    free(d);
                }
                free(a);
                free(b);
            }
}

/* As protocols.md section 3 says it, in 64 bits. */
static uint32_t truncated(uint32_t share, unsigned top, unsigned t, bool lowers)
{
    const uint64_t below = UINT64_C(1) << top;
    if (top == t)
        return (uint32_t)(share % below);
    const uint64_t lowered = (share % below + below - lowers) % below;
    return (uint32_t)(((lowered >> (top - t)) + lowers) % (UINT64_C(1) << t));
}

static void truncation_is_its_definition(void **unused)
{
    (void)unused;
    const size_t n = 300;
    uint32_t src[300], edges[] = { 0, 1, 2, UINT32_MAX, UINT32_MAX - 1, 0x7fffffff, 0x80000000, 0x8000, 0x7fff };
    uint8_t dst[300 * 2 + GUARD];
    for (unsigned bits = 1; bits <= 32; bits++)
        for (unsigned top = 1; top <= bits; top++)
            for (unsigned t = 1; t <= top && t <= 16; t++)
                for (int lowers = 0; lowers < 2; lowers++) {
                    const size_t bytes = n * pq_ring_bytes(t);
                    for (size_t i = 0; i < n; i++)
                        pq_ring_put(src, i, bits, i < sizeof edges / sizeof *edges ? edges[i] : next());
                    memset(dst, FILLER, sizeof dst);
                    pq_share_truncate(dst, src, n, bits, top, t, lowers);
                    expect_guard(dst, bytes);
                    for (size_t i = 0; i < n; i++)
                        assert_int_equal(pq_ring_get(dst, i, t), truncated(pq_ring_get(src, i, bits), top, t, lowers));
                }
}

/* Over all sharings of z, the opened result is floor(z / 2^s) or the next, and is rounded up in exactly the fraction
 * (z mod 2^s) / 2^s of them: no bias at all. */
static void truncation_rounds_without_bias(void **unused)
{
    (void)unused;
    enum { TOP = 10, ALL = 1 << TOP };
    uint16_t first[ALL], second[ALL];
    uint8_t cut[2][ALL];
    for (unsigned t = 4; t <= 8; t++) {
        const unsigned s = TOP - t;
        for (uint32_t z = 0; z < ALL; z++) {
            uint32_t up = 0;
            for (uint32_t x = 0; x < ALL; x++) {
                first[x] = (uint16_t)x;
                second[x] = (uint16_t)(z - x); /* bits above TOP are not zero: reduced by the truncation */
            }
            pq_share_truncate(cut[0], first, ALL, 16, TOP, t, true);
            pq_share_truncate(cut[1], second, ALL, 16, TOP, t, false);
            for (size_t x = 0; x < ALL; x++) {
                const uint32_t more = (uint32_t)(cut[0][x] + cut[1][x] - (z >> s)) & pq_ring_mask(t);
                assert_true(more <= 1);
                up += more;
            }
            assert_int_equal(up, (z & pq_ring_mask(s)) << t);
        }
    }
}

static void rings_convert(void **unused)
{
    (void)unused;
    for (unsigned bits = 1; bits <= 32; bits++)
        for (int i = 0; i < 1000; i++) {
            const uint32_t x = next();
            const int64_t low = x & pq_ring_mask(bits), half = INT64_C(1) << (bits - 1);
            assert_int_equal(pq_ring_signed(x, bits), low < half ? low : low - 2 * half);
        }
    for (unsigned n = 0; n <= 64; n++) {
        const uint64_t least = n ? UINT64_C(1) << (n - 1) : 0;
        assert_int_equal(pq_bits_of(least), n);
        assert_int_equal(pq_bits_of(least + (least - (n > 0))), n); /* the largest of n bits */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_is_a_string_of_bits),  cmocka_unit_test(unpacking_starts_anywhere),
        cmocka_unit_test(sums_and_differences_wrap),    cmocka_unit_test(truncation_is_its_definition),
#if defined(__x86_64__)
        { "variant vbmi", variant_is_the_plain_one, NULL, NULL, (void *)&vbmi },
        { "variant avx2", variant_is_the_plain_one, NULL, NULL, (void *)&avx2 },
        { "variant bmi2", variant_is_the_plain_one, NULL, NULL, (void *)&bmi2 },
#endif
        cmocka_unit_test(truncation_rounds_without_bias), cmocka_unit_test(rings_convert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
