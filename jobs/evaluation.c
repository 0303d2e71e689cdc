#include "evaluation.h"

#include "../results/proportion.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct pq_batches pq_batches_make(const struct pq_sequences *q, size_t most, const bool *done)
{
    struct pq_batches b = { .batch = pq_alloc(q->count * sizeof *b.batch),
                            .sentence = pq_alloc(q->count * sizeof *b.sentence) };
    size_t sentences = 0;
    for (size_t length = 1; length <= PQ_MAX_SEQ; length++) {
        struct pq_batch *now = NULL;
        for (size_t i = 0; i < q->count; i++) {
            if (q->length[i] != length || (done && done[i]))
                continue;
            if (!now || now->count == most) {
                now = &b.batch[b.count++];
                *now = (struct pq_batch){ .length = length, .first = sentences };
            }
            b.sentence[sentences++] = i;
            now->count++;
        }
    }
    return b;
}

void pq_batches_free(struct pq_batches *b)
{
    free(b->batch);
    free(b->sentence);
    *b = (struct pq_batches){ 0 };
}

uint32_t *pq_batch_tokens(const struct pq_sequences *q, const struct pq_batches *b, size_t which)
{
    const struct pq_batch *batch = &b->batch[which];
    uint32_t *token = pq_alloc(batch->count * batch->length * sizeof *token);
    for (size_t i = 0; i < batch->count; i++)
        memcpy(token + i * batch->length, pq_sequences_token(q, b->sentence[batch->first + i]),
               batch->length * sizeof *token);
    return token;
}

struct pq_answer *pq_batch_answers(const struct pq_sequences *q, const struct pq_batches *b, size_t which)
{
    const struct pq_batch *batch = &b->batch[which];
    struct pq_answer *answer = pq_alloc(batch->count * sizeof *answer);
    for (size_t i = 0; i < batch->count; i++)
        answer[i] = q->answer[b->sentence[batch->first + i]];
    return answer;
}

uint32_t pq_decision(const int32_t *logits, size_t labels, size_t batch, size_t which)
{
    size_t best = 0;
    for (size_t l = 1; l < labels; l++)
        if (logits[l * batch + which] > logits[best * batch + which])
            best = l;
    return (uint32_t)best;
}

static void print_head(const struct pq_evaluation_record *e, const struct pq_sentence_record *sentence, FILE *to)
{
    uint64_t shortest = PQ_MAX_SEQ, longest = 0;
    for (size_t i = 0; i < e->evaluated; i++) {
        shortest = sentence[i].tokens < shortest ? sentence[i].tokens : shortest;
        longest = sentence[i].tokens > longest ? sentence[i].tokens : longest;
    }
    fprintf(to, "%s on %s: %" PRIu64 " sentence%s of %" PRIu64 " to %" PRIu64 " tokens", e->model, e->data,
            e->evaluated, e->evaluated == 1 ? "" : "s", shortest, longest);
    if (e->cut)
        fprintf(to, "; %" PRIu64 " had more than %" PRIu64 ", the longest sequence of this model, and %s cut", e->cut,
                e->max_tokens, e->cut == 1 ? "was" : "were");
    putc('\n', to);
}

static void print_accuracy(const char *who, uint64_t hits, uint64_t all, FILE *to)
{
    const struct pq_proportion p = pq_proportion_of(hits, all);
    fprintf(to, "%-8s %" PRIu64 " of %" PRIu64 " correct: %.1f %% (95 %% interval %.1f to %.1f %%)\n", who, hits, all,
            100 * p.value, 100 * p.low, 100 * p.high);
}

/* A line for each label, a column for each decision. Labels that nobody has and nobody chose are left out. */
static void print_confusion(const struct pq_evaluation_record *e, const struct pq_sentence_record *sentence, bool mpc,
                            FILE *to)
{
    const size_t labels = e->labels;
    size_t *hits = pq_alloc(labels * labels * sizeof *hits); /* [label][decision] */
    bool *used = pq_alloc(labels * sizeof *used);
    memset(hits, 0, labels * labels * sizeof *hits);
    memset(used, 0, labels * sizeof *used);
    for (size_t i = 0; i < e->evaluated; i++) {
        const uint64_t decision = mpc ? sentence[i].mpc_label : sentence[i].plain_label;
        hits[sentence[i].label * labels + decision]++;
        used[sentence[i].label] = used[decision] = true;
    }
    fprintf(to, "  %-14s", mpc ? "MPC decides" : "plain decides");
    for (size_t d = 0; d < labels; d++)
        if (used[d])
            fprintf(to, " %7zu", d);
    for (size_t l = 0; l < labels; l++) {
        if (used[l])
            fprintf(to, "\n    label %-6zu", l);
        for (size_t d = 0; d < labels && used[l]; d++)
            if (used[d])
                fprintf(to, " %7zu", hits[l * labels + d]);
    }
    putc('\n', to);
    free(hits);
    free(used);
}

static void print_doubts(const struct pq_evaluation_record *e, const struct pq_sentence_record *sentence, FILE *to)
{
    size_t clocks = 0;
    for (size_t i = 0; i < e->evaluated; i++)
        clocks += sentence[i].clock_off_ns != 0;
    if (e->range_wrapped)
        fprintf(to, "warning: values left their declared range and wrapped in the batches of %" PRIu64
                " sentences; their logits are not what the model means\n", e->range_wrapped);
    if (clocks)
        fprintf(to, "warning: clocks disagree about the batches of %zu sentences; their times are doubtful\n", clocks);
}

void pq_evaluation_print(const struct pq_evaluation_record *e, const struct pq_sentence_record *sentence, FILE *to)
{
    const bool parties = *e->protocol;
    print_head(e, sentence, to);
    if (parties)
        fprintf(to, "%s, %" PRIu64 " rank%s per party, %" PRIu64 " thread%s per rank, up to %" PRIu64 " at once, "
                "kernel %s, transport %s, network %s%s\n", e->protocol, e->ranks_per_party,
                e->ranks_per_party == 1 ? "" : "s", e->threads, e->threads == 1 ? "" : "s", e->batch, e->kernel, e->transport, e->net,
                strcmp(e->mode, "secure") ? ", INSECURE-BENCH: fixed seed" : "");
    print_accuracy("plain", e->plain_correct, e->evaluated, to);
    if (parties) {
        print_accuracy("MPC", e->mpc_correct, e->evaluated, to);
        fprintf(to, "alike    %" PRIu64 " of %" PRIu64 ": MPC decides as plain does in %.1f %%\n", e->agreeing,
                e->evaluated, 100 * (double)e->agreeing / (double)e->evaluated);
    }
    print_confusion(e, sentence, false, to);
    if (!parties)
        return;
    print_confusion(e, sentence, true, to);
    fprintf(to, "a sentence (median): online %.4g ms, %.4g MB; offline %.4g ms, %.4g MB; %" PRIu64 " rounds a batch\n",
            (double)e->online_ns / 1e6, (double)e->online_bytes / 1e6, (double)e->offline_ns / 1e6,
            (double)e->offline_bytes / 1e6, e->online_rounds);
    print_doubts(e, sentence, to);
    fprintf(to, "VALID: logits of every batch equal the replayed ones bit for bit, counts equal the predicted ones\n"
            "(to check and to compare, P1 showed each batch's tokens, labels and logits to P0 after its inference)\n");
}
