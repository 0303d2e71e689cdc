#include "spread.h"

#include <math.h>
#include <stdio.h>

void spread_add(struct spread *s, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        s->byte[data[i]]++;
    s->total += bytes;
}

/* Probability that a chi-square variable of so many degrees of freedom exceeds x. */
static double exceeds(double x, double degrees)
{
    const double v = 2 / (9 * degrees);
    return erfc((cbrt(x / degrees) - (1 - v)) / sqrt(2 * v)) / 2;
}

static void book(struct finding *f, const char *what, double p)
{
    f->tests++;
    if (p < f->p) {
        f->p = p;
        snprintf(f->where, sizeof f->where, "%s", what);
    }
}

/* Both halves of every byte. */
static void halves(const struct spread *s, uint64_t half[16])
{
    for (int i = 0; i < 16; i++)
        half[i] = 0;
    for (int b = 0; b < 256; b++) {
        half[b % 16] += s->byte[b];
        half[b / 16] += s->byte[b];
    }
}

static double against_uniform(const uint64_t *count, int classes, uint64_t total)
{
    const double expected = (double)total / classes;
    double x = 0;
    for (int i = 0; i < classes; i++)
        x += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
    return exceeds(x, classes - 1);
}

void spread_uniform(const struct spread *s, const char *what, struct finding *f)
{
    uint64_t half[16];
    halves(s, half);
    if (s->total >= SPREAD_SMALLEST)
        book(f, what, against_uniform(half, 16, 2 * s->total));
    if (s->total >= SPREAD_BYTES)
        book(f, what, against_uniform(s->byte, 256, s->total));
}

/* Homogeneity of two samples; classes that neither has are left out. */
static double against_each_other(const uint64_t *a, const uint64_t *b, int classes, uint64_t na, uint64_t nb)
{
    const double ra = sqrt((double)nb / (double)na), rb = 1 / ra;
    double x = 0;
    int used = 0;
    for (int i = 0; i < classes; i++) {
        const double d = ra * (double)a[i] - rb * (double)b[i];
        if (a[i] + b[i] == 0)
            continue;
        x += d * d / (double)(a[i] + b[i]);
        used++;
    }
    return used > 1 ? exceeds(x, used - 1) : 1;
}

void spread_same(const struct spread *a, const struct spread *b, const char *what, struct finding *f)
{
    uint64_t half_a[16], half_b[16];
    const uint64_t smaller = a->total < b->total ? a->total : b->total;
    halves(a, half_a);
    halves(b, half_b);
    if (smaller >= SPREAD_SMALLEST)
        book(f, what, against_each_other(half_a, half_b, 16, 2 * a->total, 2 * b->total));
    if (smaller >= SPREAD_BYTES)
        book(f, what, against_each_other(a->byte, b->byte, 256, a->total, b->total));
}
