/* The tiles of gemm16_quads.h for AVX-512 with VNNI. Private to gemm16_strassen512.c.
 *
 * A quad costs a row and a vector of columns two vpaddw and one vpdpwssd. Registers: 0 to 15 accumulators, 16 to 19 the
 * right operand's quad (even and odd pairs of two vectors), 20 to 27 a row's pairs and their sums with it (in tile_half
 * to 31). Assembler for the reason that gemm16_tiles512.h gives, whose tile of 8 x 2 vectors this is; with one block of
 * columns its vectors would each need a row's pairs loaded for itself, more than a core can load, so those tiles have
 * vectors of 256 bits. */
#ifndef PQ_GEMM16_QUADS512_H
#define PQ_GEMM16_QUADS512_H

#include "gemm16_asm512.h"
#include "gemm16_winograd.h"

enum { TILE_BLOCKS = 2 };

static size_t tile_ahead(size_t quads)
{
    (void)quads;
    return 2560; /* with a panel, 6208, 16 columns took 7 % longer, 32 columns 6 % */
}

#define LOAD_256(from, b) "vmovdqa64 " from ", %%ymm" #b "\n\t"

/* Row `row`: its even and odd pair in all lanes of a and b, then their sums with the columns' other pairs; v: zmm or ymm. */
#define BROADCAST(v, row, a, b)                                                                                     \
    "vpbroadcastd 4*" #row "(%[l]), %%" #v #a "\n\tvpbroadcastd 32+4*" #row "(%[l]), %%" #v #b "\n\t"
#define TIMES(v, even, odd, a, b, x, y, c)                                                                          \
    "vpaddw %%" #v #odd ", %%" #v #a ", %%" #v #x "\n\tvpaddw %%" #v #even ", %%" #v #b ", %%" #v #y "\n\t"         \
    "vpdpwssd %%" #v #x ", %%" #v #y ", %%" #v #c "\n\t"
#define QROW2(v, row, a, b, x, y, c0, c1)                                                                           \
    BROADCAST(v, row, a, b) TIMES(v, 16, 17, a, b, x, y, c0) TIMES(v, 18, 19, a, b, a, b, c1)
#define QROW1(v, row, a, b, c) BROADCAST(v, row, a, b) TIMES(v, 16, 17, a, b, a, b, c)

#define QROWS2(v)                                                                                                   \
    QROW2(v, 0, 20, 21, 22, 23, 0, 1) QROW2(v, 1, 24, 25, 26, 27, 2, 3) QROW2(v, 2, 20, 21, 22, 23, 4, 5)           \
    QROW2(v, 3, 24, 25, 26, 27, 6, 7) QROW2(v, 4, 20, 21, 22, 23, 8, 9) QROW2(v, 5, 24, 25, 26, 27, 10, 11)         \
    QROW2(v, 6, 20, 21, 22, 23, 12, 13) QROW2(v, 7, 24, 25, 26, 27, 14, 15)
#define QROWS1(v)                                                                                                   \
    QROW1(v, 0, 20, 21, 0) QROW1(v, 1, 22, 23, 1) QROW1(v, 2, 24, 25, 2) QROW1(v, 3, 26, 27, 3)                     \
    QROW1(v, 4, 28, 29, 4) QROW1(v, 5, 30, 31, 5) QROW1(v, 6, 20, 21, 6) QROW1(v, 7, 22, 23, 7)

/* cache: "t0", the nearest, or "t1", the second. FAR: what is further ahead goes to the second one, lest it come too
 * late (7 % of the time at 16 columns, 12 % at 8). */
#define FAR "prefetcht1 4096(%[at])\n\t"
#define QLOOP(cache) LOOP "prefetch" cache " (%[at])\n\tadd %[step], %[at]\n\t"
#define QNEXT "add $64, %[l]\n\tadd $128, %[r]\n\tdec %[q]\n\tjnz 1b\n\t"

/* Accumulators begin with minus the sums of the row's and of the column's own products. */
#define OWN(v, from, b) "vpxord %%" #v "31, %%" #v "31, %%" #v "31\n\tvpsubd " from ", %%" #v "31, %%" #v #b "\n\t"
#define BEGIN(v, lanes, row, b, c) "vpsubd 4*" #row "(%[ls])%{1to" #lanes "%}, %%" #v #b ", %%" #v #c "\n\t"
#define BEGIN_2(v, lanes, row, c0, c1) BEGIN(v, lanes, row, 20, c0) BEGIN(v, lanes, row, 21, c1)
#define BEGIN_16(v, lanes)                                                                                          \
    BEGIN_2(v, lanes, 0, 0, 1) BEGIN_2(v, lanes, 1, 2, 3) BEGIN_2(v, lanes, 2, 4, 5) BEGIN_2(v, lanes, 3, 6, 7)     \
    BEGIN_2(v, lanes, 4, 8, 9) BEGIN_2(v, lanes, 5, 10, 11) BEGIN_2(v, lanes, 6, 12, 13) BEGIN_2(v, lanes, 7, 14, 15)
