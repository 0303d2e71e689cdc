/* Losing a rank is said by somebody who is still there. The process that the launcher started forks before MPI begins:
 * the child is the rank, the parent only watches it and ends as the rank ended. A rank that a signal ended (kill -9, no
 * memory left, a crash) is named by one line with its phase, and its watcher exits with PQ_WORLD, upon which the
 * launcher (mpirun; srun with --kill-on-bad-exit=1) ends all other ranks and itself exits with that code: of a process
 * that dies by a signal it would give 128 and the signal, and no rank's own words.
 *
 * A rank that is stopped (SIGSTOP, job control) would hold all others up for ever. Its watcher sees it at once, waits
 * for it to go on for as long as the variable PQ_STOPPED_S says, in seconds (else PQ_WATCH_STOPPED_S), and then ends it
 * like a lost one. A rank that computes, however long, is not stopped, nor is one that a debugger holds. Seconds in
 * which the watcher is stopped too are not counted: a batch system that suspends a whole job does no harm.
 *
 * Signals to the watcher are handed on to the rank. Should the watcher be killed, which it cannot survive to tell, the
 * rank says so and ends; the launcher's exit code is then its own. Cost: a sleeping process of some 100 kB a rank, one
 * sleeping thread, and one store a phase. Watchers are called pq-watch in lists of processes; a debugger follows the
 * child. */
#ifndef PQ_WATCH_H
#define PQ_WATCH_H

enum { PQ_WATCH_STOPPED_S = 60 };

struct pq_watch;

/* Forks; returns in the rank alone. Call it before MPI is started and before there are threads. Where the system has
 * no process left it says so and ends with PQ_WORLD. */
struct pq_watch *pq_watch_start(void);

/* How the rank is to be called once it is known: "P1 rank 3 (host)". Copied. w may be NULL in both: nobody watches. */
void pq_watch_name(struct pq_watch *w, const char *name);

/* What the rank does now. phase: a string literal, since the watcher reads it when the rank is gone. */
void pq_watch_phase(struct pq_watch *w, const char *phase);
/* What was said last; "start" where nothing was, or nobody watches. */
const char *pq_watch_now(const struct pq_watch *w);

#endif
