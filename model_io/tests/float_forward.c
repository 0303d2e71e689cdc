/* Prints the float pass of a checkpoint: float_forward FOLDER LENGTH... < token ids. Per linear layer behind which a
 * LayerNorm stands its output, [hidden][tokens], and last the logits, [labels][texts]; one row per line. */
#include "../float_bert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print(const float *x, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            printf("%.9g%c", x[i * columns + j], j + 1 < columns ? ' ' : '\n');
}

int main(int argc, char **argv)
{
    struct pq_checkpoint c;
    struct pq_error err = { "" };
    struct pq_texts texts = { .count = (size_t)argc - 2 };
    struct pq_float f;
    if (pq_checkpoint_read(argv[1], &c, &err) != PQ_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    uint32_t *length = pq_alloc(texts.count * sizeof *length);
    for (size_t i = 0; i < texts.count; i++)
        texts.tokens += length[i] = (uint32_t)atoi(argv[i + 2]);
    uint32_t *token = pq_alloc(texts.tokens * sizeof *token);
    for (size_t i = 0; i < texts.tokens; i++)
        if (scanf("%" SCNu32, &token[i]) != 1 || token[i] >= c.shape.vocab)
            return 2;
    texts.length = length;
    texts.token = token;
    pq_float_begin(&f, &c, &texts);
    print(f.hidden, c.shape.hidden, texts.tokens);
    while (f.layer < c.shape.layers || f.id != PQ_CLASSIFIER) {
        pq_float_step(&f);
        if (f.id == PQ_FFN2)
            print(f.hidden, c.shape.hidden, texts.tokens);
    }
    print(f.output, c.shape.labels, texts.count);
    pq_float_end(&f);
    pq_checkpoint_free(&c);
    free(length);
    free(token);
    return 0;
}
