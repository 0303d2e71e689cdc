/* Points of a sweep: every combination of the lists in the options, each a plan with a number of threads. */
#ifndef PQ_POINT_H
#define PQ_POINT_H

#include "../mpi/engine_run.h"
#include "options.h"

struct pq_stock;

struct pq_point {
    struct pq_plan plan;
    size_t threads;
    struct pq_net net;
    struct pq_stock *stock; /* with --material (stocks.h), else NULL */
};

/* All points, in the order protocol, ranks, threads, networks, lengths (the weights are shared anew only where protocol
 * or ranks change). *points is malloc'ed. ranks_max: ranks per party of the launch; 0: no launch (cost), anything up to
 * the heads. PQ_USER: a length over the model's, more ranks than heads or than the launch has, ... */
PQ_MUST_USE enum pq_status pq_points_make(const struct pq_options *o, const struct pq_shape *shape, size_t ranks_max,
                                          struct pq_point **points, size_t *count, struct pq_error *err);

/* Sets the plan's maximum and tables: what the options say; for `auto`, with no emulated network, what moves the least
 * material (latency is small and memory traffic counts): tree and compact. On an emulated network the combination with
 * the smallest sum of pq_point_network_ns and the time to read the material once, taken to go at 10 GB/s; of equals the
 * one with the least material. A rule of the plan and the network alone, so that all ranks and `cost` choose alike. */
void pq_point_choose(struct pq_point *p, const struct pq_options *o);

/* What the emulated network alone takes of a phase, at least; 0 for none. One delay and the time to carry what the
 * busiest link carries; or, online, if that is more, the one-way delays of the rounds that one of P1's ranks waits for,
 * one after the other, and the time to carry what P2's rank sends it. (That P2 waits for P1's input overlaps with the
 * first exchange, as seen from P1.) */
uint64_t pq_point_network_ns(const struct pq_point *p, const struct pq_prediction *predicted, enum pq_phase phase);

/* Bytes of weight shares and stored material that a rank reads online, the mean of P1 and P2: where they share a
 * memory, one that reads less leaves more of it to the other. */
uint64_t pq_point_read_bytes(const struct pq_prediction *predicted);

/* Lower bound of the online time on this machine (interface.md, floor_ns) from the prediction, the peak of one core
 * (multiply-adds per second) and its read bandwidth (bytes per second), both as measured by peaks.h; on an emulated
 * network plus pq_point_network_ns. Multiply-adds are those of the classical product, whatever the kernel, so that
 * results stay comparable: where a kernel does fewer (gemm16_strassen.c, gemm16_winograd.c) computing alone can beat it. */
uint64_t pq_point_floor_ns(const struct pq_point *p, const struct pq_prediction *predicted, double peak,
                           double bandwidth);

#endif
