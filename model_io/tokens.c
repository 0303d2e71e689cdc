#include "tokens.h"

#include "../kernels/secret.h"
#include "splitmix.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word long enough for any id and to be recognised in a message; what is longer is no id. */
struct word { char text[24]; size_t length; size_t line; };

/* The next word outside comments; false at the end of the file. */
static bool next_word(FILE *file, size_t *line, struct word *word)
{
    bool comment = false;
    word->length = 0;
    for (int c; (c = getc(file)) != EOF; ) {
        bool space = isspace(c) || comment || c == '#';
        if (space && word->length > 0) {
            ungetc(c, file); /* a newline or '#' counts on the next call */
            break;
        }
        if (c == '#')
            comment = true;
        if (c == '\n') {
            comment = false;
            *line += 1;
        }
        if (space)
            continue;
        word->line = *line;
        if (word->length < sizeof word->text - 1)
            word->text[word->length++] = isprint(c) ? (char)c : '?'; /* the message must stay one readable line */
    }
    word->text[word->length] = '\0';
    return word->length > 0;
}

static bool parse_id(const struct word *word, uint64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < word->length; i++) {
        if (word->text[i] < '0' || word->text[i] > '9')
            return false;
        if (*id < UINT32_MAX)
            *id = 10 * *id + (uint64_t)(word->text[i] - '0');
    }
    return true;
}

static enum pq_status read_ids(FILE *file, const char *path, const struct pq_shape *shape, uint32_t *token,
                               size_t *count, struct pq_error *err)
{
    struct word word;
    size_t line = 1;
    *count = 0;
    while (next_word(file, &line, &word)) {
        uint64_t id;
        if (!parse_id(&word, &id))
            return pq_fail(err, PQ_USER, "%s: line %zu: '%s' is not a token id; write decimal ids below %" PRIu32
                           " with white space between, '#' starts a comment", path, word.line, word.text, shape->vocab);
        if (id >= shape->vocab)
            return pq_fail(err, PQ_USER, "%s: line %zu: token id %s is outside the model's vocabulary; ids are 0 to %"
                           PRIu32, path, word.line, word.text, shape->vocab - 1);
        if (*count == shape->max_seq)
            return pq_fail(err, PQ_USER, "%s: line %zu: more than %" PRIu32 " token ids, the longest sequence of this "
                           "model; shorten the file", path, word.line, shape->max_seq);
        token[(*count)++] = (uint32_t)id;
    }
    if (ferror(file))
        return pq_fail(err, PQ_USER, "%s: line %zu: cannot be read (%s); give a text file of token ids", path, line,
                       strerror(errno));
    if (*count == 0)
        return pq_fail(err, PQ_USER, "%s: line %zu: the file ends without a token id; give at least one", path, line);
    return PQ_OK;
}

enum pq_status pq_tokens_read(const char *path, const struct pq_shape *shape, uint32_t **token, size_t *count,
                              struct pq_error *err)
{
    *token = NULL;
    *count = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return pq_fail(err, PQ_USER, "%s: cannot be opened (%s); give a text file of token ids", path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* no copy stays in a buffer */
    uint32_t *ids = pq_alloc(shape->max_seq * sizeof *ids);
    size_t found;
    enum pq_status status = read_ids(file, path, shape, ids, &found, err);
    fclose(file);
    if (status != PQ_OK) {
        pq_free_secret(ids, shape->max_seq * sizeof *ids);
        return status;
    }
    *token = ids;
    *count = found;
    return PQ_OK;
}

void pq_tokens_random(uint64_t seed, const struct pq_shape *shape, uint32_t *token, size_t count)
{
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++)
        token[i] = (uint32_t)((pq_splitmix_next(&state) >> 32) * shape->vocab >> 32);
}
