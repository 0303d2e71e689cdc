/* See bench.h. Inputs come from a fixed seed and are never zero; a variant that is wrong gets no rate. */
#include "bench.h"

#include "gemm16.h"
#include "machine.h"
#include "signs16.h"

#include <inttypes.h>
#include <omp.h>
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

/* Multiplies copy number `copy` of a shape's left operand. */
typedef void one_copy(const void *user, const struct shape *s, size_t copy);

static struct rate time_copies(const struct shape *s, one_copy *multiply, const void *user)
{
    double sample[SAMPLES];
    for (int i = -1; i < SAMPLES; i++) { /* the first one warms up */
        uint64_t start = pq_now_ns(), spent;
        double passes = 0;
        do {
            for (size_t c = 0; c < s->copies; c++)
                multiply(user, s, c);
            passes++;
            spent = pq_now_ns() - start;
        } while (spent < SAMPLE_NS);
        if (i >= 0)
            sample[i] = passes * (double)(s->copies * s->n * s->depth * s->m) / ((double)spent * 1e-9);
    }
    qsort(sample, SAMPLES, sizeof *sample, ascending);
    return (struct rate){ sample[SAMPLES / 4], sample[SAMPLES / 2], sample[SAMPLES - 1 - SAMPLES / 4] };
}

struct packed { const struct pq_gemm16 *g; const char *left; size_t step; const void *right; uint16_t *z; };

/* One core: every call is multiply, not pq_gemm16_run. */
static void multiply_packed(const void *user, const struct shape *s, size_t copy)
{
    const struct packed *p = user;
    p->g->multiply(p->left + copy * p->step, p->right, p->z, 0, s->n, s->n, s->depth, s->m, s->m);
}

static struct rate measure(const struct pq_gemm16 *g, const struct shape *s)
{
    size_t left_bytes = g->left_bytes(s->n, s->depth), right_bytes = g->right_bytes(s->depth, s->m);
    /* copies begin at multiples of 64 bytes, as left operands must */
    size_t step = (left_bytes + 63) / 64 * 64;
    uint16_t *l = pq_alloc(s->n * s->depth * sizeof *l), *r = pq_alloc(s->depth * s->m * sizeof *r);
    uint16_t *z = pq_alloc(s->n * s->m * sizeof *z);
    char *left = pq_alloc(step * s->copies);
    void *right = pq_alloc(right_bytes);
    fill(l, s->n * s->depth);
    fill(r, s->depth * s->m);
    fill(z, s->n * s->m);
    for (size_t c = 0; c < s->copies; c++)
        g->left_pack(left + c * step, l, s->n, s->depth, s->depth, 1);
    g->right_pack(right, r, s->depth, s->m, s->m);

    const struct rate rate = time_copies(s, multiply_packed, &(struct packed){ g, left, step, right, z });
    free(l);
    free(r);
    free(z);
    free(left);
    free(right);
    return rate;
}

/* What the core can do just now: rates are set beside what was measured right before and right after them, because a
 * machine that is shared changes its speed within seconds (by a third, on one this was written on). */
struct limits { double peak, bandwidth; }; /* multiply-adds, and bytes, per second */

static struct limits measure_limits(bool tiles, bool memory)
{
    return (struct limits){ pq_machine_peak_macs(tiles), memory ? pq_machine_read_bandwidth(1, NULL, NULL) : 0 };
}

static struct limits mean(struct limits a, struct limits b)
{
    return (struct limits){ (a.peak + b.peak) / 2, (a.bandwidth + b.bandwidth) / 2 };
}

