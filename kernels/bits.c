#include "bits.h"
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


void pq_bits_pack(uint8_t *dst, const void *src, size_t n, unsigned t)
{
    if (t == 8 || t == 16 || t == 32)
        memcpy(dst, src, n * t / 8);
    else
        EACH_WIDTH(PACK)
}

void pq_bits_unpack(void *dst, const uint8_t *src, size_t n, unsigned t)
{
    if (t == 8 || t == 16 || t == 32)
        memcpy(dst, src, n * t / 8);
    else
        EACH_WIDTH(UNPACK)
}

#define ELEMENTWISE(type, op) \
    do { \
        type *d = dst; \
        const type *x = a, *y = b; \
        const type mask = (type)pq_ring_mask(t); \
        for (size_t i = 0; i < n; i++) \
            d[i] = (type)((x[i] op y[i]) & mask); \
    } while (0)

void pq_ring_sub(void *dst, const void *a, const void *b, size_t n, unsigned t)
{
    switch (pq_ring_bytes(t)) {
    case 1: ELEMENTWISE(uint8_t, -); break;
    case 2: ELEMENTWISE(uint16_t, -); break;
    default: ELEMENTWISE(uint32_t, -); break;
    }
}

void pq_ring_add(void *dst, const void *a, const void *b, size_t n, unsigned t)
{
    switch (pq_ring_bytes(t)) {
    case 1: ELEMENTWISE(uint8_t, +); break;
    case 2: ELEMENTWISE(uint16_t, +); break;
    default: ELEMENTWISE(uint32_t, +); break;
    }
}

#define TRUNCATE(out, in) \
    do { \
        out *d = dst; \
        const in *s = src; \
        const in keep = (in)pq_ring_mask(top), small = (in)pq_ring_mask(t), one = lowers; \
        for (size_t i = 0; i < n; i++) \
            d[i] = (out)((((in)((in)(s[i] - one) & keep) >> shift) + one) & small); \
    } while (0)

void pq_share_truncate(void *dst, const void *src, size_t n, unsigned src_bits, unsigned top, unsigned t, bool lowers)
{
    const unsigned shift = top - t;
    PQ_ASSERT(t <= top && top <= src_bits && t <= 16);
    if (shift == 0)
        lowers = false;
    switch (pq_ring_bytes(src_bits) * 4 + pq_ring_bytes(t)) {
    case 1 * 4 + 1: TRUNCATE(uint8_t, uint8_t); break;
    case 2 * 4 + 1: TRUNCATE(uint8_t, uint16_t); break;
    case 2 * 4 + 2: TRUNCATE(uint16_t, uint16_t); break;
    case 4 * 4 + 1: TRUNCATE(uint8_t, uint32_t); break;
    case 4 * 4 + 2: TRUNCATE(uint16_t, uint32_t); break;
    default: PQ_ASSERT(!"unknown widths");
    }
}
