#include "record_point.h"

#include "../mpi/engine_replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void text(char field[PQ_NAME], const char *value)
{
    snprintf(field, PQ_NAME, "%s", value);
}

static void file_name(char field[PQ_NAME], const char *path)
{
    const char *name = strrchr(path, '/');
    text(field, name ? name + 1 : path);
}

static void short_id(char field[PQ_NAME], const uint8_t *id)
{
    for (int i = 0; i < 8; i++)
        snprintf(field + 2 * i, 3, "%02x", id[i]);
}

static uint64_t sent(const struct pq_tally party[PQ_ROLES], enum pq_phase phase)
{
    uint64_t sum = 0;
    for (int r = 0; r < PQ_ROLES; r++)
        sum += pq_tally_phase(&party[r], phase).bytes;
    return sum;
}

static uint64_t messages(const struct pq_tally party[PQ_ROLES], enum pq_phase phase)
{
    uint64_t sum = 0;
    for (int r = 0; r < PQ_ROLES; r++)
        sum += pq_tally_phase(&party[r], phase).messages;
    return sum;
}

void pq_record_point(struct pq_run_record *r, const struct pq_launch *l, const struct pq_point *p,
                     const struct pq_prediction *predicted)
{
    const struct pq_shape *s = &p->plan.shape;
    const char *together = getenv("PQ_TOGETHER");
    uint64_t work = 0;
    memset(r, 0, sizeof *r);
    text(r->system, "pqbert");
    file_name(r->model, l->options.model);
    short_id(r->model_id, l->model_id);
    r->layers = s->layers;
    r->hidden = s->hidden;
    r->heads = s->heads;
    r->ffn = s->ffn;
    r->trunc = s->trunc;
    r->seq_len = p->plan.seq;
    r->batch = p->plan.batch;
    r->parties = PQ_ROLES;
    r->ranks_per_party = p->plan.ranks;
    r->threads = p->threads;
    text(r->protocol, pq_protocol_name[p->plan.protocol]);
    text(r->max_variant, pq_maximum_name[p->plan.maximum]);
    text(r->tables, pq_tables_name[p->plan.tables]);
    text(r->net, p->net.name);
    text(r->kernel, l->gemm->name);
    text(r->transport, pq_group_transport(&l->group));
    text(r->mode, pq_launch_insecure(l, p) ? "INSECURE-BENCH" : "secure");
    text(r->together, together ? together : "");
    text(r->verdict, l->options.no_verify ? "UNCHECKED" : "VALID"); /* at best */
    text(r->material, p->stock ? "file" : p->plan.overlap ? "overlapped" : "fresh");
    r->input_seed = l->options.input_seed;

    r->setup_bytes_predicted = sent(predicted->party, PQ_SETUP);
    r->offline_bytes_predicted = sent(predicted->party, PQ_OFFLINE);
    r->online_bytes_predicted = sent(predicted->party, PQ_ONLINE);
    r->offline_messages_predicted = messages(predicted->party, PQ_OFFLINE);
    r->online_messages_predicted = messages(predicted->party, PQ_ONLINE);
    r->online_rounds_predicted = pq_tally_rounds(predicted->party, PQ_ONLINE);
    for (int role = 0; role < PQ_ROLES; role++) {
        const struct pq_count n = pq_tally_phase(&predicted->party[role], PQ_ONLINE);
        work = n.multiply_adds > work ? n.multiply_adds : work;
    }
    r->multiply_adds = work;
    r->lookups = pq_tally_phase(&predicted->party[PQ_P2], PQ_ONLINE).lookups;
    r->predicted_memory_p0 = predicted->memory[PQ_P0];
    r->predicted_memory_p1 = predicted->memory[PQ_P1];
    r->predicted_memory_p2 = predicted->memory[PQ_P2];
    r->online_read_bytes = pq_point_read_bytes(predicted);
}

void pq_record_floor(struct pq_run_record *r, const struct pq_point *p, const struct pq_prediction *predicted,
                     struct pq_peaks peaks)
{
    r->core_macs = peaks.macs;
    r->core_bandwidth = peaks.bandwidth;
    r->floor_ns = pq_point_floor_ns(p, predicted, peaks.macs, peaks.bandwidth);
}

