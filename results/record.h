/* The result file (interface.md, The result file; SCHEMA.md): HDF5, one row per repetition in /runs, one row per
 * point, operation, phase and party in /ops, and /environment. One field list drives HDF5, text (record_text.h), CSV
 * and JSON. Called by jobs/ on one rank only. */
#ifndef PQ_RECORD_H
#define PQ_RECORD_H

#include "../kernels/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQ_NAME = 48 }; /* bytes of a name field, the terminating zero included */

/* One repetition of one point. Times in nanoseconds on one rank's clock; bytes are counted at the sender and are
 * sums over all parties and ranks unless the name says a party. F(type, name, unit, meaning) with type text,
 * u64 or f64. The fields whose meaning starts with "point:" together identify a point; --resume compares exactly
 * those. A new field raises the schema version, and says in record_read.c what it is in older files (SCHEMA.md). */
#define PQ_RUN_FIELDS(F) \
    F(text, system,           "",        "point: what was measured: pqbert, or a peer and its version") \
    F(text, model,            "",        "point: model name (file prefix without its folder)") \
    F(text, model_id,         "",        "point: first 16 hexadecimal digits of the model's SHA-256") \
    F(u64,  layers,           "",        "encoder layers") \
    F(u64,  hidden,           "",        "hidden size") \
    F(u64,  heads,            "",        "attention heads") \
    F(u64,  ffn,              "",        "inner size of the feed-forward block") \
    F(u64,  trunc,            "bit",     "t, bits of a truncated linear output") \
    F(u64,  seq_len,          "token",   "point: sequence length") \
    F(u64,  batch,            "",        "point: sequences at once") \
    F(u64,  parties,          "",        "that compute, helpers included") \
    F(u64,  ranks_per_party,  "",        "point: G") \
    F(u64,  threads,          "",        "point: OpenMP threads per rank") \
    F(text, protocol,         "",        "point: published or preprocessed; a peer's own word for its own") \
    F(text, max_variant,      "",        "point: tree or count") \
    F(text, tables,           "",        "point: direct or compact") \
    F(text, material,         "",        "point: fresh, of this launch; overlapped, beside an inference; file, by an offline job") \
    F(text, net,              "",        "point: emulated network, none for the real one") \
    F(text, kernel,           "",        "point: matrix kernel") \
    F(text, transport,        "",        "what carried the messages") \
    F(text, mode,             "",        "point: secure, or INSECURE-BENCH when the seed was fixed") \
    F(text, together,         "",        "point: rows measured in turn on the same cores share it; else empty") \
    F(u64,  repetition,       "",        "0 .. repeats-1") \
    F(u64,  input_seed,       "",        "point: seed of the random tokens") \
    F(u64,  setup_ns,         "ns",      "weight shares and keys, once per point") \
    F(u64,  offline_ns,       "ns",      "dealing of this repetition's material; file: only masks drawn again") \
    F(u64,  material_ns,      "ns",      "file: marking and reading this repetition's material, in no other time") \
    F(u64,  online_ns,        "ns",      "from the barrier before the input is shared to the opened logits, at P1") \
    F(u64,  cycle_ns,         "ns",      "overlapped: from the start of one online phase until the next could start") \
    F(u64,  verify_ns,        "ns",      "replay, not part of the protocol") \
    F(u64,  setup_bytes,          "byte", "sent in set-up, all parties") \
    F(u64,  setup_bytes_predicted, "byte", "predicted by cost") \
    F(u64,  offline_bytes,         "byte", "sent offline, all parties") \
    F(u64,  offline_bytes_predicted, "byte", "predicted by cost") \
    F(u64,  online_bytes,          "byte", "sent online, all parties") \
    F(u64,  online_bytes_predicted, "byte", "predicted by cost") \
    F(u64,  online_bytes_p0,       "byte", "sent online by P0") \
    F(u64,  online_bytes_p1,       "byte", "sent online by P1") \
    F(u64,  online_bytes_p2,       "byte", "sent online by P2") \
    F(u64,  online_internal_bytes, "byte", "sent online inside the parties; not protocol traffic") \
    F(u64,  offline_messages,      "",     "messages sent offline, all parties") \
    F(u64,  offline_messages_predicted, "", "predicted by cost") \
    F(u64,  online_messages,       "",     "messages sent online, all parties") \
    F(u64,  online_messages_predicted, "", "predicted by cost") \
    F(u64,  online_rounds,         "",     "exchanges between P1 and P2 one after the other, and one-way hand-overs") \
    F(u64,  online_rounds_predicted, "",   "predicted by cost") \
    F(u64,  multiply_adds,         "",     "online multiply-adds of the busiest party") \
    F(u64,  lookups,               "",     "table look-ups online, one party") \
    F(u64,  peak_memory_p0,        "byte", "largest resident memory of this point so far, summed over P0's ranks") \
    F(u64,  peak_memory_p1,        "byte", "the same for P1") \
    F(u64,  peak_memory_p2,        "byte", "the same for P2") \
    F(u64,  predicted_memory_p0,   "byte", "predicted by cost") \
    F(u64,  predicted_memory_p1,   "byte", "predicted by cost") \
    F(u64,  predicted_memory_p2,   "byte", "predicted by cost") \
    F(u64,  online_read_bytes,     "byte", "weight shares and stored material a rank must read online, mean of P1 and P2") \
    F(f64,  core_macs,             "1/s",  "measured multiply-adds of a core, all of P1's and P2's measuring at once") \
    F(f64,  core_bandwidth,        "byte/s", "measured read bandwidth of a core, all of P1's and P2's reading at once") \
    F(u64,  floor_ns,              "ns",   "lower bound for online_ns on this machine (SCHEMA.md)") \
    F(f64,  relative_error,        "",     "largest difference from the plain model's logits / largest of these") \
    F(u64,  clock_off_ns,          "ns",   "0, or by how much clocks disagree about this repetition: times doubtful") \
    F(u64,  range_wrapped,         "",     "values that left their declared range, as the replay saw them") \
    F(text, range_where,           "",     "where they did: layer:operation=count, as many as fit; h is the head") \
    F(text, verdict,               "",     "VALID, INVALID or UNCHECKED") \
    F(text, utc,                   "",     "when the repetition ended")

