/* One point of a benchmark from beginning to end: set-up (seeds, weight shares), then for each repetition the offline
 * phase, the online phase and the verdict. Every rank of the launch calls these in the same order; ranks beyond the
 * plan's G take no part and sleep.
 *
 *   struct pq_session s;
 *   pq_session_open(&s, &setup);            PQ_SETUP, timed apart
 *   for each repetition:
 *       pq_session_repeat(&s, token, &m);   offline, online, verification
 *   pq_session_close(&s);
 *
 * With a stock (stock.h) the offline phase is a job of its own: in that job a session fills the stock, pq_session_deal
 * in place of pq_session_repeat; in others a session lives on it, and each repetition takes the next entry, marked and
 * read before the offline phase, of which only the masks that P1 and P2 draw are left.
 *
 * With plan.overlap the material of repetition i + 1 is dealt, sent and received beside the online phase of repetition
 * i; the first one's before it, and the one after the last is never used. For `preprocessed`
 * alone, where P0 is idle online, without a stock and without an emulated network. Costs P1 and P2 the memory of a
 * second inference.
 * online_ns then counts what is lost to receiving, and cycle_ns tells the throughput.
 *
 * Verification is not part of the protocol: after the online phase P1 hands its tokens, logits and s12 to P0's first
 * rank, which replays the inference from the clear values and compares every logit (protocols.md section 6); the
 * verdict and the number of overflows go to all ranks. From then on P0 could undo what it is sent of later repetitions,
 * so a verifying run measures, it does not protect its input from P0. With verify off P1's input, seed and logits stay
 * at P1, and the verdict is UNCHECKED. Counts, times and memory sizes of every rank go to world rank 0 in any case.
 *
 * The channels between ranks are taken to be private, as protocols.md section 1 assumes of parties on their own
 * machines: MPI does not encrypt, and on one host nothing separates processes of one user. */
#ifndef PQ_INFERENCE_H
#define PQ_INFERENCE_H

#include "context.h"
#include "engine_run.h"
#include "group.h"
#include "measurement.h"

struct pq_replay;
struct pq_binding;
struct pq_stock;

struct pq_session_setup {
    const struct pq_group *group;
    struct pq_plan plan;
    const struct pq_gemm16 *gemm;
    const struct pq_model *model;         /* P0, else NULL */
    const struct pq_embedding *embedding; /* P1; and P0's first rank when verifying */
    bool verify;
    struct pq_net net;    /* all zero: the network as it is */
    struct pq_binding *binding; /* NULL: nothing is bound */
    const uint64_t *seed; /* NULL: seeds from the operating system. Else fixed (INSECURE-BENCH) */
    struct pq_stock *stock; /* NULL: material is dealt and used here */
    struct pq_ear *ear;   /* NULL but in tests (link.h) */
};

struct pq_session {
    struct pq_session_setup setup;
    struct pq_link link;
    struct pq_context dealer, party; /* P0's two, P1's and P2's one */
    struct pq_material coming; /* P1, P2, overlapping: of the next inference */
    struct pq_weights weights;
    struct pq_prg *s01, *s02, *s12;
    uint8_t key12[16]; /* P1, for the verifier */
    struct pq_replay *replay;
    struct pq_prg *replay_s12;
    struct pq_prediction predicted;
    uint64_t setup_ns;
    uint32_t repetition; /* inference number of the next repetition, or of a stock's entry; seeds are the session's, or
                            the stock's */
    uint32_t fresh;      /* the first number that this session has not used yet */
    bool replays;        /* the verifier, where there is one, has been told s12 */
    int32_t *logits; /* [labels][batch]: P1's ranks after each repetition */
};

void pq_session_open(struct pq_session *s, const struct pq_session_setup *setup);

/* token [batch*seq] at P1's ranks. */
void pq_session_repeat(struct pq_session *s, const uint32_t *token, struct pq_measurement *m);

/* The offline phase of the next entry, into the stock that is being filled. m: set-up and offline, verdict UNCHECKED.
 * All ranks return the same; PQ_WORLD when a disk refuses. */
PQ_MUST_USE enum pq_status pq_session_deal(struct pq_session *s, struct pq_measurement *m, struct pq_error *err);

void pq_session_close(struct pq_session *s);

#endif
