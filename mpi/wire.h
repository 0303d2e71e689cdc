/* The emulated network inside the link (net.h says which): a message is handed over no earlier than a real link would
 * deliver it. The link (link.h, swap.h) is the only caller. NULL stands for no emulation; every call then does nothing.
 *
 * How: whoever sends reserves the link to that party from now on, or from when it is free, and sends the time at which
 * the message will have arrived in a message of 8 bytes of its own beside it (no protocol traffic: it is not counted).
 * The receiver gets the message at once and holds it back until then, asleep but for the last tenth of a
 * millisecond. The sender never waits while fewer than 1,024 of its messages are on their way.
 *
 * Shared rate: the ranks of a party on one host share one queue per link, so each gets all of the rate while the others
 * are silent. Where a party's ranks are on several hosts, each host has the part of the rate that it has of the ranks.
 *
 * Clocks: on one host all processes read the same one. Between ranks whose clocks differ the difference is measured by
 * messages, before every repetition, since clocks drift; it is as exact as half the real round trip.
 *
 * What it cannot do: be faster than the real network below it. And MPI's own handshakes happen on the real network:
 * what they would cost over a long link is not emulated. */
#ifndef PQ_WIRE_H
#define PQ_WIRE_H

#include "group.h"
#include "net.h"

struct pq_wire;

/* Every rank of the launch calls these two; ranks: G of the point. NULL when net emulates nothing. */
struct pq_wire *pq_wire_open(const struct pq_group *group, size_t ranks, const struct pq_net *net);
void pq_wire_close(struct pq_wire *w);

/* Measures the clocks of this rank's two partners anew, where they are on another host. All working ranks at once. */
void pq_wire_set_clocks(struct pq_wire *w);

/* Just before a message of `bytes` bytes is handed to MPI for a party: reserves the link and sends the time. */
void pq_wire_depart(struct pq_wire *w, const char *phase, enum pq_role to, size_t bytes);
/* Beside the receive of one message: posts the receive of its time. */
void pq_wire_expect(struct pq_wire *w, const char *phase, enum pq_role from);
/* Waits for that time, and so for the message to be on its way: with naps of half the delay, which therefore cost
 * nothing, unless it is too short for naps. */
void pq_wire_await(struct pq_wire *w, const char *phase, enum pq_role from);
/* Sleeps until everything that was awaited is due. */
void pq_wire_hold(struct pq_wire *w);

#endif