/* Where time and bytes go: one row per point, operation, phase and party. Times are medians over repetitions of the
 * slowest rank of the party; bytes and messages are sums over its ranks, of one repetition. */
#define PQ_OP_FIELDS(F) \
    F(u64,  point,        "",     "row number in /runs of the point's first repetition") \
    F(text, operation,    "",     "qkv, scores, softmax, context, attention_out, layernorm, ffn1, gelu, ffn2, ...") \
    F(text, phase,        "",     "setup, offline or online") \
    F(u64,  party,        "",     "0, 1 or 2") \
    F(u64,  compute_ns,   "ns",   "local arithmetic") \
    F(u64,  wait_ns,      "ns",   "in messages to and from other parties") \
    F(u64,  internal_ns,  "ns",   "in messages inside the party") \
    F(u64,  bytes,        "byte", "sent to other parties") \
    F(u64,  bytes_to_p0,  "byte", "of them to P0") \
    F(u64,  bytes_to_p1,  "byte", "of them to P1") \
    F(u64,  bytes_to_p2,  "byte", "of them to P2") \
    F(u64,  internal_bytes, "byte", "sent inside the party") \
    F(u64,  messages,     "",     "sent to other parties") \
    F(u64,  rounds,       "",     "")

#define PQ_FIELD_text(name) char name[PQ_NAME];
#define PQ_FIELD_u64(name) uint64_t name;
#define PQ_FIELD_f64(name) double name;
struct pq_run_record {
#define F(type, name, unit, meaning) PQ_FIELD_##type(name)
    PQ_RUN_FIELDS(F)
#undef F
};
struct pq_op_record {
#define F(type, name, unit, meaning) PQ_FIELD_##type(name)
    PQ_OP_FIELDS(F)
#undef F
};

