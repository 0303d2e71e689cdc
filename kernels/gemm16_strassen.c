/* The product mod 2^16 by one level of Strassen's algorithm over the tiles of avx512vnni: seven products of halves in
 * place of eight. Additions wrap like everything in the ring, so the result is exact: bit for bit the definition's.
 * The seven products and fifteen additions are Winograd's (S. Winograd, Linear Algebra and its Applications 4, 1971;
 * V. Strassen, Numerische Mathematik 13, 1969).
 *
 * Halves are local, not those of the whole matrices. The left operand is halved between neighbouring panels (rows) and
 * within a chunk of at most 2 * MOST pairs (depth), so that it keeps the layout of gemm16_pack.h, in memory as often
 * as before; its four sums are made in the cache, for BLOCK panels at a time, while they are needed. The right
 * operand is halved within groups of 64 columns; its sums are made when it is packed:
 *
 *   [depth chunk][group][product 0..6][2 blocks of 16 columns][pairs of the half chunk][16][2]
 *
 * then the columns that fill no group, as gemm16_pack.h has them, for the classical product.
 *
 *   product      0    1    2    3    4    5    6        S1 = A21 + A22    T1 = B12 - B11
 *   left        A11  A12  A22  S1   S2   S4   S3        S2 = S1 - A11     T2 = B22 - T1
 *   right       B11  B21  T4   T1   T2   B22  T3        S4 = A12 - S2     T4 = T2 - B21
 *                                                       S3 = A11 - A21    T3 = B22 - B12
 *
 * The sums of the left operand are made beside the products 0 to 3 of the first group, by units that are idle there. */
#if defined(__x86_64__)

#include "gemm16_tiles_vnni.h"
#include "gemm16_variants.h"

enum {
    GROUP = 64,     /* columns */
    PRODUCTS = 7,
    SUMS = 4,
    MOST = 192,     /* pairs of half a chunk: 24 KiB of a right operand's two blocks, for the L1 cache */
    BLOCK = 8,      /* panels whose sums (96 KiB) lie in the L2 cache at a time */
    LEAST_DEPTH = 384, /* attention's products have few rows: there the right operand's sums would not pay */
    PAIR_LEFT = 32, /* bytes of a pair in a panel, and in a block */
    PAIR_RIGHT = 64
};

/* Columns that go by Strassen's algorithm. */
static size_t grouped(size_t depth, size_t m)
{
    return depth >= LEAST_DEPTH && depth % 8 == 0 ? m / GROUP * GROUP : 0;
}

/* Bytes from one block to the next: one vector more than a block has, lest the fourteen that are packed side by side
 * lie in the same set of the L1 cache. */
static size_t block_step(size_t half)
{
    return (half + 1) * PAIR_RIGHT;
}

/* Right operand of one group and chunk. */
static size_t group_bytes(size_t half)
{
    return PRODUCTS * 2 * block_step(half);
}

static size_t grouped_bytes(size_t depth, size_t m)
{
    size_t bytes = 0;
    for (size_t p = 0; p < depth / 4; p += MOST)
        bytes += grouped(depth, m) / GROUP * group_bytes(pq_gemm16_least(depth / 4 - p, MOST));
    return bytes;
}

size_t pq_gemm16_strassen_right_bytes(size_t depth, size_t m)
{
    return grouped_bytes(depth, m) + pq_gemm16_right_bytes(depth, m - grouped(depth, m));
}

/* 32 columns of two neighbouring rows as the vectors of two blocks. */
struct quarter { __m512i v[2]; };

static struct quarter load_quarter(const uint16_t *src, size_t row_stride)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6,
                                           37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    const __m512i even = _mm512_loadu_si512(src), odd = _mm512_loadu_si512(src + row_stride);
    return (struct quarter){ { _mm512_permutex2var_epi16(even, first, odd),
                               _mm512_permutex2var_epi16(even, second, odd) } };
}

static struct quarter minus(struct quarter a, struct quarter b)
{
    return (struct quarter){ { _mm512_sub_epi16(a.v[0], b.v[0]), _mm512_sub_epi16(a.v[1], b.v[1]) } };
}

static void put_quarter(char *dst, size_t product, size_t half, struct quarter q)
{
    for (size_t b = 0; b < 2; b++)
        _mm512_store_si512((void *)(dst + (2 * product + b) * block_step(half)), q.v[b]);
}

/* One group of one chunk, half a chunk being `half` pairs; src is its first row and column. */
static void pack_group(char *dst, const uint16_t *src, size_t half, size_t row_stride)
{
    const uint16_t *below = src + 2 * half * row_stride;
    for (size_t p = 0; p < half; p++, dst += PAIR_RIGHT) {
        const size_t at = 2 * p * row_stride;
        const struct quarter b11 = load_quarter(src + at, row_stride), b12 = load_quarter(src + at + 32, row_stride);
        const struct quarter b21 = load_quarter(below + at, row_stride);
        const struct quarter b22 = load_quarter(below + at + 32, row_stride);
        const struct quarter t1 = minus(b12, b11), t2 = minus(b22, t1);
        put_quarter(dst, 0, half, b11);
        put_quarter(dst, 1, half, b21);
        put_quarter(dst, 2, half, minus(t2, b21));
        put_quarter(dst, 3, half, t1);
        put_quarter(dst, 4, half, t2);
        put_quarter(dst, 5, half, b22);
        put_quarter(dst, 6, half, minus(b22, b12));
    }
}

