#include "group.h"

#include "near.h"
#include "transport.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG_CONTROL = 3, PIECE = 1 << 30 };

/* Hosts of the launch: ranks that are the first on theirs. */
static int count_hosts(const struct pq_group *g)
{
    MPI_Comm host;
    int rank, first, hosts;
    PQ_MPI(g, "start", MPI_Comm_split_type(g->control, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    MPI_Comm_rank(host, &rank);
    first = rank == 0;
    PQ_MPI(g, "start", MPI_Allreduce(&first, &hosts, 1, MPI_INT, MPI_SUM, g->control));
    MPI_Comm_free(&host);
    return hosts;
}

enum pq_status pq_group_start(int *argc, char ***argv, struct pq_group *g, struct pq_error *err)
{
    int provided;
    memset(g, 0, sizeof *g);
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS || provided < MPI_THREAD_FUNNELED)
        return pq_fail(err, PQ_WORLD, "MPI does not start (MPI_Init_thread with MPI_THREAD_FUNNELED)");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &g->world_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &g->world_size);
    PQ_MPI(g, "start", MPI_Comm_dup(MPI_COMM_WORLD, &g->protocol));
    PQ_MPI(g, "start", MPI_Comm_dup(MPI_COMM_WORLD, &g->control));
    if (g->world_size % 3 != 0)
        return pq_fail(err, PQ_USER, "%d processes cannot be three equal parties: launch a multiple of 3 (mpirun -n 3)",
                       g->world_size);
    g->hosts = count_hosts(g);
    pq_transport_name(g->transport, sizeof g->transport, g->hosts);
    g->ranks_max = (size_t)g->world_size / 3;
    g->role = (enum pq_role)((size_t)g->world_rank / g->ranks_max);
    g->rank = (size_t)g->world_rank % g->ranks_max;
    g->near = pq_near_open(g);
    return PQ_OK;
}

void pq_group_finish(struct pq_group *g)
{
    pq_near_close(g->near);
    MPI_Comm_free(&g->protocol);
    MPI_Comm_free(&g->control);
    MPI_Finalize();
}

int pq_group_rank_of(const struct pq_group *g, enum pq_role role, size_t j)
{
    return (int)((size_t)role * g->ranks_max + j);
}

const char *pq_group_transport(const struct pq_group *g)
{
    return g->transport;
}

const char *pq_group_name(const struct pq_group *g)
{
    static char text[128];
    char host[64] = "?";
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "P%d rank %zu (%s)", (int)g->role, g->rank, host);
    return text;
}

void pq_group_die(const struct pq_group *g, const char *phase, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "pqbert: %s, %s: %s\n", pq_group_name(g), phase, text);
    fflush(NULL);
    MPI_Abort(MPI_COMM_WORLD, PQ_WORLD);
    _exit(PQ_WORLD);
}

enum { POLLS = 2000, YIELDS = 4000 };

struct pq_patience pq_patience_start(int patient)
{
    return (struct pq_patience){ patient ? POLLS + YIELDS : 0, 20000 };
}

void pq_patience_wait(struct pq_patience *p)
{
    const long longest = 1000000; /* naps grow from 20 us to 1 ms */
    if (p->turn++ < POLLS)
        return;
    if (p->turn <= POLLS + YIELDS) {
        sched_yield();
        return;
    }
    nanosleep(&(struct timespec){ 0, p->nap_ns }, NULL);
    p->nap_ns = 2 * p->nap_ns < longest ? 2 * p->nap_ns : longest;
}

void pq_group_failed(const struct pq_group *g, const char *phase, const char *what, int rc)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    nanosleep(&(struct timespec){ .tv_sec = PQ_LOSS_FIRST_S }, NULL);
    MPI_Error_string(rc, text, &length); /* nothing for the codes of Open MPI's own collectives */
    pq_group_die(g, phase, "%s failed: MPI error %d%s%s%s", what, rc, length ? ", " : "", text,
                 rc == MPI_ERR_TRUNCATE ? " (more came than was expected)" : "");
}

