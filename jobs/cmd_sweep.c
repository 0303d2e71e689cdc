/* pqbert sweep: all points of the lists in one launch, every repetition verified and written to the result file at
 * once. */
#include "commands.h"
#include "environment.h"
#include "progress.h"
#include "record_point.h"
#include "stocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sweep {
    struct pq_launch launch;
    struct pq_results *results; /* world rank 0 */
    struct pq_progress progress;
    struct pq_peaks peaks; /* world rank 0: of points with that many ranks and threads */
    size_t peaks_ranks, peaks_threads;
    size_t invalid;
};

/* World rank 0 decides what is left to do, so that all ranks agree. */
static uint64_t missing(struct sweep *w, const struct pq_run_record *like)
{
    uint64_t left = 0;
    if (w->launch.group.world_rank == 0) {
        const uint64_t have = pq_results_count(w->results, like), want = w->launch.options.repeat;
        left = have < want ? want - have : 0;
    }
    pq_group_broadcast(&w->launch.group, 0, &left, sizeof left);
    return left;
}

/* What the record of a point says before it is measured. */
static void describe(const struct sweep *w, const struct pq_point *p, struct pq_run_record *r)
{
    struct pq_prediction predicted;
    pq_predict(&p->plan, !w->launch.options.no_verify, &predicted);
    if (p->stock)
        pq_prediction_leave_out(&predicted, PQ_OFFLINE);
    pq_record_point(r, &w->launch, p, &predicted);
    pq_prediction_free(&predicted);
}

/* Before the first point starts: that the last one will not lack material. */
static enum pq_status demand_material(struct sweep *w, struct pq_error *err)
{
    const struct pq_launch *l = &w->launch;
    pq_progress_note(&w->progress, "checking %s", l->options.material);
    uint64_t *entries = pq_alloc(l->point_count * sizeof *entries);
    for (size_t i = 0; i < l->point_count; i++) {
        struct pq_run_record r;
        describe(w, &l->points[i], &r);
        const uint64_t left = missing(w, &r);
        entries[i] = left ? l->options.warmup + left : 0;
    }
    const enum pq_status status = pq_stocks_demand(l, entries, err);
    free(entries);
    return status;
}

