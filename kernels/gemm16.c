/* The table of variants, the choice among them, and the split over threads. */
#include "gemm16.h"

#include "gemm16_pack.h"
#include "gemm16_variants.h"
#include "machine.h"

#include <omp.h>
#include <string.h>

static bool always(void)
{
    return true;
}

static const struct pq_gemm16 variants[] = { /* the best of those that suit the machine last */
    { "ref", always, NULL, 1,
      pq_gemm16_ref_bytes, pq_gemm16_ref_left_pack, pq_gemm16_ref_bytes, pq_gemm16_ref_right_pack,
      pq_gemm16_ref_multiply, false },
    { "blas", always, NULL, 8,
      pq_gemm16_ref_bytes, pq_gemm16_ref_left_pack, pq_gemm16_blas_right_bytes, pq_gemm16_blas_right_pack,
      pq_gemm16_blas_multiply, false },
#if defined(__x86_64__)
    { "avx2", pq_cpu_avx2, NULL, PQ_PANEL_ROWS,
      pq_gemm16_left_bytes, pq_gemm16_left_pack, pq_gemm16_right_bytes, pq_gemm16_right_pack,
      pq_gemm16_avx2_multiply, false },
    { "winograd", pq_cpu_avx2, NULL, PQ_PANEL_ROWS,
      pq_gemm16_winograd_left_bytes, pq_gemm16_winograd_left_pack, pq_gemm16_winograd_right_bytes,
      pq_gemm16_winograd_right_pack, pq_gemm16_winograd_multiply, true },
    { "strassen256", pq_cpu_avx2, NULL, PQ_PANEL_ROWS,
      pq_gemm16_winograd_left_bytes, pq_gemm16_winograd_left_pack, pq_gemm16_strassen256_right_bytes,
      pq_gemm16_strassen256_right_pack, pq_gemm16_strassen256_multiply, true },
    { "avx512bw", pq_cpu_avx512bw, NULL, PQ_PANEL_ROWS,
      pq_gemm16_left_bytes, pq_gemm16_left_pack, pq_gemm16_right_bytes, pq_gemm16_right_pack,
      pq_gemm16_avx512bw_multiply, true },
    { "avx512vnni", pq_cpu_avx512vnni, NULL, PQ_PANEL_ROWS,
      pq_gemm16_left_bytes, pq_gemm16_left_pack, pq_gemm16_right_bytes, pq_gemm16_right_pack,
      pq_gemm16_avx512vnni_multiply, false },
    { "strassen", pq_cpu_avx512vnni, NULL, PQ_PANEL_ROWS,
      pq_gemm16_left_bytes, pq_gemm16_left_pack, pq_gemm16_strassen_right_bytes, pq_gemm16_strassen_right_pack,
      pq_gemm16_strassen_multiply, false },
    { "strassen512", pq_cpu_avx512vnni, pq_cpu_adds_apart, PQ_PANEL_ROWS,
      pq_gemm16_winograd_left_bytes, pq_gemm16_winograd_left_pack, pq_gemm16_strassen256_right_bytes,
      pq_gemm16_strassen512_right_pack, pq_gemm16_strassen512_multiply, true },
    { "amx", pq_cpu_amx, NULL, 16,
      pq_gemm16_amx_left_bytes, pq_gemm16_amx_left_pack, pq_gemm16_amx_right_bytes, pq_gemm16_amx_right_pack,
      pq_gemm16_amx_multiply, false },
#endif
    { .name = NULL },
};

const struct pq_gemm16 *pq_gemm16_variants(void)
{
    return variants;
}

const struct pq_gemm16 *pq_gemm16_pick(const char *forced)
{
    const struct pq_gemm16 *best = NULL;
    for (const struct pq_gemm16 *v = variants; v->name; v++)
        if ((forced ? !strcmp(forced, v->name) : !v->suits || v->suits()) && v->usable())
            best = v;
    return best;
}

void pq_gemm16_run(const struct pq_gemm16 *g, const void *left, const void *right, uint16_t *z, size_t n,
                   size_t depth, size_t m, size_t z_stride)
{
    /* Waking the team costs some microseconds; the fastest variant does this much in twenty. */
    const double worth_sharing = 4194304.0;
    size_t panels = pq_gemm16_ceil(n, g->row_block);
    if ((double)n * (double)depth * (double)m < worth_sharing || panels == 1 || omp_get_max_threads() == 1) {
        g->multiply(left, right, z, 0, n, n, depth, m, z_stride);
        return;
    }
    /* Always the whole team, even where a few threads find no panel left: runtimes rebuild a team that changes size */
#pragma omp parallel
    {
        size_t t = (size_t)omp_get_thread_num(), of = (size_t)omp_get_num_threads();
        size_t i0 = panels * t / of * g->row_block, i1 = panels * (t + 1) / of * g->row_block;
        g->multiply(left, right, z, i0, i1 < n ? i1 : n, n, depth, m, z_stride);
    }
}
