/* What the plain engine tells a listener while it computes: calibration (synth) sets parameters from it, reports
 * count from it. All callbacks may be NULL. Layer is shape.layers for pooler and classifier. */
#ifndef PQ_OBSERVE_H
#define PQ_OBSERVE_H

#include "model.h"

#include <stddef.h>
#include <stdint.h>

struct pq_observer {
    void *user;
    /* Before a linear layer is finished: sums[o*tokens + j] = sum over i of weight[o][i] * code[i][j], exact.
     * The listener may set multiplier, bias and table of that layer (and, at PQ_ATTENTION_OUT and PQ_FFN2, the norm
     * behind it): plain reads them after this call. */
    void (*sums)(void *user, uint32_t layer, enum pq_linear_id id, const int32_t *sums, size_t out, size_t tokens);
    /* At each place where a value must fit a ring: how many were looked at and how many did not fit (and wrapped). */
    void (*range)(void *user, uint32_t layer, const char *what, uint64_t values, uint64_t wrapped);
    /* Each tensor of 4-bit codes: histogram[c + 8] counts code c. */
    void (*codes)(void *user, uint32_t layer, const char *what, const uint64_t histogram[16]);
    /* What leaves a layer: the residual stream in hidden codes, [hidden][tokens]. */
    void (*residual)(void *user, uint32_t layer, const int32_t *code, size_t hidden, size_t tokens);
};

#endif
