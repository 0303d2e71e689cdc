/* What run and sweep do first: start MPI, understand the command line alike on all ranks, and open the model, each
 * party what it may read. */
#ifndef PQ_LAUNCH_H
#define PQ_LAUNCH_H

#include "../mpi/inference.h"
#include "point.h"

struct pq_launch {
    struct pq_group group;
    struct pq_options options;
    bool help;
    const struct pq_gemm16 *gemm;
    struct pq_shape shape;
    uint8_t model_id[32];
    struct pq_model model;         /* P0 */
    struct pq_embedding embedding; /* P1, and P0's first rank when it verifies */
    bool has_model, has_embedding;
    struct pq_point *points;
    size_t point_count;
    uint32_t *file_token;          /* P1, with --tokens */
};

/* Every rank returns the same status; the error's text is on the one rank that prints it. Nothing has been computed
 * yet. */
PQ_MUST_USE enum pq_status pq_launch_begin(struct pq_launch *l, enum pq_command command, int *argc, char ***argv,
                                           struct pq_error *err);

/* Frees, ends MPI. Prints err's text, where there is one, when status is not PQ_OK. Returns the exit code. */
int pq_launch_end(struct pq_launch *l, enum pq_status status, const struct pq_error *err);

/* Session settings of a point, on this rank. Also sets the number of OpenMP threads. */
struct pq_session_setup pq_launch_setup(const struct pq_launch *l, const struct pq_point *p);

/* The point's input: [batch*seq] ids, malloc'ed; from --tokens, or random. P1's ranks; NULL elsewhere. */
uint32_t *pq_launch_input(const struct pq_launch *l, const struct pq_point *p);

#endif
