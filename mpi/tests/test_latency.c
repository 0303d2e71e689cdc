/* Whole inferences on an emulated network: online time is what rounds, delay, rate and computing explain, to 10 % in
 * one of some (a busy machine makes others later, none sooner), for both protocols, all ranks of the launch at work;
 * verdicts and counts stay. Run under mpirun -n 3, 6. */
#include "models.h"

#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPTS = 12 };

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* rounds * one-way delay + bytes of the busier direction / rate + computing of the busier party. */
static uint64_t explained(const struct pq_net *net, const struct pq_measurement *m)
{
    const struct pq_count p1 = pq_tally_phase(&m->party[PQ_P1], PQ_ONLINE);
    const struct pq_count p2 = pq_tally_phase(&m->party[PQ_P2], PQ_ONLINE);
    return pq_tally_rounds(m->party, PQ_ONLINE) * (net->round_trip_ns / 2) +
           pq_net_busy_ns(net, larger(p1.bytes_to[PQ_P2], p2.bytes_to[PQ_P1])) +
           larger(p1.compute_ns + p1.internal_ns, p2.compute_ns + p2.internal_ns);
}

static void explains(struct parties *p, const struct tiny *t, const char *network, const struct point *at)
{
    struct pq_session_setup setup = point_setup(p, t, at);
    struct pq_session s;
    struct pq_error err;
    double ratio = 0;
    uint32_t *token = point_input(t, at);
    if (pq_net_parse(network, &setup.net, &err) != PQ_OK)
        abort();
    pq_session_open(&s, &setup);
    for (int i = 0; i < ATTEMPTS && (i == 0 || ratio >= 1.1); i++) {
        struct pq_measurement m;
        const char *where = "";
        pq_session_repeat(&s, p->group.role == PQ_P1 ? token : NULL, &m);
        if (p->group.world_rank == 0)
            ratio = (double)m.online_ns / (double)explained(&setup.net, &m);
        pq_group_broadcast(&p->group, 0, &ratio, sizeof ratio);
        if (p->group.world_rank != 0)
            continue;
        parties_check(p, m.verdict == PQ_VALID, "%s: %s: verdict %d", network, point_name(at), (int)m.verdict);
        parties_check(p, counts_agree(m.party, s.predicted.party, &where), "%s: %s: counts differ at %s", network,
                      point_name(at), where);
        parties_check(p, ratio > 0.9, "%s: %s: %.3f of what is explained", network, point_name(at), ratio);
    }
    pq_session_close(&s);
    free(token);
    if (p->group.world_rank != 0)
        return;
    printf("%-10s %s: %.3f of what is explained\n", network, point_name(at), ratio);
    parties_check(p, ratio < 1.1, "%s: %s: %.3f of what is explained", network, point_name(at), ratio);
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    parties_start(&p, &argc, &argv);
    tiny_make(&t, "layers=1,hidden=64,heads=4,ffn=96,vocab=50,max_seq=40");
    for (int v = 0; v < 4; v++) {
        const struct point at = { .seq = 16, .ranks = p.group.ranks_max, .maximum = v & 2 ? PQ_COUNT : PQ_TREE,
                                  .protocol = v & 1 ? PQ_PUBLISHED : PQ_PREPROCESSED,
                                  .tables = v & 2 ? PQ_DIRECT : PQ_COMPACT };
        explains(&p, &t, "wan", &at);
        if (at.ranks == 1) /* bytes weigh as much as rounds; of several ranks one waits while another's are carried */
            explains(&p, &t, "4Mbit:4ms", &at);
    }
    tiny_free(&t);
    return parties_finish(&p);
}
