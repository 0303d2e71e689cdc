/* Accuracy in the result file (SCHEMA.md): /sentences, one row for each sentence that was classified both in the clear
 * and by private inference, and /evaluations, one row for each set of settings, which sums its sentences up. Written
 * as record.h says: after each batch the file on disk is whole, so a killed evaluation loses the batch in progress.
 * Called by jobs/ on one rank only. */
#ifndef PQ_RECORD_EVALUATION_H
#define PQ_RECORD_EVALUATION_H

#include "record.h"

/* What is summed up comes behind what identifies the evaluation ("point:", as in /runs). Times and bytes are medians
 * over the sentences. */
#define PQ_EVALUATION_FIELDS(F) \
    F(text, system,           "",      "point: what was measured: pqbert, or a peer and its version") \
    F(text, model,            "",      "point: model name (file prefix without its folder)") \
    F(text, model_id,         "",      "point: first 16 hexadecimal digits of the model's SHA-256") \
    F(u64,  layers,           "",      "encoder layers") \
    F(u64,  hidden,           "",      "hidden size") \
    F(u64,  heads,            "",      "attention heads") \
    F(u64,  ffn,              "",      "inner size of the feed-forward block") \
    F(u64,  weight_bits,      "bit",   "of a weight") \
    F(u64,  trunc,            "bit",   "t, bits of a truncated linear output") \
    F(u64,  labels,           "",      "classes") \
    F(u64,  max_tokens,       "token", "longest sequence of the model; longer sentences were cut") \
    F(text, data,             "",      "point: name of the data file, without its folder") \
    F(text, data_id,          "",      "point: first 16 hexadecimal digits of the data file's SHA-256") \
    F(u64,  sentences,        "",      "point: sentences to be evaluated, the first of the data file") \
    F(u64,  batch,            "",      "point: sentences of one length at once, at most") \
    F(u64,  parties,          "",      "that compute, helpers included") \
    F(u64,  ranks_per_party,  "",      "point: G") \
    F(u64,  threads,          "",      "point: OpenMP threads per rank") \
    F(text, protocol,         "",      "point: published or preprocessed; a peer's own word for its own") \
    F(text, max_variant,      "",      "point: tree or count, or auto: chosen for each length") \
    F(text, tables,           "",      "point: direct or compact, or auto: chosen for each length") \
    F(text, net,              "",      "point: emulated network, none for the real one") \
    F(text, kernel,           "",      "point: matrix kernel") \
    F(text, transport,        "",      "what carried the messages") \
    F(text, mode,             "",      "point: secure, or INSECURE-BENCH when the seed was fixed") \
    F(u64,  evaluated,        "",      "sentences so far, rows of /sentences") \
    F(u64,  cut,              "",      "of them longer than max_tokens, and cut") \
    F(u64,  plain_correct,    "",      "of them decided as labelled by the plain integer model") \
    F(u64,  mpc_correct,      "",      "of them decided as labelled by private inference") \
    F(u64,  agreeing,         "",      "of them decided alike by both") \
    F(f64,  plain_accuracy,      "",   "plain_correct / evaluated") \
    F(f64,  plain_accuracy_low,  "",   "lower end of its 95 % interval (Wilson)") \
    F(f64,  plain_accuracy_high, "",   "upper end") \
    F(f64,  mpc_accuracy,        "",   "mpc_correct / evaluated") \
    F(f64,  mpc_accuracy_low,    "",   "lower end of its 95 % interval (Wilson)") \
    F(f64,  mpc_accuracy_high,   "",   "upper end") \
    F(u64,  online_ns,        "ns",    "median over sentences: online time of the batch / sentences in it") \
    F(u64,  offline_ns,       "ns",    "median over sentences: offline time of the batch / sentences in it") \
    F(u64,  online_bytes,     "byte",  "median over sentences: sent online for the batch / sentences in it") \
    F(u64,  offline_bytes,    "byte",  "median over sentences: sent offline for the batch / sentences in it") \
    F(u64,  online_rounds,    "",      "median over sentences: rounds of the batch") \
    F(u64,  range_wrapped,    "",      "sentences in whose batch values left their declared range") \
    F(text, verdict,          "",      "VALID, or INVALID when one sentence's is") \
    F(text, utc,              "",      "when the last batch ended")

#define PQ_SENTENCE_FIELDS(F) \
    F(u64,  evaluation,    "",      "row number in /evaluations") \
    F(u64,  sentence,      "",      "number in the data file, from 0") \
    F(u64,  tokens,        "token", "its length, [CLS] and [SEP] included") \
    F(u64,  cut,           "",      "1: it was longer") \
    F(u64,  label,         "",      "as the data file says") \
    F(u64,  plain_label,   "",      "decision of the plain integer model") \
    F(u64,  mpc_label,     "",      "decision of private inference") \
    F(u64,  batch,         "",      "sentences in its batch") \
    F(u64,  offline_ns,    "ns",    "of its batch, as in /runs") \
    F(u64,  online_ns,     "ns",    "of its batch, as in /runs") \
    F(u64,  offline_bytes, "byte",  "of its batch, all parties") \
    F(u64,  online_bytes,  "byte",  "of its batch, all parties") \
    F(u64,  online_rounds, "",      "of its batch") \
    F(u64,  clock_off_ns,  "ns",    "0, or by how much clocks disagree about its batch: times doubtful") \
    F(u64,  range_wrapped, "",      "values of its batch that left their declared range") \
    F(text, verdict,       "",      "VALID or INVALID, of its batch") \
    F(text, utc,           "",      "when its batch ended")

struct pq_evaluation_record {
#define F(type, name, unit, meaning) PQ_FIELD_##type(name)
    PQ_EVALUATION_FIELDS(F)
#undef F
};
struct pq_sentence_record {
#define F(type, name, unit, meaning) PQ_FIELD_##type(name)
    PQ_SENTENCE_FIELDS(F)
#undef F
};

/* Sets what is summed up in e from those of the `count` rows whose `evaluation` is `number`; without any all is 0 and
 * the verdict VALID. */
void pq_evaluation_sum_up(struct pq_evaluation_record *e, uint64_t number, const struct pq_sentence_record *sentence,
                          size_t count);

/* Row of the evaluation that `like` describes by its point fields; the number of rows where there is none. */
size_t pq_results_find_evaluation(const struct pq_results *r, const struct pq_evaluation_record *like);

/* Appends a batch of `count` >= 1 sentences of the evaluation `e`, whose row is added with its first batch and summed
 * up anew with every later one, and makes it durable. The rows' field `evaluation` is set here. PQ_WORLD when the
 * disk refuses; what was there before stays readable. */
PQ_MUST_USE enum pq_status pq_results_add_sentences(struct pq_results *r, const struct pq_evaluation_record *e,
                                                    const struct pq_sentence_record *sentence, size_t count,
                                                    struct pq_error *err);

/* All rows, valid until the next add or close. */
const struct pq_evaluation_record *pq_results_evaluations(const struct pq_results *r, size_t *count);
const struct pq_sentence_record *pq_results_sentences(const struct pq_results *r, size_t *count);

#endif
