/* The tiles of gemm16_tiles512.h with vpdpwssd, which multiplies pairs and adds them to a 32-bit sum in one instruction.
 * Private to gemm16_avx512vnni.c and gemm16_strassen.c. */
#define MAC(b, a, c, t) "vpdpwssd %%zmm" #b ", %%zmm" #a ", %%zmm" #c "\n\t"
#define MAC_MEM(off, b, c, t) "vpdpwssd " off "%{1to16%}, %%zmm" #b ", %%zmm" #c "\n\t"
#include "gemm16_tiles512.h"
