/* Seeded numbers for synthetic models and inputs (splitmix64): the same everywhere for the same seed. Nothing secret
 * depends on it. */
#ifndef PQ_SPLITMIX_H
#define PQ_SPLITMIX_H

#include <stdint.h>

static inline uint64_t pq_splitmix_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The start of a stream of its own for each (seed, a, b): drawing from one never shifts another. */
static inline uint64_t pq_splitmix_stream(uint64_t seed, uint32_t a, uint32_t b)
{
    uint64_t state = seed, key = pq_splitmix_next(&state) ^ ((uint64_t)a << 32 | b);
    return pq_splitmix_next(&key);
}

/* Uniform in [0, 1). */
static inline double pq_splitmix_uniform(uint64_t *state)
{
    return (double)(pq_splitmix_next(state) >> 11) * 0x1p-53;
}

/* Mean 0, variance 1, a sum of four uniforms: bell-shaped and bounded by 3.47, which keeps synthetic models free of
 * outliers that no calibration sample has seen. */
static inline double pq_splitmix_bell(uint64_t *state)
{
    uint64_t z = pq_splitmix_next(state);
    uint32_t sum = (uint32_t)(z & 0xffff) + (uint32_t)(z >> 16 & 0xffff) + (uint32_t)(z >> 32 & 0xffff)
                   + (uint32_t)(z >> 48);
    return ((double)sum - 131070.0) * (1.0 / 37837.227); /* 37837.227 = sqrt(4 * 65536^2 / 12) */
}

#endif
