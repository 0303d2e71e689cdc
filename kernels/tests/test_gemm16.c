/* Every variant of gemm16.h equals the definition bit for bit. `test_gemm16 NAME` tests one variant; it ends with 77,
 * "skipped", when this machine cannot run it, so that it never counts as passed.
 *
 * All arrays end where a page begins that may not be touched: reading or writing past the end stops the test, also
 * in the assembler loops, which sanitizers do not see. */
#include "../gemm16.h"
#include "../status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARDED_BYTES = 4 << 20 };
enum place { LEFT, RIGHT, PACKED_LEFT, PACKED_RIGHT, Z, EXPECTED, PLACES };

static const struct pq_gemm16 *tested;
static char *ends[PLACES]; /* of GUARDED_BYTES usable bytes each */
static uint64_t state = 1;

static uint16_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint16_t)(state >> 48);
}

static void guard(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int p = 0; p < PLACES; p++) {
        char *all = mmap(NULL, GUARDED_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        PQ_ASSERT(all != MAP_FAILED);
        PQ_ASSERT(!mprotect(all + GUARDED_BYTES, page, PROT_NONE));
        ends[p] = all + GUARDED_BYTES;
    }
}

/* `bytes` at the end of a place, its start a multiple of `align`. */
static void *take(enum place p, size_t bytes, size_t align)
{
    PQ_ASSERT(bytes <= GUARDED_BYTES);
    return ends[p] - (bytes + align - 1) / align * align;
}

static uint16_t *take_random(enum place p, size_t count)
{
    uint16_t *a = take(p, count * sizeof *a, sizeof *a);
    for (size_t i = 0; i < count; i++)
        a[i] = next();
    return a;
}

/* A product of one size, its operands random and strided. */
struct product {
    size_t n, depth, m, l_row, l_col, r_row, z_stride;
    uint16_t *l, *r, *z, *expected;
    void *left, *right;
};

static size_t z_count(const struct product *p)
{
    return (p->n - 1) * p->z_stride + p->m;
}

/* Operands and packed operands; z random; expected = z plus the product. layout: 0 rows contiguous, 1 columns
 * contiguous, 2 neither. */
static struct product prepare(size_t n, size_t depth, size_t m, int layout, size_t gap)
{
    struct product p = { .n = n, .depth = depth, .m = m, .r_row = m + gap, .z_stride = m + gap };
    p.l_row = layout == 0 ? depth + gap : layout == 1 ? 1 : 2 * depth + 1;
    p.l_col = layout == 0 ? 1 : layout == 1 ? n + gap : 2;
    p.l = take_random(LEFT, (n - 1) * p.l_row + (depth - 1) * p.l_col + 1);
    p.r = take_random(RIGHT, (depth - 1) * p.r_row + m);
    p.z = take_random(Z, z_count(&p));
    p.expected = take(EXPECTED, z_count(&p) * sizeof *p.z, sizeof *p.z);
    memcpy(p.expected, p.z, z_count(&p) * sizeof *p.z);
    pq_gemm16_ref(p.expected, p.z_stride, p.l, p.l_row, p.l_col, p.r, p.r_row, n, depth, m);

    p.left = take(PACKED_LEFT, tested->left_bytes(n, depth), 64);
    p.right = take(PACKED_RIGHT, tested->right_bytes(depth, m), 64);
    tested->left_pack(p.left, p.l, n, depth, p.l_row, p.l_col);
    tested->right_pack(p.right, p.r, depth, m, p.r_row);
    return p;
}

/* z as a whole: what lies between its rows must not have changed. */
static void expect_equal(const struct product *p)
{
    if (memcmp(p->z, p->expected, z_count(p) * sizeof *p->z))
        fail_msg("%s differs at n=%zu depth=%zu m=%zu l_row=%zu l_col=%zu z_stride=%zu", tested->name, p->n, p->depth,
                 p->m, p->l_row, p->l_col, p->z_stride);
}

