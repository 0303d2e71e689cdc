/* How far an integer model agrees with the checkpoint it was imported from, on given texts: what the import loses. */
#ifndef PQ_AGREEMENT_H
#define PQ_AGREEMENT_H

#include "float_bert.h"
#include "observe.h"

/* Of one layer's output (behind its second LayerNorm), over all texts. From each channel its mean in full precision is
 * taken first: what all tokens share makes no difference. */
struct pq_layer_agreement {
    double cosine; /* between the two, as one vector: 1 is perfect */
    double error;  /* length of the difference / length in full precision: 0 is perfect */
};

/* Codes and logits of the integer model, and where each batch of texts belongs. */
struct pq_agreement {
    const struct pq_texts *texts;
    struct pq_shape shape;
    int8_t *residual;          /* [layers][hidden][tokens] */
    int32_t *logits;           /* [labels][texts] */
    uint64_t values, wrapped;  /* what must fit a ring, and what did not */
};
void pq_agreement_begin(struct pq_agreement *a, const struct pq_shape *shape, const struct pq_texts *texts);

/* The plain engine, run over texts of one length from first_text (token first_token) on, tells a with this observer;
 * its logits [labels][count] go to pq_agreement_logits. */
struct pq_agreement_batch { struct pq_agreement *agreement; size_t first_text, first_token; };
struct pq_observer pq_agreement_observer(struct pq_agreement_batch *batch);
void pq_agreement_logits(struct pq_agreement *a, size_t first_text, const int32_t *logits, size_t count);

/* The verdict, from a float pass over the same texts. step [layers][hidden]: real value of a hidden code of
 * what leaves a layer. layer [layers] is filled in; `logits` too, from the logits, whose unit is chosen to fit best;
 * *decisions counts texts for which both have the same largest logit. */
void pq_agreement_compare(const struct pq_agreement *a, const struct pq_checkpoint *checkpoint, const double *step,
                          struct pq_layer_agreement *layer, struct pq_layer_agreement *logits, size_t *decisions);

void pq_agreement_end(struct pq_agreement *a);

#endif
