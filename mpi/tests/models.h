/* Whole inferences for tests: tiny synthetic models, sessions with fixed seeds, their verdicts and counts checked. For
 * mpirun -n 3*G. */
#ifndef PQ_MODELS_H
#define PQ_MODELS_H

#include "parties.h"

struct tiny {
    struct pq_shape shape;
    struct pq_model model; /* on every rank: what a session gets of it depends on the party */
    struct pq_embedding embedding;
};

/* From a configuration as users type it (shape.h), calibrated as `pqbert model synth` does. */
void tiny_make(struct tiny *t, const char *config);
void tiny_free(struct tiny *t);

/* One point; all zero but seq and ranks is a sensible one. */
struct point {
    size_t seq, batch, ranks; /* batch 0: 1 */
    int threads;              /* 0: 1 */
    enum pq_protocol protocol;
    enum pq_maximum maximum;
    enum pq_tables tables;
    const char *kernel;       /* NULL: the best */
    bool no_verify, fresh_seeds, overlap;
};
const char *point_name(const struct point *at); /* static text */

struct pq_session_setup point_setup(struct parties *p, const struct tiny *t, const struct point *at);
/* The input of a test with this many tokens; same numbers for every G. malloc'ed. */
uint32_t *point_input(const struct tiny *t, const struct point *at);

/* Bytes, messages, rounds, and bytes and messages inside the party, of every party, phase and operation; *where: the
 * first that differs. */
bool counts_agree(const struct pq_tally measured[PQ_ROLES], const struct pq_tally predicted[PQ_ROLES],
                  const char **where);

/* Opens a session, repeats it, closes it; demands the expected verdict each time and that counts agree. logits
 * [repeats][labels*batch], NULL: not wanted, gets P1's on every rank, after a check that all of P1's ranks hold the
 * same. */
void point_run(struct parties *p, const struct tiny *t, const struct point *at, size_t repeats, int32_t *logits);

#endif