static void try_size(size_t n, size_t depth, size_t m, int layout, size_t gap)
{
    struct product p = prepare(n, depth, m, layout, gap);
    tested->multiply(p.left, p.right, p.z, 0, n, n, depth, m, p.z_stride);
    expect_equal(&p);
}

static void equals_reference_on_awkward_sizes(void **unused)
{
    (void)unused;
    static const size_t sizes[] = { 1, 2, 3, 7, 8, 12, 15, 16, 17, 24, 31, 33, 48, 63, 65, 128 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (size_t a = 0; a < COUNT; a++)
        for (size_t b = 0; b < COUNT; b++)
            for (size_t c = 0; c < COUNT; c++)
                try_size(sizes[a], sizes[b], sizes[c], (int)((a + b + c) % 3), (a + c) % 4);
}

static void equals_reference_beyond_one_block(void **unused)
{
    (void)unused;
    static const size_t depths[] = { 255, 256, 257, 511, 513, 768, 1537, 3072 };
    static const size_t columns[] = { 1, 8, 16, 32, 49, 80, 97 };
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t m = 0; m < sizeof columns / sizeof *columns; m++)
            try_size(41, depths[d], columns[m], (int)(d % 3), m % 2);
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t m = 2; m <= 16; m += m < 7 ? 5 : 9) /* few columns and many rows: rows in lanes, 48 at a time */
            try_size(97, depths[d], m, (int)(d % 3), m % 2);
    for (size_t m = 0; m < sizeof columns / sizeof *columns; m++)
        try_size(531, 70, columns[m], 0, 0); /* more rows than any block holds */
    try_size(9, 3, 512, 1, 5);
}

/* Depths and columns that are halved (gemm16_strassen.c, gemm16_halves.h), with a single panel, ragged rows,
 * columns over, short chunks, and depths that just miss. */
static void equals_reference_in_halves(void **unused)
{
    (void)unused;
    static const size_t rows[] = { 1, 8, 9, 16, 23, 64, 65, 137 }, depths[] = { 384, 388, 392, 511, 512, 768, 776, 1536, 1544, 1552 };
    static const size_t columns[] = { 64, 65, 96, 127, 128, 193 };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++)
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
            for (size_t m = 0; m < sizeof columns / sizeof *columns; m++)
                try_size(rows[n], depths[d], columns[m], (int)((n + d) % 3), m % 3);
}

/* The signed instructions' edge: two products of -32768 by itself reach 2^31. */
static void equals_reference_on_extremes(void **unused)
{
    (void)unused;
    static const uint16_t values[] = { 0x0000, 0x7fff, 0x8000, 0xffff };
    static const struct { size_t n, depth, m; } sizes[] = { { 17, 3072, 99 }, { 8, 4, 8 }, { 8, 4, 16 }, { 9, 776, 70 } };
    for (size_t s = 0; s < 4; s++)
        for (size_t ab = 0; ab < 16; ab++) {
            const size_t n = sizes[s].n, depth = sizes[s].depth, m = sizes[s].m, a = ab / 4, b = ab % 4;
            struct product p = prepare(n, depth, m, 0, 0);
            for (size_t i = 0; i < n * depth; i++)
                p.l[i] = values[a];
            for (size_t i = 0; i < depth * m; i++)
                p.r[i] = values[b];
            memcpy(p.expected, p.z, z_count(&p) * sizeof *p.z);
            pq_gemm16_ref(p.expected, m, p.l, depth, 1, p.r, m, n, depth, m);
            tested->left_pack(p.left, p.l, n, depth, depth, 1);
            tested->right_pack(p.right, p.r, depth, m, m);
            tested->multiply(p.left, p.right, p.z, 0, n, n, depth, m, m);
            expect_equal(&p);
        }
}

