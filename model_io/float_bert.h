/* The forward pass of a checkpoint in float32, as its authors mean it: what an imported model is measured against, and
 * what its ranges are taken from. It goes from linear layer to linear layer, and each one's input and output can be
 * looked at. Matrices are [channels][columns], as in the engines; a column is a token, or in the head a sequence. */
#ifndef PQ_FLOAT_BERT_H
#define PQ_FLOAT_BERT_H

#include "checkpoint.h"

/* Token sequences, one behind the other. */
struct pq_texts { size_t count, tokens; const uint32_t *length, *token; };

struct pq_float {
    /* The linear layer that was computed last. */
    uint32_t layer;              /* shape.layers: the head */
    enum pq_linear_id id;
    size_t columns;
    const float *input, *output; /* [in][columns], [out][columns]; of the classifier: the logits */
    /* Behind PQ_ATTENTION_OUT and PQ_FFN2, whose output is added to the layer's input and normalised. */
    const float *sum, *hidden;   /* [hidden][tokens]; hidden is before the first layer the embedding */

    const struct pq_checkpoint *checkpoint;
    const struct pq_texts *texts;
    float *own_input, *own_output, *own_sum, *own_hidden;
};

/* Embeds the texts (each at least one token, ids below vocab, at most max_seq); the checkpoint has a pooler and a
 * classifier. Both stay the caller's. Memory: 4 bytes per token and 4 hidden + 2 ffn channels. */
void pq_float_begin(struct pq_float *f, const struct pq_checkpoint *checkpoint, const struct pq_texts *texts);

/* The next linear layer: QKV, attention out, FFN 1, FFN 2 of each layer, then pooler and classifier. Matrix products by
 * OpenBLAS, attention by sequence. */
void pq_float_step(struct pq_float *f);

void pq_float_end(struct pq_float *f);

#endif