void pq_gemm16_strassen_right_pack(void *dst, const uint16_t *src, size_t depth, size_t m, size_t row_stride)
{
    const size_t cols = grouped(depth, m);
    char *to = dst;
    for (size_t p = 0; cols && p < depth / 4; p += MOST) {
        const size_t half = pq_gemm16_least(depth / 4 - p, MOST);
        for (size_t j = 0; j < cols; j += GROUP, to += group_bytes(half))
            pack_group(to, src + 4 * p * row_stride + j, half, row_stride);
    }
    pq_gemm16_right_pack((char *)dst + grouped_bytes(depth, m), src + cols, depth, m - cols, row_stride);
}

/* tile_8x2 of gemm16_tiles512.h that makes a sum of left operands besides, d = a OP b, 32 bytes for each pair: the
 * multiply-adds leave load, store and two more vector units idle enough. d, a and b have `pairs` * 32 bytes. */
#define TILE_AND(op)                                                                                                \
    __asm__ volatile(ZERO(FIRST_16)                                                                                 \
                     LOOP                                                                                           \
                     LOAD("(%[r])", 24) LOAD("(%[r],%[s])", 25)                                                     \
                     "prefetcht0 (%[l],%[f])\n\t"                                                                   \
                     "vmovdqa64 (%[a],%[x]), %%ymm16\n\t"                                                           \
                     ROW2(0, 26, 0, 1) ROW2(1, 27, 2, 3) ROW2(2, 28, 4, 5) ROW2(3, 29, 6, 7)                        \
                     op " (%[b],%[x]), %%ymm16, %%ymm16\n\t"                                                        \
                     ROW2(4, 26, 8, 9) ROW2(5, 27, 10, 11) ROW2(6, 28, 12, 13) ROW2(7, 29, 14, 15)                  \
                     "vmovdqa64 %%ymm16, (%[d],%[x])\n\tadd $32, %[x]\n\t"                                          \
                     NEXT                                                                                           \
                     PUT_16                                                                                         \
                     : [l] "+r"(l), [r] "+r"(r), [p] "+r"(pairs), [x] "+r"(x)                                       \
                     : [t] "r"(t), [even] "m"(even_words), [s] "r"(step), [f] "r"(ahead), [d] "r"(sum.d),           \
                       [a] "r"(sum.a), [b] "r"(sum.b)                                                               \
                     : CLOBBERS)

struct sum { char *d; const char *a, *b; };

static void tile_and_add(uint16_t *t, const char *l, const char *r, size_t pairs, size_t step, size_t ahead,
                         struct sum sum)
{
    size_t x = 0;
    TILE_AND("vpaddw");
}

static void tile_and_sub(uint16_t *t, const char *l, const char *r, size_t pairs, size_t step, size_t ahead,
                         struct sum sum)
{
    size_t x = 0;
    TILE_AND("vpsubw");
}

/* Two panels of a chunk: the left operands of the seven products, the sums to be made beside products 0 to 3, and
 * what is fetched meanwhile: the four halves of the panels that come after this block. */
struct lefts {
    const char *of[PRODUCTS];
    uintptr_t soon[4]; /* no pointers: past the end in the end */
    struct sum sum[SUMS];
};

/* a1, a2: the panels, a2 zeros where there is no second; s: room for the sums; soon: the panels that come next. */
static struct lefts lefts_of(const char *a1, const char *a2, char *s, uintptr_t soon, size_t panel, size_t bytes)
{
    char *s1 = s, *s2 = s + bytes, *s3 = s + 2 * bytes, *s4 = s + 3 * bytes;
    return (struct lefts){
        { a1, a1 + bytes, a2 + bytes, s1, s2, s4, s3 },
        { soon, soon + bytes, soon + panel, soon + panel + bytes },
        { { s1, a2, a2 + bytes }, { s2, s1, a1 }, { s4, a1 + bytes, s2 }, { s3, a1, a2 } },
    };
}

static __m512i tile_row(const uint16_t *t, size_t product, size_t row)
{
    return _mm512_load_si512((const void *)(t + product * BLOCK / 2 * 8 * 32 + row * 32));
}

static void add_row(uint16_t *z, __m512i more)
{
    _mm512_storeu_si512(z, _mm512_add_epi16(_mm512_loadu_si512(z), more));
}

