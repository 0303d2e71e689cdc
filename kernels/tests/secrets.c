#include "secrets.h"

#include "../bits.h"
#include "../gemm16.h"
#include "../machine.h"
#include "../prg.h"
#include "../ring.h"
#include "../share.h"
#include "../signs16.h"
#include "../status.h"
#include "../table.h"
#include "../table_variants.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { N = 77, WORK_BYTES = 1 << 18, PLACES = 4, PART = SECRET_BYTES / PLACES };

/* Results go here; what is secret comes from one of four parts of the input. */
static _Alignas(64) uint8_t work[PLACES][WORK_BYTES];

static const void *part(const uint8_t *secret, int i)
{
    return secret + i * PART;
}

/* Opened values: public, all different. */
static uint16_t public_index[N];
static uint8_t public_bytes[N], public_bits[N];

static void make_public(void)
{
    for (size_t i = 0; i < N; i++) {
        public_index[i] = (uint16_t)(7 * i % 16);
        public_bytes[i] = (uint8_t)(37 * i);
        public_bits[i] = i % 3 == 0;
    }
}

/* ---- matrix products: every shape of tile, both layouts of the left operand ---- */

static void multiply(const struct secret_case *c, const uint8_t *secret)
{
    static const struct { size_t n, depth, m; } sizes[] = { { 27, 19, 50 }, { 25, 18, 14 }, { 9, 7, 33 }, { 16, 392, 64 } };
    const struct pq_gemm16 *g = pq_gemm16_pick(c->kernel);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i].n, depth = sizes[i].depth, m = sizes[i].m;
        if (depth > 100 && strncmp(c->kernel, "strassen", 8)) /* a size that only these halve */
            continue;
        PQ_ASSERT(g->left_bytes(n, depth) <= WORK_BYTES && g->right_bytes(depth, m) <= WORK_BYTES);
        memcpy(work[2], part(secret, 2), 2 * n * m);
        g->left_pack(work[0], part(secret, 0), n, depth, i % 2 ? 1 : depth, i % 2 ? n : 1);
        g->right_pack(work[1], part(secret, 1), depth, m, m);
        g->multiply(work[0], work[1], (uint16_t *)work[2], 0, n, n, depth, m, m);
    }
}

/* Weights, multipliers and residues are secret: ragged panels, blocks and depth. */
static void multiply_signs(const struct secret_case *c, const uint8_t *secret)
{
    enum { ROWS = 70, DEPTH = 22, COLS = 9, FEW = 5 }; /* the plain way takes every step for every pattern */
    const struct pq_signs16 *v = pq_signs16_pick(c->kernel);
    uint16_t *r = (uint16_t *)work[1], *factor = (uint16_t *)work[2];
    int8_t *sign = (int8_t *)work[3];
    memcpy(r, part(secret, 0), 2 * DEPTH * COLS);
    memcpy(factor, part(secret, 1), 2 * ROWS);
    for (size_t i = 0; i < ROWS * DEPTH; i++)
        sign[i] = (int8_t)(1 - 2 * (secret[2 * PART + i] & 1));
    uint16_t *z = (uint16_t *)(work[2] + PART);
    memcpy(z, part(secret, 3), 2 * ROWS * COLS);
    const bool plain = !strcmp(c->kernel, "plain");
    const size_t n = plain ? FEW : ROWS, depth = plain ? FEW : DEPTH, m = plain ? FEW : COLS;
    PQ_ASSERT(pq_signs16_left_bytes(v, n, depth) <= PART && pq_signs16_scratch_bytes(v, depth) <= WORK_BYTES - PART);
    pq_signs16_left_pack(v, work[0], sign, factor, n, depth, depth);
    pq_signs16_run(v, work[0], r, m, z, n, depth, m, m, work[0] + PART);
}

/* ---- messages, rings, truncation ---- */

static void pack(const struct secret_case *c, const uint8_t *secret)
{
    (void)c;
    for (unsigned t = 1; t <= 32; t = t == 16 ? 32 : t + 1) {
        pq_bits_pack(work[0], part(secret, 0), N, t);
        pq_bits_unpack(work[1], part(secret, 1), N, t);
        pq_bits_pack_plain(work[0], part(secret, 0), N, t);
        pq_bits_unpack_plain(work[1], part(secret, 1), N, t);
    }
}

static void rings(const struct secret_case *c, const uint8_t *secret)
{
    (void)c;
    for (unsigned t = 4; t <= 32; t *= 2) {
        pq_ring_sub(work[0], part(secret, 0), part(secret, 1), N, t);
        pq_ring_add(work[1], part(secret, 0), part(secret, 1), N, t);
        for (size_t i = 0; i < N; i++) {
            const int32_t v = pq_ring_signed(pq_ring_get(part(secret, 0), i, t), t);
            pq_ring_put(work[2], i, t, (uint32_t)v);
        }
    }
}

