#include "share.h"
#include "clones.h"
#include "ring.h"

PQ_CLONES
static void moments(uint32_t *restrict sum, uint32_t *restrict squares, struct pq_lift_view h,
                      const uint32_t *restrict c0c1, size_t len, size_t tokens, bool first)
{
    const uint32_t public_part = first;
    for (size_t k = 0; k < len; k++) {
        const uint8_t *restrict delta = h.delta + k * tokens, *restrict rho = h.rho + k * tokens;
        const uint32_t *restrict c0 = h.c0 + k * tokens, *restrict c1 = h.c1 + k * tokens,
                                 *restrict product = c0c1 + k * tokens;
        for (size_t t = 0; t < tokens; t++) {
            const uint32_t d = delta[t], bit = 0u - rho[t]; /* all ones where rho is 1 */
            sum[t] += public_part * d + c0[t] + (c1[t] & bit);
            squares[t] +=
                public_part * d * d + 2 * d * c0[t] + ((2 * d * c1[t] + 2 * product[t] + (public_part << 16)) & bit);
        }
    }
}

void pq_share_moments(uint32_t *sum, uint32_t *squares, struct pq_lift_view h,
                      const uint32_t *c0c1, size_t len, size_t tokens, bool first)
{
    moments(sum, squares, h, c0c1, len, tokens, first);
}

PQ_CLONES
static void normalise(uint32_t *restrict y, struct pq_lift_view h, const uint32_t *restrict c0m,
                      const uint32_t *restrict c1m, const uint32_t *restrict mu, const uint32_t *restrict m,
                      const uint32_t *restrict hr, size_t len, size_t tokens, uint32_t channels, bool first)
{
    const uint32_t public_part = first;
    for (size_t k = 0; k < len; k++)
        for (size_t t = 0; t < tokens; t++) {
            const size_t i = k * tokens + t;
            const uint32_t d = h.delta[i], bit = 0u - h.rho[i], factor = mu[t];
            const uint32_t product =
                d * (public_part * factor + m[t]) + factor * h.c0[i] + c0m[i] + ((factor * h.c1[i] + c1m[i]) & bit);
            y[i] = channels * product - hr[t];
        }
}

void pq_share_normalise(uint32_t *y, struct pq_lift_view h, const uint32_t *c0m, const uint32_t *c1m,
                        const uint32_t *mu, const uint32_t *m, const uint32_t *hr, size_t len,
                        size_t tokens, uint32_t channels, bool first)
{
    normalise(y, h, c0m, c1m, mu, m, hr, len, tokens, channels, first);
}

#define CARRY(name, type) \
    PQ_CLONES static void name(type *restrict g, const uint16_t *restrict carry, const uint16_t *restrict sign, \
                               const uint8_t *restrict rho, type mask, size_t n) \
    { \
        for (size_t i = 0; i < n; i++) \
            g[i] = (type)((carry[i] + (sign[i] & (0u - rho[i]))) & mask); \
    }
CARRY(carry8, uint8_t)
CARRY(carry16, uint16_t)

void pq_share_carry(void *g, const uint16_t *carry, const uint16_t *sign, const uint8_t *rho, unsigned high, size_t n)
{
    if (pq_ring_bytes(high) == 1)
        carry8(g, carry, sign, rho, (uint8_t)pq_ring_mask(high), n);
    else
        carry16(g, carry, sign, rho, (uint16_t)pq_ring_mask(high), n);
}

#define ASSEMBLE(name, type) \
    PQ_CLONES static void name(uint16_t *restrict x2, const uint8_t *restrict delta, const type *restrict g, \
                               unsigned bits, unsigned shift, size_t n) \
    { \
        for (size_t i = 0; i < n; i++) \
            x2[i] = (uint16_t)(delta[i] - shift - ((uint32_t)g[i] << bits)); \
    }
ASSEMBLE(assemble8, uint8_t)
ASSEMBLE(assemble16, uint16_t)

void pq_share_assemble(uint16_t *x2, const uint8_t *delta, const void *g, unsigned bits, unsigned shift, size_t n)
{
    if (pq_ring_bytes(16 - bits) == 1)
        assemble8(x2, delta, g, bits, shift, n);
    else
        assemble16(x2, delta, g, bits, shift, n);
}

PQ_CLONES
static void deal_code(uint8_t *restrict low, uint16_t *restrict carry, uint16_t *restrict sign,
                      const uint16_t *restrict x0, const uint16_t *restrict x1, const uint8_t *restrict flip,
                      unsigned bits, uint16_t ring, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t mask = (uint16_t)(x0[i] + x1[i]);
        low[i] = (uint8_t)(mask & ring);
        carry[i] = (uint16_t)(flip[i] + (mask >> bits));
        sign[i] = (uint16_t)(1u - 2u * flip[i]);
    }
}

void pq_share_deal_code(uint8_t *low, uint16_t *carry, uint16_t *sign, const uint16_t *x0, const uint16_t *x1,
                        const uint8_t *flip, unsigned bits, size_t n)
{
    deal_code(low, carry, sign, x0, x1, flip, bits, (uint16_t)pq_ring_mask(bits), n);
}

PQ_CLONES
static void wrap16(uint8_t *restrict rho, const uint16_t *restrict table, const uint8_t *restrict delta, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rho[i] = (uint8_t)((uint32_t)table[i] >> (delta[i] & 15) & 1u);
}

void pq_share_wrap16(uint8_t *rho, const uint16_t *table, const uint8_t *delta, size_t n)
{
    wrap16(rho, table, delta, n);
}

PQ_CLONES
static void hide_code(uint8_t *restrict delta, const uint8_t *restrict code, const uint16_t *restrict mask,
                      unsigned plus, unsigned ring, size_t n)
{
    for (size_t i = 0; i < n; i++)
        delta[i] = (uint8_t)((code[i] + plus - mask[i]) & ring);
}

void pq_share_hide_code(uint8_t *delta, const uint8_t *code, const uint16_t *mask, unsigned plus, unsigned bits,
                        size_t n)
{
    hide_code(delta, code, mask, plus, pq_ring_mask(bits), n);
}

PQ_CLONES
static void shift(uint8_t *restrict dst, const uint8_t *restrict src, unsigned plus, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)(src[i] + plus);
}

void pq_share_shift(uint8_t *dst, const uint8_t *src, unsigned plus, size_t n)
{
    shift(dst, src, plus, n);
}
