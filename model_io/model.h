/* A quantized BERT in memory, and its two files (FORMAT.md): PREFIX.secret.h5 belongs to P0 (weights, scales,
 * tables), PREFIX.public.h5 is for everyone (sizes, embedding). Each process opens only what its party may read:
 * P0 the secret file, P1 the public file, P2 the sizes in the public file. */
#ifndef PQ_MODEL_H
#define PQ_MODEL_H

#include "shape.h"

#include <stdint.h>

/* The linear layers of one encoder layer, then the two of the head (stored once, as layer == shape.layers). */
enum pq_linear_id {
    PQ_QKV, PQ_ATTENTION_OUT, PQ_FFN1, PQ_FFN2, PQ_LINEARS_PER_LAYER,
    PQ_POOLER = PQ_LINEARS_PER_LAYER, PQ_CLASSIFIER
};

/* accumulator[o] = multiplier[o] * sum over i of weight[o][i] * x[i] + bias[o]   mod 2^16
 * Rows of QKV stand head by head: for head h its head_dim rows of Q, then of K, then of V, so that a rank that owns
 * whole heads owns one block of rows. */
struct pq_linear {
    uint32_t out, in;
    int8_t *weight;       /* [out][in], -1 or +1 (1 bit each in the file); signed integers if weight_bits > 1 */
    uint16_t *multiplier; /* [out], per-channel scale folded into an integer, 1 to 2^15 - 1 */
    uint16_t *bias;       /* [out], as a residue mod 2^16 */
    uint32_t table_bits;  /* index bits of the table behind it; 0: none (attention out, FFN 2, classifier) */
    int8_t *table;        /* [out][2^table_bits], entry of index v mod 2^table_bits (v signed): 4-bit code -8..7 */
    double *scale;        /* [out], real weight scale, for information only */
};

/* LayerNorm: index v of the 1/sqrt table is the unsigned truncated variance; index of code and residual is the
 * truncated normalised value v mod 2^norm_trunc (v signed, about xhat * 2^(norm_trunc-4)). */
struct pq_norm {
    uint32_t *rsqrt;  /* [2^var_trunc], about 2^22 / sqrt(V), V = n^2 * variance in hidden codes */
    int8_t *code;     /* [hidden][2^norm_trunc], the next linear layer's 4-bit input code */
    int8_t *residual; /* [hidden][2^norm_trunc], the next residual, 8-bit hidden code */
    float *gamma, *beta; /* [hidden], real parameters, for information only */
};

struct pq_layer {
    struct pq_linear linear[PQ_LINEARS_PER_LAYER];
    int8_t score_clamp[64]; /* 6-bit score index -> 4-bit code; unused when score_trunc is 4 */
    double exp_scale;       /* E(d) = round(Emax * exp(-exp_scale * d)), d = max - u in 0..15; 0 to 100 */
    int8_t *context;        /* [hidden][2^context_trunc] -> 4-bit code */
    struct pq_norm norm[2]; /* after attention, after FFN */
};

struct pq_model {
    struct pq_shape shape;
    uint8_t id[32];           /* SHA-256 over the secret content; the public file carries the same value, and the
                               * caller compares them: files of two models do not belong together */
    struct pq_layer *layer;   /* [layers] */
    struct pq_linear pooler, classifier; /* pooler: hidden x hidden with a tanh table; classifier: labels x hidden */
};

/* The embedding, public. P1 computes in double, sums in the order of channels, every operation rounded by itself, so that
 * all programs get the same codes: e = word[token] + position[i] + type[0], LayerNorm with gamma and beta (1e-12 added
 * to the variance), then code = clamp(round(value / code_step), -8, 7) and residual = clamp(round(value /
 * residual_step), -127, 127). */
struct pq_embedding {
    struct pq_shape shape;
    uint8_t id[32];
    float *word, *position, *type; /* [vocab][hidden], [max_seq][hidden], [types][hidden] */
    float *gamma, *beta;           /* [hidden] */
    float code_step, residual_step;
    char *vocab;          /* the words' text (vocabulary.h), not terminated; malloc'ed */
    uint32_t vocab_bytes; /* 0: a model without words, which takes token ids alone */
};

/* Allocates every array a model of this (checked) shape has, zeroed. Free with pq_model_free. */
void pq_model_create(struct pq_model *model, const struct pq_shape *shape);
void pq_model_free(struct pq_model *model);
void pq_embedding_create(struct pq_embedding *embedding, const struct pq_shape *shape);
void pq_embedding_free(struct pq_embedding *embedding);

/* The linear layer `id` of layer `layer` (layer == shape.layers for pooler and classifier). */
struct pq_linear *pq_model_linear(struct pq_model *model, uint32_t layer, enum pq_linear_id id);

/* Codes and residuals of a token sequence: code, residual [hidden][seq] (channel-major). token[i] < vocab and
 * seq <= max_seq were checked by the caller. Called by P1, and by plain and replay. */
void pq_embedding_codes(const struct pq_embedding *embedding, const uint32_t *token, size_t seq, int8_t *code,
                        int8_t *residual);

/* Writing sets id in both. PREFIX.secret.h5 is created 0600. PQ_WORLD when the disk says no, PQ_USER when the
 * folder cannot be written to at all (unwritable output is found before any work: see pq_model_writable). */
PQ_MUST_USE enum pq_status pq_model_writable(const char *prefix, struct pq_error *err);
PQ_MUST_USE enum pq_status pq_model_write(const char *prefix, struct pq_model *model, struct pq_embedding *embedding,
                                          struct pq_error *err);

/* Reading verifies everything: it is one of our files, of this version, whole, every dataset of the size the shape
 * says, checksums right, every value in its range, and the words a vocabulary. PQ_USER and one line that says what is
 * wrong with which file otherwise. The secret file must not be group- or world-readable. */
PQ_MUST_USE enum pq_status pq_model_read_secret(const char *prefix, struct pq_model *model, struct pq_error *err);
PQ_MUST_USE enum pq_status pq_model_read_public(const char *prefix, struct pq_embedding *embedding,
                                                struct pq_error *err);
PQ_MUST_USE enum pq_status pq_model_read_shape(const char *prefix, struct pq_shape *shape, uint8_t id[32],
                                               struct pq_error *err);

#endif