/* left_bytes: of one copy of the packed left operand. */
static void print(FILE *out, const char *name, size_t left_bytes, const struct shape *s, struct rate rate,
                  struct limits limits)
{
    double read = rate.median / (double)s->m * (double)left_bytes / (double)(s->n * s->depth);
    fprintf(out, "%-12s %-16s %5zu %6zu %4zu %7zu %9.1f %7.1f %7.1f %7.0f%%", name, s->what, s->n, s->depth, s->m,
            s->copies, rate.median * 1e-9, rate.low * 1e-9, rate.high * 1e-9, 100 * rate.median / limits.peak);
    if (s->copies > 1)
        fprintf(out, " %9.1f %9.0f%%", read * 1e-9, 100 * read / limits.bandwidth);
    else
        fprintf(out, " %9s %10s", "-", "-");
    fprintf(out, " VALID\n");
}

bool pq_kernel_keeps_up(FILE *out, const char *name, double rate, const char *other, double other_rate, size_t n,
                        size_t depth, size_t m)
{
    if (rate >= other_rate) /* false also of what is no number */
        return true;
    fprintf(out, "SLOWER: %s is beaten by %s at n=%zu depth=%zu m=%zu\n", name, other, n, depth, m);
    return false;
}

/* With check: is the chosen variant at least as fast as the plain ones on every shape? */
static bool chosen_is_fastest(FILE *out, struct rate rates[][SHAPES], const bool *timed)
{
    const struct pq_gemm16 *all = pq_gemm16_variants(), *best = pq_gemm16_pick(NULL);
    bool fastest = true;
    for (size_t v = 0; all[v].name; v++)
        for (size_t s = 0; timed[v] && &all[v] != best && s < SHAPES; s++)
            if (!strcmp(all[v].name, "ref") || !strcmp(all[v].name, "blas"))
                fastest = pq_kernel_keeps_up(out, best->name, rates[best - all][s].median, all[v].name,
                                             rates[v][s].median, shapes[s].n, shapes[s].depth, shapes[s].m) && fastest;
    return fastest;
}

/* P0's product of 1-bit weights (signs16.h), with the tables that it makes of the right operand each time. */
struct signs { const struct pq_signs16 *v; const char *left; size_t step; const uint16_t *r; uint16_t *z; void *scratch; };

static void multiply_signs(const void *user, const struct shape *s, size_t copy)
{
    const struct signs *p = user;
    pq_signs16_run(p->v, p->left + copy * p->step, p->r, s->m, p->z, s->n, s->depth, s->m, s->m, p->scratch);
}

/* Weights and multipliers of a seed, as such and as residues. */
static void fill_signs(int8_t *weight, uint16_t *factor, uint16_t *residue, size_t n, size_t depth)
{
    fill(residue, n * depth);
    fill(factor, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < depth; k++) {
            const size_t at = i * depth + k;
            weight[at] = residue[at] & 1 ? 1 : -1;
            residue[at] = (uint16_t)(factor[i] * (uint32_t)weight[at]);
        }
}

/* Returns whether it equals the reference; rate: of the shape, if that is asked for. */
static bool try_signs(const struct shape *s, struct rate *rate)
{
    const struct pq_signs16 *v = pq_signs16_pick(NULL);
    const size_t n = s->n, depth = s->depth, m = s->m, step = (pq_signs16_left_bytes(v, n, depth) + 63) / 64 * 64;
    int8_t *weight = pq_alloc(n * depth);
    uint16_t *factor = pq_alloc(2 * n), *residue = pq_alloc(2 * n * depth), *r = pq_alloc(2 * depth * m);
    uint16_t *z = pq_alloc(2 * n * m), *expected = pq_alloc(2 * n * m);
    char *left = pq_alloc(step * s->copies);
    void *scratch = pq_alloc(pq_signs16_scratch_bytes(v, depth));
    fill_signs(weight, factor, residue, n, depth);
    fill(r, depth * m);
    fill(z, n * m);
    memcpy(expected, z, 2 * n * m);
    for (size_t c = 0; c < s->copies; c++)
        pq_signs16_left_pack(v, left + c * step, weight, factor, n, depth, depth);
    const struct signs signs = { v, left, step, r, z, scratch };
    pq_gemm16_ref(expected, m, residue, depth, 1, r, m, n, depth, m);
    multiply_signs(&signs, s, 0);
    const bool same = !memcmp(z, expected, 2 * n * m);
    if (rate)
        *rate = time_copies(s, multiply_signs, &signs);
    void *const all[] = { weight, factor, residue, r, z, expected, left, scratch };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return same;
}

