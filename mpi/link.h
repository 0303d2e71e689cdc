/* The one door for protocol messages. It counts bytes (also by peer), messages, rounds and waiting per phase and
 * operation, at the sender; traffic inside a party apart. Receives are posted before sends, messages are cut into
 * pieces of at most 1 GiB. One thread per process talks. A failed message ends the job with rank and phase, and so does
 * one that is shorter or longer than what was expected, or that nobody expects.
 *
 * Time: between two calls of pq_link_begin everything that is not spent in this door is booked as computing. */
#ifndef PQ_LINK_H
#define PQ_LINK_H

#include "tally.h"
#include "wire.h"

struct pq_link;

/* What a party sees, for tests (tests/transcript.h): `received` hears every message that comes from another party, as it
 * came, but whole where it came in pieces (swap.h), and before what it opens; `opened` every value that a round gave both
 * parties, before anything is done with it, in chunks: n of `all` elements of Z_2^bits as kernels/ring.h lays them out
 * (what a party learns is the sum of both messages, so each message alone would not tell). Programs have none: the door
 * then looks at a NULL pointer. Called by one thread at a time. */
struct pq_ear {
    void (*received)(struct pq_ear *ear, const struct pq_link *l, enum pq_role from, const void *data, size_t bytes);
    void (*opened)(struct pq_ear *ear, const struct pq_link *l, const void *value, size_t n, unsigned bits,
                   size_t all);
};

/* What comes from one rank in messages of any size while the link does other things. */
struct pq_arrival {
    enum pq_role from;
    char *next;
    size_t left; /* 0: nothing is expected */
    MPI_Request request;
};

/* A gather inside the party that is under way: requests of receives by rank, then of sends. */
struct pq_gathering {
    MPI_Request *requests; /* NULL: none is */
    size_t *ends;          /* of blocks in the whole */
    size_t own;            /* where this rank's begins; 0 without a gather */
};

struct pq_buffer { uint8_t *data; size_t room; };

/* Of swaps over MPI (swap.h), which take turns. */
enum { PQ_SWAP_LANES = 2 };
struct pq_swap_lane {
    struct pq_buffer out, in;
    MPI_Request *requests; /* room for so many */
    size_t room;
    bool busy;
};
void pq_swap_lane_free(struct pq_swap_lane *lane); /* wipes what was sent and received; pq_link_close alone calls it */

struct pq_link {
    const struct pq_group *group;
    size_t ranks;              /* G of the point */
    enum pq_phase phase;
    enum pq_operation operation;
    bool running;              /* between a phase and its pause */
    uint64_t since_ns, inside_ns; /* start of the current operation; time it has spent in this door */
    struct pq_tally tally;
    struct pq_swap_lane lane[PQ_SWAP_LANES];
    size_t swaps;              /* begun over MPI */
    struct pq_arrival arrival;
    struct pq_gathering gathering;
    struct pq_wire *wire;      /* the emulated network; NULL: the real one as it is */
    struct pq_ear *ear;        /* NULL but in tests */
};

void pq_link_open(struct pq_link *l, const struct pq_group *group, size_t ranks);
/* From here on messages between parties take what they would on this network. Every rank of the launch calls it, and
 * pq_link_close at the end. Waiting for them is booked as waiting; counts stay what they are. */
void pq_link_emulate(struct pq_link *l, const struct pq_net *net);
void pq_link_close(struct pq_link *l);

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
/* The same for what its sender could send without having waited for anyone: it travels while the others' rounds go on,
 * so it is no round itself. */
void pq_link_collect(struct pq_link *l, enum pq_role from, void *data, size_t bytes);

/* One-way, not waited for: the buffer stays untouched until pq_link_sent. At most 1 GiB. Books the message but not its
 * bytes: material is gathered from several operations, and each books its own bytes with pq_link_book. No round. */
void pq_link_book(struct pq_link *l, enum pq_role to, size_t bytes);
MPI_Request pq_link_post(struct pq_link *l, enum pq_role to, const void *data, size_t bytes);
void pq_link_sent(struct pq_link *l, MPI_Request *request, int count);

/* Receives one message of at most `room` bytes (at most 1 GiB), returns its size. No round. Not to be read before
 * pq_link_taken, which waits until an emulated network would have delivered all that was taken. */
size_t pq_link_take(struct pq_link *l, enum pq_role from, void *data, size_t room);
void pq_link_taken(struct pq_link *l);

/* `bytes` bytes will come from `from`, in messages of at most 1 GiB, and nothing else from there: they are looked for
 * whenever this link waits for another peer. One expectation at a time, on the real network alone. Not to be read
 * before pq_link_arrived, which waits for the rest. No round. */
void pq_link_expect(struct pq_link *l, enum pq_role from, void *data, size_t bytes);
void pq_link_arrived(struct pq_link *l);

/* P1, P2: a chunk of what a swap opened. */
static inline void pq_link_opened(struct pq_link *l, const void *value, size_t n, unsigned bits, size_t all)
{
    if (l->ear)
#pragma omp critical(pq_link_opened)
        l->ear->opened(l->ear, l, value, n, bits, all);
}

/* Inside a party. gather: each rank's block of a whole array (blocks in rank order, block_bytes[ranks]) to all ranks;
 * this rank's block is already in place in `whole`. */
void pq_link_gather(struct pq_link *l, void *whole, const size_t *block_bytes);
/* The same beside computing: begin, wait for what is needed next, wait for all. One gather at a time; `whole` stays where
 * it is until the end. gathered: bytes [from, to) of the whole are in place. Without a gather under way the last two do
 * nothing. Cost: the own block to every other rank of the party, counted as internal when it begins; no round. A block of
 * another length ends the job. */
void pq_link_gather_begin(struct pq_link *l, void *whole, const size_t *block_bytes);
void pq_link_gathered(struct pq_link *l, size_t from, size_t to);
void pq_link_gather_end(struct pq_link *l);
/* sum[i] mod 2^32 over all ranks, i < n * vectors, delivered in blocks: rank j gets, for each of `vectors` vectors of n
 * numbers, the block pq_split(n, ranks, j): out[vectors][block]. */
void pq_link_reduce_blocks(struct pq_link *l, const uint32_t *mine, size_t n, size_t vectors, uint32_t *out);

#endif