/* Of the first request that failed. A message longer than what was expected is found here. */
static void die_waiting(const struct pq_group *g, const char *phase, const MPI_Status *status, int count, int rc)
{
    for (int i = 0; i < count && rc == MPI_ERR_IN_STATUS; i++)
        if (status[i].MPI_ERROR != MPI_SUCCESS && status[i].MPI_ERROR != MPI_ERR_PENDING)
            rc = status[i].MPI_ERROR;
    pq_group_failed(g, phase, "waiting for a message", rc);
}

void pq_group_wait(const struct pq_group *g, const char *phase, MPI_Request *request, int count, MPI_Status *status,
                   int patient)
{
    MPI_Status own[status ? 1 : count > 0 ? count : 1], *all = status ? status : own;
    for (struct pq_patience p = pq_patience_start(patient);; pq_patience_wait(&p)) {
        int done;
        int rc = MPI_Testall(count, request, &done, all);
        if (rc != MPI_SUCCESS)
            die_waiting(g, phase, all, count, rc);
        if (done)
            return;
    }
}

void pq_group_expect(const struct pq_group *g, const char *phase, const MPI_Status *status, size_t bytes)
{
    int got;
    MPI_Get_count(status, MPI_BYTE, &got);
    if ((size_t)got != bytes)
        pq_group_die(g, phase, "expected a message of %zu bytes from P%zu rank %zu, found %d", bytes,
                     (size_t)status->MPI_SOURCE / g->ranks_max, (size_t)status->MPI_SOURCE % g->ranks_max, got);
}

void pq_group_barrier(const struct pq_group *g)
{
    MPI_Request q;
    PQ_MPI(g, "barrier", MPI_Ibarrier(g->control, &q));
    pq_group_wait(g, "barrier", &q, 1, NULL, 1);
}

void pq_group_broadcast(const struct pq_group *g, int root, void *data, size_t bytes)
{
    MPI_Request q;
    PQ_ASSERT(bytes <= PIECE);
    PQ_MPI(g, "broadcast", MPI_Ibcast(data, (int)bytes, MPI_BYTE, root, g->control, &q));
    pq_group_wait(g, "broadcast", &q, 1, NULL, 1);
}

enum pq_status pq_group_agree(const struct pq_group *g, enum pq_status mine, struct pq_error *err)
{
    /* Of equal ones that with a line wins: what was agreed upon before is not lost when it is agreed upon again. */
    struct { int value, rank; } here = { 2 * (int)mine + (mine != PQ_OK && err->text[0]), g->world_rank }, worst;
    MPI_Request q;
    PQ_MPI(g, "agreement", MPI_Iallreduce(&here, &worst, 1, MPI_2INT, MPI_MAXLOC, g->control, &q));
    pq_group_wait(g, "agreement", &q, 1, NULL, 1);
    if (worst.rank != g->world_rank)
        err->text[0] = 0; /* it may quote what only that party may see, so it is not sent around */
    return (enum pq_status)(worst.value / 2);
}

void pq_group_collect(const struct pq_group *g, const void *mine, void *all, size_t bytes)
{
    MPI_Request q;
    PQ_ASSERT(bytes <= PIECE);
    PQ_MPI(g, "collecting", MPI_Igather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, 0, g->control, &q));
    pq_group_wait(g, "collecting", &q, 1, NULL, 1);
}

void pq_group_send(const struct pq_group *g, int to, const void *data, size_t bytes)
{
    MPI_Request q;
    PQ_ASSERT(bytes <= PIECE);
    PQ_MPI(g, "control message", MPI_Isend(data, (int)bytes, MPI_BYTE, to, TAG_CONTROL, g->control, &q));
    pq_group_wait(g, "control message", &q, 1, NULL, 1);
}

void pq_group_receive(const struct pq_group *g, int from, void *data, size_t bytes)
{
    MPI_Request q;
    PQ_ASSERT(bytes <= PIECE);
    MPI_Status status;
    PQ_MPI(g, "control message", MPI_Irecv(data, (int)bytes, MPI_BYTE, from, TAG_CONTROL, g->control, &q));
    pq_group_wait(g, "control message", &q, 1, &status, 1);
    pq_group_expect(g, "control message", &status, bytes);
}
