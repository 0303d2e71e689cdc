/* pqbert eval: accuracy on labelled sentences. Without mpirun that of the integer model in the clear; with parties the
 * same beside private inference, batch by batch, every batch verified and written to the result file at once. */
#include "../kernels/machine.h"
#include "../kernels/secret.h"
#include "../mpi/engine_plain.h"
#include "clear_model.h"
#include "commands.h"
#include "environment.h"
#include "evaluation.h"
#include "progress.h"
#include "record_point.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct evaluation {
    struct pq_launch launch;
    struct pq_batches batches;
    /* world rank 0 */
    struct pq_results *results; /* with --out */
    struct pq_progress progress;
    struct pq_evaluation_record record;
    struct pq_sentence_record *sentence; /* [record.sentences], of which so many are done: */
    size_t done;
};

static bool writes(const struct evaluation *w)
{
    return w->launch.group.world_rank == 0;
}

/* ---- decisions in the clear ---- */

/* Decides a batch with engine `plain`, into the sentences' plain_label. */
static void decide_plain(const struct pq_launch *l, const struct pq_batch *b, const uint32_t *token,
                         struct pq_sentence_record *sentence)
{
    const size_t bytes = l->shape.labels * b->count * sizeof(int32_t);
    int32_t *logits = pq_alloc(bytes);
    pq_plain_infer(&l->model, &l->embedding, NULL, token, b->length, b->count, logits);
    for (size_t i = 0; i < b->count; i++)
        sentence[i].plain_label = pq_decision(logits, l->shape.labels, b->count, i);
    pq_free_secret(logits, bytes);
}

/* What is known of a batch's sentences before they are decided. */
static void describe_sentences(const struct evaluation *w, size_t which, const struct pq_answer *answer,
                               struct pq_sentence_record *sentence)
{
    const struct pq_batch *b = &w->batches.batch[which];
    PQ_ASSERT(answer);
    memset(sentence, 0, b->count * sizeof *sentence);
    for (size_t i = 0; i < b->count; i++) {
        sentence[i].sentence = w->batches.sentence[b->first + i];
        sentence[i].tokens = b->length;
        sentence[i].label = answer[i].label;
        sentence[i].cut = answer[i].cut;
        sentence[i].batch = b->count;
    }
}

static enum pq_status evaluate_alone(struct evaluation *w)
{
    const struct pq_launch *l = &w->launch;
    w->batches = pq_batches_make(&l->sequences, l->options.batch, NULL);
    for (size_t i = 0; i < w->batches.count; i++) {
        struct pq_sentence_record *sentence = &w->sentence[w->done];
        uint32_t *token = pq_batch_tokens(&l->sequences, &w->batches, i);
        struct pq_answer *answer = pq_batch_answers(&l->sequences, &w->batches, i);
        describe_sentences(w, i, answer, sentence);
        decide_plain(l, &w->batches.batch[i], token, sentence);
        w->done += w->batches.batch[i].count;
        pq_progress_note(&w->progress, "%zu of %zu sentences", w->done, l->sequences.count);
        pq_free_secret(token, w->batches.batch[i].count * w->batches.batch[i].length * sizeof *token);
        pq_free_secret(answer, w->batches.batch[i].count * sizeof *answer);
    }
    pq_progress_note(&w->progress, "%s", "");
    pq_evaluation_sum_up(&w->record, 0, w->sentence, w->done);
    pq_evaluation_print(&w->record, w->sentence, stdout);
    return PQ_OK;
}

/* ---- with parties ---- */

/* After a batch P1's first rank shows it to world rank 0, as it does to the verifier. */
struct shown { uint32_t *token; struct pq_answer *answer; int32_t *logits; };

static void show(const struct evaluation *w, size_t which, const struct pq_session *s, const uint32_t *token,
                 struct shown *to)
{
    const struct pq_group *g = &w->launch.group;
    const struct pq_batch *b = &w->batches.batch[which];
    const size_t tokens = b->count * b->length * sizeof *token, answers = b->count * sizeof *to->answer;
    const size_t logits = b->count * w->launch.shape.labels * sizeof *to->logits;
    const int p1 = pq_group_rank_of(g, PQ_P1, 0);
    if (g->world_rank == p1) {
        struct pq_answer *answer = pq_batch_answers(&w->launch.sequences, &w->batches, which);
        pq_group_send(g, 0, token, tokens);
        pq_group_send(g, 0, answer, answers);
        pq_group_send(g, 0, s->logits, logits);
        pq_free_secret(answer, answers);
    } else if (g->world_rank == 0) {
        *to = (struct shown){ pq_alloc(tokens), pq_alloc(answers), pq_alloc(logits) };
        pq_group_receive(g, p1, to->token, tokens);
        pq_group_receive(g, p1, to->answer, answers);
        pq_group_receive(g, p1, to->logits, logits);
    }
}

