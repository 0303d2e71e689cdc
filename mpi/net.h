/* The networks that can be emulated between the parties (wire.h does it), as numbers: what users type, and how long a
 * message takes. No MPI here: cost and the choice of variants use it too.
 *
 * Each ordered pair of parties has a link of its own, so both directions of an exchange are served at once. A link
 * serves one message after the other at its rate, and what has left it arrives half a round trip later. Rank groups
 * share their party's links. */
#ifndef PQ_NET_H
#define PQ_NET_H

#include "../kernels/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQ_NET_NAME = 48 };

struct pq_net {
    char name[PQ_NET_NAME];   /* as it was typed: none, lan, wan, 1Gbit:2ms */
    uint64_t bits_per_second; /* of each link; 0: nothing is emulated */
    uint64_t round_trip_ns;
};

/* "none" (the network as it is), "lan" (5 Gbit/s, 0.4 ms), "wan" (400 Mbit/s, 40 ms), or RATE:RTT: a decimal number
 * and kbit, Mbit or Gbit (per second), at most 1000 Gbit; a decimal number and us, ms or s, at most 10 s. PQ_USER:
 * anything else. */
PQ_MUST_USE enum pq_status pq_net_parse(const char *text, struct pq_net *net, struct pq_error *err);

static inline bool pq_net_emulates(const struct pq_net *net)
{
    return net->bits_per_second != 0;
}

/* How long a link is busy with this many bytes; 0 when nothing is emulated. */
uint64_t pq_net_busy_ns(const struct pq_net *net, uint64_t bytes);

#endif