/* Once for all points in a row with the same ranks and threads. */
static struct pq_peaks peaks_of(struct sweep *w, const struct pq_point *p)
{
    if (w->peaks_ranks != p->plan.ranks || w->peaks_threads != p->threads) {
        w->peaks = pq_peaks_measure(&w->launch, p->plan.ranks, p->threads);
        w->peaks_ranks = p->plan.ranks;
        w->peaks_threads = p->threads;
    }
    return w->peaks;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Of one of a measurement's times, by its offset. */
static double median_ms(const struct pq_measurement *m, size_t n, size_t offset)
{
    uint64_t *t = pq_alloc(n * sizeof *t);
    for (size_t i = 0; i < n; i++)
        memcpy(&t[i], (const char *)&m[i] + offset, sizeof *t);
    qsort(t, n, sizeof *t, ascending);
    const double middle = n % 2 ? (double)t[n / 2] : ((double)t[n / 2 - 1] + (double)t[n / 2]) / 2;
    free(t);
    return middle / 1e6;
}

/* Writes one repetition; a failure of the disk ends the job, with everything before it safe. */
static void keep(struct sweep *w, struct pq_run_record *r, const struct pq_session *s, const struct pq_measurement *m,
                 uint64_t repetition)
{
    struct pq_error err;
    pq_watch_phase(w->launch.group.watch, "writing results");
    pq_record_measured(r, s, m, repetition);
    if (pq_results_add_run(w->results, r, &err) != PQ_OK)
        pq_group_die(&w->launch.group, "writing results", "%s", err.text);
}

static void keep_operations(struct sweep *w, const struct pq_measurement *m, size_t n, uint64_t first_row)
{
    struct pq_error err;
    struct pq_op_record *ops;
    const size_t count = pq_record_operations(m, n, first_row, &ops);
    if (pq_results_add_ops(w->results, ops, count, &err) != PQ_OK)
        pq_group_die(&w->launch.group, "writing results", "%s", err.text);
    free(ops);
}

/* line: which point it is. */
static void say_point(struct sweep *w, const struct pq_point *p, const struct pq_run_record *r,
                      const struct pq_measurement *m, size_t n, const char *line)
{
    char rate[64] = "";
    if (p->plan.overlap)
        snprintf(rate, sizeof rate, ", %.4g sequences/s with dealing beside it",
                 1e3 * (double)p->plan.batch / median_ms(m, n, offsetof(struct pq_measurement, cycle_ns)));
    pq_progress_line(&w->progress,
                     "%s: online %.2f ms (median of %zu), floor %.2f ms, %.2f MB online by all parties%s, %s", line,
                     median_ms(m, n, offsetof(struct pq_measurement, online_ns)), n, (double)r->floor_ns / 1e6,
                     (double)r->online_bytes / 1e6, rate, w->launch.options.no_verify ? "UNCHECKED" : "VALID");
}

static void run_point(struct sweep *w, const struct pq_point *p, size_t number, size_t total)
{
    const struct pq_launch *l = &w->launch;
    const uint64_t warmup = l->options.warmup;
    struct pq_run_record r;
    struct pq_session session;
    const struct pq_session_setup setup = pq_launch_setup(l, p);
    const bool emulated = pq_net_emulates(&p->net);
    char line[192];
    snprintf(line, sizeof line, "[%zu/%zu] %s S=%zu G=%zu threads=%zu%s%s", number, total,
             pq_protocol_name[p->plan.protocol], p->plan.seq, p->plan.ranks, p->threads,
             emulated ? " net=" : "", emulated ? p->net.name : "");

    describe(w, p, &r);
    const uint64_t left = missing(w, &r), done = l->options.repeat - left;
    if (!left) {
        pq_progress_line(&w->progress, "%s: in the file already", line);
        return;
    }

    struct pq_measurement *m = pq_alloc(left * sizeof *m), warm;
    uint32_t *token = pq_launch_input(l, p, 0);
    struct pq_error err;
    size_t wrong = 0;
    const char *why = "logits differ from the replayed ones";
    pq_progress_note(&w->progress, "%s: what the cores can do", line);
    const struct pq_peaks peaks = peaks_of(w, p);
    pq_progress_note(&w->progress, "%s: set-up", line);
    pq_session_open(&session, &setup);
    if (l->group.world_rank == 0)
        pq_record_floor(&r, p, &session.predicted, peaks);
    for (uint64_t i = 0; i < warmup + left; i++) {
        pq_progress_note(&w->progress, "%s: %s %" PRIu64, line, i < warmup ? "warm-up" : "repetition",
                         i < warmup ? i + 1 : i - warmup + 1 + done);
        struct pq_measurement *now = i < warmup ? &warm : &m[i - warmup];
        pq_session_repeat(&session, token, now);
        if (l->group.world_rank != 0)
            continue;
        if (pq_record_compare(now, &session.predicted, &err) != PQ_OK) {
            now->verdict = PQ_WRONG;
            why = err.text;
        }
        wrong += now->verdict == PQ_WRONG;
        if (i < warmup)
            continue;
        keep(w, &r, &session, now, done + i - warmup);
        if (now->range_wrapped)
            pq_progress_line(&w->progress, "%s: repetition %" PRIu64 ": %" PRIu64
                             " values left their declared range and wrapped (%s)",
                             line, done + i - warmup, now->range_wrapped, r.range_where);
        if (now->clock_off_ns)
            pq_progress_line(&w->progress, "%s: repetition %" PRIu64 ": clocks disagree by %.4g s, its times "
                             "are doubtful", line, done + i - warmup, (double)now->clock_off_ns / 1e9);
    }
    pq_session_close(&session);
    if (l->group.world_rank == 0) {
        keep_operations(w, m, left, pq_results_first(w->results, &r));
        w->invalid += wrong != 0;
        if (wrong)
            pq_progress_line(&w->progress, "%s: INVALID (%s)", line, why);
        else
            say_point(w, p, &r, m, left, line);
    }
    if (token)
        pq_free_secret(token, 4 * setup.plan.seq * setup.plan.batch);
    free(m);
}

int pq_cmd_sweep(int argc, char **argv)
{
    struct sweep w = { 0 };
    struct pq_launch *l = &w.launch;
    struct pq_error err;
    enum pq_status status = pq_launch_begin(l, PQ_CMD_SWEEP, &argc, &argv, &err);
    if (status != PQ_OK || l->help)
        return pq_launch_end(l, status, &err);

    struct pq_environment env = { 0 };
    const bool first = l->group.world_rank == 0;
    pq_environment_describe(&env, l, argc, argv);
    if (first)
        status = pq_results_open(l->options.out, l->options.resume, &env, &w.results, &err);
    status = pq_group_agree(&l->group, status, &err);
    w.progress = pq_progress_start(first);
    if (status == PQ_OK && l->options.material)
        status = demand_material(&w, &err);
    if (status == PQ_OK) {
        pq_launch_announce(l);
        for (size_t i = 0; i < l->point_count; i++)
            run_point(&w, &l->points[i], i + 1, l->point_count);
        if (first && w.invalid)
            status = pq_fail(&err, PQ_INVALID, "%zu of %zu points are INVALID; no time is given for them", w.invalid,
                             l->point_count);
        status = pq_group_agree(&l->group, status, &err);
    }
    if (first)
        pq_results_close(w.results);
    pq_environment_free(&env);
    return pq_launch_end(l, status, &err);
}