/* /environment: pairs of name and text, in the order given. Start from a zeroed struct. */
struct pq_environment {
    size_t count;
    struct { char name[PQ_NAME]; char *text; } entry[48];
};

/* name: short, unique, without '/'. The text is copied. Too many entries or a bad name is our bug (PQ_ASSERT). */
void pq_environment_add(struct pq_environment *env, const char *name, const char *fmt, ...) PQ_PRINTF(3, 4);
void pq_environment_free(struct pq_environment *env);

/* An open result file. Everything is held in memory; after every change the whole file is written beside the old
 * one, flushed to disk, and renamed over it: a killed run loses at most the repetition in progress, and the file
 * on disk can always be opened. A lock on PATH.lock keeps a second writer out. */
struct pq_results;

/* resume false: PATH must not exist yet (PQ_USER: says to use --resume or another name). resume true: an existing
 * file is read and continued; what in env differs from the earlier launches is kept under /resumed. PQ_USER: folder
 * missing or not writable, not our file, damaged, other schema version (named), locked by another process. The file
 * itself appears with the first row. env is copied. *out is NULL on failure. */
PQ_MUST_USE enum pq_status pq_results_open(const char *path, bool resume, const struct pq_environment *env,
                                           struct pq_results **out, struct pq_error *err);

/* Reads only: takes no lock, since a file under its name is always whole. PQ_USER as above. */
PQ_MUST_USE enum pq_status pq_results_read(const char *path, struct pq_results **out, struct pq_error *err);

/* How many repetitions of the point described by `like` (its point fields) the file holds that need not be measured
 * again: those that are VALID, and where like's verdict is UNCHECKED those too. */
size_t pq_results_count(const struct pq_results *r, const struct pq_run_record *like);
/* Row of the point's first repetition, by which /ops refers to it; the number of rows where there is none. */
size_t pq_results_first(const struct pq_results *r, const struct pq_run_record *like);

/* Sequences per second: the batch over online_ns, or over cycle_ns where dealing overlapped. 0, which is no rate, for a
 * repetition that is INVALID. */
double pq_run_throughput(const struct pq_run_record *run);

/* Appends and makes it durable. PQ_WORLD when the disk refuses; what was there before stays readable, and r is as
 * it was. Texts must be terminated, verdict one of the three, an operation's point a row of /runs (PQ_ASSERT). */
PQ_MUST_USE enum pq_status pq_results_add_run(struct pq_results *r, const struct pq_run_record *run,
                                              struct pq_error *err);
PQ_MUST_USE enum pq_status pq_results_add_ops(struct pq_results *r, const struct pq_op_record *ops, size_t count,
                                              struct pq_error *err);

/* Writes the rows of `count` files into the new file `out`: of jobs that are one study and differ in what they
 * measured. Behind each other in the order given; the environments follow as if the files had continued each other,
 * each with the entry merged_from (its name and number of rows). PQ_USER, and nothing written, when `out` exists, a
 * file cannot be read, two files hold the same point (the same file twice, or measured twice: their medians would mix
 * two jobs), or a model's name stands for two models. Unless `force`, also when one table could not tell apart what
 * differs: program (version, commit, build type, compiler, MPI), CPU, or a fixed seed in one file only. */
PQ_MUST_USE enum pq_status pq_results_merge(const char *out, const char *const *in, size_t count, bool force,
                                            struct pq_error *err);

/* All rows, valid until the next add or close. */
const struct pq_run_record *pq_results_runs(const struct pq_results *r, size_t *count);
const struct pq_op_record *pq_results_ops(const struct pq_results *r, size_t *count);

/* Gives up the lock and the memory. Nothing is left to write. r may be NULL. */
void pq_results_close(struct pq_results *r);

#endif
