/* A clock that steps in the middle of a repetition is noticed, whichever it is and at whichever party, and a repetition
 * in which none does is not doubted. This program is the shim: it brings its own clock_gettime, which the library's
 * calls find before the system's. Run under mpirun -n 3. */
#include "models.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CLOCKS = 16 };

/* What the clocks of this process are ahead by; set by the ear below, read by the shim, so it has no other place. */
static int64_t ahead_ns[CLOCKS];

int clock_gettime(clockid_t clock, struct timespec *t)
{
    const int rc = (int)syscall(SYS_clock_gettime, clock, t);
    if (clock >= 0 && clock < CLOCKS && ahead_ns[clock]) {
        const int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + ahead_ns[clock];
        t->tv_sec = ns / 1000000000;
        t->tv_nsec = ns % 1000000000;
    }
    return rc;
}

/* Steps a clock when the first message of the online phase arrives. */
struct stepper { struct pq_ear ear; clockid_t clock; int64_t step_ns; };

static void received(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes)
{
    const struct stepper *s = (const struct stepper *)ear;
    (void)from, (void)data, (void)bytes;
    if (l->phase == PQ_ONLINE && !ahead_ns[s->clock])
        ahead_ns[s->clock] = s->step_ns;
}

static void opened(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits,
                   size_t all)
{
    (void)ear, (void)l, (void)value, (void)n, (void)bits, (void)all;
}

static void steps(struct parties *p, const struct tiny *t)
{
    static const struct { clockid_t clock; int64_t step_ns; const char *name; } tries[] = {
        { CLOCK_MONOTONIC, 0, "none" },
        { CLOCK_REALTIME, 40000000, "real, forward" }, { CLOCK_REALTIME, -3600000000000, "real, an hour back" },
        { CLOCK_BOOTTIME, 90000000000, "boot: suspended for 90 s" }, { CLOCK_MONOTONIC, 50000000, "monotonic" },
        { CLOCK_MONOTONIC_RAW, 30000000, "raw" },
    };
    const struct point at = { .seq = 6, .ranks = 1, .protocol = PQ_PREPROCESSED };
    uint32_t *token = point_input(t, &at);
    for (int who = PQ_P1; who <= PQ_P2; who++)
        for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
            struct stepper ear = { { received, opened }, tries[i].clock, tries[i].step_ns };
            struct pq_session_setup setup = point_setup(p, t, &at);
            struct pq_session s;
            struct pq_measurement m;
            setup.ear = (int)p->group.role == who ? &ear.ear : NULL;
            pq_session_open(&s, &setup);
            for (int again = 0; again < 2; again++) { /* the second repetition has a whole step behind it */
                const uint64_t wanted = again ? 0 : (uint64_t)llabs(tries[i].step_ns);
                pq_session_repeat(&s, token, &m);
                parties_check(p, m.verdict == PQ_VALID, "verdict %d", (int)m.verdict);
                if (p->group.world_rank == 0)
                    parties_check(p, (m.clock_off_ns != 0) == (wanted != 0) && m.clock_off_ns + 20000000 > wanted &&
                                  m.clock_off_ns < wanted + 20000000, "%s at P%d: clocks apart by %llu ns",
                                  tries[i].name, who, (unsigned long long)m.clock_off_ns);
            }
            pq_session_close(&s);
            pq_group_barrier(&p->group);
            memset(ahead_ns, 0, sizeof ahead_ns);
        }
    free(token);
}

int main(int argc, char **argv)
{
    struct parties p;
    struct tiny t;
    parties_start(&p, &argc, &argv);
    tiny_make(&t, "layers=1,hidden=24,heads=3,ffn=40,vocab=50,max_seq=16,labels=3");
    steps(&p, &t);
    tiny_free(&t);
    return parties_finish(&p);
}
