/* One flipped bit somewhere in an inference, and what came of it. An injector stands at the door (the ear of link.h)
 * and before the party's operations; all that passes is counted bit by bit, so a bit can be named by its number, and
 * the bit that is wanted is flipped in place. Every opening leaves a fingerprint, so that two runs of one inference
 * (same seeds, same number) can be compared opening by opening. */
#ifndef PQ_TEST_FLIPS_H
#define PQ_TEST_FLIPS_H

#include "../inference.h"

enum flip_kind {
    FLIP_SETUP,    /* a message of set-up: keys, weight shares */
    FLIP_MATERIAL, /* a message of the offline phase: halves of tables, numbers */
    FLIP_STRETCH,  /* the same bit in FLIP_STRETCH_BYTES of material one after the other: some entries of it are read */
    FLIP_MESSAGE,  /* a message of the online phase, as one party receives it */
    FLIP_OPENED,   /* an opened value in the memory of one party */
    FLIP_SHARE,    /* a share in the memory of one party, before an operation uses it */
    FLIP_WEIGHT,   /* a weight share in the memory of one party; reference kernel */
    FLIP_KINDS
};
enum { FLIP_STRETCH_BYTES = 1024 };
extern const char *const flip_name[FLIP_KINDS];

struct flips {
    struct pq_ear ear; /* first: the door gives it back */
    struct pq_ops ops;
    const struct pq_ops *right;
    uint64_t offered[FLIP_KINDS]; /* bits that passed since flips_start */
    enum flip_kind kind;          /* the bit that is wanted; FLIP_KINDS: none */
    uint64_t bit;
    uint64_t *trace;              /* fingerprints of the openings since flips_start */
    size_t openings, room;
};

/* Before the session is opened: its ear is &f->ear. */
void flips_open(struct flips *f);
/* After: puts the injector before this rank's online operations. */
void flips_watch(struct flips *f, struct pq_session *s);
void flips_close(struct flips *f);

/* Counts and fingerprints begin anew; flips this bit of all that passes (FLIP_KINDS: none, FLIP_WEIGHT: see below). */
void flips_start(struct flips *f, enum flip_kind kind, uint64_t bit);

/* Bits of this rank's weight shares, and a flip in place; the same again undoes it. */
uint64_t flips_weight_bits(const struct pq_session *s);
void flips_weight(struct pq_session *s, uint64_t bit);

#endif
