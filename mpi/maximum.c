#include "maximum.h"

#include "../kernels/bits.h"
#include "../kernels/ring.h"
#include "../kernels/table.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 16 };

/* The result of a level: [groups][ceil(len/2)][width]. */
struct pq_dim pq_halves_dim(struct pq_dim d)
{
    struct pq_dim r = d;
    r.len = (d.len + 1) / 2;
    r.first = d.first / d.len * r.len;
    r.all = d.all / d.len * r.len;
    return r;
}

/* Pairs of a level, this rank's, and the number of the first among all groups. */
static size_t pairs_of(struct pq_dim d) { return d.groups * (d.len / 2) * d.width; }
static size_t first_pair(struct pq_dim d) { return d.first / d.len * (d.len / 2); }

/* A pair's table: of two codes, or of a difference. */
static size_t pair_bytes(unsigned bits)
{
    PQ_ASSERT(bits == PQ_CODE_BITS || bits == PQ_SCORE_BITS);
    return pq_table_bytes(bits == PQ_CODE_BITS ? 2 * PQ_CODE_BITS : PQ_SCORE_BITS, pq_entry_bits(bits));
}

/* Elements of x that make pair p. */
static void pair_at(struct pq_dim d, size_t p, size_t *low, size_t *high)
{
    const size_t per_group = d.len / 2 * d.width;
    *low = p / per_group * d.len * d.width + p % per_group;
    *high = *low + per_group;
}

/* Shares of m maxima from the opened low and high values of their pairs and the share of the high ones. */
static void read_pairs(const struct pq_table_halves *tables, size_t pair, const uint8_t *low, const uint8_t *high,
                       const uint8_t *high_share, uint8_t *out, size_t m, unsigned bits)
{
    uint16_t index[PQ_CHUNK];
    if (bits == PQ_CODE_BITS) {
        pq_table_index(index, low, high, PQ_CODE_BITS, m);
        pq_tables_read(tables, out, pair, index, m, bits);
        return;
    }
    uint8_t difference[PQ_CHUNK];
    pq_ring_sub(difference, low, high, m, bits);
    pq_table_index(index, difference, NULL, 0, m);
    pq_tables_read(tables, out, pair, index, m, bits);
    pq_ring_add(out, out, high_share, m, bits);
}

struct pq_add pq_halves_online(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = x.dim, r = pq_halves_dim(d);
    const size_t n = pairs_of(d), h = d.len / 2;
    const uint8_t *delta = x.delta, *share = xs.share;
    const struct pq_table_halves tables = pq_tables_take(c, 0, first_pair(d), n, pair_bytes(x.bits), x.bits);
    struct pq_add y = { .dim = r, .bits = x.bits, .share = pq_context_alloc(c, pq_dim_count(r)) };
    const size_t per_group = h * d.width;

    /* The pairs of a group lie side by side, low ones and high ones, and so do their results. */
#pragma omp parallel for schedule(static) if (n > 8 * PQ_CHUNK)
    for (size_t g = 0; g < d.groups; g++)
        for (size_t p0 = 0; p0 < per_group; p0 += PQ_CHUNK) {
            const size_t low = g * d.len * d.width + p0, high = low + per_group;
            read_pairs(&tables, g * per_group + p0, delta + low, delta + high, share + high,
                       (uint8_t *)y.share + g * r.len * d.width + p0, pq_chunk(per_group, p0), x.bits);
        }
    uint8_t *out = y.share;
    for (size_t g = 0; g < d.groups && d.len % 2; g++) /* the odd one goes up as it is */
        memcpy(out + (g * r.len + h) * d.width, share + (g * d.len + d.len - 1) * d.width, d.width);
    return y;
}

struct pairs { uint64_t table[16]; struct pq_dim dim; const uint8_t *offset; };

/* max(a, b) as a two-input table, rotated by both elements' own offsets. */
static void make_pairs(void *tables, size_t i, size_t n, const void *user)
{
    const struct pairs *p = user;
    uint64_t turned[16], *table = tables;
    for (size_t k = 0; k < n; k++, table += 16) {
        size_t low, high;
        pair_at(p->dim, i + k, &low, &high);
        pq_table_rotate_rows(turned, p->table, 4, 4, 4, p->offset[high]);
        pq_table_rotate(table, turned, 8, 4, (uint32_t)p->offset[low] << 4);
    }
}

/* max(a - b, 0), rotated by the difference of the offsets. */
static void make_differences(void *tables, size_t i, size_t n, const void *user)
{
    const struct pairs *p = user;
    const size_t per_group = p->dim.len / 2 * p->dim.width, each = pair_bytes(PQ_SCORE_BITS);
    for (size_t k = 0, some; k < n; k += some) { /* the pairs of a group lie side by side */
        uint8_t difference[PQ_TABLES_MADE];
        const size_t rest = per_group - (i + k) % per_group;
        size_t low, high;
        pair_at(p->dim, i + k, &low, &high);
        some = n - k < rest ? n - k : rest;
        pq_ring_sub(difference, p->offset + low, p->offset + high, some, PQ_SCORE_BITS);
        pq_table_rotate_each((uint8_t *)tables + k * each, p->table, PQ_SCORE_BITS, pq_entry_bits(PQ_SCORE_BITS), difference,
                             PQ_SCORE_BITS, some);
    }
}

