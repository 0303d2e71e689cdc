/* From a point, its prediction and a measurement to the records of the result file, and the exact comparison of counts.
 */
#ifndef PQ_RECORD_POINT_H
#define PQ_RECORD_POINT_H

#include "../results/record_evaluation.h"
#include "peaks.h"

/* Settings and predictions of a point; everything that identifies it and nothing that was measured. */
void pq_record_point(struct pq_run_record *r, const struct pq_launch *l, const struct pq_point *p,
                     const struct pq_prediction *predicted);

/* What the point's cores can do, as measured (peaks.h), and the lower bound of its online time that follows. */
void pq_record_floor(struct pq_run_record *r, const struct pq_point *p, const struct pq_prediction *predicted,
                     struct pq_peaks peaks);

/* What an evaluation is, before anything was evaluated; without parties (launch.h, alone) nothing is said of protocol
 * and ranks. data_id: SHA-256 of its data file. */
void pq_record_evaluation(struct pq_evaluation_record *e, const struct pq_launch *l, const uint8_t *data_id);

/* Adds one measured repetition. */
void pq_record_measured(struct pq_run_record *r, const struct pq_session *s, const struct pq_measurement *m,
                        uint64_t repetition);

/* PQ_OK when bytes, messages, rounds and bytes inside the parties of every operation and phase are what cost predicted;
 * else PQ_INVALID and which differs. */
PQ_MUST_USE enum pq_status pq_record_compare(const struct pq_measurement *m, const struct pq_prediction *predicted,
                                             struct pq_error *err);

/* Rows of /ops for a point from its repetitions: times are medians. *ops is malloc'ed. */
size_t pq_record_operations(const struct pq_measurement *m, size_t repetitions, uint64_t point,
                            struct pq_op_record **ops);

#endif
