/* Packing of t-bit values for messages, and truncation of shares. Values lie in memory as pq_ring_bytes(t) wide
 * elements (kernels/ring.h); bits above t are ignored on the way in and zero on the way out. Used by P1 and P2 online.
 * No errors at run time. */
#ifndef PQ_BITS_H
#define PQ_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that n packed t-bit values take: the size of the message. 1 <= t <= 16, or 32. */
static inline size_t pq_bits_bytes(size_t n, unsigned t)
{
    return (n * t + 7) / 8;
}

/* dst[pq_bits_bytes(n, t)], values one after the other, lowest bit first; the last byte is filled with zero bits. */
void pq_bits_pack(uint8_t *dst, const void *src, size_t n, unsigned t);
void pq_bits_unpack(void *dst, const uint8_t *src, size_t n, unsigned t);

/* The definition, in plain C, which the fast versions equal. */
void pq_bits_pack_plain(uint8_t *dst, const void *src, size_t n, unsigned t);
void pq_bits_unpack_plain(void *dst, const uint8_t *src, size_t n, unsigned t);

/* dst = a - b, dst = a + b modulo 2^t, elementwise; dst may be a or b. */
void pq_ring_sub(void *dst, const void *a, const void *b, size_t n, unsigned t);
void pq_ring_add(void *dst, const void *a, const void *b, size_t n, unsigned t);

/* Share-wise truncation (protocols.md section 3): src in Z_2^src_bits is reduced mod 2^top and its top t bits kept, in
 * Z_2^t. P1 (lowers == true) subtracts 1 before and adds 1 after; P2 does not. The opened result is the stochastic
 * rounding of z / 2^(top-t), unbiased. top == t reduces only. No address or branch depends on the values. */
void pq_share_truncate(void *dst, const void *src, size_t n, unsigned src_bits, unsigned top, unsigned t, bool lowers);

#endif
