/* Assembler text that the AVX-512 tiles share (gemm16_tiles512.h, gemm16_quads512.h). Private to them. */
#ifndef PQ_GEMM16_ASM512_H
#define PQ_GEMM16_ASM512_H

#define CLOBBERS                                                                                                    \
    "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",        \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", \
        "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

#define LOAD(from, b) "vmovdqa64 " from ", %%zmm" #b "\n\t"

/* Where a loop over the depth begins: a cache line, or its speed would depend on where the linker puts it. */
#define LOOP ".p2align 6\n1:\n\t"

#endif
