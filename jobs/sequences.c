#include "sequences.h"

#include "../kernels/secret.h"
#include "../model_io/tokens.h"
#include "../model_io/wordpiece.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids travel between P1's ranks in one message. */
enum { MOST_TOKENS = 1 << 26 };

bool pq_sequences_given(const struct pq_options *o)
{
    return o->tokens || o->text || o->text_file || o->data;
}

void pq_sequences_create(struct pq_sequences *q, size_t count, size_t tokens)
{
    *q = (struct pq_sequences){ .count = count, .tokens = tokens };
    q->length = pq_alloc(count * sizeof *q->length);
    if (tokens)
        q->token = pq_alloc(tokens * sizeof *q->token);
}

void pq_sequences_free(struct pq_sequences *q)
{
    free(q->length);
    if (q->token)
        pq_free_secret(q->token, q->tokens * sizeof *q->token);
    if (q->answer)
        pq_free_secret(q->answer, q->count * sizeof *q->answer);
    *q = (struct pq_sequences){ 0 };
}

enum pq_status pq_sequences_lengths(const struct pq_sequences *q, struct pq_list *lengths, struct pq_error *err)
{
    lengths->count = 0;
    for (size_t i = 0; i < q->count; i++) {
        size_t k = 0;
        while (k < lengths->count && lengths->value[k] != q->length[i])
            k++;
        if (k == PQ_LIST)
            return pq_fail(err, PQ_USER, "texts of more than %d different lengths: split them", PQ_LIST);
        lengths->value[k] = q->length[i];
        lengths->count += k == lengths->count;
    }
    return PQ_OK;
}

const uint32_t *pq_sequences_token(const struct pq_sequences *q, size_t which)
{
    const uint32_t *token = q->token;
    for (size_t i = 0; i < which; i++)
        token += q->length[i];
    return token;
}

/* Room for `more` values behind `count`; what is left behind is wiped. */
static uint32_t *grown(uint32_t *old, size_t count, size_t more, size_t *room)
{
    if (count + more <= *room)
        return old;
    *room = 2 * (count + more);
    uint32_t *larger = pq_alloc(*room * sizeof *larger);
    if (count)
        memcpy(larger, old, count * sizeof *larger);
    pq_free_secret(old, count * sizeof *old);
    return larger;
}

/* Appends the ids of one text. */
static enum pq_status add_text(struct pq_sequences *q, const struct pq_vocabulary *v, size_t max, const char *text,
                               size_t bytes, const char *source, struct pq_error *err)
{
    uint32_t token[PQ_MAX_SEQ];
    size_t count;
    bool cut;
    enum pq_status s = pq_wordpiece_encode(v, text, bytes, source, token, max, &count, &cut, err);
    if (s == PQ_OK && q->tokens + count > MOST_TOKENS)
        s = pq_fail(err, PQ_USER, "%s: the texts up to here have more than %d tokens; split them", source, MOST_TOKENS);
    if (s != PQ_OK)
        return s;
    q->length = grown(q->length, q->count, 1, &q->length_room);
    q->token = grown(q->token, q->tokens, count, &q->token_room);
    memcpy(q->token + q->tokens, token, count * sizeof *token);
    q->length[q->count++] = (uint32_t)count;
    q->tokens += count;
    q->cut += cut;
    pq_wipe(token, sizeof token);
    return PQ_OK;
}

/* One text per line. */
static enum pq_status add_lines(struct pq_sequences *q, const struct pq_vocabulary *v, size_t max, FILE *file,
                                const char *name, struct pq_error *err)
{
    char source[512];
    size_t room = 1 << 16; /* getline would leave shorter ones behind as they grow */
    char *line = pq_alloc(room);
    ssize_t length;
    enum pq_status s = PQ_OK;
    while (s == PQ_OK && (length = getline(&line, &room, file)) >= 0) {
        snprintf(source, sizeof source, "%.400s: line %zu", name, q->count + 1);
        if (length > 0 && line[length - 1] == '\n')
            length--;
        s = add_text(q, v, max, line, (size_t)length, source, err);
    }
    if (s == PQ_OK && ferror(file))
        s = pq_fail(err, PQ_USER, "%s: cannot be read (%s); give a text file, one text per line", name,
                    strerror(errno));
    pq_free_secret(line, room);
    return s;
}

