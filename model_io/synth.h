/* A synthetic model of any shape: random 1-bit weights and scales, calibrated so that activation codes use their
 * range and nothing overflows at t = 6. The caller (pqbert model synth) runs the plain engine over random tokens
 * with this observer; each linear layer is calibrated from its exact sums just before it is used, so one forward
 * pass calibrates the whole model. */
#ifndef PQ_SYNTH_H
#define PQ_SYNTH_H

#include "observe.h"

/* What to calibrate on: this many random sequences of this length (or of max_seq, if less). Short rows have the widest
 * context values, so a model calibrated on them stays in range on long ones, but not the other way round; many of
 * them, because within one sequence the values that all its tokens share look constant. */
enum { PQ_SYNTH_SEQ = 8, PQ_SYNTH_BATCH = 64 };

struct pq_synth; /* the random state and the model being made */

/* Chooses weights, scales, embedding and every parameter that does not need data (positions, exp scales, clamps,
 * norm tables). model and embedding are created here, from a checked shape whose positions (score_top, var_top) are
 * filled in. Same seed, same model. */
struct pq_synth *pq_synth_begin(const struct pq_shape *shape, uint64_t seed, struct pq_model *model,
                                struct pq_embedding *embedding);

/* Sets multipliers, biases and tables as the forward pass meets each layer. */
struct pq_observer pq_synth_observer(struct pq_synth *synth);

void pq_synth_end(struct pq_synth *synth);

#endif
