/* Packing for machines with BMI2, behind bits.h alone: bits_bmi2.c handles whole groups of 8 values of t bits, t = 1 to
 * 15, and returns how many values it did; bits.c does the rest. */
#ifndef PQ_BITS_VARIANTS_H
#define PQ_BITS_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

size_t pq_bits_pack_bmi2(uint8_t *dst, const void *src, size_t n, unsigned t);
size_t pq_bits_unpack_bmi2(void *dst, const uint8_t *src, size_t n, unsigned t);

#endif