static void forget(const struct evaluation *w, size_t which, struct shown *s)
{
    const struct pq_batch *b = &w->batches.batch[which];
    pq_free_secret(s->token, b->count * b->length * sizeof *s->token);
    pq_free_secret(s->answer, b->count * sizeof *s->answer);
    pq_free_secret(s->logits, b->count * w->launch.shape.labels * sizeof *s->logits);
}

/* World rank 0: the batch's records, in memory and in the file. */
static enum pq_status keep(struct evaluation *w, size_t which, const struct pq_session *s,
                           const struct pq_measurement *m, const struct shown *shown, struct pq_error *err)
{
    const struct pq_launch *l = &w->launch;
    const struct pq_batch *b = &w->batches.batch[which];
    struct pq_sentence_record *sentence = &w->sentence[w->done];
    struct pq_run_record run = { 0 };
    struct pq_error disk;
    enum pq_status status = pq_record_compare(m, &s->predicted, err);
    if (m->verdict == PQ_WRONG)
        status = pq_fail(err, PQ_INVALID, "the opened logits of a batch of %zu sentences of %zu tokens differ from the "
                         "replayed ones; no accuracy and no time are given for a wrong result", b->count, b->length);
    pq_record_measured(&run, s, m, 0);
    describe_sentences(w, which, shown->answer, sentence);
    decide_plain(l, b, shown->token, sentence);
    for (size_t i = 0; i < b->count; i++) {
        struct pq_sentence_record *to = &sentence[i];
        to->mpc_label = pq_decision(shown->logits, l->shape.labels, b->count, i);
        to->offline_ns = run.offline_ns;
        to->online_ns = run.online_ns;
        to->offline_bytes = run.offline_bytes;
        to->online_bytes = run.online_bytes;
        to->online_rounds = run.online_rounds;
        to->clock_off_ns = run.clock_off_ns;
        to->range_wrapped = run.range_wrapped;
        snprintf(to->verdict, sizeof to->verdict, "%s", status == PQ_OK ? "VALID" : "INVALID");
        snprintf(to->utc, sizeof to->utc, "%s", run.utc);
    }
    pq_watch_phase(l->group.watch, "writing results");
    if (w->results && pq_results_add_sentences(w->results, &w->record, sentence, b->count, &disk) != PQ_OK)
        pq_group_die(&l->group, "writing results", "%s", disk.text);
    w->done += b->count;
    return status;
}

/* After the last batch of a length: how far it is, and what is known. */
static void report_progress(struct evaluation *w, size_t which)
{
    const struct pq_batch *b = &w->batches.batch[which];
    const bool last = which + 1 == w->batches.count || w->batches.batch[which + 1].length != b->length;
    if (!writes(w) || !last)
        return;
    pq_evaluation_sum_up(&w->record, 0, w->sentence, w->done);
    pq_progress_line(&w->progress, "[%zu/%" PRIu64 "] %zu tokens: plain %.1f %%, MPC %.1f %%, alike %.1f %%; online "
                     "%.4g ms a sentence", w->done, w->record.sentences, b->length, 100 * w->record.plain_accuracy,
                     100 * w->record.mpc_accuracy, 100 * (double)w->record.agreeing / (double)w->record.evaluated,
                     (double)w->record.online_ns / 1e6);
}

/* The point of a batch: its length's, with as many sequences as it has. */
static struct pq_point point_of(const struct pq_launch *l, const struct pq_batch *b)
{
    size_t k = 0;
    while (l->points[k].plan.seq != b->length)
        k++;
    struct pq_point p = l->points[k];
    if (p.plan.batch != b->count) {
        p.plan.batch = b->count;
        pq_point_choose(&p, &l->options);
    }
    return p;
}

/* The session stays open while length and number of sentences repeat: its weight shares serve every batch. */
static enum pq_status evaluate(struct evaluation *w, struct pq_error *err)
{
    const struct pq_launch *l = &w->launch;
    struct pq_session session;
    bool open = false;
    enum pq_status status = PQ_OK;
    for (size_t i = 0; i < w->batches.count && status == PQ_OK; i++) {
        const struct pq_batch *b = &w->batches.batch[i];
        const struct pq_point point = point_of(l, b);
        struct pq_measurement m;
        struct shown shown = { 0 };
        pq_progress_note(&w->progress, "[%zu/%" PRIu64 "] %zu sentence%s of %zu tokens", w->done, w->record.sentences,
                         b->count, b->count == 1 ? "" : "s", b->length);
        if (!open || session.setup.plan.seq != b->length || session.setup.plan.batch != b->count) {
            if (open)
                pq_session_close(&session);
            const struct pq_session_setup setup = pq_launch_setup(l, &point);
            pq_session_open(&session, &setup);
            open = true;
        }
        uint32_t *token = l->group.role == PQ_P1 ? pq_batch_tokens(&l->sequences, &w->batches, i) : NULL;
        pq_session_repeat(&session, token, &m);
        show(w, i, &session, token, &shown);
        if (writes(w)) {
            status = keep(w, i, &session, &m, &shown, err);
            forget(w, i, &shown);
        }
        if (token)
            pq_free_secret(token, b->count * b->length * sizeof *token);
        status = pq_group_agree(&l->group, status, err);
        if (status == PQ_OK)
            report_progress(w, i);
    }
    if (open)
        pq_session_close(&session);
    return status;
}

