#include "spread.h"

#include "../kernels/status.h"

#include <math.h>
#include <stdlib.h>

static const double tail = 0.025; /* on either side */
enum { EXACT_PAIRS = 400 };

/* The chance that U, the number of pairs in which b is below a, is u when both sets are alike:
 *   p(n, m, u) = n / (n + m) p(n - 1, m, u - m) + m / (n + m) p(n, m - 1, u)
 * by whether the largest of all values is one of a's n or of b's m. row[j] holds p(i, j, .) for the current i. */
static size_t outside_exact(size_t n, size_t m)
{
    const size_t width = n * m + 1;
    double *p = calloc((m + 1) * width, sizeof *p);
    PQ_ASSERT(p);
    for (size_t j = 0; j <= m; j++)
        p[j * width] = 1; /* i = 0: no pairs */
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++)
            for (size_t u = i * j + 1; u-- > 0;) {
                double with_a = u >= j ? p[j * width + u - j] : 0, with_b = p[(j - 1) * width + u];
                p[j * width + u] = ((double)i * with_a + (double)j * with_b) / (double)(i + j);
            }
    double sum = 0;
    size_t outside = 0;
    while (sum + p[m * width + outside] <= tail)
        sum += p[m * width + outside++];
    free(p);
    return outside;
}

size_t pq_spread_outside(size_t n, size_t m)
{
    if (n * m <= EXACT_PAIRS)
        return outside_exact(n, m);
    const double pairs = (double)n * (double)m, deviation = sqrt(pairs * (double)(n + m + 1) / 12);
    const double most = floor(pairs / 2 - 1.959964 * deviation - 0.5); /* the largest U in the tail */
    return most < 0 ? 0 : (size_t)most + 1;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct pq_ratio pq_spread_ratio(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    const size_t pairs = n * m, outside = pq_spread_outside(n, m);
    double *ratio = calloc(pairs, sizeof *ratio);
    PQ_ASSERT(ratio);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            ratio[i * m + j] = (double)b[j] / (double)a[i];
    qsort(ratio, pairs, sizeof *ratio, ascending);
    struct pq_ratio r = { .middle = (ratio[(pairs - 1) / 2] + ratio[pairs / 2]) / 2, .known = outside > 0 };
    if (r.known) {
        r.low = ratio[outside - 1];
        r.high = ratio[pairs - outside];
    }
    free(ratio);
    return r;
}
