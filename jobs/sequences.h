/* What P1 brings: token sequences, one of a token file, or one of each text or labelled sentence. */
#ifndef PQ_SEQUENCES_H
#define PQ_SEQUENCES_H

#include "../model_io/labelled.h"
#include "../model_io/model.h"
#include "../model_io/vocabulary.h"
#include "options.h"

/* What a labelled sentence has besides its tokens. */
struct pq_answer { uint32_t label, cut; };

struct pq_sequences {
    size_t count, tokens; /* sequences, and ids of all of them */
    uint32_t *length;     /* [count] */
    uint32_t *token;      /* [tokens], one sequence behind the other; NULL where they are not known */
    size_t cut;           /* texts that were longer than the model takes */
    struct pq_answer *answer; /* [count], of --data where it was read, else NULL */
    uint8_t data_id[PQ_LABELLED_ID]; /* SHA-256 of --data's file, where it was read */
    size_t length_room, token_room;
};

/* Whether the options name an input at all. */
bool pq_sequences_given(const struct pq_options *o);

/* Reads --tokens, --text, --text-file, standard input, or --data up to --limit; called by `plain` and by P1's first
 * rank, so by no process of another party. world_rank: of the caller, for advice. PQ_USER, one line: no such file, not
 * UTF-8 (with line and byte), no line, a model without words, too many ids; of --data what labelled.h says. Everything
 * is read before the first inference starts. */
PQ_MUST_USE enum pq_status pq_sequences_read(const struct pq_options *o, const struct pq_embedding *embedding,
                                             size_t world_rank, struct pq_sequences *q, struct pq_error *err);

/* Appends the ids of every line of a file. PQ_USER as above; max: the longest sequence, at least 2. */
PQ_MUST_USE enum pq_status pq_sequences_add_file(struct pq_sequences *q, const struct pq_vocabulary *v, size_t max,
                                                 const char *path, struct pq_error *err);

/* Room for sizes that are known; without room for ids where tokens is 0. */
void pq_sequences_create(struct pq_sequences *q, size_t count, size_t tokens);
void pq_sequences_free(struct pq_sequences *q);

/* The lengths that occur, each once. PQ_USER where they are more than a list holds. */
PQ_MUST_USE enum pq_status pq_sequences_lengths(const struct pq_sequences *q, struct pq_list *lengths,
                                                struct pq_error *err);
const uint32_t *pq_sequences_token(const struct pq_sequences *q, size_t which);

#endif
