/* Plain loops over shares, compiled once for every x86-64 and again for AVX2 and AVX-512; the loader picks by what the
 * machine can run. For kernel files whose loops the compiler vectorises well by itself: the C text is the definition
 * and the tuned variant at once. Under a sanitizer there is one version only (its runtime is not ready when the loader
 * picks). On static functions only: GCC and clang give the clones of others different names. */
#ifndef PQ_CLONES_H
#define PQ_CLONES_H

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__clang__)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define PQ_CLONES __attribute__((target_clones("avx512bw", "avx2", "default")))
#endif
#else
#define PQ_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default"), optimize("O3")))
#endif
#endif
#ifndef PQ_CLONES
#define PQ_CLONES
#endif

#endif
