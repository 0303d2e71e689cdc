/* Values of options, from text: `name` is the option's, for the line that says what is wrong with it (PQ_USER). */
#ifndef PQ_OPTION_VALUES_H
#define PQ_OPTION_VALUES_H

#include "options.h"

/* A number from low to high, in decimal digits. */
PQ_MUST_USE enum pq_status pq_value_number(const char *name, const char *text, uint64_t low, uint64_t high,
                                           uint64_t *out, struct pq_error *err);

/* Values with commas between them, none twice: numbers, or, where `names` is given, one or both of two names. */
PQ_MUST_USE enum pq_status pq_value_list(const char *name, const char *text, uint64_t low, uint64_t high,
                                         const char *const names[2], struct pq_list *out, struct pq_error *err);

/* Networks with commas between them, none twice. */
PQ_MUST_USE enum pq_status pq_value_nets(const char *name, const char *text, struct pq_nets *out, struct pq_error *err);

/* "auto": 0, or one of two names: 1 and 2. */
PQ_MUST_USE enum pq_status pq_value_choice(const char *name, const char *text, const char *const names[2], int *out,
                                           struct pq_error *err);

#endif
