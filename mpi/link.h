/* The one door for protocol messages. It counts bytes (also by peer), messages, rounds and waiting per phase and
 * operation, at the sender; traffic inside a party apart. Receives are posted before sends, messages are cut into
 * pieces of at most 1 GiB. One thread per process talks. A failed message ends the job with rank and phase.
 *
 * Time: between two calls of pq_link_begin everything that is not spent in this door is booked as computing. */
#ifndef PQ_LINK_H
#define PQ_LINK_H

#include "tally.h"

struct pq_link {
    const struct pq_group *group;
    size_t ranks;              /* G of the point */
    enum pq_phase phase;
    enum pq_operation operation;
    bool running;              /* between a phase and its pause */
    uint64_t since_ns, inside_ns; /* start of the current operation; time it has spent in this door */
    struct pq_tally tally;
};

void pq_link_open(struct pq_link *l, const struct pq_group *group, size_t ranks);

/* Books what follows under phase and operation, and closes the account of what came before. */
void pq_link_phase(struct pq_link *l, enum pq_phase phase, enum pq_operation operation);
/* Closes the account: what follows, up to the next phase, is booked nowhere. */
void pq_link_pause(struct pq_link *l);
void pq_link_begin(struct pq_link *l, enum pq_operation operation);

/* One round between P1 and P2: both send and receive. No message where a size is 0, no round where both are. */
void pq_link_exchange(struct pq_link *l, enum pq_role peer, const void *out, size_t out_bytes, void *in,
                      size_t in_bytes);

/* One-way. The receiver waits at once and books a round. */
void pq_link_send(struct pq_link *l, enum pq_role to, const void *data, size_t bytes);
void pq_link_receive(struct pq_link *l, enum pq_role from, void *data, size_t bytes);

/* One-way, not waited for: the buffer stays untouched until pq_link_sent. At most 1 GiB. Books the message but not its
 * bytes: material is gathered from several operations, and each books its own bytes with pq_link_book. No round. */
void pq_link_book(struct pq_link *l, enum pq_role to, size_t bytes);
MPI_Request pq_link_post(struct pq_link *l, enum pq_role to, const void *data, size_t bytes);
void pq_link_sent(struct pq_link *l, MPI_Request *request, int count);

/* Receives one message of at most `room` bytes (at most 1 GiB), returns its size. No round. */
size_t pq_link_take(struct pq_link *l, enum pq_role from, void *data, size_t room);

/* Inside a party. gather: each rank's block of a whole array (blocks in rank order, block_bytes[ranks]) to all ranks;
 * this rank's block is already in place in `whole`. */
void pq_link_gather(struct pq_link *l, void *whole, const size_t *block_bytes);
/* sum[i] mod 2^32 over all ranks, i < n * vectors, delivered in blocks: rank j gets, for each of `vectors` vectors of n
 * numbers, the block pq_split(n, ranks, j): out[vectors][block]. */
void pq_link_reduce_blocks(struct pq_link *l, const uint32_t *mine, size_t n, size_t vectors, uint32_t *out);

#endif
