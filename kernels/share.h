/* Elementwise arithmetic on shares that P1 and P2 do online (P0 offline, where so said), in rings as their comments say.
 * Loops only: no communication, no branch or address depends on a value. Arrays are [len][tokens], channel-major. */
#ifndef PQ_SHARE_H
#define PQ_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a lifted value is made of at one party (mpi/engine.h, pq_lifted). */
struct pq_lift_view { const uint8_t *delta, *rho; const uint32_t *c0, *c1; };

/* Per token, added to sum and squares (mod 2^32): this party's share of sum h and of sum h^2 over len channels.
 * `first`: P1, who adds what is public. c0c1 is its share of c0*c1. */
void pq_share_moments(uint32_t *sum, uint32_t *squares, struct pq_lift_view h, const uint32_t *c0c1, size_t len,
                      size_t tokens, bool first);

/* y = channels * h * r - hr (mod 2^32) in this party's shares: mu the opened r - m, m this party's half of m, hr its
 * share of H*r, each [tokens]. */
void pq_share_normalise(uint32_t *y, struct pq_lift_view h, const uint32_t *c0m, const uint32_t *c1m,
                        const uint32_t *mu, const uint32_t *m, const uint32_t *hr, size_t len, size_t tokens,
                        uint32_t channels, bool first);

/* The steps of reshare_code (mpi/engine.h), for codes of `bits` bits: what is opened first (delta = code + plus - mask
 * mod 2^bits), what is opened last (g = carry + rho * sign mod 2^high, high = 16 - bits) and the result. g is
 * pq_ring_bytes(high) wide. */
void pq_share_hide_code(uint8_t *delta, const uint8_t *code, const uint16_t *mask, unsigned plus, unsigned bits,
                        size_t n);
void pq_share_carry(void *g, const uint16_t *carry, const uint16_t *sign, const uint8_t *rho, unsigned high, size_t n);
void pq_share_assemble(uint16_t *x2, const uint8_t *delta, const void *g, unsigned bits, unsigned shift, size_t n);

/* What P0 deals for it, from the mask's halves x0 and x1 and the wrap's flip: low = the mask mod 2^bits (bits <= 8), carry =
 * flip + the rest of the mask, sign = 1 - 2 flip. */
void pq_share_deal_code(uint8_t *low, uint16_t *carry, uint16_t *sign, const uint16_t *x0, const uint16_t *x1,
                        const uint8_t *flip, unsigned bits, size_t n);

/* Bit number delta[i] of the i-th 16-bit wrap table. */
void pq_share_wrap16(uint8_t *rho, const uint16_t *table, const uint8_t *delta, size_t n);

/* dst = src + plus mod 2^8. */
void pq_share_shift(uint8_t *dst, const uint8_t *src, unsigned plus, size_t n);

/* Asks for `bytes` bytes of an array that are read soon, in loops that go through several arrays chunk by chunk: the
 * machine sees each as a new beginning. Past the array's end it may be: nothing is read, so no pointer. */
static inline void pq_share_fetch(const void *array, size_t from, size_t bytes)
{
    enum { LINE = 64 };
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const void *)((uintptr_t)array + from + i));
}

#endif