void pq_record_evaluation(struct pq_evaluation_record *e, const struct pq_launch *l, const uint8_t *data_id)
{
    static const char *const maximum[] = { [PQ_MAX_AUTO] = "auto", [PQ_MAX_TREE] = "tree", [PQ_MAX_COUNT] = "count" };
    static const char *const tables[] = {
        [PQ_TABLES_AUTO] = "auto", [PQ_TABLES_DIRECT] = "direct", [PQ_TABLES_COMPACT] = "compact"
    };
    const struct pq_shape *s = &l->shape;
    memset(e, 0, sizeof *e);
    text(e->system, "pqbert");
    file_name(e->model, l->options.model);
    short_id(e->model_id, l->model_id);
    e->layers = s->layers;
    e->hidden = s->hidden;
    e->heads = s->heads;
    e->ffn = s->ffn;
    e->weight_bits = s->weight_bits;
    e->trunc = s->trunc;
    e->labels = s->labels;
    e->max_tokens = s->max_seq;
    file_name(e->data, l->options.data);
    short_id(e->data_id, data_id);
    e->sentences = l->sequences.count;
    e->batch = l->options.batch;
    if (l->alone)
        return;
    e->parties = PQ_ROLES;
    e->ranks_per_party = l->points[0].plan.ranks;
    e->threads = l->points[0].threads;
    text(e->protocol, pq_protocol_name[l->points[0].plan.protocol]);
    text(e->max_variant, maximum[l->options.maximum]);
    text(e->tables, tables[l->options.tables]);
    text(e->net, l->points[0].net.name);
    text(e->kernel, l->gemm->name);
    text(e->transport, pq_group_transport(&l->group));
    text(e->mode, l->options.seed_given ? "INSECURE-BENCH" : "secure");
}

/* As much of the list as the field holds. */
static void describe_ranges(char field[PQ_NAME], const struct pq_session *s)
{
    const uint32_t layers = s->setup.plan.shape.layers;
    memset(field, 0, PQ_NAME);
    for (size_t i = 0; s->replay && i < (layers + (size_t)1) * PQ_OPERATIONS; i++) {
        const struct pq_replay_range *range = &pq_replay_ranges(s->replay)[i];
        char layer[16] = "h", one[PQ_NAME];
        if (!range->wrapped)
            continue;
        if (i / PQ_OPERATIONS < layers)
            snprintf(layer, sizeof layer, "%zu", i / PQ_OPERATIONS);
        snprintf(one, sizeof one, "%s%s:%s=%" PRIu64, *field ? " " : "", layer, pq_operation_name[i % PQ_OPERATIONS],
                 range->wrapped);
        if (strlen(field) + strlen(one) < PQ_NAME)
            strcat(field, one);
    }
}

