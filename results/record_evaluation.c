#include "record_evaluation.h"

#include "proportion.h"
#include "record_points.h"
#include "record_store.h"

#include <stdlib.h>
#include <string.h>

/* What of a sentence's batch is shared out among the sentences in it, or (rounds) is not. */
static const struct { size_t from, to; bool shared; } medians[] = {
#define PAIR(name, shared) \
    { offsetof(struct pq_sentence_record, name), offsetof(struct pq_evaluation_record, name), shared }
    PAIR(online_ns, true),     PAIR(offline_ns, true),     PAIR(online_bytes, true),
    PAIR(offline_bytes, true), PAIR(online_rounds, false),
#undef PAIR
};
enum { MEDIANS = sizeof medians / sizeof medians[0] };

static void put_median(struct pq_evaluation_record *e, uint64_t number, const struct pq_sentence_record *sentence,
                       size_t count, size_t which)
{
    uint64_t *value = pq_alloc((count + 1) * sizeof *value), middle = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (sentence[i].evaluation != number)
            continue;
        memcpy(&value[n], (const char *)&sentence[i] + medians[which].from, sizeof *value);
        if (medians[which].shared && sentence[i].batch)
            value[n] /= sentence[i].batch;
        n++;
    }
    if (n) {
        qsort(value, n, sizeof *value, pq_ascending);
        middle = (uint64_t)pq_quantile(value, n, 0.5);
    }
    memcpy((char *)e + medians[which].to, &middle, sizeof middle);
    free(value);
}

void pq_evaluation_sum_up(struct pq_evaluation_record *e, uint64_t number, const struct pq_sentence_record *sentence,
                          size_t count)
{
    const struct pq_sentence_record *last = NULL;
    bool valid = true;
    e->evaluated = e->cut = e->plain_correct = e->mpc_correct = e->agreeing = e->range_wrapped = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pq_sentence_record *s = &sentence[i];
        if (s->evaluation != number)
            continue;
        e->evaluated++;
        e->cut += s->cut != 0;
        e->plain_correct += s->plain_label == s->label;
        e->mpc_correct += s->mpc_label == s->label;
        e->agreeing += s->plain_label == s->mpc_label;
        e->range_wrapped += s->range_wrapped != 0;
        valid = valid && strcmp(s->verdict, "VALID") == 0;
        last = s;
    }
    const struct pq_proportion plain = pq_proportion_of(e->plain_correct, e->evaluated);
    const struct pq_proportion mpc = pq_proportion_of(e->mpc_correct, e->evaluated);
    e->plain_accuracy = plain.value;
    e->plain_accuracy_low = plain.low;
    e->plain_accuracy_high = plain.high;
    e->mpc_accuracy = mpc.value;
    e->mpc_accuracy_low = mpc.low;
    e->mpc_accuracy_high = mpc.high;
    for (size_t m = 0; m < MEDIANS; m++)
        put_median(e, number, sentence, count, m);
    snprintf(e->verdict, sizeof e->verdict, "%s", valid ? "VALID" : "INVALID");
    snprintf(e->utc, sizeof e->utc, "%s", last ? last->utc : "");
}

size_t pq_results_find_evaluation(const struct pq_results *r, const struct pq_evaluation_record *like)
{
    size_t i = 0;
    while (i < r->evaluations && !pq_rows_same_point(&pq_evaluation_table, &r->evaluation[i], like))
        i++;
    return i;
}

enum pq_status pq_results_add_sentences(struct pq_results *r, const struct pq_evaluation_record *e,
                                        const struct pq_sentence_record *sentence, size_t count, struct pq_error *err)
{
    PQ_ASSERT(r->lock >= 0 && count > 0);
    const size_t number = pq_results_find_evaluation(r, e), evaluations = r->evaluations, sentences = r->sentences;
    r->evaluation = realloc(r->evaluation, (evaluations + 1) * sizeof *r->evaluation);
    r->sentence = realloc(r->sentence, (sentences + count) * sizeof *r->sentence);
    PQ_ASSERT(r->evaluation && r->sentence);
    if (number == evaluations) {
        r->evaluation[number] = *e;
        r->evaluations++;
    }
    const struct pq_evaluation_record before = r->evaluation[number];
    for (size_t i = 0; i < count; i++) {
        struct pq_sentence_record *to = &r->sentence[r->sentences++];
        *to = sentence[i];
        to->evaluation = number;
        PQ_ASSERT(to->sentence < e->sentences && pq_verdict_known(to->verdict));
        pq_tidy_texts(&pq_sentence_table, to);
    }
    pq_evaluation_sum_up(&r->evaluation[number], number, r->sentence, r->sentences);
    pq_tidy_texts(&pq_evaluation_table, &r->evaluation[number]);
    enum pq_status status = pq_results_save(r, err);
    if (status != PQ_OK) {
        r->evaluation[number] = before;
        r->evaluations = evaluations;
        r->sentences = sentences;
    }
    return status;
}

const struct pq_evaluation_record *pq_results_evaluations(const struct pq_results *r, size_t *count)
{
    *count = r->evaluations;
    return r->evaluation;
}

const struct pq_sentence_record *pq_results_sentences(const struct pq_results *r, size_t *count)
{
    *count = r->sentences;
    return r->sentence;
}

static int by_number(const void *a, const void *b)
{
    const struct pq_sentence_record *x = a, *y = b;
    if (x->evaluation != y->evaluation)
        return x->evaluation < y->evaluation ? -1 : 1;
    return (x->sentence > y->sentence) - (x->sentence < y->sentence);
}

/* No sentence twice. */
static bool sentences_differ(const struct pq_results *r)
{
    struct pq_sentence_record *copy = pq_alloc((r->sentences + 1) * sizeof *copy);
    bool differ = true;
    for (size_t i = 0; i < r->sentences; i++)
        copy[i] = r->sentence[i];
    qsort(copy, r->sentences, sizeof *copy, by_number);
    for (size_t i = 1; i < r->sentences && differ; i++)
        differ = by_number(&copy[i - 1], &copy[i]) != 0;
    free(copy);
    return differ;
}

bool pq_evaluations_consistent(const struct pq_results *r)
{
    for (size_t i = 0; i < r->sentences; i++) {
        const struct pq_sentence_record *s = &r->sentence[i];
        if (s->evaluation >= r->evaluations || s->batch == 0 || !pq_verdict_known(s->verdict))
            return false;
        const struct pq_evaluation_record *e = &r->evaluation[s->evaluation];
        if (s->sentence >= e->sentences || s->label >= e->labels || s->plain_label >= e->labels ||
            s->mpc_label >= e->labels)
            return false;
    }
    for (size_t i = 0; i < r->evaluations; i++) {
        const struct pq_evaluation_record *said = &r->evaluation[i];
        struct pq_evaluation_record sum = *said;
        pq_evaluation_sum_up(&sum, i, r->sentence, r->sentences);
        if (sum.evaluated != said->evaluated || sum.plain_correct != said->plain_correct ||
            sum.mpc_correct != said->mpc_correct || sum.agreeing != said->agreeing ||
            strcmp(sum.verdict, said->verdict) != 0)
            return false;
    }
    return sentences_differ(r);
}