static void truncations(const struct secret_case *c, const uint8_t *secret)
{
    static const struct { unsigned src, top, t; } widths[] = { { 8, 8, 4 },    { 16, 12, 6 },  { 16, 16, 12 },
                                                               { 32, 30, 8 },  { 32, 32, 16 }, { 16, 16, 16 },
                                                               { 32, 12, 12 }, { 8, 4, 4 } };
    (void)c;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int lowers = 0; lowers < 2; lowers++)
            pq_share_truncate(work[0], part(secret, 0), N, widths[i].src, widths[i].top, widths[i].t, lowers);
}

/* ---- tables ---- */

/* Content and rotation are secret. 1, 2, 4 ... 64 and 128 words; all widths of entries. */
static void rotate(const struct secret_case *c, const uint8_t *secret)
{
    static const struct { unsigned index_bits, out_bits; } tables[] = { { 4, 1 }, { 4, 4 }, { 4, 8 },  { 4, 16 },
                                                                        { 8, 1 }, { 8, 4 }, { 6, 32 }, { 6, 8 },
                                                                        { 7, 32 }, { 8, 32 } };
    const uint32_t *offset = part(secret, 1);
    (void)c;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const unsigned index_bits = tables[i].index_bits, w = pq_entry_bits(tables[i].out_bits);
        const unsigned content_bytes = w <= 8 ? 1 : w / 8;
        uint64_t *packed = (uint64_t *)work[0], *turned = (uint64_t *)work[1];
        memcpy(work[2], part(secret, 2), pq_table_bytes(index_bits, w));
        pq_table_pack(packed, part(secret, 0), content_bytes, index_bits, tables[i].out_bits);
        pq_table_rotate(turned, packed, index_bits, w, offset[i]);
        pq_table_rotate_each(work[3], packed, index_bits, w, offset, 32, 3);
        pq_table_mask(work[2], turned, pq_table_bytes(index_bits, w), w);
    }
    pq_table_rotate_rows((uint64_t *)work[1], part(secret, 0), 3, 4, 4, offset[0]);
    pq_table_rotate_rows((uint64_t *)work[1], part(secret, 0), 3, 4, 8, offset[1]);
    pq_table_rotate_rows((uint64_t *)work[1], part(secret, 0), 3, 6, 4, offset[2]);
    pq_table_rotate_rows((uint64_t *)work[1], part(secret, 0), 2, 6, 16, offset[3]);
    for (size_t words = 1; words <= 16; words *= 2)
        pq_table_rotate_plain((uint64_t *)work[1], part(secret, 0), 3, words, offset[words] & (64 * words - 1));
}

static void wraps(const struct secret_case *c, const uint8_t *secret)
{
    const uint8_t *flip = part(secret, 1);
    (void)c;
    uint8_t small[N];
    for (size_t i = 0; i < N; i++)
        small[i] = secret[i] & 15u;
    pq_wrap_tables(work[0], 8, secret, flip, N);
    pq_table_wrap_plain(work[3], secret, flip, N);
    pq_wrap_tables(work[1], 4, small, flip, N);
    pq_share_wrap16(work[2], part(secret, 2), public_bytes, N);
}

/* Halves are secret, the index is what was opened. */
static void look_up(const struct secret_case *c, const uint8_t *secret)
{
    enum { ROWS = 3, LEN = N / ROWS };
    const uint8_t *from[ROWS], opened[N] = { 0, 5, 15, 7 };
    (void)c;
    for (unsigned out_bits = 1; out_bits <= 32; out_bits += out_bits == 1 ? 3 : out_bits == 4 ? 1 : out_bits == 5 ? 3 : out_bits) {
        const size_t each = pq_table_bytes(4, pq_entry_bits(out_bits));
        pq_table_read(work[0], part(secret, 0), pq_table_stored(each, out_bits), public_index, N, out_bits);
        for (size_t i = 0; i < ROWS; i++)
            from[i] = (const uint8_t *)part(secret, 0) + i * LEN * each;
        pq_table_read_rows(work[1], from, ROWS, each, LEN, opened, ROWS, out_bits);
    }
}

/* ---- LayerNorm and reshare ---- */

static void shares(const struct secret_case *c, const uint8_t *secret)
{
    enum { LEN = 3, TOKENS = N / LEN };
    const struct pq_lift_view h = { public_bytes, public_bits, part(secret, 0), part(secret, 1) };
    const uint32_t *numbers = part(secret, 2), *more = part(secret, 3);
    (void)c;
    for (int first = 0; first < 2; first++) {
        memset(work[0], 0, 4 * TOKENS);
        memset(work[1], 0, 4 * TOKENS);
        pq_share_moments((uint32_t *)work[0], (uint32_t *)work[1], h, numbers, LEN, TOKENS, first);
        pq_share_normalise((uint32_t *)work[2], h, numbers, more, numbers + N, more + N, numbers + 2 * N, LEN, TOKENS,
                           LEN, first);
    }
    pq_share_carry(work[0], part(secret, 0), part(secret, 1), public_bits, 12, N);
    pq_share_carry(work[0], part(secret, 0), part(secret, 1), public_bits, 8, N);
    pq_share_deal_code(work[0], (uint16_t *)work[1], (uint16_t *)work[2], part(secret, 0), part(secret, 1),
                       part(secret, 2), 4, N);
    pq_share_assemble((uint16_t *)work[1], public_bytes, part(secret, 0), 8, 128, N);
    pq_share_hide_code(work[2], part(secret, 1), part(secret, 0), 8, 4, N);
    pq_share_shift(work[2], part(secret, 0), 128, N);
}

