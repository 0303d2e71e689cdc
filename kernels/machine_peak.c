/* The two measured peaks of machine.h. The loops are assembler, because what they measure must not depend on whether
 * a compiler keeps accumulators in registers; 12 accumulators hide the latency of every processor known (5 cycles,
 * two instructions per cycle). Registers above 15 are not used, so no instruction-set flag is needed to build this;
 * whether the machine can run a loop is asked first. */
#include "machine.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCUMULATORS = 12, TRIES = 11, TRY_NS = 5000000 }; /* 11 tries of 5 ms */

#if defined(__x86_64__)
#define CLOBBERS                                                                                                    \
    "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",         \
        "xmm12", "xmm13", "xmm14", "xmm15"
#define EACH ".irp c,0,1,2,3,4,5,6,7,8,9,10,11\n\t"

/* Factors that are not zero: the time of an instruction does not depend on them, but the power it draws and so the
 * clock may. */
static const uint16_t factors[64] = {
    0x9e37, 0x79b9, 0x7f4a, 0x7c15, 0xbf58, 0x476d, 0x1ce4, 0xe5b9, 0x94d0, 0x49bb, 0x1331, 0x11eb, 0xd6e8, 0xfeb8,
    0x6659, 0xfd93, 0xa5a5, 0x3c6e, 0xf372, 0xfe94, 0xf82b, 0x2545, 0xf491, 0x4f6c, 0xdd1d, 0x8c3b, 0x5851, 0xf42d,
    0x4c95, 0x7f2d, 0x1405, 0x7b7e, 0xf767, 0x814f, 0x2360, 0xed05, 0x1fc6, 0x5da4, 0x4385, 0xdf64, 0x9fcc, 0xf616,
    0x5bd1, 0xe995, 0x1b87, 0x3593, 0xcc9e, 0x2d51, 0xe654, 0x6b64, 0x85eb, 0xca6b, 0xc2b2, 0xae35, 0x27d4, 0xeb2f,
    0x1656, 0x67b1, 0x9e37, 0x85eb, 0xc2b2, 0x27d4, 0xae3d, 0x1656,
};

#define PEAK_LOOP(clear, load, body, end)                                                                           \
    __asm__ volatile(EACH clear "\n\t.endr\n\t" load "\n"                                                            \
                     "1:\n\t" EACH body "\n\t.endr\n\t"                                                             \
                     "dec %[n]\n\tjnz 1b\n\t" end                                                                   \
                     : [n] "+r"(loops)                                                                              \
                     : [f] "r"(factors)                                                                             \
                     : CLOBBERS)

static void spin_vnni512(size_t loops)
{
    PEAK_LOOP("vpxord %%zmm\\c, %%zmm\\c, %%zmm\\c",
              "vmovdqu64 (%[f]), %%zmm12\n\tvmovdqu64 64(%[f]), %%zmm13",
              "vpdpwssd %%zmm12, %%zmm13, %%zmm\\c", "vzeroupper");
}

static void spin_madd512(size_t loops)
{
    PEAK_LOOP("vpxord %%zmm\\c, %%zmm\\c, %%zmm\\c",
              "vmovdqu64 (%[f]), %%zmm12\n\tvmovdqu64 64(%[f]), %%zmm13",
              "vpmaddwd %%zmm12, %%zmm13, %%zmm14\n\tvpaddd %%zmm14, %%zmm\\c, %%zmm\\c", "vzeroupper");
}

static void spin_madd256(size_t loops)
{
    PEAK_LOOP("vpxor %%ymm\\c, %%ymm\\c, %%ymm\\c",
              "vmovdqu (%[f]), %%ymm12\n\tvmovdqu 32(%[f]), %%ymm13",
              "vpmaddwd %%ymm12, %%ymm13, %%ymm14\n\tvpaddd %%ymm14, %%ymm\\c, %%ymm\\c", "vzeroupper");
}

static void spin_madd128(size_t loops)
{
    PEAK_LOOP("pxor %%xmm\\c, %%xmm\\c",
              "movdqu (%[f]), %%xmm12\n\tmovdqu 16(%[f]), %%xmm13",
              "movdqa %%xmm12, %%xmm14\n\tpmaddwd %%xmm13, %%xmm14\n\tpaddd %%xmm14, %%xmm\\c", "");
}

/* Tiles of bytes: three such products make one of 16-bit numbers (gemm16_amx.c). Four sums, two factors each. */
static void spin_amx(size_t loops)
{
    static const uint8_t tiles[64] = { [0] = 1, [16] = 64, [18] = 64, [20] = 64, [22] = 64, [24] = 64, [26] = 64,
                                       [28] = 64, [30] = 64, [48] = 16, [49] = 16, [50] = 16, [51] = 16, [52] = 16,
                                       [53] = 16, [54] = 16, [55] = 16 };
    static const uint8_t bytes[1024] = { 0x9e, 0x37, 0x79, 0xb9 };
    __asm__ volatile("ldtilecfg %[t]\n\t"
                     ".irp c,0,1,2,3\n\ttilezero %%tmm\\c\n\t.endr\n\t"
                     ".irp c,4,5,6,7\n\ttileloadd (%[b], %[s]), %%tmm\\c\n\t.endr\n"
                     "1:\n\t.rept 3\n\t"
                     "tdpbuud %%tmm6, %%tmm4, %%tmm0\n\ttdpbuud %%tmm7, %%tmm4, %%tmm1\n\t"
                     "tdpbuud %%tmm6, %%tmm5, %%tmm2\n\ttdpbuud %%tmm7, %%tmm5, %%tmm3\n\t"
                     ".endr\n\tdec %[n]\n\tjnz 1b\n\ttilerelease"
                     : [n] "+r"(loops)
                     : [t] "m"(tiles), [b] "r"(bytes), [s] "r"((size_t)64)
                     : "cc", "memory");
}

