/* pqbert run: one private inference, or one of each text. P1 prints the logits; every party's part is shown by sizes
 * and bytes alone. */
#include "../mpi/engine_replay.h"
#include "commands.h"
#include "record_point.h"
#include "stocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_parties(const struct pq_launch *l, const struct pq_point *p, const struct pq_measurement *m)
{
    char network[128] = "as it is";
    if (pq_net_emulates(&p->net))
        snprintf(network, sizeof network, "emulated: %s, %.4g Mbit/s, %.4g ms round trip", p->net.name,
                 (double)p->net.bits_per_second / 1e6, (double)p->net.round_trip_ns / 1e6);
    printf("%s, %zu tokens, %zu rank%s per party, %zu thread%s per rank, maximum %s, tables %s, kernel %s, transport "
           "%s, network %s%s\n",
           pq_protocol_name[p->plan.protocol], p->plan.seq, p->plan.ranks, p->plan.ranks == 1 ? "" : "s", p->threads,
           p->threads == 1 ? "" : "s", pq_maximum_name[p->plan.maximum], pq_tables_name[p->plan.tables], l->gemm->name,
           pq_group_transport(&l->group), network, pq_launch_insecure(l, p) ? ", INSECURE-BENCH: fixed seed" : "");
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
    printf("set-up %.1f ms, offline %.1f ms, online %.1f ms in %" PRIu64 " rounds", (double)m->setup_ns / 1e6,
           (double)m->offline_ns / 1e6, (double)m->online_ns / 1e6, pq_tally_rounds(m->party, PQ_ONLINE));
    if (p->plan.batch > 1)
        printf(", %.4g sequences/s", 1e9 * (double)p->plan.batch / (double)m->online_ns);
    printf("\n");
    if (p->stock)
        printf("material: %s, marked and read in %.1f ms, %u left\n", pq_stock_folder(p->stock),
               (double)m->material_ns / 1e6, pq_stock_left(p->stock));
}

/* Where values left their declared range, as the verifier saw it: a line for each layer and operation. */
static void warn_ranges(const struct pq_session *s, const struct pq_measurement *m)
{
    const uint32_t layers = s->setup.plan.shape.layers;
    if (!m->range_wrapped)
        return;
    printf("warning: %" PRIu64
           " values left their declared range and wrapped; the logits are not what the model means\n",
           m->range_wrapped);
    for (uint32_t layer = 0; layer <= layers; layer++)
        for (int o = 0; o < PQ_OPERATIONS; o++) {
            const struct pq_replay_range *r = &pq_replay_ranges(s->replay)[(size_t)layer * PQ_OPERATIONS + (size_t)o];
            if (r->wrapped && layer < layers)
                printf("  layer %u, %s: %" PRIu64 " of %" PRIu64 "\n", layer, pq_operation_name[o], r->wrapped,
                       r->values);
            else if (r->wrapped)
                printf("  head, %s: %" PRIu64 " of %" PRIu64 "\n", pq_operation_name[o], r->wrapped, r->values);
        }
}

static enum pq_status report(const struct pq_launch *l, const struct pq_point *p, const struct pq_session *s,
                             const struct pq_measurement *m, struct pq_error *err)
{
    enum pq_status status = pq_record_compare(m, &s->predicted, err);
    if (m->verdict == PQ_WRONG) {
        printf("INVALID: the opened logits differ from the replayed ones; no time is given for a wrong result\n");
        return PQ_INVALID;
    }
    print_parties(l, p, m);
    if (status != PQ_OK) {
        printf("INVALID: counts differ from the prediction\n");
        return status;
    }
    warn_ranges(s, m);
    if (m->clock_off_ns)
        printf("warning: clocks disagree by %.4g s about how long this took: one was stepped, or a machine suspended; "
               "the times are doubtful\n", (double)m->clock_off_ns / 1e9);
    if (m->verdict == PQ_VALID)
        printf("VALID: logits equal the replayed ones bit for bit, counts equal the predicted ones\n"
               "(to check, P1 showed its input to P0 after the inference; --no-verify leaves that out)\n");
    else
        printf("UNCHECKED: nothing was replayed (--no-verify); counts equal the predicted ones\n");
    return PQ_OK;
}

