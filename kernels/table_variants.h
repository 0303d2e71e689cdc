/* Rotation for machines with AVX-512 VBMI, behind table.h alone. */
#ifndef PQ_TABLE_VARIANTS_H
#define PQ_TABLE_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

/* `rows` strings of `words` words each (1, 2, 4 or 8), all rotated towards lower bits by `bits` bits, a multiple of 4.
 * dst and src do not overlap. */
void pq_table_rotate_vbmi(uint64_t *dst, const uint64_t *src, size_t rows, size_t words, uint32_t bits);

#endif
