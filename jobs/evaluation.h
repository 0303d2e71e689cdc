/* What `pqbert eval` does alike with and without parties: batches of sentences, decisions, and the report. */
#ifndef PQ_EVALUATION_H
#define PQ_EVALUATION_H

#include "../results/record_evaluation.h"
#include "sequences.h"

#include <stdio.h>

/* Sentences of one length that are classified at once: sentence[first .. first + count). */
struct pq_batch { size_t length, first, count; };
struct pq_batches {
    size_t count;
    struct pq_batch *batch;
    size_t *sentence; /* numbers in the sequences */
};

/* The shortest first, `most` at once at most; without those that are done (NULL: none is). A rule of public lengths
 * alone, so that all ranks make the same. */
struct pq_batches pq_batches_make(const struct pq_sequences *q, size_t most, const bool *done);
void pq_batches_free(struct pq_batches *b);

/* Ids of a batch, one sequence behind the other, [count * length]; pq_free_secret them. */
uint32_t *pq_batch_tokens(const struct pq_sequences *q, const struct pq_batches *b, size_t which);
/* Labels and cuts of a batch, [count]; pq_free_secret them. Where the sequences have answers. */
struct pq_answer *pq_batch_answers(const struct pq_sequences *q, const struct pq_batches *b, size_t which);

/* The label with the largest logit, of equals the first. logits [labels][batch]. */
uint32_t pq_decision(const int32_t *logits, size_t labels, size_t batch, size_t which);

/* The whole report: sentences and their lengths, accuracies with intervals, confusion, and what of private inference
 * took time and bytes. Of an evaluation without parties (no protocol) the plain model's part alone. e: summed up;
 * sentence [e->evaluated], its own. */
void pq_evaluation_print(const struct pq_evaluation_record *e, const struct pq_sentence_record *sentence, FILE *to);

#endif
