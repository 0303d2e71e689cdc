/* A result file as text, for people and for scripts. Called by jobs/cmd_results.c. */
#ifndef PQ_RECORD_TEXT_H
#define PQ_RECORD_TEXT_H

#include "record.h"

#include <stdio.h>

enum pq_results_format { PQ_RESULTS_TABLE, PQ_RESULTS_CSV, PQ_RESULTS_JSON };

enum pq_results_rows { PQ_ROWS_RUNS, PQ_ROWS_EVALUATIONS, PQ_ROWS_SENTENCES }; /* of which dataset */
extern const char *const pq_rows_name[3];

enum { PQ_SELECTIONS = 32 };

/* What to show. Fields are named as in SCHEMA.md, or as sweep's options name them (seq, ranks, max, input-seed). */
struct pq_results_view {
    enum pq_results_format format;
    enum pq_results_rows rows; /* CSV and JSON; other than runs: as they stand, without medians and selections */
    bool medians; /* CSV and JSON: one row per point */
    size_t selections;
    struct { const char *field, *values; } select[PQ_SELECTIONS]; /* rows whose field is one of the comma-separated */
    const char *group; /* comma-separated: one table for each combination of their values; NULL: one table */
};

/* table: one line per point, in the order of the file, medians with quartiles; no time for a point with an INVALID
 *        repetition. Behind it one line per evaluation, where there are some and no repetitions are selected.
 * csv:   one line per repetition of /runs, one value per field, quoted as RFC 4180 says, names in the first line;
 *        behind them sequences_per_second (pq_run_throughput).
 * json:  an array of objects, one per repetition, same names.
 * CSV and JSON of repetitions leave nothing out: their readers look at `verdict`. With medians there is one row per
 * point: NAME is the median of the repetitions, of times also NAME_q1 and NAME_q3, `repetition` becomes `repetitions`,
 * `verdict` is the worst; times of an INVALID point are left empty (null in JSON).
 *
 * Selecting takes rows out of r, which must be open for reading. PQ_USER: a field or value that the file does not
 * have. PQ_WORLD: the stream refuses. */
PQ_MUST_USE enum pq_status pq_results_show(struct pq_results *r, const struct pq_results_view *view, FILE *to,
                                           struct pq_error *err);

/* What b measures otherwise than a, point by point (record_compare.c): online and offline time with an interval for
 * the change, bytes and rounds where they differ, and how the two were made where that differs. Settings that are one
 * value in all of a and one in all of b need not be the same for points to be compared, sequence length and batch
 * excepted; they are named. PQ_USER: no point of a is in b. PQ_WORLD: the stream refuses. */
PQ_MUST_USE enum pq_status pq_results_compare(const struct pq_results *a, const struct pq_results *b, FILE *to,
                                              struct pq_error *err);

#endif
