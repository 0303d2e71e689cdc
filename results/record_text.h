/* A result file as text, for people and for scripts. */
#ifndef PQ_RECORD_TEXT_H
#define PQ_RECORD_TEXT_H

#include "record.h"

#include <stdio.h>

enum pq_results_format { PQ_RESULTS_TABLE, PQ_RESULTS_CSV, PQ_RESULTS_JSON };

/* table: one line per point, in the order of the file, medians with quartiles; no time for a point with an INVALID
 *        repetition.
 * csv:   one line per repetition of /runs, one value per field, quoted as RFC 4180 says, names in the first line.
 * json:  an array of objects, one per repetition, same names.
 * CSV and JSON leave nothing out: their readers look at `verdict`. PQ_WORLD when the stream refuses. */
PQ_MUST_USE enum pq_status pq_results_show(const struct pq_results *r, FILE *to, enum pq_results_format format);

#endif
