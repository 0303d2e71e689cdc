/* Repetitions of a result file grouped into points, and what is said of a group: medians and quartiles. Shared by
 * record_table.c, record_text.c, record_select.c and record_compare.c. */
#ifndef PQ_RECORD_POINTS_H
#define PQ_RECORD_POINTS_H

#include "record_store.h"

enum { PQ_CELL = 64 }; /* bytes of a field or number as text, in a table */

/* The repetitions of one point, as row numbers in r->run. */
struct pq_result_point {
    size_t *row, rows;
    const char *verdict; /* the worst of the repetitions' */
};

/* Points in the order of their first rows; pq_points_free frees them. */
struct pq_result_point *pq_points_group(const struct pq_results *r, size_t *count);
void pq_points_free(struct pq_result_point *point, size_t count);

/* No time of an INVALID point is to be shown. */
bool pq_point_has_times(const struct pq_result_point *p);

/* The point's values of the u64 field at that offset, ascending; the caller frees. */
uint64_t *pq_point_sorted(const struct pq_results *r, const struct pq_result_point *p, size_t offset);

/* Two uint64_t, for qsort. */
int pq_ascending(const void *a, const void *b);

/* Of count >= 1 ascending values, 0 <= q <= 1: linear between neighbours, as numpy.percentile does. */
double pq_quantile(const uint64_t *ascending, size_t count, double q);
double pq_point_median(const struct pq_results *r, const struct pq_result_point *p, size_t offset);

/* One field as text, control characters replaced: one value never takes two lines. */
void pq_field_print(char *out, size_t room, const struct pq_field *field, const void *row);

/* The field of that name, or with the sweep's option name (seq for seq_len, ranks for ranks_per_party, max for
 * max_variant, input-seed for input_seed); NULL when there is none. */
const struct pq_field *pq_field_find(const char *name);

/* Whether two of the points differ in this field. */
bool pq_points_vary(const struct pq_results *r, const struct pq_result_point *point, size_t points,
                    const struct pq_field *field);

/* Fields whose values head a table of their own; none: one table. */
struct pq_group_by {
    size_t count;
    const struct pq_field *field[8];
};

/* A table of texts: the first line holds the titles. Zeroed cells are empty. */
struct pq_sheet {
    size_t lines, columns;
    char (*cell)[PQ_CELL]; /* [lines][columns] */
};
struct pq_sheet pq_sheet_create(size_t lines, size_t columns);
char *pq_sheet_cell(struct pq_sheet *s, size_t line, size_t column);
/* Lines first to last - 1 below the titles; the first left_columns columns to the left, the others to the right. */
void pq_sheet_print(struct pq_sheet *s, size_t first, size_t last, size_t left_columns, FILE *to);

/* The people's tables (record_table.c, record_evaluation_table.c) and the files for scripts (record_scripts.c), parts
 * of pq_results_show. */
void pq_results_show_table(const struct pq_results *r, const struct pq_group_by *by, FILE *to);
void pq_results_show_evaluations(const struct pq_results *r, FILE *to);
void pq_results_show_csv(const struct pq_results *r, bool medians, FILE *to);
void pq_results_show_json(const struct pq_results *r, bool medians, FILE *to);

/* The same for rows that are no repetitions: every field of every row, as it stands. */
void pq_rows_show_csv(const struct pq_table *table, const void *rows, size_t count, FILE *to);
void pq_rows_show_json(const struct pq_table *table, const void *rows, size_t count, FILE *to);

/* Milliseconds or megabytes with four significant digits or so. */
int pq_digits(double x);

#endif
