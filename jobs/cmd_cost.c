/* pqbert cost: what an inference will take, before anything is allocated. */
#include "../model_io/model.h"
#include "commands.h"
#include "expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_operations(const struct pq_prediction *p)
{
    printf("  %-14s %14s %14s %12s %8s %16s %12s\n", "operation", "offline bytes", "online bytes", "messages", "rounds",
           "multiply-adds", "look-ups");
    for (int o = 0; o < PQ_OPERATIONS; o++) {
        struct pq_count on = { 0 }, off = { 0 };
        uint64_t rounds = 0, work = 0;
        for (int r = 0; r < PQ_ROLES; r++) {
            const struct pq_count *n = &p->party[r].at[PQ_ONLINE][o];
            pq_count_add(&on, n);
            pq_count_add(&off, &p->party[r].at[PQ_OFFLINE][o]);
            rounds = r != PQ_P0 && n->rounds > rounds ? n->rounds : rounds;
            work = n->multiply_adds > work ? n->multiply_adds : work;
        }
        if (on.bytes || off.bytes || on.multiply_adds)
            printf("  %-14s %14" PRIu64 " %14" PRIu64 " %12" PRIu64 " %8" PRIu64 " %16" PRIu64 " %12" PRIu64 "\n",
                   pq_operation_name[o], off.bytes, on.bytes, on.messages, rounds, work,
                   p->party[PQ_P2].at[PQ_ONLINE][o].lookups);
    }
}

static void print_point(const struct pq_point *point)
{
    const struct pq_plan *plan = &point->plan;
    struct pq_prediction p;
    pq_predict(plan, true, &p);
    printf("%s, %zu tokens, batch %zu, %zu rank%s per party, maximum %s, tables %s\n", pq_protocol_name[plan->protocol],
           plan->seq, plan->batch, plan->ranks, plan->ranks == 1 ? "" : "s", pq_maximum_name[plan->maximum],
           pq_tables_name[plan->tables]);
    for (int phase = 0; phase < PQ_PHASES; phase++) {
        uint64_t bytes[PQ_ROLES], messages = 0, all = 0, inside = 0;
        for (int r = 0; r < PQ_ROLES; r++) {
            const struct pq_count n = pq_tally_phase(&p.party[r], (enum pq_phase)phase);
            bytes[r] = n.bytes;
            all += n.bytes;
            messages += n.messages;
            inside += n.internal_bytes;
        }
        printf("  %-8s sent %" PRIu64 " bytes by all parties (P0 %" PRIu64 ", P1 %" PRIu64 ", P2 %" PRIu64 "), %" PRIu64
               " messages, %" PRIu64 " rounds; inside the parties %" PRIu64 " bytes\n",
               pq_phase_name[phase], all, bytes[0], bytes[1], bytes[2], messages,
               pq_tally_rounds(p.party, (enum pq_phase)phase), inside);
    }
    if (pq_net_emulates(&point->net))
        printf("  network  %s alone takes at least: set-up %.1f ms, offline %.1f ms, online %.1f ms\n", point->net.name,
               (double)pq_point_network_ns(point, &p, PQ_SETUP) / 1e6,
               (double)pq_point_network_ns(point, &p, PQ_OFFLINE) / 1e6,
               (double)pq_point_network_ns(point, &p, PQ_ONLINE) / 1e6);
    printf("  memory   P0 %.0f MB (with verification), P1 %.0f MB, P2 %.0f MB; of it material %.1f and %.1f MB, "
           "weight shares %.0f MB a rank\n",
           (double)p.memory[0] / 1e6, (double)p.memory[1] / 1e6, (double)p.memory[2] / 1e6,
           (double)p.material[PQ_P1][0] * (double)plan->ranks / 1e6,
           (double)p.material[PQ_P2][0] * (double)plan->ranks / 1e6, (double)p.weight_bytes / 1e6);
    print_operations(&p);
    pq_prediction_free(&p);
}

/* For scripts: a name and a number a line. */
static void print_total(const struct pq_options *o, const struct pq_point *points, size_t count)
{
    const struct pq_expectation e = pq_expect(points, count, o);
    printf("points %zu\nrepetitions %" PRIu64 "\nseconds %.0f\n", count, e.repetitions, e.seconds);
    for (int r = 0; r < PQ_ROLES; r++)
        printf("memory_p%d_mb %.0f\n", r, (double)e.memory[r] / 1e6);
}

static enum pq_status cost(const struct pq_options *o, struct pq_error *err)
{
    struct pq_shape shape;
    struct pq_point *points;
    uint8_t id[32];
    size_t count;
    enum pq_status s = pq_model_read_shape(o->model, &shape, id, err);
    if (s == PQ_OK)
        s = pq_points_make(o, &shape, o->total, &points, &count, err);
    if (s != PQ_OK)
        return s;
    if (o->total)
        print_total(o, points, count);
    for (size_t i = 0; i < count && !o->total; i++)
        if (points[i].threads == points[0].threads) /* they change no count */
            print_point(&points[i]);
    free(points);
    return PQ_OK;
}

int pq_cmd_cost(int argc, char **argv)
{
    struct pq_options o;
    struct pq_error err = { "" };
    bool help;
    enum pq_status s = pq_options_parse(PQ_CMD_COST, argc, argv, &o, &help, &err);
    if (s == PQ_OK && help)
        pq_options_help(PQ_CMD_COST, argv[0]);
    else if (s == PQ_OK)
        s = cost(&o, &err);
    if (s != PQ_OK)
        fprintf(stderr, "pqbert: %s\n", err.text);
    return (int)s;
}
