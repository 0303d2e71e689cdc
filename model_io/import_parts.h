/* What the two passes of an import share (import.h). Internal to model_io. */
#ifndef PQ_IMPORT_PARTS_H
#define PQ_IMPORT_PARTS_H

#include "import.h"
#include "quantise.h"

/* A linear layer: the codes of its input; accumulators per real value of a channel where it has no table (256 a hidden
 * code), else NULL. */
struct pq_import_linear { struct pq_codes in; double *unit; };

/* A residual sum h and the LayerNorm behind it (import_norm.c). */
enum { PQ_IMPORT_BINS = 4 * 32 + 1 }; /* of a variance, per quarter octave */
struct pq_import_norm {
    double one;                     /* hidden codes per real value, of the sum */
    double *shrink;                 /* [hidden]: channel c of the sum is that much smaller, at most 1 */
    double reach;                   /* normalised values times reach stay within +-8 */
    double variance;                /* the largest V, n^2 * variance in hidden codes */
    double missing[PQ_IMPORT_BINS]; /* logarithm of the real V over the one that is seen in shrunk codes */
    double *low, *high;             /* [hidden]: what the residual may bring into the sum, in hidden codes */
};

struct pq_import_layer {
    struct pq_import_linear linear[PQ_LINEARS_PER_LAYER]; /* of the head: pooler, classifier */
    struct pq_import_norm norm[2];
    struct pq_codes qkv;  /* [3 * hidden]: codes of Q, K and V */
    double score;         /* real score (a logarithm) per unit of an integer score */
    double score_reach;   /* the largest integer score */
    double top, step;     /* real score of code 7, and of a step between codes */
};

struct pq_import {
    const struct pq_checkpoint *checkpoint;
    const struct pq_texts *texts;
    struct pq_model *model;
    struct pq_embedding *embedding;
    struct pq_import_layer *layer; /* [layers + 1] */
    struct pq_float reference;     /* of the second pass */
    int32_t *sums;                 /* of the layer in progress: [out][columns] */
};

/* The linear layer's part, pooler and classifier being the first two of layer `layers`. */
static inline struct pq_import_linear *pq_import_linear(struct pq_import *import, uint32_t layer, enum pq_linear_id id)
{
    return &import->layer[layer].linear[layer == import->checkpoint->shape.layers ? id - PQ_POOLER : id];
}

/* Attention (import_attention.c): what codes of Q, K and V stand for, and how scores become codes, from the float
 * values of QKV that f has just computed. */
void pq_import_attention(const struct pq_float *f, struct pq_import_layer *layer);

/* LayerNorm: steps and ranges of the residual sum that f has just computed. incoming [hidden]: the largest values of
 * what came in. */
void pq_import_normalise(const struct pq_float *f, const double *incoming, uint32_t norm_trunc,
                         struct pq_import_norm *n);
/* The real V for one that is seen. */
double pq_import_variance(const struct pq_import_norm *n, double seen);

#endif
