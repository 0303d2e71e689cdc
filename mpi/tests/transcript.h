/* A party's view, written down: every message that came from another party and every value that a round opened,
 * through the ear of link.h; and what can be asked of one view or of two. Opened values are kept packed, as in
 * messages, so that all of a view are bytes. Fixed inputs of the leak tests make every message whole bytes and whole
 * 64-byte pieces, so nothing pads. One thread. */
#ifndef PQ_TEST_TRANSCRIPT_H
#define PQ_TEST_TRANSCRIPT_H

#include "../link.h"
#include "spread.h"

struct heard {
    bool opened;            /* else received */
    enum pq_phase phase;
    enum pq_operation operation;
    enum pq_role from;      /* received */
    unsigned bits;          /* opened: n elements of Z_2^bits */
    size_t n, at, bytes;
};

struct transcript {
    struct pq_ear ear; /* first: the door gives it back */
    struct heard *list;
    uint8_t *data;
    size_t count, room, used, data_room;
    size_t missing; /* elements of the value that is being opened, the last in the list */
};

void transcript_open(struct transcript *t);
void transcript_close(struct transcript *t);

/* Each kind of message (phase, operation, sender or width) is uniform, and so is each stretch of 2 KiB of material. */
void transcript_uniform(const struct transcript *t, struct finding *f);

/* Each kind has one distribution in two views, made with independent seeds. */
void transcript_same(const struct transcript *a, const struct transcript *b, struct finding *f);

/* Two views that differ only in a seed which the viewing party does not know: what it cannot predict differs uniformly.
 * This finds what no look at one view finds: a mask that the viewer can make itself. Set-up is left out. */
void transcript_fresh(const struct transcript *a, const struct transcript *b, struct finding *f);

/* Differences of any two openings of one size are uniform: no two have one mask. */
void transcript_masks(const struct transcript *t, struct finding *f);

/* The same messages: sizes, order, kinds. */
bool transcript_alike(const struct transcript *a, const struct transcript *b);

/* Alike, and what came from this party in this phase is the same byte for byte; *bytes: how much that was. */
bool transcript_equal(const struct transcript *a, const struct transcript *b, enum pq_phase phase, enum pq_role from,
                      size_t *bytes);

/* Bytes received in a phase, from anyone. */
size_t transcript_received(const struct transcript *t, enum pq_phase phase);

#endif
