/* Engine `replay`: openings and look-ups. An entry of P1's half of a table is one element of a stream, so a look-up
 * costs one AES block, at a public index; blocks are made in batches. */
#include "replay.h"

#include <string.h>

enum { CHUNK = 1024 }; /* elements a thread handles at a time; their blocks stay in its cache */

static size_t chunk_of(size_t count, size_t first)
{
    return count - first < CHUNK ? count - first : CHUNK;
}

static uint32_t bits_at(const uint8_t block[16], unsigned bit, unsigned width)
{
    uint32_t v = 0;
    for (unsigned b = 0; b < (width + 7) / 8; b++)
        v |= (uint32_t)block[bit / 8 + b] << (8 * b);
    return v >> (bit % 8) & pq_ring_mask(width);
}

/* `count` scattered elements of a stream. */
static void draw(struct pq_prg *prg, struct pq_address at, unsigned width, const uint64_t *element, size_t count,
                 uint32_t *out)
{
    uint64_t index[CHUNK];
    uint8_t block[16 * CHUNK];
    PQ_ASSERT(count > 0 && count <= CHUNK);
    for (size_t i = 0; i < count; i++)
        index[i] = element[i] * width / 128;
    pq_prg_blocks(prg, at, index, count, block);
    for (size_t i = 0; i < count; i++)
        out[i] = bits_at(block + 16 * i, (unsigned)(element[i] * width % 128), width);
}

/* Whose half of a table comes from a seed, and whose is the rest of the entry (engine.h, read). */
static bool p1_stores(size_t number, size_t run)
{
    return number / run % 2 == 1;
}

enum { RUN = 256, ROW_RUN = 32 };

/* P1's share of `count` <= CHUNK entries: entry[i] of the stream names it, value[i] is its content. */
static void first_shares(struct pq_engine *e, unsigned stream, unsigned bits, const uint64_t *entry,
                         const uint32_t *value, const bool *stored, size_t count, uint32_t *out)
{
    struct pq_replay *r = pq_replay_of(e);
    const struct pq_address at = { r->inference, e->op, stream };
    uint32_t other[CHUNK];
    draw(r->s01, at, pq_entry_bits(bits), entry, count, out);
    draw(r->s02, at, pq_entry_bits(bits), entry, count, other);
    for (size_t i = 0; i < count; i++)
        out[i] = (stored[i] ? value[i] - other[i] : out[i]) & pq_ring_mask(bits);
}

/* Offset s01's + s02's, element width as the ring has in memory. */
struct pq_opened pq_replay_open(struct pq_engine *e, struct pq_add x)
{
    struct pq_replay *r = pq_replay_of(e);
    size_t count = pq_dim_count(x.dim);
    unsigned width = 8 * (unsigned)pq_ring_bytes(x.bits);
    uint32_t mask = pq_ring_mask(x.bits);
    uint32_t *offset = pq_replay_drawn(e, r->s01, PQ_S_MASK, width, count);
    uint32_t *delta = pq_replay_drawn(e, r->s02, PQ_S_MASK, width, count);
    for (size_t i = 0; i < count; i++) {
        offset[i] = (offset[i] + delta[i]) & mask;
        delta[i] = ((uint32_t)x.clear[i] - offset[i]) & mask;
    }
    return (struct pq_opened){ .dim = x.dim, .bits = x.bits, .clear = x.clear, .delta = delta, .offset = offset };
}

struct pq_opened pq_replay_difference(struct pq_engine *e, struct pq_opened row, struct pq_opened x)
{
    size_t count = pq_dim_count(x.dim);
    const uint32_t mask = pq_ring_mask(PQ_CODE_BITS);
    uint32_t *delta = pq_replay_array(e, count, 4), *offset = pq_replay_array(e, count, 4);
    int32_t *clear = pq_replay_array(e, count, 4);
    const uint32_t *row_delta = row.delta, *row_offset = row.offset, *x_delta = x.delta, *x_offset = x.offset;
    PQ_ASSERT(row.bits == x.bits);
    for (size_t i = 0; i < count; i++) {
        size_t j = pq_clear_row(x.dim, i);
        delta[i] = (row_delta[j] - x_delta[i]) & mask;
        offset[i] = (row_offset[j] - x_offset[i]) & mask;
        clear[i] = pq_clear_value((uint32_t)row.clear[j] - (uint32_t)x.clear[i], PQ_CODE_BITS, false);
    }
    return (struct pq_opened){ .dim = x.dim, .bits = PQ_CODE_BITS, .clear = clear, .delta = delta, .offset = offset };
}

