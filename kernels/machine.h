/* What this machine can do: features, peaks, topology, memory use. Measured values are the denominators of every
 * "fraction of peak" and of floor_ns (interface.md, The result file). Kernels ask for features when they are chosen; the
 * rest is called by jobs/ only. */
#ifndef PQ_MACHINE_H
#define PQ_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU features that the operating system also saves (XGETBV asked), so that using them cannot fault. The first three
 * are asked for before a few nanoseconds of work: the compiler's own answers, which it keeps in memory. */
#if defined(__x86_64__)
static inline bool pq_cpu_bmi2(void) /* and pext and pdep are fast: AMD before Zen 3 takes hundreds of cycles for one */
{
    return __builtin_cpu_supports("bmi2") && !__builtin_cpu_is("amdfam15h") && !__builtin_cpu_is("amdfam17h");
}
static inline bool pq_cpu_vbmi(void)
{
    return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw");
}
static inline bool pq_cpu_avx2(void) { return __builtin_cpu_supports("avx2"); }
/* No feature: vectors are added in more units than multiply them. */
static inline bool pq_cpu_adds_apart(void) { return __builtin_cpu_is("amd"); }
#else
static inline bool pq_cpu_bmi2(void) { return false; }
static inline bool pq_cpu_vbmi(void) { return false; }
static inline bool pq_cpu_avx2(void) { return false; }
static inline bool pq_cpu_adds_apart(void) { return false; }
#endif
bool pq_cpu_aes(void);        /* AVX2 and AES */
bool pq_cpu_vaes(void);       /* AVX2, AES, also in wide registers */
bool pq_cpu_avx512bw(void);   /* F, BW, VL, DQ */
bool pq_cpu_vaes512(void);    /* F, BW, VL, DQ, VBMI, and what pq_cpu_vaes asks for */
bool pq_cpu_avx512vnni(void); /* F, BW, VL, DQ and VNNI */
bool pq_cpu_amx(void);        /* F, BW, VL, DQ, tiles of bytes; the first call asks the system for their state */

/* Peak of exact 16-bit multiply-adds per second on this core, by the best instruction the machine has (tiles: three
 * products of bytes by AMX; vpdpwssd, vpmaddwd + add, or scalar), measured for about 55 ms with accumulators in
 * registers; the median of 11 tries. Without `tiles`: by the best vector instruction. Cores that are busy together may
 * have a lower clock than one alone: jobs/peaks.h measures them at the same time. */
double pq_machine_peak_macs(bool tiles);

/* Read bandwidth of this core in bytes per second, the median of 11 passes over a buffer that no cache holds: 256 MiB,
 * or twice the last cache, divided by `sharing`, the cores of this host that measure at the same time, because they
 * share the memory; 64 MiB at least, 1 GiB at most. start: called when the buffer is there and before it is read, so
 * that all begin together; NULL for a core that measures alone. */
double pq_machine_read_bandwidth(unsigned sharing, void (*start)(void *user), void *user);

struct pq_machine {
    char cpu_model[128];
    char governor[32];     /* frequency governor, or "unknown" */
    char topology[256];    /* one line from hwloc: packages, NUMA nodes, cores, PUs, caches */
    unsigned cores, pus;   /* usable by this process: its cpuset, not the whole machine */
    uint64_t memory_bytes;
};
void pq_machine_describe(struct pq_machine *m);

/* Hardware threads that are open to us on this host (its cpuset), also those that a launcher has not given to this
 * process. */
unsigned pq_machine_hardware_threads(void);

/* hwloc's XML of the topology, malloc'ed (caller frees), or NULL. */
char *pq_machine_topology_xml(void);

/* Peak resident memory of this process in bytes (VmHWM). */
uint64_t pq_machine_peak_memory(void);

/* Starts the peak anew from what is resident now; where the system does not allow that, the peak since the start stays.
 */
void pq_machine_restart_peak_memory(void);

/* Monotonic clock (CLOCK_MONOTONIC) in nanoseconds, the one clock of every duration. Only differences on one process
 * mean anything. */
uint64_t pq_now_ns(void);

/* All of the system's clocks at one moment, to find out whether they agree on how long something took. raw is not
 * steered by NTP, boot goes on while the machine is suspended, real is what people set. */
struct pq_clocks { uint64_t monotonic, raw, boot, real; };
struct pq_clocks pq_clocks_read(void);
/* By how much the others disagree with the monotonic clock about the time between two moments: 0 up to a millisecond
 * and a thousandth (NTP steers by half of that), else the largest difference. A step of a clock, a suspended
 * machine. */
uint64_t pq_clocks_apart(const struct pq_clocks *from, const struct pq_clocks *to);

#endif