#define BEGIN_8(v, lanes)                                                                                           \
    BEGIN(v, lanes, 0, 20, 0) BEGIN(v, lanes, 1, 20, 1) BEGIN(v, lanes, 2, 20, 2) BEGIN(v, lanes, 3, 20, 3)         \
    BEGIN(v, lanes, 4, 20, 4) BEGIN(v, lanes, 5, 20, 5) BEGIN(v, lanes, 6, 20, 6) BEGIN(v, lanes, 7, 20, 7)

/* Low halves of an accumulator's lanes to the result: row after row of 64 bytes. */
#define PUT_LOW(v, c, at) "vpmovdw %%" #v #c ", " #at "(%[t])\n\t"
#define PUT_ROW2(v, row, bytes, c0, c1) PUT_LOW(v, c0, 64*row) PUT_LOW(v, c1, 64*row+bytes)
#define PUT_ROWS2(v, bytes)                                                                                         \
    PUT_ROW2(v, 0, bytes, 0, 1) PUT_ROW2(v, 1, bytes, 2, 3) PUT_ROW2(v, 2, bytes, 4, 5)                             \
    PUT_ROW2(v, 3, bytes, 6, 7) PUT_ROW2(v, 4, bytes, 8, 9) PUT_ROW2(v, 5, bytes, 10, 11)                           \
    PUT_ROW2(v, 6, bytes, 12, 13) PUT_ROW2(v, 7, bytes, 14, 15)
#define PUT_ROWS1(v)                                                                                                \
    PUT_LOW(v, 0, 0) PUT_LOW(v, 1, 64) PUT_LOW(v, 2, 128) PUT_LOW(v, 3, 192) PUT_LOW(v, 4, 256) PUT_LOW(v, 5, 320)  \
    PUT_LOW(v, 6, 384) PUT_LOW(v, 7, 448)

#define QUAD_OUTPUTS : [l] "+&r"(l.quads), [r] "+&r"(r.quads), [q] "+&r"(quads), [at] "+&r"(soon.at)
#define QUAD_INPUTS [step] "r"(soon.step), [t] "r"(t), [ls] "r"(l.sums), [rs] "r"(r.sums), [s] "r"(next)
#define QUAD_OPERANDS QUAD_OUTPUTS : QUAD_INPUTS : CLOBBERS

/* beside: what a loop does besides, with registers 28 to 31, of which 31 begins as zero */
#define TILE_FULL(cache, beside)                                                                                    \
    OWN(zmm, "(%[rs])", 20) OWN(zmm, "(%[rs],%[s])", 21) BEGIN_16(zmm, 16)                                          \
    QLOOP(cache)                                                                                                    \
    LOAD("(%[r])", 16) LOAD("64(%[r])", 17) LOAD("(%[r],%[s])", 18) LOAD("64(%[r],%[s])", 19)                       \
    beside QROWS2(zmm)                                                                                              \
    QNEXT                                                                                                           \
    PUT_ROWS2(zmm, 32)

static void tile_full(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    const size_t next = pq_part_bytes(quads, PQ_RIGHT_QUAD);
    if (soon.later)
        __asm__ volatile(TILE_FULL("t1", "") QUAD_OPERANDS);
    else
        __asm__ volatile(TILE_FULL("t0", FAR) QUAD_OPERANDS);
}

static void tile_block(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    const size_t next = 32; /* its other 8 columns */
    __asm__ volatile(OWN(ymm, "(%[rs])", 20) OWN(ymm, "(%[rs],%[s])", 21) BEGIN_16(ymm, 8)
                     QLOOP("t0") FAR
                     LOAD_256("(%[r])", 16) LOAD_256("64(%[r])", 17) LOAD_256("(%[r],%[s])", 18)
                     LOAD_256("64(%[r],%[s])", 19)
                     QROWS2(ymm)
                     QNEXT
                     PUT_ROWS2(ymm, 16)
                     QUAD_OPERANDS);
}

static void tile_half(uint16_t *t, struct pq_operand l, struct pq_operand r, size_t quads, struct pq_fetch soon)
{
    const size_t next = 0; /* no other columns */
    __asm__ volatile(OWN(ymm, "(%[rs],%[s])", 20) BEGIN_8(ymm, 8)
                     QLOOP("t0") FAR
                     LOAD_256("(%[r])", 16) LOAD_256("64(%[r])", 17)
                     QROWS1(ymm)
                     QNEXT
                     PUT_ROWS1(ymm)
                     QUAD_OPERANDS);
}

#endif
