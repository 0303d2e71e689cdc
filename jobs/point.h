/* Points of a sweep: every combination of the lists in the options, each a plan with a number of threads. */
#ifndef PQ_POINT_H
#define PQ_POINT_H

#include "../mpi/engine_run.h"
#include "options.h"

struct pq_point { struct pq_plan plan; size_t threads; };

/* All points, in the order protocol, ranks, threads, lengths (the weights are shared anew only where protocol or ranks
 * change). *points is malloc'ed. ranks_max: ranks per party of the launch; 0: no launch (cost), anything up to the
 * heads. PQ_USER: a length over the model's, more ranks than heads or than the launch has, ... */
PQ_MUST_USE enum pq_status pq_points_make(const struct pq_options *o, const struct pq_shape *shape, size_t ranks_max,
                                          struct pq_point **points, size_t *count, struct pq_error *err);

/* What `auto` stands for. No emulated network: latency is small and memory traffic counts, so the tree maximum (half
 * the material) and compact tables. */
enum pq_maximum pq_point_maximum(const struct pq_options *o);
enum pq_tables pq_point_tables(const struct pq_options *o);

/* Lower bound of the online time on this machine (interface.md, floor_ns) from the prediction, the measured peak of one
 * core (multiply-adds per second) and its measured read bandwidth (bytes per second). */
uint64_t pq_point_floor_ns(const struct pq_point *p, const struct pq_prediction *predicted, double peak,
                           double bandwidth);

#endif
