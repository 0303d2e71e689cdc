#include "signs16.h"

#include "machine.h"
#include "signs16_layout.h"

#include <omp.h>
#include <string.h>

static bool always(void)
{
    return true;
}

enum { PLAIN_ROWS = 32, PLAIN_GROUP = 4, PLAIN_PATTERNS = 1 << PLAIN_GROUP };

static void tables_plain(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        uint16_t table[PLAIN_PATTERNS];
        for (unsigned p = 0; p < PLAIN_PATTERNS; p++) {
            uint32_t sum = 0;
            for (size_t b = 0; b < there; b++)
                sum += p >> b & 1 ? src[b * stride + j] : 0u - src[b * stride + j];
            table[p] = (uint16_t)sum;
        }
        memcpy(block + j / PQ_SIGNS_COLS * block_bytes + j % PQ_SIGNS_COLS * sizeof table, table, sizeof table);
    }
}

static void panel_plain(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t steps)
{
    uint16_t factor[PLAIN_ROWS], table[PLAIN_PATTERNS];
    memcpy(factor, panel + steps * PLAIN_ROWS, sizeof factor);
    for (size_t i = 0; i < PLAIN_ROWS; i++)
        for (size_t j = 0; j < PQ_SIGNS_COLS; j++) {
            uint32_t sum = 0;
            for (size_t g = 0; g < 2 * steps; g++) {
                const unsigned wanted = panel[g / 2 * PLAIN_ROWS + i] >> (4 * (g % 2)) & 15u;
                memcpy(table, block + (g * PQ_SIGNS_COLS + j) * sizeof table, sizeof table);
                for (unsigned p = 0; p < PLAIN_PATTERNS; p++) /* all of them: which one is secret */
                    sum += table[p] & (0u - (p == wanted));
            }
            z[i][j] = (uint16_t)(factor[i] * sum);
        }
}

static const struct pq_signs16 variants[] = { /* best last */
    { "plain", always, PLAIN_ROWS, PLAIN_GROUP, 8, 1, tables_plain, panel_plain },
#if defined(__x86_64__)
    { "avx2", pq_cpu_avx2, 32, 4, 8, 1, pq_signs16_avx2_tables, pq_signs16_avx2_panel },
    { "avx512", pq_cpu_avx512bw, 64, 5, 15, 2, pq_signs16_avx512_tables, pq_signs16_avx512_panel },
#endif
};

const struct pq_signs16 *pq_signs16_pick(const char *forced)
{
    const struct pq_signs16 *best = NULL;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if ((!forced || !strcmp(forced, variants[i].name)) && variants[i].usable())
            best = &variants[i];
    return best;
}

static size_t panels_of(const struct pq_signs16 *v, size_t n)
{
    return (n + v->rows - 1) / v->rows;
}

static size_t steps_of(const struct pq_signs16 *v, size_t depth)
{
    return (depth + v->step - 1) / v->step;
}

static size_t panel_bytes(const struct pq_signs16 *v, size_t depth)
{
    return (steps_of(v, depth) * v->step_bytes + sizeof(uint16_t)) * v->rows;
}

/* The tables of one group, and of a block. */
static size_t group_bytes(const struct pq_signs16 *v)
{
    return PQ_SIGNS_COLS * sizeof(uint16_t) << v->group;
}

static size_t groups_of(const struct pq_signs16 *v, size_t depth)
{
    return steps_of(v, depth) * (v->step / v->group);
}

static size_t block_bytes(const struct pq_signs16 *v, size_t depth)
{
    return groups_of(v, depth) * group_bytes(v);
}

size_t pq_signs16_left_bytes(const struct pq_signs16 *v, size_t n, size_t depth)
{
    return panels_of(v, n) * panel_bytes(v, depth);
}

/* Columns whose tables are made at a time: 192 or 312 KiB for a depth of 768, for the L2 cache. */
enum { CHUNK = 32 };

