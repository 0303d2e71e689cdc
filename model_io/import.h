/* A model from a checkpoint, without training. Two passes over calibration texts:
 *
 *   1. In float (float_bert.h): from the values of every layer follow what each 4-bit code stands for, the weights, and
 *      the ranges of scores, variances and sums (pq_import_begin).
 *   2. In integers: the plain engine runs over the same texts, and as it comes to a linear layer, that layer's exact
 *      sums are set against what the float pass has there, channel by channel: a least-squares line gives scale and
 *      bias, hence multiplier, bias and table (pq_import_observer). So a layer makes good, as far as a line can, for
 *      what the layers before it lost.
 *
 * Tricks that cost nothing online: K and V are centred per channel (a constant in K changes no softmax, one in V comes
 * back in the context's table); codes have a gain and a zero per channel (quantise.h); products of Q and K are balanced
 * between the two; LayerNorm's reach and eps stand in its table of 1/sqrt.
 *
 * The plain engine takes sequences of one length at a time, texts have many. Their engines run side by side, one
 * OpenMP thread each, and wait for each other at every linear layer. */
#ifndef PQ_IMPORT_H
#define PQ_IMPORT_H

#include "float_bert.h"
#include "observe.h"

struct pq_import;

/* A range of texts of one length, as one batch for the plain engine. */
struct pq_text_batch { size_t length, count, first_text, first_token; };
/* Cuts texts, which stand in the order of their lengths, into batches; batch [texts->count]. Returns how many. */
size_t pq_texts_batches(const struct pq_texts *texts, struct pq_text_batch *batch);

/* The first pass. `shape`: the checkpoint's, with the precisions wanted, checked; its positions are set here from the
 * data. model and embedding are created here. checkpoint (with pooler and classifier: pq_checkpoint_project) and texts
 * (in the order of their lengths) stay the caller's and must outlive the import. Cost: about three float passes. */
struct pq_import *pq_import_begin(const struct pq_checkpoint *checkpoint, const struct pq_shape *shape,
                                  const struct pq_texts *texts, struct pq_model *model,
                                  struct pq_embedding *embedding);

/* The second pass. In an OpenMP parallel region of as many threads as there are batches, thread i runs the plain engine
 * on batch i with this observer, whose callback has barriers in it: every thread must come to every layer. */
struct pq_import_batch { struct pq_import *import; struct pq_text_batch batch; };
struct pq_observer pq_import_observer(struct pq_import_batch *batch);

/* Real value of one hidden code in each channel of the residual stream that leaves `layer`: step [hidden]. */
void pq_import_steps(const struct pq_import *import, uint32_t layer, double *step);

void pq_import_end(struct pq_import *import);

#endif