struct pq_add pq_halves_deal(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    struct pairs p = { .dim = x.dim, .offset = x.offset };
    const bool differ = x.bits == PQ_SCORE_BITS;
    int8_t larger[256];
    (void)xs;
    for (int i = 0; i < 256; i++) {
        const int a = pq_ring_signed((uint32_t)i >> 4, 4), b = pq_ring_signed((uint32_t)i & 15, 4);
        larger[i] = (int8_t)(differ ? i < 16 ? i : 0 : a > b ? a : b); /* of 32 differences the last 16 are negative */
    }
    pq_table_pack(p.table, larger, 1, differ ? PQ_SCORE_BITS : 2 * PQ_CODE_BITS, x.bits);
    pq_tables_deal(pq_context_of(e), 0, first_pair(x.dim), pairs_of(x.dim), pair_bytes(x.bits), x.bits,
                   differ ? make_differences : make_pairs, &p);
    return (struct pq_add){ .dim = pq_halves_dim(x.dim), .bits = x.bits };
}

struct pq_add pq_halves_cost(struct pq_engine *e, struct pq_opened x, struct pq_add xs)
{
    struct pq_add y = { .dim = pq_halves_dim(x.dim), .bits = x.bits };
    (void)xs;
    pq_tables_cost(pq_cost_of(e), first_pair(x.dim), pairs_of(x.dim), pair_bytes(x.bits), x.bits);
    pq_cost_hold(pq_cost_of(e), pq_dim_count(y.dim));
    return y;
}

struct pq_dim pq_count_dim(struct pq_dim d)
{
    struct pq_dim r = d;
    r.len = 15;
    r.first = d.first / d.len * 15;
    r.all = d.all / d.len * 15;
    return r;
}

struct pq_add pq_count_online(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    struct pq_context *c = pq_context_of(e);
    const struct pq_dim d = u.dim, r = pq_count_dim(d);
    const size_t n = pq_dim_count(d), lane = pq_ring_bytes(bits), record = LANES * lane, each = 16 * record;
    const uint8_t *delta = u.delta;
    const struct pq_table_halves tables = pq_tables_take(c, 0, d.first, n, each, (unsigned)(8 * lane));
    struct pq_add y = { .dim = r, .bits = bits, .share = pq_context_alloc(c, pq_dim_count(r) * lane) };

    /* One column of one group at a time: its records are added up lane by lane, then written as 15 rows. */
#pragma omp parallel for schedule(static) if (n > PQ_CHUNK)
    for (size_t gw = 0; gw < d.groups * d.width; gw++) {
        const size_t g = gw / d.width, w = gw % d.width;
        uint32_t sum[LANES] = { 0 };
        uint64_t block[2 * PQ_MAX_SEQ];
        uint8_t drawn[32 * PQ_MAX_SEQ];
        PQ_ASSERT(d.len <= PQ_MAX_SEQ);
        size_t blocks = 0;
        for (size_t l = 0; l < d.len; l++) {
            const size_t i = (g * d.len + l) * d.width + w;
            for (size_t k = 0; k < lane && pq_holder(d.first + i, PQ_RUN) != c->role; k++)
                block[blocks++] = ((d.first + i) * 16 + delta[i]) * lane + k;
        }
        pq_prg_blocks(tables.prg, tables.at, block, blocks, drawn);
        const uint8_t *next = drawn;
        for (size_t l = 0; l < d.len; l++) {
            const size_t i = (g * d.len + l) * d.width + w;
            const bool mine = pq_holder(d.first + i, PQ_RUN) == c->role;
            const uint8_t *entry = mine ? pq_tables_at(&tables, i) + delta[i] * record : next;
            next += mine ? 0 : record;
            for (size_t v = 0; v < LANES; v++)
                sum[v] += pq_table_entry(entry, v, (unsigned)(8 * lane));
        }
        for (size_t v = 0; v < 15; v++) {
            const size_t at = (g * 15 + v) * d.width + w;
            if (lane == 1)
                ((uint8_t *)y.share)[at] = (uint8_t)(sum[v] & pq_ring_mask(bits));
            else
                ((uint16_t *)y.share)[at] = (uint16_t)(sum[v] & pq_ring_mask(bits));
        }
    }
    return y;
}

/* One table whose entry is a whole record: 16 lanes, lane v+7 is [x >= v]. */
struct records { uint64_t table[64]; unsigned w; const uint8_t *offset; };

static void make_records(void *tables, size_t i, size_t n, const void *user)
{
    const struct records *r = user;
    const size_t words = 16 * LANES * r->w / 64;
    for (size_t k = 0; k < n; k++)
        pq_table_rotate((uint64_t *)tables + k * words, r->table, 8, r->w, (uint32_t)r->offset[i + k] * LANES);
}

struct pq_add pq_count_deal(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    struct records r = { .w = (unsigned)(8 * pq_ring_bytes(bits)), .offset = u.offset };
    uint8_t reached[16 * LANES];
    for (size_t i = 0; i < 16; i++)
        for (int v = -7; v <= 8; v++)
            reached[i * LANES + (size_t)(v + 7)] = v < 8 && pq_ring_signed((uint32_t)i, 4) >= v;
    pq_table_pack(r.table, reached, 1, 8, r.w);
    pq_tables_deal(pq_context_of(e), 0, u.dim.first, pq_dim_count(u.dim), 16 * LANES * r.w / 8, r.w, make_records, &r);
    return (struct pq_add){ .dim = pq_count_dim(u.dim), .bits = bits };
}

struct pq_add pq_count_cost(struct pq_engine *e, struct pq_opened u, unsigned bits)
{
    struct pq_add y = { .dim = pq_count_dim(u.dim), .bits = bits };
    const size_t n = pq_dim_count(u.dim), lane = pq_ring_bytes(bits);
    pq_tables_cost(pq_cost_of(e), u.dim.first, n, 16 * LANES * lane, (unsigned)(8 * lane));
    pq_cost_hold(pq_cost_of(e), pq_dim_count(y.dim) * lane);
    return y;
}
