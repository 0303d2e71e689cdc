/* Records with a different value in every field, and a folder that is gone after the test. */
#ifndef PQ_RESULTS_SAMPLE_H
#define PQ_RESULTS_SAMPLE_H

#include "../record.h"

/* A repetition of the point (seq, protocol); numbers differ between fields, seeds and repetitions. */
struct pq_run_record sample_run(uint64_t seq, const char *protocol, uint64_t repetition);
struct pq_op_record sample_op(uint64_t point, const char *operation, uint64_t party);
void sample_environment(struct pq_environment *env, const char *host);

/* cmocka set-up and tear-down: enters a new empty folder, and leaves and removes it. */
int sample_enter(void **state);
int sample_leave(void **state);

/* Opens for writing (asserts success), adds `repeats` runs of (seq, published) and their operations, closes. */
void sample_write(const char *path, bool resume, uint64_t seq, uint64_t repeats);

/* The whole file; the caller frees. */
char *sample_read_file(const char *path, size_t *bytes);
void sample_write_file(const char *path, const void *data, size_t bytes);

#endif