static bool signs_are_right(FILE *out)
{
    static const size_t sizes[] = { 1, 3, 8, 17, 31, 33, 65, 768 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (size_t i = 0; i < COUNT * COUNT * COUNT; i++) {
        const struct shape s = { "", sizes[i % COUNT], sizes[i / COUNT % COUNT], sizes[i / COUNT / COUNT], 1 };
        if (s.n * s.depth * s.m <= 768 * 768 * 65 && !try_signs(&s, NULL)) {
            fprintf(out, "%-12s INVALID: differs from the reference at n=%zu depth=%zu m=%zu\n", "signs16", s.n, s.depth,
                    s.m);
            return false;
        }
    }
    fprintf(out, "%-12s VALID\n", "signs16");
    return true;
}

/* chosen: the rates of the variant whose place it takes. Is it faster on every shape of a linear layer? */
static bool bench_signs(FILE *out, const struct rate *chosen)
{
    const int threads = omp_get_max_threads();
    bool faster = true;
    omp_set_num_threads(1);
    for (size_t s = 0; s < SHAPES; s++) {
        if (shapes[s].depth < 768) /* attention has no weights */
            continue;
        struct rate rate = { 0 };
        const bool memory = shapes[s].copies > 1;
        const struct limits before = measure_limits(false, memory);
        PQ_ASSERT(try_signs(&shapes[s], &rate)); /* as on the awkward sizes */
        print(out, "signs16", pq_signs16_left_bytes(pq_signs16_pick(NULL), shapes[s].n, shapes[s].depth), &shapes[s], rate,
              mean(before, measure_limits(false, memory)));
        faster = pq_kernel_keeps_up(out, "signs16", rate.median, pq_gemm16_pick(NULL)->name, chosen[s].median,
                                    shapes[s].n, shapes[s].depth, shapes[s].m) && faster;
    }
    omp_set_num_threads(threads);
    return faster;
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

    const bool signs = pq_gemm16_pick(NULL)->signs;
    right = (!signs || signs_are_right(out)) && right;

    fprintf(out,
            "# one core: peak %.1f G multiply-adds/s in vectors, %.1f by the best unit; read bandwidth %.1f GB/s; "
            "chosen variant %s\n",
            pq_machine_peak_macs(false) * 1e-9, pq_machine_peak_macs(true) * 1e-9,
            pq_machine_read_bandwidth(1, NULL, NULL) * 1e-9, pq_gemm16_pick(NULL)->name);
    fprintf(out, "# of_peak, of_bandw.: of what was measured right before and right after\n");
    fprintf(out, "# %-10s %-16s %5s %6s %4s %7s %9s %7s %7s %8s %9s %10s\n", "variant", "product", "n", "depth", "m",
            "copies", "Gmac/s", "25%", "75%", "of_peak", "read_GB/s", "of_bandw.");
    for (size_t v = 0; all[v].name; v++)
        for (size_t s = 0; timed[v] && s < SHAPES; s++) {
            const bool tiles = !strcmp(all[v].name, "amx"), memory = shapes[s].copies > 1;
            const struct limits before = measure_limits(tiles, memory);
            rates[v][s] = measure(&all[v], &shapes[s]);
            print(out, all[v].name, all[v].left_bytes(shapes[s].n, shapes[s].depth), &shapes[s], rates[v][s],
                  mean(before, measure_limits(tiles, memory)));
        }
    const bool faster = !signs || bench_signs(out, rates[pq_gemm16_pick(NULL) - all]);
    return right && (!check || (faster && chosen_is_fastest(out, rates, timed))) ? PQ_OK : PQ_INVALID;
}