/* One output of a table with one or two inputs; row.clear == NULL for one. With two, the tables are numbered row by row
 * and the row's input is the high part of the index into P1's half. */
static struct pq_add look_up(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                             const struct pq_table *table, unsigned o, bool is_signed)
{
    struct pq_add y = pq_replay_value(e, x.dim, table->out_bits[o]);
    const unsigned second = table->index2_bits, bits = table->index_bits + second;
    const uint32_t *delta = x.delta, *row_delta = row.delta;
    uint32_t *share = y.share;
    size_t count = pq_dim_count(x.dim);
#pragma omp parallel for schedule(static) if (count > 8 * CHUNK)
    for (size_t i0 = 0; i0 < count; i0 += CHUNK) {
        uint64_t entry[CHUNK];
        uint32_t value[CHUNK];
        bool stored[CHUNK];
        size_t n = chunk_of(count, i0);
        for (size_t i = i0; i < i0 + n; i++) {
            uint32_t at = delta[i], index = (uint32_t)x.clear[i] & pq_ring_mask(x.bits);
            size_t number = i, j = i;
            if (row.clear) {
                j = pq_clear_row(x.dim, i);
                number = j * x.dim.len + i / x.dim.width % x.dim.len;
                at = row_delta[j] << table->index_bits | at;
                index = index << second | ((uint32_t)row.clear[j] & pq_ring_mask(second));
            }
            stored[i - i0] = p1_stores(j, row.clear ? ROW_RUN : RUN);
            entry[i - i0] = (uint64_t)number << bits | at;
            value[i - i0] = pq_clear_entry(table, o, i, x.dim.width, index);
            y.clear[i] = pq_clear_value(value[i - i0], y.bits, is_signed);
        }
        first_shares(e, PQ_S_TABLE + o, y.bits, entry, value, stored, n, share + i0);
    }
    return y;
}

void pq_replay_read(struct pq_engine *e, struct pq_opened x, const struct pq_table *table, bool is_signed,
                    struct pq_add *out)
{
    PQ_ASSERT(x.bits == table->index_bits && table->index2_bits == 0);
    for (unsigned o = 0; o < table->outputs; o++)
        out[o] = look_up(e, x, (struct pq_opened){ .clear = NULL }, table, o, is_signed);
}

struct pq_add pq_replay_read_pair(struct pq_engine *e, struct pq_opened x, struct pq_opened row,
                                  const struct pq_table *table)
{
    PQ_ASSERT(x.bits == table->index_bits && row.bits == table->index2_bits && table->outputs == 1);
    return look_up(e, x, row, table, 0, false);
}

/* Pair (j, j+h) of group g and column w has element number (g*h + j)*width + w. */
struct pq_add pq_replay_halves(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    size_t len = x.dim.len, width = x.dim.width, h = len / 2, left = len - h, pairs = x.dim.groups * h * width;
    struct pq_add y = pq_replay_value(e, pq_clear_dim(x.dim.groups, left, width), x.bits);
    const uint32_t *delta = x.delta, *xs_share = xs.share;
    uint32_t *share = y.share;
    const bool spare = x.bits == PQ_SCORE_BITS;
    PQ_ASSERT(spare || x.bits == PQ_CODE_BITS);
#pragma omp parallel for schedule(static) if (pairs > 8 * CHUNK)
    for (size_t i0 = 0; i0 < pairs; i0 += CHUNK) {
        uint64_t entry[CHUNK];
        uint32_t half[CHUNK], value[CHUNK];
        bool stored[CHUNK];
        size_t n = chunk_of(pairs, i0);
        for (size_t i = i0; i < i0 + n; i++) {
            size_t a = i / (h * width) * len * width + i % (h * width), b = a + h * width;
            const int32_t larger = x.clear[a] > x.clear[b] ? x.clear[a] : x.clear[b];
            y.clear[i / (h * width) * left * width + i % (h * width)] = larger;
            entry[i - i0] = spare ? (uint64_t)i << 5 | (delta[a] - delta[b]) % 32
                                  : (uint64_t)i << 8 | delta[a] << 4 | delta[b];
            value[i - i0] = (uint32_t)(spare ? larger - x.clear[b] : larger);
            stored[i - i0] = p1_stores(i, RUN);
        }
        first_shares(e, PQ_S_TABLE, x.bits, entry, value, stored, n, half);
        for (size_t i = i0; i < i0 + n; i++) {
            size_t b = i / (h * width) * len * width + i % (h * width) + h * width;
            size_t to = i / (h * width) * left * width + i % (h * width);
            share[to] = spare ? (half[i - i0] + xs_share[b]) % 32 : half[i - i0];
        }
    }
    for (size_t g = 0; g < x.dim.groups && left > h; g++) { /* odd: the last one has no partner */
        size_t from = (g * len + len - 1) * width, to = (g * left + h) * width;
        memcpy(y.clear + to, x.clear + from, width * sizeof *y.clear);
        memcpy(share + to, xs_share + from, width * sizeof *share);
    }
    return y;
}

