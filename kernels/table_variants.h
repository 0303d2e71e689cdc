/* Rotation and wrap tables, in plain C and for machines with AVX2 or AVX-512 VBMI, behind table.h alone. No address or
 * branch depends on `bits`, `offset` or `flip`. */
#ifndef PQ_TABLE_VARIANTS_H
#define PQ_TABLE_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

enum { PQ_TABLE_WORDS = 4096 }; /* the longest string; 2^12 entries of 32 bits are 2048 words */

/* `rows` strings of `words` words each (a power of two up to PQ_TABLE_WORDS), all rotated towards lower bits by `bits`
 * bits, less than a string has. dst and src do not overlap. */
void pq_table_rotate_plain(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits);

/* The same; strings of one word come in fours. */
void pq_table_rotate_avx2(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits);

/* The same for up to 8 words and multiples of 4 bits. */
void pq_table_rotate_vbmi(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits);

/* n times one string of `words` words, rotated by bits[0], bits[1] and so on: one after the other. AVX2: 2 words or
 * more. */
void pq_table_rotate_each_avx2(uint64_t *dst, const uint64_t *src, size_t words, const uint32_t *bits, size_t n);
void pq_table_rotate_each_vbmi(uint64_t *dst, const uint64_t *src, size_t words, const uint32_t *bits, size_t n);

/* pq_wrap_tables for b = 8. */
void pq_table_wrap_plain(uint8_t *dst, const uint8_t *offset, const uint8_t *flip, size_t n);
void pq_table_wrap_avx2(uint8_t *dst, const uint8_t *offset, const uint8_t *flip, size_t n);

#endif
