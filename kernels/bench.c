/* See bench.h. Inputs come from a fixed seed and are never zero; a variant that is wrong gets no rate. */
#include "bench.h"

#include "gemm16.h"
#include "machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 11, SAMPLE_NS = 2000000, VARIANTS = 16 };

static const uint64_t seed = 20240607;

/* z[n][m] += l[n][depth] * r[depth][m], `copies` times with different copies of the packed left operand. */
static const struct shape {
    const char *what;
    size_t n, depth, m, copies;
} shapes[] = {
    { "feed-forward in", 3072, 768, 128, 1 },
    { "feed-forward out", 768, 3072, 128, 1 },
    { "projection", 768, 768, 128, 1 },
    { "projection", 768, 768, 32, 1 },
    { "scores", 128, 64, 128, 1 },
    { "context", 64, 128, 128, 1 },
    { "all weights", 768, 768, 128, 144 },
    { "all weights", 768, 768, 32, 144 },
    { "all weights", 768, 768, 16, 144 },
    { "all weights", 768, 768, 8, 144 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

struct rate {
    double low, median, high; /* multiply-adds per second; low and high are the quartiles */
};

static void fill(uint16_t *to, size_t count)
{
    uint64_t state = seed + count;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (uint16_t)(state >> 48);
    }
}

/* Does g equal the reference on this size, and leave alone what lies between the rows of z? */
static bool agrees(const struct pq_gemm16 *g, size_t n, size_t depth, size_t m)
{
    size_t stride = m + 3;
    uint16_t *l = pq_alloc(n * depth * sizeof *l), *r = pq_alloc(depth * m * sizeof *r);
    uint16_t *z = pq_alloc(n * stride * sizeof *z), *expected = pq_alloc(n * stride * sizeof *z);
    void *left = pq_alloc(g->left_bytes(n, depth)), *right = pq_alloc(g->right_bytes(depth, m));
    fill(l, n * depth);
    fill(r, depth * m);
    fill(z, n * stride);
    memcpy(expected, z, n * stride * sizeof *z);

    pq_gemm16_ref(expected, stride, l, depth, 1, r, m, n, depth, m);
    g->left_pack(left, l, n, depth, depth, 1);
    g->right_pack(right, r, depth, m, m);
    pq_gemm16_run(g, left, right, z, n, depth, m, stride);
    bool same = !memcmp(z, expected, n * stride * sizeof *z);

    free(l);
    free(r);
    free(z);
    free(expected);
    free(left);
    free(right);
    return same;
}

static bool valid(FILE *out, const struct pq_gemm16 *g)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 65 }, deep[] = { 255, 768, 3072 };
    for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
        for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++)
            for (size_t c = 0; c < sizeof sizes / sizeof *sizes + sizeof deep / sizeof *deep; c++) {
                size_t n = sizes[a], m = sizes[b], count = sizeof sizes / sizeof *sizes;
                size_t depth = c < count ? sizes[c] : deep[c - count];
                if (!agrees(g, n, depth, m)) {
                    fprintf(out, "%-12s INVALID: differs from the reference at n=%zu depth=%zu m=%zu\n", g->name, n,
                            depth, m);
                    return false;
                }
            }
    fprintf(out, "%-12s VALID\n", g->name);
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One core: every call is multiply, not pq_gemm16_run. */
static struct rate measure(const struct pq_gemm16 *g, const struct shape *s)
{
    size_t left_bytes = g->left_bytes(s->n, s->depth), right_bytes = g->right_bytes(s->depth, s->m);
    /* copies begin at multiples of 64 bytes, as left operands must */
    size_t step = (left_bytes + 63) / 64 * 64;
    uint16_t *l = pq_alloc(s->n * s->depth * sizeof *l), *r = pq_alloc(s->depth * s->m * sizeof *r);
    uint16_t *z = pq_alloc(s->n * s->m * sizeof *z);
    char *left = pq_alloc(step * s->copies);
    void *right = pq_alloc(right_bytes);
    double sample[SAMPLES];
    fill(l, s->n * s->depth);
    fill(r, s->depth * s->m);
    fill(z, s->n * s->m);
    for (size_t c = 0; c < s->copies; c++)
        g->left_pack(left + c * step, l, s->n, s->depth, s->depth, 1);
    g->right_pack(right, r, s->depth, s->m, s->m);