/* Each part of the rows by itself, last part first, and every row exactly once. */
static void rows_can_be_split(void **unused)
{
    (void)unused;
    static const struct { size_t depth, m; } sizes[] = { { 65, 5 }, { 65, 16 }, { 65, 37 }, { 65, 64 }, { 400, 130 } };
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++)
        for (size_t panels = 1; panels <= 9; panels += 2) {
            size_t n = 133, step = panels * tested->row_block, i0 = n / step * step, depth = sizes[c].depth;
            size_t m = sizes[c].m;
            struct product p = prepare(n, depth, m, 1, 2);
            for (;; i0 -= step) {
                size_t i1 = i0 + step < n ? i0 + step : n;
                tested->multiply(p.left, p.right, p.z, i0, i1, n, depth, m, p.z_stride);
                if (i0 == 0)
                    break;
            }
            expect_equal(&p);
        }
}

static void repeats_accumulate(void **unused)
{
    (void)unused;
    struct product p = prepare(25, 66, 50, 0, 1);
    for (int i = 1; i < 5; i++)
        pq_gemm16_ref(p.expected, p.z_stride, p.l, p.l_row, p.l_col, p.r, p.r_row, 25, 66, 50);
    for (int i = 0; i < 5; i++)
        tested->multiply(p.left, p.right, p.z, 0, 25, 25, 66, 50, p.z_stride);
    expect_equal(&p);
}

static void empty_products_change_nothing(void **unused)
{
    (void)unused;
    struct product p = prepare(9, 5, 20, 0, 0);
    memcpy(p.expected, p.z, z_count(&p) * sizeof *p.z);
    tested->multiply(p.left, p.right, p.z, 0, 0, 9, 5, 20, 20);
    tested->multiply(p.left, p.right, p.z, 0, 9, 9, 0, 20, 20);
    tested->multiply(p.left, p.right, p.z, 0, 9, 9, 5, 0, 20);
    pq_gemm16_run(tested, p.left, p.right, p.z, 0, 5, 20, 20);
    expect_equal(&p);
}

static void any_number_of_threads(void **unused)
{
    (void)unused;
    int before = omp_get_max_threads();
    /* from more than there are panels down to one: LLVM's runtime leaks when a team grows, and LeakSanitizer tells */
    for (int threads = 33; threads >= 1; threads /= 2) {
        omp_set_num_threads(threads);
        struct product p = prepare(203, 400, 96, 0, 1); /* enough work that it is shared */
        pq_gemm16_run(tested, p.left, p.right, p.z, 203, 400, 96, p.z_stride);
        expect_equal(&p);
        p = prepare(5, 6, 7, 0, 1); /* and too little */
        pq_gemm16_run(tested, p.left, p.right, p.z, 5, 6, 7, p.z_stride);
        expect_equal(&p);
    }
    omp_set_num_threads(before);
}

static void can_be_forced_by_name(void **unused)
{
    (void)unused;
    assert_ptr_equal(pq_gemm16_pick(tested->name), tested);
    assert_null(pq_gemm16_pick("no such variant"));
    const struct pq_gemm16 *best = pq_gemm16_pick(NULL);
    assert_non_null(best);
    assert_true(!best->suits || best->suits());
    assert_true(best >= tested || (tested->suits && !tested->suits())); /* best last, of those that suit the machine */
    assert_string_equal(pq_gemm16_variants()->name, "ref");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference_on_awkward_sizes), cmocka_unit_test(equals_reference_beyond_one_block),
        cmocka_unit_test(equals_reference_on_extremes),      cmocka_unit_test(rows_can_be_split),
        cmocka_unit_test(repeats_accumulate),                cmocka_unit_test(empty_products_change_nothing),
        cmocka_unit_test(any_number_of_threads),             cmocka_unit_test(can_be_forced_by_name),
        cmocka_unit_test(equals_reference_in_halves),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_gemm16 VARIANT\n");
        return 2;
    }
    tested = pq_gemm16_pick(argv[1]);
    if (!tested) {
        fprintf(stderr, "%s: not built, or this machine cannot run it: skipped\n", argv[1]);
        return 77;
    }
    guard();
    return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
