/* Sizes and precisions of a model: everything public about it except the embedding (protocols.md sections 1 and 2).
 * Bit positions and widths are the same for all layers, so that they say nothing about the weights. */
#ifndef PQ_SHAPE_H
#define PQ_SHAPE_H

#include "../kernels/status.h"

#include <stddef.h>
#include <stdint.h>

struct pq_shape {
    /* sizes */
    uint32_t layers, hidden, heads, ffn; /* hidden is a multiple of heads */
    uint32_t vocab, max_seq, types, labels;
    /* precisions, in bits */
    uint32_t trunc;        /* t: linear outputs are truncated to t bits before their table; 4, 5, 6 or 8 */
    uint32_t score_trunc;  /* scores are truncated to 4 bits, or to 6 with a 6 -> 4 clamping table */
    uint32_t norm_trunc;   /* normalised values: 6 or 8 bits before the gamma/beta table */
    uint32_t var_trunc;    /* variance: 8 to 10 bits before the 1/sqrt table */
    uint32_t weight_bits;  /* 1 (2 to 8 cost the same online) */
    /* positions: a value is below 2^top (signed: within +-2^(top-1)); its bits [top - trunc, top) are used */
    uint32_t score_top, var_top;
};

enum {
    PQ_CODE_BITS = 4,     /* activations */
    PQ_SCORE_BITS = 5,    /* scores with a bit to spare: the difference of two of them does not wrap */
    PQ_HIDDEN_BITS = 8,   /* residual stream and LayerNorm input */
    PQ_LINEAR_BITS = 16,  /* ring of linear layers; uses its top `trunc` bits (HIDDEN_BITS before LayerNorm) */
    PQ_NORM_TOP = 26,     /* xhat * 2^22, |xhat| < 8 */
    PQ_NORM_FRACTION = 22,
    PQ_MAX_SEQ = 512,
    PQ_MAX_LABELS = 64,
};

/* Accumulator units (mod 2^16) per output code of a linear layer with a table: the t-bit range is four times the
 * 4-bit clip range from t = 6 on, twice at t = 5, the clip range itself at t = 4 (training.md, Defaults). */
static inline uint32_t pq_code_shift(uint32_t trunc)
{
    return trunc >= 6 ? 10 : trunc == 5 ? 11 : 12;
}

/* Context values are truncated to this many bits: one more than t, because probabilities that were rounded up make
 * |sum p v| exceed the largest |v|; at least 6, at most 8. Their table has 2^context_trunc entries. */
static inline uint32_t pq_context_trunc(uint32_t trunc)
{
    return trunc >= 8 ? 8 : trunc + 1 < 6 ? 6 : trunc + 1;
}

/* Named configuration ("bert-tiny", "bert-mini", "bert-base", "bert-large") or "layers=2,hidden=128,heads=2,ffn=512"
 * (those four keys are needed; vocab, max_seq, types, labels have BERT's values otherwise). After either, any key but
 * the positions may follow: "bert-base,layers=2,trunc=5". Precisions get their defaults: t = 6, scores 6, norm 6,
 * variance 10, weights 1. Places score_top and var_top, then checks.
 * PQ_USER with a line that says which key or name is wrong and what would work. */
PQ_MUST_USE enum pq_status pq_shape_parse(const char *text, struct pq_shape *shape, struct pq_error *err);

/* Sets score_top and var_top from the sizes and precisions alone, as good for any model whose codes use their range
 * (a score about sqrt(head_dim) * 7, hidden codes of standard deviation up to 28). A trained model may be calibrated
 * to other positions. To be called again by whoever changes hidden, heads or score_trunc. hidden, heads non-zero. */
void pq_shape_place(struct pq_shape *shape);

/* Every rule a shape must keep (non-zero sizes, heads divide hidden, known widths, limits that keep rings from
 * wrapping: hidden, ffn <= 4096, ...). PQ_USER with the first one that is broken. */
PQ_MUST_USE enum pq_status pq_shape_check(const struct pq_shape *shape, struct pq_error *err);

/* The fields by name, in the order of the struct: keys of pq_shape_parse (positions excepted), attributes of the
 * model files. *pq_shape_value(&shape, i) is field i. */
enum { PQ_SHAPE_FIELDS = 15 };
extern const char *const pq_shape_name[PQ_SHAPE_FIELDS];
uint32_t *pq_shape_value(struct pq_shape *shape, size_t field);

#endif
