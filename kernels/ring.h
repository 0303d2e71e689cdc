/* The rings: Z_2^b with 1 <= b <= 32, held in the smallest of uint8_t, uint16_t, uint32_t that fits. Unsigned
 * arithmetic wraps by definition of C, except that uint16_t * uint16_t is computed as int: multiply as uint32_t. */
#ifndef PQ_RING_H
#define PQ_RING_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that hold one element of Z_2^bits in memory. */
static inline size_t pq_ring_bytes(unsigned bits)
{
    return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

/* 2^bits - 1 */
static inline uint32_t pq_ring_mask(unsigned bits)
{
    return bits >= 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
}

/* The signed value in [-2^(bits-1), 2^(bits-1)) of a residue. */
static inline int32_t pq_ring_signed(uint32_t x, unsigned bits)
{
    uint32_t sign = UINT32_C(1) << (bits - 1);
    uint32_t r = ((x & pq_ring_mask(bits)) ^ sign) - sign; /* two's complement of 32 bits */
    return r <= INT32_MAX ? (int32_t)r : -(int32_t)(UINT32_MAX - r) - 1;
}

/* Element i of an array over Z_2^bits, and its change. */
static inline uint32_t pq_ring_get(const void *v, size_t i, unsigned bits)
{
    switch (pq_ring_bytes(bits)) {
    case 1: return ((const uint8_t *)v)[i];
    case 2: return ((const uint16_t *)v)[i];
    default: return ((const uint32_t *)v)[i];
    }
}

static inline void pq_ring_put(void *v, size_t i, unsigned bits, uint32_t x)
{
    switch (pq_ring_bytes(bits)) {
    case 1: ((uint8_t *)v)[i] = (uint8_t)x; break;
    case 2: ((uint16_t *)v)[i] = (uint16_t)x; break;
    default: ((uint32_t *)v)[i] = x; break;
    }
}

/* Bits that one entry of a table with output ring Z_2^bits takes in memory and in material: 1, 4, 8, 16 or 32. */
static inline unsigned pq_entry_bits(unsigned bits)
{
    return bits <= 1 ? 1 : bits <= 4 ? 4 : bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
}

/* Bits needed to hold the integer v: 0 -> 0, 1 -> 1, 255 -> 8, 256 -> 9. */
static inline unsigned pq_bits_of(uint64_t v)
{
    unsigned n = 0;
    while (v) {
        n++;
        v >>= 1;
    }
    return n;
}

#endif