/* The first sentences of --data, and their labels. */
static enum pq_status add_labelled(struct pq_sequences *q, const struct pq_vocabulary *v, const struct pq_embedding *e,
                                   const struct pq_options *o, struct pq_error *err)
{
    struct pq_labelled d;
    char source[512];
    enum pq_status s = pq_labelled_read(o->data, e->shape.labels, &d, err);
    if (s != PQ_OK)
        return s;
    const size_t wanted = o->limit && o->limit < d.count ? o->limit : d.count;
    struct pq_answer *answer = pq_alloc(wanted * sizeof *answer);
    memcpy(q->data_id, d.id, sizeof q->data_id);
    for (size_t i = 0; i < wanted && s == PQ_OK; i++) {
        const struct pq_sentence *sentence = &d.sentence[i];
        const size_t cut = q->cut;
        snprintf(source, sizeof source, "%.400s: line %zu", o->data, sentence->line);
        s = add_text(q, v, e->shape.max_seq, sentence->text, sentence->bytes, source, err);
        answer[i] = (struct pq_answer){ sentence->label, q->cut > cut };
    }
    pq_labelled_free(&d);
    if (s == PQ_OK)
        q->answer = answer;
    else
        pq_free_secret(answer, wanted * sizeof *answer);
    return s;
}

enum pq_status pq_sequences_add_file(struct pq_sequences *q, const struct pq_vocabulary *v, size_t max,
                                     const char *path, struct pq_error *err)
{
    const size_t before = q->count;
    FILE *file = fopen(path, "r");
    if (!file)
        return pq_fail(err, PQ_USER, "%s: cannot be opened (%s); give a text file, one text per line", path,
                       strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* no copy stays in a buffer */
    enum pq_status s = add_lines(q, v, max, file, path, err);
    fclose(file);
    if (s == PQ_OK && q->count == before)
        s = pq_fail(err, PQ_USER, "%s has no line; give at least one text", path);
    return s;
}

static enum pq_status read_texts(const struct pq_options *o, const struct pq_embedding *e,
                                 const struct pq_vocabulary *v, size_t world_rank, struct pq_sequences *q,
                                 struct pq_error *err)
{
    const size_t max = e->shape.max_seq;
    if (o->data)
        return add_labelled(q, v, e, o, err);
    if (!o->text)
        return pq_sequences_add_file(q, v, max, o->text_file, err);
    if (strcmp(o->text, "-"))
        return add_text(q, v, max, o->text, strlen(o->text), "--text", err);
    setvbuf(stdin, NULL, _IONBF, 0);
    enum pq_status s = add_lines(q, v, max, stdin, "standard input", err);
    if (s != PQ_OK || q->count)
        return s;
    if (world_rank > 0)
        return pq_fail(err, PQ_USER, "standard input has no line at P1's first rank: start with mpirun --stdin %zu, or "
                       "all of it goes to P0's; or give --text-file FILE", world_rank);
    return pq_fail(err, PQ_USER, "standard input has no line; give at least one text");
}

enum pq_status pq_sequences_read(const struct pq_options *o, const struct pq_embedding *e, size_t world_rank,
                                 struct pq_sequences *q, struct pq_error *err)
{
    struct pq_vocabulary *v;
    *q = (struct pq_sequences){ 0 };
    if (o->tokens) {
        size_t count;
        enum pq_status s = pq_tokens_read(o->tokens, &e->shape, &q->token, &count, err);
        if (s == PQ_OK) {
            q->length = pq_alloc(sizeof *q->length);
            q->length[0] = (uint32_t)count;
            q->tokens = count;
            q->count = 1;
        }
        return s;
    }
    if (!e->vocab_bytes)
        return pq_fail(err, PQ_USER, "%s.public.h5 has no vocabulary, so the model takes no text: %smake "
                       "it with --vocab vocab.txt", o->model, o->data ? "" : "give --tokens FILE, or ");
    if (e->shape.max_seq < 2)
        return pq_fail(err, PQ_USER, "%s: one token is this model's longest sequence, and [CLS] and [SEP] are two: "
                       "it takes no text%s", o->model, o->data ? "" : "; give --tokens FILE");
    enum pq_status s = pq_vocabulary_create(e->vocab, e->vocab_bytes, &e->shape, o->model, &v, err);
    if (s == PQ_OK) {
        s = read_texts(o, e, v, world_rank, q, err);
        pq_vocabulary_free(v);
    }
    if (s != PQ_OK)
        pq_sequences_free(q);
    return s;
}