size_t pq_signs16_scratch_bytes(const struct pq_signs16 *v, size_t depth)
{
    return CHUNK / PQ_SIGNS_COLS * block_bytes(v, depth);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bit b: whether number b of `there` (at most eight) weights is +1. */
static uint8_t bits_of(const int8_t *weight, size_t there)
{
    uint64_t bytes = ~UINT64_C(0); /* -1 in memory is 255, +1 is 1: the sign bit's complement */
    memcpy(&bytes, weight, there);
    return (uint8_t)((~bytes >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56);
}

void pq_signs16_left_pack(const struct pq_signs16 *v, void *dst, const int8_t *src, const uint16_t *factor, size_t n,
                          size_t depth, size_t row_stride)
{
    memset(dst, 0, pq_signs16_left_bytes(v, n, depth));
    for (size_t i = 0; i < n; i++) {
        uint8_t *panel = (uint8_t *)dst + i / v->rows * panel_bytes(v, depth);
        uint8_t *row = panel + i % v->rows * v->step_bytes;
        for (size_t k = 0; k < depth; k += v->step, row += v->rows * v->step_bytes)
            for (size_t b = 0; b < v->step && k + b < depth; b += 8)
                row[b / 8] = bits_of(src + i * row_stride + k + b, least(8, least(v->step - b, depth - k - b)));
        memcpy(panel + (panel_bytes(v, depth) - v->rows * 2) + 2 * (i % v->rows), factor + i, 2);
    }
}

/* z[cols] += t[cols]: a whole row at once. */
static void add_row(uint16_t *z, const uint16_t *t, size_t cols)
{
    typedef uint16_t row __attribute__((vector_size(2 * PQ_SIGNS_COLS)));
    if (cols == PQ_SIGNS_COLS) {
        row a, b;
        memcpy(&a, z, sizeof a);
        memcpy(&b, t, sizeof b);
        a += b;
        memcpy(z, &a, sizeof a);
        return;
    }
    for (size_t j = 0; j < cols; j++)
        z[j] = (uint16_t)(z[j] + t[j]);
}

/* Rows [i0, i1). Blocks outside: the tables of one (24 or 39 KiB for a depth of 768) stay in the nearest caches while
 * rows pass by. */
static void multiply(const struct pq_signs16 *v, const uint8_t *left, const uint8_t *right, uint16_t *z, size_t i0,
                     size_t i1, size_t depth, size_t m, size_t z_stride)
{
    _Alignas(64) uint16_t t[PQ_SIGNS_MOST_ROWS][PQ_SIGNS_COLS];
    for (size_t j = 0; j < m; j += PQ_SIGNS_COLS, right += block_bytes(v, depth))
        for (size_t i = i0; i < i1; i += v->rows) {
            v->panel(t, left + i / v->rows * panel_bytes(v, depth), right, steps_of(v, depth));
            for (size_t a = 0; a < least(i1 - i, v->rows); a++)
                add_row(z + (i + a) * z_stride + j, t[a], least(m - j, PQ_SIGNS_COLS));
        }
}

void pq_signs16_run(const struct pq_signs16 *v, const void *left, const uint16_t *r, size_t r_stride, uint16_t *z,
                    size_t n, size_t depth, size_t m, size_t z_stride, void *scratch)
{
    const size_t panels = panels_of(v, n), groups = groups_of(v, depth);
#pragma omp parallel
    for (size_t j = 0; j < m; j += CHUNK) {
        const size_t cols = least(m - j, CHUNK);
#pragma omp for schedule(static)
        for (size_t g = 0; g < groups; g++) {
            const size_t k = v->group * g, there = k >= depth ? 0 : least(depth - k, v->group);
            v->tables((uint8_t *)scratch + g * group_bytes(v), block_bytes(v, depth), r + (there ? k * r_stride + j : 0),
                      there, r_stride, cols);
        }
        const size_t t = (size_t)omp_get_thread_num(), of = (size_t)omp_get_num_threads();
        const size_t i0 = panels * t / of * v->rows, i1 = panels * (t + 1) / of * v->rows;
        multiply(v, left, scratch, z + j, i0, least(i1, n), depth, cols, z_stride);
#pragma omp barrier
    }
}
