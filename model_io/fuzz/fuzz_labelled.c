/* Labelled sentences. Input: 1 byte, the labels of the model; when its bit 7 is set the header comes before what
 * follows. */
#include "../labelled.h"
#include "../vocabulary.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const struct pq_labelled *d, uint32_t labels)
{
    size_t offset;
    PQ_ASSERT(d->count > 0);
    for (size_t i = 0; i < d->count; i++) {
        const struct pq_sentence *s = &d->sentence[i];
        PQ_ASSERT(s->label < labels && s->bytes > 0 && s->line == i + 2);
        PQ_ASSERT(s->text > d->file && s->text + s->bytes < d->file + d->bytes && s->text[s->bytes] == '\t');
        PQ_ASSERT(!memchr(s->text, '\t', s->bytes) && !memchr(s->text, '\n', s->bytes));
        PQ_ASSERT(pq_utf8_valid(s->text, s->bytes, &offset));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char header[] = "sentence\tlabel\n";
    struct fuzz_input in = { data, bytes };
    struct pq_labelled d;
    struct pq_error err = { "" };
    char path[80];
    const uint8_t choice = fuzz_u8(&in);
    const uint32_t labels = 1 + choice % 64;
    const size_t start = choice & 128 ? sizeof header - 1 : 0, size = start + in.left;
    char *file = pq_alloc(size);
    memcpy(file, header, start);
    fuzz_bytes(&in, file + start, size - start);
    snprintf(path, sizeof path, "%s/labelled.tsv", fuzz_folder());
    fuzz_spill(path, file, size);
    if (fuzz_ok(pq_labelled_read(path, labels, &d, &err), &err, path)) {
        PQ_ASSERT(d.bytes == size && !memcmp(d.file, file, size));
        check(&d, labels);
    } else {
        PQ_ASSERT(!d.file && !d.sentence);
    }
    pq_labelled_free(&d);
    free(file);
    return 0;
}