/* lane[v][w] += P1's 15 lanes of entry delta[w] of elements first + w, whose values are clear[w]. Lanes of 8 bits: one
 * block holds 16 of them; lanes of 16 bits: two blocks. */
static void add_lanes(struct pq_engine *e, const uint32_t *delta, const int32_t *value, size_t first, size_t n,
                      size_t width, bool wide, uint32_t *lane)
{
    struct pq_replay *r = pq_replay_of(e);
    struct pq_address at = { r->inference, e->op, PQ_S_TABLE };
    uint64_t index[2 * CHUNK];
    uint8_t block[2][2 * 16 * CHUNK];
    size_t blocks = wide ? 2 : 1, k = 0;
    do { /* n > 0 */
        size_t i = k / blocks;
        index[k] = ((uint64_t)(first + i) * 16 + delta[i]) * blocks + k % blocks;
    } while (++k < n * blocks);
    pq_prg_blocks(r->s01, at, index, n * blocks, block[0]);
    pq_prg_blocks(r->s02, at, index, n * blocks, block[1]);
    for (size_t i = 0; i < n; i++) {
        const bool stored = p1_stores(first + i, RUN);
        const uint8_t *entry = block[stored] + 16 * blocks * i;
        for (size_t v = 0; v < 15; v++) {
            const uint32_t half = wide ? (uint32_t)(entry[2 * v] | entry[2 * v + 1] << 8) : entry[v];
            lane[v * width + i] += stored ? (value[i] >= (int32_t)v - 7) - half : half;
        }
    }
}

struct pq_add pq_replay_count_at_least(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    size_t len = u.dim.len, width = u.dim.width;
    struct pq_add y = pq_replay_value(e, pq_clear_dim(u.dim.groups, 15, width), bits);
    const uint32_t *delta = u.delta;
    PQ_ASSERT(u.bits == PQ_CODE_BITS && bits <= 16);
#pragma omp parallel for schedule(static) if (pq_dim_count(u.dim) > 8 * CHUNK)
    for (size_t g = 0; g < u.dim.groups; g++) {
        uint32_t *share = (uint32_t *)y.share + g * 15 * width;
        int32_t *clear = y.clear + g * 15 * width;
        memset(share, 0, 15 * width * sizeof *share);
        memset(clear, 0, 15 * width * sizeof *clear);
        for (size_t j = 0; j < len; j++)
            for (size_t w = 0; w < width; w += CHUNK) {
                size_t first = (g * len + j) * width + w, n = chunk_of(width, w);
                add_lanes(e, delta + first, u.clear + first, first, n, width, bits > 8, share + w);
                for (size_t i = 0; i < n; i++)
                    for (int32_t v = -7; v <= 7; v++)
                        clear[(size_t)(v + 7) * width + w + i] += u.clear[first + i] >= v;
            }
        for (size_t i = 0; i < 15 * width; i++) {
            share[i] &= pq_ring_mask(bits);
            clear[i] = pq_clear_value((uint32_t)clear[i], bits, false);
        }
    }
    return y;
}
