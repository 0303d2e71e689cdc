#include "bits.h"
#include "bits_variants.h"
#include "clones.h"
#include "machine.h"
#include "ring.h"
#include "status.h"

#include <string.h>

/* Eight values of t bits fill exactly t bytes. The loops below are instantiated for constant t, so that the compiler
 * unrolls and vectorises them; 128 bits hold eight values of up to 16 bits. */
__extension__ typedef unsigned __int128 u128;

#define PACK(type, word, t) \
    do { \
        const type *s = src; \
        const word mask = (word)(((word)1 << (t)) - 1); \
        size_t i = 0; \
        for (; i + 8 <= n; i += 8, dst += (t)) { \
            word acc = 0; \
            for (int k = 0; k < 8; k++) \
                acc |= (word)(s[i + (size_t)k] & mask) << (k * (t)); \
            memcpy(dst, &acc, (t)); \
        } \
        if (i < n) { \
            word acc = 0; \
            for (int k = 0; i + (size_t)k < n; k++) \
                acc |= (word)(s[i + (size_t)k] & mask) << (k * (t)); \
            memcpy(dst, &acc, pq_bits_bytes(n - i, (t))); \
        } \
    } while (0)

#define UNPACK(type, word, t) \
    do { \
        type *d = dst; \
        const word mask = (word)(((word)1 << (t)) - 1); \
        size_t i = 0; \
        for (; i + 8 <= n; i += 8, src += (t)) { \
            word acc = 0; \
            memcpy(&acc, src, (t)); \
            for (int k = 0; k < 8; k++) \
                d[i + (size_t)k] = (type)((acc >> (k * (t))) & mask); \
        } \
        if (i < n) { \
            word acc = 0; \
            memcpy(&acc, src, pq_bits_bytes(n - i, (t))); \
            for (int k = 0; i + (size_t)k < n; k++) \
                d[i + (size_t)k] = (type)((acc >> (k * (t))) & mask); \
        } \
    } while (0)

#define EACH_WIDTH(DO) \
    switch (t) { \
    case 1: DO(uint8_t, uint64_t, 1); break; \
    case 2: DO(uint8_t, uint64_t, 2); break; \
    case 3: DO(uint8_t, uint64_t, 3); break; \
    case 4: DO(uint8_t, uint64_t, 4); break; \
    case 5: DO(uint8_t, uint64_t, 5); break; \
    case 6: DO(uint8_t, uint64_t, 6); break; \
    case 7: DO(uint8_t, uint64_t, 7); break; \
    case 9: DO(uint16_t, u128, 9); break; \
    case 10: DO(uint16_t, u128, 10); break; \
    case 11: DO(uint16_t, u128, 11); break; \
    case 12: DO(uint16_t, u128, 12); break; \
    case 13: DO(uint16_t, u128, 13); break; \
    case 14: DO(uint16_t, u128, 14); break; \
    case 15: DO(uint16_t, u128, 15); break; \
    default: PQ_ASSERT(!"packing needs 1 <= t <= 16 or t == 32"); \
    }


void pq_bits_pack_plain(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    if (t == 8 || t == 16 || t == 32)
        memcpy(dst, src, n * t / 8);
    else
        EACH_WIDTH(PACK)
}

void pq_bits_pack(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    size_t done = 0;
#if defined(__x86_64__)
    if ((t < 8 || t == 12) && pq_cpu_vbmi())
        done = pq_bits_pack_vbmi(dst, src, n, t);
    else if ((t < 8 || t == 12) && pq_cpu_avx2())
        done = pq_bits_pack_avx2(dst, src, n, t);
    if (t < 16 && t != 8 && done < n && pq_cpu_bmi2())
        done += pq_bits_pack_bmi2(dst + done / 8 * t, (const uint8_t *)src + done * pq_ring_bytes(t), n - done, t);
#endif
    if (done < n)
        pq_bits_pack_plain(dst + done / 8 * t, (const uint8_t *)src + done * pq_ring_bytes(t), n - done, t);
}

void pq_bits_unpack_plain(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    if (t == 8 || t == 16 || t == 32)
        memcpy(dst, src, n * t / 8);
    else
        EACH_WIDTH(UNPACK)
}

