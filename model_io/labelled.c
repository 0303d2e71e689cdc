#include "labelled.h"

#include "../kernels/secret.h"
#include "sha256.h"
#include "vocabulary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char header[] = "sentence\tlabel", byte_order_mark[] = "\xef\xbb\xbf";

/* A line without its end; next: where the one behind it starts. */
struct line { const char *text; size_t bytes, next; };

static struct line line_at(const struct pq_labelled *d, size_t at)
{
    const char *text = d->file + at, *end = memchr(text, '\n', d->bytes - at);
    struct line l = { text, end ? (size_t)(end - text) : d->bytes - at, 0 };
    l.next = at + l.bytes + (end != NULL);
    while (l.bytes > 0 && text[l.bytes - 1] == '\r')
        l.bytes--;
    return l;
}

/* The whole file, unbuffered: no copy stays behind. NULL, or why it cannot be read. */
static const char *read_bytes(FILE *file, struct pq_labelled *d)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0)
        return strerror(errno);
    if (!S_ISREG(info.st_mode))
        return "it is no regular file";
    if (info.st_size == 0 || info.st_size > PQ_LABELLED_BYTES)
        return info.st_size ? "it is longer than 256 MiB" : "it is empty";
    setvbuf(file, NULL, _IONBF, 0);
    d->bytes = (size_t)info.st_size;
    d->file = pq_alloc(d->bytes);
    if (fread(d->file, 1, d->bytes, file) == d->bytes)
        return NULL;
    return ferror(file) ? strerror(errno) : "it became shorter while it was read";
}

static enum pq_status read_file(const char *path, struct pq_labelled *d, struct pq_error *err)
{
    FILE *file = fopen(path, "rb");
    const char *why = file ? read_bytes(file, d) : strerror(errno);
    if (file)
        fclose(file);
    return why ? pq_fail(err, PQ_USER, "%s: cannot be read (%s); give a file of lines sentence<TAB>label", path, why)
               : PQ_OK;
}

static enum pq_status check_bytes(const char *path, const struct pq_labelled *d, struct pq_error *err)
{
    size_t offset, line = 1;
    if (pq_utf8_valid(d->file, d->bytes, &offset))
        return PQ_OK;
    for (size_t i = 0; i < offset; i++)
        line += d->file[i] == '\n';
    return pq_fail(err, PQ_USER, "%s: line %zu: byte %zu of the file is not UTF-8; convert the file to UTF-8", path, line,
                   offset);
}

static bool is_blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!memchr(" \t\r\v\f", text[i], 5))
            return false;
    return true;
}

/* A number below `labels` of at most four digits. */
static bool parse_label(const char *text, size_t bytes, uint32_t labels, uint32_t *label)
{
    *label = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *label = 10 * *label + (uint32_t)(text[i] - '0');
    }
    return bytes > 0 && bytes <= 4 && *label < labels;
}

static enum pq_status parse_line(const char *path, const struct line *l, size_t number, uint32_t labels,
                                 struct pq_sentence *s, struct pq_error *err)
{
    const char *tab = memchr(l->text, '\t', l->bytes);
    if (!tab)
        return pq_fail(err, PQ_USER, "%s: line %zu has no tab; each line is a sentence, one tab, its label", path, number);
    *s = (struct pq_sentence){ .text = l->text, .bytes = (size_t)(tab - l->text), .line = number };
    const size_t left = l->bytes - s->bytes - 1;
    if (memchr(tab + 1, '\t', left))
        return pq_fail(err, PQ_USER, "%s: line %zu has more than one tab; each line is one sentence, one tab, its label",
                       path, number);
    if (!parse_label(tab + 1, left, labels, &s->label))
        return pq_fail(err, PQ_USER, "%s: line %zu: its label is no number from 0 to %" PRIu32 ", the labels of this "
                       "model", path, number, labels - 1);
    if (is_blank(s->text, s->bytes))
        return pq_fail(err, PQ_USER, "%s: line %zu has an empty sentence; leave the line out", path, number);
    return PQ_OK;
}

static enum pq_status parse_file(const char *path, uint32_t labels, struct pq_labelled *d, struct pq_error *err)
{
    const size_t mark = sizeof byte_order_mark - 1;
    const size_t start = d->bytes >= mark && !memcmp(d->file, byte_order_mark, mark) ? mark : 0;
    const struct line first = line_at(d, start);
    size_t lines = 0;
    if (first.bytes != sizeof header - 1 || memcmp(first.text, header, first.bytes) != 0)
        return pq_fail(err, PQ_USER, "%s: line 1 is not the header; it must be the words sentence and label with a tab "
                       "between", path);
    for (size_t at = first.next; at < d->bytes; lines++)
        at = line_at(d, at).next;
    if (lines == 0)
        return pq_fail(err, PQ_USER, "%s: ends behind its header; give at least one sentence", path);
    d->sentence = pq_alloc(lines * sizeof *d->sentence);
    enum pq_status s = PQ_OK;
    for (size_t at = first.next; at < d->bytes && s == PQ_OK; d->count++) {
        const struct line l = line_at(d, at);
        s = parse_line(path, &l, d->count + 2, labels, &d->sentence[d->count], err);
        at = l.next;
    }
    return s;
}

enum pq_status pq_labelled_read(const char *path, uint32_t labels, struct pq_labelled *d, struct pq_error *err)
{
    *d = (struct pq_labelled){ 0 };
    enum pq_status s = read_file(path, d, err);
    if (s == PQ_OK)
        s = check_bytes(path, d, err);
    if (s == PQ_OK)
        s = parse_file(path, labels, d, err);
    if (s != PQ_OK) {
        pq_labelled_free(d);
        return s;
    }
    struct pq_sha256 *sha = pq_sha256_begin();
    pq_sha256_add(sha, d->file, d->bytes);
    pq_sha256_end(sha, d->id);
    return PQ_OK;
}

void pq_labelled_free(struct pq_labelled *d)
{
    if (d->file)
        pq_free_secret(d->file, d->bytes);
    if (d->sentence)
        pq_free_secret(d->sentence, d->count * sizeof *d->sentence);
    *d = (struct pq_labelled){ 0 };
}