    for (int i = -1; i < SAMPLES; i++) { /* the first one warms up */
        uint64_t start = pq_now_ns(), spent;
        double passes = 0;
        do {
            for (size_t c = 0; c < s->copies; c++)
                g->multiply(left + c * step, right, z, 0, s->n, s->n, s->depth, s->m, s->m);
            passes++;
            spent = pq_now_ns() - start;
        } while (spent < SAMPLE_NS);
        if (i >= 0)
            sample[i] = passes * (double)(s->copies * s->n * s->depth * s->m) / ((double)spent * 1e-9);
    }
    free(l);
    free(r);
    free(z);
    free(left);
    free(right);
    qsort(sample, SAMPLES, sizeof *sample, ascending);
    return (struct rate){ sample[SAMPLES / 4], sample[SAMPLES / 2], sample[SAMPLES - 1 - SAMPLES / 4] };
}

static void print(FILE *out, const struct pq_gemm16 *g, const struct shape *s, struct rate rate, double peak,
                  double bandwidth)
{
    double read = rate.median / (double)s->m * (double)g->left_bytes(s->n, s->depth) / (double)(s->n * s->depth);
    fprintf(out, "%-12s %-16s %5zu %6zu %4zu %7zu %9.1f %7.1f %7.1f %7.0f%%", g->name, s->what, s->n, s->depth, s->m,
            s->copies, rate.median * 1e-9, rate.low * 1e-9, rate.high * 1e-9, 100 * rate.median / peak);
    if (s->copies > 1)
        fprintf(out, " %9.1f %9.0f%%", read * 1e-9, 100 * read / bandwidth);
    else
        fprintf(out, " %9s %10s", "-", "-");
    fprintf(out, " VALID\n");
}

/* With check: is the chosen variant at least as fast as the plain ones on every shape? */
static bool chosen_is_fastest(FILE *out, struct rate rates[][SHAPES], const bool *timed)
{
    const struct pq_gemm16 *all = pq_gemm16_variants(), *best = pq_gemm16_pick(NULL);
    bool fastest = true;
    for (size_t v = 0; all[v].name; v++)
        for (size_t s = 0; timed[v] && &all[v] != best && s < SHAPES; s++)
            if ((!strcmp(all[v].name, "ref") || !strcmp(all[v].name, "blas")) &&
                !(rates[best - all][s].median >= rates[v][s].median)) {
                fprintf(out, "SLOWER: the chosen variant %s is beaten by %s at n=%zu depth=%zu m=%zu\n", best->name,
                        all[v].name, shapes[s].n, shapes[s].depth, shapes[s].m);
                fastest = false;
            }
    return fastest;
}

int pq_kernels_bench(FILE *out, bool check)
{
    const struct pq_gemm16 *all = pq_gemm16_variants();
    struct rate rates[VARIANTS][SHAPES] = { { { 0 } } };
    bool timed[VARIANTS] = { false }, right = true;

    fprintf(out, "# products mod 2^16: each variant against the reference, seed %" PRIu64 "\n", seed);
    for (size_t v = 0; all[v].name; v++) {
        PQ_ASSERT(v < VARIANTS);
        if (!all[v].usable())
            fprintf(out, "%-12s SKIPPED: this machine cannot run it\n", all[v].name);
        else if (valid(out, &all[v]))
            timed[v] = true;
        else
            right = false;
    }

    const double vector = pq_machine_peak_macs(false), tiles = pq_machine_peak_macs(true);
    const double bandwidth = pq_machine_read_bandwidth(1, NULL, NULL);
    fprintf(out,
            "# one core: peak %.1f G multiply-adds/s in vectors, %.1f by the best unit; read bandwidth %.1f GB/s; "
            "chosen variant %s\n",
            vector * 1e-9, tiles * 1e-9, bandwidth * 1e-9, pq_gemm16_pick(NULL)->name);
    fprintf(out, "# %-10s %-16s %5s %6s %4s %7s %9s %7s %7s %8s %9s %10s\n", "variant", "product", "n", "depth", "m",
            "copies", "Gmac/s", "25%", "75%", "of_peak", "read_GB/s", "of_bandw.");
    for (size_t v = 0; all[v].name; v++)
        for (size_t s = 0; timed[v] && s < SHAPES; s++) {
            rates[v][s] = measure(&all[v], &shapes[s]);
            print(out, &all[v], &shapes[s], rates[v][s], strcmp(all[v].name, "amx") ? vector : tiles, bandwidth);
        }
    if (!right || (check && !chosen_is_fastest(out, rates, timed)))
        return PQ_INVALID;
    return PQ_OK;
}