void pq_record_measured(struct pq_run_record *r, const struct pq_session *s, const struct pq_measurement *m,
                        uint64_t repetition)
{
    static const char *const verdicts[] = {
        [PQ_VALID] = "VALID", [PQ_WRONG] = "INVALID", [PQ_UNCHECKED] = "UNCHECKED"
    };
    const time_t now = time(NULL);
    struct tm utc;
    r->repetition = repetition;
    r->setup_ns = m->setup_ns;
    r->offline_ns = m->offline_ns;
    r->cycle_ns = m->cycle_ns;
    r->material_ns = m->material_ns;
    r->online_ns = m->online_ns;
    r->verify_ns = m->verify_ns;
    r->setup_bytes = sent(m->party, PQ_SETUP);
    r->offline_bytes = sent(m->party, PQ_OFFLINE);
    r->online_bytes = sent(m->party, PQ_ONLINE);
    r->online_bytes_p0 = pq_tally_phase(&m->party[PQ_P0], PQ_ONLINE).bytes;
    r->online_bytes_p1 = pq_tally_phase(&m->party[PQ_P1], PQ_ONLINE).bytes;
    r->online_bytes_p2 = pq_tally_phase(&m->party[PQ_P2], PQ_ONLINE).bytes;
    r->online_internal_bytes = 0;
    for (int role = 0; role < PQ_ROLES; role++)
        r->online_internal_bytes += pq_tally_phase(&m->party[role], PQ_ONLINE).internal_bytes;
    r->offline_messages = messages(m->party, PQ_OFFLINE);
    r->online_messages = messages(m->party, PQ_ONLINE);
    r->online_rounds = pq_tally_rounds(m->party, PQ_ONLINE);
    r->peak_memory_p0 = m->peak_memory[PQ_P0];
    r->peak_memory_p1 = m->peak_memory[PQ_P1];
    r->peak_memory_p2 = m->peak_memory[PQ_P2];
    r->clock_off_ns = m->clock_off_ns;
    r->range_wrapped = m->range_wrapped;
    describe_ranges(r->range_where, s);
    text(r->verdict, verdicts[m->verdict]);
    r->relative_error = m->verdict == PQ_VALID ? 0 : NAN; /* against the integer model: bit for bit, or not known */
    gmtime_r(&now, &utc);
    strftime(r->utc, sizeof r->utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

enum pq_status pq_record_compare(const struct pq_measurement *m, const struct pq_prediction *predicted,
                                 struct pq_error *err)
{
    for (int r = 0; r < PQ_ROLES; r++)
        for (int phase = 0; phase < PQ_PHASES; phase++)
            for (int o = 0; o < PQ_OPERATIONS; o++) {
                const struct pq_count *a = &m->party[r].at[phase][o], *b = &predicted->party[r].at[phase][o];
                if (!pq_count_agrees(a, b))
                    return pq_fail(err, PQ_INVALID,
                                   "P%d %s %s: sent %" PRIu64 " bytes in %" PRIu64 " messages and %" PRIu64
                                   " rounds (inside the party %" PRIu64 " in %" PRIu64 "), cost predicted %" PRIu64
                                   ", %" PRIu64 ", %" PRIu64 " (%" PRIu64 ", %" PRIu64 ")",
                                   r, pq_phase_name[phase], pq_operation_name[o], a->bytes, a->messages, a->rounds,
                                   a->internal_bytes, a->internal_messages, b->bytes, b->messages, b->rounds,
                                   b->internal_bytes, b->internal_messages);
            }
    return PQ_OK;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum account { COMPUTE, WAIT, INTERNAL };

static uint64_t median(const struct pq_measurement *m, size_t n, int role, int phase, int o, enum account which)
{
    uint64_t *v = pq_alloc(n * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct pq_count *c = &m[i].party[role].at[phase][o];
        v[i] = which == COMPUTE ? c->compute_ns : which == WAIT ? c->wait_ns : c->internal_ns;
    }
    qsort(v, n, sizeof *v, ascending);
    const uint64_t middle = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    free(v);
    return middle;
}

size_t pq_record_operations(const struct pq_measurement *m, size_t repetitions, uint64_t point,
                            struct pq_op_record **ops)
{
    size_t count = 0;
    *ops = pq_alloc(PQ_ROLES * PQ_PHASES * PQ_OPERATIONS * sizeof **ops);
    for (int o = 0; o < PQ_OPERATIONS; o++)
        for (int phase = 0; phase < PQ_PHASES; phase++)
            for (int role = 0; role < PQ_ROLES; role++) {
                const struct pq_count *c = &m[repetitions - 1].party[role].at[phase][o];
                struct pq_op_record *r = &(*ops)[count];
                memset(r, 0, sizeof *r);
                r->point = point;
                text(r->operation, pq_operation_name[o]);
                text(r->phase, pq_phase_name[phase]);
                r->party = (uint64_t)role;
                r->compute_ns = median(m, repetitions, role, phase, o, COMPUTE);
                r->wait_ns = median(m, repetitions, role, phase, o, WAIT);
                r->internal_ns = median(m, repetitions, role, phase, o, INTERNAL);
                r->bytes = c->bytes;
                r->bytes_to_p0 = c->bytes_to[PQ_P0];
                r->bytes_to_p1 = c->bytes_to[PQ_P1];
                r->bytes_to_p2 = c->bytes_to[PQ_P2];
                r->internal_bytes = c->internal_bytes;
                r->messages = c->messages;
                r->rounds = c->rounds;
                count += r->bytes || r->compute_ns || r->wait_ns || r->internal_ns;
            }
    return count;
}
