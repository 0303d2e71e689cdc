/* A BERT in full precision, read from a checkpoint in Hugging Face's layout: a folder with config.json,
 * model.safetensors and vocab.txt. BERT, MiniLM and every other encoder of that layout, of any number of layers, heads
 * and channels that a model may have (shape.h). */
#ifndef PQ_CHECKPOINT_H
#define PQ_CHECKPOINT_H

#include "model.h"

/* y = weight x + bias, weight [out][in], bias [out]. */
struct pq_dense { uint32_t out, in; float *weight, *bias; };
/* y = gamma * (x - mean) / sqrt(variance + eps) + beta, per token; gamma, beta [hidden]. */
struct pq_affine { float *gamma, *beta; };

struct pq_checkpoint_layer {
    struct pq_dense linear[PQ_LINEARS_PER_LAYER]; /* Q, K and V as one, rows head by head as in model.h */
    struct pq_affine norm[2];                     /* after attention, after FFN */
};

struct pq_checkpoint {
    struct pq_shape shape;         /* sizes; precisions have their defaults and positions are not placed */
    double eps;                    /* layer_norm_eps */
    double (*activation)(double);  /* hidden_act */
    float *word, *position, *type; /* [vocab][hidden], [max_seq][hidden], [types][hidden] */
    struct pq_affine norm;         /* of the embedding */
    struct pq_checkpoint_layer *layer;
    struct pq_dense pooler, classifier; /* out == 0: it has none */
    char *vocab;                   /* text of vocab.txt */
    uint32_t vocab_bytes;
};

/* Reads a folder; the file of each mistake stands at the start of the line. config.json says the sizes (hidden_size,
 * num_hidden_layers, num_attention_heads, intermediate_size, vocab_size, max_position_embeddings, type_vocab_size),
 * layer_norm_eps and hidden_act: gelu, gelu_new (gelu_pytorch_tanh), relu, silu (swish) or tanh. Tensors have BERT's
 * names, with or without "bert." before them; LayerNorm's weight and bias may be called gamma and beta. Positions
 * beyond 512 are not read. Pooler and classifier may be missing, and then their out is 0; shape.labels is the
 * classifier's, or 2.
 * PQ_USER: another architecture (model_type, position_embedding_type), sizes that shape.h refuses, files that do not
 * agree with each other, or weights as pytorch_model.bin alone, which only PyTorch can read: the line says how to
 * convert it. Cost: the file's values once in memory, as float32. Free with pq_checkpoint_free also after a failure. */
PQ_MUST_USE enum pq_status pq_checkpoint_read(const char *folder, struct pq_checkpoint *c, struct pq_error *err);
void pq_checkpoint_free(struct pq_checkpoint *c);

/* A linear layer by its place; layer == shape.layers for pooler and classifier. */
const struct pq_dense *pq_checkpoint_dense(const struct pq_checkpoint *c, uint32_t layer, enum pq_linear_id id);

/* For a checkpoint without a classifier: one of `labels` rows of random signs (1 / sqrt(hidden) each, the same for
 * every checkpoint of that width), and such a pooler where that is missing too. Its logits are random projections of
 * what the encoder says: they keep distances between sentences roughly, and decide nothing. */
void pq_checkpoint_project(struct pq_checkpoint *c, uint32_t labels);

#endif
