#include "point.h"

#include <stdlib.h>

uint64_t pq_point_network_ns(const struct pq_point *p, const struct pq_prediction *predicted, enum pq_phase phase)
{
    const uint64_t delay = p->net.round_trip_ns / 2;
    const struct pq_count p1 = pq_tally_phase(&predicted->party[PQ_P1], phase);
    const struct pq_count p2 = pq_tally_phase(&predicted->party[PQ_P2], phase);
    uint64_t least = 0;
    if (phase == PQ_ONLINE)
        least = delay * p1.rounds + pq_net_busy_ns(&p->net, p2.bytes_to[PQ_P1] / p->plan.ranks);
    for (enum pq_role from = PQ_P0; from < PQ_ROLES; from++)
        for (enum pq_role to = PQ_P0; to < PQ_ROLES; to++) {
            const uint64_t bytes = pq_tally_phase(&predicted->party[from], phase).bytes_to[to];
            const uint64_t t = bytes ? delay + pq_net_busy_ns(&p->net, bytes) : 0;
            least = t > least ? t : least;
        }
    return least;
}

/* What `auto` makes as small as it can. */
static uint64_t weight_of(const struct pq_point *p)
{
    static const double reading = 10; /* bytes per nanosecond */
    struct pq_prediction predicted;
    pq_predict(&p->plan, false, &predicted);
    const uint64_t *first = predicted.material[PQ_P1], *second = predicted.material[PQ_P2];
    const uint64_t ns = pq_point_network_ns(p, &predicted, PQ_ONLINE) +
                        (uint64_t)((double)(*first > *second ? *first : *second) / reading);
    pq_prediction_free(&predicted);
    return ns;
}

void pq_point_choose(struct pq_point *p, const struct pq_options *o)
{
    uint64_t least = UINT64_MAX;
    struct pq_plan best = p->plan;
    for (int i = 0; i < 4; i++) { /* least material first */
        const enum pq_maximum maximum = i & 1 ? PQ_COUNT : PQ_TREE;
        const enum pq_tables tables = i & 2 ? PQ_DIRECT : PQ_COMPACT;
        const bool allowed = (o->maximum == PQ_MAX_AUTO || (o->maximum == PQ_MAX_COUNT) == (maximum == PQ_COUNT)) &&
                             (o->tables == PQ_TABLES_AUTO || (o->tables == PQ_TABLES_DIRECT) == (tables == PQ_DIRECT));
        if (!allowed)
            continue;
        p->plan.maximum = maximum;
        p->plan.tables = tables;
        if (!pq_net_emulates(&p->net))
            return;
        const uint64_t ns = weight_of(p);
        if (ns < least) {
            least = ns;
            best = p->plan;
        }
    }
    p->plan = best;
}

static struct pq_list or_default(const struct pq_list *given, uint64_t value)
{
    struct pq_list l = { .count = 1, .value = { value } };
    return given->count ? *given : l;
}

static enum pq_status check_ranks(uint64_t ranks, const struct pq_shape *s, size_t ranks_max, struct pq_error *err)
{
    if (ranks > s->heads)
        return pq_fail(err, PQ_USER,
                       "%llu ranks per party are more than the model's %u attention heads: use at most %u "
                       "ranks per party",
                       (unsigned long long)ranks, s->heads, s->heads);
    if (ranks_max && ranks > ranks_max)
        return pq_fail(err, PQ_USER, "--ranks %llu: this launch has %zu ranks per party; launch %llu processes",
                       (unsigned long long)ranks, ranks_max, 3 * (unsigned long long)ranks);
    return PQ_OK;
}

enum pq_status pq_points_make(const struct pq_options *o, const struct pq_shape *shape, size_t ranks_max,
                              struct pq_point **points, size_t *count, struct pq_error *err)
{
    const struct pq_list protocols = or_default(&o->protocol, PQ_PREPROCESSED);
    const struct pq_list ranks = or_default(&o->ranks, ranks_max ? ranks_max : 1);
    const struct pq_list threads = or_default(&o->threads, 1), seqs = o->seq;
    const struct pq_nets *nets = &o->net;
    size_t n = 0;

    for (size_t i = 0; i < seqs.count; i++)
        if (seqs.value[i] > shape->max_seq)
            return pq_fail(err, PQ_USER, "length %llu is over the model's limit of %u tokens",
                           (unsigned long long)seqs.value[i], shape->max_seq);
        else if (2 * seqs.value[i] * o->batch * (shape->ffn > shape->hidden ? shape->ffn : shape->hidden) > UINT64_C(1)
                                                                                                                << 30)
            return pq_fail(err, PQ_USER,
                           "length %llu times batch %llu makes one activation larger than 1 GiB: use a smaller --batch",
                           (unsigned long long)seqs.value[i], (unsigned long long)o->batch);
    for (size_t i = 0; i < ranks.count; i++) {
        enum pq_status s = check_ranks(ranks.value[i], shape, ranks_max, err);
        if (s != PQ_OK)
            return s;
    }
    *points = pq_alloc(protocols.count * ranks.count * threads.count * nets->count * seqs.count * sizeof **points);
    for (size_t p = 0; p < protocols.count; p++)
        for (size_t r = 0; r < ranks.count; r++)
            for (size_t t = 0; t < threads.count; t++)
                for (size_t i = 0; i < nets->count * seqs.count; i++) {
                    const uint64_t seq = seqs.value[i % seqs.count];
                    struct pq_point *point = &(*points)[n++];
                    *point = (struct pq_point){
                        .threads = threads.value[t], .net = nets->value[i / seqs.count],
                        .plan = { .shape = *shape, .seq = seq, .batch = o->batch,
                                  .protocol = (enum pq_protocol)protocols.value[p], .ranks = ranks.value[r],
                                  .overlap = o->overlap,
                                  .softmax = pq_softmax_widths((uint32_t)seq) } };
                    pq_point_choose(point, o);
                }
    *count = n;
    return PQ_OK;
}

uint64_t pq_point_read_bytes(const struct pq_prediction *predicted)
{
    return (pq_tally_phase(&predicted->party[PQ_P1], PQ_ONLINE).read_bytes +
            pq_tally_phase(&predicted->party[PQ_P2], PQ_ONLINE).read_bytes) / 2;
}

uint64_t pq_point_floor_ns(const struct pq_point *p, const struct pq_prediction *predicted, double peak,
                           double bandwidth)
{
    double work = 0;
    for (int r = 0; r < PQ_ROLES; r++) {
        const struct pq_count n = pq_tally_phase(&predicted->party[r], PQ_ONLINE);
        if ((double)n.multiply_adds > work)
            work = (double)n.multiply_adds;
    }
    const double compute = work / (peak * (double)p->threads);
    const double memory = (double)pq_point_read_bytes(predicted) / (bandwidth * (double)p->threads);
    return (uint64_t)(1e9 * (compute > memory ? compute : memory)) + pq_point_network_ns(p, predicted, PQ_ONLINE);
}
