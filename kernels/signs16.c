#include "signs16.h"

#include "machine.h"
#include "signs16_layout.h"

#include <omp.h>
#include <string.h>

size_t pq_signs16_left_bytes(size_t n, size_t depth)
{
    return (n + PQ_SIGNS_PANEL - 1) / PQ_SIGNS_PANEL * pq_signs_panel_bytes(depth);
}

/* Columns whose tables are made at a time: 192 KiB for a depth of 768, for the L2 cache. */
enum { CHUNK = 32 };

size_t pq_signs16_scratch_bytes(size_t depth)
{
    return CHUNK / PQ_SIGNS_COLS * pq_signs_block_bytes(depth);
}

/* Bit b: whether number b of `there` (at most eight) weights is +1. */
static uint8_t bits_of(const int8_t *weight, size_t there)
{
    uint64_t bytes = ~UINT64_C(0); /* -1 in memory is 255, +1 is 1: the sign bit's complement */
    memcpy(&bytes, weight, there);
    return (uint8_t)((~bytes >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56);
}

void pq_signs16_left_pack(void *dst, const int8_t *src, const uint16_t *factor, size_t n, size_t depth,
                          size_t row_stride)
{
    const size_t octets = pq_signs_octets(depth);
    memset(dst, 0, pq_signs16_left_bytes(n, depth));
    for (size_t i = 0; i < n; i++) {
        uint8_t *panel = (uint8_t *)dst + i / PQ_SIGNS_PANEL * pq_signs_panel_bytes(depth);
        uint8_t *row = panel + i % PQ_SIGNS_PANEL;
        for (size_t k = 0; k < depth; k += 8)
            row[k / 8 * PQ_SIGNS_PANEL] = bits_of(src + i * row_stride + k, depth - k < 8 ? depth - k : 8);
        memcpy(panel + octets * PQ_SIGNS_PANEL + 2 * (i % PQ_SIGNS_PANEL), factor + i, 2);
    }
}

static void tables_plain(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        uint8_t *table = block + j / PQ_SIGNS_COLS * block_bytes + j % PQ_SIGNS_COLS * PQ_SIGNS_TABLE;
        for (unsigned p = 0; p < PQ_SIGNS_PATTERNS; p++) {
            uint32_t sum = 0;
            for (size_t b = 0; b < there; b++)
                sum += p >> b & 1 ? src[b * stride + j] : 0u - src[b * stride + j];
            table[p] = (uint8_t)sum;
            table[PQ_SIGNS_PATTERNS + p] = (uint8_t)(sum >> 8);
        }
    }
}

static void panel_plain(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t octets)
{
    uint16_t factor[PQ_SIGNS_PANEL];
    memcpy(factor, panel + octets * PQ_SIGNS_PANEL, sizeof factor);
    for (size_t i = 0; i < PQ_SIGNS_PANEL; i++)
        for (size_t j = 0; j < PQ_SIGNS_COLS; j++) {
            uint32_t sum = 0;
            for (size_t g = 0; g < 2 * octets; g++) {
                const uint8_t *table = block + g * PQ_SIGNS_GROUP + j * PQ_SIGNS_TABLE;
                const unsigned wanted = panel[g / 2 * PQ_SIGNS_PANEL + i] >> (4 * (g % 2)) & 15u;
                for (unsigned p = 0; p < PQ_SIGNS_PATTERNS; p++) /* all of them: which one is secret */
                    sum += (table[p] | (uint32_t)table[PQ_SIGNS_PATTERNS + p] << 8) & (0u - (p == wanted));
            }
            z[i][j] = (uint16_t)(factor[i] * sum);
        }
}

/* The functions of signs16_layout.h. */
struct way {
    void (*tables)(uint8_t *block, size_t block_bytes, const uint16_t *src, size_t there, size_t stride, size_t m);
    void (*panel)(uint16_t (*z)[PQ_SIGNS_COLS], const uint8_t *panel, const uint8_t *block, size_t octets);
};

static const struct way plain_way = { tables_plain, panel_plain };

static struct way best_way(void)
{
#if defined(__x86_64__)
    if (pq_cpu_avx2())
        return (struct way){ pq_signs16_avx2_tables, pq_signs16_avx2_panel };
#endif
    return plain_way;
}

/* Rows [i0, i1). Blocks outside: the tables of one (24 KiB for a depth of 768) stay in the L1 cache while rows pass by. */
static void multiply(struct way way, const uint8_t *left, const uint8_t *right, uint16_t *z, size_t i0, size_t i1,
                     size_t depth, size_t m, size_t z_stride)
{
    _Alignas(64) uint16_t t[PQ_SIGNS_PANEL][PQ_SIGNS_COLS];
    for (size_t j = 0; j < m; j += PQ_SIGNS_COLS, right += pq_signs_block_bytes(depth))
        for (size_t i = i0; i < i1; i += PQ_SIGNS_PANEL) {
            const size_t rows = i1 - i < PQ_SIGNS_PANEL ? i1 - i : PQ_SIGNS_PANEL;
            const size_t cols = m - j < PQ_SIGNS_COLS ? m - j : PQ_SIGNS_COLS;
            way.panel(t, left + i / PQ_SIGNS_PANEL * pq_signs_panel_bytes(depth), right, pq_signs_octets(depth));
            for (size_t a = 0; a < rows; a++)
                for (size_t b = 0; b < cols; b++)
                    z[(i + a) * z_stride + j + b] = (uint16_t)(z[(i + a) * z_stride + j + b] + t[a][b]);
        }
}

static void run(struct way way, const void *left, const uint16_t *r, size_t r_stride, uint16_t *z, size_t n, size_t depth,
                size_t m, size_t z_stride, uint8_t *scratch)
{
    const size_t panels = (n + PQ_SIGNS_PANEL - 1) / PQ_SIGNS_PANEL, groups = 2 * pq_signs_octets(depth);
#pragma omp parallel
    for (size_t j = 0; j < m; j += CHUNK) {
        const size_t cols = m - j < CHUNK ? m - j : CHUNK;
#pragma omp for schedule(static)
        for (size_t g = 0; g < groups; g++) {
            const size_t k = 4 * g, there = k >= depth ? 0 : depth - k < 4 ? depth - k : 4;
            way.tables(scratch + g * PQ_SIGNS_GROUP, pq_signs_block_bytes(depth), r + (there ? k * r_stride + j : 0), there,
                       r_stride, cols);
        }
        const size_t t = (size_t)omp_get_thread_num(), of = (size_t)omp_get_num_threads();
        const size_t i0 = panels * t / of * PQ_SIGNS_PANEL, i1 = panels * (t + 1) / of * PQ_SIGNS_PANEL;
        multiply(way, left, scratch, z + j, i0, i1 < n ? i1 : n, depth, cols, z_stride);
#pragma omp barrier
    }
}

void pq_signs16_run(const void *left, const uint16_t *r, size_t r_stride, uint16_t *z, size_t n, size_t depth, size_t m,
                    size_t z_stride, void *scratch)
{
    run(best_way(), left, r, r_stride, z, n, depth, m, z_stride, scratch);
}

void pq_signs16_run_plain(const void *left, const uint16_t *r, size_t r_stride, uint16_t *z, size_t n, size_t depth,
                          size_t m, size_t z_stride, void *scratch)
{
    run(plain_way, left, r, r_stride, z, n, depth, m, z_stride, scratch);
}
