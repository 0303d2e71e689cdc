/* Many small tables: rotating and masking them (P0, offline) and reading them at public indices (P1 and P2, online);
 * protocols.md section 3, look-ups. A table of 2^index_bits entries of w bits (w = 1, 4, 8, 16 or 32) is a string of
 * w * 2^index_bits bits, lowest first, so rotating it by Delta entries is rotating the string by w*Delta bits. Rotation
 * is by conditional selects and shifts: no address or branch depends on Delta. */
#ifndef PQ_TABLE_H
#define PQ_TABLE_H

#include "prg.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of one table of 2^index_bits entries of w bits; at least one byte. */
size_t pq_table_bytes(unsigned index_bits, unsigned w);

/* Bytes that the party which stores a table of `each` bytes keeps of it. Entries of 5 to 7 bits have a byte each while
 * they are drawn, rotated and masked; stored they lie side by side (pq_bits_pack) in tables of 64 bytes or more, where
 * memory is what reading waits for (64 entries of 5 bits: 1.2 ns, in bytes 1.5; of 32 entries bytes take 0.8). */
static inline size_t pq_table_stored(size_t each, unsigned out_bits)
{
    return out_bits > 4 && out_bits < 8 && each >= 64 ? each * out_bits / 8 : each;
}

/* Packs 2^index_bits entries (int8_t, uint16_t or uint32_t as content_bytes says, reduced mod 2^out_bits) into a table
 * of pq_entry_bits(out_bits)-bit entries. dst has pq_table_bytes(...) bytes and is padded to 8. */
void pq_table_pack(uint64_t *dst, const void *content, unsigned content_bytes, unsigned index_bits, unsigned out_bits);

/* dst(i) = table(i + offset mod 2^index_bits); dst and table of max(8, pq_table_bytes) bytes, not overlapping. Tables
 * below 64 bits must be repeated to fill their word, as pq_table_pack leaves them. */
void pq_table_rotate(uint64_t *dst, const uint64_t *table, unsigned index_bits, unsigned w, uint32_t offset);

/* n tables, pq_table_bytes apart (dst at a multiple of 8 bytes where they have 8 or more): dst[k](i) = table(i + offset[k] mod 2^index_bits). offset: in Z_2^offset_bits, of
 * pq_ring_bytes. */
void pq_table_rotate_each(void *dst, const uint64_t *table, unsigned index_bits, unsigned w, const void *offset,
                          unsigned offset_bits, size_t n);

/* Two-input tables, 2^a rows of 2^b entries: dst(i, j) = table(i, j + offset mod 2^b). Rows of at least 64
 * bits. */
void pq_table_rotate_rows(uint64_t *dst, const uint64_t *table, unsigned a, unsigned b, unsigned w, uint32_t offset);

/* half = table - half entry by entry mod 2^w, on `bytes` bytes (w = 1: exclusive or). */
void pq_table_mask(uint8_t *half, const uint64_t *table, size_t bytes, unsigned w);

/* out[i] = entry index[i] of the i-th of n stored tables that lie one after the other, pq_table_stored bytes
 * (`each`) apart, in Z_2^out_bits, as elements of pq_ring_bytes(out_bits). The party that stores the
 * tables, online. */
void pq_table_read(void *out, const uint8_t *tables, size_t each, const uint16_t *index, size_t n, unsigned out_bits);

/* The same for `rows` rows of len tables each, entries of pq_entry_bits(out_bits) bits, which begin at from[r]:
 * out[k*stride + r] = entry index[k*stride + r] of row r's table k. stride in elements, at least `rows`; what lies
 * between rows is left alone. */
void pq_table_read_rows(void *out, const uint8_t *const *from, size_t rows, size_t each, size_t len,
                        const uint8_t *index, size_t stride, unsigned out_bits);

/* out[i] = entry index[i] of table i of the stream `at`, where the tables are numbered from `first` on and `each`
 * apart: the party that has a seed in place of the tables, online, one AES block an entry. */
void pq_table_draw(void *out, struct pq_prg *prg, struct pq_address at, size_t first, size_t each,
                   const uint16_t *index, size_t n, unsigned out_bits);

/* index[i] = high[i] << low_bits | low[i]; low NULL: high alone. */
void pq_table_index(uint16_t *index, const uint8_t *high, const uint8_t *low, unsigned low_bits, size_t n);

/* Entry number i (counted over all tables laid end to end) of w-bit entries. */
static inline uint32_t pq_table_entry(const uint8_t *tables, size_t i, unsigned w)
{
    switch (w) {
    case 1: return tables[i / 8] >> (i % 8) & 1u;
    case 4: return tables[i / 2] >> (4 * (i % 2)) & 15u;
    case 8: return tables[i];
    case 16: return (uint32_t)(tables[2 * i] | tables[2 * i + 1] << 8);
    default: return tables[4 * i] | (uint32_t)tables[4 * i + 1] << 8 | (uint32_t)tables[4 * i + 2] << 16 |
                    (uint32_t)tables[4 * i + 3] << 24;
    }
}

/* n wrap tables of 2^b bits, b = 4 or 8, one after the other: bit i of the k-th is [i + offset[k] >= 2^b] xor flip[k];
 * offset[k] < 2^b. */
void pq_wrap_tables(uint8_t *dst, unsigned b, const uint8_t *offset, const uint8_t *flip, size_t n);

#endif