/* z += the product, from its seven parts, for the rows that exist of two panels. */
static void add_up(uint16_t *z, size_t z_stride, const uint16_t *t, size_t rows)
{
    for (size_t i = 0; i < pq_gemm16_least(rows, PQ_PANEL_ROWS); i++) {
        const __m512i p0 = tile_row(t, 0, i), p3 = tile_row(t, 3, i);
        const __m512i u = _mm512_add_epi16(p0, tile_row(t, 4, i)), v = _mm512_add_epi16(u, tile_row(t, 6, i));
        uint16_t *to = z + i * z_stride;
        add_row(to, _mm512_add_epi16(p0, tile_row(t, 1, i)));
        add_row(to + 32, _mm512_add_epi16(_mm512_add_epi16(u, p3), tile_row(t, 5, i)));
        if (i + PQ_PANEL_ROWS < rows) {
            to += PQ_PANEL_ROWS * z_stride;
            add_row(to, _mm512_sub_epi16(v, tile_row(t, 2, i)));
            add_row(to + 32, _mm512_add_epi16(v, p3));
        }
    }
}

/* Bytes from a left operand to what is fetched beside it: one of the four halves beside every fourth part of a block's
 * products, so that memory is asked evenly. Otherwise 0, the operand itself. */
static size_t ahead_of(const struct lefts *l, size_t p, size_t number, size_t of)
{
    const size_t part = 4 * (number + 1) / of;
    return part > 4 * number / of ? (size_t)(l->soon[part - 1] - (uintptr_t)l->of[p]) : 0;
}

/* BLOCK panels (rows rows) times all groups of one chunk. */
static void multiply_block(const struct lefts *l, const char *right, uint16_t *z, size_t rows, size_t half,
                           size_t groups, size_t z_stride)
{
    enum { TWO = 2 * PQ_PANEL_ROWS };
    _Alignas(64) uint16_t t[PRODUCTS][BLOCK / 2][8 * 32];
    const size_t step = block_step(half);
    for (size_t g = 0; g < groups; g++, z += GROUP) {
        for (size_t p = 0; p < PRODUCTS; p++, right += 2 * step)
            for (size_t i = 0; i * TWO < rows; i++) {
                const char *of = l[i].of[p];
                const size_t ahead = ahead_of(&l[i], p, g * PRODUCTS + p, groups * PRODUCTS);
                if (p == PRODUCTS - 1)
                    pq_gemm16_fetch(z + i * TWO * z_stride, z_stride, pq_gemm16_least(rows - i * TWO, TWO), GROUP);
                if (g || p >= SUMS)
                    tile_8x2(t[p][i], of, right, half, step, ahead);
                else
                    (p ? tile_and_sub : tile_and_add)(t[p][i], of, right, half, step, ahead, l[i].sum[p]);
            }
        for (size_t i = 0; i * TWO < rows; i++)
            add_up(z + i * TWO * z_stride, z_stride, t[0][i], rows - i * TWO);
    }
}

static void multiply_grouped(const char *left, const char *right, uint16_t *z, size_t rows, size_t depth,
                             size_t groups, size_t z_stride)
{
    static const _Alignas(64) char none[2 * MOST * PAIR_LEFT];
    _Alignas(64) char sums[BLOCK / 2][4 * MOST * PAIR_LEFT];
    const size_t panel = pq_gemm16_panel_bytes(depth);
    for (size_t p = 0; p < depth / 4; p += MOST) {
        const size_t half = pq_gemm16_least(depth / 4 - p, MOST), bytes = half * PAIR_LEFT;
        const char *here = left + 2 * p * PAIR_LEFT;
        /* after the last chunk what lies behind this operand: often the next slice of a deep one (weights.h) */
        const uintptr_t next = p + half < depth / 4 ? (uintptr_t)here + 2 * bytes
                                                    : (uintptr_t)left + pq_gemm16_ceil(rows, PQ_PANEL_ROWS) * panel;
        for (size_t i0 = 0; i0 < rows; i0 += BLOCK * PQ_PANEL_ROWS) {
            const size_t some = pq_gemm16_least(rows - i0, BLOCK * PQ_PANEL_ROWS), left_over = rows - i0 - some;
            struct lefts l[BLOCK / 2];
            for (size_t i = 0; i * 2 * PQ_PANEL_ROWS < some; i++) {
                const char *a1 = here + (i0 / PQ_PANEL_ROWS + 2 * i) * panel;
                const char *a2 = i * 2 * PQ_PANEL_ROWS + PQ_PANEL_ROWS < some ? a1 + panel : none;
                const uintptr_t soon = left_over ? (uintptr_t)a1 + BLOCK * panel : next + 2 * i * panel;
                l[i] = lefts_of(a1, a2, sums[i], soon, panel, bytes);
            }
            multiply_block(l, right, z + i0 * z_stride, some, half, groups, z_stride);
        }
        right += groups * group_bytes(half);
    }
}

void pq_gemm16_strassen_multiply(const void *left, const void *right, uint16_t *z, size_t i0, size_t i1, size_t n,
                                 size_t depth, size_t m, size_t z_stride)
{
    (void)n;
    const size_t cols = grouped(depth, m);
    if (i0 < i1 && cols)
        multiply_grouped((const char *)left + i0 / PQ_PANEL_ROWS * pq_gemm16_panel_bytes(depth), right,
                         z + i0 * z_stride, i1 - i0, depth, cols / GROUP, z_stride);
    multiply(left, (const char *)right + grouped_bytes(depth, m), z + cols, i0, i1, depth, m - cols, z_stride);
}

#else
typedef int pq_not_built_here; /* ISO C wants something in every file */
#endif
