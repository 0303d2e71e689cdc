/* The two engines that run the protocol, `dealer` and `party`, and `cost`, which predicts them. They only route: each
 * operation's faces stand together in its protocol file. */
#ifndef PQ_ENGINE_RUN_H
#define PQ_ENGINE_RUN_H

#include "context.h"
#include "cost.h"

/* Makes c an engine of this kind for the plan; link, seeds, weights, gemm and inputs are set by the caller. */
void pq_dealer_start(struct pq_context *c, const struct pq_plan *plan, size_t rank);
void pq_party_start(struct pq_context *c, const struct pq_plan *plan, size_t rank);

/* Wipes and frees the values' memory. */
void pq_context_finish(struct pq_context *c);

/* An engine that counts what rank `rank` of each party does; close adds the last message of the material. */
void pq_cost_start(struct pq_cost *c, const struct pq_plan *plan, size_t rank);
void pq_cost_close(struct pq_cost *c);

/* What one inference will cost, summed over the ranks of each party; nothing is allocated but this. */
struct pq_prediction {
    struct pq_tally party[PQ_ROLES];      /* rounds are rank 0's, multiply-adds and bytes read the busiest rank's */
    uint64_t *material[PQ_ROLES];         /* [ranks] bytes of material of one inference at rank j of P1 and of P2 */
    uint64_t memory[PQ_ROLES];            /* peak resident bytes of a party, all ranks; verifying: P0 also replays */
    uint64_t weight_bytes;                /* packed shares of one rank of P1, the largest */
};
void pq_predict(const struct pq_plan *plan, bool verifying, struct pq_prediction *out);
/* For a job that does not do this phase: it sends nothing in it. */
void pq_prediction_leave_out(struct pq_prediction *p, enum pq_phase phase);
void pq_prediction_free(struct pq_prediction *p);

/* What rank `rank` of P1 or P2 draws in bulk; nothing for P0. */
void pq_predict_draws(const struct pq_plan *plan, enum pq_role role, size_t rank, struct pq_draws *out);

#endif
