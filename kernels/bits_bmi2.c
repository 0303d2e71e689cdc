/* Packing with pext and pdep: eight values of up to 8 bits, or four of up to 16, in one instruction. Compiled with
 * -mbmi2; bits.c asks the machine first. */
#include "bits_variants.h"

#if defined(__BMI2__)

#include <immintrin.h>
#include <string.h>

/* The lowest t bits of every 8-bit (or 16-bit) lane of a word. */
static uint64_t lanes(unsigned t, unsigned width)
{
    const uint64_t one = width == 8 ? UINT64_C(0x0101010101010101) : UINT64_C(0x0001000100010001);
    return one * ((UINT64_C(1) << t) - 1);
}

/* Whole words are stored where t bytes are meant, so the last groups, whose word would end beyond the array, are left.
 */
static size_t groups_of(size_t n, unsigned t, size_t word)
{
    size_t groups = n / 8, bytes = (n * t + 7) / 8;
    while (groups && (groups - 1) * t + word > bytes)
        groups--;
    return groups;
}

size_t pq_bits_pack_bmi2(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    const uint8_t *s = src;
    const uint64_t mask = lanes(t, t <= 8 ? 8 : 16);
    const size_t groups = groups_of(n, t, t <= 8 ? 8 : 16);
    for (size_t g = 0; g < groups; g++, dst += t) {
        uint64_t a, b;
        if (t <= 8) {
            memcpy(&a, s + 8 * g, 8);
            a = _pext_u64(a, mask);
            memcpy(dst, &a, 8);
        } else {
            memcpy(&a, s + 16 * g, 8);
            memcpy(&b, s + 16 * g + 8, 8);
            a = _pext_u64(a, mask);
            b = _pext_u64(b, mask);
            const uint64_t low = a | b << (4 * t), high = b >> (64 - 4 * t); /* 36 <= 4t <= 60 */
            memcpy(dst, &low, 8);
            memcpy(dst + 8, &high, 8);
        }
    }
    return 8 * groups;
}

size_t pq_bits_unpack_bmi2(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    uint8_t *d = dst;
    const uint64_t mask = lanes(t, t <= 8 ? 8 : 16);
    const size_t groups = groups_of(n, t, t <= 8 ? 8 : 16);
    for (size_t g = 0; g < groups; g++, src += t) {
        uint64_t low, high;
        memcpy(&low, src, 8);
        if (t <= 8) {
            low = _pdep_u64(low, mask);
            memcpy(d + 8 * g, &low, 8);
        } else {
            memcpy(&high, src + 8, 8);
            high = _pdep_u64(low >> (4 * t) | high << (64 - 4 * t), mask);
            low = _pdep_u64(low, mask);
            memcpy(d + 16 * g, &low, 8);
            memcpy(d + 16 * g + 8, &high, 8);
        }
    }
    return 8 * groups;
}

#endif
