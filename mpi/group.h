/* Who is who. The 3*Gmax processes of a launch are P0's ranks first, then P1's, then P2's, so that a launcher that
 * fills nodes in order puts each party on its own nodes. Rank j of a party talks to rank j of another party and to its
 * own party. A point of a sweep may use fewer ranks per party (G <= Gmax); the others wait without using a core.
 *
 * Only mpi/ includes MPI's header. */
#ifndef PQ_GROUP_H
#define PQ_GROUP_H

#include "../kernels/status.h"
#include "watch.h"

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

enum pq_role { PQ_P0, PQ_P1, PQ_P2, PQ_ROLES }; /* model owner, data owner, computing assistant */

struct pq_near;

struct pq_group {
    MPI_Comm protocol; /* messages that the protocol sends, and those inside a party */
    MPI_Comm control;  /* everything that is not protocol: barriers, verdicts, results */
    int world_rank, world_size;
    enum pq_role role;
    size_t rank, ranks_max; /* j and Gmax */
    int hosts;
    struct pq_near *near; /* P1, P2: to the partner on the same host, or NULL */
    struct pq_watch *watch; /* told what this rank does; NULL: nobody watches */
    char transport[48];
};

/* Starts MPI (one thread talks), duplicates communicators, makes MPI return errors. PQ_USER when the number of
 * processes is no multiple of 3. All ranks get the same answer. */
PQ_MUST_USE enum pq_status pq_group_start(int *argc, char ***argv, struct pq_group *g, struct pq_error *err);
void pq_group_finish(struct pq_group *g);

/* World rank of rank j of a party. */
int pq_group_rank_of(const struct pq_group *g, enum pq_role role, size_t j);

/* "P1 rank 3 (host name)" for messages; static text per process. */
const char *pq_group_name(const struct pq_group *g);

/* What carries messages between the parties (transport.h). */
const char *pq_group_transport(const struct pq_group *g);

/* The world's failure: prints rank, phase and text, and ends the whole job with exit code 1. */
void pq_group_die(const struct pq_group *g, const char *phase, const char *fmt, ...) PQ_PRINTF(3, 4) PQ_NORETURN;

/* Control traffic: uncounted, over all ranks of the launch. Waiting ranks sleep. */
void pq_group_barrier(const struct pq_group *g);
void pq_group_broadcast(const struct pq_group *g, int root, void *data, size_t bytes);
/* The worst status over all ranks; every rank returns the same. The line that explains it stays in *err on the first
 * rank that has it, which prints it; elsewhere the text is emptied. */
enum pq_status pq_group_agree(const struct pq_group *g, enum pq_status mine, struct pq_error *err);
/* Every rank's `bytes` bytes at rank 0, in world order; `all` is only used there. */
void pq_group_collect(const struct pq_group *g, const void *mine, void *all, size_t bytes);
/* Plain message between two ranks, uncounted. */
void pq_group_send(const struct pq_group *g, int to, const void *data, size_t bytes);
void pq_group_receive(const struct pq_group *g, int from, void *data, size_t bytes);

/* How to wait: asks again at once at first, then lets others run, then sleeps in growing steps, so that more ranks than
 * cores make progress and a long wait costs nothing. `patient` sleeps from the start. Between two looks at whatever is
 * waited for, call pq_patience_wait. */
struct pq_patience { long turn, nap_ns; };
struct pq_patience pq_patience_start(int patient);
void pq_patience_wait(struct pq_patience *p);

/* Waits for requests in that way. */
void pq_group_wait(const struct pq_group *g, const char *phase, MPI_Request *request, int count, MPI_Status *status,
                   int patient);

/* Ends the job when the message that was received is not of this size. */
void pq_group_expect(const struct pq_group *g, const char *phase, const MPI_Status *status, size_t bytes);

/* What a lost rank leaves to the others is calls that fail. Its watcher (watch.h) knows better, and needs a moment to
 * tell a loss from the end of a job; whoever sees a call fail gives it this long before it ends the job itself. */
enum { PQ_LOSS_FIRST_S = 2 };

/* Ends the job when an MPI call gave the code rc. what: the call, or what it was for. Any rank; takes
 * PQ_LOSS_FIRST_S. */
_Noreturn void pq_group_failed(const struct pq_group *g, const char *phase, const char *what, int rc);

#define PQ_MPI(g, phase, call) \
    do { \
        int rc_ = (call); \
        if (rc_ != MPI_SUCCESS) \
            pq_group_failed((g), (phase), #call, rc_); \
    } while (0)

#endif
