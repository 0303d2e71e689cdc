#include "clear.h"

#include <stdlib.h>

void pq_clear_embed(const struct pq_embedding *embedding, const uint32_t *token, size_t batch, size_t seq,
                    int32_t *code, int32_t *residual)
{
    size_t hidden = embedding->shape.hidden, tokens = batch * seq;
    int8_t *codes = pq_alloc(hidden * seq), *residuals = pq_alloc(hidden * seq); /* of one sequence */
    for (size_t b = 0; b < batch; b++) {
        pq_embedding_codes(embedding, token + b * seq, seq, codes, residuals);
        for (size_t c = 0; c < hidden; c++)
            for (size_t i = 0; i < seq; i++) {
                code[c * tokens + b * seq + i] = codes[c * seq + i];
                residual[c * tokens + b * seq + i] = residuals[c * seq + i];
            }
    }
    free(codes);
    free(residuals);
}