/* ---- what is done already ---- */

/* World rank 0 learns from P1's first rank which file it is. */
static void exchange_id(const struct pq_group *g, uint8_t id[PQ_LABELLED_ID])
{
    const int p1 = pq_group_rank_of(g, PQ_P1, 0);
    if (g->world_rank == p1)
        pq_group_send(g, 0, id, PQ_LABELLED_ID);
    else if (g->world_rank == 0)
        pq_group_receive(g, p1, id, PQ_LABELLED_ID);
}

/* Takes what the file holds of this evaluation. */
static void take_done(struct evaluation *w, bool *done)
{
    size_t rows;
    const size_t number = pq_results_find_evaluation(w->results, &w->record);
    const struct pq_sentence_record *sentence = pq_results_sentences(w->results, &rows);
    for (size_t i = 0; i < rows; i++)
        if (sentence[i].evaluation == number) {
            w->sentence[w->done++] = sentence[i];
            w->sentence[w->done - 1].evaluation = 0;
            done[sentence[i].sentence] = true;
        }
    pq_evaluation_sum_up(&w->record, 0, w->sentence, w->done);
    if (w->done)
        pq_progress_line(&w->progress, "%zu of %" PRIu64 " sentences are in the file already", w->done,
                         w->record.sentences);
}

static enum pq_status prepare(struct evaluation *w, const struct pq_environment *env, struct pq_error *err)
{
    struct pq_launch *l = &w->launch;
    bool *done = pq_alloc(l->sequences.count * sizeof *done);
    enum pq_status status = PQ_OK;
    memset(done, 0, l->sequences.count * sizeof *done);
    if (writes(w) && l->options.out)
        status = pq_results_open(l->options.out, l->options.resume, env, &w->results, err);
    if (status == PQ_OK && w->results)
        take_done(w, done);
    if (status == PQ_OK && w->done && strcmp(w->record.verdict, "VALID") != 0)
        status = pq_fail(err, PQ_USER, "%s: a sentence of this evaluation is INVALID there already; evaluate into a "
                         "new file", l->options.out);
    status = pq_group_agree(&l->group, status, err);
    pq_group_broadcast(&l->group, 0, done, l->sequences.count * sizeof *done);
    w->batches = pq_batches_make(&l->sequences, l->options.batch, done);
    free(done);
    return status;
}

static enum pq_status evaluate_privately(struct evaluation *w, int argc, char **argv, struct pq_error *err)
{
    const struct pq_launch *l = &w->launch;
    struct pq_environment env = { 0 };
    if (l->options.out)
        pq_environment_describe(&env, l, argc, argv);
    enum pq_status status = prepare(w, &env, err);
    if (status == PQ_OK) {
        pq_launch_announce(l);
        status = evaluate(w, err);
    }
    if (status == PQ_OK && writes(w)) {
        pq_evaluation_sum_up(&w->record, 0, w->sentence, w->done);
        pq_evaluation_print(&w->record, w->sentence, stdout);
    }
    pq_results_close(w->results);
    pq_environment_free(&env);
    return status;
}

int pq_cmd_eval(int argc, char **argv)
{
    struct evaluation w = { 0 };
    struct pq_launch *l = &w.launch;
    struct pq_error err;
    enum pq_status status = pq_launch_begin(l, PQ_CMD_EVAL, &argc, &argv, &err);
    if (status != PQ_OK || l->help)
        return pq_launch_end(l, status, &err);
    uint8_t data_id[PQ_LABELLED_ID];
    memcpy(data_id, l->sequences.data_id, sizeof data_id);
    if (!l->alone)
        exchange_id(&l->group, data_id);
    w.progress = pq_progress_start(writes(&w));
    w.sentence = pq_alloc(l->sequences.count * sizeof *w.sentence);
    pq_record_evaluation(&w.record, l, data_id);
    status = l->alone ? evaluate_alone(&w) : evaluate_privately(&w, argc, argv, &err);
    pq_batches_free(&w.batches);
    pq_free_secret(w.sentence, l->sequences.count * sizeof *w.sentence);
    return pq_launch_end(l, status, &err);
}
