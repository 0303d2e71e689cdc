#include "point.h"

#include <stdlib.h>

enum pq_maximum pq_point_maximum(const struct pq_options *o)
{
    return o->maximum == PQ_MAX_COUNT ? PQ_COUNT : PQ_TREE;
}

enum pq_tables pq_point_tables(const struct pq_options *o)
{
    return o->tables == PQ_TABLES_DIRECT ? PQ_DIRECT : PQ_COMPACT;
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
    *points = pq_alloc(protocols.count * ranks.count * threads.count * seqs.count * sizeof **points);
    for (size_t p = 0; p < protocols.count; p++)
        for (size_t r = 0; r < ranks.count; r++)
            for (size_t t = 0; t < threads.count; t++)
                for (size_t s = 0; s < seqs.count; s++)
                    (*points)[n++] = (struct pq_point){
                        .threads = threads.value[t],
                        .plan = { .shape = *shape, .seq = seqs.value[s], .batch = o->batch,
                                  .protocol = (enum pq_protocol)protocols.value[p], .maximum = pq_point_maximum(o),
                                  .tables = pq_point_tables(o), .ranks = ranks.value[r],
                                  .softmax = pq_softmax_widths((uint32_t)seqs.value[s]) } };
    *count = n;
    return PQ_OK;
}

uint64_t pq_point_floor_ns(const struct pq_point *p, const struct pq_prediction *predicted, double peak,
                           double bandwidth)
{
    double work = 0, lookups = 0;
    for (int r = 0; r < PQ_ROLES; r++) {
        const struct pq_count n = pq_tally_phase(&predicted->party[r], PQ_ONLINE);
        if ((double)n.multiply_adds > work)
            work = (double)n.multiply_adds;
        if ((double)n.lookups / (double)p->plan.ranks > lookups)
            lookups = (double)n.lookups / (double)p->plan.ranks;
    }
    const double material = (double)predicted->material[0], touched = 64 * lookups < material ? 64 * lookups : material;
    const double compute = work / (peak * (double)p->threads);
    const double memory = ((double)predicted->weight_bytes + touched) / (bandwidth * (double)p->threads);
    return (uint64_t)(1e9 * (compute > memory ? compute : memory));
}
