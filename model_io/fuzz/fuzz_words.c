/* vocab.txt and WordPiece. Input: longest sequence (2 bytes), 1 byte; the vocabulary up to the first zero byte, then a
 * text. When the byte is odd, the vocabulary is preceded by the tokens that every one must have. */
#include "../vocabulary.h"
#include "../wordpiece.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_encoding(const struct pq_vocabulary *v, const char *text, size_t bytes, size_t max)
{
    uint32_t token[PQ_MAX_SEQ];
    size_t count, word_bytes;
    bool cut;
    struct pq_error err = { "" };
    if (!fuzz_ok(pq_wordpiece_encode(v, text, bytes, "line 1", token, max, &count, &cut, &err), &err, "line 1"))
        return;
    PQ_ASSERT(count >= 2 && count <= max && (!cut || count == max));
    PQ_ASSERT(token[0] == pq_vocabulary_special(v, PQ_CLS) && token[count - 1] == pq_vocabulary_special(v, PQ_SEP));
    for (size_t i = 0; i < count; i++) {
        const char *word = pq_vocabulary_word(v, token[i], &word_bytes);
        PQ_ASSERT(pq_vocabulary_find(v, word, word_bytes) == token[i]);
    }
}

static void check_words(const struct pq_vocabulary *v, size_t most)
{
    size_t bytes;
    PQ_ASSERT(pq_vocabulary_count(v) >= 3 && pq_vocabulary_count(v) <= most);
    for (uint32_t id = 0; id < pq_vocabulary_count(v); id++) {
        const char *word = pq_vocabulary_word(v, id, &bytes);
        PQ_ASSERT(bytes > 0 && !memchr(word, '\n', bytes) && pq_vocabulary_find(v, word, bytes) == id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char needed[] = "[UNK]\n[CLS]\n[SEP]\n";
    struct fuzz_input in = { data, bytes };
    struct pq_shape shape = { .vocab = 64 };
    struct pq_error err = { "" };
    struct pq_vocabulary *v;
    char path[80], *text;
    const size_t low = fuzz_u8(&in), max = 2 + (low | (size_t)fuzz_u8(&in) << 8) % (PQ_MAX_SEQ - 1);
    const size_t start = fuzz_u8(&in) & 1 ? sizeof needed - 1 : 0;
    const uint8_t *zero = in.left ? memchr(in.at, 0, in.left) : NULL;
    const size_t own = zero ? (size_t)(zero - in.at) : in.left;

    char *file = pq_alloc(start + own);
    memcpy(file, needed, start);
    fuzz_bytes(&in, file + start, own);
    fuzz_u8(&in);
    snprintf(path, sizeof path, "%s/vocab.txt", fuzz_folder());
    fuzz_spill(path, file, start + own);
    size_t text_bytes;
    if (fuzz_ok(pq_vocabulary_read(path, &text, &text_bytes, &err), &err, path)) {
        PQ_ASSERT(text_bytes == start + own && memcmp(text, file, text_bytes) == 0);
        char *line = pq_alloc(in.left); /* of its own size, so that reading beyond it is seen */
        const size_t line_bytes = in.left;
        fuzz_bytes(&in, line, line_bytes);
        if (fuzz_ok(pq_vocabulary_create(text, text_bytes, &shape, path, &v, &err), &err, path)) {
            check_words(v, shape.vocab);
            check_encoding(v, line, line_bytes, max);
            pq_vocabulary_free(v);
        }
        free(line);
        free(text);
    }
    free(file);
    return 0;
}
