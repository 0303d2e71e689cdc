#include "watch.h"

#include "../kernels/status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A page of both processes. The literal that phase points to lies at the same address in both: nothing is loaded anew
 * after a fork. */
struct pq_watch {
    char name[160];
    _Atomic(const char *) phase;
    int watcher_end[2]; /* of a pipe: the rank reads, the watcher holds the other, which closes with it */
};

static const int handed_on[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
enum { HANDED_ON = sizeof handed_on / sizeof *handed_on };

/* A launcher that ends a job kills every process of it within moments: who waits that long and still lives has seen a
 * loss, not the end of the job. */
static const struct timespec moment = { .tv_sec = 0, .tv_nsec = 200000000 };

static void say(const struct pq_watch *w, const char *how)
{
    dprintf(STDERR_FILENO, "pqbert: %s, %s: this rank was lost: %s\n", w->name, atomic_load(&w->phase), how);
}

static void cannot(const char *what)
{
    dprintf(STDERR_FILENO, "pqbert: start: cannot %s: %s\n", what, strerror(errno));
    _exit(PQ_WORLD);
}

/* The rank ended by this signal. The same signal to the watcher, before or just after: the whole job is being ended,
 * and somebody else has said why. */
static void report(const struct pq_watch *w, int sig, bool asked)
{
    sigset_t same;
    char text[128];
    sigemptyset(&same);
    sigaddset(&same, sig);
    if (!asked && sigtimedwait(&same, NULL, &moment) != sig) {
        snprintf(text, sizeof text, "signal %d (%s) ended it", sig, strsignal(sig));
        say(w, text);
    }
    _exit(PQ_WORLD);
}

/* How many seconds a rank may stand still. */
static int patience(void)
{
    const char *text = getenv("PQ_STOPPED_S");
    char *end;
    const long seconds = text ? strtol(text, &end, 10) : PQ_WATCH_STOPPED_S;
    return text && (*end || end == text || seconds < 1 || seconds > 1000000) ? PQ_WATCH_STOPPED_S : (int)seconds;
}

static void end_stopped(const struct pq_watch *w, pid_t rank, int sig, int seconds)
{
    char text[128];
    snprintf(text, sizeof text, "signal %d (%s) stopped it, and it did not go on for %d s", sig, strsignal(sig),
             seconds);
    say(w, text);
    kill(rank, SIGKILL);
    _exit(PQ_WORLD);
}

/* Takes the news of the rank; returns the signal that has stopped it, or 0 when it goes on. */
static int look(const struct pq_watch *w, pid_t rank, int stopped_by, const sigset_t *asked)
{
    int status;
    while (waitpid(rank, &status, WNOHANG | WUNTRACED | WCONTINUED) == rank) {
        if (WIFEXITED(status))
            _exit(WEXITSTATUS(status));
        if (WIFSIGNALED(status))
            report(w, WTERMSIG(status), sigismember(asked, WTERMSIG(status)) == 1);
        stopped_by = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
    }
    return stopped_by;
}

static void watch(const struct pq_watch *w, pid_t rank, const sigset_t *signals)
{
    static const struct timespec second = { .tv_sec = 1 };
    const int limit = patience();
    int stopped_by = 0, seconds = 0; /* counted, not read from a clock: it would run on while this process is stopped */
    sigset_t asked;
    sigemptyset(&asked);
    for (;;) {
        const int sig = stopped_by ? sigtimedwait(signals, NULL, &second) : sigwaitinfo(signals, NULL);
        if (sig > 0 && sig != SIGCHLD) {
            sigaddset(&asked, sig);
            kill(rank, sig);
            continue;
        }
        const bool passed = sig < 0 && errno == EAGAIN;
        stopped_by = look(w, rank, stopped_by, &asked);
        seconds = stopped_by ? seconds + passed : 0;
        if (seconds >= limit)
            end_stopped(w, rank, stopped_by, limit);
    }
}

/* A thread of the rank, asleep until the watcher is gone. */
static void *guard(void *watch)
{
    const struct pq_watch *w = watch;
    char none;
    while (read(w->watcher_end[0], &none, 1) < 0 && errno == EINTR)
        ;
    nanosleep(&moment, NULL);
    say(w, "the process that watches it was killed");
    _exit(PQ_WORLD);
}

static void start_guard(struct pq_watch *w)
{
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    if ((errno = pthread_create(&thread, &small, guard, w)) != 0)
        cannot("start a thread");
    pthread_attr_destroy(&small);
}

struct pq_watch *pq_watch_start(void)
{
    sigset_t signals, before;
    char host[64] = "?";
    struct pq_watch *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w == MAP_FAILED || pipe2(w->watcher_end, O_CLOEXEC) != 0)
        cannot("share memory with a child");
    gethostname(host, sizeof host - 1);
    atomic_store(&w->phase, "start");

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    for (int i = 0; i < HANDED_ON; i++)
        sigaddset(&signals, handed_on[i]);
    sigprocmask(SIG_BLOCK, &signals, &before); /* before the fork: no signal may be missed */
    fflush(NULL);
    const pid_t rank = fork();
    if (rank < 0)
        cannot("start a process");
    if (rank > 0) {
        snprintf(w->name, sizeof w->name, "process %ld (%s)", (long)rank, host);
        prctl(PR_SET_NAME, "pq-watch");
        close(w->watcher_end[0]);
        watch(w, rank, &signals);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_IGN); /* MPI writes to the sockets of a lost rank: no reason to be the second that is lost */
    close(w->watcher_end[1]);
    start_guard(w);
    return w;
}

void pq_watch_name(struct pq_watch *w, const char *name)
{
    if (w)
        snprintf(w->name, sizeof w->name, "%s", name);
}

void pq_watch_phase(struct pq_watch *w, const char *phase)
{
    if (w)
        atomic_store(&w->phase, phase);
}

const char *pq_watch_now(const struct pq_watch *w)
{
    return w ? atomic_load(&w->phase) : "start";
}