void pq_bits_unpack(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    size_t done = 0;
#if defined(__x86_64__)
    if ((t < 8 || t == 12) && pq_cpu_vbmi())
        done = pq_bits_unpack_vbmi(dst, src, n, t);
    else if ((t < 8 || t == 12) && pq_cpu_avx2())
        done = pq_bits_unpack_avx2(dst, src, n, t);
    if (t < 16 && t != 8 && done < n && pq_cpu_bmi2())
        done += pq_bits_unpack_bmi2((uint8_t *)dst + done * pq_ring_bytes(t), src + done / 8 * t, n - done, t);
#endif
    if (done < n)
        pq_bits_unpack_plain((uint8_t *)dst + done * pq_ring_bytes(t), src + done / 8 * t, n - done, t);
}

/* In place by itself, under one name: Clang does not vectorise a loop that has two for the same elements. */
#define ELEMENTWISE(name, type, op) \
    PQ_CLONES static void name(type *d, const type *x, const type *y, size_t n, type mask) \
    { \
        if (d == x) \
            for (size_t i = 0; i < n; i++) \
                d[i] = (type)((d[i] op y[i]) & mask); \
        else if (d == y) \
            for (size_t i = 0; i < n; i++) \
                d[i] = (type)((x[i] op d[i]) & mask); \
        else \
            for (size_t i = 0; i < n; i++) \
                d[i] = (type)((x[i] op y[i]) & mask); \
    }
ELEMENTWISE(sub8, uint8_t, -)
ELEMENTWISE(sub16, uint16_t, -)
ELEMENTWISE(sub32, uint32_t, -)
ELEMENTWISE(add8, uint8_t, +)
ELEMENTWISE(add16, uint16_t, +)
ELEMENTWISE(add32, uint32_t, +)

void pq_ring_sub(void *dst, const void *a, const void *b, size_t n, unsigned t)
{
    switch (pq_ring_bytes(t)) {
    case 1: sub8(dst, a, b, n, (uint8_t)pq_ring_mask(t)); break;
    case 2: sub16(dst, a, b, n, (uint16_t)pq_ring_mask(t)); break;
    default: sub32(dst, a, b, n, pq_ring_mask(t)); break;
    }
}

void pq_ring_add(void *dst, const void *a, const void *b, size_t n, unsigned t)
{
    switch (pq_ring_bytes(t)) {
    case 1: add8(dst, a, b, n, (uint8_t)pq_ring_mask(t)); break;
    case 2: add16(dst, a, b, n, (uint16_t)pq_ring_mask(t)); break;
    default: add32(dst, a, b, n, pq_ring_mask(t)); break;
    }
}

#define TRUNCATE(name, out, in) \
    PQ_CLONES static void name(out *restrict d, const in *restrict s, size_t n, in keep, unsigned shift, in small, \
                               in one) \
    { \
        for (size_t i = 0; i < n; i++) \
            d[i] = (out)((((in)((in)(s[i] - one) & keep) >> shift) + one) & small); \
    }
TRUNCATE(truncate8to8, uint8_t, uint8_t)
TRUNCATE(truncate16to8, uint8_t, uint16_t)
TRUNCATE(truncate16to16, uint16_t, uint16_t)
TRUNCATE(truncate32to8, uint8_t, uint32_t)
TRUNCATE(truncate32to16, uint16_t, uint32_t)

void pq_share_truncate(void *dst, const void *src, size_t n, unsigned src_bits, unsigned top, unsigned t, bool lowers)
{
    const unsigned shift = top - t;
    PQ_ASSERT(t <= top && top <= src_bits && t <= 16);
    const uint32_t keep = pq_ring_mask(top), small = pq_ring_mask(t), one = lowers && shift;
    switch (pq_ring_bytes(src_bits) * 4 + pq_ring_bytes(t)) {
    case 1 * 4 + 1: truncate8to8(dst, src, n, (uint8_t)keep, shift, (uint8_t)small, (uint8_t)one); break;
    case 2 * 4 + 1: truncate16to8(dst, src, n, (uint16_t)keep, shift, (uint16_t)small, (uint16_t)one); break;
    case 2 * 4 + 2: truncate16to16(dst, src, n, (uint16_t)keep, shift, (uint16_t)small, (uint16_t)one); break;
    case 4 * 4 + 1: truncate32to8(dst, src, n, keep, shift, small, one); break;
    case 4 * 4 + 2: truncate32to16(dst, src, n, keep, shift, small, one); break;
    default: PQ_ASSERT(!"unknown widths");
    }
}
