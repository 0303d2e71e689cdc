/* Labelled sentences, to measure a model's accuracy: P1's input. A text file with a header and then a sentence, a tab and
 * its label in each line, as GLUE's tasks with one sentence have it:
 *
 *   sentence<TAB>label
 *   a moving and funny film<TAB>1
 *
 * UTF-8, with or without a byte order mark and carriage returns. Labels are 0 to labels - 1. */
#ifndef PQ_LABELLED_H
#define PQ_LABELLED_H

#include "../kernels/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PQ_LABELLED_BYTES = 1 << 28, PQ_LABELLED_ID = 32 }; /* a longer file is not taken; bytes of its SHA-256 */

struct pq_sentence { const char *text; size_t bytes, line; uint32_t label; };

struct pq_labelled {
    size_t count;
    struct pq_sentence *sentence; /* [count], texts are in `file` and not terminated */
    char *file;
    size_t bytes;
    uint8_t id[PQ_LABELLED_ID]; /* SHA-256 of the file */
};

/* Reads the whole file and checks all of it. PQ_USER, one line with file, line and reason, and nothing allocated: no
 * such file, too long, not UTF-8 (with the offset of the byte), no header, no tab or several, a label that is none of
 * the model's `labels`, an empty sentence, no sentence. No line quotes a sentence. */
PQ_MUST_USE enum pq_status pq_labelled_read(const char *path, uint32_t labels, struct pq_labelled *d,
                                            struct pq_error *err);

/* Wipes: sentences are P1's. */
void pq_labelled_free(struct pq_labelled *d);

#endif
