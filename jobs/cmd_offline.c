/* pqbert offline: the offline phase alone. Writes the material of `count` inferences of every point, each party into
 * its own files; run and sweep use it up, in other jobs and perhaps on other nodes (stocks.h). */
#include "commands.h"
#include "progress.h"
#include "record_point.h"
#include "stocks.h"

#include <inttypes.h>
#include <stdio.h>

struct sums { uint64_t setup_ns, offline_ns, material_ns, sent; };

/* Every entry of one set. The files get their names only when all counts were as predicted. */
static enum pq_status deal(const struct pq_launch *l, const struct pq_point *p, struct pq_progress *progress,
                           struct sums *sums, struct pq_error *err)
{
    struct pq_session session;
    struct pq_measurement m;
    const struct pq_session_setup setup = pq_launch_setup(l, p);
    enum pq_status s = PQ_OK;
    pq_progress_note(progress, "%s: set-up", pq_stock_folder(p->stock));
    pq_session_open(&session, &setup);
    for (uint64_t i = 0; i < l->options.count && s == PQ_OK; i++) {
        pq_progress_note(progress, "%s: entry %" PRIu64 " of %" PRIu64, pq_stock_folder(p->stock), i + 1,
                         l->options.count);
        s = pq_session_deal(&session, &m, err);
        if (s == PQ_OK && l->group.world_rank == 0)
            s = pq_record_compare(&m, &session.predicted, err);
        s = pq_group_agree(&l->group, s, err);
        sums->setup_ns = m.setup_ns;
        sums->offline_ns += m.offline_ns;
        sums->material_ns += m.material_ns;
        sums->sent = pq_tally_phase(&m.party[PQ_P0], PQ_OFFLINE).bytes;
    }
    pq_session_close(&session);
    return s == PQ_OK ? pq_stock_finish(p->stock, err) : s;
}

static void print_set(const struct pq_launch *l, const struct pq_point *p, const struct sums *sums,
                      const uint64_t bytes[PQ_ROLES])
{
    const double entries = (double)l->options.count;
    printf("%s: %" PRIu64 " entries%s; bytes written: P0 %" PRIu64 ", P1 %" PRIu64 ", P2 %" PRIu64 "\n",
           pq_stock_folder(p->stock), l->options.count,
           pq_launch_insecure(l, p) ? ", INSECURE-BENCH: fixed seed" : "", bytes[PQ_P0], bytes[PQ_P1], bytes[PQ_P2]);
    printf("  set-up %.1f ms; an entry, on average: dealing %.1f ms, writing %.1f ms; P0 sent %" PRIu64
           " bytes; counts equal the predicted ones\n",
           (double)sums->setup_ns / 1e6, (double)sums->offline_ns / entries / 1e6,
           (double)sums->material_ns / entries / 1e6, sums->sent);
    fflush(stdout);
}

int pq_cmd_offline(int argc, char **argv)
{
    struct pq_launch l;
    struct pq_error err;
    enum pq_status s = pq_launch_begin(&l, PQ_CMD_OFFLINE, &argc, &argv, &err);
    if (s != PQ_OK || l.help)
        return pq_launch_end(&l, s, &err);

    struct pq_progress progress = pq_progress_start(l.group.world_rank == 0);
    for (size_t i = 0; i < l.point_count && s == PQ_OK; i++) {
        const struct pq_point *p = &l.points[i];
        struct sums sums = { 0 };
        uint64_t bytes[PQ_ROLES];
        if (!p->stock) /* the set of a point before */
            continue;
        s = deal(&l, p, &progress, &sums, &err);
        if (s != PQ_OK)
            break;
        pq_stock_bytes(p->stock, bytes);
        if (l.group.world_rank == 0)
            print_set(&l, p, &sums, bytes);
    }
    return pq_launch_end(&l, s, &err);
}
