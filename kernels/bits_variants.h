/* Packing for machines with BMI2 (t = 1 to 15, groups of 8 values), AVX2 (t = 1 to 7, groups of 32, or 64 for t = 4;
 * t = 12, groups of 16) or AVX-512 VBMI (t = 1 to 7, groups of 64; t = 12, groups of 32), behind bits.h alone: each
 * handles whole groups from the start and returns how many values it did; bits.c does the rest. */
#ifndef PQ_BITS_VARIANTS_H
#define PQ_BITS_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

size_t pq_bits_pack_bmi2(uint8_t *dst, const void *src, size_t n, unsigned t);
size_t pq_bits_unpack_bmi2(void *dst, const uint8_t *src, size_t n, unsigned t);
size_t pq_bits_pack_avx2(uint8_t *dst, const void *src, size_t n, unsigned t);
size_t pq_bits_unpack_avx2(void *dst, const uint8_t *src, size_t n, unsigned t);
size_t pq_bits_pack_vbmi(uint8_t *dst, const void *src, size_t n, unsigned t);
size_t pq_bits_unpack_vbmi(void *dst, const uint8_t *src, size_t n, unsigned t);

/* f(t, i), f(t, i + 1), ...: rows of constants, which order the bytes of a register. */
#define PQ_FOUR(f, t, i) f(t, i), f(t, i + 1), f(t, i + 2), f(t, i + 3)
#define PQ_SIXTEEN(f, t, i) PQ_FOUR(f, t, i), PQ_FOUR(f, t, i + 4), PQ_FOUR(f, t, i + 8), PQ_FOUR(f, t, i + 12)

#endif