static bool always(void)
{
    return true;
}

static const struct loop {
    bool (*usable)(void);
    void (*spin)(size_t loops);
    double macs; /* per accumulator and loop */
} peak_loops[] = { /* best first */
    { pq_cpu_amx, spin_amx, 16 * 16 * 64 / 3.0 },
    { pq_cpu_avx512vnni, spin_vnni512, 32 },
    { pq_cpu_avx512bw, spin_madd512, 32 },
    { pq_cpu_avx2, spin_madd256, 16 },
    { always, spin_madd128, 8 },
};
#else
static bool always(void)
{
    return true;
}

/* Twelve independent multiply-adds; the empty assembler forbids to fold or vectorise them. */
static void spin_scalar(size_t loops)
{
    uint32_t sum[ACCUMULATORS] = { 0 }, a = 3, b = 5;
    for (size_t n = 0; n < loops; n++)
        for (int c = 0; c < ACCUMULATORS; c++) {
            sum[c] += a * b;
            __asm__ volatile("" : "+r"(sum[c]), "+r"(a), "+r"(b));
        }
}

static const struct loop {
    bool (*usable)(void);
    void (*spin)(size_t loops);
    double macs;
} peak_loops[] = { { always, spin_scalar, 1 } };
#endif

/* The middle one of the tries: what a core does, neither its luckiest moment nor one in which it was disturbed. */
static double middle(double *rate)
{
    for (int i = 1; i < TRIES; i++)
        for (int j = i; j > 0 && rate[j] < rate[j - 1]; j--) {
            const double lower = rate[j];
            rate[j] = rate[j - 1];
            rate[j - 1] = lower;
        }
    return rate[TRIES / 2] * 1e9;
}

double pq_machine_peak_macs(bool tiles)
{
    const size_t loops = 10000;
    const struct loop *l = peak_loops;
    double rate[TRIES];
    while (!l->usable() || (!tiles && l->macs > 64))
        l++; /* the last one always is */
    for (int i = 0; i < TRIES; i++) {
        uint64_t start = pq_now_ns(), spent;
        double done = 0;
        do {
            l->spin(loops);
            done += (double)loops * ACCUMULATORS * l->macs;
            spent = pq_now_ns() - start;
        } while (spent < TRY_NS);
        rate[i] = done / (double)spent;
    }
    return middle(rate);
}

/* Reads two halves of a buffer side by side: one stream alone leaves the memory idle at every page's end. Registers of
 * 128 bits are as fast as wide ones, because it is the memory that limits. half: bytes, a multiple of 64. */
#if defined(__x86_64__)
#define READ_LINE(from)                                                                                             \
    "por (%[" from "]), %%xmm0\n\tpor 16(%[" from "]), %%xmm1\n\tpor 32(%[" from "]), %%xmm2\n\t"                   \
    "por 48(%[" from "]), %%xmm3\n\tadd $64, %[" from "]\n\t"
static void read_all(const char *from, size_t half)
{
    const char *other = from + half;
    size_t lines = half / 64;
    __asm__ volatile(".p2align 6\n1:\n\t" READ_LINE("a") READ_LINE("b") "dec %[n]\n\tjnz 1b"
                     : [a] "+r"(from), [b] "+r"(other), [n] "+r"(lines)
                     :
                     : CLOBBERS, "memory");
}
#else
static void read_all(const char *from, size_t half)
{
    const uint64_t *a = (const void *)from, *b = (const void *)(from + half);
    uint64_t sum = 0;
    for (size_t i = 0; i < half / sizeof *a; i++)
        sum += a[i] ^ b[i];
    __asm__ volatile("" : : "r"(sum)); /* somebody wants the sum */
}
#endif

double pq_machine_read_bandwidth(unsigned sharing, void (*start)(void *user), void *user)
{
    /* All cores together twice the last cache, so that it is the memory that is read; within what a node can spare. */
    const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    const size_t fewest = (size_t)256 << 20, least = (size_t)64 << 20, most = (size_t)1 << 30;
    const size_t twice = cache > 0 ? 2 * (size_t)cache : 0, all = twice < fewest ? fewest : twice;
    const size_t each = all / sharing, bytes = (each < least ? least : each > most ? most : each) >> 21 << 21;
    char *buffer = pq_alloc(bytes); /* in large pages: what is measured is the memory and not the TLB */
    double rate[TRIES];
    memset(buffer, 1, bytes);
    if (start)
        start(user);
    for (int i = 0; i < TRIES; i++) {
        uint64_t begin = pq_now_ns(), spent;
        double done = 0;
        do {
            read_all(buffer, bytes / 2);
            done += (double)bytes;
            spent = pq_now_ns() - begin;
        } while (spent < TRY_NS);
        rate[i] = done / (double)spent;
    }
    free(buffer);
    return middle(rate);
}