static void print_logits(const struct pq_launch *l, const struct pq_session *s)
{
    const struct pq_plan *plan = &s->setup.plan;
    if (l->group.role != PQ_P1 || l->group.rank != 0)
        return;
    for (size_t b = 0; b < plan->batch; b++) {
        printf("P1: logits");
        for (uint32_t i = 0; i < plan->shape.labels; i++)
            printf(" %d", s->logits[i * plan->batch + b]);
        printf("\n");
    }
    fflush(stdout);
}

/* The point of inference i. */
static const struct pq_point *point_of(const struct pq_launch *l, size_t i)
{
    size_t k = 0;
    while (l->sequences.count && l->points[k].plan.seq != l->sequences.length[i])
        k++;
    return &l->points[k];
}

static size_t count_inferences(const struct pq_launch *l)
{
    return l->sequences.count ? l->sequences.count : 1;
}

static enum pq_status demand_material(const struct pq_launch *l, struct pq_error *err)
{
    uint64_t *entries = pq_alloc(l->point_count * sizeof *entries);
    memset(entries, 0, l->point_count * sizeof *entries);
    for (size_t i = 0; i < count_inferences(l); i++)
        entries[point_of(l, i) - l->points]++;
    const enum pq_status status = pq_stocks_demand(l, entries, err);
    free(entries);
    return status;
}

/* Texts in their order. The session stays open while lengths repeat: its weight shares serve every inference. */
static enum pq_status infer(const struct pq_launch *l, struct pq_error *err)
{
    const struct pq_point *open = NULL;
    struct pq_session session;
    enum pq_status status = PQ_OK;
    for (size_t i = 0; i < count_inferences(l) && status == PQ_OK; i++) {
        const struct pq_point *point = point_of(l, i);
        struct pq_measurement m;
        if (i == 0 || point != open) {
            if (open)
                pq_session_close(&session);
            const struct pq_session_setup setup = pq_launch_setup(l, point);
            pq_session_open(&session, &setup);
            open = point;
        }
        uint32_t *token = pq_launch_input(l, point, i);
        pq_session_repeat(&session, token, &m);
        if (token)
            pq_free_secret(token, 4 * point->plan.seq * point->plan.batch);
        if (l->group.world_rank == 0) {
            if (l->sequences.count > 1)
                printf("text %zu of %zu: ", i + 1, l->sequences.count);
            status = report(l, point, &session, &m, err);
            fflush(stdout);
        }
        status = pq_group_agree(&l->group, status, err);
        if (status == PQ_OK)
            print_logits(l, &session);
    }
    pq_session_close(&session);
    return status;
}

/* What P1's user should know about the texts. */
static void print_notes(const struct pq_launch *l)
{
    if (l->sequences.cut)
        printf("P1: note: %zu of %zu texts had more than %u tokens, the longest sequence of this model, and were cut\n",
               l->sequences.cut, l->sequences.count, l->shape.max_seq);
    if (l->options.text && strcmp(l->options.text, "-"))
        printf("P1: note: a launcher shows its command line, the text with it, to every party; --text-file and "
               "--text - do not\n");
    fflush(stdout);
}

int pq_cmd_run(int argc, char **argv)
{
    struct pq_launch l;
    struct pq_error err;
    enum pq_status status = pq_launch_begin(&l, PQ_CMD_RUN, &argc, &argv, &err);
    if (status != PQ_OK || l.help)
        return pq_launch_end(&l, status, &err);
    status = demand_material(&l, &err);
    if (status != PQ_OK)
        return pq_launch_end(&l, status, &err);
    pq_launch_announce(&l);
    status = infer(&l, &err);
    if (status == PQ_OK && l.group.role == PQ_P1 && l.group.rank == 0)
        print_notes(&l);
    return pq_launch_end(&l, status, &err);
}
