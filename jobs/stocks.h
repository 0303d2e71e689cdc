/* From the points of a launch to stocks of material on disk (mpi/stock.h). A folder DIR, as --material names it, holds
 * one set for each combination of settings that material depends on:
 *
 *   DIR/preprocessed-s16-b1-g2-tree-compact/P0.0.h5 P0.1.h5 P1.0.h5 P1.1.h5 P2.0.h5 P2.1.h5
 *
 * so one folder serves a sweep. Points that differ in threads or kernel share a set, and use it up together. All ranks
 * call these, and return the same. */
#ifndef PQ_STOCKS_H
#define PQ_STOCKS_H

#include "../mpi/stock.h"
#include "launch.h"

/* run, sweep: opens the sets of all points (point.stock). Errors: pq_stock_open. */
PQ_MUST_USE enum pq_status pq_stocks_open(struct pq_launch *l, struct pq_error *err);

/* offline: makes the sets of all points, empty, with room for what they will hold; a point whose set another point has
 * made already gets none. Errors: pq_stock_create. */
PQ_MUST_USE enum pq_status pq_stocks_create(struct pq_launch *l, struct pq_error *err);

/* entries[i]: how many inferences point i will run. PQ_USER where a set has fewer whole ones left. Without --material
 * there is nothing to demand. */
PQ_MUST_USE enum pq_status pq_stocks_demand(const struct pq_launch *l, const uint64_t *entries, struct pq_error *err);

/* What is unfinished is removed. */
void pq_stocks_close(struct pq_launch *l);

#endif
