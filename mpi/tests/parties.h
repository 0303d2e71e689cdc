/* Three parties for tests of single operations, one process each, under mpirun -n 3*G. A test gives P1 and P2 shares of
 * chosen values, runs an operation's dealer and online faces, and puts the results together on every rank. */
#ifndef PQ_PARTIES_H
#define PQ_PARTIES_H

#include "../engine_run.h"
#include "../inference.h"

struct parties {
    struct pq_group group;
    struct pq_link link;
    struct pq_context dealer, party;
    struct pq_cost cost;   /* the same operations, predicted */
    struct pq_weights weights;
    int failures, checks;
};

/* Fixed seeds: a test that fails, fails again. */
void parties_start(struct parties *p, int *argc, char ***argv);
/* Returns main's exit code, the same on all ranks; prints how many checks held. */
int parties_finish(struct parties *p);

/* Before operations: sets plan, resets arenas, material, counts; inference numbers never repeat. */
void parties_begin(struct parties *p, const struct pq_plan *plan);

/* Runs `body` in three roles: at P0 with the dealer's engine, then P2 takes the material, then at P1 and P2 with the
 * party's engine, and with the cost engine everywhere. Then demands that the link counted what cost predicted. body
 * makes the same calls in each. */
void parties_run(struct parties *p, const char *what, void (*body)(struct parties *, struct pq_engine *, void *),
                 void *user);

/* A share of clear values mod 2^bits for a party's engine (P1: random, P2: the rest); no data for other engines. */
struct pq_add parties_share(struct parties *p, struct pq_engine *e, struct pq_dim dim, unsigned bits,
                            const int32_t *clear);
/* On every rank: P1's plus P2's array mod 2^bits. Only in a party's engine; elsewhere `out` is left alone and false
 * returned. */
bool parties_sum(struct parties *p, struct pq_engine *e, const void *share, size_t n, unsigned bits, uint32_t *out);
/* x of an RSS value: x2 (equal at P1 and P2, checked) plus x0 plus x1. */
bool parties_rss(struct parties *p, struct pq_engine *e, const struct pq_rss *x, uint16_t *out);

void parties_check(struct parties *p, bool holds, const char *fmt, ...) PQ_PRINTF(3, 4);

#endif
