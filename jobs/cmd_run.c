/* pqbert run: one private inference. P1 prints the logits; every party's part is shown by sizes and bytes alone. */
#include "commands.h"
#include "record_point.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_parties(const struct pq_launch *l, const struct pq_measurement *m)
{
    const struct pq_point *p = &l->points[0];
    printf("%s, %zu tokens, %zu rank%s per party, %zu thread%s per rank, maximum %s, tables %s, kernel %s, transport "
           "%s%s\n",
           pq_protocol_name[p->plan.protocol], p->plan.seq, p->plan.ranks, p->plan.ranks == 1 ? "" : "s", p->threads,
           p->threads == 1 ? "" : "s", pq_maximum_name[p->plan.maximum], pq_tables_name[p->plan.tables], l->gemm->name,
           pq_group_transport(&l->group), l->options.seed_given ? ", INSECURE-BENCH: fixed seed" : "");
    static const char *const saw[PQ_ROLES] = {
        [PQ_P0] = "P0 model owner     held the weights; received nothing online",
        [PQ_P1] = "P1 data owner      held the tokens; saw the logits",
        [PQ_P2] = "P2 assistant       held nothing; saw random shares",
    };
    for (int r = 0; r < PQ_ROLES; r++) {
        const struct pq_count off = pq_tally_phase(&m->party[r], PQ_OFFLINE),
                              on = pq_tally_phase(&m->party[r], PQ_ONLINE);
        printf("  %-62s sent offline %12" PRIu64 " bytes, online %10" PRIu64 " bytes; peak memory %.0f MB\n", saw[r],
               off.bytes, on.bytes, (double)m->peak_memory[r] / 1e6);
    }
    printf("set-up %.1f ms, offline %.1f ms, online %.1f ms in %" PRIu64 " rounds\n", (double)m->setup_ns / 1e6,
           (double)m->offline_ns / 1e6, (double)m->online_ns / 1e6, pq_tally_rounds(m->party, PQ_ONLINE));
}

static enum pq_status report(const struct pq_launch *l, const struct pq_session *s, const struct pq_measurement *m,
                             struct pq_error *err)
{
    enum pq_status status = pq_record_compare(m, &s->predicted, err);
    if (m->verdict == PQ_WRONG) {
        printf("INVALID: the opened logits differ from the replayed ones; no time is given for a wrong result\n");
        return PQ_INVALID;
    }
    print_parties(l, m);
    if (status != PQ_OK) {
        printf("INVALID: counts differ from the prediction\n");
        return status;
    }
    if (m->range_wrapped)
        printf("warning: %" PRIu64
               " values left their declared range and wrapped; the logits are not what the model means\n",
               m->range_wrapped);
    if (m->verdict == PQ_VALID)
        printf("VALID: logits equal the replayed ones bit for bit, counts equal the predicted ones\n"
               "(to check, P1 showed its input to P0 after the inference; --no-verify leaves that out)\n");
    else
        printf("UNCHECKED: nothing was replayed (--no-verify); counts equal the predicted ones\n");
    return PQ_OK;
}

int pq_cmd_run(int argc, char **argv)
{
    struct pq_launch l;
    struct pq_error err;
    enum pq_status status = pq_launch_begin(&l, PQ_CMD_RUN, &argc, &argv, &err);
    if (status != PQ_OK || l.help)
        return pq_launch_end(&l, status, &err);

    struct pq_session session;
    struct pq_measurement m;
    const struct pq_session_setup setup = pq_launch_setup(&l, &l.points[0]);
    uint32_t *token = pq_launch_input(&l, &l.points[0]);
    pq_session_open(&session, &setup);
    pq_session_repeat(&session, token, &m);
    if (l.group.world_rank == 0)
        status = report(&l, &session, &m, &err);
    fflush(stdout);
    status = pq_group_agree(&l.group, status, &err);
    if (l.group.role == PQ_P1 && l.group.rank == 0 && status == PQ_OK) {
        for (uint32_t b = 0; b < setup.plan.batch; b++) {
            printf("P1: logits");
            for (uint32_t i = 0; i < setup.plan.shape.labels; i++)
                printf(" %d", session.logits[i * setup.plan.batch + b]);
            printf("\n");
        }
        fflush(stdout);
    }
    pq_session_close(&session);
    if (token)
        pq_free_secret(token, 4 * setup.plan.seq * setup.plan.batch);
    return pq_launch_end(&l, status, &err);
}
