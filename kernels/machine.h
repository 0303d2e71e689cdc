/* What this machine can do: features, peaks, topology, memory use. Measured values are the denominators of every
 * "fraction of peak" and of floor_ns (interface.md, The result file). Called by jobs/ only. */
#ifndef PQ_MACHINE_H
#define PQ_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPU features that the operating system also saves (XGETBV asked), so that using them cannot fault. */
bool pq_cpu_bmi2(void);
bool pq_cpu_avx2(void);
bool pq_cpu_avx512bw(void);   /* F, BW, VL, DQ */
bool pq_cpu_vaes(void);       /* F, BW, VL, DQ and AES in wide registers */
bool pq_cpu_avx512vnni(void); /* the above and VNNI */

/* Peak of exact 16-bit multiply-adds per second on one core, by the best instruction the machine has (vpdpwssd,
 * vpmaddwd + add, or scalar), measured for about 50 ms with accumulators in registers; the best of several tries. */
double pq_machine_peak_macs(void);

/* Sustained read bandwidth of one core in bytes per second over a buffer larger than the last-level cache it can
 * reasonably use (256 MiB), about 0.2 s; the best of several tries. */
double pq_machine_read_bandwidth(void);

struct pq_machine {
    char cpu_model[128];
    char governor[32];     /* frequency governor, or "unknown" */
    char topology[256];    /* one line from hwloc: packages, NUMA nodes, cores, PUs, caches */
    unsigned cores, pus;   /* usable by this process: its cpuset, not the whole machine */
    uint64_t memory_bytes;
};
void pq_machine_describe(struct pq_machine *m);

/* hwloc's XML of the topology, malloc'ed (caller frees), or NULL. */
char *pq_machine_topology_xml(void);

/* Peak resident memory of this process in bytes (VmHWM). */
uint64_t pq_machine_peak_memory(void);

/* Starts the peak anew from what is resident now; where the system does not allow that, the peak since the start stays.
 */
void pq_machine_restart_peak_memory(void);

/* Monotonic clock in nanoseconds. Only differences on one process mean anything. */
uint64_t pq_now_ns(void);

#endif