/* ---- random numbers: the key is secret ---- */

static void draw(const struct secret_case *c, const uint8_t *secret)
{
    static const uint64_t block[37] = { 9, 0, 77, 5, 1 }; /* more than are made at a time, and no multiple */
    const struct pq_address at = { 1, 2, 3 };
    struct pq_prg *prg = pq_prg_create_forced(secret, c->kernel);
    pq_prg_fill(prg, at, 5, 700, work[0]);
    pq_prg_blocks(prg, at, block, 37, work[1]);
    for (unsigned w = 1; w <= 32; w += w == 1 ? 3 : w)
        pq_prg_entries(prg, at, 0, 16 * w, public_index, N, w, pq_ring_mask(w), work[2]);
    pq_prg_free(prg);
}

/* ---- what must be noticed ---- */

static volatile uint8_t sink;

static void branches(const struct secret_case *c, const uint8_t *secret)
{
    (void)c;
    if (secret[100] & 1)
        sink = 1;
}

static void looks_up(const struct secret_case *c, const uint8_t *secret)
{
    (void)c;
    sink = ((const volatile uint8_t *)public_bytes)[secret[100] & 31];
}

static void ends_early(const struct secret_case *c, const uint8_t *secret)
{
    (void)c;
    for (size_t i = 0; i < N && ((const volatile uint8_t *)secret)[i]; i++)
        sink = (uint8_t)i;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void gathers(const struct secret_case *c, const uint8_t *secret)
{
    static const int table[16];
    (void)c;
    const __m128i index = _mm_and_si128(_mm_loadu_si128((const __m128i *)secret), _mm_set1_epi32(15));
    _mm_storeu_si128((__m128i *)work[0], _mm_i32gather_epi32(table, index, 4));
}
#endif

static const struct secret_case cases[] = {
    { "gemm16-ref", NULL, multiply, "ref", false },
    { "gemm16-blas", NULL, multiply, "blas", false },
#if defined(__x86_64__)
    { "gemm16-avx2", pq_cpu_avx2, multiply, "avx2", false },
    { "gemm16-winograd", pq_cpu_avx2, multiply, "winograd", false },
    { "gemm16-strassen256", pq_cpu_avx2, multiply, "strassen256", false },
    { "gemm16-avx512bw", pq_cpu_avx512bw, multiply, "avx512bw", false },
    { "gemm16-avx512vnni", pq_cpu_avx512vnni, multiply, "avx512vnni", false },
    { "gemm16-strassen", pq_cpu_avx512vnni, multiply, "strassen", false },
    { "gemm16-strassen512", pq_cpu_avx512vnni, multiply, "strassen512", false },
    { "gemm16-amx", pq_cpu_amx, multiply, "amx", false },
#endif
    { "signs16-plain", NULL, multiply_signs, "plain", false },
#if defined(__x86_64__)
    { "signs16-avx2", pq_cpu_avx2, multiply_signs, "avx2", false },
    { "signs16-avx512", pq_cpu_avx512bw, multiply_signs, "avx512", false },
#endif
    { "messages", NULL, pack, NULL, false },
    { "rings", NULL, rings, NULL, false },
    { "truncation", NULL, truncations, NULL, false },
    { "tables", NULL, rotate, NULL, false },
    { "wrap-tables", NULL, wraps, NULL, false },
    { "look-ups", NULL, look_up, NULL, false },
    { "norm-and-reshare", NULL, shares, NULL, false },
    { "prg-openssl", NULL, draw, "openssl", false },
#if defined(__x86_64__)
    { "prg-aesni", pq_cpu_aes, draw, "aesni", false },
    { "prg-vaes256", pq_cpu_vaes, draw, "vaes256", false },
    { "prg-vaes512", pq_cpu_vaes512, draw, "vaes512", false },
#endif
    { "planted-branch", NULL, branches, NULL, true },
    { "planted-address", NULL, looks_up, NULL, true },
    { "planted-early-end", NULL, ends_early, NULL, true },
#if defined(__x86_64__)
    { "planted-gather", pq_cpu_avx2, gathers, NULL, true },
#endif
    { .name = NULL },
};

const struct secret_case *secret_cases(void)
{
    make_public();
    return cases;
}
