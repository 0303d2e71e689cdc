#include "secret.h"

#include "machine.h"

#include <openssl/crypto.h>

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

void pq_wipe(void *p, size_t bytes)
{
    if (bytes)
        OPENSSL_cleanse(p, bytes);
}

void pq_free_secret(void *p, size_t bytes)
{
    if (p)
        pq_wipe(p, bytes);
    free(p);
}

void pq_free_whole_secret(void *p)
{
    if (p)
        pq_wipe(p, malloc_usable_size(p));
    free(p);
}

#if defined(__x86_64__)
#define CLEAR(n) "vpxorq %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

/* Vector registers hold round keys and shares until others need them, and are written to the stack wherever the dynamic
 * linker resolves a function. (This file's own code does not use those from 16 on.) */
static void wipe_registers(void)
{
    if (pq_cpu_avx2())
        __asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                         "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    if (pq_cpu_avx512bw())
        __asm__ volatile(CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21) CLEAR(22) CLEAR(23) CLEAR(24)
                         CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28) CLEAR(29) CLEAR(30) CLEAR(31) ::: "memory");
}
#else
static void wipe_registers(void)
{
}
#endif

/* A frame of its own, as deep as calls from where secrets are used go: the deepest are the sums of Strassen's products
 * (gemm16_strassen.c, gemm16_halves.h: 114 KiB), 8 KiB below the session's frames; MPI's are shallower. */
__attribute__((noinline)) void pq_wipe_stack(void)
{
    char below[192 << 10];
    wipe_registers();
    pq_wipe(below, sizeof below);
}

void pq_forbid_core_dumps(void)
{
    struct rlimit limit = { 0, 0 };
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_max = limit.rlim_max > 1 ? 1 : limit.rlim_max; /* 0 can be lowered no further */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
}
