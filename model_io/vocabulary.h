/* The words of a model: vocab.txt as BERT checkpoints have it, one token per line, its number the line's, from 0. The
 * same text stands in the public model file (FORMAT.md, dataset `vocab`). */
#ifndef PQ_VOCABULARY_H
#define PQ_VOCABULARY_H

#include "shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQ_VOCABULARY_BYTES = 1 << 26 }; /* a longer text is not taken for a vocabulary */

/* Tokens with a part in every sequence, and those that a text may name itself. */
enum pq_special { PQ_UNK, PQ_CLS, PQ_SEP, PQ_PAD, PQ_MASK, PQ_SPECIALS };
extern const char *const pq_special_name[PQ_SPECIALS];
#define PQ_NO_TOKEN UINT32_MAX

struct pq_vocabulary;

/* Indexes a text of `bytes` bytes, which must stay while the vocabulary is used. PQ_USER, one line that starts with
 * `source`: it is not UTF-8, has an empty line, a zero byte or a token twice, lacks [UNK], [CLS] or [SEP], or has more
 * lines than the model has rows. A last line may lack its newline; carriage returns before newlines do not count. */
PQ_MUST_USE enum pq_status pq_vocabulary_create(const char *text, size_t bytes, const struct pq_shape *shape,
                                                const char *source, struct pq_vocabulary **vocabulary,
                                                struct pq_error *err);
void pq_vocabulary_free(struct pq_vocabulary *v);

size_t pq_vocabulary_count(const struct pq_vocabulary *v);

/* The token of exactly these bytes, or PQ_NO_TOKEN. One probe of a hash table on average. */
uint32_t pq_vocabulary_find(const struct pq_vocabulary *v, const char *word, size_t bytes);
/* PQ_NO_TOKEN for [PAD] or [MASK] where the vocabulary lacks them. */
uint32_t pq_vocabulary_special(const struct pq_vocabulary *v, enum pq_special which);
/* The bytes of token `id` < count; not terminated. */
const char *pq_vocabulary_word(const struct pq_vocabulary *v, uint32_t id, size_t *bytes);

/* The text of a vocab.txt, malloc'ed, unchecked; PQ_USER when it cannot be read, is empty or too long. */
PQ_MUST_USE enum pq_status pq_vocabulary_read(const char *path, char **text, size_t *bytes, struct pq_error *err);

/* Whether the bytes are UTF-8, every sequence in its shortest form and without surrogates; *offset of the first byte
 * that is not. */
bool pq_utf8_valid(const char *text, size_t bytes, size_t *offset);

#endif
