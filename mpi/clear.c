#include "clear.h"

#include "../kernels/secret.h"

#include <stdlib.h>

/* depth: the limit of pq_shape_check; a team is woken for this many multiply-adds */
enum { MAX_DEPTH = 4096, ROWS = 4, WORTH_A_TEAM = 1 << 20 };

/* Four rows times one column. Written so that compilers make one multiply-add instruction of eight products. */
static void dot_rows(int16_t w[ROWS][MAX_DEPTH], const int16_t *x, size_t depth, int32_t sum[ROWS])
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (size_t k = 0; k < depth; k++) {
        s0 += w[0][k] * x[k];
        s1 += w[1][k] * x[k];
        s2 += w[2][k] * x[k];
        s3 += w[3][k] * x[k];
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

void pq_clear_sums(const struct pq_linear *l, const int32_t *code, size_t tokens, int32_t *sums)
{
    PQ_ASSERT(l->in <= MAX_DEPTH);
    int16_t *column = pq_alloc(tokens * l->in * sizeof *column); /* [tokens][in] */
    for (size_t j = 0; j < tokens; j++)
        for (size_t i = 0; i < l->in; i++)
            column[j * l->in + i] = (int16_t)code[i * tokens + j];
#pragma omp parallel for schedule(static) if ((size_t)l->out * l->in * tokens > WORTH_A_TEAM)
    for (size_t o = 0; o < l->out; o += ROWS) {
        int16_t w[ROWS][MAX_DEPTH];
        int32_t sum[ROWS];
        size_t rows = l->out - o < ROWS ? l->out - o : ROWS;
        for (size_t row = 0; row < ROWS; row++)
            for (size_t i = 0; i < l->in; i++)
                w[row][i] = row < rows ? l->weight[(o + row) * l->in + i] : 0;
        for (size_t j = 0; j < tokens; j++) {
            dot_rows(w, column + j * l->in, l->in, sum);
            for (size_t row = 0; row < rows; row++)
                sums[(o + row) * tokens + j] = sum[row];
        }
    }
    free(column);
}

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
    pq_free_secret(codes, hidden * seq);
    pq_free_secret(residuals, hidden * seq);
}
