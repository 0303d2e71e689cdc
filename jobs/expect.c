#include "expect.h"

#include "../kernels/machine.h"

/* Measured on two cores of a Xeon with AVX-512, BERT-base, lengths 8 to 128. */
static const double dealing = 1.4e9;   /* bytes of material a core of P0 deals a second */
static const double replaying = 3.5e9; /* bytes of material's worth that a core of the verifier replays a second */
static const double network = 1.25e9;  /* bytes a second between two parties */
static const double floors = 2.5;      /* online time over its lower bound */
static const double launch = 15;       /* seconds: MPI, reading the model, measuring the machine */

static double sent(const struct pq_prediction *p, enum pq_phase phase)
{
    double bytes = 0;
    for (int r = 0; r < PQ_ROLES; r++)
        bytes += (double)pq_tally_phase(&p->party[r], phase).bytes;
    return bytes;
}

struct pq_expectation pq_expect(const struct pq_point *points, size_t count, const struct pq_options *o)
{
    const double peak = pq_machine_peak_macs(true), bandwidth = pq_machine_read_bandwidth(1, NULL, NULL);
    struct pq_expectation e = { .repetitions = count * (o->warmup + o->repeat), .seconds = launch };
    for (size_t i = 0; i < count; i++) {
        struct pq_prediction p;
        pq_predict(&points[i].plan, !o->no_verify, &p);
        const double cores = (double)(points[i].plan.ranks * points[i].threads);
        const double material = sent(&p, PQ_OFFLINE), setup = sent(&p, PQ_SETUP);
        const double floor = (double)pq_point_floor_ns(&points[i], &p, peak, bandwidth) / 1e9;
        double each = material / (dealing * cores) + material / network;
        each += floors * floor + sent(&p, PQ_ONLINE) / network;
        if (pq_net_emulates(&points[i].net)) /* online: in the floor */
            each += (double)pq_point_network_ns(&points[i], &p, PQ_OFFLINE) / 1e9;
        if (!o->no_verify)
            each += material / (replaying * (double)points[i].threads);
        e.seconds += setup / (dealing * cores) + setup / network + (double)(o->warmup + o->repeat) * each;
        for (int r = 0; r < PQ_ROLES; r++)
            e.memory[r] = p.memory[r] > e.memory[r] ? p.memory[r] : e.memory[r];
        pq_prediction_free(&p);
    }
    return e;
}
