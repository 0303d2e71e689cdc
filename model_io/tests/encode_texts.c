/* For test_reference_tokenizer.py: encode_texts VOCAB MAX. Standard input: texts, each behind its length in 4
 * little-endian bytes. Standard output: a line for each, of its token ids or of what was wrong with it. */
#include "../wordpiece.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int encode(const struct pq_vocabulary *v, size_t max)
{
    unsigned char size[4];
    uint32_t *token = pq_alloc(max * sizeof *token);
    while (fread(size, 1, 4, stdin) == 4) {
        const size_t bytes = size[0] | size[1] << 8 | size[2] << 16 | (size_t)size[3] << 24;
        char *text = pq_alloc(bytes);
        struct pq_error err;
        size_t count;
        bool cut;
        if (fread(text, 1, bytes, stdin) != bytes)
            return 1;
        if (pq_wordpiece_encode(v, text, bytes, "text", token, max, &count, &cut, &err) == PQ_OK)
            for (size_t i = 0; i < count; i++)
                printf("%" PRIu32 "%c", token[i], i + 1 < count ? ' ' : '\n');
        else
            printf("%s\n", err.text);
        free(text);
    }
    free(token);
    return ferror(stdin) || fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct pq_shape shape = { .vocab = 1 << 20 };
    struct pq_vocabulary *v;
    struct pq_error err;
    char *text;
    size_t bytes;
    if (argc != 3)
        return 2;
    if (pq_vocabulary_read(argv[1], &text, &bytes, &err) != PQ_OK
        || pq_vocabulary_create(text, bytes, &shape, argv[1], &v, &err) != PQ_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    const int failed = encode(v, (size_t)atol(argv[2]));
    pq_vocabulary_free(v);
    free(text);
    return failed;
}
