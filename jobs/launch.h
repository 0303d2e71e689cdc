/* What run, eval, sweep and offline do first: start MPI, understand the command line alike on all ranks, open the
 * model, each party what it may read, and the material. */
#ifndef PQ_LAUNCH_H
#define PQ_LAUNCH_H

#include "../mpi/binding.h"
#include "../mpi/inference.h"
#include "point.h"
#include "sequences.h"

struct pq_launch {
    struct pq_group group;
    struct pq_options options;
    bool help;
    bool alone; /* eval without parties: one process, which has model, embedding and sequences, and no points */
    const struct pq_gemm16 *gemm;
    struct pq_shape shape;
    uint8_t model_id[32];
    struct pq_model model;         /* P0; alone */
    struct pq_embedding embedding; /* P1, and P0's first rank when it verifies; alone */
    bool has_model, has_embedding;
    struct pq_point *points;
    size_t point_count;
    struct pq_sequences sequences; /* with --tokens, texts or --data; their ids at P1 alone */
    struct pq_binding *binding;
    char *binding_text;            /* world rank 0: what it does for each number of ranks and threads */
};

/* Every rank returns the same status; the error's text is on the one rank that prints it. Nothing has been computed
 * yet. */
PQ_MUST_USE enum pq_status pq_launch_begin(struct pq_launch *l, enum pq_command command, int *argc, char ***argv,
                                           struct pq_error *err);

/* Says on standard error how ranks and threads are bound, and how threads wait where that was settled. */
void pq_launch_announce(const struct pq_launch *l);

/* Frees, ends MPI. Prints err's text, where there is one, when status is not PQ_OK. Returns the exit code. */
int pq_launch_end(struct pq_launch *l, enum pq_status status, const struct pq_error *err);

/* Session settings of a point, on this rank. Also sets the number of OpenMP threads. */
struct pq_session_setup pq_launch_setup(const struct pq_launch *l, const struct pq_point *p);

/* INSECURE-BENCH: with a fixed seed, of this launch or of the one that made the point's material. */
bool pq_launch_insecure(const struct pq_launch *l, const struct pq_point *p);

/* The point's input: [batch*seq] ids, malloc'ed; random, or sequence number `which` where there are some. P1's ranks;
 * NULL elsewhere. */
uint32_t *pq_launch_input(const struct pq_launch *l, const struct pq_point *p, size_t which);

#endif
