#include "vocabulary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

const char *const pq_special_name[PQ_SPECIALS] = { [PQ_UNK] = "[UNK]", [PQ_CLS] = "[CLS]", [PQ_SEP] = "[SEP]",
                                                   [PQ_PAD] = "[PAD]", [PQ_MASK] = "[MASK]" };

struct token { const char *word; size_t bytes; };

struct pq_vocabulary {
    struct token *token; /* [count] */
    uint32_t *slot;      /* [slots], a power of two at least twice count; PQ_NO_TOKEN: free */
    size_t count, slots;
    uint32_t special[PQ_SPECIALS];
};

bool pq_utf8_valid(const char *text, size_t bytes, size_t *offset)
{
    utf8proc_int32_t c;
    for (size_t i = 0; i < bytes;) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &c);
        if (n <= 0) {
            *offset = i;
            return false;
        }
        i += (size_t)n;
    }
    return true;
}

/* The slot of a word, or the free one where it belongs. FNV-1a, linear probing. */
static uint32_t *slot_of(const struct pq_vocabulary *v, const char *word, size_t bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)word[i]) * UINT64_C(0x100000001b3);
    for (size_t i = (size_t)(hash ^ hash >> 32);; i++) {
        uint32_t *slot = &v->slot[i & (v->slots - 1)];
        if (*slot == PQ_NO_TOKEN || (v->token[*slot].bytes == bytes && !memcmp(v->token[*slot].word, word, bytes)))
            return slot;
    }
}

/* Bytes of the line at `text`, without its end; *next: of the line with it. */
static size_t line_length(const char *text, size_t bytes, size_t *next)
{
    const char *end = memchr(text, '\n', bytes);
    size_t length = end ? (size_t)(end - text) : bytes;
    *next = end ? length + 1 : bytes;
    while (length > 0 && text[length - 1] == '\r')
        length--;
    return length;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 0, next;
    for (size_t i = 0; i < bytes; i += next, lines++)
        line_length(text + i, bytes - i, &next);
    return lines;
}

static enum pq_status add_lines(struct pq_vocabulary *v, const char *text, size_t bytes, const char *source,
                                struct pq_error *err)
{
    size_t next;
    for (size_t i = 0; i < bytes; i += next) {
        const size_t length = line_length(text + i, bytes - i, &next), line = v->count + 1;
        if (length == 0 || memchr(text + i, 0, length))
            return pq_fail(err, PQ_USER, "%s: line %zu is empty or has a zero byte; give one token per line", source,
                           line);
        uint32_t *slot = slot_of(v, text + i, length);
        if (*slot != PQ_NO_TOKEN)
            return pq_fail(err, PQ_USER, "%s: line %zu says the same token as line %" PRIu32 "; give each token once",
                           source, line, *slot + 1);
        *slot = (uint32_t)v->count;
        v->token[v->count++] = (struct token){ text + i, length };
    }
    for (int s = 0; s < PQ_SPECIALS; s++) {
        v->special[s] = pq_vocabulary_find(v, pq_special_name[s], strlen(pq_special_name[s]));
        if (s <= PQ_SEP && v->special[s] == PQ_NO_TOKEN)
            return pq_fail(err, PQ_USER, "%s: has no token %s; give the vocab.txt of a BERT checkpoint", source,
                           pq_special_name[s]);
    }
    return PQ_OK;
}

enum pq_status pq_vocabulary_create(const char *text, size_t bytes, const struct pq_shape *shape, const char *source,
                                    struct pq_vocabulary **vocabulary, struct pq_error *err)
{
    size_t offset;
    const size_t lines = count_lines(text, bytes);
    *vocabulary = NULL;
    if (!pq_utf8_valid(text, bytes, &offset))
        return pq_fail(err, PQ_USER, "%s: byte %zu is not UTF-8; give a text file of one token per line", source,
                       offset);
    if (lines > shape->vocab)
        return pq_fail(err, PQ_USER, "%s: has %zu tokens, but the model's vocabulary only %" PRIu32 "; use the one the "
                       "model was made for", source, lines, shape->vocab);
    struct pq_vocabulary *v = pq_alloc(sizeof *v);
    *v = (struct pq_vocabulary){ .slots = 16 };
    while (v->slots < 2 * lines)
        v->slots *= 2;
    v->token = pq_alloc(lines * sizeof *v->token);
    v->slot = pq_alloc(v->slots * sizeof *v->slot);
    for (size_t i = 0; i < v->slots; i++)
        v->slot[i] = PQ_NO_TOKEN;
    enum pq_status status = add_lines(v, text, bytes, source, err);
    if (status == PQ_OK)
        *vocabulary = v;
    else
        pq_vocabulary_free(v);
    return status;
}

void pq_vocabulary_free(struct pq_vocabulary *v)
{
    if (v) {
        free(v->token);
        free(v->slot);
    }
    free(v);
}

size_t pq_vocabulary_count(const struct pq_vocabulary *v)
{
    return v->count;
}

uint32_t pq_vocabulary_find(const struct pq_vocabulary *v, const char *word, size_t bytes)
{
    return *slot_of(v, word, bytes);
}

uint32_t pq_vocabulary_special(const struct pq_vocabulary *v, enum pq_special which)
{
    return v->special[which];
}

const char *pq_vocabulary_word(const struct pq_vocabulary *v, uint32_t id, size_t *bytes)
{
    PQ_ASSERT(id < v->count);
    *bytes = v->token[id].bytes;
    return v->token[id].word;
}

enum pq_status pq_vocabulary_read(const char *path, char **text, size_t *bytes, struct pq_error *err)
{
    size_t room = 1 << 18;
    *text = NULL;
    *bytes = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return pq_fail(err, PQ_USER, "%s: cannot be opened (%s); give the vocab.txt of a BERT checkpoint", path,
                       strerror(errno));
    char *data = pq_alloc(room);
    for (size_t n; *bytes <= PQ_VOCABULARY_BYTES && (n = fread(data + *bytes, 1, room - *bytes, file)) > 0;)
        if ((*bytes += n) == room) {
            char *larger = pq_alloc(2 * room);
            memcpy(larger, data, room);
            free(data);
            data = larger;
            room *= 2;
        }
    const int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (!failed && *bytes > 0 && *bytes <= PQ_VOCABULARY_BYTES) {
        *text = data;
        return PQ_OK;
    }
    free(data);
    return pq_fail(err, PQ_USER, "%s: cannot be a vocabulary (%s); give the vocab.txt of a BERT checkpoint", path,
                   failed ? strerror(failed) : *bytes ? "it is longer than 64 MiB" : "it is empty");
}
